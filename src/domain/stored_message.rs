//! A message as its row of `outbox_message` holds it.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    id::MessageId,
    poison::{Poison, Sender, Text, poison},
};

/// A row of `outbox_message` without its owner and number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMessage {
    pub message: MessageId,
    /// All its types, `;` between them.
    pub kinds: String,
    pub content_type: String,
    pub body: String,
    pub headers: Option<String>,
    pub properties: Option<String>,
    /// When the application published it; says nothing of delivery.
    pub sent: DateTime<Utc>,
    pub enqueue: Option<DateTime<Utc>>,
    pub expires: Option<DateTime<Utc>>,
    pub conversation: Option<Uuid>,
    pub correlation: Option<Uuid>,
    pub initiator: Option<Uuid>,
    pub request: Option<Uuid>,
    pub source: Option<String>,
    pub destination: Option<String>,
    pub response: Option<String>,
    pub fault: Option<String>,
}

impl StoredMessage {
    /// The texts that decide whether it can be delivered; `bytes` is the length of its body, which may be cut off here.
    #[must_use]
    pub fn text(&self, bytes: i64) -> Text<'_> {
        let is_all = i64::try_from(self.body.len()).is_ok_and(|read| read >= bytes);
        Text {
            headers: self.headers.as_deref(),
            properties: self.properties.as_deref(),
            content_type: Some(&self.content_type),
            destination: self.destination.as_deref(),
            body: is_all.then_some(&*self.body),
            bytes,
        }
    }

    /// What keeps `sender` from delivering it, where all of it was read. `limit` is the broker's, in bytes.
    #[must_use]
    pub fn poison(&self, limit: i64, sender: Sender) -> Vec<Poison> {
        let bytes = i64::try_from(self.body.len()).unwrap_or(i64::MAX);
        poison(&self.text(bytes), limit, sender)
    }

    /// One that any delivery can send, for tests.
    #[cfg(test)]
    pub(crate) fn sample(message: MessageId) -> Self {
        let body = serde_json::json!({
            "messageId": message.to_string(), "messageType": ["urn:message:A:B"], "message": {},
        });
        Self {
            message,
            kinds: "urn:message:A:B".to_owned(),
            content_type: super::envelope::CONTENT_TYPE.to_owned(),
            body: body.to_string(),
            headers: None,
            properties: None,
            sent: DateTime::UNIX_EPOCH,
            enqueue: None,
            expires: None,
            conversation: None,
            correlation: None,
            initiator: None,
            request: None,
            source: None,
            destination: Some("rabbitmq://h/A:B".to_owned()),
            response: None,
            fault: None,
        }
    }
}

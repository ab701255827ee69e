//! The columns of a message in full, and the one place that maps them.

use chrono::{DateTime, Utc};
use sqlx::FromRow;
use uuid::Uuid;

use crate::{
    db::sql::moment,
    domain::{id::MessageId, stored_message::StoredMessage},
};

/// The columns that [`columns`] is made of.
pub(in crate::db) const NAMES: &str = "sequence_number, message_id, message_type, content_type, sent_time, \
    enqueue_time, expiration_time, headers, properties, body, conversation_id, correlation_id, initiator_id, \
    request_id, source_address, destination_address, response_address, fault_address";

/// What is selected of a message `m`. `expression` says what to read instead of a text that may be long, or of a time.
pub(in crate::db) fn columns(expression: impl Fn(&str) -> Option<String>) -> String {
    let select =
        |name: &str, usual: String| format!("{} AS {name}", expression(name).unwrap_or(usual));
    let texts = ["message_type", "headers", "properties", "body"];
    let texts = texts.map(|name| select(name, format!("m.{name}"))).join(", ");
    let times = ["sent_time", "enqueue_time", "expiration_time"];
    let times = times.map(|name| select(name, moment(&format!("m.{name}")))).join(", ");
    format!(
        "{texts}, {times}, m.message_id, coalesce(m.content_type, '') AS content_type, m.conversation_id, \
         m.correlation_id, m.initiator_id, m.request_id, m.source_address, m.destination_address, \
         m.response_address, m.fault_address"
    )
}

#[derive(FromRow)]
pub(in crate::db) struct StoredRow {
    message_id: MessageId,
    message_type: String,
    content_type: String,
    sent_time: DateTime<Utc>,
    enqueue_time: Option<DateTime<Utc>>,
    expiration_time: Option<DateTime<Utc>>,
    headers: Option<String>,
    properties: Option<String>,
    /// Nothing where it was too long to be read.
    body: Option<String>,
    conversation_id: Option<Uuid>,
    correlation_id: Option<Uuid>,
    initiator_id: Option<Uuid>,
    request_id: Option<Uuid>,
    source_address: Option<String>,
    destination_address: Option<String>,
    response_address: Option<String>,
    fault_address: Option<String>,
}

impl StoredRow {
    /// The message; nothing where its body was not read.
    pub(in crate::db) fn message(self) -> Option<StoredMessage> {
        Some(StoredMessage {
            message: self.message_id,
            kinds: self.message_type,
            content_type: self.content_type,
            body: self.body?,
            headers: self.headers,
            properties: self.properties,
            sent: self.sent_time,
            enqueue: self.enqueue_time,
            expires: self.expiration_time,
            conversation: self.conversation_id,
            correlation: self.correlation_id,
            initiator: self.initiator_id,
            request: self.request_id,
            source: self.source_address,
            destination: self.destination_address,
            response: self.response_address,
            fault: self.fault_address,
        })
    }
}

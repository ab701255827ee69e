//! Putting a message back: reading it whole, and giving it another id if it must be handled again.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::{Part, Refusal};
use crate::domain::{
    envelope::CONTENT_TYPE, id::MessageId, json, poison::is_envelope, stored_message::StoredMessage,
};

/// The header by which a redelivered message is known under its first id.
const ORIGINAL: &str = "MT-OriginalMessageId";

impl StoredMessage {
    /// From a JSON object with the columns' names; `body` is a text, or the envelope itself. Without a message id
    /// it has that of its envelope, without a time it is of `now`.
    ///
    /// # Errors
    /// [`Refusal::Incomplete`] names what is missing.
    pub fn read(fields: &Value, now: DateTime<Utc>) -> Result<Self, Refusal> {
        let text = |name: &str| match fields.get(name) {
            Some(Value::String(text)) => Some(text.clone()),
            Some(Value::Object(_) | Value::Array(_)) => fields.get(name).map(ToString::to_string),
            _ => None,
        };
        let id = |name: &str| text(name).and_then(|text| Uuid::try_parse(&text).ok());
        let time = |name: &str| text(name).and_then(|text| text.parse::<DateTime<Utc>>().ok());
        let body = text("body").ok_or(Refusal::Incomplete("a body"))?;
        let message = id("message_id").or_else(|| inner_id(&body));
        Ok(Self {
            message: MessageId(message.ok_or(Refusal::Incomplete("a message_id"))?),
            kinds: text("message_type").ok_or(Refusal::Incomplete("a message_type"))?,
            content_type: text("content_type").unwrap_or_else(|| CONTENT_TYPE.to_owned()),
            headers: text("headers"),
            properties: text("properties"),
            sent: time("sent_time").unwrap_or(now),
            enqueue: time("enqueue_time"),
            expires: time("expiration_time"),
            conversation: id("conversation_id"),
            correlation: id("correlation_id"),
            initiator: id("initiator_id"),
            request: id("request_id"),
            source: text("source_address"),
            destination: text("destination_address"),
            response: text("response_address"),
            fault: text("fault_address"),
            body,
        })
    }
}

fn inner_id(body: &str) -> Option<Uuid> {
    let Value::Object(fields) = serde_json::from_str(body).ok()? else { return None };
    Uuid::try_parse(json::field(&fields, "messageId")?.as_str()?).ok()
}

/// The same message under another id: in the column and in the envelope, without any trace of the first id. Numbers and
/// times keep their digits.
///
/// # Errors
/// When the envelope cannot be read: the id inside it is the one that consumers go by.
pub fn renamed(stored: &StoredMessage, id: MessageId) -> Result<StoredMessage, Refusal> {
    let unread = |why: &str| Refusal::Unfit { part: Part::Body, why: why.to_owned() };
    let mut out = StoredMessage { message: id, ..stored.clone() };
    if !is_envelope(&stored.content_type) {
        return Err(unread("its envelope is of an unknown kind, so it cannot get another id"));
    }
    let Ok(Value::Object(mut fields)) = serde_json::from_str::<Value>(&stored.body) else {
        return Err(unread("it is no envelope, so it cannot get another id"));
    };
    let name = json::key(&fields, "messageId").unwrap_or("messageId").to_owned();
    fields.insert(name, Value::from(id.to_string()));
    if let Some(name) = json::key(&fields, "headers").map(ToOwned::to_owned)
        && let Some(Value::Object(headers)) = fields.get_mut(&name)
    {
        headers.retain(|key, _| !key.eq_ignore_ascii_case(ORIGINAL));
    }
    out.body = Value::Object(fields).to_string();
    if let Some(Ok(Value::Object(mut headers))) =
        stored.headers.as_deref().map(serde_json::from_str::<Value>)
        && json::key(&headers, ORIGINAL).is_some()
    {
        headers.retain(|key, _| !key.eq_ignore_ascii_case(ORIGINAL));
        out.headers = (!headers.is_empty()).then(|| Value::Object(headers).to_string());
    }
    Ok(out)
}

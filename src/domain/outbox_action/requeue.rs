//! Putting a message back: reading it whole, and giving it another id if it must be handled again.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::{Part, Refusal, repair::key};
use crate::domain::{envelope::CONTENT_TYPE, id::MessageId};

/// The header by which a redelivered message is known under its first id.
const ORIGINAL: &str = "MT-OriginalMessageId";

/// A message whole, as a row of `outbox_message` has it, without its owner and number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    pub message: MessageId,
    /// All its types, `;` between them.
    pub kinds: String,
    pub content_type: String,
    pub body: String,
    pub headers: Option<String>,
    pub properties: Option<String>,
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

impl Whole {
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
    Uuid::try_parse(fields.get(&key(&fields, "messageId")?)?.as_str()?).ok()
}

/// The same message under another id: the column, the envelope, and no trace of the first one. What only its
/// digits say (money, times) stays as it is.
///
/// # Errors
/// When the envelope cannot be read: the id inside it is the one that consumers go by.
pub fn renamed(whole: &Whole, id: MessageId) -> Result<Whole, Refusal> {
    let unread = |why: &str| Refusal::Unfit { part: Part::Body, why: why.to_owned() };
    let mut out = Whole { message: id, ..whole.clone() };
    if !whole.content_type.eq_ignore_ascii_case(CONTENT_TYPE) {
        return Err(unread("its envelope is of an unknown kind, so it cannot get another id"));
    }
    let Ok(Value::Object(mut fields)) = serde_json::from_str::<Value>(&whole.body) else {
        return Err(unread("it is no envelope, so it cannot get another id"));
    };
    let name = key(&fields, "messageId").unwrap_or_else(|| "messageId".to_owned());
    fields.insert(name, Value::from(id.to_string()));
    if let Some(name) = key(&fields, "headers")
        && let Some(Value::Object(headers)) = fields.get_mut(&name)
    {
        headers.retain(|key, _| !key.eq_ignore_ascii_case(ORIGINAL));
    }
    out.body = Value::Object(fields).to_string();
    if let Some(Ok(Value::Object(mut headers))) =
        whole.headers.as_deref().map(serde_json::from_str::<Value>)
        && key(&headers, ORIGINAL).is_some()
    {
        headers.retain(|key, _| !key.eq_ignore_ascii_case(ORIGINAL));
        out.headers = (!headers.is_empty()).then(|| Value::Object(headers).to_string());
    }
    Ok(out)
}

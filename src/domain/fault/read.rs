//! Reading one message of an error queue. Headers and body come from other programs: reading them never fails.

use std::fmt;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::domain::{
    contract,
    id::{MessageId, OrderId},
    json::field_of as field,
    text::hex,
};

/// The message as the broker delivers it, with its header table as JSON.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Raw {
    /// The queue it lies in.
    pub queue: String,
    /// The AMQP property.
    pub message_id: Option<String>,
    pub content_type: Option<String>,
    pub headers: Map<String, Value>,
    pub body: Vec<u8>,
}

/// Names one message of a queue, the same each time the queue is read: it has no id of its own, and its message id may
/// be there several times.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

/// Why it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A consumer, or what stands before it, failed (`MT-Reason: fault`).
    Failed,
    /// No consumer of the queue takes this type of message (`MT-Reason: dead-letter`).
    Skipped,
    /// The headers do not say.
    Unstated,
}

/// Where it failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Host {
    pub machine: Option<String>,
    pub process: Option<String>,
    pub assembly: Option<String>,
    pub assembly_version: Option<String>,
    pub masstransit: Option<String>,
}

/// A message of an error queue, understood as far as it can be.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    pub key: Key,
    /// The queue it lies in.
    pub queue: String,
    pub kind: Kind,
    /// What the inbox knows it by: `MT-OriginalMessageId` of the envelope, its `messageId`, else the property.
    pub message: Option<MessageId>,
    pub failed: Option<DateTime<Utc>>,
    /// The consumer's type; none when it failed before a consumer was reached, or around it.
    pub consumer: Option<String>,
    pub exception: Option<String>,
    pub text: Option<String>,
    pub stack: Option<String>,
    /// `BookWorm.Contracts.DeleteBasketFailedCommand`: what it failed as, else what it is.
    pub message_type: Option<String>,
    /// All types it can be consumed as, in the same form.
    pub types: Vec<String>,
    /// Where MassTransit received it.
    pub input: Option<String>,
    pub retries: Option<i64>,
    pub redeliveries: Option<i64>,
    pub host: Host,
    /// The body, or why it is no envelope.
    pub envelope: Result<Value, String>,
    /// The order that its message names.
    pub order: Option<OrderId>,
    /// Of the body.
    pub bytes: usize,
}

/// Why the queue a message came from is not known for sure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownOrigin {
    #[error("{0} ends neither in _error nor in _skipped, and no header names where it came from")]
    Unnamed(String),
    #[error("it lies in {queue}, but its MT-Fault-InputAddress names {input}; move it by hand")]
    Elsewhere { queue: String, input: String },
}

impl Key {
    fn of(raw: &Raw, failed: Option<&str>) -> Self {
        let mut digest = Sha256::new();
        let id = raw.message_id.as_deref().unwrap_or_default();
        for part in [raw.queue.as_bytes(), id.as_bytes(), failed.unwrap_or_default().as_bytes()] {
            digest.update(part.len().to_be_bytes());
            digest.update(part);
        }
        digest.update(&raw.body);
        Self(hex(&digest.finalize()[..6]))
    }

    /// Twelve hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Unstated => "unstated",
        })
    }
}

impl Fault {
    /// Reads a message.
    #[must_use]
    pub fn read(raw: &Raw) -> Self {
        let header = |name: &str| text(raw.headers.get(name));
        let failed = header("MT-Fault-Timestamp");
        let envelope = envelope(&raw.body);
        let known = envelope.as_ref().ok();
        let types = known.map(types).unwrap_or_default();
        let original = known
            .and_then(|envelope| field(envelope, "headers"))
            .and_then(|headers| field(headers, "MT-OriginalMessageId"));
        let inside = known.and_then(|envelope| field(envelope, "messageId"));
        let property = raw.message_id.as_deref().and_then(|id| Uuid::parse_str(id).ok());
        let message = id(original).or_else(|| id(inside)).or(property).map(MessageId);
        Self {
            key: Key::of(raw, failed.as_deref()),
            queue: raw.queue.clone(),
            kind: match header("MT-Reason").as_deref() {
                Some("fault") => Kind::Failed,
                Some("dead-letter") => Kind::Skipped,
                _ => Kind::Unstated,
            },
            message,
            failed: failed.as_deref().and_then(moment),
            consumer: header("MT-Fault-ConsumerType"),
            exception: header("MT-Fault-ExceptionType"),
            text: header("MT-Fault-Message"),
            stack: header("MT-Fault-StackTrace"),
            message_type: header("MT-Fault-MessageType").or_else(|| types.first().cloned()),
            types,
            input: header("MT-Fault-InputAddress"),
            retries: number(raw.headers.get("MT-Fault-RetryCount")),
            redeliveries: number(raw.headers.get("MT-Redelivery-Count")),
            host: Host {
                machine: header("MT-Host-MachineName"),
                process: header("MT-Host-ProcessName"),
                assembly: header("MT-Host-Assembly"),
                assembly_version: header("MT-Host-AssemblyVersion"),
                masstransit: header("MT-Host-MassTransitVersion"),
            },
            order: known.and_then(|envelope| field(envelope, "message")).and_then(order),
            envelope,
            bytes: raw.body.len(),
        }
    }

    /// The queue it came from: the error queue's name without its ending. A header that names another one
    /// is not followed, and not overruled either.
    ///
    /// # Errors
    /// When that is not known for sure.
    pub fn origin(&self) -> Result<&str, UnknownOrigin> {
        let input = self.input.as_deref().and_then(queue_of);
        let stem = ["_error", "_skipped"].iter().find_map(|end| self.queue.strip_suffix(end));
        match (stem.filter(|stem| !stem.is_empty()), input) {
            (Some(stem), Some(input)) if stem != input => {
                Err(UnknownOrigin::Elsewhere { queue: self.queue.clone(), input: input.to_owned() })
            }
            (Some(stem), _) => Ok(stem),
            (None, Some(input)) if input != self.queue => Ok(input),
            (None, _) => Err(UnknownOrigin::Unnamed(self.queue.clone())),
        }
    }

    /// Whether the exception is what two deliveries of one message at the same time end in: the unique key
    /// of the inbox (23505) or a serialization failure (40001), before any consumer ran.
    #[must_use]
    pub fn looks_doubled(&self) -> bool {
        let text = self.text.as_deref().unwrap_or_default();
        self.consumer.is_none() && ["23505", "40001"].iter().any(|code| text.starts_with(code))
    }
}

/// The last part of an address's path: `basket-checkout-failed`.
fn queue_of(address: &str) -> Option<&str> {
    let path = address.split(['?', '#']).next().unwrap_or_default();
    let (_, path) = path.split_once("://").unwrap_or(("", path));
    let (_, name) = path.rsplit_once('/').or_else(|| path.rsplit_once(':'))?;
    (!name.is_empty()).then_some(name)
}

/// A header's text; an empty one says nothing.
fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) if text.trim().is_empty() => None,
        Value::String(text) => Some(text.clone()),
        Value::Null => None,
        other => Some(other.to_string()),
    }
}

fn number(value: Option<&Value>) -> Option<i64> {
    match value? {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// .NET's round-trip form: seven decimals and a zone.
fn moment(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text.trim()).ok().map(|at| at.to_utc())
}

fn envelope(body: &[u8]) -> Result<Value, String> {
    let value: Value = serde_json::from_slice(body).map_err(|why| why.to_string())?;
    if value.is_object() { Ok(value) } else { Err("it is no JSON object".to_owned()) }
}

fn id(value: Option<&Value>) -> Option<Uuid> {
    Uuid::parse_str(value?.as_str()?).ok().filter(|id| !id.is_nil())
}

fn types(envelope: &Value) -> Vec<String> {
    let list = field(envelope, "messageType").and_then(Value::as_array);
    let urns = list.into_iter().flatten().filter_map(Value::as_str);
    urns.filter_map(contract::type_name).collect()
}

/// `orderId`, or the id of an `order` inside.
fn order(message: &Value) -> Option<OrderId> {
    let named = id(field(message, "orderId"));
    let inside = || id(field(field(message, "order")?, "id"));
    named.or_else(inside).map(OrderId)
}

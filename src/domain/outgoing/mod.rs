//! What goes over the wire for a row of `outbox_message`: exchange, properties, headers and body, exactly
//! as MassTransit's own delivery sends them.
//!
//! Taken from what the real service (MassTransit 8.5.12) put on a real broker for the same rows; the test
//! fixtures hold both. Left out is `x-dotnet-pub-seq-no`, a header by which its client library counts.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value};

use super::{
    address::{Address, Home},
    json,
    poison::{self, Poison},
    stored_message::StoredMessage,
};

/// A message ready to be published.
#[derive(Debug, Clone, PartialEq)]
pub struct OutgoingMessage {
    /// What is declared before it is sent.
    pub address: Address,
    /// The exchange it is sent to; `RMQ-Exchange` wins over the address's own.
    pub exchange: String,
    pub routing_key: String,
    pub mandatory: bool,
    pub persistent: bool,
    pub content_type: String,
    pub message_id: String,
    pub correlation_id: Option<String>,
    /// Milliseconds the broker keeps it; 1,000 for a message that has expired.
    pub expiration: Option<u64>,
    pub priority: Option<u8>,
    pub app_id: Option<String>,
    pub reply_to: Option<String>,
    pub kind: Option<String>,
    pub user_id: Option<String>,
    pub headers: Vec<(String, Header)>,
    pub body: String,
}

/// A value of the AMQP header table. MassTransit's header writer knows only these two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Header {
    Text(String),
    Number(i64),
}

/// The message of a row as it goes over the wire.
///
/// # Errors
/// What keeps it from being sent: the first of what [`poison::poison`] finds for our relay.
pub fn outgoing(
    stored: StoredMessage,
    home: &Home,
    now: DateTime<Utc>,
) -> Result<OutgoingMessage, Poison> {
    let own = poison::headers(stored.headers.as_deref())?;
    let fields = poison::properties(stored.properties.as_deref())?;
    let address = poison::address(stored.destination.as_deref())?;
    poison::undelayed(&fields)?;
    poison::content_type(&stored.content_type)?;
    let envelope = poison::envelope(&stored.body)?;
    let headers = poison::merged(&own, &envelope)?;
    let properties = poison::Properties::read(&fields)?;
    let left = stored.expires.map(|at| match (at - now).num_milliseconds() {
        ms if ms > 0 => u64::try_from(ms).unwrap_or(1_000),
        _ => 1_000,
    });
    let wire_headers = on_the_wire(&headers);
    let body = updated(envelope, headers, &stored, &address.written(home), left, now);
    Ok(OutgoingMessage {
        exchange: properties.exchange.unwrap_or_else(|| address.exchange.clone()),
        routing_key: properties.routing_key.unwrap_or_default(),
        mandatory: properties.mandatory,
        persistent: !properties.transient,
        content_type: stored.content_type,
        message_id: stored.message.to_string(),
        correlation_id: stored.correlation.map(|id| id.to_string()),
        expiration: left,
        priority: properties.priority,
        app_id: properties.app_id,
        reply_to: properties.reply_to,
        kind: properties.kind,
        user_id: properties.user_id,
        headers: wire_headers,
        address,
        body: body.unwrap_or(stored.body),
    })
}

/// Brings the envelope up to the row, as MassTransit does when it sends it again: the ids, the addresses
/// and the time to live of the row win. Nothing where nothing differs.
fn updated(
    mut envelope: Map<String, Value>,
    headers: Map<String, Value>,
    stored: &StoredMessage,
    destination: &str,
    left: Option<u64>,
    now: DateTime<Utc>,
) -> Option<String> {
    let mut changed = false;
    let mut set = |name: &str, value: Value| {
        let key = json::key(&envelope, name).unwrap_or(name).to_owned();
        if envelope.get(&key).unwrap_or(&Value::Null) != &value {
            envelope.insert(key, value);
            changed = true;
        }
    };
    set("messageId", Value::from(stored.message.to_string()));
    let ids = [
        ("requestId", stored.request),
        ("correlationId", stored.correlation),
        ("conversationId", stored.conversation),
        ("initiatorId", stored.initiator),
    ];
    for (key, id) in ids {
        if let Some(id) = id {
            set(key, Value::from(id.to_string()));
        }
    }
    set("destinationAddress", Value::from(destination));
    let addresses = [
        ("sourceAddress", &stored.source),
        ("responseAddress", &stored.response),
        ("faultAddress", &stored.fault),
    ];
    for (key, address) in addresses {
        if let Some(address) = address {
            set(key, Value::from(address.clone()));
        }
    }
    if let Some(left) = left {
        let ends = now + chrono::TimeDelta::milliseconds(i64::try_from(left).unwrap_or(1_000));
        let ends = ends.to_rfc3339_opts(SecondsFormat::Micros, true);
        set("expirationTime", Value::from(ends));
    }
    let key = json::key(&envelope, "headers").unwrap_or("headers").to_owned();
    let known = envelope.get(&key).and_then(Value::as_object).map_or(0, Map::len);
    if !changed && headers.len() == known {
        return None;
    }
    envelope.insert(key, Value::Object(headers));
    serde_json::to_string_pretty(&envelope).ok()
}

/// Headers as the service's header writer turns them: `true` is the text `True`, fractions lose what is
/// behind the point, and false, null, objects and lists are not written.
fn on_the_wire(headers: &Map<String, Value>) -> Vec<(String, Header)> {
    let written = headers.iter().filter_map(|(name, value)| {
        let value = match value {
            Value::String(text) => Header::Text(text.clone()),
            Value::Bool(true) => Header::Text("True".to_owned()),
            Value::Number(number) => match whole(number) {
                Some(number) => Header::Number(number),
                None => Header::Text(number.to_string()),
            },
            Value::Bool(false) | Value::Null | Value::Array(_) | Value::Object(_) => return None,
        };
        Some((name.clone(), value))
    });
    written.collect()
}

fn whole(number: &serde_json::Number) -> Option<i64> {
    number.as_i64().or_else(|| {
        let text = number.to_string();
        let before = text.split_once('.').map(|(before, _)| before)?;
        (!text.contains(['e', 'E'])).then(|| before.parse().ok())?
    })
}

#[cfg(test)]
mod tests;

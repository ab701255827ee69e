//! What goes over the wire for a row of `outbox_message`: exchange, properties, headers and body, exactly
//! as MassTransit's own delivery sends them.
//!
//! Taken from what the real service (MassTransit 8.5.12) put on a real broker for the same rows; the test
//! fixtures hold both. Left out is `x-dotnet-pub-seq-no`, a header by which its client library counts.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::address::{Address, Home, InvalidAddress, name_of};

/// The only content type whose wire form is known: an envelope.
pub const ENVELOPE: &str = "application/vnd.masstransit+json";

/// The columns of a row that decide what is sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored {
    pub headers: Option<String>,
    pub properties: Option<String>,
    pub message_id: Uuid,
    pub content_type: String,
    pub body: String,
    pub conversation_id: Option<Uuid>,
    pub correlation_id: Option<Uuid>,
    pub initiator_id: Option<Uuid>,
    pub request_id: Option<Uuid>,
    pub source_address: Option<String>,
    pub destination_address: Option<String>,
    pub response_address: Option<String>,
    pub fault_address: Option<String>,
    pub expiration_time: Option<DateTime<Utc>>,
}

/// A message ready to be published.
#[derive(Debug, Clone, PartialEq)]
pub struct OutgoingMessage {
    /// What is declared before it is sent.
    pub address: Address,
    /// Where it is sent; not always the address's own (`RMQ-Exchange` wins).
    pub exchange: String,
    pub routing_key: String,
    pub mandatory: bool,
    pub persistent: bool,
    pub content_type: String,
    pub message_id: String,
    pub correlation_id: Option<String>,
    /// Milliseconds the broker keeps it; 1,000 for what is past its time.
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

/// Why a row can never be sent as it is: it holds its outbox, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Poison {
    #[error("it has no destination address")]
    NoDestination,
    #[error("its destination address {address:?} cannot be used: {why}")]
    Destination { address: String, why: InvalidAddress },
    #[error("its headers are not a JSON object: {0}")]
    Headers(String),
    #[error("its properties are not a JSON object: {0}")]
    Properties(String),
    #[error("its property {name} cannot be used: {why}")]
    Property { name: &'static str, why: String },
    #[error("its content type is {0:?}; only application/vnd.masstransit+json can be delivered")]
    ContentType(String),
    #[error("its body is no envelope: {0}")]
    Body(String),
    #[error("it is {bytes} bytes long, more than the {limit} that may be sent")]
    TooLarge { bytes: u64, limit: u64 },
    #[error("it asks for a delay, which needs the broker's delayed message plugin and the service")]
    Delayed,
}

/// What can be told of a row without its body: its address, headers and properties.
#[allow(clippy::type_complexity, reason = "three results of one reading")]
fn read(stored: &Stored) -> Result<(Address, Map<String, Value>, Map<String, Value>), Poison> {
    let headers = object(stored.headers.as_deref()).map_err(Poison::Headers)?;
    let properties = object(stored.properties.as_deref()).map_err(Poison::Properties)?;
    let text = stored.destination_address.as_deref().ok_or(Poison::NoDestination)?;
    let address = Address::parse(text)
        .map_err(|why| Poison::Destination { address: text.to_owned(), why })?;
    if properties.get("Delay").is_some_and(|delay| !delay.is_null()) {
        return Err(Poison::Delayed);
    }
    if stored.content_type != ENVELOPE {
        return Err(Poison::ContentType(stored.content_type.clone()));
    }
    Ok((address, headers, properties))
}

/// Makes the outgoing of a row.
pub fn outgoing(
    stored: Stored,
    home: &Home,
    now: DateTime<Utc>,
) -> Result<OutgoingMessage, Poison> {
    let (address, own, properties) = read(&stored)?;
    let left = stored.expiration_time.map(|at| match (at - now).num_milliseconds() {
        ms if ms > 0 => u64::try_from(ms).unwrap_or(1_000),
        _ => 1_000,
    });
    let (headers, body) = envelope(&stored, &own, &address, home, left, now)?;
    let exchange = text(&properties, "RMQ-Exchange")?;
    if let Some(name) = &exchange {
        name_of(name)
            .map_err(|why| Poison::Property { name: "RMQ-Exchange", why: why.to_string() })?;
    }
    let priority = match properties.get("RMQ-Priority") {
        None | Some(Value::Null) => None,
        Some(value) => {
            let number = value.as_u64().or_else(|| value.as_str()?.trim().parse().ok());
            let number = number.and_then(|number| u8::try_from(number).ok());
            let why = format!("{value} is not between 0 and 255");
            Some(number.ok_or(Poison::Property { name: "RMQ-Priority", why })?)
        }
    };
    Ok(OutgoingMessage {
        exchange: exchange.unwrap_or_else(|| address.exchange.clone()),
        routing_key: text(&properties, "RMQ-RoutingKey")?.unwrap_or_default(),
        mandatory: is(&properties, "Mandatory", true),
        persistent: !is(&properties, "Durable", false),
        content_type: stored.content_type,
        message_id: stored.message_id.to_string(),
        correlation_id: stored.correlation_id.map(|id| id.to_string()),
        expiration: left,
        priority,
        app_id: text(&properties, "RMQ-AppId")?,
        reply_to: text(&properties, "RMQ-ReplyTo")?,
        kind: text(&properties, "RMQ-Type")?,
        user_id: text(&properties, "RMQ-UserId")?,
        headers: on_the_wire(&headers)?,
        address,
        body: body.unwrap_or(stored.body),
    })
}

/// Brings the envelope up to the row, as MassTransit does when it sends it again: the ids, the addresses
/// and the time to live of the row win; of the row's headers only those named `MT-` are added, and an
/// envelope that has the same one keeps its own. No new body where nothing differs.
fn envelope(
    stored: &Stored,
    own: &Map<String, Value>,
    address: &Address,
    home: &Home,
    left: Option<u64>,
    now: DateTime<Utc>,
) -> Result<(Map<String, Value>, Option<String>), Poison> {
    let read: Value =
        serde_json::from_str(&stored.body).map_err(|why| Poison::Body(why.to_string()))?;
    let Value::Object(mut envelope) = read else {
        return Err(Poison::Body("it is not a JSON object".to_owned()));
    };
    if !envelope.get("messageType").is_some_and(Value::is_array)
        || !envelope.contains_key("message")
    {
        return Err(Poison::Body("it has no messageType and message".to_owned()));
    }
    let mut changed = false;
    let mut set = |envelope: &mut Map<String, Value>, key: &str, value: Value| {
        if envelope.get(key).unwrap_or(&Value::Null) != &value {
            envelope.insert(key.to_owned(), value);
            changed = true;
        }
    };
    set(&mut envelope, "messageId", Value::from(stored.message_id.to_string()));
    let ids = [
        ("requestId", stored.request_id),
        ("correlationId", stored.correlation_id),
        ("conversationId", stored.conversation_id),
        ("initiatorId", stored.initiator_id),
    ];
    for (key, id) in ids {
        if let Some(id) = id {
            set(&mut envelope, key, Value::from(id.to_string()));
        }
    }
    set(&mut envelope, "destinationAddress", Value::from(address.written(home)));
    let addresses = [
        ("sourceAddress", &stored.source_address),
        ("responseAddress", &stored.response_address),
        ("faultAddress", &stored.fault_address),
    ];
    for (key, address) in addresses {
        if let Some(address) = address {
            set(&mut envelope, key, Value::from(address.clone()));
        }
    }
    if let Some(left) = left {
        let ends = now + chrono::TimeDelta::milliseconds(i64::try_from(left).unwrap_or(1_000));
        let ends = ends.to_rfc3339_opts(SecondsFormat::Micros, true);
        set(&mut envelope, "expirationTime", Value::from(ends));
    }
    let mut headers = match envelope.get("headers") {
        Some(Value::Object(headers)) => headers.clone(),
        None | Some(Value::Null) => Map::new(),
        Some(_) => return Err(Poison::Body("its headers are not an object".to_owned())),
    };
    for (name, value) in own {
        if name.starts_with("MT-") && !value.is_null() && !headers.contains_key(name) {
            headers.insert(name.clone(), value.clone());
            changed = true;
        }
    }
    if !changed {
        return Ok((headers, None));
    }
    envelope.insert("headers".to_owned(), Value::Object(headers.clone()));
    let body =
        serde_json::to_string_pretty(&envelope).map_err(|why| Poison::Body(why.to_string()))?;
    Ok((headers, Some(body)))
}

/// Headers as the service's header writer turns them: `true` is the text `True`, fractions lose what is
/// behind the point, and false, null, objects and lists are not written.
fn on_the_wire(headers: &Map<String, Value>) -> Result<Vec<(String, Header)>, Poison> {
    let mut out = vec![];
    for (name, value) in headers {
        let value = match value {
            Value::String(text) => Header::Text(text.clone()),
            Value::Bool(true) => Header::Text("True".to_owned()),
            Value::Number(number) => match whole(number) {
                Some(number) => Header::Number(number),
                None => Header::Text(number.to_string()),
            },
            Value::Bool(false) | Value::Null | Value::Array(_) | Value::Object(_) => continue,
        };
        if name.len() > 255 {
            return Err(Poison::Headers("a name is longer than 255 bytes".to_owned()));
        }
        out.push((name.clone(), value));
    }
    Ok(out)
}

fn whole(number: &serde_json::Number) -> Option<i64> {
    number.as_i64().or_else(|| {
        let text = number.to_string();
        let before = text.split_once('.').map(|(before, _)| before)?;
        (!text.contains(['e', 'E'])).then(|| before.parse().ok())?
    })
}

fn object(text: Option<&str>) -> Result<Map<String, Value>, String> {
    let Some(text) = text.filter(|text| !text.trim().is_empty()) else { return Ok(Map::new()) };
    match serde_json::from_str(text) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(Value::Null) => Ok(Map::new()),
        Ok(_) => Err("it is another kind of JSON".to_owned()),
        Err(why) => Err(why.to_string()),
    }
}

/// A text property; AMQP carries at most 255 bytes.
fn text(properties: &Map<String, Value>, name: &'static str) -> Result<Option<String>, Poison> {
    let value = match properties.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(value)) => value.clone(),
        Some(other) => other.to_string(),
    };
    if value.len() > 255 {
        return Err(Poison::Property { name, why: "it is longer than 255 bytes".to_owned() });
    }
    Ok(Some(value))
}

/// Whether a yes-or-no property says `wanted`, as JSON or as text.
fn is(properties: &Map<String, Value>, name: &str, wanted: bool) -> bool {
    match properties.get(name) {
        Some(Value::Bool(flag)) => *flag == wanted,
        Some(Value::String(text)) => text.eq_ignore_ascii_case(&wanted.to_string()),
        _ => false,
    }
}

#[cfg(test)]
mod tests;

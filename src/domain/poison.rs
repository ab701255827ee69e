//! What keeps a message from being delivered, by its own text. Diagnosis, repair and delivery all ask here, so a
//! message that one of them calls sound is not held as poison by another.

use serde_json::{Map, Value};

use crate::domain::{
    address::{Address, InvalidAddress, name_of},
    envelope::CONTENT_TYPE,
    json,
};

/// Why a message cannot be delivered as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Poison {
    /// Reading them fails before the service can record its pass.
    #[error("headers cannot be read: {0}")]
    Headers(String),
    /// Likewise.
    #[error("properties cannot be read: {0}")]
    Properties(String),
    #[error("it has no destination address")]
    NoDestination,
    #[error("destination {text:?} cannot be used: {why}")]
    Destination { text: String, why: InvalidAddress },
    /// Our relay has no plugin to ask; the service may have.
    #[error("it asks for a delay, which needs the broker's delayed message plugin and the service")]
    Delayed,
    /// Another serializer may be configured in the service; our relay knows the wire form of envelopes only.
    #[error("its content type is {0:?}, not {CONTENT_TYPE}")]
    ContentType(String),
    #[error("the body cannot be read: {0}")]
    Body(String),
    #[error("property {name} cannot be used: {why}")]
    Property { name: &'static str, why: String },
    #[error("its body has {bytes} bytes, the broker takes {limit} at most")]
    TooLarge { bytes: i64, limit: i64 },
}

/// Who delivers: our relay cannot send everything that the service can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    Relay,
    Service,
}

impl Sender {
    /// In a database of our own the relay is ours too.
    #[must_use]
    pub const fn of(managed: bool) -> Self {
        if managed { Self::Relay } else { Self::Service }
    }
}

/// The texts of a message, as far as they were read.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    pub headers: Option<&'a str>,
    pub properties: Option<&'a str>,
    pub content_type: Option<&'a str>,
    pub destination: Option<&'a str>,
    /// Nothing when it is longer than what is read for a diagnosis.
    pub body: Option<&'a str>,
    pub bytes: i64,
}

/// Everything that keeps `sender` from delivering it, in the order in which delivering fails. `limit` is the broker's,
/// in bytes.
#[must_use]
pub fn poison(text: &Text<'_>, limit: i64, sender: Sender) -> Vec<Poison> {
    let mut found = vec![];
    let own = note(&mut found, headers(text.headers));
    let properties = note(&mut found, properties(text.properties));
    note(&mut found, address(text.destination));
    if let Some(properties) = &properties
        && sender == Sender::Relay
    {
        note(&mut found, undelayed(properties));
    }
    let written = text.content_type.unwrap_or_default();
    let readable = match sender {
        Sender::Service if !written.is_empty() => is_envelope(written),
        Sender::Service | Sender::Relay => note(&mut found, content_type(written)).is_some(),
    };
    if readable && let Some(body) = text.body {
        let envelope = note(&mut found, envelope(body));
        if let (Some(own), Some(envelope)) = (&own, &envelope) {
            note(&mut found, merged(own, envelope));
        }
    }
    if let Some(properties) = &properties {
        note(&mut found, Properties::read(properties));
    }
    if text.bytes > limit {
        found.push(Poison::TooLarge { bytes: text.bytes, limit });
    }
    found
}

fn note<T>(found: &mut Vec<Poison>, read: Result<T, Poison>) -> Option<T> {
    read.map_err(|poison| found.push(poison)).ok()
}

/// Whether the body is an envelope.
#[must_use]
pub fn is_envelope(content_type: &str) -> bool {
    content_type.eq_ignore_ascii_case(CONTENT_TYPE)
}

/// The headers of the row; most have none.
pub(super) fn headers(text: Option<&str>) -> Result<Map<String, Value>, Poison> {
    object(text).map_err(Poison::Headers)
}

pub(super) fn properties(text: Option<&str>) -> Result<Map<String, Value>, Poison> {
    object(text).map_err(Poison::Properties)
}

pub(super) fn address(text: Option<&str>) -> Result<Address, Poison> {
    let text = text.ok_or(Poison::NoDestination)?;
    Address::parse(text).map_err(|why| Poison::Destination { text: text.to_owned(), why })
}

pub(super) fn undelayed(properties: &Map<String, Value>) -> Result<(), Poison> {
    match properties.get("Delay") {
        None | Some(Value::Null) => Ok(()),
        Some(_) => Err(Poison::Delayed),
    }
}

pub(super) fn content_type(text: &str) -> Result<(), Poison> {
    if is_envelope(text) { Ok(()) } else { Err(Poison::ContentType(text.to_owned())) }
}

/// The envelope of a body. Its reader does not tell capitals from small letters in keys.
pub(super) fn envelope(body: &str) -> Result<Map<String, Value>, Poison> {
    let why = match serde_json::from_str(body) {
        Ok(Value::Object(envelope)) => match json::field(&envelope, "messageType") {
            None | Some(Value::Null) => "the envelope has no messageType",
            Some(Value::Array(_)) => match json::field(&envelope, "message") {
                None => "the envelope has no message",
                Some(_) => return Ok(envelope),
            },
            Some(_) => "its messageType is no list",
        },
        Ok(_) => "it is JSON, but no envelope",
        Err(why) => return Err(Poison::Body(place(&why))),
    };
    Err(Poison::Body(why.to_owned()))
}

/// The headers that go over the wire: the envelope's, and of the row's `own` only those named `MT-`, where the
/// envelope has not the same one.
pub(super) fn merged(
    own: &Map<String, Value>,
    envelope: &Map<String, Value>,
) -> Result<Map<String, Value>, Poison> {
    let mut headers = match json::field(envelope, "headers") {
        Some(Value::Object(headers)) => headers.clone(),
        None | Some(Value::Null) => Map::new(),
        Some(_) => return Err(Poison::Body("its headers are not an object".to_owned())),
    };
    for (name, value) in own {
        if name.starts_with("MT-") && !value.is_null() && !headers.contains_key(name) {
            headers.insert(name.clone(), value.clone());
        }
    }
    if headers.keys().any(|name| name.len() > LONGEST) {
        return Err(Poison::Headers("a name is longer than 255 bytes".to_owned()));
    }
    Ok(headers)
}

/// What AMQP's short texts carry, in bytes.
const LONGEST: usize = 255;

/// What the properties of a row say about its delivery.
#[derive(Debug, Default)]
pub(super) struct Properties {
    /// Wins over the destination's.
    pub exchange: Option<String>,
    pub routing_key: Option<String>,
    pub mandatory: bool,
    pub transient: bool,
    pub priority: Option<u8>,
    pub app_id: Option<String>,
    pub reply_to: Option<String>,
    pub kind: Option<String>,
    pub user_id: Option<String>,
}

impl Properties {
    pub(super) fn read(fields: &Map<String, Value>) -> Result<Self, Poison> {
        let exchange = short_text(fields, "RMQ-Exchange")?;
        if let Some(name) = &exchange {
            name_of(name)
                .map_err(|why| Poison::Property { name: "RMQ-Exchange", why: why.to_string() })?;
        }
        Ok(Self {
            exchange,
            routing_key: short_text(fields, "RMQ-RoutingKey")?,
            mandatory: is(fields, "Mandatory", true),
            transient: is(fields, "Durable", false),
            priority: priority(fields)?,
            app_id: short_text(fields, "RMQ-AppId")?,
            reply_to: short_text(fields, "RMQ-ReplyTo")?,
            kind: short_text(fields, "RMQ-Type")?,
            user_id: short_text(fields, "RMQ-UserId")?,
        })
    }
}

fn priority(fields: &Map<String, Value>) -> Result<Option<u8>, Poison> {
    let value = match fields.get("RMQ-Priority") {
        None | Some(Value::Null) => return Ok(None),
        Some(value) => value,
    };
    let number = value.as_u64().or_else(|| value.as_str()?.trim().parse().ok());
    let number = number.and_then(|number| u8::try_from(number).ok());
    let why = format!("{value} is not between 0 and 255");
    number.map(Some).ok_or(Poison::Property { name: "RMQ-Priority", why })
}

fn short_text(fields: &Map<String, Value>, name: &'static str) -> Result<Option<String>, Poison> {
    let value = match fields.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(value)) => value.clone(),
        Some(other) => other.to_string(),
    };
    if value.len() > LONGEST {
        return Err(Poison::Property { name, why: "it is longer than 255 bytes".to_owned() });
    }
    Ok(Some(value))
}

/// Whether a yes-or-no property says `wanted`, as JSON or as text.
fn is(fields: &Map<String, Value>, name: &str, wanted: bool) -> bool {
    match fields.get(name) {
        Some(Value::Bool(flag)) => *flag == wanted,
        Some(Value::String(text)) => text.eq_ignore_ascii_case(&wanted.to_string()),
        _ => false,
    }
}

fn object(text: Option<&str>) -> Result<Map<String, Value>, String> {
    let Some(text) = text.filter(|text| !text.trim().is_empty()) else { return Ok(Map::new()) };
    match serde_json::from_str(text) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(Value::Null) => Ok(Map::new()),
        Ok(_) => Err("it is JSON, but no object".to_owned()),
        Err(why) => Err(place(&why)),
    }
}

/// Where the text stops being JSON, without quoting it: it may be personal.
fn place(error: &serde_json::Error) -> String {
    let what = if error.is_eof() { "ends too early" } else { "is no JSON" };
    format!("{what} at line {}, column {}", error.line(), error.column())
}

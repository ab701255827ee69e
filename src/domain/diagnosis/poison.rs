//! What makes a message undeliverable by its own text: checked on the message that is next in line, as
//! MassTransit would read it.

use std::fmt;

use serde_json::Value;

/// The content type whose body is an envelope.
const ENVELOPE: &str = "application/vnd.masstransit+json";

/// Why a message cannot leave as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Poison {
    /// `headers` is no JSON object: reading it fails before anything can be recorded.
    Headers(String),
    /// `properties` is no JSON object: likewise.
    Properties(String),
    /// The body is no JSON, or no envelope.
    Body(String),
    ContentType(String),
    NoDestination,
    Destination {
        text: String,
        why: &'static str,
    },
    TooLarge {
        bytes: i64,
        limit: i64,
    },
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

/// Everything that is wrong with it, the gravest first. `limit` is the broker's, in bytes.
#[must_use]
pub fn poison(text: &Text<'_>, limit: i64) -> Vec<Poison> {
    let mut found = vec![];
    if let Some(why) = text.headers.and_then(no_object) {
        found.push(Poison::Headers(why));
    }
    if let Some(why) = text.properties.and_then(no_object) {
        found.push(Poison::Properties(why));
    }
    match text.destination {
        None => found.push(Poison::NoDestination),
        Some(address) => {
            if let Err(why) = exchange(address) {
                found.push(Poison::Destination { text: address.to_owned(), why });
            }
        }
    }
    match text.content_type {
        Some(kind) if kind.eq_ignore_ascii_case(ENVELOPE) => {
            if let Some(why) = text.body.and_then(no_envelope) {
                found.push(Poison::Body(why));
            }
        }
        Some("") => found.push(Poison::ContentType(String::new())),
        // A raw serializer may be configured; its body is not ours to judge.
        Some(_) | None => {}
    }
    if text.bytes > limit {
        found.push(Poison::TooLarge { bytes: text.bytes, limit });
    }
    found
}

fn no_object(text: &str) -> Option<String> {
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(_) | Value::Null) => None,
        Ok(_) => Some("it is JSON, but no object".to_owned()),
        Err(error) => Some(place(&error)),
    }
}

fn no_envelope(text: &str) -> Option<String> {
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(fields)) => {
            let has = |name: &str| fields.keys().any(|key| key.eq_ignore_ascii_case(name));
            let lacks = ["messageType", "message"].into_iter().find(|name| !has(name));
            lacks.map(|name| format!("the envelope has no {name}"))
        }
        Ok(_) => Some("it is JSON, but no envelope".to_owned()),
        Err(error) => Some(place(&error)),
    }
}

/// Where the text stops being JSON, without quoting it: it may be personal.
fn place(error: &serde_json::Error) -> String {
    let what = if error.is_eof() { "ends too early" } else { "is no JSON" };
    format!("{what} at line {}, column {}", error.line(), error.column())
}

/// The exchange that an address names: `BookWorm.Contracts:UserCheckedOutIntegrationEvent` of
/// `rabbitmq://host/BookWorm.Contracts:UserCheckedOutIntegrationEvent`.
///
/// # Errors
/// Why RabbitMQ's transport cannot use the address, in a sentence's end.
pub fn exchange(address: &str) -> Result<&str, &'static str> {
    let (scheme, rest) = address.split_once(':').ok_or("it is no address")?;
    let (path, query) = rest.split_once('?').map_or((rest, ""), |(path, query)| (path, query));
    let name = match scheme.to_ascii_lowercase().as_str() {
        "queue" | "exchange" | "topic" => path,
        "rabbitmq" | "rabbitmqs" | "amqp" | "amqps" => {
            let place = path.strip_prefix("//").ok_or("it names no host")?;
            let (host, path) = place.split_once('/').ok_or("it names no exchange")?;
            if host.is_empty() || host.contains(char::is_whitespace) {
                return Err("it names no host");
            }
            path.rsplit('/').next().unwrap_or(path)
        }
        _ => return Err("its scheme is not RabbitMQ's"),
    };
    if name.is_empty() {
        return Err("it names no exchange");
    }
    // The transport accepts exactly these in a name.
    if !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:%".contains(c)) {
        return Err("the exchange's name has characters that are not allowed");
    }
    let kind = query.split('&').find_map(|pair| pair.strip_prefix("type="));
    let usual = ["direct", "fanout", "headers", "topic"];
    if kind.is_some_and(|kind| !usual.contains(&kind) && !kind.starts_with("x-")) {
        return Err("there is no such type of exchange");
    }
    Ok(name)
}

/// The last part of an address, for lists: `UserCheckedOutIntegrationEvent`, `(none)`.
#[must_use]
pub fn short_destination(address: Option<&str>) -> &str {
    let Some(address) = address else { return "(none)" };
    let path = address.split('?').next().unwrap_or(address);
    path.rsplit(['/', ':']).next().filter(|name| !name.is_empty()).unwrap_or(address)
}

impl Poison {
    /// What that does to the delivery: by the service, or, in a `managed` database, by our own relay.
    #[must_use]
    pub const fn effect(&self, managed: bool) -> &'static str {
        match self {
            _ if managed => {
                "the relay leaves its outbox alone for longer after every attempt and delivers all others \
                 meanwhile"
            }
            Self::Headers(_) | Self::Properties(_) => {
                "every pass fails before it can be recorded, so no pass shows in the tables; \
                 the service retries after 3 to 30 s, for ever"
            }
            Self::NoDestination => {
                "the service skips it with a warning and deletes it with its outbox: it would be lost \
                 without an error"
            }
            _ => {
                "the service tries it again at once, without end; a single worker sends nothing else meanwhile"
            }
        }
    }

    /// Whether the service's pass that fails at it is recorded all the same.
    #[must_use]
    pub const fn leaves_trace(&self) -> bool {
        !matches!(self, Self::Headers(_) | Self::Properties(_))
    }

    /// Whether the service stops at it, and what is behind it waits. Our own relay never does.
    #[must_use]
    pub const fn blocks(&self) -> bool {
        !matches!(self, Self::NoDestination)
    }
}

impl fmt::Display for Poison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Headers(why) => write!(f, "headers cannot be read: {why}"),
            Self::Properties(why) => write!(f, "properties cannot be read: {why}"),
            Self::Body(why) => write!(f, "the body cannot be read: {why}"),
            Self::ContentType(kind) => write!(f, "content type {kind:?} is unknown"),
            Self::NoDestination => f.write_str("it has no destination"),
            Self::Destination { text, why } => {
                write!(f, "destination {text:?} cannot be used: {why}")
            }
            Self::TooLarge { bytes, limit } => {
                write!(f, "its body has {bytes} bytes, the broker takes {limit} at most")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: Text<'static> = Text {
        headers: None,
        properties: Some("{\"RMQ-Exchange\": \"A:B\"}"),
        content_type: Some(ENVELOPE),
        destination: Some("rabbitmq://host:5672/BookWorm.Contracts:X?temporary=true"),
        body: Some("{\"messageType\": [], \"message\": {}}"),
        bytes: 33,
    };

    #[test]
    fn a_sound_message_has_nothing() {
        assert_eq!(poison(&GOOD, 100), []);
        assert_eq!(poison(&Text { body: None, ..GOOD }, 100), []);
        let raw = Text { content_type: Some("application/json"), body: Some("1"), ..GOOD };
        assert_eq!(poison(&raw, 100), []);
    }

    #[test]
    fn each_part_can_be_bad() {
        let first = |text: Text<'_>| poison(&text, 100).first().cloned().unwrap();
        let headers = first(Text { headers: Some("{broken"), ..GOOD });
        assert!(matches!(headers, Poison::Headers(_)) && headers.blocks(), "{headers}");
        assert!(matches!(first(Text { properties: Some("[1]"), ..GOOD }), Poison::Properties(_)));
        assert!(matches!(first(Text { body: Some("{"), ..GOOD }), Poison::Body(_)));
        assert!(matches!(first(Text { body: Some("{\"message\": 1}"), ..GOOD }), Poison::Body(_)));
        let lost = first(Text { destination: None, ..GOOD });
        assert!(lost == Poison::NoDestination && !lost.blocks());
        assert_eq!(first(Text { bytes: 101, ..GOOD }), Poison::TooLarge { bytes: 101, limit: 100 });
    }

    #[test]
    fn addresses_as_the_transport_reads_them() {
        assert_eq!(exchange("rabbitmq://h/vhost/A.B:C"), Ok("A.B:C"));
        assert_eq!(exchange("amqps://h:5671/q?durable=false&type=direct"), Ok("q"));
        assert_eq!(exchange("queue:basket-checkout-complete"), Ok("basket-checkout-complete"));
        for bad in [
            "",
            "nowhere",
            "rabbitmq://host",
            "rabbitmq:///x",
            "rabbitmq://host/",
            "sb://host/x",
            "rabbitmq://127.0.0.1:55672/bad exchange?type=nonsense",
            "rabbitmq://h/x?type=nonsense",
        ] {
            assert!(exchange(bad).is_err(), "{bad}");
        }
        assert_eq!(short_destination(Some("rabbitmq://h/A.B:C?x=1")), "C");
        assert_eq!(short_destination(None), "(none)");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".*") {
            let _ = exchange(&text);
            let _ = short_destination(Some(&text));
            let all = Text { headers: Some(&text), properties: Some(&text), body: Some(&text), ..GOOD };
            for found in poison(&all, 10) {
                let _ = found.to_string();
            }
        }
    }
}

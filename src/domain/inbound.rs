//! Commands that come as messages: their types, their content, and the headers of one that failed for good.
//! The envelope is MassTransit's, read as its inbox reads it.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::{
    consumer::Consumer,
    contract::URN,
    decide::Command,
    id::{MessageId, OrderId},
    json::field_of as field,
};

/// What the names of our handlers begin with.
const HANDLERS: &str = "Orderscope.Handlers";
/// A header's text longer than this is cut: a frame has to hold all of them.
const LONGEST: usize = 2_000;

/// Which messages are commands, and where they come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commands {
    pub queue: String,
    /// `urn:message:Orderscope.Contracts:CompleteOrder`
    pub complete: String,
    pub cancel: String,
}

/// The two kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Complete,
    Cancel,
}

/// A command that came as a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inbound {
    pub kind: Kind,
    pub message: MessageId,
    pub command: Command,
    /// For the record: that message, and the reason it gives.
    pub reason: String,
    pub conversation: Option<Uuid>,
    /// Its correlation id, else its request id.
    pub initiator: Option<Uuid>,
    /// W3C, as it came.
    pub traceparent: Option<String>,
}

/// Why a message is no command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("the body is no envelope: {0}")]
    NoEnvelope(String),
    #[error("the envelope's {field} {why}")]
    Field { field: &'static str, why: &'static str },
    /// No consumer here handles its type: it belongs into `<queue>_skipped`.
    #[error("no consumer here takes {0}")]
    Foreign(String),
}

impl Commands {
    /// The usual type of completing: one of our own, for the service's `CompleteOrderCommand` goes to others.
    pub const COMPLETE: &str = "urn:message:Orderscope.Contracts:CompleteOrder";
    /// The usual type of cancelling.
    pub const CANCEL: &str = "urn:message:Orderscope.Contracts:CancelOrder";

    /// The type of a kind.
    #[must_use]
    pub fn urn(&self, kind: Kind) -> &str {
        match kind {
            Kind::Complete => &self.complete,
            Kind::Cancel => &self.cancel,
        }
    }

    /// The exchange its messages are published to: `Orderscope.Contracts:CompleteOrder`.
    #[must_use]
    pub fn exchange(&self, kind: Kind) -> &str {
        let urn = self.urn(kind);
        urn.strip_prefix(URN).unwrap_or(urn)
    }

    /// The consumer of a kind, whose id the inbox has.
    #[must_use]
    pub fn consumer(&self, kind: Kind) -> Consumer {
        Consumer {
            handler: format!("{HANDLERS}.{}", kind.name()),
            message: self.exchange(kind).replacen(':', ".", 1),
            queue: self.queue.clone(),
        }
    }

    /// Why these cannot be used; none if they can.
    #[must_use]
    pub fn wrong(&self) -> Option<&'static str> {
        let is_type = |urn: &str| {
            urn.strip_prefix(URN)
                .and_then(|name| name.split_once(':'))
                .is_some_and(|(space, name)| !space.is_empty() && !name.is_empty())
        };
        if !is_type(&self.complete) || !is_type(&self.cancel) {
            return Some("a message type is written urn:message:NAMESPACE:NAME");
        }
        (self.complete == self.cancel).then_some("complete and cancel are the same message type")
    }

    /// Reads a message: its body and its AMQP headers.
    ///
    /// # Errors
    /// When it is no command, in words for whoever finds it in the error queue.
    pub fn read(&self, body: &[u8], headers: &Map<String, Value>) -> Result<Inbound, Unreadable> {
        let envelope: Value = serde_json::from_slice(body)
            .map_err(|error| Unreadable::NoEnvelope(error.to_string()))?;
        if !envelope.is_object() {
            return Err(Unreadable::NoEnvelope("it is no JSON object".to_owned()));
        }
        let wrong = |field, why| Unreadable::Field { field, why };
        let types: Vec<&str> = field(&envelope, "messageType")
            .and_then(Value::as_array)
            .ok_or_else(|| wrong("messageType", "is no list"))?
            .iter()
            .filter_map(Value::as_str)
            .collect();
        let kinds = [Kind::Complete, Kind::Cancel];
        let kind = kinds.into_iter().find(|kind| types.contains(&self.urn(*kind)));
        let kind = kind.ok_or_else(|| Unreadable::Foreign(types.join(", ")))?;
        let own = field(&envelope, "headers");
        let header = |name: &str| {
            let inside = own.and_then(|own| field(own, name));
            headers.get(name).or(inside).and_then(Value::as_str).map(str::to_owned)
        };
        // What was sent again keeps the id it first had.
        let original = own.and_then(|own| id(own, "MT-OriginalMessageId"));
        let message = original.or_else(|| id(&envelope, "messageId"));
        let message = MessageId(message.ok_or_else(|| wrong("messageId", "is no id"))?);
        let said = field(&envelope, "message").ok_or_else(|| wrong("message", "is missing"))?;
        let order = id(said, "orderId").ok_or_else(|| wrong("message.orderId", "is no id"))?;
        let reason = match field(said, "reason") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(_) => return Err(wrong("message.reason", "is no text")),
        };
        let order = OrderId(order);
        let told = reason.as_deref().filter(|reason| !reason.trim().is_empty());
        let record = told.map_or_else(
            || format!("message {}", message.0),
            |told| format!("message {}: {told}", message.0),
        );
        let command = match kind {
            Kind::Complete => Command::CompleteOrder { id: order },
            Kind::Cancel => {
                Command::CancelOrder { id: order, reason: reason.clone().unwrap_or_default() }
            }
        };
        Ok(Inbound {
            kind,
            message,
            command,
            reason: record,
            conversation: id(&envelope, "conversationId"),
            initiator: id(&envelope, "correlationId").or_else(|| id(&envelope, "requestId")),
            traceparent: header("MT-Activity-Id").or_else(|| header("traceparent")),
        })
    }
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Complete => "CompleteOrderHandler",
            Self::Cancel => "CancelOrderHandler",
        }
    }
}

/// A message that failed for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedCommand<'a> {
    /// `Orderscope.Refused`, what the groups of the error queues are made of.
    pub exception: &'static str,
    pub text: String,
    /// Its consumer; none if it did not come so far.
    pub consumer: Option<Consumer>,
    /// The queue's address.
    pub input: &'a str,
    pub machine: &'a str,
    pub at: chrono::DateTime<chrono::Utc>,
    /// How often it was tried again before.
    pub retries: u32,
}

impl FailedCommand<'_> {
    /// The headers that MassTransit adds when a consumer failed.
    #[must_use]
    pub fn headers(&self) -> Vec<(&'static str, Value)> {
        let texts = [
            ("MT-Reason", "fault".to_owned()),
            ("MT-Fault-ExceptionType", self.exception.to_owned()),
            ("MT-Fault-Message", self.text.chars().take(LONGEST).collect()),
            ("MT-Fault-Timestamp", self.at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)),
            ("MT-Fault-InputAddress", self.input.to_owned()),
        ];
        let mut out: Vec<_> = texts.map(|(name, text)| (name, Value::String(text))).into();
        if let Some(consumer) = &self.consumer {
            out.push(("MT-Fault-ConsumerType", consumer.handler.as_str().into()));
            out.push(("MT-Fault-MessageType", consumer.message.as_str().into()));
        }
        // A number, and only where there was one.
        if self.retries > 0 {
            out.push(("MT-Fault-RetryCount", self.retries.into()));
        }
        out.extend(host(self.machine));
        out
    }
}

/// The headers of a message that no consumer here handles.
#[must_use]
pub fn skipped(machine: &str) -> Vec<(&'static str, Value)> {
    let mut out = vec![("MT-Reason", "dead-letter".into())];
    out.extend(host(machine));
    out
}

fn host(machine: &str) -> [(&'static str, Value); 4] {
    [
        ("MT-Host-MachineName", machine.into()),
        ("MT-Host-ProcessName", "orderscope".into()),
        ("MT-Host-Assembly", "orderscope".into()),
        ("MT-Host-AssemblyVersion", env!("CARGO_PKG_VERSION").into()),
    ]
}

fn id(object: &Value, name: &str) -> Option<Uuid> {
    Uuid::parse_str(field(object, name)?.as_str()?).ok().filter(|id| !id.is_nil())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn commands() -> Commands {
        Commands {
            queue: "orderscope-commands".to_owned(),
            complete: Commands::COMPLETE.to_owned(),
            cancel: Commands::CANCEL.to_owned(),
        }
    }

    fn envelope(kind: &str, message: &Value) -> Value {
        json!({
            "messageId": Uuid::from_u128(1), "correlationId": Uuid::from_u128(2),
            "conversationId": Uuid::from_u128(3), "messageType": [kind], "message": message,
            "headers": { "MT-Activity-Id": "00-a-b-01" },
        })
    }

    fn read(envelope: &Value) -> Result<Inbound, Unreadable> {
        commands().read(envelope.to_string().as_bytes(), &Map::new())
    }

    #[test]
    fn a_command_is_read_with_what_caused_it() {
        let order = Uuid::from_u128(9);
        let said = json!({ "OrderId": order, "reason": "sold out" });
        let read = read(&envelope(Commands::CANCEL, &said)).unwrap();
        let command = Command::CancelOrder { id: OrderId(order), reason: "sold out".to_owned() };
        assert_eq!((read.kind, read.command), (Kind::Cancel, command));
        assert_eq!(read.reason, format!("message {}: sold out", Uuid::from_u128(1)));
        assert_eq!(read.conversation, Some(Uuid::from_u128(3)));
        assert_eq!(read.initiator, Some(Uuid::from_u128(2)));
        assert_eq!(read.traceparent.as_deref(), Some("00-a-b-01"));
    }

    #[test]
    fn what_was_sent_again_keeps_its_first_id() {
        let mut sent = envelope(Commands::COMPLETE, &json!({ "orderId": Uuid::from_u128(9) }));
        sent["headers"]["MT-OriginalMessageId"] = json!(Uuid::from_u128(8));
        assert_eq!(read(&sent).unwrap().message.0, Uuid::from_u128(8));
    }

    #[test]
    fn what_is_no_command_is_told() {
        let good = json!({ "orderId": Uuid::from_u128(9) });
        let without = |name: &str| {
            let mut envelope = envelope(Commands::COMPLETE, &good);
            envelope.as_object_mut().unwrap().remove(name);
            read(&envelope).unwrap_err().to_string()
        };
        for name in ["messageId", "messageType", "message"] {
            assert!(without(name).contains(name), "{name}");
        }
        for bad in [json!({}), json!({ "orderId": "7" }), json!({ "orderId": 7 }), json!(null)] {
            assert!(read(&envelope(Commands::COMPLETE, &bad)).is_err(), "{bad}");
        }
        let odd = json!({ "orderId": Uuid::from_u128(9), "reason": 7 });
        assert!(read(&envelope(Commands::CANCEL, &odd)).is_err());
        let foreign = read(&envelope("urn:message:Shop:Other", &good));
        assert!(matches!(foreign, Err(Unreadable::Foreign(_))), "{foreign:?}");
        for body in [&b"{"[..], b"[]", b"", b"\xff"] {
            let read = commands().read(body, &Map::new());
            assert!(matches!(read, Err(Unreadable::NoEnvelope(_))), "{read:?}");
        }
    }

    #[test]
    fn types_are_checked() {
        assert_eq!(commands().wrong(), None);
        let same = Commands { cancel: Commands::COMPLETE.to_owned(), ..commands() };
        assert!(same.wrong().is_some());
        for odd in ["CompleteOrder", "urn:message:", "urn:message:A:", "urn:message::B"] {
            assert!(Commands { cancel: odd.to_owned(), ..commands() }.wrong().is_some(), "{odd}");
        }
        let consumer = commands().consumer(Kind::Complete);
        assert_eq!(consumer.message, "Orderscope.Contracts.CompleteOrder");
    }
}

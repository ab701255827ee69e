//! What an outbox row means; which rows are pending and which delivered is the database's to tell.
//!
//! `sent_time` is when the application published and says nothing about delivery. A row that is
//! gone is "delivered or purged"; nobody can say which.

use std::fmt;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::age::Age;
use super::id::{ConsumerId, MessageId, OutboxId};

/// The parent row whose progress decides whether a message is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Owner {
    /// `outbox_state`: published outside a consumer.
    Bus(OutboxId),
    /// `inbox_state`: published by a consumer while it handled a message.
    Consumer { message: MessageId, consumer: ConsumerId },
    /// Neither column is set: nothing will ever send it.
    Nobody,
}

impl Owner {
    /// The owner by the three columns of `outbox_message`. A half-filled pair is no owner.
    #[must_use]
    pub const fn of(
        outbox_id: Option<OutboxId>,
        inbox_message_id: Option<MessageId>,
        inbox_consumer_id: Option<ConsumerId>,
    ) -> Self {
        match (outbox_id, inbox_message_id, inbox_consumer_id) {
            (Some(outbox), ..) => Self::Bus(outbox),
            (None, Some(message), Some(consumer)) => Self::Consumer { message, consumer },
            _ => Self::Nobody,
        }
    }
}

/// Which outbox: the messages of one business transaction, or those that a consumer produced for one message. Each is
/// delivered in order and by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OutboxKey {
    Bus(OutboxId),
    Consumer { message: MessageId, consumer: ConsumerId },
}

impl OutboxKey {
    /// With ids as people quote them: `outbox …8c41`.
    #[must_use]
    pub fn short(&self) -> String {
        match self {
            Self::Bus(outbox) => format!("outbox {}", outbox.short()),
            Self::Consumer { message, consumer } => {
                format!("outbox of message {}, consumer {}", message.short(), consumer.short())
            }
        }
    }

    /// The ids by their names, for records and scripts.
    #[must_use]
    pub fn fields(&self) -> Map<String, Value> {
        let ids = match self {
            Self::Bus(outbox) => vec![("outbox", outbox.to_string())],
            Self::Consumer { message, consumer } => {
                vec![("message_id", message.to_string()), ("consumer_id", consumer.to_string())]
            }
        };
        ids.into_iter().map(|(name, id)| (name.to_owned(), Value::from(id))).collect()
    }
}

impl fmt::Display for OutboxKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bus(outbox) => write!(f, "outbox {outbox}"),
            Self::Consumer { message, consumer } => {
                write!(f, "outbox of message {message}, consumer {consumer}")
            }
        }
    }
}

/// What is recorded about a message that is still in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// Not recorded as delivered. After a crash it may have been sent.
    Pending,
    /// Delivered; the row is kept or waits for its removal.
    Delivered,
    /// It has no parent: nothing will ever send it.
    Orphan,
    /// Its parent could not be looked at.
    Unknown,
}

impl Delivery {
    /// What that means, for the end of a sentence.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Pending => "not recorded as delivered",
            Self::Delivered => "delivered, still present",
            Self::Orphan => "has no owner: nothing will ever send it",
            Self::Unknown => "whether it was delivered cannot be looked at here",
        }
    }

    /// With its age where that matters: `PENDING 4h 21m`, `delivered`, `orphan 9d 02h`.
    #[must_use]
    pub fn with_age(self, sent: DateTime<Utc>, now: DateTime<Utc>) -> String {
        let age = Age::of(sent, now);
        match self {
            Self::Pending => format!("PENDING {age}"),
            Self::Delivered => "delivered".to_owned(),
            Self::Orphan => format!("orphan {age}"),
            Self::Unknown => "not known".to_owned(),
        }
    }
}

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Orphan => "orphan",
            Self::Unknown => "unknown",
        })
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::samples::at;

    const OUTBOX: OutboxId = OutboxId(Uuid::max());
    const MESSAGE: MessageId = MessageId(Uuid::max());
    const CONSUMER: ConsumerId = ConsumerId(Uuid::max());

    #[test]
    fn owners() {
        assert_eq!(Owner::of(None, None, None), Owner::Nobody);
        assert_eq!(Owner::of(None, Some(MESSAGE), None), Owner::Nobody);
        assert_eq!(Owner::of(Some(OUTBOX), Some(MESSAGE), Some(CONSUMER)), Owner::Bus(OUTBOX));
    }

    #[test]
    fn an_outbox_is_named_by_ids_that_its_tables_have() {
        let (message, consumer) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let bus = OutboxKey::Bus(OUTBOX);
        assert_eq!(bus.to_string(), format!("outbox {OUTBOX}"));
        assert_eq!(bus.short(), "outbox …ffff");
        let of =
            OutboxKey::Consumer { message: MessageId(message), consumer: ConsumerId(consumer) };
        assert_eq!(of.to_string(), format!("outbox of message {message}, consumer {consumer}"));
        assert_eq!(of.short(), "outbox of message …0001, consumer …0002");
        let fields = Value::Object(of.fields());
        let expected = serde_json::json!({
            "message_id": message.to_string(), "consumer_id": consumer.to_string(),
        });
        assert_eq!(fields, expected);
    }

    #[test]
    fn words() {
        let (sent, now) = (at("2026-11-22T09:41:11Z"), at("2026-11-22T14:02:11Z"));
        assert_eq!(Delivery::Pending.with_age(sent, now), "PENDING 4h 21m");
        assert_eq!(Delivery::Orphan.with_age(now, sent), "orphan 0s (clock ahead 4h)");
        assert_eq!(Delivery::Pending.meaning(), "not recorded as delivered");
    }
}

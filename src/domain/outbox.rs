//! What an outbox row means; which rows are pending and which delivered is the database's to tell.
//!
//! `sent_time` is when the application published and says nothing about delivery. A row that is
//! gone is "delivered or purged"; nobody can say which.

use std::fmt;

use chrono::{DateTime, Utc};

use super::age::Age;
use super::id::{ConsumerId, MessageId, OutboxId};

/// Whose progress decides about a message.
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

/// What is recorded about a message that is still in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// Not recorded as delivered. After a crash it may be out all the same.
    Pending,
    /// Delivered; the row is kept or waits for its removal.
    Delivered,
    /// It has no parent: nothing will ever send it.
    Orphan,
}

impl Delivery {
    /// What that means, in a sentence's end.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Pending => "not recorded as delivered",
            Self::Delivered => "delivered, still present",
            Self::Orphan => "has no owner: nothing will ever send it",
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
        }
    }
}

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Orphan => "orphan",
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
    fn words() {
        let (sent, now) = (at("2026-11-22T09:41:11Z"), at("2026-11-22T14:02:11Z"));
        assert_eq!(Delivery::Pending.with_age(sent, now), "PENDING 4h 21m");
        assert_eq!(Delivery::Orphan.with_age(now, sent), "orphan 0s (clock ahead 4h)");
        assert_eq!(Delivery::Pending.meaning(), "not recorded as delivered");
    }
}

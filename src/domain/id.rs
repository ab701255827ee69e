//! Identifiers as newtypes, so that mixing two up does not compile.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! uuid_ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type,
        )]
        #[sqlx(transparent)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl $name {
            /// The last four hexadecimal digits after an ellipsis (`…8c41`), as people quote ids.
            #[must_use]
            pub fn short(&self) -> String {
                short(self.0)
            }
        }
    )+};
}

uuid_ids! {
    /// An order (`orders.id`).
    OrderId,
    /// A buyer (`buyers.id`).
    BuyerId,
    /// A book (`order_items.book_id`); the database holds only its id.
    BookId,
    /// A line of an order (`order_items.id`).
    LineId,
    /// A Marten stream (`mt_streams.id`). Not always the order's id: see `OrderId`.
    StreamId,
    /// A Marten event (`mt_events.id`).
    EventId,
    /// An integration message (`outbox_message.message_id`, `inbox_state.message_id`).
    MessageId,
    /// A MassTransit bus outbox (`outbox_state.outbox_id`): one business transaction's messages.
    OutboxId,
    /// A MassTransit consumer on an endpoint (`inbox_state.consumer_id`).
    ConsumerId,
}

/// `mt_events.seq_id`: the position of an event in the whole store. Gaps are normal.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type,
)]
#[sqlx(transparent)]
#[serde(transparent)]
pub struct SeqId(pub i64);

/// The 1-based position of an event in its history.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type,
)]
#[sqlx(transparent)]
#[serde(transparent)]
pub struct Version(pub i64);

impl fmt::Display for SeqId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// `…8c41` for an id ending so.
#[must_use]
pub fn short(id: Uuid) -> String {
    let text = id.to_string();
    format!("…{}", &text[text.len() - 4..])
}

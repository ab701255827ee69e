//! What someone looks at, as operations need to know it: a screen declares it, the menu of operations reads it.

use chrono::{DateTime, Utc};

use crate::{
    domain::{
        batch::State,
        fault::{Fingerprint, Key},
        id::OutboxId,
        order::Order,
        outbox::Delivery,
        stored_message::StoredMessage,
    },
    ops::{messages::list::ConsumerOutbox, operation::List},
};

/// What operations would be about.
#[derive(Debug, Clone, PartialEq)]
pub enum Selection {
    /// An order, where one is chosen.
    Order(Option<Box<OrderSelection>>),
    /// A message, a copy, an inbox row, what lies in the error queues, or a bulk operation.
    Messages(Box<MessageSelection>),
}

/// An order someone looks at, as operations need to know it.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderSelection {
    /// With its lines only where they were read.
    pub order: Order,
}

/// What lies in the error queues, as operations need to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorQueueSelection {
    /// The message that someone looks at.
    pub message: Option<Key>,
    /// Those that are marked.
    pub marked: Vec<Key>,
    /// Its group, or the one that someone looks at.
    pub group: Option<(Fingerprint, Safe)>,
    /// In all queues.
    pub all: Safe,
}

/// So many may be taken in bulk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Safe {
    /// They wait: a replay does their work for the first time.
    pub replay: usize,
    /// They are done: nothing is lost with them.
    pub discard: usize,
}

/// A bulk operation, as operations about it need to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bulk {
    pub number: i64,
    pub state: State,
    /// Somebody runs it.
    pub held: bool,
}

/// The message or the copy that someone looks at, as operations need to know it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MessageSelection {
    /// Of a message in the outbox.
    pub sequence: Option<i64>,
    pub delivery: Option<Delivery>,
    pub outbox: Option<OutboxId>,
    /// A group by type or destination is looked at, not a message.
    pub grouped: bool,
    /// Its texts, where all of them were read.
    pub texts: Option<Box<StoredMessage>>,
    /// The number of a copy, and when it was put back.
    pub copy: Option<i64>,
    pub returned: Option<DateTime<Utc>>,
    /// It lay in an error queue, not in an outbox.
    pub discarded: bool,
    pub list: List,
    /// The error queues, once they were looked into.
    pub faults: Option<Box<ErrorQueueSelection>>,
    /// The inbox row, and whether it is half-done.
    pub received: Option<(ConsumerOutbox, bool)>,
    /// The bulk operation.
    pub operation: Option<Bulk>,
}

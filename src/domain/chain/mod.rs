//! The causal chain of an order: the command, the event written for it, the message published, how far its delivery
//! came and who consumed it. Every hop says how it is known: by equal columns, by inference, or by absence.

mod build;
mod correlation;
mod words;

#[cfg(test)]
mod tests;

use std::ops::Range;

use chrono::{DateTime, Utc};

pub use self::build::{LEEWAY, inbox_ids};
use super::{
    coverage::NotLookedAt,
    id::{ConsumerId, EventId, MessageId, OutboxId, SeqId, Version},
    outbox::{Delivery, Owner},
};

/// Everything but the events that a chain is made from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// The order's messages by sequence number.
    pub messages: Vec<Sent>,
    pub received: Vec<Received>,
    /// Where the bus outboxes stand; read only while one of the messages is pending.
    pub head: Option<Head>,
    pub unsearched: Unsearched,
}

/// What was not searched and why, per question; `None` where the answer is complete.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unsearched {
    /// The messages of the order.
    pub messages: Option<String>,
    /// Inbox rows by their message id.
    pub inbox: Option<String>,
    /// Commands that were consumed around the time of an event.
    pub commands: Option<String>,
}

/// A row of `outbox_message`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    pub sequence: i64,
    pub id: MessageId,
    /// The first URN of `message_type`.
    pub kind: String,
    pub published: DateTime<Utc>,
    pub delivery: Delivery,
    pub delivered: Option<DateTime<Utc>>,
    pub owner: Owner,
    /// `outbox_state.created`: the delivery service takes the oldest first.
    pub opened: Option<DateTime<Utc>>,
    pub conversation: Option<uuid::Uuid>,
    pub correlation: Option<uuid::Uuid>,
    pub initiator: Option<uuid::Uuid>,
    /// `MT-Activity-Id` of its headers: the traceparent of whoever published.
    pub activity: Option<String>,
    pub destination: Option<String>,
    /// Its body names the order.
    pub names_order: bool,
}

/// A row of `inbox_state`: a message that was consumed here, or failed to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    pub message: MessageId,
    pub consumer: ConsumerId,
    pub received: DateTime<Utc>,
    pub consumed: Option<DateTime<Utc>>,
    pub delivered: Option<DateTime<Utc>>,
    /// `receive_count`: committed passes, not deliveries.
    pub passes: i32,
}

/// The oldest open bus outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    pub outbox: OutboxId,
    pub opened: DateTime<Utc>,
    /// Its first pending message; none where only its row is left.
    pub sequence: Option<i64>,
}

/// A link of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// The cause of an event that no inbox row records: a request, a job, or a command whose row was removed.
    Caller,
    Inbox(Received),
    Event {
        version: Version,
        seq: SeqId,
        id: EventId,
        title: String,
        at: DateTime<Utc>,
    },
    Message {
        sequence: i64,
        id: MessageId,
        contract: String,
        at: DateTime<Utc>,
    },
    /// The message that such an event leads to, without a row.
    MissingMessage {
        contract: String,
    },
    /// The parent row that tells how far the messages below it came.
    Parent(Owner),
    /// There is no such row.
    MissingParent,
    Broker {
        delivery: Delivery,
        published: DateTime<Utc>,
        delivered: Option<DateTime<Utc>>,
        exchange: Option<String>,
        /// The sequence number at which delivery stands before it.
        behind: Option<i64>,
    },
    /// Consumers in other services, whose inboxes are in other databases.
    Elsewhere,
}

/// How a hop is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// By columns that are equal, or by one that is set.
    Proven(Vec<Match>),
    /// Why it is likely.
    Inferred(String),
    /// Why its absence is known, and what that may mean.
    Absent(String),
    /// Why nothing can be said: not searched, or not recorded.
    Unknown(String),
}

/// A fact that proves a hop: `outbox_message.outbox_id = outbox_state.outbox_id`, and the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    pub columns: &'static str,
    pub value: String,
}

/// The place of a node in its chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(usize);

/// From cause to effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    pub from: NodeId,
    pub to: NodeId,
    pub proof: Proof,
}

/// What belongs to one event, or to a message that belongs to none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CausalPath {
    /// The event; none for a message of no event here.
    pub version: Option<Version>,
    /// Sequence numbers of its messages.
    pub messages: Vec<i64>,
    hops: Range<usize>,
}

/// All causal paths of an order: those of its events by version, then the messages that belong to no event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chain {
    nodes: Vec<Node>,
    hops: Vec<Hop>,
    paths: Vec<CausalPath>,
}

impl Unsearched {
    /// What was not searched in the inbox; the history says the same of messages.
    pub fn of_inbox(&self) -> impl Iterator<Item = NotLookedAt> {
        [&self.inbox, &self.commands].into_iter().flatten().map(|told| {
            let (what, why) = told.split_once(": ").unwrap_or(("inbox rows", told));
            NotLookedAt::unknown(what, why)
        })
    }
}

impl Chain {
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub fn hops(&self) -> &[Hop] {
        &self.hops
    }

    pub fn paths(&self) -> &[CausalPath] {
        &self.paths
    }

    /// The node of this chain with that id.
    pub fn node(&self, id: NodeId) -> &Node {
        // Ids are only made by this chain's builder; another chain's must not end the program.
        self.nodes.get(id.0).unwrap_or(&Node::Caller)
    }

    /// The hops of a causal path, cause before effect.
    pub fn hops_of(&self, path: &CausalPath) -> &[Hop] {
        self.hops.get(path.hops.clone()).unwrap_or_default()
    }

    /// The causal path of an event.
    pub fn of_version(&self, version: Version) -> Option<&CausalPath> {
        let found = self.paths.binary_search_by_key(&(false, Some(version)), |path| {
            (path.version.is_none(), path.version)
        });
        self.paths.get(found.ok()?)
    }

    /// The causal path of a message.
    pub fn of_message(&self, sequence: i64) -> Option<&CausalPath> {
        self.paths.iter().find(|path| path.messages.contains(&sequence))
    }
}

//! Why an outbox action is refused.

use std::fmt;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use crate::domain::{age, id::OutboxId};

/// A text of a message that can be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    Destination,
    Headers,
    Properties,
    Body,
}

impl Part {
    pub const ALL: [Self; 4] = [Self::Destination, Self::Headers, Self::Properties, Self::Body];

    /// As forms, options and records call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Destination => "destination",
            Self::Headers => "headers",
            Self::Properties => "properties",
            Self::Body => "body",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The rule that an action would break. Nothing is written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error(
        "no message has the number {0} in the outbox: it was delivered or purged, nobody can say which"
    )]
    NoMessage(i64),
    #[error("message {0} is recorded as delivered: only a pending one is changed")]
    NotPending(i64),
    #[error(
        "whether message {0} was delivered is not known: the rows that tell it cannot all be looked at"
    )]
    NotKnown(i64),
    #[error(
        "message {0} has no owner, so nothing sends it as it is: quarantine it, then requeue the copy"
    )]
    NoOwner(i64),
    #[error("there is no outbox {0}: its messages were delivered or purged")]
    NoOutbox(OutboxId),
    #[error("outbox {0} is recorded as delivered: there is nothing to hold")]
    Delivered(OutboxId),
    #[error("outbox {} is held already, by {by}", outbox.short())]
    Held { outbox: OutboxId, by: String },
    #[error("outbox {} is not held", .0.short())]
    NotHeld(OutboxId),
    #[error("nothing is changed: every text given is there already")]
    Unchanged,
    #[error("the {part} would not do: {why}")]
    Unfit { part: Part, why: String },
    #[error(
        "no message is kept under the number {0}; `orderscope messages list --view kept` lists them"
    )]
    NotKept(i64),
    #[error("the copy {number} was put back already ({})", when.to_rfc3339_opts(SecondsFormat::Secs, true))]
    Returned { number: i64, when: DateTime<Utc> },
    #[error(
        "the copy {0} was no row of an outbox, but lay in an error queue: `orderscope errors restore {0}` puts it \
         back there"
    )]
    NotOfOutbox(i64),
    #[error(
        "the copy {0} lay in no error queue, but in an outbox: `orderscope messages requeue {0}` puts it back there"
    )]
    NotOfQueue(i64),
    #[error("the message to put back lacks {0}")]
    Incomplete(&'static str),
    #[error("a message that is given brings its own id: leave out the new one")]
    NamedTwice,
    #[error(
        "only what is older than {} may go, and {} is younger",
        age::length(*least), before.to_rfc3339_opts(SecondsFormat::Secs, true)
    )]
    TooYoung { before: DateTime<Utc>, least: TimeDelta },
    #[error("nothing of that age is there")]
    Nothing,
}

impl Refusal {
    /// The rule's name. It never changes: scripts distinguish refusals by it.
    #[must_use]
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::NoMessage(_) => "message-exists",
            Self::NotPending(_) => "only-pending-changes",
            Self::NotKnown(_) => "delivery-known",
            Self::NoOwner(_) => "has-owner",
            Self::NoOutbox(_) => "outbox-exists",
            Self::Delivered(_) => "outbox-is-open",
            Self::Held { .. } => "held-once",
            Self::NotHeld(_) => "only-held-is-released",
            Self::Unchanged => "something-changes",
            Self::Unfit { .. } => "text-fits",
            Self::NotKept(_) => "copy-exists",
            Self::Returned { .. } => "returned-once",
            Self::NotOfOutbox(_) => "copy-of-outbox",
            Self::NotOfQueue(_) => "copy-of-queue",
            Self::Incomplete(_) => "message-complete",
            Self::NamedTwice => "one-id",
            Self::TooYoung { .. } => "old-enough",
            Self::Nothing => "something-due",
        }
    }
}

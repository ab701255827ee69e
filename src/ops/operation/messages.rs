//! The messages that work with the broker is about: chosen once, when it is planned, and not again when it runs.

use super::table::{Kind, StepKind};
use crate::{
    domain::id::MessageId,
    ops::{
        delivery::{Scope, Stats},
        error_queue,
    },
};

/// What was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Messages {
    /// Of error queues, replayed or discarded.
    Errors(error_queue::Work),
    /// An archived one, put back into its error queue.
    Restore(Restoring),
    /// What is pending, delivered.
    Drain(Waiting),
}

/// What would be put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restoring {
    /// The copy's number.
    pub number: i64,
    pub queue: String,
    pub message: Option<MessageId>,
    pub bytes: i64,
    /// What speaks against it.
    pub blocked: Option<String>,
    pub notes: Vec<String>,
}

/// What would be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    pub scope: Scope,
    pub outboxes: i64,
    pub messages: i64,
    /// What speaks against it.
    pub blocked: Option<String>,
    pub notes: Vec<String>,
}

impl Waiting {
    /// Of its messages, those that are not recorded as delivered after this much was done.
    #[must_use]
    pub fn left(&self, stats: &Stats) -> u64 {
        u64::try_from(self.messages).unwrap_or_default().saturating_sub(stats.recorded())
    }
}

impl Kind {
    /// What is finished before it stops when it is told to.
    #[must_use]
    pub const fn step(self) -> &'static str {
        match (self.spec().steps, self) {
            (StepKind::Batches, _) => "batch",
            (_, Self::DrainOutbox) => "pass",
            _ => "message",
        }
    }
}

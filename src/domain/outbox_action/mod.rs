//! What an operator may do by hand to the outbox and the inbox, and why it is refused. There is no action that marks
//! a message as delivered or moves a cursor: MassTransit would delete what was never sent.

mod refusal;
mod repair;
mod requeue;
#[cfg(test)]
mod tests;

use chrono::{DateTime, TimeDelta, Utc};

pub use self::{
    refusal::{Part, Refusal},
    repair::Repair,
    requeue::renamed,
};
use super::{
    id::{MessageId, OutboxId},
    stored_message::StoredMessage,
};

/// What an operator asks for. The caller draws the ids of new rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutboxAction {
    /// Keep the relay away from an outbox.
    Hold { outbox: OutboxId },
    /// Let the relay deliver it again.
    Release { outbox: OutboxId },
    /// Change the texts of a pending message.
    Repair { sequence: i64, repair: Repair },
    /// Take a message out of the outbox, with a copy, so that those behind it leave.
    Quarantine { sequence: i64 },
    /// Put a message into an outbox of its own.
    Requeue { source: Source, name: Name },
}

/// Where a message that is put back comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// `orderscope.kept_messages`, by its number.
    Kept(i64),
    /// The same with other texts; the copy stays as it is.
    Repaired(i64, Box<Repair>),
    Given(Box<StoredMessage>),
}

/// Under which id a message is put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Name {
    /// Its own: a consumer that has it in its inbox drops it.
    Same,
    /// Another: every consumer handles it, again if it did before.
    New(MessageId),
}

/// What is younger is not purged: the longest window in which a service or a broker may still ask for it is
/// shorter.
pub const YOUNGEST: TimeDelta = TimeDelta::days(1);
/// A row that was received less than this ago may still be handled by its consumer.
pub const HANDLING: TimeDelta = TimeDelta::minutes(1);

/// Whether what is removed lies far enough back.
///
/// # Errors
/// [`Refusal::TooYoung`].
pub fn old_enough(
    before: DateTime<Utc>,
    least: TimeDelta,
    now: DateTime<Utc>,
) -> Result<(), Refusal> {
    if now - before < least { Err(Refusal::TooYoung { before, least }) } else { Ok(()) }
}

impl OutboxAction {
    /// What audit records of it are found by.
    #[must_use]
    pub fn target(&self) -> String {
        match self {
            Self::Hold { outbox } | Self::Release { outbox } => outbox.to_string(),
            Self::Repair { sequence, .. } | Self::Quarantine { sequence } => {
                format!("seq {sequence}")
            }
            Self::Requeue {
                source: Source::Kept(number) | Source::Repaired(number, _), ..
            } => {
                format!("kept {number}")
            }
            Self::Requeue { source: Source::Given(whole), .. } => whole.message.to_string(),
        }
    }
}

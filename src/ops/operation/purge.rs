//! Removing what is over, as a value: which rows, how old, how fast. `batch` does it.

use std::num::NonZeroU32;

use chrono::{DateTime, SecondsFormat, Utc};

use super::spec::Kind;
use crate::db::write::Old;

/// What is removed, and how old it has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purge {
    pub(super) old: Old,
    /// Rows a second, at most; an outbox counts as one.
    pub rate: Option<NonZeroU32>,
}

impl Purge {
    /// Outboxes that were delivered before a moment, with their messages.
    #[must_use]
    pub const fn outboxes(before: DateTime<Utc>) -> Self {
        Self { old: Old::Outboxes(before), rate: None }
    }

    /// Inbox rows that were delivered before it.
    #[must_use]
    pub const fn inbox(before: DateTime<Utc>) -> Self {
        Self { old: Old::Inbox(before), rate: None }
    }

    /// Inbox rows that were received before it and never consumed.
    #[must_use]
    pub const fn failed(before: DateTime<Utc>) -> Self {
        Self { old: Old::Failed(before), rate: None }
    }

    /// The same, at most so many rows a second.
    #[must_use]
    pub const fn rated(self, rate: Option<NonZeroU32>) -> Self {
        Self { rate, ..self }
    }

    /// Which row of the table of operations it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self.old {
            Old::Outboxes(_) => Kind::PurgeOutbox,
            Old::Inbox(_) => Kind::PurgeInbox,
            Old::Failed(_) => Kind::RemoveFailedInbox,
        }
    }

    /// What audit records of it are found by.
    #[must_use]
    pub const fn target(&self) -> &'static str {
        match self.old {
            Old::Outboxes(_) => "outbox_state",
            Old::Inbox(_) | Old::Failed(_) => "inbox_state",
        }
    }

    /// The moment before which it is due, to the microsecond.
    #[must_use]
    pub fn before(&self) -> String {
        self.old.before().to_rfc3339_opts(SecondsFormat::Micros, true)
    }
}

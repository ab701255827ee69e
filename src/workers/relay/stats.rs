//! What a relay tells of itself.

use chrono::{DateTime, Utc};

use super::HeldOutbox;

/// Figures since it started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Confirmed by the broker and recorded.
    pub delivered: u64,
    /// Of these, without any queue that wanted them.
    pub returned: u64,
    /// Recorded without sending: the journal knew that they had been confirmed.
    pub recovered: u64,
    /// Sent, but the broker's answer never came: sent again, so perhaps delivered twice.
    pub unknown: u64,
    /// Attempts that failed.
    pub failed: u64,
    pub passes: u64,
    /// Old delivered outboxes that were removed.
    pub purged: u64,
    /// When something was last delivered.
    pub last: Option<DateTime<Utc>>,
    /// What it is waiting for, if it cannot work: told to people.
    pub trouble: Option<String>,
    /// What stands still, and why.
    pub held: Vec<HeldOutbox>,
}

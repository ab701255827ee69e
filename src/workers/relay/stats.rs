//! What a relay tells of itself.

use chrono::{DateTime, Utc};

use super::HeldOutbox;

/// Figures since it started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Sent, confirmed and recorded in one pass.
    pub delivered: u64,
    /// Confirmed, but no queue wanted them.
    pub returned: u64,
    /// Recorded without sending again: confirmed too late for their own pass, or before a crash.
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

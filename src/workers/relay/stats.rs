//! Figures and warnings of a relay.

use std::fmt;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::BlockedOutbox;
use crate::domain::text::thousands;

/// Something about sent messages that an operator has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Warning {
    pub count: u64,
    pub what: &'static str,
}

impl fmt::Display for Warning {
    /// `1 message found no subscriber`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = thousands(i64::try_from(self.count).unwrap_or(i64::MAX));
        let more = if self.count == 1 { "" } else { "s" };
        write!(f, "{number} message{more} {}", self.what)
    }
}

/// How many possible duplicates are named.
const NAMED: usize = 100;

/// A message that may have been delivered twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doubt {
    pub sequence: i64,
    pub message: Uuid,
}

impl fmt::Display for Doubt {
    /// `perhaps sent twice: message … (88190)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "perhaps sent twice: message {} ({})", self.message, self.sequence)
    }
}

/// Figures since it started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Sent, confirmed and recorded in one pass.
    pub delivered: u64,
    /// Confirmed, but no queue wanted them.
    pub returned: u64,
    /// Recorded without sending again: confirmed too late for their own pass, or before a crash.
    pub recovered: u64,
    /// Sent, by this relay or by one that died before it, but the broker's answer never came: sent again, so perhaps
    /// delivered twice. The log names each.
    pub unknown: u64,
    /// The first of those.
    pub doubts: Vec<Doubt>,
    /// Attempts that failed.
    pub failed: u64,
    pub passes: u64,
    /// Old delivered outboxes that were removed.
    pub purged: u64,
    /// When something was last delivered.
    pub last: Option<DateTime<Utc>>,
    /// Why it cannot work at present, if so.
    pub trouble: Option<String>,
    /// The scenario that is planted here, where the database is therefore left alone.
    pub planted: Option<String>,
    /// Outboxes that cannot be delivered, and why.
    pub held: Vec<BlockedOutbox>,
}

impl Stats {
    /// Everything that is recorded as delivered since, whenever it was confirmed.
    #[must_use]
    pub const fn recorded(&self) -> u64 {
        self.delivered + self.recovered
    }

    /// How many are blocked because of the message itself.
    #[must_use]
    pub fn poison(&self) -> usize {
        self.held.iter().filter(|held| held.poison).count()
    }

    /// Counts and names a message that perhaps came twice.
    pub(super) fn doubt(&mut self, doubt: Doubt) {
        self.unknown += 1;
        if self.doubts.len() < NAMED {
            self.doubts.push(doubt);
        }
    }

    /// Warnings beside the figures of delivered and blocked messages.
    #[must_use]
    pub fn warnings(&self) -> Vec<Warning> {
        let all = [
            Warning { count: self.returned, what: "found no subscriber" },
            Warning {
                count: self.unknown,
                what: "perhaps sent twice: the broker's answer never came",
            },
        ];
        all.into_iter().filter(|warning| warning.count > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_got_and_what_may_come_twice_is_told() {
        assert!(Stats { delivered: 7, recovered: 2, ..Stats::default() }.warnings().is_empty());
        let stats = Stats { returned: 1, unknown: 1_200, ..Stats::default() };
        let told: Vec<_> = stats.warnings().iter().map(ToString::to_string).collect();
        let expected = [
            "1 message found no subscriber",
            "1,200 messages perhaps sent twice: the broker's answer never came",
        ];
        assert_eq!(told, expected);
    }
}

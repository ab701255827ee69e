//! Delivering what is pending, as operations meet it: what is delivered, how far it is, what stands in its way.
//! The relay that does it lies above this module.

use std::{collections::BTreeMap, fmt};

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Clock;
pub use crate::db::relay::ConsumerOutbox;
use crate::{
    db,
    domain::{
        diagnosis::Inbound,
        outbox::OutboxKey,
        report::{Cell, Table},
        text::{counted, thousands},
    },
    relay,
};

/// A consumer that did something so short ago may still be at it.
pub const QUIET: TimeDelta = TimeDelta::minutes(1);

/// What is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Every pending outbox, and the half-done consumers that nothing else will ever finish.
    All,
    /// One outbox.
    Outbox(Uuid),
    /// One half-done consumer; whoever says so has seen that its message cannot come again ([`Delivery::inbound`]).
    ConsumerOutbox(ConsumerOutbox),
}

/// Why delivering ended before it was told to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Database(#[from] db::Error),
    #[error(transparent)]
    Broker(#[from] relay::Error),
    #[error(
        "nothing records whose database this is, so nothing is delivered from it; `orderscope attach` records \
         that it belongs to its service"
    )]
    Unrecorded,
    #[error(
        "this database belongs to its service, which delivers from it; nothing is delivered beside it unless \
         `orderscope relay --beside-service` says so"
    )]
    OfService,
    #[error("cannot keep the relay's send log in {place}: {why}; name another directory")]
    SendLog { place: String, why: String },
}

impl Error {
    /// Whether it must not deliver here, and so ends even where it was to run until told.
    #[must_use]
    pub const fn forbids(&self) -> bool {
        matches!(self, Self::Unrecorded | Self::OfService | Self::Database(db::Error::Spelt { .. }))
    }
}

/// Who delivers: the relay on one database and broker.
pub trait Delivery: Send + Sync {
    /// Where the message of a half-done consumer is.
    fn inbound(&self, consumer: ConsumerOutbox) -> BoxFuture<'_, Result<Inbound, Error>>;

    /// Delivers until nothing is pending in the scope but what is held, or until `stop` fires; the pass under way is
    /// then finished. Delivers beside a service, too: whoever asks has seen whose database it is.
    fn deliver(
        &self,
        scope: Scope,
        clock: Clock,
        stop: CancellationToken,
        stats: watch::Sender<Stats>,
    ) -> BoxFuture<'_, Result<Stats, Error>>;
}

/// An outbox that cannot be delivered, as screens and verbs show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockedOutbox {
    pub outbox: OutboxKey,
    /// The message that cannot be delivered.
    pub sequence: i64,
    pub why: String,
    /// The message itself is the reason: retrying does not help.
    pub poison: bool,
    pub since: DateTime<Utc>,
    pub attempts: u32,
}

impl fmt::Display for BlockedOutbox {
    /// `outbox … is held at 88190: it has no destination address`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is held at {}: {}", self.outbox, self.sequence, self.why)
    }
}

/// Something that stands in the way of work, told once however many outboxes it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hindrance {
    /// By which it is known again.
    pub why: String,
    pub count: usize,
    told: String,
}

impl Hindrance {
    /// One that holds everything.
    #[must_use]
    pub fn of_all(why: String) -> Self {
        Self { told: why.clone(), why, count: 1 }
    }
}

impl fmt::Display for Hindrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.told)
    }
}

/// Something of messages that were sent which somebody has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Warning {
    pub count: u64,
    pub what: &'static str,
}

impl fmt::Display for Warning {
    /// `1 message found no subscriber`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", counted(self.count, "message"), self.what)
    }
}

/// So many messages that perhaps came twice are named.
const NAMED: usize = 100;

/// A message that perhaps came twice.
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
    /// What it is waiting for, if it cannot work: told to people.
    pub trouble: Option<String>,
    /// The scenario that is planted here, where the database is therefore left alone.
    pub planted: Option<String>,
    /// What stands still, and why.
    pub held: Vec<BlockedOutbox>,
}

impl Stats {
    /// Everything that is recorded as delivered since, whenever it was confirmed.
    #[must_use]
    pub const fn recorded(&self) -> u64 {
        self.delivered + self.recovered
    }

    /// What stands in the way now: each reason once, with the number of outboxes that it holds and one of them.
    #[must_use]
    pub fn hindrances(&self) -> Vec<Hindrance> {
        let mut out: Vec<_> = self.trouble.iter().cloned().map(Hindrance::of_all).collect();
        let mut reasons: BTreeMap<&str, (usize, &BlockedOutbox)> = BTreeMap::new();
        for held in &self.held {
            reasons.entry(&held.why).and_modify(|(count, _)| *count += 1).or_insert((1, held));
        }
        out.extend(reasons.into_iter().map(|(why, (count, first))| {
            let told = match count {
                1 => first.to_string(),
                _ => format!(
                    "{} are held, first {} at {}: {why}",
                    thousands(i64::try_from(count).unwrap_or(i64::MAX)) + " outboxes",
                    first.outbox,
                    first.sequence
                ),
            };
            Hindrance { why: why.to_owned(), count, told }
        }));
        out
    }

    /// Held for what the message itself is.
    #[must_use]
    pub fn poison(&self) -> usize {
        self.held.iter().filter(|held| held.poison).count()
    }

    /// Counts and names a message that perhaps came twice.
    pub(crate) fn doubt(&mut self, doubt: Doubt) {
        self.unknown += 1;
        if self.doubts.len() < NAMED {
            self.doubts.push(doubt);
        }
    }

    /// What somebody has to know beside what is delivered and what is held.
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

/// What a relay did, as a table.
#[must_use]
pub fn figures(stats: &Stats) -> Table {
    let columns = vec![
        "delivered",
        "no subscriber",
        "recovered",
        "perhaps twice",
        "failed",
        "held",
        "purged",
        "last",
    ];
    let row = vec![
        Cell::number(stats.delivered),
        Cell::number(stats.returned),
        Cell::number(stats.recovered),
        Cell::number(stats.unknown),
        Cell::number(stats.failed),
        Cell::number(stats.held.len()),
        Cell::number(stats.purged),
        stats.last.map_or(Cell::None, Cell::time),
    ];
    Table { columns, rows: vec![row] }
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

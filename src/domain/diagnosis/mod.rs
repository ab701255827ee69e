//! Why messages do not leave: rules over the facts, in a fixed order, each with its evidence and the next step.
//!
//! The tables hold no error text and no attempts, so every finding is our own conclusion, and its wording
//! says what it rests on. Pending means "not recorded as delivered", never "not sent".

mod broker;
mod bus;
mod bypass;
mod facts;
mod head;
mod inbox;
mod lock;
mod poison;
mod stalled;
#[cfg(test)]
mod tests;
mod tried;

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

pub use self::{
    facts::{
        Blast, ConsumerFacts, Facts, HalfDone, Head, Inbound, Inbox, Latency, Left, Next, Paused,
        Published, Reached, Tally, Tried, Written, WrongExchange,
    },
    head::TRYING,
    lock::{Backend, Lock},
};
use super::{
    endless,
    id::{MessageId, OutboxId},
};

/// The limits above which something is reported. All are configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thresholds {
    /// More pending messages than this are an alert.
    pub backlog: i64,
    /// An oldest open outbox of this age, with nothing moving, is a stall.
    pub stalled: TimeDelta,
    /// An outbox older than this is held while younger ones leave; the same for inbox rows.
    pub held: TimeDelta,
    /// The service's window for duplicates: how long delivered inbox rows stay.
    pub window: TimeDelta,
    /// The largest message that the broker takes, in bytes.
    pub largest: i64,
    /// So many percent of the last hour's deliveries that come a second time are an alert.
    pub duplicates: i64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            backlog: 1_000,
            stalled: TimeDelta::minutes(15),
            held: TimeDelta::minutes(1),
            window: TimeDelta::minutes(30),
            // RabbitMQ's default `max_message_size` since 3.8 is 128 MiB, since 4.0 16 MiB.
            largest: 16 * 1024 * 1024,
            duplicates: 10,
        }
    }
}

/// The rules, in the order in which findings are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    WorkerIdle,
    BrokerRefused,
    PoisonHead,
    LockHolder,
    HeldHead,
    HeadBlocks,
    PausedOutbox,
    Undeliverable,
    Orphans,
    HalfDone,
    Failing,
    Duplicates,
    CleanUpBlocked,
    Backlog,
    MissingIndexes,
    ClockSkew,
    Bypassed,
    Expired,
    Stuttering,
}

impl Rule {
    /// Stable, for programs: `poison-head`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::WorkerIdle => "worker-idle",
            Self::BrokerRefused => "broker-refused",
            Self::PoisonHead => "poison-head",
            Self::HeadBlocks => "head-blocks",
            Self::PausedOutbox => "held-by-operator",
            Self::LockHolder => "lock-holder",
            Self::HeldHead => "held-head",
            Self::Undeliverable => "undeliverable",
            Self::Orphans => "orphans",
            Self::HalfDone => "half-done",
            Self::Failing => "failing-consumers",
            Self::Duplicates => "duplicates",
            Self::CleanUpBlocked => "clean-up-blocked",
            Self::Backlog => "backlog",
            Self::MissingIndexes => "missing-indexes",
            Self::ClockSkew => "clock-skew",
            Self::Bypassed => "outbox-bypassed",
            Self::Expired => "expired",
            Self::Stuttering => "stuttering-drain",
        }
    }
}

impl Rule {
    /// Whether it is about what consumers do, not about what leaves.
    #[must_use]
    pub const fn is_of_inbox(self) -> bool {
        matches!(self, Self::HalfDone | Self::Failing | Self::Duplicates | Self::CleanUpBlocked)
    }
}

/// How grave it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Not a fault; listed so that nobody mistakes it for one.
    Note,
    Warning,
    Alert,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Alert => "alert",
        })
    }
}

/// The row that a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A message by its sequence number.
    Message(i64),
    Outbox(OutboxId),
    Inbox(MessageId),
    Orphans,
    Expired,
    Undeliverable,
    InboxList,
}

/// One rule that fired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub rule: Rule,
    pub severity: Severity,
    /// What was found, in one sentence.
    pub what: String,
    /// What it rests on, one line each.
    pub evidence: Vec<String>,
    /// What to do next.
    pub next: String,
    pub about: Option<Subject>,
}

impl Finding {
    fn new(
        rule: Rule,
        severity: Severity,
        what: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        let (what, next) = (what.into(), next.into());
        Self { rule, severity, what, evidence: vec![], next, about: None }
    }

    fn about(mut self, subject: Subject) -> Self {
        self.about = Some(subject);
        self
    }

    fn because(mut self, line: impl Into<String>) -> Self {
        self.evidence.push(line.into());
        self
    }

    fn because_all(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.evidence.extend(lines);
        self
    }
}

/// Everything that was found, in the order of the rules.
#[must_use]
pub fn diagnose(facts: &Facts, thresholds: &Thresholds) -> Vec<Finding> {
    let mut found = bus::findings(facts, thresholds);
    found.extend(inbox::findings(facts, thresholds));
    found.sort_by_key(|finding| finding.rule);
    tried::add(&mut found, facts);
    found
}

/// Whether one of them needs attention at once.
#[must_use]
pub fn is_alert(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.severity == Severity::Alert)
}

/// The outbox that blocks delivery, if one is known; the messages behind it are counted.
#[must_use]
pub fn blocker<'a>(facts: &'a Facts, thresholds: &Thresholds) -> Option<&'a Head> {
    facts.heads.first().filter(|head| is_old(facts, thresholds, head))
}

/// Whether an outbox is older than the limit for delivery.
#[must_use]
pub fn is_old(facts: &Facts, thresholds: &Thresholds, head: &Head) -> bool {
    facts.now - head.created >= thresholds.held
}

/// What to do about an exchange of another type.
const REMOVE_EXCHANGE: &str = "this never heals by itself: find out who declared the exchange with another type, remove \
     it at the broker (its bindings go too) and restart the services that use it, so that they declare it again";

fn moment(at: DateTime<Utc>) -> String {
    endless::utc(at, "%F %TZ")
}

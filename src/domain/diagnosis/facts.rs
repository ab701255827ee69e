//! What was seen of outboxes and inbox: everything the rules judge, and nothing else.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;

use super::lock::{Backend, Lock};
use crate::domain::{
    address::ExchangeType,
    backlog::Movement,
    id::{ConsumerId, MessageId, OutboxId},
    id_timestamp::LastPass,
    outbox::OutboxKey,
    poison::Poison,
    text::thousands,
};

/// How many: exact, estimated, or counted up to a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tally {
    Exact(i64),
    /// From the planner's figures or a part that was counted.
    About(i64),
    /// Counting stopped there.
    AtLeast(i64),
    /// It could not be looked at: this is not zero.
    Unknown,
}

impl Default for Tally {
    fn default() -> Self {
        Self::Exact(0)
    }
}

impl Tally {
    /// A count that stopped at `most`.
    #[must_use]
    pub const fn up_to(count: i64, most: i64) -> Self {
        if count >= most { Self::AtLeast(most) } else { Self::Exact(count) }
    }

    /// How many there are for sure, or by estimate; zero where nothing is known.
    #[must_use]
    pub const fn number(self) -> i64 {
        match self {
            Self::Exact(number) | Self::About(number) | Self::AtLeast(number) => number,
            Self::Unknown => 0,
        }
    }

    /// The number, exact or not; none where it could not be looked at.
    #[must_use]
    pub const fn known(self) -> Option<i64> {
        match self {
            Self::Exact(number) | Self::About(number) | Self::AtLeast(number) => Some(number),
            Self::Unknown => None,
        }
    }

    /// The same where what it rests on could be looked at.
    #[must_use]
    pub const fn known_if(self, is_known: bool) -> Self {
        if is_known { self } else { Self::Unknown }
    }

    /// The number where it was counted or estimated whole: one at which counting stopped measures nothing.
    #[must_use]
    pub const fn measured(self) -> Option<i64> {
        match self {
            Self::Exact(number) | Self::About(number) => Some(number),
            Self::AtLeast(_) | Self::Unknown => None,
        }
    }

    /// How exact the number is, for programs.
    #[must_use]
    pub const fn worth(self) -> &'static str {
        match self {
            Self::Exact(_) => "exact",
            Self::About(_) => "estimate",
            Self::AtLeast(_) => "at least",
            Self::Unknown => "unknown",
        }
    }

    /// The sum; as exact as the less exact of the two. One that is unknown makes the other a lower bound.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        let sum = self.number() + other.number();
        match (self, other) {
            (Self::Exact(_), Self::Exact(_)) => Self::Exact(sum),
            (Self::Unknown, _) | (_, Self::Unknown) if sum == 0 => Self::Unknown,
            (Self::AtLeast(_) | Self::Unknown, _) | (_, Self::AtLeast(_) | Self::Unknown) => {
                Self::AtLeast(sum)
            }
            _ => Self::About(sum),
        }
    }
}

impl fmt::Display for Tally {
    /// `1,204`, `~100,000`, `at least 10,000`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = thousands(self.number());
        f.pad(&match self {
            Self::Exact(_) => number,
            Self::About(_) => format!("~{number}"),
            Self::AtLeast(_) => format!("at least {number}"),
            Self::Unknown => "unknown".to_owned(),
        })
    }
}

/// An outbox that is not recorded as delivered.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    pub outbox: OutboxId,
    pub created: DateTime<Utc>,
    pub pass: LastPass,
    /// The last sequence number recorded as sent.
    pub cursor: Option<i64>,
    pub pending: i64,
    pub next: Option<Next>,
    pub lock: Lock,
}

impl Head {
    /// What is wrong with the text of its next message; nothing where that was not looked at.
    #[must_use]
    pub fn poison(&self) -> &[Poison] {
        self.next.as_ref().and_then(|next| next.poison.as_deref()).unwrap_or_default()
    }

    /// Whether the text of its next message was looked at, and nothing is wrong with it.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let text = self.next.as_ref().and_then(|next| next.poison.as_ref());
        text.is_some_and(Vec::is_empty)
    }
}

/// The message that an outbox would send next.
#[derive(Debug, Clone, PartialEq)]
pub struct Next {
    pub sequence: i64,
    pub message: MessageId,
    /// The first URN of its type.
    pub kind: String,
    pub destination: Option<String>,
    /// What is wrong with its text; nothing where the text was not looked at.
    pub poison: Option<Vec<Poison>>,
}

/// What waits behind a blocker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blast {
    pub outboxes: Tally,
    pub orders: Tally,
    /// The orders' lines added up; nothing where they could not be.
    pub value: Option<Decimal>,
}

/// Whether the broker answers us.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Reached {
    /// It was not asked; why not, if that is worth reporting.
    #[default]
    NotAsked,
    Answers,
    /// Nobody answers at its address, and why.
    Unreachable(String),
    /// It answers, and refuses our own login; the service has another one.
    Refused(String),
}

impl Reached {
    /// As evidence.
    #[must_use]
    pub fn evidence(&self) -> String {
        match self {
            Self::NotAsked => "the broker was not asked by us".to_owned(),
            Self::Answers => "the broker answers us".to_owned(),
            Self::Unreachable(why) => format!("the broker does not answer us either: {why}"),
            Self::Refused(why) => format!(
                "the broker answers, but refuses our own login, which tells nothing of the service's: {why}"
            ),
        }
    }
}

/// An exchange that is there with another type than an address asks for. Whoever declares it as the address says is
/// refused (406), at every attempt: this never heals by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongExchange {
    /// The address, as messages have it.
    pub destination: String,
    pub exchange: String,
    /// Its type, as the broker names it.
    pub is: String,
    /// The type that the address asks for.
    pub asked: ExchangeType,
}

impl WrongExchange {
    /// `exchange A:B is of type topic, its messages ask for fanout: the broker refuses them (406)`
    #[must_use]
    pub fn describe(&self) -> String {
        let Self { exchange, is, asked, .. } = self;
        format!(
            "exchange {exchange} is of type {is}, its messages ask for {asked}: the broker refuses them (406)"
        )
    }
}

/// Where the message that a consumer worked on is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Inbound {
    /// In the queue, delayed or in the error queue: it comes again, or can be replayed.
    Waits,
    /// In none of them: it never comes again.
    Gone,
    /// The broker was not asked.
    #[default]
    Unknown,
}

/// A consumer that committed its work, but whose messages are not recorded as delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HalfDone {
    pub message: MessageId,
    pub consumer: ConsumerId,
    pub consumed: DateTime<Utc>,
    /// `receive_count`: committed passes, not deliveries.
    pub passes: i32,
    pub pending: i64,
    /// One of its messages has no destination: MassTransit's passes repeat without end.
    pub without_destination: bool,
    /// Where its messages go; the first few.
    pub destinations: Vec<String>,
    pub lock: Lock,
    pub inbound: Inbound,
}

/// What a consumer's inbox rows tell.
#[derive(Debug, Clone, PartialEq)]
pub struct ConsumerFacts {
    pub consumer: ConsumerId,
    /// As configured, else the end of the id.
    pub name: String,
    pub rows: i64,
    pub done: i64,
    /// Consumed is null, older than a minute, not known to be worked on.
    pub failing: i64,
    pub half_done: i64,
    /// Second deliveries that changed nothing, where the consumer produced no message: exact.
    pub duplicates_exact: i64,
    /// The same over the consumer's smallest number of passes: an estimate.
    pub duplicates_estimated: i64,
    /// Done in the last hour, and second deliveries of those, exact or estimated.
    pub recent_done: i64,
    pub recent_duplicates: i64,
    /// Received to delivered of the newest rows that were received once.
    pub latency: Option<Latency>,
}

/// Percentiles of a length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latency {
    pub rows: i64,
    pub p50: TimeDelta,
    pub p95: TimeDelta,
    pub p99: TimeDelta,
}

/// How long outboxes took from their creation to their delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// The newest that were delivered.
    Took(Latency),
    /// Unknown, and why.
    Unknown(&'static str),
}

/// What was seen of the inbox.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Inbox {
    pub rows: Tally,
    pub last_hour: Tally,
    pub consumers: Vec<ConsumerFacts>,
    pub failing: Tally,
    pub oldest_failing: Option<DateTime<Utc>>,
    /// Of those, rows whose lock state is unknown: a consumer may be working on them.
    pub failing_unknown: i64,
    pub half_done: Tally,
    /// The oldest of them.
    pub halves: Vec<HalfDone>,
    /// Delivered rows past the window that outbox rows still refer to.
    pub blocking_cleanup: Tally,
    /// One of them.
    pub blocker: Option<MessageId>,
    /// All delivered rows past the window.
    pub past_window: Tally,
}

impl Inbox {
    /// Whether the inbox could be looked at.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        self.rows.known().is_some()
    }

    /// Second deliveries, exact and estimated, and their share of all deliveries in percent.
    #[must_use]
    pub fn duplicates(&self) -> (i64, i64, Option<f64>) {
        let exact = self.consumers.iter().map(|one| one.duplicates_exact).sum::<i64>();
        let estimated = self.consumers.iter().map(|one| one.duplicates_estimated).sum::<i64>();
        let done: i64 = self.consumers.iter().map(|one| one.done).sum();
        let all = exact + estimated + done;
        #[expect(clippy::cast_precision_loss, reason = "a share for people")]
        let share = (all > 0).then(|| (exact + estimated) as f64 * 100.0 / all as f64);
        (exact, estimated, share)
    }

    /// Deliveries of messages received in the last hour, and how many of them were second ones.
    #[must_use]
    pub fn recent(&self) -> (i64, i64) {
        let done: i64 = self.consumers.iter().map(|one| one.recent_done).sum();
        let again: i64 = self.consumers.iter().map(|one| one.recent_duplicates).sum();
        (done + again, again)
    }
}

/// Whether the outbox is used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Written {
    /// Rows ever inserted since the statistics began; nothing where they cannot be read.
    pub inserted: Option<i64>,
    /// The last number that was drawn for a message; nothing where our role may not see it.
    pub drawn: Option<i64>,
    /// The newest message that is still there and was not put there by an operator: its number, and when it was
    /// published.
    pub newest: Option<(i64, DateTime<Utc>)>,
    /// So many messages were put into the outbox by operators since.
    pub put_back: i64,
    /// When the newest events that are published to other services were written, newest first; some of them.
    pub events: Vec<DateTime<Utc>>,
}

/// An outbox that an operator paused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paused {
    pub outbox: OutboxId,
    /// The operator.
    pub by: String,
    pub since: DateTime<Utc>,
}

/// An outbox that the relay of this console tried and could not deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    pub outbox: OutboxKey,
    /// The message in the way.
    pub sequence: i64,
    pub why: String,
    pub since: DateTime<Utc>,
    pub attempts: u32,
}

/// An outbox that was delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    pub created: DateTime<Utc>,
    /// Its last message; nothing where that was not recorded.
    pub sequence: Option<i64>,
}

/// Everything the rules judge.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// The server's clock.
    pub now: DateTime<Utc>,
    /// This machine's clock at the same moment.
    pub our_clock: Option<DateTime<Utc>>,
    /// Orderscope's own database: its relay keeps delivered rows.
    pub managed: bool,
    pub bus: Tally,
    pub consumer: Tally,
    /// Outboxes not recorded as delivered.
    pub open: Tally,
    /// When the oldest pending message was published.
    pub oldest: Option<DateTime<Utc>>,
    pub newest: Option<DateTime<Utc>>,
    /// The newest delivery that is recorded in rows that were kept.
    pub last_delivered: Option<DateTime<Utc>>,
    /// The youngest outbox that was delivered a short while ago; known only where delivered rows are kept.
    pub youngest_left: Option<Left>,
    pub published: Published,
    pub orphans: Tally,
    pub expired: Tally,
    /// Pending messages without a destination or with one that cannot be used.
    pub undeliverable: Tally,
    /// The oldest open outboxes, in the order in which they are taken.
    pub heads: Vec<Head>,
    /// Sessions that have been idle in a transaction for long and may hold a row whose holder cannot be told.
    pub idle_sessions: Vec<Backend>,
    pub blast: Option<Blast>,
    pub inbox: Inbox,
    /// Outboxes that operators paused; none of them is among the heads.
    pub paused: Vec<Paused>,
    /// What the relay of this console tried and could not deliver; empty where there is none.
    pub tried: Vec<Tried>,
    pub missing_indexes: Vec<String>,
    pub written: Written,
    pub broker: Reached,
    /// Exchanges of the next messages that cannot take them; empty where they were not looked at.
    pub wrong_exchanges: Vec<WrongExchange>,
    /// What our own samples show.
    pub movement: Option<Movement>,
}

impl Facts {
    /// Nothing anywhere, at a moment.
    #[must_use]
    pub fn nothing(now: DateTime<Utc>) -> Self {
        Self {
            now,
            our_clock: None,
            managed: false,
            bus: Tally::default(),
            consumer: Tally::default(),
            open: Tally::default(),
            oldest: None,
            newest: None,
            last_delivered: None,
            youngest_left: None,
            published: Published::Unknown("it was not looked at"),
            orphans: Tally::default(),
            expired: Tally::default(),
            undeliverable: Tally::default(),
            heads: vec![],
            idle_sessions: vec![],
            blast: None,
            inbox: Inbox::default(),
            paused: vec![],
            tried: vec![],
            missing_indexes: vec![],
            written: Written::default(),
            broker: Reached::NotAsked,
            wrong_exchanges: vec![],
            movement: None,
        }
    }

    /// What is wrong with the exchange that an address names; nothing where it is well or was not looked at.
    #[must_use]
    pub fn wrong_exchange(&self, destination: &str) -> Option<&WrongExchange> {
        self.wrong_exchanges.iter().find(|wrong| wrong.destination == destination)
    }

    /// Everything not recorded as delivered.
    #[must_use]
    pub const fn pending(&self) -> Tally {
        self.bus.plus(self.consumer)
    }
}

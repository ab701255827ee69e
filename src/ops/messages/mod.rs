//! Outboxes and inbox: how much waits, why it waits, each message by itself. Screens and verbs get the same.

pub mod broker;
pub mod history;
pub mod inbound;
pub mod list;
mod look;
pub mod report;
mod watch;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use tokio::time::Instant;

pub use crate::db::outbox::{MessageKey, OutboxMessage};
use crate::{
    db::{
        Error, Layout, Table, clock,
        inbox::{self, Hour, InboxRow},
        outbox::{self, Overview},
    },
    domain::{
        backlog::{Movement, Sample, Samples},
        consumer,
        coverage::{self, NotLookedAt},
        diagnosis::{
            self, ConsumerFacts, Facts, Finding, Inbox, Lock, Rule, Subject, Tally, Thresholds,
            Tried, diagnose,
        },
        outbox::{Delivery, Owner},
        poison::{Poison, Sender, poison},
    },
};

use self::{
    broker::{BrokerReport, Question},
    history::Past,
};
use super::Clock;

pub use self::{
    look::outboxes,
    watch::{ByHand, Sampling, Watch},
};

/// Everything that the screen and `messages status` tell.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    pub overview: Overview,
    pub facts: Facts,
    pub findings: Vec<Finding>,
    /// What was not looked at.
    pub coverage: Vec<NotLookedAt>,
    pub millis: u64,
    /// The stored history, where it was asked for.
    pub kept: Option<Past>,
    /// The inbox rows to see first, where they were asked for.
    pub glance: Vec<InboxRow>,
    sample: Sample,
    thresholds: Thresholds,
}

impl Status {
    /// The same judged with what samples show.
    #[must_use]
    pub fn with_movement(mut self, movement: Option<Movement>) -> Self {
        self.facts.movement = movement;
        self.findings = diagnose(&self.facts, &self.thresholds);
        self
    }

    /// Whether anything is there that the broker could tell more about.
    #[must_use]
    pub fn concerns_broker(&self) -> bool {
        self.facts.pending().number() > 0 || !self.facts.inbox.halves.is_empty()
    }

    /// What to ask the broker.
    #[must_use]
    pub fn question(&self) -> Question {
        let heads = self.facts.heads.iter();
        let old = heads.filter(|head| diagnosis::is_old(&self.facts, &self.thresholds, head));
        let to = old.filter_map(|head| head.next.as_ref()?.destination.clone());
        Question {
            halves: self.facts.inbox.halves.clone(),
            destinations: to.collect(),
            held: self.thresholds.held,
            now: self.facts.now,
        }
    }

    /// The same judged with what the broker told.
    #[must_use]
    pub fn with_broker(mut self, told: &BrokerReport) -> Self {
        self.facts.broker = told.reached.clone();
        self.facts.wrong_exchanges.clone_from(&told.wrong_exchanges);
        for row in &mut self.facts.inbox.halves {
            let key = (row.message, row.consumer);
            row.inbound = told.inbound.get(&key).copied().unwrap_or_default();
        }
        // What is said once need not be said again.
        for note in &told.notes {
            let one = NotLookedAt::narrowed("the broker", note);
            if !self.coverage.contains(&one) {
                self.coverage.push(one);
            }
        }
        self.findings = diagnose(&self.facts, &self.thresholds);
        self
    }

    /// The same, judged with the failed attempts of the relay of this console.
    #[must_use]
    pub fn with_tried(mut self, tried: Vec<Tried>) -> Self {
        self.facts.tried = tried;
        self.findings = diagnose(&self.facts, &self.thresholds);
        self
    }

    /// This look, to be compared with others.
    #[must_use]
    pub const fn sample(&self) -> Sample {
        self.sample
    }

    /// Whether only another look can tell if anything leaves.
    #[must_use]
    pub fn needs_another_look(&self) -> bool {
        let still = self.facts.movement.is_none_or(|seen| seen.last_leaving.is_none());
        still && diagnosis::blocker(&self.facts, &self.thresholds).is_some()
    }

    /// Whether somebody has to look at once.
    #[must_use]
    pub fn is_alert(&self) -> bool {
        diagnosis::is_alert(&self.findings)
    }

    /// Whether figures are unknown because something could not be looked at.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        coverage::leaves_unknown(&self.coverage)
    }

    /// More pending messages than this are an alert.
    #[must_use]
    pub const fn limit(&self) -> i64 {
        self.thresholds.backlog
    }

    /// The same, with what changed since the look before it, for tests of screens.
    #[cfg(test)]
    #[must_use]
    pub(crate) fn changed(mut self, change: Option<crate::domain::backlog::Change>) -> Self {
        self.sample.change = change;
        self
    }

    /// A status of facts alone, for tests of screens.
    #[cfg(test)]
    pub(crate) fn of(overview: Overview, facts: Facts) -> Self {
        let thresholds = Thresholds::default();
        let findings = diagnose(&facts, &thresholds);
        let sample = look::sample(&overview, &facts);
        Self {
            sample,
            overview,
            facts,
            findings,
            coverage: vec![],
            millis: 12,
            kept: None,
            glance: vec![],
            thresholds,
        }
    }
}

/// What was seen of the outboxes, to be judged together with the inbox.
#[derive(Debug, Clone, PartialEq)]
pub struct Outboxes {
    overview: Overview,
    facts: Facts,
    coverage: Vec<NotLookedAt>,
    sample: Sample,
    thresholds: Thresholds,
    began: Instant,
}

impl Outboxes {
    /// Judges both.
    #[must_use]
    pub fn with(self, inbox: Inbox) -> Status {
        let Self { overview, facts, coverage, sample, thresholds, began } = self;
        let facts = Facts { inbox, ..facts };
        let findings = diagnose(&facts, &thresholds);
        let millis = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        Status {
            overview,
            facts,
            findings,
            coverage,
            millis,
            kept: None,
            glance: vec![],
            sample,
            thresholds,
        }
    }
}

/// As of when outboxes are judged.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "a clock has nothing to show")]
pub enum AsOf<'a> {
    Moment(DateTime<Utc>),
    /// The server's clock, which is then compared with this one.
    Server(&'a Clock),
}

impl AsOf<'_> {
    /// The moment, where it is not the server's to tell.
    pub(super) const fn moment(self) -> Option<DateTime<Utc>> {
        match self {
            Self::Moment(now) => Some(now),
            Self::Server(_) => None,
        }
    }

    /// What our own clock says at this moment, where it is to be compared.
    pub(super) fn ours(self) -> Option<DateTime<Utc>> {
        match self {
            Self::Moment(_) => None,
            Self::Server(clock) => Some(clock()),
        }
    }
}

/// Looks at everything and judges it by this look alone; what moved since the look before is in its sample.
/// Where a person waits, [`outboxes`] and [`inbox_facts`] are asked at the same time, on a session each.
pub async fn status(
    conn: &mut PgConnection,
    layout: &Layout,
    watch: &Watch,
    as_of: AsOf<'_>,
    before: Option<&Sample>,
) -> Result<Status, Error> {
    let seen = Box::pin(outboxes(conn, layout, watch, as_of, before)).await?;
    let inbox = inbox_facts(conn, layout, watch, Some(seen.facts.now)).await?;
    Ok(seen.with(inbox))
}

/// The same judged with the looks so far, to which this one is added, and with the stored history. The first look is
/// compared with a stored one where that is of just now.
pub async fn status_with_history(
    conn: &mut PgConnection,
    layout: &Layout,
    watch: &Watch,
    clock: &Clock,
    looks: &mut Samples,
) -> Result<Status, Error> {
    let kept = history::kept(conn).await?;
    if let Past::Stored(history) = &kept {
        looks.remember(&history.samples);
    }
    let now = clock::now(conn).await?;
    let before = looks.last().filter(|last| now - last.at < diagnosis::TRYING).copied();
    let as_of = AsOf::Server(clock);
    let mut status = self::status(conn, layout, watch, as_of, before.as_ref()).await?;
    looks.push(status.sample());
    status = status.with_movement(looks.movement());
    status.kept = Some(kept);
    Ok(status)
}

/// What consumers did, without the outbox: as of `now`, or of the server's clock.
pub async fn inbox_facts(
    conn: &mut PgConnection,
    layout: &Layout,
    watch: &Watch,
    now: Option<DateTime<Utc>>,
) -> Result<Inbox, Error> {
    let limits = &watch.thresholds;
    let now = match now {
        Some(now) => now,
        None => clock::now(conn).await?,
    };
    let mut rows = inbox::consumers(conn, layout, now, limits.held, limits.window).await?;
    let mut unknown = 0;
    if rows.iter().any(|row| row.failing > 0) {
        for (consumer, lock) in inbox::at_work(conn, layout, now - limits.held).await? {
            let row = rows.iter_mut().find(|row| row.consumer == consumer);
            match (lock, row) {
                // Somebody handles it at this moment.
                (Lock::Held(_), Some(row)) => row.failing = (row.failing - 1).max(0),
                (Lock::Unknown, _) => unknown += 1,
                (Lock::Held(_) | Lock::Free, _) => {}
            }
        }
        for row in rows.iter_mut().filter(|row| row.failing == 0) {
            row.oldest_failing = None;
        }
    }
    let is_known = layout.knows(Table::InboxStates);
    let both_known = is_known && layout.knows(Table::OutboxMessages);
    let whole = inbox::sums_all(layout) && inbox::counts_all_open(&rows);
    let sum = |of: fn(&inbox::ConsumerRow) -> i64| {
        let sum = rows.iter().map(of).sum();
        let sum = if whole { Tally::Exact(sum) } else { Tally::AtLeast(sum) };
        sum.known_if(is_known)
    };
    let (blocking_cleanup, blocker, past_window) = if layout.is_managed() {
        (Tally::default(), None, Tally::default())
    } else {
        inbox::cleanup(conn, layout, now - limits.window).await?
    };
    Ok(Inbox {
        rows: sum(|row| row.rows),
        last_hour: sum(|row| row.last_hour),
        failing: sum(|row| row.failing),
        oldest_failing: rows.iter().filter_map(|row| row.oldest_failing).min(),
        failing_unknown: unknown,
        half_done: sum(|row| row.half_done),
        halves: inbox::halves(conn, layout).await?,
        blocking_cleanup: blocking_cleanup.known_if(both_known),
        blocker,
        past_window: past_window.known_if(is_known),
        consumers: rows
            .into_iter()
            .map(|row| ConsumerFacts {
                name: consumer::named(row.consumer, &watch.consumers),
                consumer: row.consumer,
                rows: row.rows,
                done: row.done,
                failing: row.failing,
                half_done: row.half_done,
                duplicates_exact: row.duplicates_exact,
                duplicates_estimated: row.duplicates_estimated,
                recent_done: row.recent_done,
                recent_duplicates: row.recent_duplicates,
                latency: row.latency,
            })
            .collect(),
    })
}

/// What consumers received in the 24 hours that end with the one that runs, by the server's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day {
    pub from: DateTime<Utc>,
    pub hours: Vec<Hour>,
    /// What was not looked at.
    pub coverage: Vec<NotLookedAt>,
}

/// Looks at the last day of the inbox.
pub async fn day(conn: &mut PgConnection, layout: &Layout) -> Result<Day, Error> {
    let from = inbox::first(clock::now(conn).await?);
    let mut coverage = layout.not_looked_at(&[Table::InboxStates]);
    if !inbox::sums_all(layout) {
        let why = format!("of the newest {} rows", inbox::MOST);
        coverage.push(NotLookedAt::narrowed("hours", why));
    }
    Ok(Day { from, hours: inbox::hours(conn, layout, from).await?, coverage })
}

/// One message, what is wrong with it, and who received it.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    pub shown: OutboxMessage,
    pub poison: Vec<Poison>,
    /// The database is ours, and so is the relay that delivers it.
    pub managed: bool,
    /// Open outboxes that come before its own; only for pending messages of the bus.
    pub ahead: Option<Tally>,
    /// Who holds its owner's row; only for what is pending.
    pub lock: Option<Lock>,
    /// Rows of this database's inbox with its message id.
    pub received: Vec<InboxRow>,
    /// What was not looked at.
    pub coverage: Vec<NotLookedAt>,
}

/// One message as it is stored.
pub async fn stored(
    conn: &mut PgConnection,
    layout: &Layout,
    key: MessageKey,
) -> Result<Option<OutboxMessage>, Error> {
    outbox::show(conn, layout, key).await
}

/// One message with everything stored of it.
pub async fn message(
    conn: &mut PgConnection,
    layout: &Layout,
    watch: &Watch,
    key: MessageKey,
) -> Result<Option<Message>, Error> {
    let Some(shown) = stored(conn, layout, key).await? else { return Ok(None) };
    let found = poison_in(&shown, layout, &watch.thresholds);
    let ahead = match shown.owner {
        Owner::Bus(outbox) => outbox::ahead(conn, layout, outbox).await?,
        Owner::Consumer { .. } | Owner::Nobody => None,
    };
    let lock = if shown.delivery == Delivery::Pending {
        Some(outbox::held_by(conn, layout, shown.owner).await?)
    } else {
        None
    };
    let received = inbox::of_message(conn, layout, shown.content.message).await?;
    let managed = layout.is_managed();
    let coverage =
        layout.not_looked_at(&[Table::OutboxMessages, Table::OutboxStates, Table::InboxStates]);
    let ahead = ahead.map(|ahead| ahead.known_if(layout.knows(Table::OutboxStates)));
    Ok(Some(Message { shown, poison: found, managed, ahead, lock, received, coverage }))
}

/// What keeps it from being delivered by whoever delivers here, as far as its text was read.
fn poison_in(message: &OutboxMessage, layout: &Layout, limits: &Thresholds) -> Vec<Poison> {
    let text = message.content.text(message.bytes);
    poison(&text, limits.largest, Sender::of(layout.is_managed()))
}

/// Which findings bear on this message: what is about it, its outbox, or the line it stands in. One that is about
/// another outbox does only where the line waits behind that.
#[must_use]
pub fn concerning(mut found: Vec<Finding>, message: &Message, facts: &Facts) -> Vec<Finding> {
    let (owner, delivery) = (message.shown.owner, message.shown.delivery);
    let blocked = found.iter().any(|finding| finding.rule == Rule::HeadBlocks);
    let own = |finding: &Finding| match finding.about {
        Some(Subject::Outbox(outbox)) => owner == Owner::Bus(outbox),
        Some(Subject::Message(sequence)) => facts.heads.iter().any(|head| {
            let next = head.next.as_ref().map(|next| next.sequence);
            owner == Owner::Bus(head.outbox) && next == Some(sequence)
        }),
        _ => false,
    };
    found.retain(|finding| match (delivery, finding.rule, owner) {
        (Delivery::Orphan, Rule::Orphans, _)
        | (Delivery::Pending, Rule::HalfDone, Owner::Consumer { .. })
        | (
            Delivery::Pending,
            Rule::WorkerIdle | Rule::BrokerRefused | Rule::HeadBlocks,
            Owner::Bus(_),
        ) => true,
        (
            Delivery::Pending,
            Rule::PoisonHead | Rule::LockHolder | Rule::HeldHead,
            Owner::Bus(_),
        ) => blocked || own(finding),
        _ => false,
    });
    found
}

/// In one sentence, why this message is where it is.
#[must_use]
pub fn verdict(message: &Message, found: &[Finding]) -> String {
    match message.shown.delivery {
        Delivery::Delivered => {
            "it is recorded as delivered; the row is kept, or waits for its removal".to_owned()
        }
        Delivery::Orphan => "it has no owner: nothing will ever send it".to_owned(),
        Delivery::Unknown => match message.coverage.first() {
            Some(why) => format!("unknown: {why}"),
            None => "unknown".to_owned(),
        },
        Delivery::Pending => match (message.poison.first(), found.first()) {
            (Some(bad), _) => format!("it cannot leave as it is: {bad}"),
            (None, Some(finding)) => format!("it waits: {}", finding.what),
            (None, None) => "it waits its turn; no rule found anything in its way".to_owned(),
        },
    }
}

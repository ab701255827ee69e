//! One lane: a session with the database, a connection to the broker, one pass after the other.

use std::time::Duration;

use sqlx::{Connection, PgConnection};
use tokio::time::Instant;

use super::{Error, Scope, Shared, Until, consumer_outbox, pass::Pass};
use crate::{
    db::{self, Db, ownership::Owner},
    relay::{self, Backoff, Publisher},
};

/// Between two removals of old delivered rows.
const PURGE_EVERY: Duration = Duration::from_secs(60);
/// So many outboxes are removed in one go.
const PURGE_BATCH: i64 = 500;
/// Between two looks for half-done consumers.
const HALVES_EVERY: Duration = Duration::from_secs(60);
/// The same where the last look left some, and outboxes are delivered all the time: a look asks the broker.
const HALVES_SOON: Duration = Duration::from_secs(5);
/// Between two looks at what is held and noted, where outboxes are delivered all the time.
const SETTLE_EVERY: Duration = Duration::from_secs(10);
/// When others hold what is pending, look again after this.
const OTHERS: Duration = Duration::from_millis(50);
const CONNECT: Duration = Duration::from_secs(5);

pub(super) struct RelayWorker<'a> {
    shared: &'a Shared,
    number: usize,
    database: Option<PgConnection>,
    publisher: Option<Publisher>,
    pass: Pass,
    backoff: Backoff,
    /// What is told to hinder the relay was told by this lane.
    troubled: bool,
    purged: Option<Instant>,
    /// When half-done consumers are looked for again; at once where nothing is said.
    halves: Option<Instant>,
    /// When it was last seen what is still pending of what is held and noted.
    settled: Option<Instant>,
}

/// What a round did.
enum Round {
    Delivered,
    /// Nothing that is free and due.
    Idle,
}

impl<'a> RelayWorker<'a> {
    pub(super) fn new(shared: &'a Shared, number: usize) -> Self {
        let (first, longest) = shared.settings.retry;
        // Servers come back sooner than poisoned messages are repaired.
        let longest = longest.min(Duration::from_secs(30));
        let backoff = Backoff::new(first.min(longest), longest);
        let pass = Pass::new();
        Self {
            shared,
            number,
            database: None,
            publisher: None,
            pass,
            backoff,
            troubled: false,
            purged: None,
            halves: None,
            settled: None,
        }
    }

    pub(super) async fn run(mut self, until: Until) -> Result<(), Error> {
        let ended = self.rounds(until).await;
        if let Some(publisher) = self.publisher.take() {
            publisher.close().await;
        }
        if let Some(conn) = self.database.take() {
            // What was to be written is committed.
            let _ = conn.close().await;
        }
        ended
    }

    async fn rounds(&mut self, until: Until) -> Result<(), Error> {
        while !self.shared.stop.is_cancelled() {
            let mut freed = std::pin::pin!(self.shared.freed.notified());
            freed.as_mut().enable();
            match self.round().await {
                Ok(round) => {
                    self.backoff.reset();
                    if std::mem::take(&mut self.troubled) {
                        self.shared.stats.send_if_modified(|stats| stats.trouble.take().is_some());
                    }
                    match (round, until) {
                        (_, Until::Once) => return Ok(()),
                        (Round::Delivered, _) => {}
                        (Round::Idle, Until::Empty) => {
                            if self.is_done().await {
                                return Ok(());
                            }
                            tokio::select! {
                                () = freed => {}
                                _ = self.shared.wait(OTHERS) => {}
                            }
                        }
                        (Round::Idle, Until::Told) => {
                            self.shared.wait(self.shared.settings.poll).await;
                        }
                    }
                }
                Err(error) => {
                    let hopeless = until == Until::Empty && !can_pass(&error);
                    if until == Until::Once || hopeless || error.forbids() {
                        return Err(error);
                    }
                    tracing::warn!(lane = self.number, %error, "the relay cannot work");
                    let told = error.to_string();
                    self.troubled = true;
                    self.shared.stats.send_modify(|stats| stats.trouble = Some(told));
                    let wait = self.backoff.wait();
                    self.shared.wait(wait).await;
                }
            }
        }
        Ok(())
    }

    async fn round(&mut self) -> Result<Round, Error> {
        // The broker first: without it there is nothing to lock a row for.
        if self.publisher.as_ref().is_some_and(|publisher| !publisher.is_open()) {
            let reopened = match self.publisher.as_mut() {
                Some(publisher) => publisher.reopen().await.is_ok(),
                None => false,
            };
            if !reopened {
                self.publisher = None;
            }
        }
        let broker = &self.shared.settings.broker;
        let (publisher, conn) = match (&mut self.publisher, &mut self.database) {
            (Some(publisher), Some(conn)) => (publisher, conn),
            (publisher, database) => {
                let connecting = async {
                    Ok::<_, Error>(match publisher {
                        Some(publisher) => publisher,
                        empty => empty.insert(Publisher::connect(broker, "relay", CONNECT).await?),
                    })
                };
                let opening = async {
                    Ok::<_, Error>(match database {
                        Some(conn) => conn,
                        empty => empty.insert(open(self.shared).await?),
                    })
                };
                let (publisher, conn) = tokio::join!(connecting, opening);
                (publisher?, conn?)
            }
        };
        if publisher.is_blocked() {
            return Err(relay::Error::Blocked { place: broker.place() }.into());
        }
        let done = self.pass.run(self.shared, conn, publisher, self.shared.settings.scope).await;
        let outcome = match done {
            Ok(outcome) => outcome,
            Err(error) => {
                // Whatever state the session is in, it is not worth keeping.
                self.database = None;
                return Err(error);
            }
        };
        if outcome.broker_lost {
            self.publisher = None;
        }
        if outcome.planted {
            return Ok(Round::Idle);
        }
        if outcome.took {
            self.shared.freed.notify_waiters();
            self.turn(outcome.owner).await?;
            return Ok(Round::Delivered);
        }
        self.settle().await?;
        self.purge(outcome.owner).await?;
        Ok(if self.finish_halves(Duration::ZERO).await? { Round::Delivered } else { Round::Idle })
    }

    /// A bounded part of everything else, after a pass that delivered: the next one may deliver too, for ever. The
    /// first lane's alone; the others go on meanwhile.
    async fn turn(&mut self, owner: Option<Owner>) -> Result<(), Error> {
        if self.number != 0 {
            return Ok(());
        }
        if self.settled.is_none_or(|at| at.elapsed() >= SETTLE_EVERY) {
            self.settle().await?;
        }
        self.purge(owner).await?;
        self.finish_halves(HALVES_SOON).await.map(drop)
    }

    /// Delivers for half-done consumers that nothing else will ever finish; whether there were any. Where some may be
    /// left, the next look is after `soon`.
    async fn finish_halves(&mut self, soon: Duration) -> Result<bool, Error> {
        let due = self.halves.is_none_or(|at| at <= Instant::now());
        if self.number != 0 || self.shared.settings.scope != Scope::All || !due {
            return Ok(false);
        }
        let (Some(conn), Some(publisher)) = (&mut self.database, &mut self.publisher) else {
            return Ok(false);
        };
        self.halves = Some(Instant::now() + HALVES_EVERY);
        let mut any = false;
        for half in consumer_outbox::dangerous(self.shared, conn).await? {
            let done =
                self.pass.run(self.shared, conn, publisher, Scope::ConsumerOutbox(half)).await;
            match done {
                Ok(outcome) => any |= outcome.took,
                Err(error) => {
                    self.database = None;
                    return Err(error);
                }
            }
        }
        if any || self.shared.late(|late| !late.is_empty()) {
            // A large one is not done with one pass, nor one whose confirm is still to come.
            self.halves = Some(Instant::now() + soon);
        }
        Ok(any)
    }

    /// Forgets what is no longer pending.
    async fn settle(&mut self) -> Result<(), Error> {
        let Some(conn) = &mut self.database else { return Ok(()) };
        self.settled = Some(Instant::now());
        // What somebody else has delivered or repaired meanwhile is no longer our business.
        let noted = self.shared.journal(|journal| journal.sequences());
        if !noted.is_empty() {
            let pending = db::relay::still_pending(conn, &noted).await?;
            let gone: Vec<i64> =
                noted.into_iter().filter(|sequence| !pending.contains(sequence)).collect();
            let forgotten = self.shared.journal(|journal| journal.forget(&gone));
            forgotten.map_err(|error| journal_error(self.shared, &error))?;
        }
        let held = self.shared.held(|held| held.sequences());
        if !held.is_empty() {
            let pending = db::relay::still_pending(conn, &held).await?;
            self.shared.held(|all| all.retain(&pending));
            let told = self.shared.held(|held| held.told());
            self.shared.stats.send_if_modified(|stats| {
                let changed = stats.held != told;
                stats.held = told;
                changed
            });
        }
        Ok(())
    }

    /// Removes some of what was delivered long ago, where that is due.
    async fn purge(&mut self, owner: Option<Owner>) -> Result<(), Error> {
        let Some(conn) = &mut self.database else { return Ok(()) };
        let settings = &self.shared.settings;
        let ours = owner == Some(Owner::Ours);
        let Some(keep) = (if ours { settings.keep } else { settings.copies }) else {
            return Ok(());
        };
        if self.number != 0 || self.purged.is_some_and(|at| at.elapsed() < PURGE_EVERY) {
            return Ok(());
        }
        let Ok(keep) = chrono::TimeDelta::from_std(keep) else { return Ok(()) };
        let Some(before) = (self.shared.clock)().checked_sub_signed(keep) else { return Ok(()) };
        let copies = db::archive::forget_copies(conn, before, PURGE_BATCH).await?;
        // The rows of a service are its own to purge.
        let rows = if ours { db::relay::purge(conn, before, PURGE_BATCH).await? } else { 0 };
        let purged = copies.max(rows);
        if purged < PURGE_BATCH.unsigned_abs() {
            self.purged = Some(Instant::now());
        }
        if purged > 0 {
            self.shared.stats.send_modify(|stats| stats.purged += copies + rows);
        }
        Ok(())
    }

    /// Whether nothing is left but what was tried and is held.
    async fn is_done(&mut self) -> bool {
        if self.shared.late(|late| !late.is_empty()) {
            return false;
        }
        let Some(conn) = &mut self.database else { return false };
        let mut known = self.shared.held(|held| held.known());
        let Ok(by_hand) = db::paused::held(conn).await else { return false };
        known.extend(by_hand.into_iter().map(|held| held.outbox.0));
        let pending = match self.shared.settings.scope {
            Scope::All => db::relay::is_pending(conn, &known, None).await,
            Scope::Outbox(id) => db::relay::is_pending(conn, &known, Some(id)).await,
            Scope::ConsumerOutbox(half) if known.contains(&half.key()) => Ok(false),
            Scope::ConsumerOutbox(half) => db::relay::is_half_pending(conn, half).await,
        };
        matches!(pending, Ok(false))
    }
}

/// Whether an error ends by itself.
const fn can_pass(error: &Error) -> bool {
    match error {
        Error::Database(error) => error.can_pass(),
        Error::Broker(error) => error.is_transient(),
        Error::Journal { .. } | Error::Unrecorded | Error::OfService => false,
    }
}

pub(super) fn journal_error(shared: &Shared, error: &std::io::Error) -> Error {
    let place = shared.settings.journal.as_ref();
    let place = place.map_or_else(String::new, |path| path.display().to_string());
    Error::Journal { place, why: error.to_string() }
}

async fn open(shared: &Shared) -> Result<PgConnection, Error> {
    let settings = &shared.settings;
    let db = Db::new(&settings.database, &settings.limits);
    let layout = db.layout().await;
    db.close().await;
    db::relay::can_work(&*layout?)?;
    let who = if settings.unasked { "console relay" } else { "relay" };
    Ok(db::relay::connect(&settings.database, who, &settings.limits, settings.budget).await?)
}

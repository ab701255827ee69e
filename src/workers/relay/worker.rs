//! One relay worker: a session with the database, a connection to the broker, one pass after the other.

use std::time::Duration;

use sqlx::{Connection, PgConnection};
use tokio::time::Instant;

use super::{
    Error, Scope, Settings, Shared, Until, bus_ids, consumer_outbox,
    pass::{Pass, Unconfirmed},
    send_log_error,
};
use crate::{
    db::{self, Db, ownership::Owner, relay::OutboxTables},
    domain::text::counted,
    relay::{self, Backoff, Publisher},
};

/// Between two removals of old delivered rows.
const PURGE_EVERY: Duration = Duration::from_secs(60);
/// How many outboxes are removed at a time.
const PURGE_BATCH: i64 = 500;
/// Between two checks for half-done consumers.
const HALF_DONE_EVERY: Duration = Duration::from_secs(60);
/// The same where the last check left some, and outboxes are delivered all the time: a check asks the broker.
const HALF_DONE_SOON: Duration = Duration::from_secs(5);
/// Between two checks of blocked outboxes and the send log, where outboxes are delivered all the time.
const SETTLE_EVERY: Duration = Duration::from_secs(10);
/// Before trying again where others have locked everything that is pending.
const OTHERS: Duration = Duration::from_millis(50);
const CONNECT: Duration = Duration::from_secs(5);

pub(super) struct RelayWorker<'a> {
    shared: &'a Shared,
    number: usize,
    database: Option<(PgConnection, OutboxTables)>,
    publisher: Option<Publisher>,
    pass: Pass,
    backoff: Backoff,
    /// The trouble in the figures was reported by this worker.
    reported_trouble: bool,
    purged: Option<Instant>,
    /// When half-done consumers are checked again; `None` is now.
    half_done: Option<Instant>,
    /// When blocked outboxes and the send log were last checked.
    settled: Option<Instant>,
}

/// What a round did.
enum Round {
    Delivered,
    /// Nothing is pending that is unlocked and due.
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
            reported_trouble: false,
            purged: None,
            half_done: None,
            settled: None,
        }
    }

    pub(super) async fn run(mut self, until: Until) -> Result<(), Error> {
        let ended = self.rounds(until).await;
        if let Some(publisher) = self.publisher.take() {
            publisher.close().await;
        }
        if let Some((conn, _)) = self.database.take() {
            // Everything is committed.
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
                    if std::mem::take(&mut self.reported_trouble) {
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
                    self.reported_trouble = true;
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
        let (publisher, (conn, tables)) = match (&mut self.publisher, &mut self.database) {
            (Some(publisher), Some(database)) => (publisher, database),
            (publisher, database) => {
                let connecting = async {
                    Ok::<_, Error>(match publisher {
                        Some(publisher) => publisher,
                        empty => empty.insert(Publisher::connect(broker, "relay", CONNECT).await?),
                    })
                };
                let opening = async {
                    Ok::<_, Error>(match database {
                        Some(database) => database,
                        empty => empty.insert(open(self.shared).await?),
                    })
                };
                let (publisher, database) = tokio::join!(connecting, opening);
                (publisher?, database?)
            }
        };
        if publisher.is_blocked() {
            return Err(relay::Error::Blocked { place: broker.place() }.into());
        }
        match self.pass.unconfirmed(self.shared)? {
            Unconfirmed::Little => {}
            Unconfirmed::Much => return Ok(Round::Idle),
            Unconfirmed::ForLong(count, waited) => {
                let messages = counted(count, "message");
                let (place, seconds) = (broker.place(), waited.as_secs());
                return Err(relay::Error::Silent { place, messages, seconds }.into());
            }
        }
        let done =
            self.pass.run(self.shared, (conn, tables), publisher, self.shared.settings.scope).await;
        let outcome = match done {
            Ok(outcome) => outcome,
            Err(error) => {
                // The state of the session is unknown: open another.
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
            self.maintain(outcome.owner).await?;
            return Ok(Round::Delivered);
        }
        self.settle().await?;
        self.purge(outcome.owner).await?;
        Ok(if self.deliver_half_done(Duration::ZERO).await? {
            Round::Delivered
        } else {
            Round::Idle
        })
    }

    /// A bounded part of all other work, after a pass that delivered: otherwise constant load would starve it. Done by
    /// the first worker; the others deliver meanwhile.
    async fn maintain(&mut self, owner: Option<Owner>) -> Result<(), Error> {
        if self.number != 0 {
            return Ok(());
        }
        if self.settled.is_none_or(|at| at.elapsed() >= SETTLE_EVERY) {
            self.settle().await?;
        }
        self.purge(owner).await?;
        self.deliver_half_done(HALF_DONE_SOON).await.map(drop)
    }

    /// Delivers for half-done consumers that only the relay can finish; whether there were any. Where some may be left,
    /// the next check is after `soon`.
    async fn deliver_half_done(&mut self, soon: Duration) -> Result<bool, Error> {
        let due = self.half_done.is_none_or(|at| at <= Instant::now());
        if self.number != 0 || self.shared.settings.scope != Scope::All || !due {
            return Ok(false);
        }
        let (Some((conn, tables)), Some(publisher)) = (&mut self.database, &mut self.publisher)
        else {
            return Ok(false);
        };
        self.half_done = Some(Instant::now() + HALF_DONE_EVERY);
        let mut any = false;
        for consumer_outbox in consumer_outbox::dangerous(self.shared, conn, tables).await? {
            let done = self
                .pass
                .run(self.shared, (conn, tables), publisher, Scope::ConsumerOutbox(consumer_outbox))
                .await;
            match done {
                Ok(outcome) => any |= outcome.took,
                Err(error) => {
                    self.database = None;
                    return Err(error);
                }
            }
        }
        if any || self.shared.late(|late| !late.is_empty()) {
            // A large one takes several passes, as does one that is not confirmed yet.
            self.half_done = Some(Instant::now() + soon);
        }
        Ok(any)
    }

    /// Drops what is no longer pending from the send log and the backoff.
    async fn settle(&mut self) -> Result<(), Error> {
        let Some((conn, tables)) = &mut self.database else { return Ok(()) };
        self.settled = Some(Instant::now());
        // Others may have delivered or repaired it meanwhile.
        let noted = self.shared.send_log(|log| log.sequences());
        if !noted.is_empty() {
            let pending = db::relay::still_pending(conn, tables, &noted).await?;
            let gone: Vec<i64> =
                noted.into_iter().filter(|sequence| !pending.contains(sequence)).collect();
            let forgotten = self.shared.send_log(|log| log.forget(&gone));
            forgotten.map_err(|error| send_log_error(self.shared, &error))?;
        }
        let held = self.shared.backoff(|backoff| backoff.sequences());
        if !held.is_empty() {
            let pending = db::relay::still_pending(conn, tables, &held).await?;
            self.shared.backoff(|backoff| backoff.retain(&pending));
            let blocked = self.shared.backoff(|backoff| backoff.blocked());
            self.shared.stats.send_if_modified(|stats| {
                let changed = stats.held != blocked;
                stats.held = blocked;
                changed
            });
        }
        Ok(())
    }

    /// Removes a batch of rows that were delivered long ago, where that is due.
    async fn purge(&mut self, owner: Option<Owner>) -> Result<(), Error> {
        let Some((conn, tables)) = &mut self.database else { return Ok(()) };
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
        // The service purges its own rows.
        let rows =
            if ours { db::relay::purge(conn, tables, before, PURGE_BATCH).await? } else { 0 };
        let purged = copies.max(rows);
        if purged < PURGE_BATCH.unsigned_abs() {
            self.purged = Some(Instant::now());
        }
        if purged > 0 {
            self.shared.stats.send_modify(|stats| stats.purged += copies + rows);
        }
        Ok(())
    }

    /// Whether nothing is pending but outboxes that failed or are paused.
    async fn is_done(&mut self) -> bool {
        if self.shared.late(|late| !late.is_empty()) {
            return false;
        }
        let Some((conn, tables)) = &mut self.database else { return false };
        let known = self.shared.backoff(|backoff| backoff.known());
        let mut left_out = bus_ids(&known);
        let Ok(by_hand) = db::paused::held(conn).await else { return false };
        left_out.extend(by_hand.into_iter().map(|held| held.outbox.0));
        let pending = match self.shared.settings.scope {
            Scope::All => db::relay::is_pending(conn, tables, &left_out, None).await,
            Scope::Outbox(id) => db::relay::is_pending(conn, tables, &left_out, Some(id)).await,
            Scope::ConsumerOutbox(consumer_outbox) if known.contains(&consumer_outbox.key()) => {
                Ok(false)
            }
            Scope::ConsumerOutbox(consumer_outbox) => {
                db::relay::is_consumer_outbox_pending(conn, tables, consumer_outbox).await
            }
        };
        matches!(pending, Ok(false))
    }
}

/// Whether an error may pass by itself.
const fn can_pass(error: &Error) -> bool {
    match error {
        Error::Database(error) => error.can_pass(),
        Error::Broker(error) => error.is_transient(),
        Error::SendLog { .. } | Error::Unrecorded | Error::OfService => false,
    }
}

async fn open(shared: &Shared) -> Result<(PgConnection, OutboxTables), Error> {
    let settings = &shared.settings;
    let db = Db::new(&settings.database, &settings.limits);
    let layout = db.layout().await;
    db.close().await;
    let tables = OutboxTables::of(&*layout?)?;
    let who = if settings.in_background { "console relay" } else { "relay" };
    let Settings { database, limits, budget, .. } = settings;
    Ok((db::relay::connect(database, who, limits, *budget).await?, tables))
}

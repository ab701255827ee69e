//! One lane: a session with the database, a connection to the broker, one pass after the other.

use std::time::Duration;

use sqlx::{Connection, PgConnection};
use tokio::time::Instant;

use super::{Error, Shared, Until, pass::Pass};
use crate::{
    db::{self, Db},
    relay::{Backoff, Publisher},
};

/// Between two removals of old delivered rows.
const PURGE_EVERY: Duration = Duration::from_secs(60);
/// So many outboxes are removed in one go.
const PURGE_BATCH: i64 = 500;
/// When others hold what is pending, look again after this.
const OTHERS: Duration = Duration::from_millis(50);
const CONNECT: Duration = Duration::from_secs(5);

pub(super) struct Lane<'a> {
    shared: &'a Shared,
    number: usize,
    database: Option<PgConnection>,
    publisher: Option<Publisher>,
    pass: Pass,
    backoff: Backoff,
    purged: Option<Instant>,
}

/// What a round did.
enum Round {
    Delivered,
    /// Nothing that is free and due.
    Idle,
}

impl<'a> Lane<'a> {
    pub(super) fn new(shared: &'a Shared, number: usize) -> Self {
        let (first, longest) = shared.settings.retry;
        // Servers come back sooner than poisoned messages are repaired.
        let longest = longest.min(Duration::from_secs(30));
        let backoff = Backoff::new(first.min(longest), longest);
        let pass = Pass::new();
        Self { shared, number, database: None, publisher: None, pass, backoff, purged: None }
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
            match self.round().await {
                Ok(round) => {
                    self.backoff.reset();
                    self.shared.stats.send_if_modified(|stats| stats.trouble.take().is_some());
                    match (round, until) {
                        (_, Until::Once) => return Ok(()),
                        (Round::Delivered, _) => {}
                        (Round::Idle, Until::Empty) => {
                            if self.is_done().await {
                                return Ok(());
                            }
                            self.shared.wait(OTHERS).await;
                        }
                        (Round::Idle, Until::Told) => {
                            self.shared.wait(self.shared.settings.poll).await;
                        }
                    }
                }
                Err(error) => {
                    if until == Until::Once || until == Until::Empty && !can_pass(&error) {
                        return Err(error);
                    }
                    tracing::warn!(lane = self.number, %error, "the relay cannot work");
                    let told = error.to_string();
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
        let publisher = match &mut self.publisher {
            Some(publisher) => publisher,
            empty => {
                let broker = &self.shared.settings.broker;
                empty.insert(Publisher::connect(broker, "relay", CONNECT).await?)
            }
        };
        let conn = match &mut self.database {
            Some(conn) => conn,
            empty => empty.insert(open(self.shared).await?),
        };
        let done = self.pass.run(self.shared, conn, publisher).await;
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
        if !outcome.took {
            self.tidy().await?;
        }
        Ok(if outcome.took { Round::Delivered } else { Round::Idle })
    }

    /// What is done while nothing is pending.
    async fn tidy(&mut self) -> Result<(), Error> {
        let Some(conn) = &mut self.database else { return Ok(()) };
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
        let Some(keep) = self.shared.settings.keep else { return Ok(()) };
        if self.number != 0 || self.purged.is_some_and(|at| at.elapsed() < PURGE_EVERY) {
            return Ok(());
        }
        let Ok(keep) = chrono::TimeDelta::from_std(keep) else { return Ok(()) };
        let Some(before) = (self.shared.clock)().checked_sub_signed(keep) else { return Ok(()) };
        let purged = db::relay::purge(conn, before, PURGE_BATCH).await?;
        if purged < PURGE_BATCH.unsigned_abs() {
            self.purged = Some(Instant::now());
        }
        if purged > 0 {
            self.shared.stats.send_modify(|stats| stats.purged += purged);
        }
        Ok(())
    }

    /// Whether nothing is left but what was tried and is held.
    async fn is_done(&mut self) -> bool {
        if self.shared.late(|late| !late.is_empty()) {
            return false;
        }
        let Some(conn) = &mut self.database else { return false };
        let known = self.shared.held(|held| held.known());
        matches!(db::relay::is_pending(conn, &known).await, Ok(false))
    }
}

/// Whether an error ends by itself.
const fn can_pass(error: &Error) -> bool {
    match error {
        Error::Database(error) => !matches!(
            error,
            db::Error::NotPermitted(_) | db::Error::MissingTable(_) | db::Error::Login(_)
        ),
        Error::Broker(error) => error.is_transient(),
        Error::Journal { .. } => false,
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
    Ok(db::relay::connect(&settings.database, &settings.limits, settings.budget).await?)
}

//! One pass: lock, load, publish all, wait for the confirms, write how far it came, commit.

mod round;

use std::{collections::BTreeMap, fmt::Display};

use futures::FutureExt;
use sqlx::{Connection, PgConnection};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use self::round::Round;
use super::{
    Doubt, Error, Failure, Journal, NobodyListens, Scope, Shared, send_log::SendLog,
    worker::journal_error,
};
use crate::{
    db::{
        ownership::{self, Owner},
        paused,
        relay::{self as table, Delivered, Progress, Row},
        scenario,
    },
    domain::{
        id_timestamp::new_id,
        outgoing::{Poison, outgoing},
    },
    relay::{self, Confirmed, Pending, Publisher},
};

/// So many outboxes are taken while it is not known how much is in them.
const AT_FIRST: i64 = 100;
/// Nor fewer than these: the next ones may hold less.
const AT_LEAST: i64 = 10;
/// So many messages may stand in line for the connection before anybody waits for the last one's turn.
const IN_LINE: usize = 128;

/// What is carried from one pass to the next.
#[derive(Debug)]
pub(super) struct Pass {
    /// Sent, but not confirmed before the transaction had to end. Their outboxes are left alone until
    /// the broker has answered: a slow one must not make duplicates.
    late: Vec<InFlight>,
    /// The channel was closed by one message and nobody knows which: one after the other.
    careful: bool,
    /// So many outboxes filled the last pass, and some more: what is locked and not delivered is work for
    /// the server and in the way of other lanes.
    take: i64,
    /// Tells this lane's ids from others made in the same tick.
    node: [u8; 6],
    made: u16,
}

/// Sent and not yet confirmed.
#[derive(Debug)]
struct InFlight {
    outbox: Uuid,
    sequence: i64,
    message: Uuid,
    /// The application wants it routed or refused.
    mandatory: bool,
    pending: Pending,
}

/// What a pass did.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Outcome {
    /// Anything was locked.
    pub took: bool,
    pub broker_lost: bool,
    /// Whose database it was.
    pub owner: Option<Owner>,
    /// Trouble is planted to practise on, and this relay leaves it alone.
    pub planted: bool,
}

/// One outbox in this pass.
#[derive(Debug, Default)]
struct Work {
    /// The last message of an unbroken row of confirmed ones.
    last: Option<i64>,
    /// Confirmed in this pass, by number; those after a failure are noted for the next one.
    confirmed: Vec<i64>,
    failed: Option<Failure>,
    /// Something before it is unknown: what follows may not count.
    broken: bool,
}

#[derive(Debug, Default)]
struct Counted {
    delivered: u64,
    returned: u64,
    recovered: u64,
    failed: u64,
}

impl Pass {
    pub(super) fn new() -> Self {
        let mut node = [0; 6];
        node.copy_from_slice(&Uuid::new_v4().as_bytes()[..6]);
        Self { late: vec![], careful: false, take: AT_FIRST, node, made: 0 }
    }

    pub(super) async fn run(
        &mut self,
        shared: &Shared,
        conn: &mut PgConnection,
        publisher: &mut Publisher,
        scope: Scope,
    ) -> Result<Outcome, Error> {
        self.settle_late(shared)?;
        let settings = &shared.settings;
        let mut apart = shared.held(|held| held.waiting());
        apart.extend(shared.late(|late| late.iter().copied().collect::<Vec<_>>()));
        let end = Instant::now() + settings.budget;
        let mut tx = conn.begin().await.map_err(crate::db::Error::from)?;
        if is_planted(shared, &mut tx).await? {
            tx.rollback().await.map_err(crate::db::Error::from)?;
            return Ok(Outcome { planted: true, ..Outcome::default() });
        }
        // Those of operators are left out here already, or they could fill the whole page.
        apart.extend(paused::held(&mut tx).await?.into_iter().map(|held| held.outbox.0));
        let (only, half) = match scope {
            Scope::All => (None, None),
            Scope::Outbox(id) => (Some(id), None),
            Scope::ConsumerOutbox(half) => (None, Some(half)),
        };
        let mut open = match half {
            None => {
                table::lock(&mut tx, &apart, only, self.take.min(settings.most.outboxes)).await?
            }
            Some(half) if apart.contains(&half.key()) => vec![],
            Some(half) => {
                let before = (shared.clock)() - crate::ops::delivery::QUIET;
                table::lock_half(&mut tx, half, before).await?.into_iter().collect()
            }
        };
        // Another lane may have given one up after it was asked for; it said so before it let it go.
        shared.late(|late| open.retain(|open| !late.contains(&open.outbox_id)));
        if !open.is_empty() && paused::is_known(&mut tx).await? {
            // Only now does the lock keep a new hold out.
            let ids: Vec<Uuid> = open.iter().map(|open| open.outbox_id).collect();
            let held = paused::among(&mut tx, &ids).await?;
            open.retain(|open| !held.contains(&open.outbox_id));
        }
        // Only now would it be seen with certainty: what was locked may have been planted a moment ago.
        if !open.is_empty() && is_planted(shared, &mut tx).await? {
            tx.rollback().await.map_err(crate::db::Error::from)?;
            return Ok(Outcome { planted: true, ..Outcome::default() });
        }
        if open.is_empty() {
            tx.rollback().await.map_err(crate::db::Error::from)?;
            let owner = Some(allowed(shared, ownership::look(conn).await?)?);
            return Ok(Outcome { owner, ..Outcome::default() });
        }
        // Until the commit nobody hands the database over.
        let owner = allowed(shared, ownership::hold(&mut tx).await?)?;
        let rows = table::load(&mut tx, &open, half, &settings.most).await?;
        let mut works: BTreeMap<Uuid, Work> = BTreeMap::new();
        let mut counted = Counted::default();
        self.take = enough(open.len(), &rows);
        let lost = self.deliver(shared, publisher, rows, &mut works, &mut counted, end).await?;
        // Either of the two closes the gap, so neither waits for the other.
        let written = shared.journal(Journal::write);
        let written = written.map_err(|error| journal_error(shared, &error))?;
        let synced =
            tokio::task::spawn_blocking(move || written.map_or(Ok(()), |file| file.sync_data()));
        let now = (shared.clock)();
        let progress: Vec<Progress> = works
            .iter()
            .filter(|(_, work)| work.last.is_some() || work.failed.is_some())
            .map(|(outbox, work)| {
                self.made = self.made.wrapping_add(1);
                let mut maker = [0; 8];
                maker[..2].copy_from_slice(&self.made.to_be_bytes());
                maker[2..].copy_from_slice(&self.node);
                Progress { outbox: *outbox, last: work.last, lock_id: new_id(now, maker) }
            })
            .collect();
        let keep = match owner {
            Owner::Ours if settings.keep.is_some() => Delivered::Keep,
            Owner::Service if settings.copies.is_some() => Delivered::Copy,
            Owner::Ours | Owner::Service => Delivered::Delete,
        };
        match half {
            None => table::record(&mut tx, &progress, keep, now).await?,
            Some(half) => {
                for step in &progress {
                    table::record_half(&mut tx, half, step, keep != Delivered::Delete, now).await?;
                }
            }
        }
        tx.commit().await.map_err(crate::db::Error::from)?;
        let synced = synced.await.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        synced.map_err(|error| journal_error(shared, &error))?;
        close_books(shared, &works, &counted, now)?;
        Ok(Outcome { took: true, broker_lost: lost, owner: Some(owner), planted: false })
    }

    /// Publishes the rows and waits for the confirms; whether the connection was lost.
    async fn deliver(
        &mut self,
        shared: &Shared,
        publisher: &mut Publisher,
        rows: Vec<Row>,
        works: &mut BTreeMap<Uuid, Work>,
        counted: &mut Counted,
        end: Instant,
    ) -> Result<bool, Error> {
        let budget = shared.settings.budget;
        let (send_until, confirm_until) = (end - budget * 2 / 5, end - budget * 3 / 20);
        let mut round =
            Round { shared, works, counted, late: &mut self.late, until: confirm_until };
        let mut flying: Vec<InFlight> = vec![];
        let (mut lost, mut closed) = (false, false);
        let mut ahead = SendLog::new(&rows);
        for (at, row) in rows.into_iter().enumerate() {
            if Instant::now() > send_until || shared.stop.is_cancelled() {
                break;
            }
            let (outbox, sequence) = (row.outbox, row.sequence);
            let work = round.works.entry(outbox).or_default();
            if work.failed.is_some() || work.broken {
                continue;
            }
            ahead.note(shared, at)?;
            match send(shared, publisher, row).await {
                Ok(Sent::Known) => {
                    round.counted.recovered += 1;
                    work.confirmed.push(sequence);
                    // Else it counts with those before it, which are still on their way.
                    if !flying.iter().any(|other| other.outbox == outbox) {
                        work.last = Some(sequence);
                    }
                }
                Ok(Sent::Now(flight)) => {
                    ahead.noted.remove(&sequence);
                    flying.push(flight);
                    if self.careful && round.settle(&mut flying, true).await? {
                        lost = publisher.reopen().await.is_err();
                        if lost {
                            break;
                        }
                    }
                    if flying.len().is_multiple_of(IN_LINE)
                        && let Some(last) = flying.last_mut()
                    {
                        // It was sent last, so the others are written before it.
                        match timeout_at(send_until, last.pending.written()).await {
                            Ok(Ok(())) => {}
                            // What became of them is settled below.
                            Ok(Err(_)) | Err(_) => break,
                        }
                    }
                }
                Err(Failed::Poison(why)) => {
                    work.failed = Some(Failure { sequence, why, poison: true });
                    round.counted.failed += 1;
                }
                Err(Failed::Channel(error)) => {
                    tracing::warn!(%error, "publishing was interrupted");
                    round.counted.failed += 1;
                    closed = true;
                    break;
                }
            }
        }
        ahead.end(shared);
        closed |= round.settle(&mut flying, false).await?;
        // A closed channel does not say which message closed it: the next pass finds out.
        self.careful = closed;
        Ok(lost || closed && !publisher.is_open() && publisher.reopen().await.is_err())
    }

    /// Confirms that came after their transaction had ended.
    fn settle_late(&mut self, shared: &Shared) -> Result<(), Error> {
        let mut late = vec![];
        let was: Vec<Uuid> = self.late.iter().map(|flight| flight.outbox).collect();
        for mut flight in std::mem::take(&mut self.late) {
            match (&mut flight.pending).now_or_never() {
                None => late.push(flight),
                Some(Ok(Confirmed::Returned)) if pauses(shared, &flight) => {
                    shared.journal(|journal| journal.unsent(flight.sequence));
                }
                Some(Ok(confirmed)) => {
                    shared.journal(|journal| journal.confirm(flight.sequence, flight.message));
                    if confirmed == Confirmed::Returned {
                        shared.stats.send_modify(|stats| stats.returned += 1);
                    }
                }
                Some(Err(error)) => doubtful(shared, flight.sequence, flight.message, &error),
            }
        }
        self.late = late;
        let written = shared.journal(Journal::write);
        written.map_err(|error| journal_error(shared, &error))?;
        // Only now, with the confirms noted, may any lane take them again.
        let mine = &self.late;
        let waits = |id: &Uuid| mine.iter().any(|still| still.outbox == *id);
        shared.late(|late| late.retain(|id| !was.contains(id) || waits(id)));
        Ok(())
    }
}

/// How many outboxes the next pass takes, by what this one found in those it took.
fn enough(taken: usize, rows: &[Row]) -> i64 {
    let mut ids: Vec<Uuid> = rows.iter().map(|row| row.outbox).collect();
    // They come outbox by outbox.
    ids.dedup();
    let most = if ids.len() < taken { ids.len() + ids.len() / 4 } else { taken * 2 };
    i64::try_from(most).unwrap_or(AT_FIRST).max(AT_LEAST)
}

/// Whether trouble is planted here and this relay leaves it alone; told when that changes.
async fn is_planted(shared: &Shared, conn: &mut PgConnection) -> Result<bool, Error> {
    if !shared.settings.unasked {
        return Ok(false);
    }
    let record = scenario::planted(conn).await.map_err(crate::db::Error::from)?;
    let planted = record.map(|record| record.name);
    let is_planted = planted.is_some();
    shared.stats.send_if_modified(|stats| {
        if stats.planted == planted {
            return false;
        }
        match &planted {
            Some(name) => tracing::info!(name, "a scenario is planted: the relay leaves it alone"),
            None => tracing::info!("no scenario is planted any more: the relay goes on"),
        }
        stats.planted = planted;
        true
    });
    Ok(is_planted)
}

/// Whether this relay may deliver from a database that is recorded so.
fn allowed(shared: &Shared, owner: Option<Owner>) -> Result<Owner, Error> {
    match owner {
        None => Err(Error::Unrecorded),
        Some(Owner::Service) if !shared.settings.beside_service => Err(Error::OfService),
        Some(owner) => Ok(owner),
    }
}

/// After the commit: what is recorded is forgotten, what failed is held.
fn close_books(
    shared: &Shared,
    works: &BTreeMap<Uuid, Work>,
    counted: &Counted,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<(), Error> {
    let mut recorded = vec![];
    shared.held(|held| {
        for (outbox, work) in works {
            if let Some(last) = work.last {
                recorded.extend(work.confirmed.iter().filter(|sequence| **sequence <= last));
            }
            match &work.failed {
                Some(failure) => held.hold(*outbox, failure.clone(), now),
                None if work.broken => {}
                None => held.release(*outbox),
            }
        }
    });
    shared
        .journal(|journal| journal.forget(&recorded))
        .map_err(|error| journal_error(shared, &error))?;
    let told = shared.held(|held| held.told());
    shared.stats.send_modify(|stats| {
        stats.delivered += counted.delivered;
        stats.returned += counted.returned;
        stats.recovered += counted.recovered;
        stats.failed += counted.failed;
        stats.passes += 1;
        stats.held = told;
        if counted.delivered + counted.recovered > 0 {
            stats.last = Some(now);
        }
    });
    Ok(())
}

/// The broker may have had it, and it is sent again: counted at once, whatever becomes of this pass.
fn doubtful(shared: &Shared, sequence: i64, message: Uuid, why: &dyn Display) {
    tracing::warn!(sequence, %message, why = %why, "perhaps sent twice");
    shared.stats.send_modify(|stats| stats.doubt(Doubt { sequence, message }));
}

/// What became of a row.
enum Sent {
    /// The journal knows that it was confirmed before.
    Known,
    Now(InFlight),
}

enum Failed {
    /// It cannot be sent, now or ever; the channel is as it was.
    Poison(String),
    Channel(relay::Error),
}

async fn send(shared: &Shared, publisher: &mut Publisher, row: Row) -> Result<Sent, Failed> {
    let limit = u64::try_from(shared.settings.most.message_bytes).unwrap_or(u64::MAX);
    let bytes = u64::try_from(row.bytes).unwrap_or_default();
    let Some(stored) = row.stored else {
        return Err(Failed::Poison(Poison::TooLarge { bytes, limit }.to_string()));
    };
    let (outbox, sequence, message) = (row.outbox, row.sequence, stored.message_id);
    if shared.journal(|journal| journal.knows(sequence, message)) {
        return Ok(Sent::Known);
    }
    let made = outgoing(stored, publisher.home(), (shared.clock)());
    let outgoing = made.map_err(|poison| Failed::Poison(poison.to_string()))?;
    publisher.prepare(&outgoing).await.map_err(|error| {
        if error.is_about_the_message() {
            Failed::Poison(error.to_string())
        } else {
            Failed::Channel(error)
        }
    })?;
    if shared.journal(|journal| journal.was_left(sequence, message)) {
        doubtful(shared, sequence, message, &"a relay died before it noted the broker's answer");
    }
    let mandatory = outgoing.mandatory;
    let pending = publisher.send(outgoing);
    Ok(Sent::Now(InFlight { outbox, sequence, message, mandatory, pending }))
}

/// Whether a message that no queue wanted holds its outbox.
fn pauses(shared: &Shared, flight: &InFlight) -> bool {
    flight.mandatory || shared.settings.nobody_listens == NobodyListens::Hold
}

//! One pass: lock, load, publish all, wait for the confirms, write how far it came, commit.

mod round;

use std::{collections::BTreeMap, fmt::Display};

use futures::FutureExt;
use sqlx::{Connection, PgConnection};
use tokio::time::{Duration, Instant, timeout_at};
use uuid::Uuid;

use self::round::Round;
use super::{
    Doubt, Error, Failure, NobodyListens, Scope, SendLog, Shared, bus_ids, send_log_error,
    write_ahead::WriteAhead,
};
use crate::{
    db::{
        ownership::{self, Owner},
        paused,
        relay::{self as table, Delivered, OutboxTables, Progress, Row},
        scenario,
    },
    domain::{id_timestamp::new_id, outbox::OutboxKey, outgoing::outgoing, poison::Poison},
    relay::{self, Confirmed, Pending, Publisher},
};

/// How many outboxes the first pass takes, before their sizes are known.
const AT_FIRST: i64 = 100;
/// At least this many: the next ones may be smaller.
const AT_LEAST: i64 = 10;
/// After this many queued messages, wait until they are written to the connection.
const IN_LINE: usize = 128;
/// A broker that has not confirmed for so long is frozen.
const SILENT: Duration = Duration::from_secs(10);

/// The state that is kept from one pass to the next.
#[derive(Debug)]
pub(super) struct Pass {
    /// Sent, but not confirmed before the transaction had to end. Their outboxes are skipped until the broker has
    /// answered: a slow broker must not cause duplicates.
    late: Vec<InFlight>,
    /// One message closed the channel, and it is not known which: send one at a time.
    one_by_one: bool,
    /// A little more than what filled the last pass: outboxes that are locked and not delivered cost the server and
    /// keep other workers from them.
    take: i64,
    /// Distinguishes this worker's ids from others of the same tick.
    node: [u8; 6],
    made: u16,
}

/// Sent and not yet confirmed.
#[derive(Debug)]
struct InFlight {
    outbox: OutboxKey,
    sequence: i64,
    message: Uuid,
    /// The application wants it routed or refused.
    mandatory: bool,
    sent: Instant,
    pending: Pending,
}

/// How much was sent and is not confirmed.
pub(super) enum Unconfirmed {
    Little,
    /// As much as may be: nothing more is sent before a confirm comes.
    Much,
    /// So many messages for so long that the broker must be frozen.
    ForLong(usize, Duration),
}

/// What a pass did.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Outcome {
    /// An outbox was locked.
    pub took: bool,
    pub broker_lost: bool,
    /// Whose database it was.
    pub owner: Option<Owner>,
    /// A training scenario is planted, and this relay does not deliver meanwhile.
    pub planted: bool,
}

/// One outbox in this pass.
#[derive(Debug, Default)]
struct OutboxPass {
    /// The last message up to which all are confirmed.
    last: Option<i64>,
    /// Confirmed in this pass, by number; those after a failure are noted for the next one.
    confirmed: Vec<i64>,
    failed: Option<Failure>,
    /// The result of an earlier message is unknown: later confirms may not be recorded.
    broken: bool,
}

#[derive(Debug, Default)]
struct PassCounts {
    delivered: u64,
    returned: u64,
    recovered: u64,
    failed: u64,
}

impl Pass {
    pub(super) fn new() -> Self {
        let mut node = [0; 6];
        node.copy_from_slice(&Uuid::new_v4().as_bytes()[..6]);
        Self { late: vec![], one_by_one: false, take: AT_FIRST, node, made: 0 }
    }

    pub(super) async fn run(
        &mut self,
        shared: &Shared,
        (conn, tables): (&mut PgConnection, &OutboxTables),
        publisher: &mut Publisher,
        scope: Scope,
    ) -> Result<Outcome, Error> {
        self.settle_late(shared)?;
        let settings = &shared.settings;
        let mut left_out = shared.backoff(|backoff| backoff.waiting());
        left_out.extend(shared.late(|late| late.iter().copied().collect::<Vec<_>>()));
        let end = Instant::now() + settings.budget;
        let mut tx = conn.begin().await.map_err(crate::db::Error::from)?;
        if is_planted(shared, &mut tx).await? {
            tx.rollback().await.map_err(crate::db::Error::from)?;
            return Ok(Outcome { planted: true, ..Outcome::default() });
        }
        // Paused outboxes are left out here already, or they could fill the whole page.
        let paused = paused::held(&mut tx).await?;
        left_out.extend(paused.into_iter().map(|held| OutboxKey::Bus(held.outbox)));
        let (only, consumer_outbox) = match scope {
            Scope::All => (None, None),
            Scope::Outbox(id) => (Some(id), None),
            Scope::ConsumerOutbox(consumer_outbox) => (None, Some(consumer_outbox)),
        };
        let mut open = match consumer_outbox {
            None => {
                let most = self.take.min(settings.most.outboxes);
                table::lock(&mut tx, tables, &bus_ids(&left_out), only, most).await?
            }
            Some(consumer_outbox) if left_out.contains(&consumer_outbox.key()) => vec![],
            Some(consumer_outbox) => {
                let before = (shared.clock)() - crate::ops::delivery::QUIET;
                let locked = table::lock_consumer_outbox(&mut tx, tables, consumer_outbox, before);
                locked.await?.into_iter().collect()
            }
        };
        // Another worker may have released one after the query; it was listed as late before.
        shared.late(|late| open.retain(|open| !late.contains(&open.outbox)));
        if !open.is_empty() && paused::is_known(&mut tx).await? {
            // Only with the lock can no operator pause them any more.
            let outboxes: Vec<OutboxKey> = open.iter().map(|open| open.outbox).collect();
            let paused = paused::among(&mut tx, &bus_ids(&outboxes)).await?;
            open.retain(|open| {
                bus_ids(&[open.outbox]).first().is_none_or(|id| !paused.contains(id))
            });
        }
        // Only with the lock this is certain: the rows may have been planted a moment ago.
        if !open.is_empty() && is_planted(shared, &mut tx).await? {
            tx.rollback().await.map_err(crate::db::Error::from)?;
            return Ok(Outcome { planted: true, ..Outcome::default() });
        }
        if open.is_empty() {
            tx.rollback().await.map_err(crate::db::Error::from)?;
            let owner = Some(allowed(shared, ownership::look(conn).await?)?);
            return Ok(Outcome { owner, ..Outcome::default() });
        }
        // Until the commit nobody can hand the database over.
        let owner = allowed(shared, ownership::hold(&mut tx).await?)?;
        let rows = table::load(&mut tx, tables, &open, consumer_outbox, &settings.most).await?;
        let mut outboxes: BTreeMap<OutboxKey, OutboxPass> = BTreeMap::new();
        let mut counts = PassCounts::default();
        self.take = next_take(open.len(), &rows);
        let lost = self.deliver(shared, publisher, rows, &mut outboxes, &mut counts, end).await?;
        // Commit or sync: either makes the confirms durable, so neither waits for the other.
        let written = shared.send_log(SendLog::write);
        let written = written.map_err(|error| send_log_error(shared, &error))?;
        let synced =
            tokio::task::spawn_blocking(move || written.map_or(Ok(()), |file| file.sync_data()));
        let now = (shared.clock)();
        let progress: Vec<Progress> = outboxes
            .iter()
            .filter(|(_, entry)| entry.last.is_some() || entry.failed.is_some())
            .map(|(outbox, entry)| {
                self.made = self.made.wrapping_add(1);
                let mut maker = [0; 8];
                maker[..2].copy_from_slice(&self.made.to_be_bytes());
                maker[2..].copy_from_slice(&self.node);
                Progress { outbox: *outbox, last: entry.last, lock_id: new_id(now, maker) }
            })
            .collect();
        let keep = match owner {
            Owner::Ours if settings.keep.is_some() => Delivered::Keep,
            Owner::Service if settings.copies.is_some() => Delivered::Copy,
            Owner::Ours | Owner::Service => Delivered::Delete,
        };
        match consumer_outbox {
            None => table::record(&mut tx, tables, &progress, keep, now).await?,
            Some(consumer_outbox) => {
                for step in &progress {
                    table::record_consumer_outbox(
                        &mut tx,
                        tables,
                        consumer_outbox,
                        step,
                        keep != Delivered::Delete,
                        now,
                    )
                    .await?;
                }
            }
        }
        tx.commit().await.map_err(crate::db::Error::from)?;
        let synced = synced.await.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        synced.map_err(|error| send_log_error(shared, &error))?;
        finish(shared, &outboxes, &counts, now)?;
        Ok(Outcome { took: true, broker_lost: lost, owner: Some(owner), planted: false })
    }

    /// Publishes the rows and waits for the confirms; whether the connection was lost.
    async fn deliver(
        &mut self,
        shared: &Shared,
        publisher: &mut Publisher,
        rows: Vec<Row>,
        outboxes: &mut BTreeMap<OutboxKey, OutboxPass>,
        counts: &mut PassCounts,
        end: Instant,
    ) -> Result<bool, Error> {
        let budget = shared.settings.budget;
        let (send_until, confirm_until) = (end - budget * 2 / 5, end - budget * 3 / 20);
        let mut round =
            Round { shared, outboxes, counts, late: &mut self.late, until: confirm_until };
        let mut in_flight: Vec<InFlight> = vec![];
        let (mut lost, mut closed) = (false, false);
        let window = shared.settings.window();
        let mut ahead = WriteAhead::new(&rows, window / 2);
        for (at, row) in rows.into_iter().enumerate() {
            if Instant::now() > send_until || shared.stop.is_cancelled() {
                break;
            }
            if in_flight.len() + round.late.len() >= window.div_ceil(2) {
                // The older half: the connection is not idle meanwhile.
                let rest = in_flight.split_off(in_flight.len().div_ceil(2));
                closed |= round.settle(&mut in_flight, false).await?;
                in_flight = rest;
                let written = shared.send_log(SendLog::write);
                written.map_err(|error| send_log_error(shared, &error))?;
                if closed || in_flight.len() + round.late.len() >= window.div_ceil(2) {
                    break;
                }
            }
            let (outbox, sequence) = (row.outbox, row.sequence);
            let entry = round.outboxes.entry(outbox).or_default();
            if entry.failed.is_some() || entry.broken {
                continue;
            }
            ahead.note(shared, at)?;
            match send(shared, publisher, row).await {
                Ok(Sent::Known) => {
                    round.counts.recovered += 1;
                    entry.confirmed.push(sequence);
                    // Otherwise it is recorded with those before it, which are not confirmed yet.
                    if !in_flight.iter().any(|other| other.outbox == outbox) {
                        entry.last = Some(sequence);
                    }
                }
                Ok(Sent::Now(flight)) => {
                    ahead.noted.remove(&sequence);
                    in_flight.push(flight);
                    if self.one_by_one && round.settle(&mut in_flight, true).await? {
                        lost = publisher.reopen().await.is_err();
                        if lost {
                            break;
                        }
                    }
                    if in_flight.len().is_multiple_of(IN_LINE)
                        && let Some(last) = in_flight.last_mut()
                    {
                        // It was sent last, so the others are written before it.
                        match timeout_at(send_until, last.pending.written()).await {
                            Ok(Ok(())) => {}
                            // Their confirms are awaited below.
                            Ok(Err(_)) | Err(_) => break,
                        }
                    }
                }
                Err(Failed::Poison(why)) => {
                    entry.failed = Some(Failure { sequence, why, poison: true });
                    round.counts.failed += 1;
                }
                Err(Failed::Channel(error)) => {
                    tracing::warn!(%error, "publishing was interrupted");
                    round.counts.failed += 1;
                    closed = true;
                    break;
                }
            }
        }
        ahead.end(shared);
        closed |= round.settle(&mut in_flight, false).await?;
        round.end();
        // A closed channel does not say which message closed it: the next pass finds out.
        self.one_by_one = closed;
        Ok(lost || closed && !publisher.is_open() && publisher.reopen().await.is_err())
    }

    /// What the broker has not confirmed of earlier passes.
    pub(super) fn unconfirmed(&mut self, shared: &Shared) -> Result<Unconfirmed, Error> {
        if self.late.is_empty() {
            return Ok(Unconfirmed::Little);
        }
        self.settle_late(shared)?;
        let waited = self.late.iter().map(|flight| flight.sent.elapsed()).max().unwrap_or_default();
        Ok(if waited >= SILENT {
            Unconfirmed::ForLong(self.late.len(), waited)
        } else if self.late.len() >= shared.settings.window().div_ceil(2) {
            Unconfirmed::Much
        } else {
            Unconfirmed::Little
        })
    }

    /// Processes confirms that came after their transaction had ended.
    fn settle_late(&mut self, shared: &Shared) -> Result<(), Error> {
        let mut late = vec![];
        let was: Vec<OutboxKey> = self.late.iter().map(|flight| flight.outbox).collect();
        for mut flight in std::mem::take(&mut self.late) {
            match (&mut flight.pending).now_or_never() {
                None => late.push(flight),
                Some(Ok(Confirmed::Returned)) if holds_outbox(shared, &flight) => {
                    shared.send_log(|log| log.unsent(flight.sequence));
                }
                Some(Ok(confirmed)) => {
                    shared.send_log(|log| log.confirm(flight.sequence, flight.message));
                    if confirmed == Confirmed::Returned {
                        shared.stats.send_modify(|stats| stats.returned += 1);
                    }
                }
                Some(Err(error)) => note_doubt(shared, flight.sequence, flight.message, &error),
            }
        }
        self.late = late;
        let written = shared.send_log(SendLog::write);
        written.map_err(|error| send_log_error(shared, &error))?;
        // Only now, with the confirms in the send log, may a worker take them again.
        let mine = &self.late;
        let waits = |id: &OutboxKey| mine.iter().any(|still| still.outbox == *id);
        shared.late(|late| late.retain(|id| !was.contains(id) || waits(id)));
        Ok(())
    }
}

/// How many outboxes the next pass takes, from how many messages this one had.
fn next_take(taken: usize, rows: &[Row]) -> i64 {
    let mut ids: Vec<OutboxKey> = rows.iter().map(|row| row.outbox).collect();
    // Rows are ordered by outbox.
    ids.dedup();
    let most = if ids.len() < taken { ids.len() + ids.len() / 4 } else { taken * 2 };
    i64::try_from(most).unwrap_or(AT_FIRST).max(AT_LEAST)
}

/// Whether a training scenario is planted and this relay therefore does not deliver; logged when that changes.
async fn is_planted(shared: &Shared, conn: &mut PgConnection) -> Result<bool, Error> {
    if !shared.settings.in_background {
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

/// Whether this relay may deliver from a database with this owner.
fn allowed(shared: &Shared, owner: Option<Owner>) -> Result<Owner, Error> {
    match owner {
        None => Err(Error::Unrecorded),
        Some(Owner::Service) if !shared.settings.beside_service => Err(Error::OfService),
        Some(owner) => Ok(owner),
    }
}

/// After the commit: removes what is recorded from the send log, and backs off from what failed.
fn finish(
    shared: &Shared,
    outboxes: &BTreeMap<OutboxKey, OutboxPass>,
    counts: &PassCounts,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<(), Error> {
    let mut recorded = vec![];
    shared.backoff(|backoff| {
        for (outbox, entry) in outboxes {
            if let Some(last) = entry.last {
                recorded.extend(entry.confirmed.iter().filter(|sequence| **sequence <= last));
            }
            match &entry.failed {
                Some(failure) => backoff.hold(*outbox, failure.clone(), now),
                None if entry.broken => {}
                None => backoff.release(*outbox),
            }
        }
    });
    shared.send_log(|log| log.forget(&recorded)).map_err(|error| send_log_error(shared, &error))?;
    let blocked = shared.backoff(|backoff| backoff.blocked());
    shared.stats.send_modify(|stats| {
        stats.delivered += counts.delivered;
        stats.returned += counts.returned;
        stats.recovered += counts.recovered;
        stats.failed += counts.failed;
        stats.passes += 1;
        stats.held = blocked;
        if counts.delivered + counts.recovered > 0 {
            stats.last = Some(now);
        }
    });
    Ok(())
}

/// The broker may have received it, and it is sent again: counted at once, even if this pass fails.
fn note_doubt(shared: &Shared, sequence: i64, message: Uuid, why: &dyn Display) {
    tracing::warn!(sequence, %message, why = %why, "perhaps sent twice");
    shared.stats.send_modify(|stats| stats.doubt(Doubt { sequence, message }));
}

/// What happened to a row.
enum Sent {
    /// The send log knows that it was confirmed before.
    Known,
    Now(InFlight),
}

enum Failed {
    /// It can never be sent; the channel is still open.
    Poison(String),
    Channel(relay::Error),
}

async fn send(shared: &Shared, publisher: &mut Publisher, row: Row) -> Result<Sent, Failed> {
    let (bytes, limit) = (row.bytes, shared.settings.most.message_bytes);
    let Some(stored) = row.stored else {
        return Err(Failed::Poison(Poison::TooLarge { bytes, limit }.to_string()));
    };
    let (outbox, sequence, message) = (row.outbox, row.sequence, stored.message.0);
    if shared.send_log(|log| log.knows(sequence, message)) {
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
    if shared.send_log(|log| log.was_left(sequence, message)) {
        note_doubt(shared, sequence, message, &"a relay died before it noted the broker's answer");
    }
    let mandatory = outgoing.mandatory;
    let pending = publisher.send(outgoing);
    let sent = Instant::now();
    Ok(Sent::Now(InFlight { outbox, sequence, message, mandatory, sent, pending }))
}

/// Whether a message that was routed to no queue blocks its outbox.
fn holds_outbox(shared: &Shared, flight: &InFlight) -> bool {
    flight.mandatory || shared.settings.nobody_listens == NobodyListens::Hold
}

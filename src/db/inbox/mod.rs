//! The inbox: what consumers received, how often, how long it took, and what was never finished.

mod hours;
mod rows;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{AssertSqlSafe, FromRow, PgConnection, Postgres, QueryBuilder};
use uuid::Uuid;

use super::{
    Error, Index, Layout, OfTable, Table,
    outbox::locks,
    samples::Seen,
    sql::{NEVER, moment, took},
};
use crate::domain::{
    diagnosis::{HalfDone, Inbound, Latency, Lock, Tally},
    id::{ConsumerId, MessageId},
    outbox::Owner,
};

pub use self::{
    hours::{HOURS, Hour, first, hours},
    rows::{InboxRow, InboxView, failed, glance, list, of_message},
};

const INBOX: &str = Table::InboxStates.name();
/// How many of the newest rows are added up on a large table.
pub const MOST: i64 = 20_000;
/// A table is large when it has more rows than this.
const LARGE: i64 = 60_000;
/// How many rows that are not delivered are added up.
const MOST_OPEN: i64 = 40_000;
/// How many of the newest deliveries are measured for latencies.
const TIMED: i64 = 2_000;
/// How many half-done rows are read.
const HALVES: i64 = 20;
/// Counting what is wrong stops here.
const MOST_WRONG: i64 = 10_000;
/// For how many rows that look as if they failed the locks are checked.
pub const PROBED: i64 = 100;
/// Where a consumer's messages are unknown, its passes beyond the smallest number seen are duplicates only if
/// that number rests on so many rows.
const ENOUGH: i64 = 20;

/// What one consumer's rows add up to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerRow {
    pub consumer: ConsumerId,
    pub rows: i64,
    pub last_hour: i64,
    pub done: i64,
    pub failing: i64,
    pub oldest_failing: Option<DateTime<Utc>>,
    pub half_done: i64,
    pub duplicates_exact: i64,
    pub duplicates_estimated: i64,
    /// Done in the last hour, and second deliveries of those.
    pub recent_done: i64,
    pub recent_duplicates: i64,
    pub latency: Option<Latency>,
}

/// Delivered rows of a consumer with so many passes: those that produced nothing, or those that produced messages.
#[derive(FromRow)]
struct Done {
    consumer_id: ConsumerId,
    silent: bool,
    passes: i32,
    rows: i64,
    last_hour: i64,
}

/// Rows of a consumer that are not delivered.
#[derive(FromRow)]
struct Open {
    consumer_id: ConsumerId,
    rows: i64,
    last_hour: i64,
    failing: i64,
    oldest_failing: Option<DateTime<Utc>>,
    half_done: i64,
}

#[derive(FromRow)]
struct Timed {
    consumer_id: ConsumerId,
    rows: i64,
    times: Vec<i64>,
}

/// Whether sums are over all rows, or the newest [`MOST`].
pub fn sums_all(layout: &Layout) -> bool {
    layout.estimated_rows(Table::InboxStates).is_none_or(|rows| rows <= LARGE)
}

/// Whether all rows that are not delivered were counted: counting stops at `MOST_OPEN`.
pub fn counts_all_open(rows: &[ConsumerRow]) -> bool {
    rows.iter().map(|row| row.rows - row.done).sum::<i64>() < MOST_OPEN
}

/// The rows that sums are over, as a source of a query, named `s`.
fn summed(layout: &Layout) -> String {
    let from = layout.from(Table::InboxStates);
    if sums_all(layout) {
        format!("{from} s")
    } else {
        format!("(SELECT * FROM {from} w ORDER BY id DESC LIMIT {MOST}) s")
    }
}

/// Sums per consumer as of `now`, most rows first. `held` is how old a row must be to count as failing;
/// rows that took longer than `window` were replayed and are left out of latencies.
///
/// Three statements, because one over all rows with a condition for each figure costs four times as much.
pub async fn consumers(
    conn: &mut PgConnection,
    layout: &Layout,
    now: DateTime<Utc>,
    held: TimeDelta,
    window: TimeDelta,
) -> Result<Vec<ConsumerRow>, Error> {
    let from = layout.from(Table::InboxStates);
    let rows = summed(layout);
    let sql = format!(
        "SELECT consumer_id, last_sequence_number IS NULL AS silent, receive_count AS passes, count(*) AS rows, \
         count(*) FILTER (WHERE received > $1) AS last_hour \
         FROM {rows} WHERE delivered IS NOT NULL GROUP BY 1, 2, 3 LIMIT 10000"
    );
    let hour = now - TimeDelta::hours(1);
    let done: Vec<Done> =
        sqlx::query_as(AssertSqlSafe(sql)).bind(hour).fetch_all(&mut *conn).await.of(INBOX)?;
    let sql = format!(
        "SELECT consumer_id, count(*) AS rows, count(*) FILTER (WHERE received > $1) AS last_hour, \
         count(*) FILTER (WHERE consumed IS NULL AND received < $2) AS failing, {} AS oldest_failing, \
         count(*) FILTER (WHERE consumed IS NOT NULL) AS half_done \
         FROM (SELECT * FROM {from} w WHERE delivered IS NULL LIMIT {MOST_OPEN}) s GROUP BY 1 LIMIT 1000",
        moment("min(received) FILTER (WHERE consumed IS NULL AND received < $2)"),
    );
    let open: Vec<Open> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(hour)
        .bind(now - held)
        .fetch_all(&mut *conn)
        .await
        .of(INBOX)?;
    let took = took("received", "delivered");
    // The service's own index on `delivered` gives the newest; without it all rows are sorted.
    let sql = format!(
        "SELECT consumer_id, count(*) AS rows, percentile_disc(ARRAY[0.5, 0.95, 0.99]) \
         WITHIN GROUP (ORDER BY took) AS times FROM (SELECT consumer_id, \
           (extract(epoch FROM {took}) * 1000)::bigint AS took FROM (SELECT * FROM {from} w \
             WHERE delivered IS NOT NULL ORDER BY delivered DESC LIMIT {TIMED}) n \
           WHERE {took} BETWEEN '0'::interval AND make_interval(secs => $1)) d GROUP BY 1"
    );
    let timed: Vec<Timed> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(window.as_seconds_f64())
        .fetch_all(conn)
        .await
        .of(INBOX)?;
    Ok(together(&done, &open, &timed))
}

fn together(done: &[Done], open: &[Open], timed: &[Timed]) -> Vec<ConsumerRow> {
    let mut out: BTreeMap<ConsumerId, ConsumerRow> = BTreeMap::new();
    let of = |consumer: ConsumerId| ConsumerRow {
        consumer,
        rows: 0,
        last_hour: 0,
        done: 0,
        failing: 0,
        oldest_failing: None,
        half_done: 0,
        duplicates_exact: 0,
        duplicates_estimated: 0,
        recent_done: 0,
        recent_duplicates: 0,
        latency: None,
    };
    // By consumer: rows that produced messages, and the smallest number of passes among them.
    let mut loud: BTreeMap<ConsumerId, (i64, i32)> = BTreeMap::new();
    for row in done.iter().filter(|row| !row.silent) {
        let (rows, least) = loud.entry(row.consumer_id).or_insert((0, i32::MAX));
        (*rows, *least) = (*rows + row.rows, row.passes.min(*least));
    }
    for row in done {
        let sum = out.entry(row.consumer_id).or_insert_with(|| of(row.consumer_id));
        sum.rows += row.rows;
        sum.done += row.rows;
        sum.last_hour += row.last_hour;
        // A row with a cursor produced one message at least: four passes are its normal number.
        let least = match loud.get(&row.consumer_id) {
            _ if row.silent => 3,
            Some(&(rows, least)) if rows >= ENOUGH => least.max(4),
            Some(_) | None => 4,
        };
        let beyond = i64::from((row.passes - least).max(0));
        if row.silent {
            sum.duplicates_exact += beyond * row.rows;
        } else {
            sum.duplicates_estimated += beyond * row.rows;
        }
        sum.recent_done += row.last_hour;
        sum.recent_duplicates += beyond * row.last_hour;
    }
    for row in open {
        let sum = out.entry(row.consumer_id).or_insert_with(|| of(row.consumer_id));
        sum.rows += row.rows;
        sum.last_hour += row.last_hour;
        sum.failing += row.failing;
        sum.half_done += row.half_done;
        sum.oldest_failing = row.oldest_failing;
    }
    for row in timed {
        if let (Some(sum), &[p50, p95, p99]) = (out.get_mut(&row.consumer_id), row.times.as_slice())
        {
            let time = TimeDelta::milliseconds;
            sum.latency =
                Some(Latency { rows: row.rows, p50: time(p50), p95: time(p95), p99: time(p99) });
        }
    }
    let mut rows: Vec<_> = out.into_values().collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.rows));
    rows
}

/// Who works on the oldest unhandled rows received before a moment, found by the rows' locks: by consumer, at most
/// [`PROBED`] rows.
pub async fn at_work(
    conn: &mut PgConnection,
    layout: &Layout,
    before: DateTime<Utc>,
) -> Result<Vec<(ConsumerId, Lock)>, Error> {
    let mut sql = QueryBuilder::<Postgres>::new(format!(
        "SELECT message_id, consumer_id FROM {} s WHERE delivered IS NULL AND consumed IS NULL AND received < ",
        layout.from(Table::InboxStates),
    ));
    sql.push_bind(before).push(format!(" ORDER BY received LIMIT {PROBED}"));
    let rows: Vec<(MessageId, ConsumerId)> =
        sql.build_query_as().fetch_all(&mut *conn).await.of(INBOX)?;
    let of = |(message, consumer): &(MessageId, ConsumerId)| Owner::Consumer {
        message: *message,
        consumer: *consumer,
    };
    let owners: Vec<_> = rows.iter().map(of).collect();
    let mut locks = locks(conn, layout, &owners).await.unwrap_or_default();
    let lock = |row: (MessageId, ConsumerId)| (row.1, locks.remove(&of(&row)).unwrap_or_default());
    Ok(rows.into_iter().map(lock).collect())
}

/// Deliveries that consumers finished from a moment on, oldest first, at most `limit`; none where no index leads to
/// them.
pub async fn finished(
    conn: &mut PgConnection,
    layout: &Layout,
    from: DateTime<Utc>,
    limit: i64,
) -> Result<Option<Vec<Seen>>, Error> {
    if !layout.has_or_small(Index::InboxDelivered, Table::InboxStates) {
        return Ok(None);
    }
    let mut sql = QueryBuilder::<Postgres>::new(format!(
        "SELECT message_id, consumer_id, {} AS received, {} AS delivered FROM {} s \
         WHERE delivered < {NEVER} AND delivered >= ",
        moment("received"),
        moment("delivered"),
        layout.from(Table::InboxStates),
    ));
    sql.push_bind(from).push(" ORDER BY s.delivered LIMIT ").push_bind(limit);
    let rows: Vec<(Uuid, Uuid, DateTime<Utc>, DateTime<Utc>)> =
        sql.build_query_as().fetch_all(conn).await.of(INBOX)?;
    let seen = rows.into_iter().map(|(message, consumer, received, delivered)| Seen {
        message,
        consumer,
        received,
        delivered,
    });
    Ok(Some(seen.collect()))
}

#[derive(FromRow)]
struct Half {
    message_id: MessageId,
    consumer_id: ConsumerId,
    consumed: DateTime<Utc>,
    receive_count: i32,
    pending: i64,
    without_destination: bool,
    destinations: Vec<String>,
}

/// The oldest rows that are consumed, but not delivered.
pub async fn halves(conn: &mut PgConnection, layout: &Layout) -> Result<Vec<HalfDone>, Error> {
    let indexed = layout.has_or_small(Index::MessageInbox, Table::OutboxMessages);
    let columns = "sequence_number, inbox_message_id, inbox_consumer_id, destination_address";
    let from = layout.from(Table::OutboxMessages);
    let messages = if indexed {
        from.to_owned()
    } else {
        let most = super::outbox::MOST_WITHOUT_INDEX;
        format!("(SELECT {columns} FROM {from} w ORDER BY sequence_number LIMIT {most})")
    };
    let sql = format!(
        "SELECT s.message_id, s.consumer_id, {} AS consumed, s.receive_count, \
         coalesce(m.pending, 0) AS pending, coalesce(m.without_destination, false) AS without_destination, \
         coalesce(m.destinations, '{{}}') AS destinations \
         FROM (SELECT * FROM {} w WHERE delivered IS NULL AND consumed IS NOT NULL ORDER BY received LIMIT {HALVES}) s \
         LEFT JOIN LATERAL (SELECT count(*) AS pending, bool_or(destination_address IS NULL) AS without_destination, \
             (array_agg(DISTINCT destination_address::text) FILTER (WHERE destination_address IS NOT NULL))[1:5] \
               AS destinations \
           FROM (SELECT destination_address FROM {messages} m WHERE m.inbox_message_id = s.message_id \
             AND m.inbox_consumer_id = s.consumer_id AND m.sequence_number > coalesce(s.last_sequence_number, 0) \
             ORDER BY sequence_number LIMIT 1000) x) m ON true ORDER BY s.received",
        moment("s.consumed"),
        layout.from(Table::InboxStates),
    );
    let rows: Vec<Half> = sqlx::query_as(AssertSqlSafe(sql))
        .fetch_all(&mut *conn)
        .await
        .of(Table::OutboxMessages.name())?;
    let of = |row: &Half| Owner::Consumer { message: row.message_id, consumer: row.consumer_id };
    let owners: Vec<_> = rows.iter().map(of).collect();
    let mut locks = locks(conn, layout, &owners).await.unwrap_or_default();
    Ok(rows
        .into_iter()
        .map(|row| HalfDone {
            message: row.message_id,
            consumer: row.consumer_id,
            consumed: row.consumed,
            passes: row.receive_count,
            pending: row.pending,
            without_destination: row.without_destination,
            lock: locks.remove(&of(&row)).unwrap_or_default(),
            destinations: row.destinations,
            inbound: Inbound::Unknown,
        })
        .collect())
}

/// Delivered rows past the window: those that outbox rows refer to, one of them, and all.
pub async fn cleanup(
    conn: &mut PgConnection,
    layout: &Layout,
    before: DateTime<Utc>,
) -> Result<(Tally, Option<MessageId>, Tally), Error> {
    let mut sql = QueryBuilder::<Postgres>::new(format!(
        "WITH blocking AS MATERIALIZED (SELECT DISTINCT i.message_id FROM (SELECT inbox_message_id, inbox_consumer_id \
           FROM {} m WHERE inbox_message_id IS NOT NULL LIMIT {MOST_WRONG}) m \
           JOIN {} i ON i.message_id = m.inbox_message_id AND i.consumer_id = m.inbox_consumer_id \
           WHERE i.delivered < ",
        if layout.has_or_small(Index::MessageInbox, Table::OutboxMessages) {
            layout.from(Table::OutboxMessages).to_owned()
        } else {
            format!(
                "(SELECT inbox_message_id, inbox_consumer_id FROM {} w ORDER BY sequence_number LIMIT {})",
                layout.from(Table::OutboxMessages),
                super::outbox::MOST_WITHOUT_INDEX
            )
        },
        layout.from(Table::InboxStates),
    ));
    sql.push_bind(before);
    sql.push(format!(
        ") SELECT (SELECT count(*) FROM blocking), (SELECT message_id FROM blocking LIMIT 1), \
         (SELECT count(*) FROM (SELECT FROM {} s WHERE delivered < ",
        layout.from(Table::InboxStates)
    ));
    sql.push_bind(before).push(format!(" LIMIT {MOST_WRONG}) x)"));
    let (blocking, one, past): (i64, Option<MessageId>, i64) =
        sql.build_query_as().fetch_one(conn).await.of(INBOX)?;
    Ok((Tally::up_to(blocking, MOST_WRONG), one, Tally::up_to(past, MOST_WRONG)))
}

/// Received again after it was done. Exact only where the consumer produced nothing; else one pass a message is
/// assumed.
const AGAIN: &str = "delivered IS NOT NULL AND receive_count > CASE WHEN last_sequence_number IS NULL THEN 3 ELSE 4 END";

//! What the relay does in the database: lock pending outboxes, load their messages, record how far they were delivered.
//!
//! Each pass is one short READ COMMITTED transaction. The rows of `outbox_state` are locked first and alone; later
//! statements read their messages and see everything that was committed before the lock was taken. REPEATABLE READ,
//! which the service uses, would read with the snapshot from before the lock and fail with 40001 wherever the service's
//! workers had just been.

mod consumer_outbox;

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, FromRow, PgConnection};
use uuid::Uuid;

use super::{
    Error, Layout, Limits, OfTable, Table, archive,
    outbox::{self, StoredRow},
};
use crate::{
    domain::{id::OutboxId, outbox::OutboxKey, stored_message::StoredMessage},
    servers::Servers,
};
pub use consumer_outbox::{
    ConsumerOutbox, consumer_outbox_waiting, half_done, is_consumer_outbox_pending,
    lock_consumer_outbox, record_consumer_outbox,
};

/// Opens the relay's own session, by this name: it writes, so it is none of the pool's. A transaction of a process
/// that froze in it is ended by the server after `open` and a second. Statements are planned at each pass: a plan kept
/// from when the tables were empty reads them whole for every outbox once there is a backlog.
pub async fn connect(
    servers: &Servers,
    who: &str,
    limits: &Limits,
    open: Duration,
) -> Result<PgConnection, Error> {
    let mut conn = super::connect(servers, who).await?;
    let set_up = format!(
        "SET statement_timeout = {}; SET lock_timeout = {}; \
         SET idle_in_transaction_session_timeout = {}; \
         SET default_transaction_isolation = 'read committed'; \
         SET search_path = pg_catalog, pg_temp; SET TimeZone = 'UTC'; SET jit = off; \
         SET plan_cache_mode = force_custom_plan",
        limits.statement.as_millis(),
        limits.lock.as_millis(),
        open.as_millis() + 1_000,
    );
    sqlx::raw_sql(AssertSqlSafe(set_up)).execute(&mut conn).await?;
    Ok(conn)
}

/// The tables that are delivered from, as statements name them. Their schema may be any; their own names and columns
/// are those of the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxTables {
    messages: String,
    states: String,
    inbox: String,
}

impl OutboxTables {
    /// The tables that the probe found.
    ///
    /// # Errors
    /// When one is missing, cannot be read, or is spelt otherwise.
    pub fn of(layout: &Layout) -> Result<Self, Error> {
        let name = |table: Table| {
            let name = table.name();
            if !layout.reads(table) {
                return Err(Error::MissingTable(format!("{name} is not there or cannot be read")));
            }
            layout.as_documented(table).map(ToOwned::to_owned).ok_or_else(|| {
                let relation = layout.relation(table).unwrap_or_default();
                let (schema, own) = relation.rsplit_once('.').unwrap_or_default();
                let same = own.trim_matches('"') == name;
                let found = if same { "with columns of other names" } else { relation };
                Error::Spelt { wanted: format!("{schema}.{name}"), found: found.to_owned() }
            })
        };
        Ok(Self {
            messages: name(Table::OutboxMessages)?,
            states: name(Table::OutboxStates)?,
            inbox: name(Table::InboxStates)?,
        })
    }
}

/// A pending outbox that is locked by this transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    pub outbox: OutboxKey,
    pub created: DateTime<Utc>,
    /// The last message recorded as sent, 0 for none.
    pub cursor: i64,
}

/// Locks the oldest pending outboxes that nobody else holds, leaving out `held`; with `only`, that one or none.
pub async fn lock(
    conn: &mut PgConnection,
    tables: &OutboxTables,
    held: &[Uuid],
    only: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Open>, Error> {
    let OutboxTables { messages, states, .. } = tables;
    let sql = format!(
        "SELECT s.outbox_id, {} AS created, coalesce(s.last_sequence_number, 0) AS cursor \
         FROM {states} s \
         WHERE s.delivered IS NULL AND s.outbox_id <> ALL($1) \
           AND ($3::uuid IS NULL OR s.outbox_id = $3) \
           AND EXISTS (SELECT FROM {messages} m WHERE m.outbox_id = s.outbox_id \
                       AND m.sequence_number > coalesce(s.last_sequence_number, 0)) \
         ORDER BY s.created, s.outbox_id LIMIT $2 FOR UPDATE OF s SKIP LOCKED",
        super::sql::moment("s.created"),
    );
    let asked = sqlx::query_as(AssertSqlSafe(sql)).bind(held).bind(limit).bind(only);
    let rows: Vec<(OutboxId, DateTime<Utc>, i64)> =
        asked.fetch_all(conn).await.of(Table::OutboxStates.name())?;
    let open = |(outbox, created, cursor)| Open { outbox: OutboxKey::Bus(outbox), created, cursor };
    Ok(rows.into_iter().map(open).collect())
}

/// Whether anything is pending, locked by others or not, leaving out `held`; with `only`, in that outbox.
pub async fn is_pending(
    conn: &mut PgConnection,
    tables: &OutboxTables,
    held: &[Uuid],
    only: Option<Uuid>,
) -> Result<bool, Error> {
    let OutboxTables { messages, states, .. } = tables;
    let sql = format!(
        "SELECT EXISTS (SELECT FROM {states} s \
         WHERE s.delivered IS NULL AND s.outbox_id <> ALL($1) \
           AND ($2::uuid IS NULL OR s.outbox_id = $2) \
           AND EXISTS (SELECT FROM {messages} m WHERE m.outbox_id = s.outbox_id \
                       AND m.sequence_number > coalesce(s.last_sequence_number, 0)))"
    );
    Ok(sqlx::query_scalar(AssertSqlSafe(sql)).bind(held).bind(only).fetch_one(conn).await?)
}

/// How much waits in how many outboxes, counted up to [`MOST_COUNTED`] messages, leaving out `held`; with `only`,
/// in that one.
pub async fn waiting(
    conn: &mut PgConnection,
    tables: &OutboxTables,
    held: &[Uuid],
    only: Option<Uuid>,
) -> Result<(i64, i64), Error> {
    let OutboxTables { messages, states, .. } = tables;
    let sql = format!(
        "SELECT count(DISTINCT outbox_id), count(*) FROM (SELECT s.outbox_id \
         FROM {states} s JOIN {messages} m ON m.outbox_id = s.outbox_id \
           AND m.sequence_number > coalesce(s.last_sequence_number, 0) \
         WHERE s.delivered IS NULL AND s.outbox_id <> ALL($1) \
           AND ($2::uuid IS NULL OR s.outbox_id = $2) LIMIT $3) waiting"
    );
    Ok(sqlx::query_as(AssertSqlSafe(sql))
        .bind(held)
        .bind(only)
        .bind(MOST_COUNTED)
        .fetch_one(conn)
        .await?)
}

/// The message that leaves next, of the oldest pending outbox that is not among `held`; with `only`, of that one.
pub async fn next_waiting(
    conn: &mut PgConnection,
    tables: &OutboxTables,
    held: &[Uuid],
    only: Option<Uuid>,
) -> Result<Option<(Uuid, i64)>, Error> {
    let OutboxTables { messages, states, .. } = tables;
    let sql = format!(
        "SELECT s.outbox_id, m.sequence_number FROM {states} s \
         CROSS JOIN LATERAL (SELECT m.sequence_number FROM {messages} m \
           WHERE m.outbox_id = s.outbox_id AND m.sequence_number > coalesce(s.last_sequence_number, 0) \
           ORDER BY m.sequence_number LIMIT 1) m \
         WHERE s.delivered IS NULL AND s.outbox_id <> ALL($1) \
           AND ($2::uuid IS NULL OR s.outbox_id = $2) \
         ORDER BY s.created, s.outbox_id LIMIT 1"
    );
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(held)
        .bind(only)
        .fetch_optional(conn)
        .await
        .of(Table::OutboxMessages.name())
}

/// Counting stops here.
pub const MOST_COUNTED: i64 = 100_000;

/// The limits of one pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Most {
    pub outboxes: i64,
    pub messages: i64,
    /// Of bodies, in bytes; one message more than this is taken alone.
    pub bytes: i64,
    /// A longer body is not read.
    pub message_bytes: i64,
}

/// A pending message of a locked outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub outbox: OutboxKey,
    pub sequence: i64,
    /// Length of the body.
    pub bytes: i64,
    /// Nothing where the body is longer than may be sent.
    pub stored: Option<StoredMessage>,
}

#[derive(FromRow)]
struct Loaded {
    outbox_id: Uuid,
    sequence_number: i64,
    bytes: i64,
    #[sqlx(flatten)]
    stored: StoredRow,
}

/// The next messages of locked outboxes: oldest outbox first, in the order of each. With `half`, those of that
/// half-done consumer, which is all that is `open` then.
pub async fn load(
    conn: &mut PgConnection,
    tables: &OutboxTables,
    open: &[Open],
    consumer_outbox: Option<ConsumerOutbox>,
    most: &Most,
) -> Result<Vec<Row>, Error> {
    let OutboxTables { messages, .. } = tables;
    // Those of a consumer are found by their own two columns.
    let ids: Vec<Uuid> = open.iter().map(|open| bus(open.outbox).unwrap_or_default()).collect();
    let cursors: Vec<i64> = open.iter().map(|open| open.cursor).collect();
    let owned = match consumer_outbox {
        None => "m.outbox_id = c.outbox_id",
        Some(_) => "m.inbox_message_id = $6 AND m.inbox_consumer_id = $7",
    };
    // A long body is stored beside its row, and read only for those that are picked.
    let stored = outbox::stored_columns(|name| match name {
        "body" => Some("CASE WHEN m.bytes <= $5 THEN m.body END".to_owned()),
        "expiration_time" => Some(super::sql::sendable("m.expiration_time")),
        _ => None,
    });
    let names = outbox::STORED_NAMES;
    let sql = format!(
        "WITH picked AS (SELECT c.rank, c.outbox_id, x.*, \
             row_number() OVER line AS n, sum(x.bytes) OVER line - x.bytes AS before \
           FROM unnest($1::uuid[], $2::bigint[]) WITH ORDINALITY AS c(outbox_id, cursor, rank) \
             CROSS JOIN LATERAL (SELECT {names}, octet_length(m.body)::bigint AS bytes \
               FROM {messages} m \
               WHERE {owned} AND m.sequence_number > c.cursor \
               ORDER BY m.sequence_number LIMIT $3) x \
           WINDOW line AS (ORDER BY c.rank, x.sequence_number ROWS UNBOUNDED PRECEDING)) \
         SELECT m.outbox_id, m.sequence_number, m.bytes, {stored} \
         FROM picked m WHERE m.n <= $3 AND m.before < $4 ORDER BY m.rank, m.sequence_number"
    );
    let mut query = sqlx::query_as(AssertSqlSafe(sql))
        .bind(ids)
        .bind(cursors)
        .bind(most.messages)
        .bind(most.bytes)
        .bind(most.message_bytes);
    if let Some(consumer_outbox) = consumer_outbox {
        query = query.bind(consumer_outbox.message_id).bind(consumer_outbox.consumer_id);
    }
    let rows: Vec<Loaded> = query.fetch_all(conn).await.of(Table::OutboxMessages.name())?;
    Ok(rows.into_iter().map(|row| row.of(consumer_outbox)).collect())
}

impl Loaded {
    fn of(self, consumer_outbox: Option<ConsumerOutbox>) -> Row {
        Row {
            outbox: consumer_outbox
                .map_or(OutboxKey::Bus(OutboxId(self.outbox_id)), |consumer_outbox| {
                    consumer_outbox.key()
                }),
            sequence: self.sequence_number,
            bytes: self.bytes,
            stored: self.stored.message(),
        }
    }
}

/// What a pass records of one outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub outbox: OutboxKey,
    /// The last message that the broker confirmed; none where the first already failed.
    pub last: Option<i64>,
    /// A `NewId` of now: the only sign of an attempt in the tables.
    pub lock_id: Uuid,
}

/// What happens to delivered messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivered {
    /// They stay until they are purged: a database of our own.
    Keep,
    /// They go at once, as MassTransit does it: a database of a service.
    Delete,
    /// They go at once, and copies stay in schema `orderscope`.
    Copy,
}

/// Records the progress of bus outboxes, in the caller's transaction.
pub async fn record(
    conn: &mut PgConnection,
    tables: &OutboxTables,
    progress: &[Progress],
    delivered: Delivered,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let OutboxTables { messages, states, .. } = tables;
    let ids: Vec<Uuid> = progress.iter().filter_map(|step| bus(step.outbox)).collect();
    let lasts: Vec<Option<i64>> = progress.iter().map(|step| step.last).collect();
    let locks: Vec<Uuid> = progress.iter().map(|step| step.lock_id).collect();
    let update = format!(
        "UPDATE {states} s SET lock_id = c.lock_id, \
           last_sequence_number = coalesce(c.last, s.last_sequence_number), \
           delivered = CASE WHEN c.last IS NOT NULL AND NOT EXISTS ( \
             SELECT FROM {messages} m \
             WHERE m.outbox_id = s.outbox_id AND m.sequence_number > c.last) THEN $4 END \
         FROM unnest($1::uuid[], $2::bigint[], $3::uuid[]) AS c(outbox_id, last, lock_id) \
         WHERE s.outbox_id = c.outbox_id AND s.delivered IS NULL"
    );
    let changed = sqlx::query(AssertSqlSafe(update))
        .bind(&ids)
        .bind(&lasts)
        .bind(&locks)
        .bind(now)
        .execute(&mut *conn)
        .await?
        .rows_affected();
    if changed != ids.len() as u64 {
        let why = format!("{changed} of {} locked outboxes could be written", ids.len());
        return Err(Error::Conflict(why));
    }
    if delivered == Delivered::Copy {
        archive::delivered(conn, messages, &ids, &lasts).await?;
    }
    if delivered != Delivered::Keep {
        let messages = format!(
            "DELETE FROM {messages} m \
             USING unnest($1::uuid[], $2::bigint[]) AS c(outbox_id, last) \
             WHERE m.outbox_id = c.outbox_id AND m.sequence_number <= c.last"
        );
        sqlx::query(AssertSqlSafe(messages)).bind(&ids).bind(&lasts).execute(&mut *conn).await?;
        let states =
            format!("DELETE FROM {states} WHERE outbox_id = ANY($1) AND delivered IS NOT NULL");
        sqlx::query(AssertSqlSafe(states)).bind(&ids).execute(conn).await?;
    }
    Ok(())
}

/// Removes up to `limit` outboxes that were delivered before a moment, with their messages. By
/// `delivered`, never by `sent_time`: that would remove what was never sent.
pub async fn purge(
    conn: &mut PgConnection,
    tables: &OutboxTables,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<u64, Error> {
    let OutboxTables { messages, states, .. } = tables;
    let sql = format!(
        "WITH old AS MATERIALIZED (SELECT outbox_id FROM {states} \
           WHERE delivered < $1 ORDER BY delivered LIMIT $2 FOR UPDATE SKIP LOCKED), \
         gone AS (DELETE FROM {messages} m USING old WHERE m.outbox_id = old.outbox_id \
           RETURNING m.outbox_id) \
         SELECT outbox_id FROM old WHERE (SELECT count(*) FROM gone) >= 0"
    );
    let ids: Vec<Uuid> = sqlx::query_scalar(AssertSqlSafe(sql))
        .bind(before)
        .bind(limit)
        .fetch_all(&mut *conn)
        .await?;
    let done =
        sqlx::query(AssertSqlSafe(format!("DELETE FROM {states} WHERE outbox_id = ANY($1)")))
            .bind(&ids)
            .execute(conn)
            .await?;
    Ok(done.rows_affected())
}

/// The id of a bus outbox.
const fn bus(outbox: OutboxKey) -> Option<Uuid> {
    match outbox {
        OutboxKey::Bus(outbox) => Some(outbox.0),
        OutboxKey::Consumer { .. } => None,
    }
}

/// Which of these messages (by number) are still pending.
pub async fn still_pending(
    conn: &mut PgConnection,
    tables: &OutboxTables,
    sequences: &[i64],
) -> Result<Vec<i64>, Error> {
    let OutboxTables { messages, states, inbox } = tables;
    let sql = format!(
        "SELECT m.sequence_number FROM {messages} m \
         JOIN {states} s ON s.outbox_id = m.outbox_id \
         WHERE m.sequence_number = ANY($1) AND s.delivered IS NULL \
           AND m.sequence_number > coalesce(s.last_sequence_number, 0) \
         UNION ALL \
         SELECT m.sequence_number FROM {messages} m \
         JOIN {inbox} i ON i.message_id = m.inbox_message_id \
           AND i.consumer_id = m.inbox_consumer_id \
         WHERE m.sequence_number = ANY($1) AND i.delivered IS NULL \
           AND m.sequence_number > coalesce(i.last_sequence_number, 0)"
    );
    sqlx::query_scalar(AssertSqlSafe(sql))
        .bind(sequences)
        .fetch_all(conn)
        .await
        .of(Table::OutboxMessages.name())
}

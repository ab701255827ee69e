//! Half-done consumers: their work is committed, their messages are not recorded as delivered. The cursor is in
//! `inbox_state`.

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, FromRow, PgConnection};
use uuid::Uuid;

use super::{
    super::{Error, OfTable, Table, archive, sql::moment},
    Open, OutboxTables, Progress,
};
use crate::domain::{
    id::{ConsumerId, MessageId},
    outbox::OutboxKey,
};

/// A half-done consumer: one row of `inbox_state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, FromRow)]
pub struct ConsumerOutbox {
    pub message_id: Uuid,
    pub consumer_id: Uuid,
}

impl ConsumerOutbox {
    /// As outboxes are named.
    #[must_use]
    pub const fn key(&self) -> OutboxKey {
        OutboxKey::Consumer {
            message: MessageId(self.message_id),
            consumer: ConsumerId(self.consumer_id),
        }
    }
}

/// Those with pending messages, consumed before a moment, that no session has locked.
pub async fn half_done(
    conn: &mut PgConnection,
    tables: &OutboxTables,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<ConsumerOutbox>, Error> {
    let OutboxTables { messages, inbox, .. } = tables;
    let sql = format!(
        "SELECT i.message_id, i.consumer_id FROM {inbox} i \
         WHERE i.delivered IS NULL AND i.consumed < $1 \
           AND EXISTS (SELECT FROM {messages} m WHERE m.inbox_message_id = i.message_id \
                       AND m.inbox_consumer_id = i.consumer_id \
                       AND m.sequence_number > coalesce(i.last_sequence_number, 0)) \
         ORDER BY i.consumed LIMIT $2 FOR UPDATE OF i SKIP LOCKED"
    );
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(before)
        .bind(limit)
        .fetch_all(conn)
        .await
        .of(Table::InboxStates.name())
}

/// Locks one of them, if it is still half-done and free.
pub async fn lock_consumer_outbox(
    conn: &mut PgConnection,
    tables: &OutboxTables,
    consumer_outbox: ConsumerOutbox,
    before: DateTime<Utc>,
) -> Result<Option<Open>, Error> {
    let OutboxTables { inbox, .. } = tables;
    let sql = format!(
        "SELECT {} AS created, coalesce(i.last_sequence_number, 0) AS cursor \
         FROM {inbox} i \
         WHERE i.message_id = $1 AND i.consumer_id = $2 AND i.delivered IS NULL AND i.consumed < $3 \
         FOR UPDATE OF i SKIP LOCKED",
        moment("i.consumed"),
    );
    let found: Option<(DateTime<Utc>, i64)> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(consumer_outbox.message_id)
        .bind(consumer_outbox.consumer_id)
        .bind(before)
        .fetch_optional(conn)
        .await
        .of(Table::InboxStates.name())?;
    Ok(found.map(|(created, cursor)| Open { outbox: consumer_outbox.key(), created, cursor }))
}

/// Whether it still has messages to deliver, locked or not.
pub async fn is_consumer_outbox_pending(
    conn: &mut PgConnection,
    tables: &OutboxTables,
    consumer_outbox: ConsumerOutbox,
) -> Result<bool, Error> {
    let OutboxTables { messages, inbox, .. } = tables;
    let sql = format!(
        "SELECT EXISTS (SELECT FROM {inbox} i WHERE i.message_id = $1 \
         AND i.consumer_id = $2 AND i.consumed IS NOT NULL AND i.delivered IS NULL \
         AND EXISTS (SELECT FROM {messages} m WHERE m.inbox_message_id = i.message_id \
                     AND m.inbox_consumer_id = i.consumer_id \
                     AND m.sequence_number > coalesce(i.last_sequence_number, 0)))"
    );
    let asked = sqlx::query_scalar(AssertSqlSafe(sql))
        .bind(consumer_outbox.message_id)
        .bind(consumer_outbox.consumer_id);
    Ok(asked.fetch_one(conn).await?)
}

/// How many messages of it wait, and since when; none if it is not half-done.
pub async fn consumer_outbox_waiting(
    conn: &mut PgConnection,
    tables: &OutboxTables,
    consumer_outbox: ConsumerOutbox,
) -> Result<Option<(i64, DateTime<Utc>)>, Error> {
    let OutboxTables { messages, inbox, .. } = tables;
    let sql = format!(
        "SELECT (SELECT count(*) FROM {messages} m \
           WHERE m.inbox_message_id = i.message_id AND m.inbox_consumer_id = i.consumer_id \
             AND m.sequence_number > coalesce(i.last_sequence_number, 0)), i.consumed \
         FROM {inbox} i WHERE i.message_id = $1 AND i.consumer_id = $2 \
           AND i.consumed IS NOT NULL AND i.delivered IS NULL"
    );
    let asked = sqlx::query_as(AssertSqlSafe(sql))
        .bind(consumer_outbox.message_id)
        .bind(consumer_outbox.consumer_id);
    asked.fetch_optional(conn).await.of(Table::OutboxMessages.name())
}

/// Records its progress, in the caller's transaction. Delivered rows are deleted, as MassTransit does it: rows that
/// stay would block its clean-up of the inbox. With `copies`, copies of them stay in schema `orderscope`. It is
/// counted as MassTransit's passes are: one for every message, and at the end one for finding no more and one for
/// cleaning up.
pub async fn record_consumer_outbox(
    conn: &mut PgConnection,
    tables: &OutboxTables,
    consumer_outbox: ConsumerOutbox,
    step: &Progress,
    copies: bool,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let OutboxTables { messages, inbox, .. } = tables;
    let update = format!(
        "WITH m AS MATERIALIZED (SELECT m.sequence_number AS number \
           FROM {messages} m \
           WHERE m.inbox_message_id = $1 AND m.inbox_consumer_id = $2) \
         UPDATE {inbox} i SET lock_id = $3, \
           last_sequence_number = coalesce($4, i.last_sequence_number), \
           delivered = CASE WHEN c.left_over = 0 THEN $5 END, \
           receive_count = i.receive_count + c.sent + CASE WHEN c.left_over = 0 THEN 2 ELSE 0 END \
         FROM {inbox} o CROSS JOIN LATERAL ( \
           SELECT count(*) FILTER (WHERE m.number > coalesce($4, o.last_sequence_number, 0)) AS left_over, \
             count(*) FILTER (WHERE m.number > coalesce(o.last_sequence_number, 0) \
                              AND m.number <= $4)::int AS sent FROM m) c \
         WHERE i.message_id = $1 AND i.consumer_id = $2 AND i.delivered IS NULL AND o.id = i.id"
    );
    let changed = sqlx::query(AssertSqlSafe(update))
        .bind(consumer_outbox.message_id)
        .bind(consumer_outbox.consumer_id)
        .bind(step.lock_id)
        .bind(step.last)
        .bind(now)
        .execute(&mut *conn)
        .await?
        .rows_affected();
    if changed != 1 {
        return Err(Error::Conflict("the half-done inbox row was delivered".to_owned()));
    }
    let Some(last) = step.last else { return Ok(()) };
    if copies {
        let of = (consumer_outbox.message_id, consumer_outbox.consumer_id);
        archive::delivered_by_consumer(conn, messages, of, last).await?;
    }
    let gone = format!(
        "DELETE FROM {messages} WHERE inbox_message_id = $1 \
         AND inbox_consumer_id = $2 AND sequence_number <= $3"
    );
    let rows = sqlx::query(AssertSqlSafe(gone))
        .bind(consumer_outbox.message_id)
        .bind(consumer_outbox.consumer_id)
        .bind(last);
    rows.execute(conn).await?;
    Ok(())
}

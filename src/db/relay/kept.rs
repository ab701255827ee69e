//! Copies of delivered messages, where their rows may not stay.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::super::Error;

/// Copies what was delivered of these outboxes, up to the number beside each.
pub(super) async fn copy(
    conn: &mut PgConnection,
    outboxes: &[Uuid],
    lasts: &[Option<i64>],
) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO orderscope.kept_messages (cause, place, message_id, body, rest)
         SELECT 'delivered', m.outbox_id::text, m.message_id, convert_to(m.body, 'UTF8'), to_jsonb(m) - 'body'
         FROM public.outbox_message m
         JOIN unnest($1::uuid[], $2::bigint[]) AS c (outbox_id, last) ON c.outbox_id = m.outbox_id
         WHERE m.sequence_number <= c.last ORDER BY m.sequence_number",
        outboxes,
        lasts as &[Option<i64>]
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Copies what was delivered of a consumer's outbox.
pub(super) async fn copy_half(
    conn: &mut PgConnection,
    message: Uuid,
    consumer: Uuid,
    last: i64,
) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO orderscope.kept_messages (cause, place, message_id, body, rest)
         SELECT 'delivered', m.inbox_message_id::text || ' ' || m.inbox_consumer_id::text, m.message_id,
                convert_to(m.body, 'UTF8'), to_jsonb(m) - 'body'
         FROM public.outbox_message m
         WHERE m.inbox_message_id = $1 AND m.inbox_consumer_id = $2 AND m.sequence_number <= $3
         ORDER BY m.sequence_number",
        message,
        consumer,
        last
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes up to `limit` copies of delivered messages that were made before a moment; what operators took out is
/// left.
pub async fn forget_copies(
    conn: &mut PgConnection,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<u64, Error> {
    let done = sqlx::query!(
        "DELETE FROM orderscope.kept_messages WHERE number IN (
             SELECT number FROM orderscope.kept_messages
             WHERE cause = 'delivered' AND returned_at IS NULL AND kept_at < $1
             ORDER BY kept_at LIMIT $2)",
        before,
        limit
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

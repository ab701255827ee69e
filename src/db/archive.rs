//! Full copies of messages that operators removed or changed, or that were delivered (`orderscope.kept_messages`).

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use super::{Error, OfTable};
use crate::domain::id::MessageId;

/// A copy, without its body.
#[derive(Debug, Clone, PartialEq)]
pub struct ArchivedMessage {
    pub number: i64,
    pub at: DateTime<Utc>,
    pub operation: Option<Uuid>,
    /// `quarantined`, `repaired`, `purged`, `discarded` or `delivered`.
    pub cause: String,
    /// `outbox 019a…`, or a queue's name.
    pub place: String,
    pub message: Option<MessageId>,
    /// All its types, where it was a row of an outbox.
    pub kinds: Option<String>,
    pub destination: Option<String>,
    pub bytes: i64,
    /// When it was put back.
    pub returned: Option<DateTime<Utc>>,
}

/// Copies, newest first; `before` is the number of the last one of the page before.
pub async fn list(
    conn: &mut PgConnection,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<ArchivedMessage>, Error> {
    if !super::paused::is_known(conn).await? {
        return Ok(vec![]);
    }
    let rows = sqlx::query_as!(
        ArchivedMessage,
        r#"SELECT number, kept_at AS at, operation, cause, place, message_id AS "message: MessageId",
                  left(rest ->> 'message_type', 1000) AS kinds,
                  left(rest ->> 'destination_address', 1000) AS destination,
                  octet_length(body)::bigint AS "bytes!", returned_at AS returned
           FROM orderscope.kept_messages WHERE number < $1 ORDER BY number DESC LIMIT $2"#,
        before.unwrap_or(i64::MAX),
        limit
    );
    rows.fetch_all(conn).await.of("orderscope.kept_messages")
}

/// At most this much of a body is read to be shown.
const LONGEST: i32 = 1_000_000;

/// One copy as it is listed.
pub async fn listed(
    conn: &mut PgConnection,
    number: i64,
) -> Result<Option<ArchivedMessage>, Error> {
    let next = list(conn, number.checked_add(1), 1).await?.pop();
    Ok(next.filter(|kept| kept.number == number))
}

/// A copy's body, as much of it as is shown, and the other columns of its row.
pub async fn whole(
    conn: &mut PgConnection,
    number: i64,
) -> Result<Option<(Vec<u8>, Value)>, Error> {
    let row = sqlx::query!(
        r#"SELECT substr(body, 1, $2) AS "body!", rest FROM orderscope.kept_messages WHERE number = $1"#,
        number,
        LONGEST
    );
    Ok(row
        .fetch_optional(conn)
        .await
        .of("orderscope.kept_messages")?
        .map(|row| (row.body, row.rest)))
}

/// The newest copy of a message that was not put back.
pub async fn newest_of(conn: &mut PgConnection, message: MessageId) -> Result<Option<i64>, Error> {
    let row = sqlx::query_scalar!(
        "SELECT number FROM orderscope.kept_messages
         WHERE message_id = $1 AND returned_at IS NULL AND cause <> 'repaired'
         ORDER BY number DESC LIMIT 1",
        message.0
    );
    row.fetch_optional(conn).await.of("orderscope.kept_messages")
}

/// A copy with all of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ArchivedContent {
    pub number: i64,
    pub cause: String,
    pub place: String,
    pub message: Option<MessageId>,
    pub body: Vec<u8>,
    /// The other columns of its row, by the document's names.
    pub rest: Value,
    pub returned: Option<DateTime<Utc>>,
}

/// A copy, locked until the caller's transaction ends.
pub async fn lock(tx: &mut PgConnection, number: i64) -> Result<Option<ArchivedContent>, Error> {
    let row = sqlx::query_as!(
        ArchivedContent,
        r#"SELECT number, cause, place, message_id AS "message: MessageId", body, rest,
                  returned_at AS returned
           FROM orderscope.kept_messages WHERE number = $1 FOR UPDATE"#,
        number
    );
    row.fetch_optional(tx).await.of("orderscope.kept_messages")
}

/// Records that a copy was put back, in the caller's transaction.
pub async fn returned(
    tx: &mut PgConnection,
    number: i64,
    at: DateTime<Utc>,
    operation: Uuid,
) -> Result<(), Error> {
    sqlx::query!(
        "UPDATE orderscope.kept_messages SET returned_at = $2, returned_by = $3 WHERE number = $1",
        number,
        at,
        operation
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Copies a message of an error queue, in the caller's transaction; returns the copy's number.
pub async fn discarded(
    tx: &mut PgConnection,
    operation: Uuid,
    queue: &str,
    message: Option<Uuid>,
    body: &[u8],
    rest: &Value,
) -> Result<i64, Error> {
    // jsonb cannot hold U+0000; a header that has one is stored without it.
    let number = sqlx::query_scalar!(
        "INSERT INTO orderscope.kept_messages (operation, cause, place, message_id, body, rest)
         VALUES ($1, 'discarded', $2, $3, $4, $5) RETURNING number",
        operation,
        queue,
        message,
        body,
        without_nul(rest)
    );
    number.fetch_one(tx).await.of("orderscope.kept_messages")
}

fn without_nul(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace('\0', "")),
        Value::Array(values) => values.iter().map(without_nul).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.replace('\0', ""), without_nul(value)))
            .collect(),
        other => other.clone(),
    }
}

/// Copies what was delivered of these outboxes, up to the number beside each. `messages`: the outbox table, in the
/// schema where it is.
pub(super) async fn delivered(
    conn: &mut PgConnection,
    messages: &str,
    outboxes: &[Uuid],
    lasts: &[Option<i64>],
) -> Result<(), Error> {
    let which =
        "JOIN unnest($1::uuid[], $2::bigint[]) AS c (outbox_id, last) ON c.outbox_id = m.outbox_id
         WHERE m.sequence_number <= c.last";
    let sql = copied("m.outbox_id::text", messages, which);
    sqlx::query(AssertSqlSafe(sql)).bind(outboxes).bind(lasts).execute(conn).await?;
    Ok(())
}

/// Copies what was delivered of a consumer's outbox.
pub(super) async fn delivered_by_consumer(
    conn: &mut PgConnection,
    messages: &str,
    (message, consumer): (Uuid, Uuid),
    last: i64,
) -> Result<(), Error> {
    let which =
        "WHERE m.inbox_message_id = $1 AND m.inbox_consumer_id = $2 AND m.sequence_number <= $3";
    let place = "m.inbox_message_id::text || ' ' || m.inbox_consumer_id::text";
    let sql = copied(place, messages, which);
    sqlx::query(AssertSqlSafe(sql)).bind(message).bind(consumer).bind(last).execute(conn).await?;
    Ok(())
}

/// Not checked when compiled: the outbox table may be in any schema.
fn copied(place: &str, messages: &str, which: &str) -> String {
    format!(
        "INSERT INTO orderscope.kept_messages (cause, place, message_id, body, rest)
         SELECT 'delivered', {place}, m.message_id, convert_to(m.body, 'UTF8'), to_jsonb(m) - 'body'
         FROM {messages} m {which} ORDER BY m.sequence_number"
    )
}

/// Removes up to `limit` copies of delivered messages that were made before a moment; copies that operators made stay.
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

/// Removes up to `limit` copies older than `age` of what operators took out or changed, put back or not; copies of
/// delivered messages that were not put back have a retention of their own ([`forget_copies`]). Removes nothing without
/// the right to.
pub async fn forget_operators(
    tx: &mut PgConnection,
    age: TimeDelta,
    limit: i64,
) -> Result<u64, Error> {
    let may = "SELECT coalesce(has_table_privilege(to_regclass('orderscope.kept_messages'), 'DELETE'), false)";
    if !sqlx::query_scalar::<_, bool>(may).fetch_one(&mut *tx).await? {
        return Ok(0);
    }
    let gone = "DELETE FROM orderscope.kept_messages WHERE number IN (
             SELECT number FROM orderscope.kept_messages
             WHERE kept_at < now() - make_interval(secs => $1)
               AND (cause <> 'delivered' OR returned_at IS NOT NULL)
             ORDER BY kept_at LIMIT $2)";
    // Exact: ages are whole seconds far below 2^53.
    #[expect(clippy::cast_precision_loss, reason = "see above")]
    let seconds = age.num_seconds() as f64;
    let done = sqlx::query(gone).bind(seconds).bind(limit).execute(tx).await?;
    Ok(done.rows_affected())
}

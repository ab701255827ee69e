//! Messages that were taken out of circulation or changed (`orderscope.kept_messages`), whole as they were.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Error;
use crate::domain::id::MessageId;

/// A copy, without its body.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
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
) -> Result<Vec<Kept>, Error> {
    if !super::holds::is_known(conn).await? {
        return Ok(vec![]);
    }
    let rows = sqlx::query_as!(
        Kept,
        r#"SELECT number, kept_at AS at, operation, cause, place, message_id AS "message: MessageId",
                  left(rest ->> 'message_type', 1000) AS kinds,
                  left(rest ->> 'destination_address', 1000) AS destination,
                  octet_length(body)::bigint AS "bytes!", returned_at AS returned
           FROM orderscope.kept_messages WHERE number < $1 ORDER BY number DESC LIMIT $2"#,
        before.unwrap_or(i64::MAX),
        limit
    );
    Ok(rows.fetch_all(conn).await?)
}

/// The newest copy of a message that was not put back.
pub async fn newest_of(conn: &mut PgConnection, message: MessageId) -> Result<Option<i64>, Error> {
    let row = sqlx::query_scalar!(
        "SELECT number FROM orderscope.kept_messages
         WHERE message_id = $1 AND returned_at IS NULL AND cause <> 'repaired'
         ORDER BY number DESC LIMIT 1",
        message.0
    );
    Ok(row.fetch_optional(conn).await?)
}

/// A copy with all of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Copy {
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
pub(super) async fn lock(tx: &mut PgConnection, number: i64) -> Result<Option<Copy>, Error> {
    let row = sqlx::query_as!(
        Copy,
        r#"SELECT number, cause, place, message_id AS "message: MessageId", body, rest,
                  returned_at AS returned
           FROM orderscope.kept_messages WHERE number = $1 FOR UPDATE"#,
        number
    );
    Ok(row.fetch_optional(tx).await?)
}

/// Records that a copy was put back, in the caller's transaction.
pub(super) async fn returned(
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

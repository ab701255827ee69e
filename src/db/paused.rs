//! Outboxes that an operator paused (`orderscope.held_outboxes`). A relay asks here after it has locked an outbox:
//! pausing locks it too, so every later pass sees a pause that is committed.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Error, OfTable};
use crate::domain::id::OutboxId;

/// An outbox that is paused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PausedOutbox {
    pub outbox: OutboxId,
    pub at: DateTime<Utc>,
    /// The operator.
    pub by: String,
}

/// All of them, oldest first; none where the schema is older than this feature.
pub async fn held(conn: &mut PgConnection) -> Result<Vec<PausedOutbox>, Error> {
    if !is_known(conn).await? {
        return Ok(vec![]);
    }
    let rows = sqlx::query_as!(
        PausedOutbox,
        r#"SELECT outbox_id AS "outbox: OutboxId", held_at AS at, held_by AS by
           FROM orderscope.held_outboxes ORDER BY held_at, outbox_id LIMIT 10000"#
    );
    rows.fetch_all(conn).await.of("orderscope.held_outboxes")
}

/// Which of these outboxes are paused. For a relay, after it has locked them.
pub async fn among(conn: &mut PgConnection, outboxes: &[Uuid]) -> Result<Vec<Uuid>, Error> {
    let rows = sqlx::query_scalar!(
        "SELECT outbox_id FROM orderscope.held_outboxes WHERE outbox_id = ANY($1)",
        outboxes
    );
    rows.fetch_all(conn).await.of("orderscope.held_outboxes")
}

/// Whether the schema has the tables for paused outboxes and copies; one made by an older program has not.
pub async fn is_known(conn: &mut PgConnection) -> Result<bool, Error> {
    let known = "SELECT to_regclass('orderscope.held_outboxes') IS NOT NULL \
                 AND to_regclass('orderscope.kept_messages') IS NOT NULL";
    Ok(sqlx::query_scalar(known).fetch_one(conn).await?)
}

/// Records a pause, in the caller's transaction.
pub(super) async fn hold(
    tx: &mut PgConnection,
    held: &PausedOutbox,
    operation: Uuid,
) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO orderscope.held_outboxes (outbox_id, held_at, held_by, operation)
         VALUES ($1, $2, $3, $4)",
        held.outbox.0,
        held.at,
        held.by,
        operation
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Ends a pause, in the caller's transaction.
pub(super) async fn release(tx: &mut PgConnection, outbox: OutboxId) -> Result<bool, Error> {
    let gone = sqlx::query!("DELETE FROM orderscope.held_outboxes WHERE outbox_id = $1", outbox.0);
    Ok(gone.execute(tx).await?.rows_affected() > 0)
}

//! The frozen list of an operation, the outcome of each item, and the journal of batches.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{big, count};
use crate::{
    db::Error,
    domain::batch::{Counts, Outcome},
};

/// An item of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its place in the list, from 1.
    pub ordinal: i64,
    pub key: Value,
}

/// An item with what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    pub ordinal: i64,
    pub key: Value,
    /// None until its batch.
    pub outcome: Option<String>,
    pub told: Option<String>,
}

/// A batch, as it is journalled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    pub batch: i32,
    /// Ordinals that got their outcome in it; none where `last` is before `first`.
    pub first: i64,
    pub last: i64,
    pub done: i32,
    pub skipped: i32,
    pub failed: i32,
    /// What was changed, in short.
    pub evidence: Value,
    pub operator: String,
    pub host: String,
    pub login: String,
    pub began_at: DateTime<Utc>,
    pub ended_at: DateTime<Utc>,
}

/// Adds keys to the list of an operation after `base` others.
pub async fn add_items(
    conn: &mut PgConnection,
    operation: Uuid,
    base: u64,
    keys: &[Value],
) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO orderscope.operation_items (operation, ordinal, key)
         SELECT $1, $2::bigint + place, key FROM unnest($3::jsonb[]) WITH ORDINALITY AS given (key, place)",
        operation,
        big(base),
        keys
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The items after `position`, in their order.
pub async fn pending(
    conn: &mut PgConnection,
    operation: Uuid,
    position: u64,
    limit: u64,
) -> Result<Vec<Item>, Error> {
    let found = sqlx::query_as!(
        Item,
        "SELECT ordinal, key FROM orderscope.operation_items
         WHERE operation = $1 AND ordinal > $2 AND outcome IS NULL ORDER BY ordinal LIMIT $3",
        operation,
        big(position),
        big(limit)
    );
    Ok(found.fetch_all(conn).await?)
}

/// Records the outcomes of items, which have none yet, in the batch's transaction.
pub async fn settle(
    tx: &mut PgConnection,
    operation: Uuid,
    items: &[Item],
    outcomes: &[Outcome],
) -> Result<(), Error> {
    let pairs = || items.iter().zip(outcomes);
    let ordinals: Vec<i64> = pairs().map(|(item, _)| item.ordinal).collect();
    let names: Vec<String> = pairs().map(|(_, outcome)| outcome.name().to_owned()).collect();
    let told: Vec<Option<String>> =
        pairs().map(|(_, outcome)| outcome.told().map(ToOwned::to_owned)).collect();
    let done = sqlx::query!(
        "UPDATE orderscope.operation_items i SET outcome = given.outcome, told = given.told
         FROM unnest($2::bigint[], $3::text[], $4::text[]) AS given (ordinal, outcome, told)
         WHERE i.operation = $1 AND i.ordinal = given.ordinal AND i.outcome IS NULL",
        operation,
        &ordinals,
        &names,
        &told as &[Option<String>]
    );
    if done.execute(tx).await?.rows_affected() == ordinals.len() as u64 {
        return Ok(());
    }
    Err(Error::Conflict("another session did some of the items".to_owned()))
}

/// Journals a batch, in its transaction.
pub async fn add_batch(
    tx: &mut PgConnection,
    operation: Uuid,
    batch: i32,
    first: i64,
    counts: Counts,
    evidence: &Value,
    (operator, host): (&str, &str),
) -> Result<(), Error> {
    let small = |rows: u64| i32::try_from(rows).unwrap_or(i32::MAX);
    sqlx::query!(
        "INSERT INTO orderscope.operation_batches (operation, batch, first, last, done, skipped, failed, evidence,
             operator, host)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        operation,
        batch,
        first,
        first + big(counts.all()) - 1,
        small(counts.done),
        small(counts.skipped),
        small(counts.failed),
        evidence,
        operator,
        host
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The batches after one, in their order.
pub async fn batches(
    conn: &mut PgConnection,
    operation: Uuid,
    after: i32,
    limit: i64,
) -> Result<Vec<Batch>, Error> {
    let found = sqlx::query_as!(
        Batch,
        "SELECT batch, first, last, done, skipped, failed, evidence, operator, host, login, began_at, ended_at
         FROM orderscope.operation_batches WHERE operation = $1 AND batch > $2 ORDER BY batch LIMIT $3",
        operation,
        after,
        limit
    );
    Ok(found.fetch_all(conn).await?)
}

/// The items of these ordinals with their outcomes.
pub async fn settled_in(
    conn: &mut PgConnection,
    operation: Uuid,
    first: i64,
    last: i64,
) -> Result<Vec<Settled>, Error> {
    let found = sqlx::query_as!(
        Settled,
        "SELECT ordinal, key, outcome, told FROM orderscope.operation_items
         WHERE operation = $1 AND ordinal BETWEEN $2 AND $3 ORDER BY ordinal",
        operation,
        first,
        last
    );
    Ok(found.fetch_all(conn).await?)
}

/// Items after an ordinal, in their order: all, or only those that were not done as meant.
pub async fn items(
    conn: &mut PgConnection,
    operation: Uuid,
    only_trouble: bool,
    after: i64,
    limit: i64,
) -> Result<Vec<Settled>, Error> {
    let found = sqlx::query_as!(
        Settled,
        "SELECT ordinal, key, outcome, told FROM orderscope.operation_items
         WHERE operation = $1 AND ordinal > $3 AND (NOT $2 OR outcome IN ('skipped', 'failed'))
         ORDER BY ordinal LIMIT $4",
        operation,
        only_trouble,
        after,
        limit
    );
    Ok(found.fetch_all(conn).await?)
}

/// Why items were skipped or failed, the most frequent reasons first: outcome, reason, how many.
pub async fn troubles(
    conn: &mut PgConnection,
    operation: Uuid,
    limit: i64,
) -> Result<Vec<(String, String, u64)>, Error> {
    let found = sqlx::query!(
        r#"SELECT outcome AS "outcome!", coalesce(told, '') AS "told!", count(*) AS "rows!"
           FROM orderscope.operation_items WHERE operation = $1 AND outcome IN ('skipped', 'failed')
           GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT $2"#,
        operation,
        limit
    );
    let rows = found.fetch_all(conn).await?;
    Ok(rows.into_iter().map(|row| (row.outcome, row.told, count(row.rows))).collect())
}

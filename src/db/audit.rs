//! The audit table of schema `orderscope`.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::Error;

/// What is written.
#[derive(Debug)]
pub struct Record<'a> {
    pub id: Uuid,
    pub at: DateTime<Utc>,
    pub operator: &'a str,
    pub intent: &'a str,
    pub targets: &'a [String],
    pub reason: Option<&'a str>,
    pub before: &'a Value,
    pub after: &'a Value,
}

/// A record that is there.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct Recorded {
    pub number: i64,
    pub operation: Uuid,
    pub at: DateTime<Utc>,
    pub operator: String,
    pub intent: String,
    pub targets: Vec<String>,
    /// What the operation left, unless it was erased.
    pub after: Option<Value>,
}

const COLUMNS: &str = "number, operation, at, operator, intent, targets, after";

/// The record of an operation, if it was committed.
pub async fn by_operation(conn: &mut PgConnection, id: Uuid) -> Result<Option<Recorded>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM orderscope.audit WHERE operation = $1");
    let found = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(conn).await?;
    Ok(found)
}

/// The newest record about something.
pub async fn latest_about(
    conn: &mut PgConnection,
    target: &str,
) -> Result<Option<Recorded>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM orderscope.audit WHERE targets @> ARRAY[$1]
         ORDER BY number DESC LIMIT 1"
    );
    let found = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(target).fetch_optional(conn).await?;
    Ok(found)
}

/// Writes one and tells its number.
pub async fn insert(conn: &mut PgConnection, record: &Record<'_>) -> Result<i64, Error> {
    let number = sqlx::query_scalar(
        "INSERT INTO orderscope.audit (operation, at, operator, intent, targets, reason, before, after)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING number",
    )
    .bind(record.id)
    .bind(record.at)
    .bind(record.operator)
    .bind(record.intent)
    .bind(record.targets)
    .bind(record.reason)
    .bind(record.before)
    .bind(record.after)
    .fetch_one(conn)
    .await?;
    Ok(number)
}

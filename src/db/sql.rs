//! Small pieces of SQL text that several subjects share.

use std::time::Duration;

use serde_json::Value;
use sqlx::{Connection, PgConnection};

use super::Error;

/// The value of a JSON column that was read as text, so that one that cannot be read spoils its own row alone: nested
/// too deep, or with a number that is none.
///
/// # Errors
/// Why, in words.
pub(super) fn document(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|why| format!("its JSON cannot be read: {why}"))
}

/// A time that `chrono` can hold: PostgreSQL's years go further, and a row with `infinity` must not end the program.
/// What it cannot hold becomes an instant that [`endless`](crate::domain::endless) knows again.
pub(super) fn moment(column: &str) -> String {
    format!(
        "CASE WHEN {column} = 'infinity' THEN '262100-01-01 00:00:00+00'::timestamptz \
         WHEN {column} = '-infinity' THEN '4714-11-24 00:00:00+00 BC'::timestamptz \
         WHEN {column} >= '262000-01-01 00:00:00+00' THEN '262000-01-01 00:00:00+00'::timestamptz \
         ELSE {column} END"
    )
}

/// Nothing that was ever done is stamped so late: what is has no time that tells anything.
pub(super) const NEVER: &str = "'10000-01-01 00:00:00+00'";

/// How long it took from one time to another; null where either is infinite, which older servers refuse to subtract.
pub(super) fn took(from: &str, to: &str) -> String {
    format!("CASE WHEN isfinite({from}) AND isfinite({to}) THEN {to} - {from} END")
}

/// A time as a message may carry it on the wire: between the years 1 and 9999, as .NET has them.
pub(super) fn sendable(column: &str) -> String {
    format!(
        "CASE WHEN {column} IS NOT NULL THEN least(greatest({column}, \
         '0001-01-01 00:00:00+00'::timestamptz), '9999-12-31 00:00:00+00'::timestamptz) END"
    )
}

/// Whether a login may look into schema `orderscope`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OwnSchema {
    None,
    NotPermitted,
    Usable,
}

/// How this session's login stands to schema `orderscope`. Asked before any of its tables: `to_regclass` fails in a
/// schema that may not be used.
pub(super) async fn own_schema(conn: &mut PgConnection) -> Result<OwnSchema, Error> {
    let (there, usable): (bool, bool) = sqlx::query_as(
        "SELECT to_regnamespace('orderscope') IS NOT NULL,
                coalesce(has_schema_privilege(to_regnamespace('orderscope'), 'USAGE'), false)",
    )
    .fetch_one(conn)
    .await?;
    Ok(match (there, usable) {
        (false, _) => OwnSchema::None,
        (true, false) => OwnSchema::NotPermitted,
        (true, true) => OwnSchema::Usable,
    })
}

/// Runs a query that may fail. Behind a pooler everything that is read is one transaction,
/// which a failed statement ends: there the question gets a savepoint.
pub(super) async fn attempt<T>(
    conn: &mut PgConnection,
    ask: impl AsyncFnOnce(&mut PgConnection) -> Result<T, Error>,
) -> Result<T, Error> {
    if !conn.is_in_transaction() {
        return ask(conn).await;
    }
    let mut tx = conn.begin().await?;
    match ask(&mut tx).await {
        Ok(answer) => {
            tx.commit().await?;
            Ok(answer)
        }
        Err(error) => {
            tx.rollback().await?;
            Err(error)
        }
    }
}

/// Runs a query that may take too long: `None` then, and the session stays usable.
pub async fn unless_late<T>(
    conn: &mut PgConnection,
    ask: impl AsyncFnOnce(&mut PgConnection) -> Result<T, Error>,
) -> Result<Option<T>, Error> {
    match attempt(conn, ask).await {
        Ok(found) => Ok(Some(found)),
        Err(Error::TimedOut(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Runs `work` with a statement timeout of its own. A session whose `work` was abandoned keeps it, and is
/// closed for that reason by whoever abandoned it.
pub(super) async fn within<T>(
    conn: &mut PgConnection,
    limit: Duration,
    work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, Error>,
) -> Result<T, Error> {
    let usual = set(conn, &format!("{}ms", limit.as_millis())).await?;
    let answer = attempt(conn, work).await.map_err(|error| error.within(limit));
    set(conn, &usual).await?;
    answer
}

/// Sets the timeout and tells what it was. In a transaction it ends with that.
async fn set(conn: &mut PgConnection, limit: &str) -> Result<String, Error> {
    let both =
        "SELECT current_setting('statement_timeout'), set_config('statement_timeout', $1, $2)";
    let is_local = conn.is_in_transaction();
    let (was, _): (String, String) =
        sqlx::query_as(both).bind(limit).bind(is_local).fetch_one(conn).await?;
    Ok(was)
}

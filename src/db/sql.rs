//! Small pieces of SQL text that several subjects share.

use std::time::Duration;

use sqlx::PgConnection;

use super::Error;

/// A time that chrono can hold: PostgreSQL's years go further, and a row with `infinity` must not end the
/// program.
pub(super) fn moment(column: &str) -> String {
    format!(
        "CASE WHEN {column} IS NOT NULL THEN least(greatest({column}, \
         '0001-01-01 00:00:00+00'::timestamptz), '9999-12-31 00:00:00+00'::timestamptz) END"
    )
}

/// Runs `work` with a statement timeout of its own. A session whose `work` was abandoned keeps it, and is
/// closed for that reason by whoever abandoned it.
pub(super) async fn within<T>(
    conn: &mut PgConnection,
    limit: Duration,
    work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, Error>,
) -> Result<T, Error> {
    let usual = set(conn, &format!("{}ms", limit.as_millis())).await?;
    let answer = work(conn).await.map_err(|error| error.within(limit));
    set(conn, &usual).await?;
    answer
}

/// Sets the timeout and tells what it was.
async fn set(conn: &mut PgConnection, limit: &str) -> Result<String, Error> {
    let both =
        "SELECT current_setting('statement_timeout'), set_config('statement_timeout', $1, false)";
    let (was, _): (String, String) = sqlx::query_as(both).bind(limit).fetch_one(conn).await?;
    Ok(was)
}

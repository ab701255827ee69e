//! The server's clock: ages are told by it, because ours may be off.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::Error;

/// What time it is for the server.
pub async fn now(conn: &mut PgConnection) -> Result<DateTime<Utc>, Error> {
    Ok(sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(conn).await?)
}

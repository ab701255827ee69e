//! The server's clock: ages are computed with it, because ours may be wrong.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::Error;

/// The server's present time.
pub async fn now(conn: &mut PgConnection) -> Result<DateTime<Utc>, Error> {
    Ok(sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(conn).await?)
}

//! A server that follows another one: how far behind it is.

use std::time::Duration;

use sqlx::PgConnection;

use super::Error;

/// How far a hot standby has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replay {
    /// How long ago the newest transaction that it replayed was committed; none if there was none yet.
    pub behind: Option<Duration>,
    /// Everything it received is replayed: `behind` then only tells how long the primary wrote nothing.
    pub caught_up: bool,
}

/// How far this server has replayed, if it is a standby.
pub async fn replay(conn: &mut PgConnection) -> Result<Option<Replay>, Error> {
    let (standby, behind, caught_up): (bool, Option<f64>, bool) = sqlx::query_as(
        "SELECT pg_is_in_recovery(),
                extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float8,
                coalesce(pg_last_wal_receive_lsn() <= pg_last_wal_replay_lsn(), false)",
    )
    .fetch_one(conn)
    .await?;
    // Two clocks may differ.
    let behind =
        behind.map(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default());
    Ok(standby.then_some(Replay { behind, caught_up }))
}

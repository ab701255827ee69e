//! How long outboxes took from the commit that wrote them to their delivery, and which left recently.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{AssertSqlSafe, FromRow, PgConnection};

use crate::{
    db::{
        Error, Layout, OfTable, Table,
        sql::{NEVER, moment, took},
    },
    domain::diagnosis::{Latency, Left},
};

/// How many of the newest deliveries are measured.
const TIMED: i64 = 2_000;

#[derive(FromRow)]
struct Timed {
    rows: i64,
    times: Option<Vec<i64>>,
}

/// Created to delivered of the newest `TIMED` outboxes that were delivered from a moment on; nothing without any. For
/// databases that keep what was delivered, with an index on it.
pub async fn latency(
    conn: &mut PgConnection,
    layout: &Layout,
    from: DateTime<Utc>,
) -> Result<Option<Latency>, Error> {
    // A delivery before the creation comes from a clock that was wrong.
    let sql = format!(
        "SELECT count(*) AS rows, \
         percentile_disc(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY took) AS times \
         FROM (SELECT (extract(epoch FROM {}) * 1000)::bigint AS took \
           FROM (SELECT delivered, created FROM {} w WHERE delivered >= $1 AND delivered < 'infinity' \
             ORDER BY delivered DESC LIMIT {TIMED}) n WHERE created BETWEEN $2 AND delivered) d",
        took("created", "delivered"),
        layout.from(Table::OutboxStates),
    );
    let sensible = from - TimeDelta::days(3_650);
    let timed: Timed = sqlx::query_as(AssertSqlSafe(sql))
        .bind(from)
        .bind(sensible)
        .fetch_one(conn)
        .await
        .of(Table::OutboxStates.name())?;
    let times = timed.times.unwrap_or_default();
    let &[p50, p95, p99] = times.as_slice() else { return Ok(None) };
    let time = TimeDelta::milliseconds;
    Ok(Some(Latency { rows: timed.rows, p50: time(p50), p95: time(p95), p99: time(p99) }))
}

/// The youngest of the newest `TIMED` outboxes that were delivered from a moment on. For databases that keep what was
/// delivered, with an index on it.
pub async fn youngest_left(
    conn: &mut PgConnection,
    layout: &Layout,
    from: DateTime<Utc>,
) -> Result<Option<Left>, Error> {
    let sql = format!(
        "SELECT {}, last_sequence_number FROM (SELECT created, last_sequence_number FROM {} w \
         WHERE delivered >= $1 AND delivered < {NEVER} ORDER BY delivered DESC LIMIT {TIMED}) n ORDER BY n.created DESC LIMIT 1",
        moment("n.created"),
        layout.from(Table::OutboxStates),
    );
    let found: Option<(DateTime<Utc>, Option<i64>)> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(from)
        .fetch_optional(conn)
        .await
        .of(Table::OutboxStates.name())?;
    Ok(found.map(|(created, sequence)| Left { created, sequence }))
}

//! What consumers received, hour by hour.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{AssertSqlSafe, FromRow, PgConnection};

use super::{AGAIN, summed};
use crate::{
    db::{Error, Layout, OfTable, Table},
    domain::id::ConsumerId,
};

/// One consumer's rows that were received within one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromRow)]
pub struct Hour {
    #[sqlx(rename = "consumer_id")]
    pub consumer: ConsumerId,
    /// When the hour began, UTC.
    pub at: DateTime<Utc>,
    pub received: i64,
    /// Of these, received again after they were done.
    pub again: i64,
    /// Of these, handled by nobody yet, or half.
    pub open: i64,
}

/// The hours of a day.
pub const HOURS: i64 = 24;

/// The hours from `from` on in which anything was received, oldest first; on a large table of its newest
/// [`MOST`](super::MOST) rows.
pub async fn hours(
    conn: &mut PgConnection,
    layout: &Layout,
    from: DateTime<Utc>,
) -> Result<Vec<Hour>, Error> {
    let rows = summed(layout);
    let sql = format!(
        "SELECT consumer_id, date_trunc('hour', received, 'UTC') AS at, count(*) AS received, \
         count(*) FILTER (WHERE {AGAIN}) AS again, count(*) FILTER (WHERE delivered IS NULL) AS open \
         FROM {rows} WHERE received >= $1 AND received < $1 + interval '1 day' GROUP BY 1, 2 ORDER BY 2, 1 LIMIT 10000",
    );
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(from)
        .fetch_all(conn)
        .await
        .of(Table::InboxStates.name())
}

/// When the first of the 24 hours began that end with the one of `now`.
#[must_use]
pub fn first(now: DateTime<Utc>) -> DateTime<Utc> {
    let hour = now - TimeDelta::seconds(now.timestamp().rem_euclid(3_600));
    hour - TimeDelta::nanoseconds(i64::from(now.timestamp_subsec_nanos()))
        - TimeDelta::hours(HOURS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_hour_is_the_one_that_runs() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        assert_eq!(first(at("2026-11-23T10:59:59.9Z")), at("2026-11-22T11:00:00Z"));
        assert_eq!(first(at("2026-11-23T11:00:00Z")), at("2026-11-22T12:00:00Z"));
    }
}

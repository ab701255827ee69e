//! How many orders match: exactly while that is cheap, else about.

use std::time::Duration;

use sqlx::{PgConnection, Postgres, QueryBuilder};

use super::{Filter, Place, Source, lookup::estimate, page};
use crate::db::{Error, Layout, Table, sql::within};

/// A number of orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    Exact(i64),
    /// Counting stopped there.
    MoreThan(i64),
    /// The planner's estimate: counting took too long.
    About(i64),
}

/// Counts at most `cap` orders, for at most `budget`; an estimate where that was not enough.
pub async fn count(
    conn: &mut PgConnection,
    layout: &Layout,
    sources: &[Source],
    filters: &[Filter],
    place: &Place,
    cap: i64,
    budget: Duration,
) -> Result<Count, Error> {
    if sources == [Source::Newest] && filters.is_empty() && place.is_everything() {
        if let Some(rows) = layout.estimated_rows(Table::Orders).filter(|rows| *rows > cap) {
            return Ok(Count::About(rows));
        }
    }
    let mut sql = wrapped("SELECT count(*) FROM (", layout, sources, filters, place, cap + 1);
    let counted = within(conn, budget, async |conn| {
        Ok(sql.build_query_scalar::<i64>().fetch_one(conn).await?)
    });
    match counted.await {
        Ok(rows) if rows > cap => Ok(Count::MoreThan(cap)),
        Ok(rows) => Ok(Count::Exact(rows)),
        Err(Error::TimedOut(_)) => {
            let all = i64::MAX;
            let explain = "EXPLAIN (FORMAT JSON) SELECT FROM (";
            let sql = wrapped(explain, layout, sources, filters, place, all);
            Ok(Count::About(estimate(conn, sql).await?))
        }
        Err(error) => Err(error),
    }
}

fn wrapped(
    before: &str,
    layout: &Layout,
    sources: &[Source],
    filters: &[Filter],
    place: &Place,
    limit: i64,
) -> QueryBuilder<Postgres> {
    let mut sql = QueryBuilder::new(before);
    page::push(&mut sql, layout, sources, filters, place, page::Window(i64::MAX), limit);
    sql.push(") c");
    sql
}

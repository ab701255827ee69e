//! How many orders match: exactly while that is cheap, else about.

use std::time::Duration;

use sqlx::{PgConnection, Postgres, QueryBuilder};

use super::{Filter, Place, Source, Window, lookup::estimate, page};
use crate::db::{Error, Layout, Table, sql::within};

/// A number of orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    Exact(i64),
    /// Counting stopped there.
    MoreThan(i64),
    /// So many were found when the time for counting was over.
    AtLeast(i64),
    /// The planner's estimate: counting took too long.
    About(i64),
}

/// Counts at most `cap` orders among the first `window` candidates, for as long as a statement may take.
pub async fn count_window(
    conn: &mut PgConnection,
    layout: &Layout,
    source: &Source,
    filters: &[Filter],
    place: &Place,
    window: Window,
    cap: i64,
) -> Result<i64, Error> {
    let sources = std::slice::from_ref(source);
    let mut sql = wrapped("SELECT count(*) FROM (", layout, sources, filters, place, window, cap);
    Ok(sql.build_query_scalar().fetch_one(conn).await?)
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
        let rows = layout.estimated_rows(Table::Orders).filter(|rows| *rows > cap);
        if let Some(rows) = rows {
            return Ok(Count::About(rows));
        }
    }
    let all = Window(i64::MAX);
    let mut sql = wrapped("SELECT count(*) FROM (", layout, sources, filters, place, all, cap + 1);
    let counted = within(conn, budget, async |conn| {
        Ok(sql.build_query_scalar::<i64>().fetch_one(conn).await?)
    });
    match counted.await {
        Ok(rows) if rows > cap => Ok(Count::MoreThan(cap)),
        Ok(rows) => Ok(Count::Exact(rows)),
        Err(Error::TimedOut(_)) => {
            let explain = "EXPLAIN (FORMAT JSON) SELECT FROM (";
            let sql = wrapped(explain, layout, sources, filters, place, all, i64::MAX);
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
    window: Window,
    limit: i64,
) -> QueryBuilder<Postgres> {
    let mut sql = QueryBuilder::new(before);
    page::push(&mut sql, layout, sources, filters, place, window, limit);
    sql.push(") c");
    sql
}

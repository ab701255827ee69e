//! Searching orders: a query in, a page of orders out, with what it cost and what it did not look at.

mod plan;
pub mod record;
mod resolve;
mod walk;

use std::{fmt, sync::Arc, time::Duration};

use sqlx::PgConnection;
use tokio::time::Instant;

pub use crate::db::search::{Count, Cursor, OrderBy, OrderLine, Start};
pub use plan::{Plan, plan};

use walk::{Walk, walk};

use crate::{
    db::{Error, Layout, search},
    domain::{coverage::NotLookedAt, endless, search::Query},
};

/// Counting stops here.
pub const COUNT_CAP: i64 = 10_000;
/// Counting takes no longer.
const COUNT_BUDGET: Duration = Duration::from_millis(250);

/// How the orders were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// By indexes: the cost follows the page.
    Index,
    /// Newest first, each order tested: the cost follows how rare the hits are.
    NewestFirst,
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Index => "index",
            Self::NewestFirst => "newest first",
        })
    }
}

/// A page of orders, newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    pub rows: Vec<OrderLine>,
    /// There may be newer orders: `Start::NewerThan` this shows them.
    pub newer: Option<Cursor>,
    /// There are older orders, or there may be (see `complete`): `Start::OlderThan` this shows them.
    pub older: Option<Cursor>,
    pub order_by: OrderBy,
    pub access: Access,
    /// What was not searched and why, which clock the list goes by.
    pub coverage: Vec<NotLookedAt>,
    /// What it was found by, for counting all that match.
    pub plan: Arc<Plan>,
    /// False if time ran out before the page was full: going on from its end finds more.
    pub complete: bool,
    /// From asking to having, in milliseconds.
    pub millis: u64,
}

/// A page of a search. Each is planned when it is asked for: a plan holds the ids that its look-ups found, and knows
/// nothing of what came since.
pub async fn page(
    conn: &mut PgConnection,
    layout: &Layout,
    query: &Query,
    start: Start,
    limit: usize,
) -> Result<Page, Error> {
    let began = Instant::now();
    let plan = plan(conn, layout, query).await?;
    let Walk { mut hits, ended, gone_on } = walk(conn, layout, &plan, start, limit).await?;
    let more = hits.len() > limit;
    hits.truncate(limit);
    // Where to read on, and where the reading began.
    let far = if more { hits.last().copied() } else { gone_on };
    let near = start.cursor().map(|cursor| hits.first().copied().unwrap_or(cursor));
    let (newer, older) = if start.is_upwards() { (far, near) } else { (near, far) };
    if start.is_upwards() {
        hits.reverse();
    }
    let mut coverage = plan.coverage.clone();
    if !(ended || more) {
        coverage.push(match gone_on {
            Some(cursor) => NotLookedAt::unknown(
                "time ran out",
                format!(
                    "searched as far as orders of {}; the next page goes on from there",
                    endless::utc(cursor.placed, "%Y-%m-%d %H:%M UTC")
                ),
            ),
            None => NotLookedAt::unknown(
                "time ran out before all candidates were looked at",
                "narrow the search",
            ),
        });
    }
    let rows = if hits.is_empty() { Vec::new() } else { search::rows(conn, layout, &hits).await? };
    if !rows.is_empty() {
        coverage.extend(search::flags_unknown(layout));
    }
    Ok(Page {
        rows,
        newer,
        older,
        order_by: plan.order_by(),
        access: plan.access(),
        coverage,
        plan: Arc::new(plan),
        complete: ended || more,
        millis: millis(began),
    })
}

/// How many orders match a search that is planned: exact up to [`COUNT_CAP`] within a quarter of a second, else about.
pub async fn count(conn: &mut PgConnection, layout: &Layout, plan: &Plan) -> Result<Count, Error> {
    if plan.sources.is_empty() {
        return Ok(Count::Exact(0));
    }
    let place = plan.place(Start::Newest);
    let (sources, filters) = (&plan.sources, &plan.filters);
    if let ([source], Access::NewestFirst) = (sources.as_slice(), plan.access()) {
        return walk::count(conn, layout, plan, source, COUNT_CAP, COUNT_BUDGET).await;
    }
    search::count(conn, layout, sources, filters, &place, COUNT_CAP, COUNT_BUDGET).await
}

fn millis(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}

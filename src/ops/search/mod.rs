//! Searching orders: a query in, a page of orders out, with what it cost and what it did not look at.

mod plan;
mod resolve;

use std::{
    fmt,
    time::{Duration, Instant},
};

use sqlx::PgConnection;

pub use crate::db::search::{Count, Cursor, OrderBy, OrderLine, Start};
pub use plan::{Plan, plan};

use crate::{
    db::{
        Error, Layout,
        search::{self, Source, Window},
    },
    domain::search::Query,
};

/// Counting stops here.
pub const COUNT_CAP: i64 = 10_000;
/// Counting takes no longer.
const COUNT_BUDGET: Duration = Duration::from_millis(250);

/// How many orders are looked at first where a filter has no index; four times as many each further time.
const FIRST_WINDOW: i64 = 2_000;
const GROWTH: i64 = 4;
/// How long a search without an index goes on before it shows what it has.
const BUDGET: Duration = Duration::from_millis(1_500);

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
    /// What was not searched and why, which clock the list goes by; a line each.
    pub coverage: Vec<String>,
    /// False if time ran out before the page was full: going on from its end finds more.
    pub complete: bool,
    /// From asking to having, in milliseconds.
    pub millis: u64,
}

/// Searches: [`plan`] and [`page_of`] at once.
pub async fn page(
    conn: &mut PgConnection,
    layout: &Layout,
    query: &Query,
    start: Start,
    limit: usize,
) -> Result<Page, Error> {
    let began = Instant::now();
    let plan = plan(conn, layout, query).await?;
    let mut page = page_of(conn, layout, &plan, start, limit).await?;
    page.millis = millis(began);
    Ok(page)
}

/// A page of a search that is planned. A plan holds the ids that its look-ups found; plan anew to see what
/// came since.
pub async fn page_of(
    conn: &mut PgConnection,
    layout: &Layout,
    plan: &Plan,
    start: Start,
    limit: usize,
) -> Result<Page, Error> {
    let began = Instant::now();
    let Walk { mut hits, ended, gone_on } = walk(conn, layout, plan, start, limit).await?;
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
            Some(cursor) => format!(
                "time ran out: searched as far as orders of {}; the next page goes on from there",
                cursor.placed.format("%Y-%m-%d %H:%M UTC")
            ),
            None => {
                "time ran out before all candidates were looked at: narrow the search".to_owned()
            }
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
        complete: ended || more,
        millis: millis(began),
    })
}

/// How many orders match: exact up to [`COUNT_CAP`] within a quarter of a second, else about.
pub async fn count(
    conn: &mut PgConnection,
    layout: &Layout,
    query: &Query,
) -> Result<Count, Error> {
    let plan = plan(conn, layout, query).await?;
    count_of(conn, layout, &plan).await
}

/// How many orders match a search that is planned.
pub async fn count_of(
    conn: &mut PgConnection,
    layout: &Layout,
    plan: &Plan,
) -> Result<Count, Error> {
    if plan.sources.is_empty() {
        return Ok(Count::Exact(0));
    }
    let place = plan.place(Start::Newest);
    let (sources, filters) = (&plan.sources, &plan.filters);
    search::count(conn, layout, sources, filters, &place, COUNT_CAP, COUNT_BUDGET).await
}

/// What was read: hits in the direction of reading, one more than the page if there are more.
struct Walk {
    hits: Vec<Cursor>,
    /// Nothing lies beyond, or the page is full.
    ended: bool,
    /// Where the reading stopped early.
    gone_on: Option<Cursor>,
}

/// More candidates than any small source has.
const UNLIMITED: Window = Window(1_000_000);
/// Candidates of each of several sources, of which one may be long.
const MIXED: Window = Window(50_000);

async fn walk(
    conn: &mut PgConnection,
    layout: &Layout,
    plan: &Plan,
    start: Start,
    limit: usize,
) -> Result<Walk, Error> {
    let wanted = i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1;
    let place = plan.place(start);
    let (sources, filters) = (plan.sources.as_slice(), plan.filters.as_slice());
    let long = sources.iter().find(|source| source.is_long() && !filters.is_empty());
    match (sources, long) {
        ([], _) => Ok(Walk { hits: Vec::new(), ended: true, gone_on: None }),
        (_, None) => {
            let hits =
                search::hits(conn, layout, sources, filters, &place, UNLIMITED, wanted).await?;
            Ok(Walk { hits, ended: true, gone_on: None })
        }
        ([source], Some(_)) => walk_windows(conn, layout, plan, source, start, wanted).await,
        (_, Some(long)) => {
            let hits = search::hits(conn, layout, sources, filters, &place, MIXED, wanted).await?;
            let full = i64::try_from(hits.len()).is_ok_and(|found| found >= wanted);
            let ended =
                full || search::window_end(conn, layout, long, &place, MIXED).await?.is_none();
            Ok(Walk { hits, ended, gone_on: None })
        }
    }
}

/// Reads a long list window by window until the page is full, the list ends, or time is up.
async fn walk_windows(
    conn: &mut PgConnection,
    layout: &Layout,
    plan: &Plan,
    source: &Source,
    start: Start,
    wanted: i64,
) -> Result<Walk, Error> {
    let began = Instant::now();
    let sources = std::slice::from_ref(source);
    let mut place = plan.place(start);
    let mut window = FIRST_WINDOW;
    let mut walk = Walk { hits: Vec::new(), ended: false, gone_on: None };
    loop {
        let asked = Instant::now();
        let missing = wanted - i64::try_from(walk.hits.len()).unwrap_or(wanted);
        let size = Window(window);
        match search::hits(conn, layout, sources, &plan.filters, &place, size, missing).await {
            Ok(found) => walk.hits.extend(found),
            // What was found before is worth showing.
            Err(Error::TimedOut(_)) => return Ok(walk),
            Err(error) => return Err(error),
        }
        if i64::try_from(walk.hits.len()).is_ok_and(|found| found >= wanted) {
            return Ok(Walk { ended: true, ..walk });
        }
        let Some(end) = search::window_end(conn, layout, source, &place, size).await? else {
            return Ok(Walk { ended: true, gone_on: None, ..walk });
        };
        walk.gone_on = Some(end);
        place.start = start.going_on(end);
        // The next window takes about as much longer as it is larger: only as large as time is left for.
        let left = BUDGET.saturating_sub(began.elapsed()).as_millis();
        let room = left / asked.elapsed().as_millis().max(1);
        if room == 0 {
            return Ok(walk);
        }
        window *= i64::try_from(room).unwrap_or(GROWTH).min(GROWTH);
    }
}

fn millis(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}

//! Reading a list until the page is full, by windows where no index has the hits.

use std::time::Duration;

use sqlx::PgConnection;
use tokio::time::Instant;

use super::{Count, Cursor, Plan, Start};
use crate::db::{
    Error, Layout,
    search::{self, Source, Window},
    unless_late,
};

/// How many orders are looked at first where a filter has no index and nothing is known of how many pass;
/// four times as many each further time.
const FIRST_WINDOW: i64 = 2_000;
/// However rare the hits are expected to be.
const LARGEST_FIRST_WINDOW: i64 = 100_000;
const GROWTH: i64 = 4;
/// How long a search without an index goes on before it shows what it has.
const BUDGET: Duration = Duration::from_millis(1_500);

/// What was read: hits in the direction of reading, one more than the page if there are more.
pub(super) struct Walk {
    pub hits: Vec<Cursor>,
    /// Nothing lies beyond, or the page is full.
    pub ended: bool,
    /// Where the reading stopped early.
    pub gone_on: Option<Cursor>,
}

/// More candidates than any small source has.
const UNLIMITED: Window = Window(1_000_000);
/// Candidates of each of several sources, of which one may be long.
const MIXED: Window = Window(50_000);

pub(super) async fn walk(
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
    let mut window = first_window(plan, wanted);
    let mut walk = Walk { hits: Vec::new(), ended: false, gone_on: None };
    loop {
        let asked = Instant::now();
        let missing = wanted - i64::try_from(walk.hits.len()).unwrap_or(wanted);
        let size = Window(window);
        let hits = async |conn: &mut PgConnection| {
            search::hits(conn, layout, sources, &plan.filters, &place, size, missing).await
        };
        match unless_late(conn, hits).await? {
            Some(found) => walk.hits.extend(found),
            // What was found before is worth showing.
            None => return Ok(walk),
        }
        if i64::try_from(walk.hits.len()).is_ok_and(|found| found >= wanted) {
            return Ok(Walk { ended: true, ..walk });
        }
        let Some(end) = search::window_end(conn, layout, source, &place, size).await? else {
            return Ok(Walk { ended: true, gone_on: None, ..walk });
        };
        walk.gone_on = Some(end);
        place.start = start.going_on(end);
        match next_window(window, asked.elapsed(), BUDGET.saturating_sub(began.elapsed())) {
            Some(larger) => window = larger,
            None => return Ok(walk),
        }
    }
}

/// Large enough that the page is probably full with what passes of it, so that one look is enough; half as
/// much to spare, because hits are not spread evenly.
fn first_window(plan: &Plan, wanted: i64) -> i64 {
    plan.one_in.map_or(FIRST_WINDOW, |one_in| {
        let likely = wanted.saturating_mul(one_in);
        likely.saturating_add(likely / 2).clamp(wanted, LARGEST_FIRST_WINDOW)
    })
}

/// A window takes about as much longer as it is larger: only as large as time is left for.
fn next_window(window: i64, took: Duration, left: Duration) -> Option<i64> {
    let room = left.as_millis() / took.as_millis().max(1);
    (room > 0).then(|| window * i64::try_from(room).unwrap_or(GROWTH).min(GROWTH))
}

/// Counts hits window by window, until there are `cap`, the list ends, or the budget is spent.
pub(super) async fn count(
    conn: &mut PgConnection,
    layout: &Layout,
    plan: &Plan,
    source: &Source,
    cap: i64,
    budget: Duration,
) -> Result<Count, Error> {
    let began = Instant::now();
    let mut place = plan.place(Start::Newest);
    let mut window = FIRST_WINDOW;
    let mut counted = 0;
    loop {
        let (asked, size, left) = (Instant::now(), Window(window), cap + 1 - counted);
        let filters = &plan.filters;
        let more = async |conn: &mut PgConnection| {
            search::count_window(conn, layout, source, filters, &place, size, left).await
        };
        match unless_late(conn, more).await? {
            Some(more) => counted += more,
            None => return Ok(Count::AtLeast(counted)),
        }
        if counted > cap {
            return Ok(Count::MoreThan(cap));
        }
        let Some(end) = search::window_end(conn, layout, source, &place, size).await? else {
            return Ok(Count::Exact(counted));
        };
        place.start = Start::OlderThan(end);
        match next_window(window, asked.elapsed(), budget.saturating_sub(began.elapsed())) {
            Some(larger) => window = larger,
            None => return Ok(Count::AtLeast(counted)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_grow_while_there_is_time() {
        let ms = Duration::from_millis;
        assert_eq!(next_window(1_000, ms(1), ms(1_000)), Some(4_000));
        assert_eq!(next_window(1_000, ms(100), ms(250)), Some(2_000));
        assert_eq!(next_window(1_000, ms(100), ms(99)), None);
    }
}

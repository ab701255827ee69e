//! Which part of a question to ask of an index, and which to test on what comes back.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

use super::{
    Access, OrderBy, Start,
    resolve::{Resolved, resolve},
};
use crate::{
    db::{
        Error, Index, Layout, Table,
        search::{Filter, Place, Source},
    },
    domain::{
        coverage::NotLookedAt,
        search::{Query, Span, Test},
    },
};

/// A search with its look-ups done. Serves any page of it and its count.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub(super) sources: Vec<Source>,
    pub(super) filters: Vec<Filter>,
    pub(super) coverage: Vec<NotLookedAt>,
    /// One in so many candidates is expected to pass the filters; none where nothing is known.
    pub(super) one_in: Option<i64>,
    order_by: OrderBy,
    status: Option<i16>,
    placed: Span<DateTime<Utc>>,
}

/// Plans a search: looks up what is small, then chooses where the candidates come from.
pub async fn plan(conn: &mut PgConnection, layout: &Layout, query: &Query) -> Result<Plan, Error> {
    if !layout.reads(Table::Orders) {
        let missing = layout.missing().into_iter().next();
        return Err(Error::MissingTable(missing.map_or_else(String::new, |missing| missing.what)));
    }
    let mut coverage = layout.not_looked_at(&[Table::Orders, Table::OrderItems, Table::Buyers]);
    let mut terms = Vec::new();
    let (mut status, mut placed) = (None, Span { from: None, to: None });
    for term in &query.terms {
        if !term.negated {
            match &term.test {
                Test::Status(wanted) => status = Some(wanted.number()),
                Test::Placed(span) => placed = both(&placed, span),
                // Nothing is modified before it is placed, give or take two clocks.
                Test::Modified(Span { to: Some(to), .. }) => {
                    placed =
                        both(&placed, &Span { from: None, to: Some(*to + TimeDelta::days(1)) });
                }
                _ => {}
            }
        }
        let resolved = resolve(conn, layout, &term.test, term.negated, &mut coverage).await?;
        terms.push(if term.negated { resolved.negated() } else { resolved });
    }
    let best = terms
        .iter()
        .enumerate()
        .filter_map(|(nth, term)| Some((term.sources.as_ref()?.0, nth)))
        .min_by_key(|(rank, _)| *rank)
        .map(|(_, nth)| nth);
    let mut filters = Vec::new();
    let mut sources = vec![Source::Newest];
    let mut one_in = None;
    for (nth, Resolved { filter, sources: own, exact, one_in: each }) in
        terms.into_iter().enumerate()
    {
        match own {
            Some((_, own)) if Some(nth) == best => {
                one_in = own.iter().fold(one_in, |one_in, source| product(one_in, source.one_in()));
                sources = own;
                filters.extend((!exact).then_some(filter));
            }
            _ => {
                one_in = product(one_in, each);
                filters.push(filter);
            }
        }
    }
    let order_by = order(layout, &sources);
    let by_place = order_by == OrderBy::Placed && !sources.iter().any(Source::is_by_id);
    filters.retain(|filter| match filter {
        // The place in the list has these already.
        Filter::Status(_) => !(by_place && layout.has(Index::OrdersByStatusPlaced)),
        Filter::Placed(_) => !by_place,
        _ => true,
    });
    note_clock(order_by, &sources, &placed, &mut coverage);
    Ok(Plan { sources, filters, coverage, one_in, order_by, status, placed })
}

impl Plan {
    /// One that finds nothing, for tests of screens.
    #[cfg(test)]
    pub(crate) const fn nothing() -> Self {
        Self {
            sources: vec![],
            filters: vec![],
            coverage: vec![],
            one_in: None,
            order_by: OrderBy::Placed,
            status: None,
            placed: Span { from: None, to: None },
        }
    }

    /// What the list is sorted by.
    pub const fn order_by(&self) -> OrderBy {
        self.order_by
    }

    /// How the orders are found.
    pub fn access(&self) -> Access {
        let long = self.sources.iter().any(Source::is_long);
        // A bucket of totals is tested only at its edges.
        let near = self.sources.iter().any(|source| matches!(source, Source::TotalBuckets(..)))
            && matches!(self.filters.as_slice(), [Filter::Total(_)]);
        if long && !near && !self.filters.is_empty() { Access::NewestFirst } else { Access::Index }
    }

    pub(super) fn place(&self, start: Start) -> Place {
        Place { order_by: self.order_by, start, status: self.status, placed: self.placed.clone() }
    }
}

/// By placing time where an index gives that order, or the candidates are few enough to be sorted.
fn order(layout: &Layout, sources: &[Source]) -> OrderBy {
    let by_id = sources.iter().any(Source::is_by_id);
    let newest = sources.contains(&Source::Newest);
    let sorted = layout.has_or_small(Index::OrdersByPlaced, Table::Orders);
    if by_id || (newest && !sorted) { OrderBy::Id } else { OrderBy::Placed }
}

const CLOCK: &str = "sorted by the clock in the order's id";

fn note_clock(
    order_by: OrderBy,
    sources: &[Source],
    placed: &Span<DateTime<Utc>>,
    coverage: &mut Vec<NotLookedAt>,
) {
    if order_by == OrderBy::Placed {
        return;
    }
    if sources.contains(&Source::Newest) {
        coverage.push(NotLookedAt::narrowed(CLOCK, "created_at has no index"));
    } else {
        let what = if sources.iter().any(|source| matches!(source, Source::Book(_))) {
            "a book's orders"
        } else {
            "orders of about a total"
        };
        coverage.push(NotLookedAt::narrowed(CLOCK, format!("{what} are listed so")));
    }
    if placed.from.is_some() || placed.to.is_some() {
        coverage.push(NotLookedAt::narrowed(
            "dates found by the clock in the id, a day to spare",
            "orders with ids of another kind are left out",
        ));
    }
}

/// Independent tests: shares multiply.
fn product(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.saturating_mul(b)),
        (a, b) => a.or(b),
    }
}

fn both<T: Ord + Clone>(a: &Span<T>, b: &Span<T>) -> Span<T> {
    Span {
        from: a.from.clone().max(b.from.clone()),
        to: match (&a.to, &b.to) {
            (Some(a), Some(b)) => Some(a.min(b).clone()),
            (a, b) => a.clone().or_else(|| b.clone()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_ranges_hold_both() {
        let span = |from, to| Span { from, to };
        assert_eq!(both(&span(Some(1), None), &span(Some(3), Some(9))), span(Some(3), Some(9)));
        assert_eq!(both(&span(None, Some(4)), &span(None, Some(9))), span(None, Some(4)));
    }
}

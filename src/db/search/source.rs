//! Where the candidates of a search come from: the part of a question that an index answers.

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::{Decimal, prelude::ToPrimitive};
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::{
    Cursor, OrderBy, Start,
    filter::{between, phrase, reversed},
};
use crate::{
    db::{
        Index, Layout, Table,
        expressions::{ID_TAIL, NOTE_WORDS, SUMMARY_TOTAL, SUMMARY_TOTAL_BUCKET},
    },
    domain::{endless, search::Span},
};

/// One way of getting candidates. A question with alternatives has several.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// All orders in the order of the list.
    Newest,
    /// These orders.
    Orders(Vec<Uuid>),
    /// Orders whose id ends so.
    Tail(String),
    /// Orders of each of these buyers.
    Buyers(Vec<Uuid>),
    /// Orders with this book, by id.
    Book(Uuid),
    /// Orders with these words in the note.
    Note(String),
    /// Soft-deleted orders.
    Deleted,
    /// Orders whose summary has such a total.
    Total(Span<Decimal>),
    /// Orders whose summary has about such a total, by id: from the one end of a span to the other.
    TotalBuckets(Decimal, Decimal),
}

/// The part of the list that is wanted, as far as an index on orders can tell.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    pub order_by: OrderBy,
    pub start: Start,
    pub status: Option<i16>,
    pub placed: Span<DateTime<Utc>>,
}

/// A range of totals has at most so many buckets (see `SUMMARY_TOTAL_BUCKET`): each is read for a page of it.
const MOST_BUCKETS: f64 = 60.0;
/// What is less is in the bucket of this.
const LEAST_TOTAL: f64 = 0.01;

/// How far the clock in an id may be from `created_at`: the column's default shifts by the session's time
/// zone, and two programs' clocks differ.
pub(super) const CLOCKS_APART: TimeDelta = TimeDelta::days(1);

pub(super) const COLUMNS: &str =
    "o.id, o.status, o.note, o.buyer_id, o.is_deleted, o.created_at, o.last_modified_at";

impl Source {
    /// Whether it may hold far more candidates than a page, so that only a window of it is read at a time.
    pub const fn is_long(&self) -> bool {
        matches!(self, Self::Newest | Self::Book(_) | Self::Deleted | Self::TotalBuckets(..))
    }

    /// The buckets of a span of totals; none without both ends, or if there are too many of them.
    pub fn total_buckets(span: &Span<Decimal>) -> Option<Self> {
        let buckets = Self::TotalBuckets(span.from?, span.to?);
        buckets.buckets().is_some_and(|count| count <= MOST_BUCKETS).then_some(buckets)
    }

    /// How many candidates there are for one that is what the source was asked for, at most.
    pub fn one_in(&self) -> Option<i64> {
        // The ends of the span cut two buckets.
        self.buckets().map(|count| if count > 6.0 { 1 } else { 3 })
    }

    /// How many buckets the span is wide.
    fn buckets(&self) -> Option<f64> {
        let Self::TotalBuckets(from, to) = self else { return None };
        let (from, to) = (from.to_f64()?.max(LEAST_TOTAL), to.to_f64()?.max(LEAST_TOTAL));
        Some(20.0 * (to / from).ln())
    }

    /// Whether its candidates come in the order of their ids.
    pub const fn is_by_id(&self) -> bool {
        matches!(self, Self::Book(_) | Self::TotalBuckets(..))
    }

    /// Appends a `SELECT` of the first `window` candidates (as `o`, with all columns of an order) in the
    /// list's order.
    pub(super) fn push(
        &self,
        sql: &mut QueryBuilder<Postgres>,
        layout: &Layout,
        place: &Place,
        window: i64,
    ) {
        let orders = layout.from(Table::Orders);
        match self {
            Self::Newest => {
                sql.push(format!("SELECT {COLUMNS} FROM {orders} o WHERE true"));
                place.push(sql, layout);
            }
            Self::Orders(ids) => {
                sql.push(format!("SELECT {COLUMNS} FROM {orders} o WHERE o.id = ANY("));
                sql.push_bind(ids.clone()).push(")");
                place.push(sql, layout);
            }
            Self::Tail(tail) => {
                sql.push(format!("SELECT {COLUMNS} FROM {orders} o WHERE {ID_TAIL} LIKE "));
                sql.push_bind(reversed(tail));
                place.push(sql, layout);
            }
            Self::Buyers(ids) => {
                sql.push(format!("SELECT {COLUMNS} FROM unnest("));
                sql.push_bind(ids.clone()).push("::uuid[]) AS w(buyer) CROSS JOIN LATERAL (");
                sql.push(format!("SELECT {COLUMNS} FROM {orders} o WHERE o.buyer_id = w.buyer"));
                place.push(sql, layout);
                place.push_order(sql);
                sql.push(" LIMIT ").push_bind(window).push(") o");
            }
            Self::Book(book) => {
                let lines = layout.from(Table::OrderItems);
                sql.push(format!(
                    "SELECT {COLUMNS} FROM (SELECT DISTINCT i.order_id FROM {lines} i"
                ));
                sql.push(" WHERE i.book_id = ").push_bind(*book);
                place.push_key(sql, "i.order_id");
                sql.push(format!(" ORDER BY i.order_id{}", place.direction()));
                sql.push(" LIMIT ").push_bind(window).push(") i CROSS JOIN LATERAL (");
                sql.push(format!("SELECT {COLUMNS} FROM {orders} o WHERE o.id = i.order_id) o"));
            }
            Self::Note(words) => {
                // Materialised, or the planner may walk the list in its order and test every note.
                sql.push(format!(
                    "SELECT {COLUMNS} FROM (WITH m AS MATERIALIZED (SELECT {COLUMNS} "
                ));
                sql.push(format!(
                    "FROM {orders} o WHERE {NOTE_WORDS} @@ phraseto_tsquery('simple', "
                ));
                sql.push_bind(phrase(words))
                    .push(")) SELECT id, status, note, buyer_id, is_deleted, ");
                sql.push("created_at, last_modified_at FROM m) o WHERE true");
                place.push(sql, layout);
            }
            Self::Deleted => {
                sql.push(format!("SELECT {COLUMNS} FROM {orders} o WHERE o.is_deleted"));
                place.push(sql, layout);
            }
            Self::TotalBuckets(from, to) => {
                // Totals are not compared here: the planner would rather read all of a total than the first
                // few of a bucket, and a window must end where it ended in each bucket.
                let summaries = layout.from(Table::Summaries);
                let bucket = |sql: &mut QueryBuilder<Postgres>, end: &Decimal| {
                    sql.push("floor(20 * ln(greatest(").push_bind(*end);
                    sql.push("::numeric, 0.01)::float8))::integer");
                };
                sql.push(format!("SELECT {COLUMNS} FROM (SELECT s.id FROM generate_series("));
                bucket(sql, from);
                sql.push(", ");
                bucket(sql, to);
                sql.push(format!(
                    ") AS w(bucket) CROSS JOIN LATERAL (SELECT s.id FROM {summaries} s \
                     WHERE {SUMMARY_TOTAL_BUCKET} = w.bucket"
                ));
                place.push_key(sql, "s.id");
                let order = format!(" ORDER BY s.id{} LIMIT ", place.direction());
                sql.push(&order).push_bind(window).push(") s").push(&order).push_bind(window);
                sql.push(format!(
                    ") s CROSS JOIN LATERAL (SELECT {COLUMNS} FROM {orders} o WHERE o.id = s.id) o"
                ));
            }
            Self::Total(span) => {
                let summaries = layout.from(Table::Summaries);
                sql.push(format!("SELECT {COLUMNS} FROM (WITH m AS MATERIALIZED (SELECT s.id "));
                sql.push(format!("FROM {summaries} s WHERE "));
                between(sql, SUMMARY_TOTAL, span);
                sql.push(format!(
                    ") SELECT {COLUMNS} FROM m JOIN {orders} o ON o.id = m.id) o WHERE true"
                ));
                place.push(sql, layout);
            }
        }
        place.push_order(sql);
        sql.push(" LIMIT ").push_bind(window);
    }
}

impl Place {
    /// Appends ` AND …` for what narrows the list along its index.
    fn push(&self, sql: &mut QueryBuilder<Postgres>, layout: &Layout) {
        if let Some(status) = self.status
            && (self.order_by == OrderBy::Placed && layout.has(Index::OrdersByStatusPlaced))
        {
            sql.push(" AND o.status = ").push_bind(status);
        }
        if self.placed.from.is_some() || self.placed.to.is_some() {
            sql.push(" AND ");
            match self.order_by {
                OrderBy::Placed => between(sql, "o.created_at", &self.placed),
                OrderBy::Id => between(sql, "o.id", &id_span(&self.placed)),
            }
        }
        self.push_key(sql, "o.id");
    }

    /// Appends the condition that a row comes after the cursor.
    fn push_key(&self, sql: &mut QueryBuilder<Postgres>, id: &str) {
        let Some(Cursor { placed, id: last }) = self.start.cursor() else { return };
        let after = if self.start.is_upwards() { " > " } else { " < " };
        match self.order_by {
            OrderBy::Placed => {
                sql.push(format!(" AND (o.created_at, o.id){after}("));
                match endless::literal(placed) {
                    Some(name) => sql.push_bind(name).push("::text::timestamptz"),
                    None => sql.push_bind(placed),
                };
                sql.push(", ").push_bind(last).push(")");
            }
            OrderBy::Id => {
                sql.push(format!(" AND {id}{after}")).push_bind(last);
            }
        }
    }

    /// Whether nothing narrows the list.
    pub(super) const fn is_everything(&self) -> bool {
        self.status.is_none() && self.placed.from.is_none() && self.placed.to.is_none()
    }

    pub(super) fn push_order(&self, sql: &mut QueryBuilder<Postgres>) {
        let direction = self.direction();
        match self.order_by {
            OrderBy::Placed => {
                sql.push(format!(" ORDER BY o.created_at{direction}, o.id{direction}"))
            }
            OrderBy::Id => sql.push(format!(" ORDER BY o.id{direction}")),
        };
    }

    const fn direction(&self) -> &'static str {
        if self.start.is_upwards() { "" } else { " DESC" }
    }
}

/// The version 7 ids made within a span of time, with a day to spare on both sides.
fn id_span(span: &Span<DateTime<Utc>>) -> Span<Uuid> {
    let id = |at: DateTime<Utc>, fill: u128| {
        let millis = u128::try_from(at.timestamp_millis()).unwrap_or(0) & 0xffff_ffff_ffff;
        Uuid::from_u128(millis << 80 | fill)
    };
    Span {
        from: span.from.map(|from| id(from - CLOCKS_APART, 0)),
        to: span.to.map(|to| id(to + CLOCKS_APART, (1 << 80) - 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_a_span_contain_ids_made_in_it() {
        let at = DateTime::from_timestamp_millis(1_700_000_000_000).unwrap();
        let made = Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, 1_700_000_000, 0));
        let span = id_span(&Span { from: Some(at), to: Some(at) });
        assert!(span.from.unwrap() < made && made < span.to.unwrap());
        let later = id_span(&Span { from: Some(at + TimeDelta::days(2)), to: None });
        assert!(later.from.unwrap() > made && later.to.is_none());
    }
}

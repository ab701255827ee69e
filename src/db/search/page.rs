//! One page of hits: candidates from the sources, in the list's order, that pass the filters.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, Postgres, QueryBuilder};

use super::{Cursor, Filter, Place, Source, filter::push_all};
use crate::{
    db::{Error, Layout, OfTable, Table, sql::moment},
    domain::id::OrderId,
};

/// How many candidates of each source are looked at, at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window(pub i64);

/// The first `limit` hits in the list's order, among the first `window` candidates of each source.
pub async fn hits(
    conn: &mut PgConnection,
    layout: &Layout,
    sources: &[Source],
    filters: &[Filter],
    place: &Place,
    window: Window,
    limit: i64,
) -> Result<Vec<Cursor>, Error> {
    let mut sql = QueryBuilder::new("");
    push(&mut sql, layout, sources, filters, place, window, limit);
    let rows: Vec<(OrderId, DateTime<Utc>)> =
        sql.build_query_as().fetch_all(conn).await.of(Table::Orders.name())?;
    Ok(rows.into_iter().map(|(id, placed)| Cursor { placed, id }).collect())
}

/// Appends the statement behind [`hits`]: `id, created_at`.
pub(super) fn push(
    sql: &mut QueryBuilder<Postgres>,
    layout: &Layout,
    sources: &[Source],
    filters: &[Filter],
    place: &Place,
    window: Window,
    limit: i64,
) {
    if let [source] = sources {
        push_one(sql, layout, source, filters, place, window, limit);
        return;
    }
    sql.push("SELECT o.id, o.created_at FROM (");
    for (nth, source) in sources.iter().enumerate() {
        sql.push(if nth == 0 { "(" } else { ") UNION (" });
        push_one(sql, layout, source, filters, place, window, limit);
    }
    sql.push(")) o");
    place.push_order(sql);
    sql.push(" LIMIT ").push_bind(limit);
}

fn push_one(
    sql: &mut QueryBuilder<Postgres>,
    layout: &Layout,
    source: &Source,
    filters: &[Filter],
    place: &Place,
    window: Window,
    limit: i64,
) {
    sql.push(format!("SELECT o.id, {} AS created_at FROM (", moment("o.created_at")));
    // Without a filter every candidate is a hit. With one, the limit inside also keeps the filter out:
    // it is tested in the list's order and only until the page is full.
    let window = if filters.is_empty() { limit } else { window.0 };
    source.push(sql, layout, place, window);
    sql.push(") o WHERE true");
    push_all(sql, layout, filters);
    place.push_order(sql);
    sql.push(" LIMIT ").push_bind(limit);
}

/// The last candidate of a window without a hit, if the window was full: where to continue.
pub async fn window_end(
    conn: &mut PgConnection,
    layout: &Layout,
    source: &Source,
    place: &Place,
    window: Window,
) -> Result<Option<Cursor>, Error> {
    let mut sql =
        QueryBuilder::<Postgres>::new("WITH w AS MATERIALIZED (SELECT id, created_at FROM (");
    source.push(&mut sql, layout, place, window.0);
    let back = Place { start: opposite(place), ..place.clone() };
    sql.push(format!(
        ") c) SELECT o.id, {}, (SELECT count(*) FROM w) FROM w o",
        moment("o.created_at")
    ));
    back.push_order(&mut sql);
    sql.push(" LIMIT 1");
    let row: Option<(OrderId, DateTime<Utc>, i64)> =
        sql.build_query_as().fetch_optional(conn).await.of(Table::Orders.name())?;
    Ok(row.filter(|(.., count)| *count >= window.0).map(|(id, placed, _)| Cursor { placed, id }))
}

const fn opposite(place: &Place) -> super::Start {
    if place.start.is_upwards() { super::Start::Newest } else { super::Start::Oldest }
}

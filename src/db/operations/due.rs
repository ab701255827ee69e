//! Rows whose time is over, as an operation meets them outside its batches: counted and frozen page by page, oldest
//! first, and looked for again afterwards.

use serde_json::Value;
use sqlx::{FromRow, PgConnection, Postgres, QueryBuilder};
use uuid::Uuid;

use super::big;
use crate::db::{
    Error, Layout, Table,
    sql::unless_late,
    write::{DueKey, Old},
};

/// Counting what came later stops here.
const MOST_ARRIVED: i64 = 10_000;

/// Where the next page begins: after the last row of the one before, in the database's spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    pub at: String,
    pub tie: String,
}

/// A page of what is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub rows: u64,
    /// None where there are no rows any more.
    pub next: Option<Cursor>,
}

#[derive(FromRow)]
struct Found {
    rows: i64,
    at: Option<String>,
    tie: Option<String>,
}

impl From<Found> for Page {
    fn from(found: Found) -> Self {
        let next = found.at.zip(found.tie).map(|(at, tie)| Cursor { at, tie });
        Self { rows: found.rows.max(0).unsigned_abs(), next }
    }
}

const PAGE: &str = "SELECT count(*) AS rows, (SELECT at::text FROM page ORDER BY at DESC, tie DESC LIMIT 1) AS at, \
     (SELECT tie::text FROM page ORDER BY at DESC, tie DESC LIMIT 1) AS tie FROM page";

/// Counts the rows of a page.
pub async fn due_page(
    conn: &mut PgConnection,
    layout: &Layout,
    old: Old,
    after: Option<&Cursor>,
    limit: u64,
) -> Result<Page, Error> {
    let mut sql = QueryBuilder::<Postgres>::new("WITH page AS (");
    push_page(&mut sql, layout, old, after, limit);
    sql.push(") ").push(PAGE);
    let found: Found = sql.build_query_as().fetch_one(conn).await?;
    Ok(found.into())
}

/// Keys of the first rows.
pub async fn due_first(
    conn: &mut PgConnection,
    layout: &Layout,
    old: Old,
    limit: u64,
) -> Result<Vec<Value>, Error> {
    let mut sql = QueryBuilder::<Postgres>::new("SELECT key FROM (");
    push_page(&mut sql, layout, old, None, limit);
    sql.push(") page ORDER BY at, tie");
    Ok(sql.build_query_scalar().fetch_all(conn).await?)
}

/// Adds the keys of a page to the list of an operation, after `base` others. They never leave the server.
pub async fn freeze_page(
    conn: &mut PgConnection,
    layout: &Layout,
    old: Old,
    after: Option<&Cursor>,
    limit: u64,
    (operation, base): (Uuid, u64),
) -> Result<Page, Error> {
    let mut sql = QueryBuilder::<Postgres>::new("WITH page AS (");
    push_page(&mut sql, layout, old, after, limit);
    sql.push(
        "), added AS (INSERT INTO orderscope.operation_items (operation, ordinal, key) SELECT ",
    );
    sql.push_bind(operation).push(", ").push_bind(big(base));
    sql.push(" + row_number() OVER (ORDER BY at, tie), key FROM page) ").push(PAGE);
    let found: Found = sql.build_query_as().fetch_one(conn).await?;
    Ok(found.into())
}

fn push_page(
    sql: &mut QueryBuilder<Postgres>,
    layout: &Layout,
    old: Old,
    after: Option<&Cursor>,
    limit: u64,
) {
    let (moment, (tie, kind)) = (old.moment(), old.tie());
    sql.push(format!("SELECT s.{moment} AS at, s.{tie} AS tie, {} AS key FROM ", old.key()));
    sql.push(layout.from(old.table())).push(" s WHERE ").push(old.test());
    sql.push_bind(old.before());
    sql.push(old.referral(layout));
    if let Some(Cursor { at, tie: last }) = after {
        sql.push(format!(" AND (s.{moment}, s.{tie}) > ("));
        sql.push_bind(at.clone()).push("::timestamptz, ");
        sql.push_bind(last.clone()).push(format!("::{kind})"));
    }
    sql.push(format!(" ORDER BY s.{moment}, s.{tie} LIMIT ")).push_bind(big(limit));
}

/// What is due now and not in the frozen list of an operation, counted up to 10,000; none where the count would take
/// too long.
pub async fn arrived(
    conn: &mut PgConnection,
    layout: &Layout,
    old: Old,
    operation: Uuid,
) -> Result<Option<u64>, Error> {
    let mut sql = QueryBuilder::<Postgres>::new("SELECT count(*) FROM (SELECT FROM ");
    sql.push(layout.from(old.table())).push(" s WHERE ").push(old.test());
    sql.push_bind(old.before());
    sql.push(old.referral(layout));
    sql.push(" AND NOT EXISTS (SELECT FROM orderscope.operation_items i WHERE i.operation = ");
    sql.push_bind(operation).push(format!(" AND i.key = {})", old.key()));
    sql.push(format!(" LIMIT {MOST_ARRIVED}) x"));
    let rows: Option<i64> =
        unless_late(conn, async |conn| Ok(sql.build_query_scalar().fetch_one(conn).await?)).await?;
    Ok(rows.map(|rows| rows.max(0).unsigned_abs()))
}

/// How many of these rows are still there and due, with the messages of outboxes that are left.
pub async fn still_there(
    conn: &mut PgConnection,
    layout: &Layout,
    old: Old,
    keys: &[DueKey],
) -> Result<u64, Error> {
    let mut sql = QueryBuilder::<Postgres>::new("SELECT (SELECT count(*) FROM ");
    old.push_given(&mut sql, layout, keys);
    sql.push(" WHERE ").push(old.test()).push_bind(old.before());
    if matches!(old, Old::Consumers(_)) {
        // The row itself stays.
        sql.push(old.referral(layout));
    }
    sql.push(")");
    if matches!(old, Old::Outboxes(_)) {
        let ids: Vec<Uuid> = keys.iter().map(|key| key.id).collect();
        sql.push(" + (SELECT count(*) FROM ").push(layout.from(Table::OutboxMessages));
        sql.push(" m WHERE m.outbox_id = ANY(").push_bind(ids).push("))");
    }
    let rows: i64 = sql.build_query_scalar().fetch_one(conn).await?;
    Ok(rows.max(0).unsigned_abs())
}

/// How many copies of an operation have these numbers.
pub async fn copies(
    conn: &mut PgConnection,
    operation: Uuid,
    lowest: i64,
    highest: i64,
) -> Result<i64, Error> {
    let rows = sqlx::query_scalar!(
        r#"SELECT count(*) AS "rows!" FROM orderscope.kept_messages
           WHERE operation = $1 AND number BETWEEN $2 AND $3"#,
        operation,
        lowest,
        highest
    );
    Ok(rows.fetch_one(conn).await?)
}

//! Streams: what Marten keeps beside the events.

use serde::Deserialize;
use serde_json::Value;
use sqlx::{FromRow, PgConnection, Postgres, QueryBuilder};

use super::{Error, Index, Layout, OfTable, Table, sql::document};
use crate::domain::id::OrderId;

/// So many tenants with one stream id are named.
const MOST_TENANTS: i64 = 20;

/// A row of `mt_streams`.
#[derive(Debug, Clone, PartialEq)]
pub struct Stream {
    /// The newest version, as the stream's row has it.
    pub version: Option<i64>,
    pub archived: bool,
    pub snapshot: Option<Snapshot>,
}

/// A stored snapshot: the state after `version` events. No snapshot columns exist since Marten 9.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    pub version: i32,
    pub state: Value,
}

#[derive(FromRow, Deserialize)]
pub(super) struct StreamRow {
    version: Option<i64>,
    snapshot: Option<String>,
    snapshot_version: Option<i32>,
    is_archived: bool,
}

/// The order's own stream. An order whose events are in streams of their own has none.
pub async fn of_order(
    conn: &mut PgConnection,
    layout: &Layout,
    id: OrderId,
) -> Result<Option<Stream>, Error> {
    let mut sql = QueryBuilder::<Postgres>::new("");
    push_of_order(&mut sql, layout, id);
    let row: Option<StreamRow> =
        sql.build_query_as().fetch_optional(conn).await.of(Table::Streams.name())?;
    Ok(row.map(Stream::from))
}

/// The tenants that have a stream of this name, in the order of their names; some of them where they are many.
pub async fn tenants(
    conn: &mut PgConnection,
    layout: &Layout,
    id: OrderId,
) -> Result<Vec<String>, Error> {
    let from = layout.from(Table::Streams);
    let mut sql = QueryBuilder::<Postgres>::new(format!(
        "SELECT DISTINCT tenant_id::text FROM {from} s WHERE tenant_id IS NOT NULL AND "
    ));
    push_key(&mut sql, layout, id);
    sql.push(" ORDER BY 1 LIMIT ").push_bind(MOST_TENANTS);
    sql.build_query_scalar().fetch_all(conn).await.of(Table::Streams.name())
}

/// The first and the last tenant of the store by name, the same where it has one; none where that cannot be told at
/// once, or there is no stream.
pub async fn first_and_last_tenant(
    conn: &mut PgConnection,
    layout: &Layout,
) -> Result<Option<(String, String)>, Error> {
    if !layout.has_or_small(Index::StreamTenant, Table::Streams) {
        return Ok(None);
    }
    let from = layout.from(Table::Streams);
    let end = |order: &str| {
        format!(
            "(SELECT tenant_id::text FROM {from} s WHERE tenant_id IS NOT NULL ORDER BY s.tenant_id {order} LIMIT 1)"
        )
    };
    let mut sql = QueryBuilder::<Postgres>::new(format!("SELECT {}, {}", end("ASC"), end("DESC")));
    let (first, last): (Option<String>, Option<String>) =
        sql.build_query_as().fetch_one(conn).await.of(Table::Streams.name())?;
    Ok(first.zip(last))
}

/// Tests for streams of this name, of any tenant. The index of streams that are keyed by tenant leads from tenant to
/// tenant, and in each to the name.
fn push_key(sql: &mut QueryBuilder<Postgres>, layout: &Layout, id: OrderId) {
    sql.push("s.id = ").push_bind(id).push(of_any_tenant(layout));
}

pub(super) fn of_any_tenant(layout: &Layout) -> String {
    if !layout.shares_ids() {
        return String::new();
    }
    let from = layout.from(Table::Streams);
    format!(
        " AND s.tenant_id = ANY(ARRAY(WITH RECURSIVE t(tenant) AS (\
            (SELECT tenant_id FROM {from} f ORDER BY tenant_id LIMIT 1) \
            UNION ALL SELECT (SELECT n.tenant_id FROM {from} n WHERE n.tenant_id > t.tenant \
                ORDER BY n.tenant_id LIMIT 1) FROM t WHERE t.tenant IS NOT NULL) \
         SELECT tenant FROM t WHERE tenant IS NOT NULL))"
    )
}

pub(super) fn push_of_order(sql: &mut QueryBuilder<Postgres>, layout: &Layout, id: OrderId) {
    sql.push(format!(
        "SELECT version, snapshot::text AS snapshot, snapshot_version, is_archived FROM {} s WHERE ",
        layout.from(Table::Streams)
    ));
    push_key(sql, layout, id);
    // The primary key has the archive mark too: a stream may be there twice for a moment.
    sql.push(" ORDER BY is_archived LIMIT 1");
}

impl From<StreamRow> for Stream {
    fn from(row: StreamRow) -> Self {
        Self {
            version: row.version,
            archived: row.is_archived,
            snapshot: row.snapshot_version.zip(row.snapshot).map(|(version, state)| Snapshot {
                version,
                state: document(&state).unwrap_or_else(Value::String),
            }),
        }
    }
}

//! Streams: what Marten keeps beside the events.

use serde::Deserialize;
use serde_json::Value;
use sqlx::{FromRow, PgConnection, Postgres, QueryBuilder, types::Json};

use super::{Error, Layout, OfTable, Table};
use crate::domain::id::OrderId;

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
    snapshot: Option<Json<Value>>,
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

pub(super) fn push_of_order(sql: &mut QueryBuilder<Postgres>, layout: &Layout, id: OrderId) {
    sql.push(format!(
        "SELECT version, snapshot, snapshot_version, is_archived FROM {} s WHERE id = ",
        layout.from(Table::Streams)
    ));
    // The primary key has the archive mark too: a stream may be there twice for a moment.
    sql.push_bind(id).push(" ORDER BY is_archived LIMIT 1");
}

impl From<StreamRow> for Stream {
    fn from(row: StreamRow) -> Self {
        Self {
            version: row.version,
            archived: row.is_archived,
            snapshot: row
                .snapshot_version
                .zip(row.snapshot)
                .map(|(version, Json(state))| Snapshot { version, state }),
        }
    }
}

//! The order summary documents and how far their projection has come.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use sqlx::{FromRow, PgConnection, Postgres, QueryBuilder};

use super::{
    Error, Layout, OfTable, Table,
    sql::{document, moment},
};
use crate::domain::id::{OrderId, SeqId};

/// A summary document as stored; what it means is the domain's.
#[derive(Debug, Clone, PartialEq)]
pub struct SummaryDocument {
    /// `{"Id", "Status", "TotalPrice"}`, of whatever shape it is.
    pub data: Value,
    /// The `seq_id` of the last event applied, where the asynchronous daemon wrote it.
    pub version: Option<i64>,
    pub last_modified: Option<DateTime<Utc>>,
}

/// How far projecting has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// `OrderSummaryView:All`; none where the projection is inline or never finished a batch.
    pub summary: Option<SeqId>,
    /// `HighWaterMark`: below it no number is awaited any more.
    pub high_water: Option<SeqId>,
    /// The newest event there is.
    pub head: Option<SeqId>,
}

#[derive(FromRow, Deserialize)]
pub(super) struct SummaryRow {
    found: bool,
    data: Option<String>,
    version: Option<i64>,
    last_modified: Option<DateTime<Utc>>,
    summary: Option<SeqId>,
    high_water: Option<SeqId>,
    head: Option<SeqId>,
}

/// The order's document and the position of its projection, in one statement.
pub async fn of_order(
    conn: &mut PgConnection,
    layout: &Layout,
    id: OrderId,
) -> Result<(Option<SummaryDocument>, Position), Error> {
    let mut sql = QueryBuilder::<Postgres>::new("");
    push_of_order(&mut sql, layout, id);
    let row: SummaryRow = sql.build_query_as().fetch_one(conn).await.of(Table::Summaries.name())?;
    Ok(row.parts())
}

pub(super) fn push_of_order(sql: &mut QueryBuilder<Postgres>, layout: &Layout, id: OrderId) {
    let progress = layout.from(Table::Progression);
    sql.push(format!(
        "SELECT s.id IS NOT NULL AS found, s.data::text AS data, s.mt_version::bigint AS version, \
         {} AS last_modified, \
         (SELECT last_seq_id FROM {progress} p WHERE name = 'OrderSummaryView:All' LIMIT 1) AS summary, \
         (SELECT last_seq_id FROM {progress} p WHERE name = 'HighWaterMark' LIMIT 1) AS high_water, \
         (SELECT seq_id FROM {} e ORDER BY seq_id DESC LIMIT 1) AS head \
         FROM (SELECT 1) one LEFT JOIN {} s ON s.id = ",
        moment("s.mt_last_modified"),
        layout.from(Table::Events),
        layout.from(Table::Summaries),
    ));
    sql.push_bind(id).push(" LIMIT 1");
}

impl SummaryRow {
    pub(super) fn parts(self) -> (Option<SummaryDocument>, Position) {
        let Self { summary, high_water, head, .. } = self;
        let document = self.data.filter(|_| self.found).map(|data| SummaryDocument {
            // Compared as a document without fields.
            data: document(&data).unwrap_or_else(Value::String),
            version: self.version,
            last_modified: self.last_modified,
        });
        (document, Position { summary, high_water, head })
    }
}

//! Events as stored: those of one order, wherever their streams are.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::Value;
use sqlx::{FromRow, PgConnection, Postgres, QueryBuilder};

use super::{
    Error, Index, Layout, OfTable, Table, expressions,
    sql::{document, moment},
};
use crate::domain::{
    event::RecordedEvent,
    id::{EventId, OrderId, SeqId, StreamId, Version},
    text::thousands,
};

#[derive(FromRow, Deserialize)]
pub(super) struct EventRow {
    seq_id: SeqId,
    id: EventId,
    stream_id: Option<StreamId>,
    version: Version,
    kind: String,
    at: DateTime<Utc>,
    mt_dotnet_type: Option<String>,
    tenant_id: Option<String>,
    correlation_id: Option<String>,
    causation_id: Option<String>,
    headers: Option<String>,
    is_archived: bool,
    /// None where it is too long to be read.
    data: Option<String>,
    /// Its length, where that matters.
    bytes: i64,
    is_binary: bool,
}

impl From<EventRow> for RecordedEvent {
    fn from(row: EventRow) -> Self {
        let body = row.data.as_deref().map_or_else(
            || {
                let (bytes, most) = (thousands(row.bytes), thousands(LARGEST));
                Err(format!("its body has {bytes} bytes, more than the {most} that are read"))
            },
            document,
        );
        let (body, unread) = match body {
            Ok(body) => (body, None),
            Err(why) => (Value::Null, Some(why)),
        };
        let headers = row.headers.map(|text| document(&text).unwrap_or_else(Value::String));
        Self {
            seq: row.seq_id,
            id: row.id,
            stream: row.stream_id,
            version: row.version,
            kind: row.kind,
            at: row.at,
            dotnet_type: row.mt_dotnet_type,
            tenant: row.tenant_id,
            correlation_id: row.correlation_id,
            causation_id: row.causation_id,
            // Marten writes the JSON value null where there are no headers.
            headers: headers.filter(|headers| !headers.is_null()),
            archived: row.is_archived,
            body,
            unread,
            binary: row.is_binary,
        }
    }
}

/// The longest body that is read, in bytes of its text: many times what thousands of items take, and little enough for
/// the memory of a console.
const LARGEST: i64 = 2_000_000;
/// In a longer body each value beside the order is left out that is longer than this.
const LARGEST_BESIDE: i64 = 10_000;

fn columns() -> String {
    let beside = format!(
        "(SELECT jsonb_object_agg(key, CASE WHEN lower(key) = 'order' OR octet_length(value::text) <= {LARGEST_BESIDE} \
             THEN value ELSE to_jsonb(octet_length(value::text) || ' bytes, not read') END)::text \
          FROM jsonb_each(CASE WHEN jsonb_typeof(data::jsonb) = 'object' THEN data::jsonb ELSE '{{}}' END))"
    );
    // Compression makes nothing so short that is too long, and what is stored is measured without being unpacked.
    let short = "pg_column_size(data) <= 7000";
    format!(
        "seq_id, id, stream_id, version, type AS kind, {} AS at, mt_dotnet_type, tenant_id, \
         correlation_id, causation_id, headers::text AS headers, is_archived, \
         CASE WHEN {short} OR octet_length(data::text) <= {LARGEST} THEN data::text \
              WHEN octet_length({beside}) <= {LARGEST} THEN {beside} END AS data, \
         CASE WHEN {short} THEN 0 ELSE octet_length(data::text) END::bigint AS bytes, bdata IS NOT NULL AS is_binary",
        moment("\"timestamp\""),
    )
}

/// Part of the event store, by sequence number; both ends count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeqRange {
    pub from: SeqId,
    pub to: SeqId,
}

/// The order's history: events of its own stream and events of other streams whose body names it, without
/// duplicates, newest first; at most `limit` of them, archived ones included.
///
/// What no index leads to is looked for within `range` only; see [`finds_stream`] and [`finds_bodies`].
pub async fn of_order(
    conn: &mut PgConnection,
    layout: &Layout,
    id: OrderId,
    range: Option<SeqRange>,
    limit: i64,
) -> Result<Vec<RecordedEvent>, Error> {
    let mut sql = QueryBuilder::<Postgres>::new("");
    push_of_order(&mut sql, layout, id, range, limit);
    let rows: Vec<EventRow> = sql.build_query_as().fetch_all(conn).await.of(Table::Events.name())?;
    Ok(rows.into_iter().map(RecordedEvent::from).collect())
}

pub(super) fn push_of_order(
    sql: &mut QueryBuilder<Postgres>,
    layout: &Layout,
    id: OrderId,
    range: Option<SeqRange>,
    limit: i64,
) {
    let columns = columns();
    push_union(sql, layout, id, range, &columns, Some(limit));
    sql.push(" ORDER BY seq_id DESC LIMIT ").push_bind(limit);
}

/// How many events of the order are older than `before`, where [`of_order`] would find them.
pub async fn older(
    conn: &mut PgConnection,
    layout: &Layout,
    id: OrderId,
    range: Option<SeqRange>,
    before: SeqId,
) -> Result<i64, Error> {
    let mut sql = QueryBuilder::<Postgres>::new("SELECT count(*) FROM (");
    push_union(&mut sql, layout, id, range, "seq_id", None);
    sql.push(") u WHERE seq_id < ").push_bind(before);
    sql.build_query_scalar().fetch_one(conn).await.of(Table::Events.name())
}

/// Selects from both places where events of the order are, the newest `most` of each.
fn push_union(
    sql: &mut QueryBuilder<Postgres>,
    layout: &Layout,
    id: OrderId,
    range: Option<SeqRange>,
    columns: &str,
    most: Option<i64>,
) {
    let from = layout.from(Table::Events);
    let (own, named) = (finds_stream(layout), finds_bodies(layout));
    let newest = |sql: &mut QueryBuilder<Postgres>| {
        if let Some(most) = most {
            sql.push(" ORDER BY seq_id DESC LIMIT ").push_bind(most);
        }
    };
    if own || named {
        sql.push(format!("(SELECT {columns} FROM {from} e WHERE stream_id = ")).push_bind(id);
        push_range(sql, range.filter(|_| !own));
        newest(sql);
        sql.push(format!(") UNION ALL (SELECT {columns} FROM {from} e WHERE "));
        push_body(sql, layout, id);
        sql.push(" AND stream_id IS DISTINCT FROM ").push_bind(id);
        push_range(sql, range.filter(|_| !named));
        newest(sql);
        sql.push(")");
    } else {
        sql.push(format!("SELECT {columns} FROM {from} e WHERE (stream_id = ")).push_bind(id);
        sql.push(" OR ");
        push_body(sql, layout, id);
        sql.push(")");
        push_range(sql, range);
    }
}

/// Appends the test that the body names the order: what the index has, or what is cheaper without one.
fn push_body(sql: &mut QueryBuilder<Postgres>, layout: &Layout, id: OrderId) {
    if layout.has(Index::EventBody) {
        sql.push(expressions::EVENT_ORDER).push(" = ").push_bind(id);
    } else {
        sql.push("lower(coalesce(data -> 'Order' ->> 'Id', data -> 'order' ->> 'id')) = ");
        sql.push_bind(id.to_string());
    }
}

fn push_range(sql: &mut QueryBuilder<Postgres>, range: Option<SeqRange>) {
    if let Some(SeqRange { from, to }) = range {
        sql.push(" AND seq_id BETWEEN ").push_bind(from).push(" AND ").push_bind(to);
    }
}

/// The events of the order's own stream alone, newest first; needs the index on streams.
pub async fn of_stream(
    conn: &mut PgConnection,
    layout: &Layout,
    id: OrderId,
    limit: i64,
) -> Result<Vec<RecordedEvent>, Error> {
    let from = layout.from(Table::Events);
    let mut sql = QueryBuilder::<Postgres>::new(format!("SELECT {} FROM {from} e", columns()));
    sql.push(" WHERE stream_id = ").push_bind(id);
    sql.push(" ORDER BY seq_id DESC LIMIT ").push_bind(limit);
    let rows: Vec<EventRow> = sql.build_query_as().fetch_all(conn).await.of(Table::Events.name())?;
    Ok(rows.into_iter().map(RecordedEvent::from).collect())
}

/// The order's events among those stored after `after`, wherever they are: for what came since an earlier look.
pub(super) fn push_since(
    sql: &mut QueryBuilder<Postgres>,
    layout: &Layout,
    id: OrderId,
    after: SeqId,
    limit: i64,
) {
    let from = layout.from(Table::Events);
    sql.push(format!("SELECT {} FROM {from} e WHERE seq_id > ", columns())).push_bind(after);
    sql.push(" AND (stream_id = ").push_bind(id).push(" OR ");
    push_body(sql, layout, id);
    sql.push(") ORDER BY seq_id DESC LIMIT ").push_bind(limit);
}

/// Whether the events of a stream are found wherever they are.
pub fn finds_stream(layout: &Layout) -> bool {
    let by_tenant = layout.tenant().is_some() && layout.has(Index::EventTenantStream);
    by_tenant || layout.has_or_small(Index::EventStream, Table::Events)
}

/// Whether the events whose body names an order are found wherever they are.
pub fn finds_bodies(layout: &Layout) -> bool {
    layout.has_or_small(Index::EventBody, Table::Events)
}

/// The sequence numbers of the events stored within `window` around `at`, found by bisection over the
/// primary key in one statement: sequence numbers follow the stored time closely, if not exactly.
pub async fn around(
    conn: &mut PgConnection,
    layout: &Layout,
    at: DateTime<Utc>,
    window: TimeDelta,
) -> Result<Option<SeqRange>, Error> {
    let from = layout.from(Table::Events);
    // The wanted number is always within [low, high]; every step halves the distance.
    let bisect = |name: &str, wanted: &str| {
        format!(
            "{name}(low, high) AS (SELECT low, high + 1 FROM ends UNION ALL \
             SELECT CASE WHEN m.at < {wanted} THEN least(m.seq_id + 1, b.high) ELSE b.low END, \
                    CASE WHEN m.at < {wanted} THEN b.high ELSE b.middle END \
             FROM (SELECT low, high, (low + high) / 2 AS middle FROM {name} WHERE low < high) b \
             CROSS JOIN LATERAL (SELECT e.seq_id, e.\"timestamp\" AS at FROM {from} e \
                 WHERE e.seq_id >= b.middle ORDER BY e.seq_id LIMIT 1) m)"
        )
    };
    let mut sql = QueryBuilder::<Postgres>::new("WITH RECURSIVE wanted AS (SELECT ");
    sql.push_bind(at - window).push("::timestamptz AS first, ");
    sql.push_bind(at + window).push("::timestamptz AS last), ends AS (SELECT ");
    sql.push(format!(
        "(SELECT seq_id FROM {from} e ORDER BY seq_id LIMIT 1) AS low, \
         (SELECT seq_id FROM {from} e ORDER BY seq_id DESC LIMIT 1) AS high), "
    ));
    sql.push(bisect("a", "(SELECT first FROM wanted)")).push(", ");
    sql.push(bisect("z", "(SELECT last FROM wanted)"));
    sql.push(" SELECT (SELECT max(low) FROM a), (SELECT max(low) FROM z)");
    let (first, last): (Option<SeqId>, Option<SeqId>) =
        sql.build_query_as().fetch_one(conn).await.of(Table::Events.name())?;
    Ok(first.zip(last).map(|(from, to)| SeqRange { from, to }))
}

/// How many of the newest events tell how a store writes.
const NEIGHBOURS: i64 = 50;

/// The newest events of the store, the newest first.
pub async fn newest_events(
    conn: &mut PgConnection,
    layout: &Layout,
) -> Result<Vec<RecordedEvent>, Error> {
    let mut sql = QueryBuilder::<Postgres>::new("");
    push_newest(&mut sql, layout);
    let rows: Vec<EventRow> = sql.build_query_as().fetch_all(conn).await.of(Table::Events.name())?;
    Ok(rows.into_iter().map(RecordedEvent::from).collect())
}

pub(super) fn push_newest(sql: &mut QueryBuilder<Postgres>, layout: &Layout) {
    let from = layout.from(Table::Events);
    sql.push(format!("SELECT {} FROM {from} e ORDER BY seq_id DESC LIMIT {NEIGHBOURS}", columns()));
}

/// The newest sequence number, none in an empty store.
pub async fn newest(conn: &mut PgConnection, layout: &Layout) -> Result<Option<SeqId>, Error> {
    let from = layout.from(Table::Events);
    let mut sql = QueryBuilder::<Postgres>::new(format!(
        "SELECT seq_id FROM {from} e ORDER BY seq_id DESC LIMIT 1"
    ));
    sql.build_query_scalar().fetch_optional(conn).await.of(Table::Events.name())
}

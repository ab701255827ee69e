//! What a page shows of its orders: one statement for all of them, flags included.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use sqlx::{FromRow, PgConnection, Postgres, QueryBuilder};

use super::{
    Cursor,
    drift::drift,
    lookup::{lettered, message_order, pending},
};
use crate::{
    db::{
        Error, Index, Layout, OfTable, Table,
        expressions::{EVENT_ORDER, LETTER_SEQUENCE, LINES_TOTAL, MESSAGE_ORDER},
        messages::{delivery, parents},
        sql::moment,
        streams::of_any_tenant,
    },
    domain::{
        coverage::NotLookedAt,
        id::{BuyerId, OrderId},
        order::Status,
    },
};

/// How many pending messages, and how many letters, are looked through for flags without an index.
const MOST_FOR_FLAGS: i64 = 1_000;

/// An order in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderLine {
    pub id: OrderId,
    pub placed: DateTime<Utc>,
    /// The tenants with a stream of this id, where the store keeps tenants apart.
    pub tenant: Option<String>,
    pub buyer: BuyerId,
    pub buyer_name: Option<String>,
    pub status: Status,
    /// Number of lines. None: the lines cannot be read.
    pub items: Option<i64>,
    /// Sum of the lines; none for prices that are no sensible amounts.
    pub total: Option<Decimal>,
    pub has_note: bool,
    /// `U`: a message of this order is not recorded as delivered. None: not looked for.
    pub undelivered: Option<bool>,
    /// `x`: a projection failed on one of its events. None: not looked for.
    pub letter: Option<bool>,
    /// `o`: New for more than 24 hours, by the server's clock.
    pub stale: bool,
    /// `s`: soft-deleted.
    pub deleted: bool,
    /// `D`: its summary document says something else than the rows. None: there is no document.
    pub drift: Option<bool>,
}

#[derive(FromRow)]
struct Row {
    id: OrderId,
    created_at: DateTime<Utc>,
    tenant: Option<String>,
    buyer_id: BuyerId,
    name: Option<String>,
    status: i64,
    items: Option<i64>,
    total: Option<String>,
    has_note: bool,
    undelivered: Option<bool>,
    letter: Option<bool>,
    stale: bool,
    is_deleted: bool,
    drift: Option<bool>,
}

/// The orders at these places, in the same order; without those that vanished meanwhile.
pub async fn rows(
    conn: &mut PgConnection,
    layout: &Layout,
    hits: &[Cursor],
) -> Result<Vec<OrderLine>, Error> {
    let mut sql = statement(layout, hits);
    let rows: Vec<Row> = sql.build_query_as().fetch_all(conn).await.of(Table::Orders.name())?;
    Ok(rows.into_iter().map(OrderLine::from).collect())
}

pub(super) fn statement(layout: &Layout, hits: &[Cursor]) -> QueryBuilder<Postgres> {
    let ids: Vec<OrderId> = hits.iter().map(|hit| hit.id).collect();
    let count = i64::try_from(ids.len()).unwrap_or(i64::MAX);
    // A sum of the lines that are seen is no total where some may be hidden.
    let (items, total) = if layout.knows(Table::OrderItems) {
        ("coalesce(l.items, 0)", "l.total::text")
    } else {
        ("NULL::bigint", "NULL::text")
    };
    let mut sql = QueryBuilder::<Postgres>::new(format!(
        "SELECT o.id, {} AS created_at, t.tenant, o.buyer_id, b.name, o.status::bigint AS status, \
         {items} AS items, {total} AS total, \
         coalesce(o.note <> '', false) AS has_note, {} AS undelivered, {} AS letter, \
         o.status = 0 AND o.created_at < now() - interval '24 hours' AS stale, o.is_deleted, \
         CASE WHEN s.id IS NOT NULL THEN {} END AS drift \
         FROM unnest(",
        moment("o.created_at"),
        flag(layout, undelivered(layout), &UNDELIVERED),
        flag(layout, letter(layout), &LETTER),
        drift(layout, "l.total"),
    ));
    sql.push_bind(ids);
    sql.push(format!(
        "::uuid[]) WITH ORDINALITY AS u(id, nth) \
         CROSS JOIN LATERAL (SELECT id, status, note, buyer_id, is_deleted, created_at FROM {} o \
           WHERE o.id = u.id LIMIT 1) o \
         LEFT JOIN LATERAL (SELECT id, name FROM {} b WHERE b.id = o.buyer_id LIMIT 1) b ON true \
         LEFT JOIN LATERAL (SELECT count(*) AS items, {LINES_TOTAL} AS total FROM {} i \
           WHERE i.order_id = u.id) l ON true \
         LEFT JOIN LATERAL ({}) t ON true \
         LEFT JOIN LATERAL (SELECT id, data FROM {} s WHERE s.id = u.id{} LIMIT 1) s ON true \
         ORDER BY u.nth LIMIT ",
        layout.from(Table::Orders),
        layout.from(Table::Buyers),
        layout.from(Table::OrderItems),
        tenants(layout),
        layout.from(Table::Summaries),
        // An id of several tenants has no one document.
        if layout.shares_ids() { " AND s.tenant_id = t.tenant" } else { "" },
    ));
    sql.push_bind(count);
    sql
}

/// What the flag `U` is looked for in.
const UNDELIVERED: [Table; 3] = [Table::OutboxMessages, Table::OutboxStates, Table::InboxStates];
/// The same of `x`.
const LETTER: [Table; 2] = [Table::Letters, Table::Events];

/// A flag; one that is not found is not known where not all of its tables can be read.
fn flag(layout: &Layout, found: Option<String>, tables: &[Table]) -> String {
    match found {
        None => "NULL::boolean".to_owned(),
        Some(found) if tables.iter().all(|table| layout.knows(*table)) => found,
        Some(found) => format!("nullif({found}, false)"),
    }
}

/// The tenants of order `u.id`.
fn tenants(layout: &Layout) -> String {
    if !layout.has_tenants() {
        return "SELECT NULL::text AS tenant".to_owned();
    }
    format!(
        "SELECT string_agg(DISTINCT s.tenant_id, ', ') AS tenant FROM {} s WHERE s.id = u.id{}",
        layout.from(Table::Streams),
        of_any_tenant(layout),
    )
}

/// Whether order `u.id` has a pending message: exact with the index, else among the newest pending ones.
fn undelivered(layout: &Layout) -> Option<String> {
    if !layout.reads(Table::OutboxMessages) || !layout.reads(Table::OutboxStates) {
        return None;
    }
    let messages = layout.from(Table::OutboxMessages);
    if layout.has(Index::MessageBody) {
        return Some(format!(
            "EXISTS (SELECT FROM (SELECT sequence_number, outbox_id, inbox_message_id, inbox_consumer_id \
             FROM {messages} x WHERE {MESSAGE_ORDER} = u.id) m {} WHERE {} = 0)",
            parents(layout),
            delivery(layout),
        ));
    }
    Some(format!(
        "coalesce(u.id = ANY(ARRAY(SELECT {} FROM (SELECT m.body FROM ({}) p \
         JOIN {messages} m USING (sequence_number)) w)), false)",
        message_order(),
        pending(layout, MOST_FOR_FLAGS)
    ))
}

/// Whether order `u.id` has a dead letter: from its events with all indexes, else from the newest letters.
fn letter(layout: &Layout) -> Option<String> {
    if !layout.reads(Table::Letters) || !layout.reads(Table::Events) {
        return None;
    }
    let (letters, events) = (layout.from(Table::Letters), layout.from(Table::Events));
    let indexed = [Index::LetterEvent, Index::EventStream, Index::EventBody];
    if indexed.into_iter().all(|index| layout.has(index)) {
        return Some(format!(
            "EXISTS (SELECT FROM (SELECT seq_id FROM {events} e WHERE stream_id = u.id \
             UNION ALL SELECT seq_id FROM {events} e WHERE {EVENT_ORDER} = u.id) e \
             WHERE EXISTS (SELECT FROM {letters} l WHERE {LETTER_SEQUENCE} = e.seq_id::text))"
        ));
    }
    Some(format!("coalesce(u.id = ANY(ARRAY({})), false)", lettered(layout, MOST_FOR_FLAGS)))
}

/// What the flags of a page leave out on this database; the flags themselves say what is unknown.
pub fn flags_unknown(layout: &Layout) -> Vec<NotLookedAt> {
    let mut notes = Vec::new();
    if UNDELIVERED.into_iter().any(|table| !layout.reads(table)) {
        notes.push(NotLookedAt::narrowed("flag U", unread(layout, &UNDELIVERED)));
    } else if !layout.has(Index::MessageBody) && !layout.is_small(Table::OutboxMessages) {
        let why = format!("from the newest {MOST_FOR_FLAGS} pending messages");
        notes.push(NotLookedAt::narrowed("flag U", why));
    }
    if letter(layout).is_none() {
        notes.push(NotLookedAt::narrowed("flag x", unread(layout, &LETTER)));
    } else if !layout.has(Index::LetterEvent) && !layout.is_small(Table::Letters) {
        let why = format!("from the newest {MOST_FOR_FLAGS} dead letters");
        notes.push(NotLookedAt::narrowed("flag x", why));
    }
    if !layout.reads(Table::Summaries) {
        notes.push(NotLookedAt::narrowed("flag D", unread(layout, &[Table::Summaries])));
    }
    let hidden = layout.hiding(&[
        Table::Summaries,
        Table::Letters,
        Table::Events,
        Table::OutboxMessages,
        Table::OutboxStates,
        Table::InboxStates,
    ]);
    notes.extend(hidden.map(|hidden| NotLookedAt::narrowed("flags", hidden.why)));
    notes
}

/// Why the first of these tables that cannot be read cannot.
fn unread(layout: &Layout, tables: &[Table]) -> String {
    tables.iter().find_map(|table| layout.unread(*table)).unwrap_or_default()
}

impl From<Row> for OrderLine {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            placed: row.created_at,
            tenant: row.tenant,
            buyer: row.buyer_id,
            buyer_name: row.name,
            status: Status::from_wide(row.status),
            items: row.items,
            total: row.total.and_then(|total| total.parse().ok()),
            has_note: row.has_note,
            undelivered: row.undelivered,
            letter: row.letter,
            stale: row.stale,
            deleted: row.is_deleted,
            drift: row.drift,
        }
    }
}

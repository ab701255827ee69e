//! The head of the line: the oldest open outboxes with what each would send next, and what waits behind.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use sqlx::{AssertSqlSafe, FromRow, PgConnection, Postgres, QueryBuilder};
use uuid::Uuid;

use super::{SINCE, finds_by_outbox, locks, messages};
use crate::{
    db::{Error, Layout, OfTable, Table, expressions::MESSAGE_ORDER, sql::moment},
    domain::{
        diagnosis::{Blast, Lock, Tally},
        id::{MessageId, OutboxId},
        outbox::Owner,
    },
};

/// So many of the oldest open outboxes are shown.
pub const HEADS: i64 = 20;
/// Counting the messages of one outbox stops here.
const MOST_OF_ONE: i64 = 1_000;
/// A longer body is not read for a diagnosis.
const LONGEST: i64 = 1_000_000;
/// So many outboxes behind the head are looked into.
const BEHIND: i64 = 300;

/// An open outbox and the message it would send next.
#[derive(Debug, Clone, PartialEq)]
pub struct HeadRow {
    pub outbox: OutboxId,
    pub created: DateTime<Utc>,
    pub lock_id: Uuid,
    pub cursor: Option<i64>,
    pub pending: i64,
    pub next: Option<NextRow>,
    pub lock: Lock,
}

/// The message at its head.
#[derive(Debug, Clone, PartialEq)]
pub struct NextRow {
    pub sequence: i64,
    pub message: MessageId,
    pub kind: String,
    pub destination: Option<String>,
}

#[derive(FromRow)]
struct Found {
    outbox_id: OutboxId,
    created: DateTime<Utc>,
    lock_id: Uuid,
    last_sequence_number: Option<i64>,
    pending: i64,
    sequence_number: Option<i64>,
    message_id: Option<MessageId>,
    kind: Option<String>,
    destination_address: Option<String>,
}

/// The oldest open outboxes, in the order in which MassTransit takes them, without those that somebody holds: many of
/// these must not hide the first that waits for a worker. The oldest of all was made at
/// [`since`](super::Overview::since).
pub async fn heads(
    conn: &mut PgConnection,
    layout: &Layout,
    since: Option<&str>,
    held: &[Uuid],
) -> Result<Vec<HeadRow>, Error> {
    let columns = "sequence_number, outbox_id, message_id, message_type, destination_address";
    let from = messages(layout, columns);
    let of =
        "m.outbox_id = s.outbox_id AND m.sequence_number > coalesce(s.last_sequence_number, 0)";
    let sql = format!(
        "WITH open AS MATERIALIZED (SELECT outbox_id, {} AS created, lock_id, last_sequence_number \
           FROM {} o WHERE delivered IS NULL AND {SINCE} AND outbox_id <> ALL($2) \
           ORDER BY o.created, outbox_id LIMIT {HEADS}) \
         SELECT s.outbox_id, s.created, s.lock_id, s.last_sequence_number, \
           (SELECT count(*) FROM (SELECT FROM {from} m WHERE {of} ORDER BY m.sequence_number LIMIT {MOST_OF_ONE}) x) \
             AS pending, \
           n.sequence_number, n.message_id, n.kind, n.destination_address \
         FROM open s LEFT JOIN LATERAL (SELECT m.sequence_number, m.message_id, \
           left(split_part(m.message_type, ';', 1), 200) AS kind, m.destination_address \
           FROM {from} m WHERE {of} ORDER BY m.sequence_number LIMIT 1) n ON true \
         ORDER BY s.created, s.outbox_id",
        moment("o.created"),
        layout.from(Table::OutboxStates),
    );
    let rows: Vec<Found> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(since)
        .bind(held)
        .fetch_all(&mut *conn)
        .await
        .of(Table::OutboxStates.name())?;
    let owners: Vec<_> = rows.iter().map(|row| Owner::Bus(row.outbox_id)).collect();
    // Unknown where it cannot be told, which is no reason to tell nothing else.
    let locks = locks(conn, layout, &owners).await.unwrap_or_default();
    let lock = |id: OutboxId| locks.get(&Owner::Bus(id)).cloned().unwrap_or_default();
    Ok(rows
        .into_iter()
        .map(|row| HeadRow { lock: lock(row.outbox_id), ..HeadRow::from(row) })
        .collect())
}

impl From<Found> for HeadRow {
    fn from(row: Found) -> Self {
        let next = row.sequence_number.zip(row.message_id).map(|(sequence, message)| NextRow {
            sequence,
            message,
            kind: row.kind.unwrap_or_default(),
            destination: row.destination_address,
        });
        Self {
            outbox: row.outbox_id,
            created: row.created,
            lock_id: row.lock_id,
            cursor: row.last_sequence_number,
            pending: row.pending,
            next,
            lock: Lock::Unknown,
        }
    }
}

/// The texts of one message, as MassTransit would read them.
#[derive(Debug, Clone, FromRow)]
pub struct TextRow {
    pub headers: Option<String>,
    pub properties: Option<String>,
    pub content_type: Option<String>,
    pub destination_address: Option<String>,
    /// Nothing when it is too long to be read for this.
    pub body: Option<String>,
    pub bytes: i64,
}

/// The texts of the message with this sequence number.
pub async fn text(
    conn: &mut PgConnection,
    layout: &Layout,
    sequence: i64,
) -> Result<Option<TextRow>, Error> {
    let mut sql = QueryBuilder::<Postgres>::new(format!(
        "SELECT left(headers, {LONGEST}) AS headers, left(properties, {LONGEST}) AS properties, content_type, \
         destination_address, CASE WHEN octet_length(body) <= {LONGEST} THEN body END AS body, \
         octet_length(body)::bigint AS bytes FROM {} m WHERE sequence_number = ",
        layout.from(Table::OutboxMessages)
    ));
    sql.push_bind(sequence);
    sql.build_query_as().fetch_optional(conn).await.of(Table::OutboxMessages.name())
}

/// What waits behind an outbox: the younger open ones that nobody holds, the orders that their messages name and what
/// those are worth. At most so many outboxes are looked into.
pub async fn blast(
    conn: &mut PgConnection,
    layout: &Layout,
    (created, outbox): (DateTime<Utc>, OutboxId),
    held: &[Uuid],
) -> Result<Option<Blast>, Error> {
    if !finds_by_outbox(layout) || !layout.reads(Table::OutboxStates) {
        return Ok(None);
    }
    let valued = layout.has_or_small(crate::db::Index::LinesByOrder, Table::OrderItems);
    let value = if valued {
        format!(
            "(SELECT sum(quantity * price) FROM {} i WHERE i.order_id = ANY(ARRAY(SELECT id FROM named)))",
            layout.from(Table::OrderItems)
        )
    } else {
        "NULL::numeric".to_owned()
    };
    let mut sql = QueryBuilder::<Postgres>::new(format!(
        "WITH behind AS MATERIALIZED (SELECT outbox_id, coalesce(last_sequence_number, 0) AS passed \
           FROM {} s WHERE delivered IS NULL AND created >= ",
        layout.from(Table::OutboxStates)
    ));
    sql.push_bind(created).push(" AND outbox_id <> ").push_bind(outbox);
    sql.push(" AND outbox_id <> ALL(").push_bind(held.to_vec()).push(")");
    sql.push(format!(
        " ORDER BY created, outbox_id LIMIT {BEHIND}), \
         named AS MATERIALIZED (SELECT DISTINCT n.id FROM behind b CROSS JOIN LATERAL (SELECT {MESSAGE_ORDER} AS id \
           FROM {} m WHERE m.outbox_id = b.outbox_id AND m.sequence_number > b.passed \
           ORDER BY m.sequence_number LIMIT 20) n WHERE n.id IS NOT NULL LIMIT {BEHIND}) \
         SELECT (SELECT count(*) FROM behind), (SELECT count(*) FROM named), {value}",
        layout.from(Table::OutboxMessages)
    ));
    let (outboxes, orders, value): (i64, i64, Option<Decimal>) =
        sql.build_query_as().fetch_one(conn).await.of(Table::OutboxStates.name())?;
    Ok(Some(Blast {
        outboxes: Tally::up_to(outboxes, BEHIND),
        orders: Tally::up_to(orders, BEHIND),
        value,
    }))
}

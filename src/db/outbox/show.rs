//! One message with everything that is stored of it.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection, Postgres, QueryBuilder};
use uuid::Uuid;

use crate::{
    db::{
        Error, Index, Layout, OfTable, Table,
        expressions::MESSAGE_ORDER,
        messages::{DELIVERY, parents},
        sql::moment,
    },
    domain::{
        diagnosis::Tally,
        id::{ConsumerId, MessageId, OrderId, OutboxId},
        outbox::{Delivery, Owner},
    },
};

/// More of a body is not read.
const LONGEST: i64 = 1_000_000;

/// A row of `outbox_message` with its parent's progress.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboxMessage {
    pub sequence: i64,
    pub message: MessageId,
    pub kinds: String,
    pub content_type: Option<String>,
    pub published: DateTime<Utc>,
    pub enqueue: Option<DateTime<Utc>>,
    pub expires: Option<DateTime<Utc>>,
    pub headers: Option<String>,
    pub properties: Option<String>,
    /// Cut after a million characters.
    pub body: String,
    pub bytes: i64,
    pub owner: Owner,
    pub delivery: Delivery,
    pub delivered: Option<DateTime<Utc>>,
    pub cursor: Option<i64>,
    pub lock_id: Option<Uuid>,
    pub conversation: Option<Uuid>,
    pub correlation: Option<Uuid>,
    pub initiator: Option<Uuid>,
    pub request: Option<Uuid>,
    pub source: Option<String>,
    pub destination: Option<String>,
    pub response: Option<String>,
    pub fault: Option<String>,
    /// The order that the body names.
    pub order: Option<OrderId>,
}

#[derive(FromRow)]
struct Found {
    sequence_number: i64,
    message_id: MessageId,
    message_type: String,
    content_type: Option<String>,
    sent_time: DateTime<Utc>,
    enqueue_time: Option<DateTime<Utc>>,
    expiration_time: Option<DateTime<Utc>>,
    headers: Option<String>,
    properties: Option<String>,
    body: String,
    bytes: i64,
    outbox_id: Option<OutboxId>,
    inbox_message_id: Option<MessageId>,
    inbox_consumer_id: Option<ConsumerId>,
    delivery: i32,
    delivered: Option<DateTime<Utc>>,
    cursor: Option<i64>,
    lock_id: Option<Uuid>,
    conversation_id: Option<Uuid>,
    correlation_id: Option<Uuid>,
    initiator_id: Option<Uuid>,
    request_id: Option<Uuid>,
    source_address: Option<String>,
    destination_address: Option<String>,
    response_address: Option<String>,
    fault_address: Option<String>,
    order_id: Option<OrderId>,
}

/// The message with this sequence number, or the newest with this message id.
pub async fn show(
    conn: &mut PgConnection,
    layout: &Layout,
    sequence: Option<i64>,
    message: Option<MessageId>,
) -> Result<Option<OutboxMessage>, Error> {
    let from = layout.from(Table::OutboxMessages);
    let pool = if sequence.is_some() || layout.has_or_small(Index::MessageId, Table::OutboxMessages)
    {
        from.to_owned()
    } else {
        format!(
            "(SELECT * FROM {from} w ORDER BY sequence_number DESC LIMIT {})",
            super::MOST_WITHOUT_INDEX
        )
    };
    let mut sql = QueryBuilder::<Postgres>::new(format!(
        "SELECT m.sequence_number, m.message_id, left(m.message_type, 10000) AS message_type, m.content_type, \
         {} AS sent_time, {} AS enqueue_time, {} AS expiration_time, left(m.headers, {LONGEST}) AS headers, \
         left(m.properties, {LONGEST}) AS properties, left(m.body, {LONGEST}) AS body, \
         octet_length(m.body)::bigint AS bytes, m.outbox_id, m.inbox_message_id, m.inbox_consumer_id, \
         {DELIVERY} AS delivery, {} AS delivered, coalesce(o.last_sequence_number, i.last_sequence_number) AS cursor, \
         coalesce(o.lock_id, i.lock_id) AS lock_id, m.conversation_id, m.correlation_id, m.initiator_id, \
         m.request_id, m.source_address, m.destination_address, m.response_address, m.fault_address, \
         {MESSAGE_ORDER} AS order_id FROM {pool} m {} WHERE ",
        moment("m.sent_time"),
        moment("m.enqueue_time"),
        moment("m.expiration_time"),
        moment("coalesce(o.delivered, i.delivered)"),
        parents(layout),
    ));
    match sequence {
        Some(sequence) => sql.push("m.sequence_number = ").push_bind(sequence),
        None => sql.push("m.message_id = ").push_bind(message),
    };
    sql.push(" ORDER BY m.sequence_number DESC LIMIT 1");
    let row: Option<Found> =
        sql.build_query_as().fetch_optional(conn).await.of(Table::OutboxMessages.name())?;
    Ok(row.map(OutboxMessage::from))
}

impl From<Found> for OutboxMessage {
    fn from(row: Found) -> Self {
        Self {
            sequence: row.sequence_number,
            message: row.message_id,
            kinds: row.message_type,
            content_type: row.content_type,
            published: row.sent_time,
            enqueue: row.enqueue_time,
            expires: row.expiration_time,
            headers: row.headers,
            properties: row.properties,
            body: row.body,
            bytes: row.bytes,
            owner: Owner::of(row.outbox_id, row.inbox_message_id, row.inbox_consumer_id),
            delivery: match row.delivery {
                0 => Delivery::Pending,
                1 => Delivery::Delivered,
                _ => Delivery::Orphan,
            },
            delivered: row.delivered,
            cursor: row.cursor,
            lock_id: row.lock_id,
            conversation: row.conversation_id,
            correlation: row.correlation_id,
            initiator: row.initiator_id,
            request: row.request_id,
            source: row.source_address,
            destination: row.destination_address,
            response: row.response_address,
            fault: row.fault_address,
            order: row.order_id,
        }
    }
}

/// How many open outboxes come before this one; nothing when it is not open itself.
pub async fn ahead(
    conn: &mut PgConnection,
    layout: &Layout,
    outbox: OutboxId,
) -> Result<Option<Tally>, Error> {
    const MOST: i64 = 10_000;
    let from = layout.from(Table::OutboxStates);
    let mut sql = QueryBuilder::<Postgres>::new(format!(
        "SELECT (SELECT count(*) FROM (SELECT FROM {from} b WHERE b.delivered IS NULL \
           AND b.created < s.created LIMIT {MOST}) x) FROM {from} s WHERE s.delivered IS NULL AND s.outbox_id = "
    ));
    sql.push_bind(outbox);
    let count: Option<i64> =
        sql.build_query_scalar().fetch_optional(conn).await.of(Table::OutboxMessages.name())?;
    Ok(count.map(|count| Tally::up_to(count, MOST)))
}

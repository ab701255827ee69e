//! A message whole, with its owner and what is recorded of its delivery: for changing it.

use sqlx::{FromRow, PgConnection, Postgres, QueryBuilder};
use uuid::Uuid;

use chrono::{DateTime, Utc};

use crate::{
    db::{
        Error, Layout, OfTable, Table,
        expressions::MESSAGE_ORDER,
        messages::{DELIVERY, parents},
        sql::moment,
    },
    domain::{
        id::{ConsumerId, MessageId, OrderId, OutboxId},
        outbox::{Delivery, Owner},
        outbox_action::Whole,
    },
};

/// A row of `outbox_message` with nothing left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WholeRow {
    pub sequence: i64,
    pub owner: Owner,
    pub delivery: Delivery,
    /// The order that the body names.
    pub order: Option<OrderId>,
    pub whole: Whole,
    /// Pending messages of the same owner that come after it.
    pub behind: i64,
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
    outbox_id: Option<OutboxId>,
    inbox_message_id: Option<MessageId>,
    inbox_consumer_id: Option<ConsumerId>,
    delivery: i32,
    conversation_id: Option<Uuid>,
    correlation_id: Option<Uuid>,
    initiator_id: Option<Uuid>,
    request_id: Option<Uuid>,
    source_address: Option<String>,
    destination_address: Option<String>,
    response_address: Option<String>,
    fault_address: Option<String>,
    order_id: Option<OrderId>,
    behind: i64,
}

/// The message with this sequence number.
pub async fn whole(
    conn: &mut PgConnection,
    layout: &Layout,
    sequence: i64,
) -> Result<Option<WholeRow>, Error> {
    /// Counting what comes after it stops here.
    const MOST: i64 = 1_000;
    let from = layout.from(Table::OutboxMessages);
    let mut sql = QueryBuilder::<Postgres>::new(format!(
        "SELECT m.sequence_number, m.message_id, m.message_type, m.content_type, {} AS sent_time, \
         {} AS enqueue_time, {} AS expiration_time, m.headers, m.properties, m.body, m.outbox_id, \
         m.inbox_message_id, m.inbox_consumer_id, {DELIVERY} AS delivery, m.conversation_id, m.correlation_id, \
         m.initiator_id, m.request_id, m.source_address, m.destination_address, m.response_address, \
         m.fault_address, {MESSAGE_ORDER} AS order_id, \
         (SELECT count(*) FROM (SELECT FROM {} b WHERE b.sequence_number > m.sequence_number \
            AND (b.outbox_id = m.outbox_id OR b.inbox_message_id = m.inbox_message_id \
                 AND b.inbox_consumer_id = m.inbox_consumer_id) LIMIT {MOST}) x) AS behind \
         FROM {from} m {} WHERE m.sequence_number = ",
        moment("m.sent_time"),
        moment("m.enqueue_time"),
        moment("m.expiration_time"),
        super::messages(layout, "sequence_number, outbox_id, inbox_message_id, inbox_consumer_id"),
        parents(layout),
    ));
    sql.push_bind(sequence);
    let row: Option<Found> =
        sql.build_query_as().fetch_optional(conn).await.of(Table::OutboxMessages.name())?;
    Ok(row.map(WholeRow::from))
}

impl From<Found> for WholeRow {
    fn from(row: Found) -> Self {
        Self {
            sequence: row.sequence_number,
            owner: Owner::of(row.outbox_id, row.inbox_message_id, row.inbox_consumer_id),
            delivery: match row.delivery {
                0 => Delivery::Pending,
                1 => Delivery::Delivered,
                _ => Delivery::Orphan,
            },
            order: row.order_id,
            behind: row.behind,
            whole: Whole {
                message: row.message_id,
                kinds: row.message_type,
                content_type: row.content_type.unwrap_or_default(),
                body: row.body,
                headers: row.headers,
                properties: row.properties,
                sent: row.sent_time,
                enqueue: row.enqueue_time,
                expires: row.expiration_time,
                conversation: row.conversation_id,
                correlation: row.correlation_id,
                initiator: row.initiator_id,
                request: row.request_id,
                source: row.source_address,
                destination: row.destination_address,
                response: row.response_address,
                fault: row.fault_address,
            },
        }
    }
}

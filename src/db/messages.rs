//! The integration messages of one order, without their bodies.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection, Postgres, QueryBuilder};
use uuid::Uuid;

use super::{Error, Index, Layout, OfTable, Table, expressions::MESSAGE_ORDER, sql::moment};
use crate::domain::{
    contract,
    id::{MessageId, OrderId, OutboxId},
    outbox::Delivery,
};

/// A row of `outbox_message`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub sequence: i64,
    pub id: MessageId,
    /// The first URN of `message_type`: `urn:message:BookWorm.Contracts:UserCheckedOutIntegrationEvent`.
    pub kind: String,
    /// When the application published it. Says nothing of delivery.
    pub published: DateTime<Utc>,
    pub delivery: Delivery,
    /// `outbox_state.delivered`, or the inbox row's.
    pub delivered: Option<DateTime<Utc>>,
    /// When the last delivery pass that was committed ran (`outbox_state.lock_id`): all zeros, none.
    pub last_pass: Option<Uuid>,
    pub outbox: Option<OutboxId>,
    pub conversation: Option<Uuid>,
    pub correlation: Option<Uuid>,
    pub initiator: Option<Uuid>,
    pub destination: Option<String>,
    /// The body names the order; else it shares a conversation or correlation with one that does.
    pub names_order: bool,
}

#[derive(FromRow)]
struct MessageRow {
    sequence_number: i64,
    message_id: MessageId,
    message_type: String,
    sent_time: DateTime<Utc>,
    delivery: i32,
    delivered: Option<DateTime<Utc>>,
    lock_id: Option<Uuid>,
    outbox_id: Option<OutboxId>,
    conversation_id: Option<Uuid>,
    correlation_id: Option<Uuid>,
    initiator_id: Option<Uuid>,
    destination_address: Option<String>,
    names_order: bool,
}

/// The most messages that are looked through where no index leads to an order's; the newest of them.
pub const MOST_WITHOUT_INDEX: i64 = 20_000;

/// The most messages of the same conversation, or correlation, that are considered.
const MOST_AKIN: i64 = 1_000;

/// SQL for the state of message `m`, whose parents are joined as `o` (outbox) and `i` (inbox): the one
/// place that knows when a message is pending. 0 pending, 1 delivered, 2 orphan, 3 unknown: a parent that is not
/// found may be there where not all parents can be read.
pub(super) fn delivery(layout: &Layout) -> String {
    let unless = |table, named: &str| {
        if layout.knows(table) {
            String::new()
        } else {
            format!("WHEN m.{named} IS NOT NULL THEN 3 ")
        }
    };
    format!(
        "CASE WHEN m.outbox_id IS NOT NULL AND o.outbox_id IS NOT NULL THEN CASE \
            WHEN o.delivered IS NULL AND m.sequence_number > coalesce(o.last_sequence_number, 0) \
            THEN 0 ELSE 1 END \
         WHEN m.inbox_message_id IS NOT NULL AND i.message_id IS NOT NULL THEN CASE \
            WHEN i.delivered IS NULL AND m.sequence_number > coalesce(i.last_sequence_number, 0) \
            THEN 0 ELSE 1 END \
         {}{}ELSE 2 END",
        unless(Table::OutboxStates, "outbox_id"),
        unless(Table::InboxStates, "inbox_message_id"),
    )
}

/// What [`delivery`] gives.
pub(super) const fn delivery_of(code: i32) -> Delivery {
    match code {
        0 => Delivery::Pending,
        1 => Delivery::Delivered,
        2 => Delivery::Orphan,
        _ => Delivery::Unknown,
    }
}

/// SQL that joins a message's parents, for [`delivery`].
pub(super) fn parents(layout: &Layout) -> String {
    format!(
        "LEFT JOIN {} o ON o.outbox_id = m.outbox_id \
         LEFT JOIN {} i ON i.message_id = m.inbox_message_id AND i.consumer_id = m.inbox_consumer_id",
        layout.from(Table::OutboxStates),
        layout.from(Table::InboxStates),
    )
}

/// Whether all of an order's messages are found, or only among the newest [`MOST_WITHOUT_INDEX`].
pub fn finds_all(layout: &Layout) -> bool {
    let indexed = [Index::MessageBody, Index::MessageConversation, Index::MessageCorrelation]
        .into_iter()
        .all(|index| layout.has(index));
    indexed || layout.is_small(Table::OutboxMessages)
}

/// The messages whose body names the order, and those of the same conversation or correlation, by
/// sequence number, at most `limit`.
pub async fn of_order(
    conn: &mut PgConnection,
    layout: &Layout,
    id: OrderId,
    limit: i64,
) -> Result<Vec<Message>, Error> {
    let from = layout.from(Table::OutboxMessages);
    let pool = if finds_all(layout) {
        from.to_owned()
    } else {
        format!(
            "(SELECT sequence_number, conversation_id, correlation_id, body FROM {from} x \
             ORDER BY sequence_number DESC LIMIT {MOST_WITHOUT_INDEX})"
        )
    };
    let mut sql = QueryBuilder::<Postgres>::new(format!(
        "WITH named AS MATERIALIZED (SELECT sequence_number, conversation_id, correlation_id \
         FROM {pool} n WHERE "
    ));
    if !layout.has(Index::MessageBody) {
        // A cheap test first: the pattern costs a hundred times as much.
        sql.push("strpos(body, ").push_bind(id.to_string()).push(") > 0 AND ");
    }
    sql.push(MESSAGE_ORDER).push(" = ");
    sql.push_bind(id).push(" ORDER BY sequence_number LIMIT ").push_bind(limit);
    sql.push(format!(
        "), akin AS (SELECT sequence_number, true AS names_order FROM named \
         UNION ALL (SELECT c.sequence_number, false FROM {pool} c \
           WHERE c.conversation_id = ANY(ARRAY(SELECT conversation_id FROM named)) LIMIT {MOST_AKIN}) \
         UNION ALL (SELECT c.sequence_number, false FROM {pool} c \
           WHERE c.correlation_id = ANY(ARRAY(SELECT correlation_id FROM named)) LIMIT {MOST_AKIN})), \
         mine AS (SELECT sequence_number, bool_or(names_order) AS names_order FROM akin \
           GROUP BY sequence_number ORDER BY sequence_number LIMIT "
    ));
    sql.push_bind(limit);
    sql.push(format!(
        ") SELECT m.sequence_number, m.message_id, m.message_type, {} AS sent_time, \
         {} AS delivery, {} AS delivered, o.lock_id, m.outbox_id, m.conversation_id, \
         m.correlation_id, m.initiator_id, m.destination_address, mine.names_order \
         FROM mine JOIN {from} m USING (sequence_number) {} ORDER BY m.sequence_number LIMIT ",
        moment("m.sent_time"),
        delivery(layout),
        moment("coalesce(o.delivered, i.delivered)"),
        parents(layout),
    ));
    sql.push_bind(limit);
    let rows: Vec<MessageRow> =
        sql.build_query_as().fetch_all(conn).await.of(Table::OutboxMessages.name())?;
    Ok(rows.into_iter().map(Message::from).collect())
}

impl From<MessageRow> for Message {
    fn from(row: MessageRow) -> Self {
        let kind = contract::first(&row.message_type).to_owned();
        Self {
            sequence: row.sequence_number,
            id: row.message_id,
            kind,
            published: row.sent_time,
            delivery: delivery_of(row.delivery),
            delivered: row.delivered,
            last_pass: row.lock_id.filter(|lock| !lock.is_nil()),
            outbox: row.outbox_id,
            conversation: row.conversation_id,
            correlation: row.correlation_id,
            initiator: row.initiator_id,
            destination: row.destination_address,
            names_order: row.names_order,
        }
    }
}

//! One message with everything that is stored of it.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection, Postgres, QueryBuilder};
use uuid::Uuid;

use super::stored::{StoredRow, columns};
use crate::{
    db::{
        Error, Index, Layout, OfTable, Table,
        expressions::MESSAGE_ORDER,
        messages::{delivery, delivery_of, parents},
        sql::moment,
    },
    domain::{
        diagnosis::Tally,
        id::{ConsumerId, MessageId, OrderId, OutboxId},
        outbox::{Delivery, Owner},
        stored_message::StoredMessage,
    },
};

/// More of a text is not read to be shown.
const LONGEST: i64 = 1_000_000;

/// A row of `outbox_message` with its parent's progress.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboxMessage {
    pub sequence: i64,
    pub owner: Owner,
    pub delivery: Delivery,
    pub delivered: Option<DateTime<Utc>>,
    /// The last message of its owner that is recorded as sent.
    pub cursor: Option<i64>,
    pub lock_id: Option<Uuid>,
    /// The order that the body names.
    pub order: Option<OrderId>,
    /// Length of the body; it may be cut off below.
    pub bytes: i64,
    pub content: StoredMessage,
}

#[derive(FromRow)]
struct Row {
    sequence_number: i64,
    outbox_id: Option<OutboxId>,
    inbox_message_id: Option<MessageId>,
    inbox_consumer_id: Option<ConsumerId>,
    delivery: i32,
    delivered: Option<DateTime<Utc>>,
    cursor: Option<i64>,
    lock_id: Option<Uuid>,
    order_id: Option<OrderId>,
    bytes: i64,
    #[sqlx(flatten)]
    content: StoredRow,
}

/// How a message is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageKey {
    Sequence(i64),
    /// The newest one with this id.
    Message(MessageId),
}

/// A message to be shown: texts are cut after a million characters.
pub async fn show(
    conn: &mut PgConnection,
    layout: &Layout,
    key: MessageKey,
) -> Result<Option<OutboxMessage>, Error> {
    let cut = |name: &str| !name.ends_with("_time");
    let cut = |name: &str| cut(name).then(|| format!("left(m.{name}, {LONGEST})"));
    read(conn, layout, key, cut).await
}

/// A message with nothing left out, for changing it.
pub async fn whole(
    conn: &mut PgConnection,
    layout: &Layout,
    sequence: i64,
) -> Result<Option<OutboxMessage>, Error> {
    read(conn, layout, MessageKey::Sequence(sequence), |_| None).await
}

async fn read(
    conn: &mut PgConnection,
    layout: &Layout,
    key: MessageKey,
    expression: impl Fn(&str) -> Option<String>,
) -> Result<Option<OutboxMessage>, Error> {
    let from = layout.from(Table::OutboxMessages);
    let is_found = matches!(key, MessageKey::Sequence(_))
        || layout.has_or_small(Index::MessageId, Table::OutboxMessages);
    let pool = if is_found {
        from.to_owned()
    } else {
        let most = super::MOST_WITHOUT_INDEX;
        format!("(SELECT * FROM {from} w ORDER BY sequence_number DESC LIMIT {most})")
    };
    let mut sql = QueryBuilder::<Postgres>::new(format!(
        "SELECT m.sequence_number, {}, octet_length(m.body)::bigint AS bytes, m.outbox_id, m.inbox_message_id, \
         m.inbox_consumer_id, {} AS delivery, {} AS delivered, \
         coalesce(o.last_sequence_number, i.last_sequence_number) AS cursor, \
         coalesce(o.lock_id, i.lock_id) AS lock_id, {MESSAGE_ORDER} AS order_id FROM {pool} m {} WHERE ",
        columns(expression),
        delivery(layout),
        moment("coalesce(o.delivered, i.delivered)"),
        parents(layout),
    ));
    match key {
        MessageKey::Sequence(sequence) => sql.push("m.sequence_number = ").push_bind(sequence),
        MessageKey::Message(message) => sql.push("m.message_id = ").push_bind(message),
    };
    sql.push(" ORDER BY m.sequence_number DESC LIMIT 1");
    let row: Option<Row> =
        sql.build_query_as().fetch_optional(conn).await.of(Table::OutboxMessages.name())?;
    Ok(row.and_then(Row::message))
}

impl Row {
    fn message(self) -> Option<OutboxMessage> {
        Some(OutboxMessage {
            sequence: self.sequence_number,
            owner: Owner::of(self.outbox_id, self.inbox_message_id, self.inbox_consumer_id),
            delivery: delivery_of(self.delivery),
            delivered: self.delivered,
            cursor: self.cursor,
            lock_id: self.lock_id,
            order: self.order_id,
            bytes: self.bytes,
            content: self.content.message()?,
        })
    }
}

/// How many messages of the same owner come after this one, counted up to a thousand.
pub async fn behind(
    conn: &mut PgConnection,
    layout: &Layout,
    message: &OutboxMessage,
) -> Result<i64, Error> {
    const MOST: i64 = 1_000;
    let names = "sequence_number, outbox_id, inbox_message_id, inbox_consumer_id";
    let mut sql = QueryBuilder::<Postgres>::new(format!(
        "SELECT count(*) FROM (SELECT FROM {} b WHERE b.sequence_number > ",
        super::messages(layout, names)
    ));
    sql.push_bind(message.sequence);
    match message.owner {
        Owner::Bus(outbox) => {
            sql.push(" AND b.outbox_id = ").push_bind(outbox);
        }
        Owner::Consumer { message, consumer } => {
            sql.push(" AND b.inbox_message_id = ").push_bind(message);
            sql.push(" AND b.inbox_consumer_id = ").push_bind(consumer);
        }
        Owner::Nobody => return Ok(0),
    }
    sql.push(format!(" LIMIT {MOST}) x"));
    Ok(sql.build_query_scalar().fetch_one(conn).await?)
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

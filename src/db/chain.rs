//! What links the messages of an order to commands and deliveries: owners and traces of its messages, inbox rows, and
//! the head of the bus outboxes. Never a body, never more rows than asked for.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{FromRow, PgConnection, Postgres, QueryBuilder};
use uuid::Uuid;

use super::{Error, Index, Layout, OfTable, Table, sql::moment};
use crate::domain::{
    chain::{Head, Received},
    id::{ConsumerId, MessageId, OutboxId},
};

/// What a message carries beside [`super::messages::Message`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    pub sequence: i64,
    /// The message that was being consumed when it was published, and by whom.
    pub inbox: Option<(MessageId, ConsumerId)>,
    /// `MT-Activity-Id` of its headers, which need not be JSON.
    pub activity: Option<String>,
    /// When its bus outbox was opened.
    pub opened: Option<DateTime<Utc>>,
}

/// The most inbox rows of one message: one per consumer.
const MOST_CONSUMERS: i64 = 20;
/// The most inbox rows around one moment; two already mean that the command is ambiguous.
const MOST_AROUND: i64 = 3;

#[derive(FromRow)]
struct CarriedRow {
    sequence_number: i64,
    inbox_message_id: Option<MessageId>,
    inbox_consumer_id: Option<ConsumerId>,
    activity: Option<String>,
    opened: Option<DateTime<Utc>>,
}

#[derive(FromRow)]
struct ReceivedRow {
    message_id: MessageId,
    consumer_id: ConsumerId,
    received: DateTime<Utc>,
    consumed: Option<DateTime<Utc>>,
    delivered: Option<DateTime<Utc>>,
    receive_count: i32,
}

impl From<ReceivedRow> for Received {
    fn from(row: ReceivedRow) -> Self {
        Self {
            message: row.message_id,
            consumer: row.consumer_id,
            received: row.received,
            consumed: row.consumed,
            delivered: row.delivered,
            passes: row.receive_count,
        }
    }
}

/// Owners and traces of these messages, by primary key.
pub async fn carried(
    conn: &mut PgConnection,
    layout: &Layout,
    sequences: &[i64],
) -> Result<Vec<Carried>, Error> {
    let mut sql = QueryBuilder::<Postgres>::new(format!(
        "SELECT m.sequence_number, m.inbox_message_id, m.inbox_consumer_id, \
         substring(left(m.headers::text, 4000) FROM \
         '(?i)\"MT-Activity-Id\"\\s*:\\s*\"([^\"]{{1,128}})\"') AS activity, {} AS opened \
         FROM {} m LEFT JOIN {} o ON o.outbox_id = m.outbox_id WHERE m.sequence_number = ANY(",
        moment("o.created"),
        layout.from(Table::OutboxMessages),
        layout.from(Table::OutboxStates),
    ));
    sql.push_bind(sequences).push(") ORDER BY m.sequence_number");
    let rows: Vec<CarriedRow> =
        sql.build_query_as().fetch_all(conn).await.of(Table::OutboxMessages.name())?;
    let carried = |row: CarriedRow| Carried {
        sequence: row.sequence_number,
        inbox: row.inbox_message_id.zip(row.inbox_consumer_id),
        activity: row.activity,
        opened: row.opened,
    };
    Ok(rows.into_iter().map(carried).collect())
}

/// Whether inbox rows are found by their message.
pub fn finds_received(layout: &Layout) -> bool {
    layout.has_or_small(Index::InboxMessage, Table::InboxStates)
}

/// The inbox rows of these messages.
pub async fn received(
    conn: &mut PgConnection,
    layout: &Layout,
    messages: &[Uuid],
) -> Result<Vec<Received>, Error> {
    let mut sql = QueryBuilder::<Postgres>::new("SELECT r.* FROM unnest(");
    sql.push_bind(messages).push(format!(
        "::uuid[]) AS w(id) CROSS JOIN LATERAL (SELECT {} FROM {} i WHERE i.message_id = w.id \
         ORDER BY i.consumer_id LIMIT {MOST_CONSUMERS}) r",
        received_columns(),
        layout.from(Table::InboxStates),
    ));
    let rows: Vec<ReceivedRow> =
        sql.build_query_as().fetch_all(conn).await.of(Table::InboxStates.name())?;
    Ok(rows.into_iter().map(Received::from).collect())
}

/// Whether commands are found by the time they were done.
pub fn finds_handled(layout: &Layout) -> bool {
    layout.has_or_small(Index::InboxDelivered, Table::InboxStates)
}

/// The commands that were being handled at these moments, give or take `leeway`, and were done within `reach`
/// after them.
pub async fn handled(
    conn: &mut PgConnection,
    layout: &Layout,
    moments: &[DateTime<Utc>],
    leeway: TimeDelta,
    reach: TimeDelta,
) -> Result<Vec<Received>, Error> {
    let seconds = |span: TimeDelta| format!("'{} milliseconds'::interval", span.num_milliseconds());
    let (leeway, reach) = (seconds(leeway), seconds(reach));
    let mut sql = QueryBuilder::<Postgres>::new("SELECT DISTINCT r.* FROM unnest(");
    sql.push_bind(moments).push(format!(
        "::timestamptz[]) AS w(at) CROSS JOIN LATERAL (SELECT {} FROM {} i \
         WHERE i.delivered BETWEEN w.at - {leeway} AND w.at + {reach} \
           AND i.received <= w.at + {leeway} AND i.consumed >= w.at - {leeway} \
         ORDER BY i.delivered LIMIT {MOST_AROUND}) r",
        received_columns(),
        layout.from(Table::InboxStates),
    ));
    let rows: Vec<ReceivedRow> =
        sql.build_query_as().fetch_all(conn).await.of(Table::InboxStates.name())?;
    Ok(rows.into_iter().map(Received::from).collect())
}

fn received_columns() -> String {
    format!(
        "i.message_id, i.consumer_id, {} AS received, {} AS consumed, {} AS delivered, i.receive_count",
        moment("i.received"),
        moment("i.consumed"),
        moment("i.delivered"),
    )
}

/// Whether the head of the outboxes is found without reading them all.
pub fn finds_head(layout: &Layout) -> bool {
    layout.has_or_small(Index::OutboxCreated, Table::OutboxStates)
        && layout.has_or_small(Index::MessageOutbox, Table::OutboxMessages)
}

/// The oldest open bus outbox, which delivery takes first; none where none is open.
pub async fn head(conn: &mut PgConnection, layout: &Layout) -> Result<Option<Head>, Error> {
    let mut sql = QueryBuilder::<Postgres>::new(format!(
        "SELECT o.outbox_id, {} AS created, (SELECT m.sequence_number FROM {} m \
           WHERE m.outbox_id = o.outbox_id AND m.sequence_number > coalesce(o.last_sequence_number, 0) \
           ORDER BY m.sequence_number LIMIT 1) AS sequence_number \
         FROM (SELECT outbox_id, created, last_sequence_number FROM {} x WHERE delivered IS NULL \
           ORDER BY created LIMIT 1) o",
        moment("o.created"),
        layout.from(Table::OutboxMessages),
        layout.from(Table::OutboxStates),
    ));
    let row: Option<(OutboxId, DateTime<Utc>, Option<i64>)> =
        sql.build_query_as().fetch_optional(conn).await.of(Table::OutboxMessages.name())?;
    Ok(row.map(|(outbox, opened, sequence)| Head { outbox, opened, sequence }))
}

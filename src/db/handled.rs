//! The inbox rows of messages in error queues.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, Postgres, QueryBuilder};

use super::{Error, Layout, OfTable, Table, sql::moment};
use crate::domain::{
    fault::InboxRow,
    id::{ConsumerId, MessageId},
};

/// Consumers are looked for among this many of the newest rows: there is no index on them.
const NEWEST: i64 = 10_000;

type Row = (MessageId, ConsumerId, DateTime<Utc>, Option<DateTime<Utc>>, Option<DateTime<Utc>>);

/// The rows of these messages, of every consumer.
pub async fn of_messages(
    conn: &mut PgConnection,
    layout: &Layout,
    messages: &[MessageId],
) -> Result<Vec<InboxRow>, Error> {
    let ids: Vec<_> = messages.iter().map(|id| id.0).collect();
    let mut sql = QueryBuilder::<Postgres>::new(format!(
        "SELECT message_id, consumer_id, {}, {}, {} FROM {} i WHERE message_id = ANY(",
        moment("received"),
        moment("consumed"),
        moment("delivered"),
        layout.from(Table::InboxStates),
    ));
    sql.push_bind(ids).push(") LIMIT 100000");
    let rows: Vec<Row> = sql.build_query_as().fetch_all(conn).await.of(Table::InboxStates.name())?;
    let row = |(message, consumer, received, consumed, delivered)| InboxRow {
        message,
        consumer,
        received,
        consumed,
        delivered,
    };
    Ok(rows.into_iter().map(row).collect())
}

/// The consumers that the newest rows are of.
pub async fn consumers(conn: &mut PgConnection, layout: &Layout) -> Result<Vec<ConsumerId>, Error> {
    let mut sql = QueryBuilder::<Postgres>::new(format!(
        "SELECT DISTINCT consumer_id FROM (SELECT consumer_id FROM {} i ORDER BY received DESC LIMIT ",
        layout.from(Table::InboxStates),
    ));
    sql.push_bind(NEWEST).push(") newest");
    sql.build_query_scalar().fetch_all(conn).await.of(Table::InboxStates.name())
}

/// When the oldest delivered row was delivered, without those that outbox messages still refer to: these stay whatever
/// their age and say nothing about the clean-up's window.
pub async fn oldest_delivered(
    conn: &mut PgConnection,
    layout: &Layout,
) -> Result<Option<DateTime<Utc>>, Error> {
    let mut sql = QueryBuilder::<Postgres>::new(format!(
        "SELECT {} FROM {} i WHERE i.delivered IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {} m \
         WHERE m.inbox_message_id = i.message_id AND m.inbox_consumer_id = i.consumer_id) \
         ORDER BY i.delivered LIMIT 1",
        moment("i.delivered"),
        layout.from(Table::InboxStates),
        layout.from(Table::OutboxMessages),
    ));
    sql.build_query_scalar().fetch_optional(conn).await.of(Table::InboxStates.name())
}

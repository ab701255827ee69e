//! Inbox rows as they are listed: in views, of one message, those that failed.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{FromRow, PgConnection, Postgres, QueryBuilder};

use super::{AGAIN, INBOX};
use crate::{
    db::{Error, Layout, OfTable, Table, sql::moment},
    domain::id::{ConsumerId, MessageId},
};

/// Which inbox rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum InboxView {
    /// All, newest first.
    #[default]
    All,
    /// Received so long ago that it counts as failing, never handled.
    Failing,
    /// Handled, its messages not recorded as delivered.
    HalfDone,
    /// Received again after they were done.
    Duplicates,
}

impl InboxView {
    pub const ALL: [Self; 4] = [Self::All, Self::Failing, Self::HalfDone, Self::Duplicates];

    /// As verbs and screen call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Failing => "failing",
            Self::HalfDone => "half-done",
            Self::Duplicates => "duplicates",
        }
    }

    /// `held` is how old a row must be to count as failing, in seconds.
    fn test(self, held: i64) -> String {
        match self {
            Self::All => "true".to_owned(),
            // Younger ones are being handled.
            Self::Failing => format!(
                "consumed IS NULL AND delivered IS NULL AND received < now() - {held} * interval '1 s'"
            ),
            Self::HalfDone => "consumed IS NOT NULL AND delivered IS NULL".to_owned(),
            Self::Duplicates => AGAIN.to_owned(),
        }
    }
}

/// A row of `inbox_state`.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct InboxRow {
    pub id: i64,
    #[sqlx(rename = "message_id")]
    pub message: MessageId,
    #[sqlx(rename = "consumer_id")]
    pub consumer: ConsumerId,
    pub received: DateTime<Utc>,
    /// Committed passes, not deliveries: 3 plus one for each message it produced is normal.
    #[sqlx(rename = "receive_count")]
    pub passes: i32,
    pub consumed: Option<DateTime<Utc>>,
    pub delivered: Option<DateTime<Utc>>,
    #[sqlx(rename = "last_sequence_number")]
    pub cursor: Option<i64>,
}

fn rows(layout: &Layout, test: &str) -> QueryBuilder<Postgres> {
    QueryBuilder::new(format!(
        "SELECT id, message_id, consumer_id, {} AS received, receive_count, {} AS consumed, {} AS delivered, \
         last_sequence_number FROM {} s WHERE {test}",
        moment("received"),
        moment("consumed"),
        moment("delivered"),
        layout.from(Table::InboxStates),
    ))
}

/// At most `limit` rows to see first: those not done, the oldest first, then what was received last.
pub async fn glance(
    conn: &mut PgConnection,
    layout: &Layout,
    limit: i64,
) -> Result<Vec<InboxRow>, Error> {
    let mut sql = rows(layout, "delivered IS NULL ORDER BY received, id LIMIT ");
    let mut found: Vec<InboxRow> =
        sql.push_bind(limit).build_query_as().fetch_all(&mut *conn).await.of(INBOX)?;
    let left = limit - i64::try_from(found.len()).unwrap_or(limit);
    if left > 0 {
        let mut sql = rows(layout, "delivered IS NOT NULL ORDER BY id DESC LIMIT ");
        let last: Vec<InboxRow> =
            sql.push_bind(left).build_query_as().fetch_all(conn).await.of(INBOX)?;
        found.extend(last);
    }
    Ok(found)
}

/// A page of at most `limit` rows, newest first; `before` is the id of the last row of the page before, `held` how old
/// a row must be to count as failing.
pub async fn list(
    conn: &mut PgConnection,
    layout: &Layout,
    (view, held): (InboxView, TimeDelta),
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<InboxRow>, Error> {
    let mut sql = rows(layout, &view.test(held.num_seconds()));
    if let Some(before) = before {
        sql.push(" AND id < ").push_bind(before);
    }
    sql.push(" ORDER BY id DESC LIMIT ").push_bind(limit);
    sql.build_query_as().fetch_all(conn).await.of(INBOX)
}

/// Rows received before a moment and never consumed, which no outbox message refers to: the oldest `limit`.
pub async fn failed(
    conn: &mut PgConnection,
    layout: &Layout,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<(MessageId, ConsumerId)>, Error> {
    let mut sql = QueryBuilder::<Postgres>::new(format!(
        "SELECT s.message_id, s.consumer_id FROM {} s WHERE s.consumed IS NULL AND s.delivered IS NULL \
         AND NOT EXISTS (SELECT FROM {} m WHERE m.inbox_message_id = s.message_id \
             AND m.inbox_consumer_id = s.consumer_id) AND s.received < ",
        layout.from(Table::InboxStates),
        layout.from(Table::OutboxMessages),
    ));
    sql.push_bind(before).push(" ORDER BY s.received, s.id LIMIT ").push_bind(limit);
    sql.build_query_as().fetch_all(conn).await.of(INBOX)
}

/// The rows of one message, by consumer.
pub async fn of_message(
    conn: &mut PgConnection,
    layout: &Layout,
    message: MessageId,
) -> Result<Vec<InboxRow>, Error> {
    let mut sql = QueryBuilder::<Postgres>::new(format!(
        "SELECT id, message_id, consumer_id, {} AS received, receive_count, {} AS consumed, {} AS delivered, \
         last_sequence_number FROM {} s WHERE message_id = ",
        moment("received"),
        moment("consumed"),
        moment("delivered"),
        layout.from(Table::InboxStates),
    ));
    sql.push_bind(message).push(" ORDER BY id LIMIT 100");
    sql.build_query_as().fetch_all(conn).await.of(INBOX)
}

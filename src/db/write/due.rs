//! Rows whose retention is over: found and held, oldest first, a bounded number at a time. What somebody else holds is
//! passed over.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{FromRow, Postgres, QueryBuilder, types::Json};
use uuid::Uuid;

use super::{Tx, direct::both};
use crate::db::{Error, OfTable, Table};

/// Counting what is due stops here.
const MOST: i64 = 100_000;
/// Messages that one transaction copies and removes.
const MOST_MESSAGES: usize = 2_000;

/// Which rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Old {
    /// Outboxes recorded as delivered before that moment.
    Outboxes(DateTime<Utc>),
    /// Inbox rows delivered before it, which no outbox message refers to.
    Inbox(DateTime<Utc>),
    /// Inbox rows received before it and never consumed.
    Failed(DateTime<Utc>),
}

/// What is due, held until the transaction ends.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Due {
    /// The rows, of one batch.
    pub rows: Vec<Value>,
    pub outboxes: Vec<Uuid>,
    /// Numbers of inbox rows.
    pub inbox: Vec<i64>,
    /// Numbers of the messages that belong to the outboxes.
    pub messages: Vec<i64>,
    /// All that is due, counted up to 100,000.
    pub total: i64,
}

#[derive(FromRow)]
struct Found {
    row: Json<Value>,
    outbox: Option<Uuid>,
    inbox: Option<i64>,
}

impl Old {
    const fn table(self) -> Table {
        match self {
            Self::Outboxes(_) => Table::OutboxStates,
            Self::Inbox(_) | Self::Failed(_) => Table::InboxStates,
        }
    }

    const fn before(self) -> DateTime<Utc> {
        match self {
            Self::Outboxes(before) | Self::Inbox(before) | Self::Failed(before) => before,
        }
    }
}

impl Tx<'_> {
    /// The oldest rows that are due, `limit` at most.
    pub async fn due(&mut self, old: Old, limit: i64) -> Result<Due, Error> {
        self.in_time()?;
        let from = self.layout().from(old.table());
        let refers = format!(
            "NOT EXISTS (SELECT FROM {} m WHERE m.inbox_message_id = s.message_id \
             AND m.inbox_consumer_id = s.consumer_id)",
            self.layout().from(Table::OutboxMessages)
        );
        let (test, keys, order) = match old {
            Old::Outboxes(_) => (
                "s.delivered < ".to_owned(),
                "s.outbox_id AS outbox, NULL::bigint AS inbox",
                "s.delivered, s.outbox_id",
            ),
            Old::Inbox(_) => (
                format!("{refers} AND s.delivered < "),
                "NULL::uuid AS outbox, s.id AS inbox",
                "s.delivered, s.id",
            ),
            Old::Failed(_) => (
                format!(
                    "{refers} AND s.consumed IS NULL AND s.delivered IS NULL AND s.received < "
                ),
                "NULL::uuid AS outbox, s.id AS inbox",
                "s.received, s.id",
            ),
        };
        let mut sql = QueryBuilder::<Postgres>::new(format!(
            "SELECT to_jsonb(s) AS row, {keys} FROM {from} s WHERE {test}"
        ));
        sql.push_bind(old.before());
        sql.push(format!(" ORDER BY {order} LIMIT {limit} FOR UPDATE OF s SKIP LOCKED"));
        let found: Vec<Found> = sql.build_query_as().fetch_all(self.conn()).await?;
        let mut due = Due::default();
        for Found { row: Json(row), outbox, inbox } in found {
            due.rows.push(row);
            due.outboxes.extend(outbox);
            due.inbox.extend(inbox);
        }
        let mut sql = QueryBuilder::<Postgres>::new(format!(
            "SELECT count(*) FROM (SELECT FROM {from} s WHERE {test}"
        ));
        sql.push_bind(old.before()).push(format!(" LIMIT {MOST}) x"));
        due.total = sql.build_query_scalar().fetch_one(self.conn()).await?;
        if !due.outboxes.is_empty() {
            self.messages_of(&mut due).await?;
        }
        Ok(due)
    }

    /// The messages of what is due, as many as one transaction may take. An outbox with more than that stays, with
    /// those that are left.
    async fn messages_of(&mut self, due: &mut Due) -> Result<(), Error> {
        let mut sql = QueryBuilder::<Postgres>::new(format!(
            "SELECT m.outbox_id, m.sequence_number FROM {} m WHERE m.outbox_id = ANY(",
            self.layout().from(Table::OutboxMessages)
        ));
        sql.push_bind(due.outboxes.clone()).push(") ORDER BY array_position(");
        sql.push_bind(due.outboxes.clone());
        sql.push(format!(", m.outbox_id), m.sequence_number LIMIT {}", MOST_MESSAGES + 1));
        let mut found: Vec<(Uuid, i64)> =
            sql.build_query_as().fetch_all(self.conn()).await.of(Table::OutboxMessages.name())?;
        if found.len() > MOST_MESSAGES {
            let cut = found.pop().map(|(outbox, _)| outbox);
            let whole = due.outboxes.iter().position(|id| Some(*id) == cut).unwrap_or_default();
            due.outboxes.truncate(whole);
            due.rows.truncate(whole);
        }
        due.messages = found.into_iter().map(|(_, sequence)| sequence).collect();
        Ok(())
    }

    /// Removes what is due: messages before their outboxes, which they refer to.
    pub async fn remove_due(&mut self, due: &Due) -> Result<(), Error> {
        if !due.messages.is_empty() {
            let keys = Keys::Numbers(&due.messages);
            self.remove_all(Table::OutboxMessages, "sequence_number", keys).await?;
        }
        if !due.outboxes.is_empty() {
            self.remove_all(Table::OutboxStates, "outbox_id", Keys::Ids(&due.outboxes)).await?;
        }
        if !due.inbox.is_empty() {
            self.remove_all(Table::InboxStates, "id", Keys::Numbers(&due.inbox)).await?;
        }
        Ok(())
    }

    async fn remove_all(
        &mut self,
        table: Table,
        column: &'static str,
        keys: Keys<'_>,
    ) -> Result<(), Error> {
        self.in_time()?;
        let target = self.target(table)?;
        let name = self.layout().column(table, column).unwrap_or(column);
        let mut sql = QueryBuilder::<Postgres>::new("");
        let mut said = String::new();
        both(&mut sql, &mut said, &format!("DELETE FROM {target} WHERE \"{name}\" = ANY("));
        match keys {
            Keys::Ids(ids) => sql.push_bind(ids.to_vec()),
            Keys::Numbers(numbers) => sql.push_bind(numbers.to_vec()),
        };
        said.push_str(&keys.said());
        both(&mut sql, &mut said, ")");
        self.said.push(said);
        sql.build().execute(self.conn()).await?;
        Ok(())
    }
}

/// Keys of rows.
#[derive(Debug, Clone, Copy)]
pub(super) enum Keys<'a> {
    Ids(&'a [Uuid]),
    Numbers(&'a [i64]),
}

impl Keys<'_> {
    /// The first of them, for people.
    pub(super) fn said(self) -> String {
        const FEW: usize = 20;
        let (few, all): (Vec<_>, usize) = match self {
            Self::Ids(ids) => (ids.iter().take(FEW).map(ToString::to_string).collect(), ids.len()),
            Self::Numbers(numbers) => {
                (numbers.iter().take(FEW).map(ToString::to_string).collect(), numbers.len())
            }
        };
        let more = if all > few.len() { ", …" } else { "" };
        format!("'{{{}{more}}}'", few.join(", "))
    }
}

//! Rows whose time is over, as the list of a bulk operation names them: held, looked at again, and removed. What
//! somebody else holds is passed over.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{FromRow, Postgres, QueryBuilder, types::Json};
use uuid::Uuid;

use super::{Tx, direct::both};
use crate::db::{Error, Layout, Table};

/// Which rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Old {
    /// Outboxes recorded as delivered before that moment.
    Outboxes(DateTime<Utc>),
    /// Inbox rows delivered before it, which no outbox message refers to.
    Inbox(DateTime<Utc>),
    /// Inbox rows received before it and never consumed.
    Failed(DateTime<Utc>),
    /// Inbox rows delivered before it whose messages, which left then, are still in the outbox.
    Consumers(DateTime<Utc>),
}

/// A row by the key under which an operation's list has it: an outbox's id, or a message and its consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueKey {
    pub id: Uuid,
    pub consumer: Option<Uuid>,
}

impl DueKey {
    /// As a list has it.
    pub fn read(key: &Value) -> Option<Self> {
        let id = |name: &str| Uuid::try_parse(key.get(name)?.as_str()?).ok();
        match id("outbox") {
            Some(outbox) => Some(Self { id: outbox, consumer: None }),
            None => Some(Self { id: id("message")?, consumer: Some(id("consumer")?) }),
        }
    }
}

/// A row that an operation's list names, as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    pub row: Value,
    /// The number of an inbox row.
    pub inbox: Option<i64>,
    /// Nobody else changes it before this transaction ends.
    pub held: bool,
    /// It is still of the kind and age that was meant.
    pub due: bool,
    /// Messages of the outbox refer to it.
    pub referred: bool,
}

#[derive(FromRow)]
struct Facts {
    place: i64,
    row: Json<Value>,
    inbox: Option<i64>,
    due: bool,
    referred: bool,
}

impl Old {
    pub(in crate::db) const fn table(self) -> Table {
        match self {
            Self::Outboxes(_) => Table::OutboxStates,
            Self::Inbox(_) | Self::Failed(_) | Self::Consumers(_) => Table::InboxStates,
        }
    }

    /// The moment before which they are due.
    pub const fn before(self) -> DateTime<Utc> {
        match self {
            Self::Outboxes(before)
            | Self::Inbox(before)
            | Self::Failed(before)
            | Self::Consumers(before) => before,
        }
    }

    /// The column that is compared with it.
    pub const fn moment(self) -> &'static str {
        match self {
            Self::Outboxes(_) | Self::Inbox(_) | Self::Consumers(_) => "delivered",
            Self::Failed(_) => "received",
        }
    }

    /// A column that orders rows of the same moment, and its type.
    pub(in crate::db) const fn tie(self) -> (&'static str, &'static str) {
        match self {
            Self::Outboxes(_) => ("outbox_id", "uuid"),
            Self::Inbox(_) | Self::Failed(_) | Self::Consumers(_) => ("id", "bigint"),
        }
    }

    /// The key of row `s` in an operation's list.
    pub(in crate::db) const fn key(self) -> &'static str {
        match self {
            Self::Outboxes(_) => "jsonb_build_object('outbox', s.outbox_id)",
            Self::Inbox(_) | Self::Failed(_) | Self::Consumers(_) => {
                "jsonb_build_object('message', s.message_id, 'consumer', s.consumer_id)"
            }
        }
    }

    /// Whether row `s` is of that kind and age; the moment follows.
    pub(in crate::db) const fn test(self) -> &'static str {
        match self {
            Self::Outboxes(_) | Self::Inbox(_) | Self::Consumers(_) => "s.delivered < ",
            Self::Failed(_) => "s.consumed IS NULL AND s.delivered IS NULL AND s.received < ",
        }
    }

    /// Whether what is removed are messages, and not the row itself.
    #[must_use]
    pub const fn is_of_messages(self) -> bool {
        matches!(self, Self::Outboxes(_) | Self::Consumers(_))
    }

    /// The rest of the test on row `s`: that messages of the outbox refer to it, or that none does.
    pub(in crate::db) fn referral(self, layout: &Layout) -> String {
        let refers = self.refers(layout);
        let not = if matches!(self, Self::Consumers(_)) { "" } else { "NOT " };
        refers.map_or_else(String::new, |refers| format!(" AND {not}{refers}"))
    }

    /// Whether messages of the outbox refer to row `s`, where that matters.
    pub(in crate::db) fn refers(self, layout: &Layout) -> Option<String> {
        (self.table() == Table::InboxStates).then(|| {
            format!(
                "EXISTS (SELECT FROM {} m WHERE m.inbox_message_id = s.message_id \
                 AND m.inbox_consumer_id = s.consumer_id)",
                layout.from(Table::OutboxMessages)
            )
        })
    }

    /// The rows `s` of these keys, each with its `place` among them.
    pub(in crate::db) fn push_given(
        self,
        sql: &mut QueryBuilder<Postgres>,
        layout: &Layout,
        keys: &[DueKey],
    ) {
        let ids: Vec<Uuid> = keys.iter().map(|key| key.id).collect();
        let consumers: Vec<Option<Uuid>> = keys.iter().map(|key| key.consumer).collect();
        sql.push("unnest(").push_bind(ids).push("::uuid[], ").push_bind(consumers);
        sql.push("::uuid[]) WITH ORDINALITY AS k (id, consumer, place) JOIN ");
        sql.push(layout.from(self.table()));
        sql.push(match self {
            Self::Outboxes(_) => " s ON s.outbox_id = k.id",
            Self::Inbox(_) | Self::Failed(_) | Self::Consumers(_) => {
                " s ON s.message_id = k.id AND s.consumer_id = k.consumer"
            }
        });
    }
}

impl Tx<'_> {
    /// Holds those of the listed rows that nobody else holds, then looks at all of them; none for one that is gone.
    pub async fn hold_listed(
        &mut self,
        old: Old,
        keys: &[DueKey],
    ) -> Result<Vec<Option<Listed>>, Error> {
        self.in_time()?;
        let layout = self.layout();
        let mut sql = QueryBuilder::<Postgres>::new("SELECT k.place FROM ");
        old.push_given(&mut sql, layout, keys);
        sql.push(" FOR UPDATE OF s SKIP LOCKED");
        let held: Vec<i64> = sql.build_query_scalar().fetch_all(self.conn()).await?;
        self.in_time()?;
        // What is decided on is read after it is held, in a statement of its own.
        let inbox = if old.table() == Table::InboxStates { "s.id" } else { "NULL::bigint" };
        let refers = old.refers(layout).unwrap_or_else(|| "false".to_owned());
        let mut sql = QueryBuilder::<Postgres>::new(format!(
            "SELECT k.place, to_jsonb(s) AS row, {inbox} AS inbox, {refers} AS referred, coalesce({}",
            old.test()
        ));
        sql.push_bind(old.before()).push(", false) AS due FROM ");
        old.push_given(&mut sql, layout, keys);
        let found: Vec<Facts> = sql.build_query_as().fetch_all(self.conn()).await?;
        let held: BTreeSet<i64> = held.into_iter().collect();
        let mut listed = vec![None; keys.len()];
        for Facts { place, row: Json(row), inbox, due, referred } in found {
            let index = usize::try_from(place - 1).ok().filter(|index| *index < listed.len());
            if let Some(index) = index {
                let held = held.contains(&place);
                listed[index] = Some(Listed { row, inbox, held, due, referred });
            }
        }
        Ok(listed)
    }

    /// Numbers of the messages of these rows, in the order of the keys, at most `limit`: each with its key's index.
    pub async fn messages_in(
        &mut self,
        old: Old,
        keys: &[DueKey],
        limit: u64,
    ) -> Result<Vec<(usize, i64)>, Error> {
        self.in_time()?;
        let ids: Vec<Uuid> = keys.iter().map(|key| key.id).collect();
        let consumers: Vec<Option<Uuid>> = keys.iter().map(|key| key.consumer).collect();
        let mut sql =
            QueryBuilder::<Postgres>::new("SELECT k.place, m.sequence_number FROM unnest(");
        sql.push_bind(ids).push("::uuid[], ").push_bind(consumers);
        sql.push("::uuid[]) WITH ORDINALITY AS k (id, consumer, place) JOIN ");
        sql.push(self.layout().from(Table::OutboxMessages)).push(match old {
            Old::Consumers(_) => {
                " m ON m.inbox_message_id = k.id AND m.inbox_consumer_id = k.consumer"
            }
            Old::Outboxes(_) | Old::Inbox(_) | Old::Failed(_) => " m ON m.outbox_id = k.id",
        });
        sql.push(" ORDER BY k.place, m.sequence_number LIMIT ");
        sql.push_bind(i64::try_from(limit).unwrap_or(i64::MAX));
        let rows: Vec<(i64, i64)> = sql.build_query_as().fetch_all(self.conn()).await?;
        let index = |(place, sequence)| (usize::try_from(place - 1).unwrap_or_default(), sequence);
        Ok(rows.into_iter().map(index).collect())
    }

    /// Removes messages of the outbox by their numbers.
    pub async fn remove_messages(&mut self, sequences: &[i64]) -> Result<(), Error> {
        self.remove_all(Table::OutboxMessages, "sequence_number", Keys::Numbers(sequences)).await
    }

    /// Removes outboxes, whose messages are gone.
    pub async fn remove_outboxes(&mut self, outboxes: &[Uuid]) -> Result<(), Error> {
        self.remove_all(Table::OutboxStates, "outbox_id", Keys::Ids(outboxes)).await
    }

    /// Removes inbox rows by their numbers.
    pub async fn remove_inbox(&mut self, numbers: &[i64]) -> Result<(), Error> {
        self.remove_all(Table::InboxStates, "id", Keys::Numbers(numbers)).await
    }

    async fn remove_all(
        &mut self,
        table: Table,
        column: &'static str,
        keys: Keys<'_>,
    ) -> Result<(), Error> {
        if keys.is_empty() {
            return Ok(());
        }
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
    const fn is_empty(self) -> bool {
        match self {
            Self::Ids(ids) => ids.is_empty(),
            Self::Numbers(numbers) => numbers.is_empty(),
        }
    }

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

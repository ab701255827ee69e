//! Taking messages out of the outbox and putting them back, with copies in schema `orderscope`.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::{Bound, Field, Number, Tx, direct::both, due::Keys, may, must};
use crate::{
    db::{
        Error, OfTable, Table,
        archive::{self, ArchivedContent},
        paused::{self, PausedOutbox},
    },
    domain::{id::OutboxId, outbox::Owner, stored_message::StoredMessage},
};

/// What a copy is labelled with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep<'a> {
    /// As `orderscope.kept_messages.cause` allows.
    pub cause: &'static str,
    pub place: &'a str,
    pub operation: Uuid,
    /// A placeholder for a transaction that will be rolled back.
    pub number: Number,
}

impl Tx<'_> {
    /// Copies these messages as they are now and tells the copies' numbers.
    pub async fn keep(&mut self, sequences: &[i64], keep: &Keep<'_>) -> Result<Vec<i64>, Error> {
        self.in_time()?;
        let from = self.layout().from(Table::OutboxMessages);
        let (column, overriding, number) = match keep.number {
            Number::Next => ("", "", String::new()),
            Number::Placeholder(first) => (
                "number, ",
                " OVERRIDING SYSTEM VALUE",
                format!("{first} - row_number() OVER (ORDER BY m.sequence_number), "),
            ),
        };
        let mut sql = QueryBuilder::<Postgres>::new("");
        let mut said = String::new();
        let into = "INSERT INTO orderscope.kept_messages (";
        both(&mut sql, &mut said, into);
        sql.push(column);
        both(&mut sql, &mut said, "operation, cause, place, message_id, body, rest)");
        sql.push(overriding);
        both(&mut sql, &mut said, " SELECT ");
        sql.push(number);
        for value in [
            Bound::Id(Some(keep.operation)),
            Bound::Text(Some(keep.cause)),
            Bound::Text(Some(keep.place)),
        ] {
            value.push(&mut sql, &mut said);
            both(&mut sql, &mut said, ", ");
        }
        let rest = format!(
            "m.message_id, convert_to(m.body, 'UTF8'), to_jsonb(m) - 'body' FROM {from} m \
             WHERE m.sequence_number = ANY("
        );
        both(&mut sql, &mut said, &rest);
        sql.push_bind(sequences.to_vec());
        said.push_str(&Keys::Numbers(sequences).said());
        both(&mut sql, &mut said, ")");
        sql.push(" ORDER BY m.sequence_number RETURNING number");
        self.said.push(said);
        sql.build_query_scalar().fetch_all(self.conn()).await.of("orderscope.kept_messages")
    }

    /// Removes the rows with these key columns and tells how many there were.
    pub async fn remove(&mut self, table: Table, key: &[Field<'_>]) -> Result<u64, Error> {
        self.in_time()?;
        let target = self.target(table)?;
        let mut sql = QueryBuilder::<Postgres>::new("");
        let mut said = String::new();
        both(&mut sql, &mut said, &format!("DELETE FROM {target} AS t WHERE "));
        self.push_where(&mut sql, &mut said, table, key)?;
        self.said.push(said);
        Ok(sql.build().execute(self.conn()).await?.rows_affected())
    }

    /// Writes a row as it is: a pass that began before this transaction and waits for the row, or takes it later
    /// with its old snapshot, fails before it sends anything, instead of after.
    pub async fn touch(&mut self, owner: Owner) -> Result<(), Error> {
        self.in_time()?;
        let (table, key) = match owner {
            Owner::Bus(outbox) => {
                (Table::OutboxStates, vec![must("outbox_id", Bound::Id(Some(outbox.0)))])
            }
            Owner::Consumer { message, consumer } => (
                Table::InboxStates,
                vec![
                    must("message_id", Bound::Id(Some(message.0))),
                    must("consumer_id", Bound::Id(Some(consumer.0))),
                ],
            ),
            Owner::Nobody => return Ok(()),
        };
        let target = self.target(table)?;
        let name = self.layout().column(table, "lock_id").unwrap_or("lock_id");
        let mut sql = QueryBuilder::<Postgres>::new("");
        let mut said = String::new();
        let update = format!("UPDATE {target} AS t SET \"{name}\" = t.\"{name}\" WHERE ");
        both(&mut sql, &mut said, &update);
        self.push_where(&mut sql, &mut said, table, &key)?;
        self.said.push(said);
        sql.build().execute(self.conn()).await?;
        Ok(())
    }

    /// How many messages an outbox has, counted up to a thousand.
    pub async fn left(&mut self, outbox: OutboxId) -> Result<i64, Error> {
        let from = self.layout().from(Table::OutboxMessages);
        let mut sql = QueryBuilder::<Postgres>::new(format!(
            "SELECT count(*) FROM (SELECT FROM {from} m WHERE m.outbox_id = "
        ));
        sql.push_bind(outbox).push(" LIMIT 1000) x");
        sql.build_query_scalar().fetch_one(self.conn()).await.of(Table::OutboxMessages.name())
    }

    /// Adds an outbox for a message that is put back; no pass has been made on it.
    pub async fn store_outbox(
        &mut self,
        id: OutboxId,
        at: DateTime<Utc>,
    ) -> Result<Option<Value>, Error> {
        let row = [
            must("outbox_id", Bound::Id(Some(id.0))),
            must("lock_id", Bound::Id(Some(Uuid::nil()))),
            must("created", Bound::At(Some(at))),
        ];
        self.store(Table::OutboxStates, &row).await
    }

    /// Adds a message as it was, to another outbox. A placeholder draws nothing from the table's identity.
    pub async fn add_whole(
        &mut self,
        whole: &StoredMessage,
        outbox: OutboxId,
        number: Number,
    ) -> Result<Option<Value>, Error> {
        let mut row = vec![
            must("sent_time", Bound::At(Some(whole.sent))),
            must("headers", Bound::Text(whole.headers.as_deref())),
            must("properties", Bound::Text(whole.properties.as_deref())),
            must("outbox_id", Bound::Id(Some(outbox.0))),
            must("message_id", Bound::Id(Some(whole.message.0))),
            must("content_type", Bound::Text(Some(&whole.content_type))),
            must("message_type", Bound::Text(Some(&whole.kinds))),
            must("body", Bound::Text(Some(&whole.body))),
            may("enqueue_time", Bound::At(whole.enqueue)),
            may("expiration_time", Bound::At(whole.expires)),
            may("conversation_id", Bound::Id(whole.conversation)),
            may("correlation_id", Bound::Id(whole.correlation)),
            may("initiator_id", Bound::Id(whole.initiator)),
            may("request_id", Bound::Id(whole.request)),
            may("source_address", Bound::Text(whole.source.as_deref())),
            may("destination_address", Bound::Text(whole.destination.as_deref())),
            may("response_address", Bound::Text(whole.response.as_deref())),
            may("fault_address", Bound::Text(whole.fault.as_deref())),
        ];
        if let Number::Placeholder(number) = number {
            row.push(must("sequence_number", Bound::Big(Some(number))));
        }
        self.store(Table::OutboxMessages, &row).await
    }

    /// A copy, held until the end.
    pub async fn hold_copy(&mut self, number: i64) -> Result<Option<ArchivedContent>, Error> {
        archive::lock(self.conn(), number).await
    }

    /// Records that a copy was put back.
    pub async fn copy_returned(
        &mut self,
        number: i64,
        at: DateTime<Utc>,
        operation: Uuid,
    ) -> Result<(), Error> {
        self.said.push(format!(
            "UPDATE orderscope.kept_messages SET returned_at = '{}', returned_by = '{operation}' \
             WHERE number = {number}",
            at.to_rfc3339()
        ));
        archive::returned(self.conn(), number, at, operation).await
    }

    /// Records that an outbox is held.
    pub async fn hold_outbox(&mut self, held: &PausedOutbox, operation: Uuid) -> Result<(), Error> {
        self.said.push(format!(
            "INSERT INTO orderscope.held_outboxes (outbox_id, held_at, held_by, operation) VALUES ('{}', '{}', \
             '{}', '{operation}')",
            held.outbox,
            held.at.to_rfc3339(),
            held.by.replace('\'', "''"),
        ));
        paused::hold(self.conn(), held, operation).await
    }

    /// Ends a hold; false if there was none.
    pub async fn release_outbox(&mut self, outbox: OutboxId) -> Result<bool, Error> {
        self.said
            .push(format!("DELETE FROM orderscope.held_outboxes WHERE outbox_id = '{outbox}'"));
        paused::release(self.conn(), outbox).await
    }

    /// A column's name as the database spells it, in rows as JSON.
    pub fn spelt(&self, table: Table, column: &str) -> Option<&str> {
        self.layout().column(table, column)
    }
}

//! The outbox and the inbox, as MassTransit keeps them.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{FromRow, Postgres, QueryBuilder};
use uuid::Uuid;

use super::{Bound, Number, Place, Tx, may, must};
use crate::{
    db::{Error, OfTable, Table},
    domain::{
        envelope::CONTENT_TYPE,
        id::{ConsumerId, MessageId, OutboxId},
        outbox::Owner,
    },
};

/// A message about to be stored.
#[derive(Debug, Clone)]
pub struct NewMessage<'a> {
    pub id: MessageId,
    pub owner: Owner,
    pub message_type: &'a str,
    pub body: &'a str,
    pub headers: Option<&'a str>,
    pub properties: &'a str,
    pub conversation: Uuid,
    pub initiator: Option<Uuid>,
    pub source: &'a str,
    pub destination: &'a str,
    pub at: DateTime<Utc>,
}

/// A row of the inbox, held by this transaction.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Inbox {
    pub receive_count: i32,
    pub consumed: Option<DateTime<Utc>>,
    pub delivered: Option<DateTime<Utc>>,
    pub last_sequence_number: Option<i64>,
}

impl Tx<'_> {
    /// Adds the outbox of one business transaction; no pass has been made on it.
    pub fn add_outbox(&mut self, id: OutboxId, at: DateTime<Utc>) -> Result<Place, Error> {
        let row = vec![
            must("outbox_id", Bound::Id(Some(id.0))),
            must("lock_id", Bound::Id(Some(Uuid::nil()))),
            must("created", Bound::At(Some(at))),
        ];
        self.insert(Table::OutboxStates, &[row])
    }

    /// Adds a message. A placeholder draws nothing from the table's identity.
    pub fn add_message(
        &mut self,
        message: &NewMessage<'_>,
        number: Number,
    ) -> Result<Place, Error> {
        let (outbox, inbox, consumer) = match message.owner {
            Owner::Bus(outbox) => (Some(outbox.0), None, None),
            Owner::Consumer { message, consumer } => (None, Some(message.0), Some(consumer.0)),
            Owner::Nobody => (None, None, None),
        };
        let mut row = vec![
            must("sent_time", Bound::At(Some(message.at))),
            must("headers", Bound::Text(message.headers)),
            must("properties", Bound::Text(Some(message.properties))),
            must("inbox_message_id", Bound::Id(inbox)),
            must("inbox_consumer_id", Bound::Id(consumer)),
            must("outbox_id", Bound::Id(outbox)),
            must("message_id", Bound::Id(Some(message.id.0))),
            must("content_type", Bound::Text(Some(CONTENT_TYPE))),
            must("message_type", Bound::Text(Some(message.message_type))),
            must("body", Bound::Text(Some(message.body))),
            may("conversation_id", Bound::Id(Some(message.conversation))),
            may("initiator_id", Bound::Id(message.initiator)),
            may("source_address", Bound::Text(Some(message.source))),
            may("destination_address", Bound::Text(Some(message.destination))),
        ];
        if let Number::Placeholder(number) = number {
            row.push(must("sequence_number", Bound::Big(Some(number))));
        }
        self.insert(Table::OutboxMessages, &[row])
    }

    /// Adds the row of a message that was never seen before; leaves one that is there alone.
    pub async fn add_inbox(
        &mut self,
        message: MessageId,
        consumer: ConsumerId,
        lock: Uuid,
        at: DateTime<Utc>,
    ) -> Result<(), Error> {
        let target = self.target(Table::InboxStates)?;
        let fields = [
            must("message_id", Bound::Id(Some(message.0))),
            must("consumer_id", Bound::Id(Some(consumer.0))),
            must("lock_id", Bound::Id(Some(lock))),
            must("received", Bound::At(Some(at))),
            must("receive_count", Bound::Int(0)),
        ];
        let names = self.names(Table::InboxStates, &fields)?.join(", ");
        let mut sql =
            QueryBuilder::<Postgres>::new(format!("INSERT INTO {target} ({names}) VALUES ("));
        let mut said = String::new();
        for (place, field) in fields.iter().enumerate() {
            sql.push(if place == 0 { "" } else { ", " });
            field.value.push(&mut sql, &mut said);
        }
        sql.push(") ON CONFLICT DO NOTHING");
        sql.build().execute(self.conn()).await?;
        Ok(())
    }

    /// The row of a message for a consumer, once nobody else works on it. None if there is none.
    pub async fn hold_inbox(
        &mut self,
        message: MessageId,
        consumer: ConsumerId,
    ) -> Result<Option<Inbox>, Error> {
        let target = self.target(Table::InboxStates)?;
        let name = |column| self.layout().column(Table::InboxStates, column).unwrap_or(column);
        let mut sql = QueryBuilder::<Postgres>::new("SELECT ");
        let columns = ["receive_count", "consumed", "delivered", "last_sequence_number"];
        let list: Vec<_> = columns.map(|c| format!("\"{}\" AS {c}", name(c))).into();
        sql.push(format!("{} FROM {target} WHERE \"{}\" = ", list.join(", "), name("message_id")));
        sql.push_bind(message).push(format!(" AND \"{}\" = ", name("consumer_id")));
        sql.push_bind(consumer).push(" FOR UPDATE");
        sql.build_query_as().fetch_optional(self.conn()).await.of(Table::InboxStates.name())
    }

    /// Records a pass, at once: what `inbox` says now, and an id whose clock is the pass's.
    pub async fn pass_inbox(
        &mut self,
        message: MessageId,
        consumer: ConsumerId,
        lock: Uuid,
        inbox: &Inbox,
    ) -> Result<Option<Value>, Error> {
        let key = [
            must("message_id", Bound::Id(Some(message.0))),
            must("consumer_id", Bound::Id(Some(consumer.0))),
        ];
        let changes = [
            must("lock_id", Bound::Id(Some(lock))),
            must("receive_count", Bound::Int(inbox.receive_count)),
            must("consumed", Bound::At(inbox.consumed)),
            must("delivered", Bound::At(inbox.delivered)),
            must("last_sequence_number", Bound::Big(inbox.last_sequence_number)),
        ];
        let place = self.update(Table::InboxStates, &key, &changes)?;
        Ok(self.send().await?.next(place))
    }

    /// The newest message that a consumed one produced; none if it produced nothing.
    pub async fn produced(
        &mut self,
        message: MessageId,
        consumer: ConsumerId,
    ) -> Result<Option<i64>, Error> {
        let from = self.layout().from(Table::OutboxMessages);
        let mut sql = QueryBuilder::<Postgres>::new(format!(
            "SELECT max(sequence_number) FROM {from} m WHERE inbox_message_id = "
        ));
        sql.push_bind(message).push(" AND inbox_consumer_id = ").push_bind(consumer);
        sql.build_query_scalar().fetch_one(self.conn()).await.of(Table::OutboxMessages.name())
    }

    /// Removes what a consumed message produced, once all of it is delivered.
    pub async fn remove_produced(
        &mut self,
        message: MessageId,
        consumer: ConsumerId,
    ) -> Result<(), Error> {
        let target = self.target(Table::OutboxMessages)?;
        let name = |column| self.layout().column(Table::OutboxMessages, column).unwrap_or(column);
        let mut sql = QueryBuilder::<Postgres>::new(format!(
            "DELETE FROM {target} WHERE \"{}\" = ",
            name("inbox_message_id")
        ));
        sql.push_bind(message).push(format!(" AND \"{}\" = ", name("inbox_consumer_id")));
        sql.push_bind(consumer);
        sql.build().execute(self.conn()).await?;
        Ok(())
    }
}

//! Streams, events and summary documents, as Marten keeps them.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::{Bound, Place, Tx, may, must};
use crate::{
    db::{Error, Table},
    domain::{
        event::EventKind,
        id::{EventId, OrderId, StreamId},
    },
};

/// `mt_streams.type` of an order's stream.
const STREAM_TYPE: &str = "order_summary";
const SUMMARY_TYPE: &str = "BookWorm.Ordering.Domain.Projections.OrderSummaryView";
/// An event's sequence number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Number {
    Next,
    /// A negative one, for a transaction that will be rolled back.
    Placeholder(i64),
}

/// An event about to be stored.
#[derive(Debug, Clone)]
pub struct NewStored<'a> {
    pub id: EventId,
    pub stream: StreamId,
    pub version: i64,
    pub kind: EventKind,
    /// `mt_dotnet_type`
    pub dotnet_type: Option<&'a str>,
    pub tenant: Option<&'a str>,
    pub body: &'a Value,
    pub headers: &'a Value,
    pub correlation: &'a str,
    pub causation: &'a str,
    pub at: DateTime<Utc>,
}

impl Tx<'_> {
    /// Adds a stream of a tenant. Before its first event: events refer to it.
    pub fn add_stream(
        &mut self,
        id: StreamId,
        tenant: Option<&str>,
        at: DateTime<Utc>,
    ) -> Result<Place, Error> {
        let name = id.to_string();
        let row = vec![
            must("id", self.stream_key((Table::Streams, "id"), id, &name)),
            must("type", Bound::Text(Some(STREAM_TYPE))),
            must("version", Bound::Big(Some(1))),
            may("timestamp", Bound::At(Some(at))),
            may("created", Bound::At(Some(at))),
            may("tenant_id", Bound::Text(tenant)),
            must("is_archived", Bound::Flag(false)),
        ];
        self.insert(Table::Streams, &[row])
    }

    /// Advances a tenant's stream by one, if it is still at `version`. No row if it is not.
    pub fn advance_stream(
        &mut self,
        (id, tenant): (StreamId, Option<&str>),
        version: i64,
        snapshot: Option<&Value>,
        at: DateTime<Utc>,
    ) -> Result<Place, Error> {
        let name = id.to_string();
        let mut key = vec![
            must("id", self.stream_key((Table::Streams, "id"), id, &name)),
            must("version", Bound::Big(Some(version))),
            must("is_archived", Bound::Flag(false)),
        ];
        if tenant.is_some() && self.layout.has_column(Table::Streams, "tenant_id") {
            key.push(must("tenant_id", Bound::Text(tenant)));
        }
        let mut changes = vec![
            must("version", Bound::Big(Some(version + 1))),
            may("timestamp", Bound::At(Some(at))),
        ];
        if let Some(state) = snapshot {
            changes.push(may("snapshot", Bound::Json(Some(state))));
            changes.push(may("snapshot_version", Bound::Big(Some(version + 1))));
        }
        self.update(Table::Streams, &key, &changes)
    }

    /// Appends an event, at once. Last in the transaction: a number that is drawn and rolled back is a gap, at
    /// which Marten waits.
    pub async fn append(
        &mut self,
        event: &NewStored<'_>,
        number: Number,
    ) -> Result<Option<Value>, Error> {
        let number = match number {
            Number::Next => Bound::Next(self.layout.event_numbers()),
            Number::Placeholder(number) => Bound::Big(Some(number)),
        };
        let name = event.stream.to_string();
        let row = vec![
            must("seq_id", number),
            must("id", Bound::Id(Some(event.id.0))),
            must("stream_id", self.stream_key((Table::Events, "stream_id"), event.stream, &name)),
            must("version", Bound::Big(Some(event.version))),
            must("data", Bound::Json(Some(event.body))),
            must("type", Bound::Text(Some(event.kind.alias()))),
            must("timestamp", Bound::At(Some(event.at))),
            may("tenant_id", Bound::Text(event.tenant)),
            may("mt_dotnet_type", Bound::Text(event.dotnet_type)),
            may("correlation_id", Bound::Text(Some(event.correlation))),
            may("causation_id", Bound::Text(Some(event.causation))),
            may("headers", Bound::Json(Some(event.headers))),
            must("is_archived", Bound::Flag(false)),
        ];
        let place = self.insert(Table::Events, &[row])?;
        Ok(self.send().await?.next(place))
    }

    /// A stream's name in a column, which is text where the store is configured so.
    fn stream_key<'a>(
        &self,
        (table, column): (Table, &str),
        id: StreamId,
        name: &'a str,
    ) -> Bound<'a> {
        match self.layout.column_type(table, column) {
            Some("uuid") => Bound::Id(Some(id.0)),
            _ => Bound::Text(Some(name)),
        }
    }

    /// Writes an order's summary document.
    pub fn put_summary(
        &mut self,
        id: OrderId,
        document: &Value,
        version: i64,
        at: DateTime<Utc>,
    ) -> Result<Place, Error> {
        let version = match self.layout.column_type(Table::Summaries, "mt_version") {
            Some("uuid") => Bound::Id(Some(Uuid::new_v4())),
            _ => Bound::Big(Some(version)),
        };
        let changes = vec![
            must("data", Bound::Json(Some(document))),
            may("mt_last_modified", Bound::At(Some(at))),
            may("mt_dotnet_type", Bound::Text(Some(SUMMARY_TYPE))),
            may("mt_version", version),
        ];
        self.put(Table::Summaries, must("id", Bound::Id(Some(id.0))), changes)
    }
}

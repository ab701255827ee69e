//! Streams, events and summary documents, as Marten keeps them.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, Postgres, QueryBuilder};
use uuid::Uuid;

use super::{Bound, Place, Tx, may, must};
use crate::{
    db::{Error, Layout, Table},
    domain::{
        event::EventKind,
        id::{EventId, OrderId, StreamId},
    },
};

/// `mt_streams.type` of an order's stream.
const STREAM_TYPE: &str = "order_summary";
const TENANT: &str = "*DEFAULT*";
const SUMMARY_TYPE: &str = "BookWorm.Ordering.Domain.Projections.OrderSummaryView";
/// The newest events that are looked at for their style.
const LOOKED_AT: i64 = 50;

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
    pub body: &'a Value,
    pub headers: &'a Value,
    pub correlation: &'a str,
    pub causation: &'a str,
    pub at: DateTime<Utc>,
}

impl Tx<'_> {
    /// Adds a stream. Before its first event: events refer to it.
    pub fn add_stream(&mut self, id: StreamId, at: DateTime<Utc>) -> Result<Place, Error> {
        let row = vec![
            must("id", Bound::Id(Some(id.0))),
            must("type", Bound::Text(Some(STREAM_TYPE))),
            must("version", Bound::Big(Some(1))),
            may("timestamp", Bound::At(Some(at))),
            may("created", Bound::At(Some(at))),
            may("tenant_id", Bound::Text(Some(TENANT))),
            must("is_archived", Bound::Flag(false)),
        ];
        self.insert(Table::Streams, &[row])
    }

    /// Advances a stream by one, if it is still at `version`. No row if it is not.
    pub fn advance_stream(
        &mut self,
        id: StreamId,
        version: i64,
        snapshot: Option<&Value>,
        at: DateTime<Utc>,
    ) -> Result<Place, Error> {
        let key = [
            must("id", Bound::Id(Some(id.0))),
            must("version", Bound::Big(Some(version))),
            must("is_archived", Bound::Flag(false)),
        ];
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
        let row = vec![
            must("seq_id", number),
            must("id", Bound::Id(Some(event.id.0))),
            must("stream_id", Bound::Id(Some(event.stream.0))),
            must("version", Bound::Big(Some(event.version))),
            must("data", Bound::Json(Some(event.body))),
            must("type", Bound::Text(Some(event.kind.alias()))),
            must("timestamp", Bound::At(Some(event.at))),
            may("tenant_id", Bound::Text(Some(TENANT))),
            may("mt_dotnet_type", Bound::Text(Some(event.kind.dotnet_type()))),
            may("correlation_id", Bound::Text(Some(event.correlation))),
            may("causation_id", Bound::Text(Some(event.causation))),
            may("headers", Bound::Json(Some(event.headers))),
            must("is_archived", Bound::Flag(false)),
        ];
        let place = self.insert(Table::Events, &[row])?;
        Ok(self.send().await?.next(place))
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

/// Whether the newest event of an order is in the order's own stream; none where no recent event names one.
pub async fn newest_style(conn: &mut PgConnection, layout: &Layout) -> Result<Option<bool>, Error> {
    let mut sql = QueryBuilder::<Postgres>::new("");
    push_newest_style(&mut sql, layout);
    Ok(sql.build_query_scalar().fetch_optional(conn).await?)
}

pub(super) fn push_newest_style(sql: &mut QueryBuilder<Postgres>, layout: &Layout) {
    sql.push(format!(
        "SELECT own FROM (SELECT seq_id, stream_id::text = \
         lower(coalesce(data -> 'Order' ->> 'Id', data -> 'order' ->> 'id')) AS own \
         FROM {} e ORDER BY seq_id DESC LIMIT {LOOKED_AT}) newest \
         WHERE own IS NOT NULL ORDER BY seq_id DESC LIMIT 1",
        layout.from(Table::Events)
    ));
}

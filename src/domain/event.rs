//! Events as Marten stores them, and what they mean for an order.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::id::{EventId, SeqId, StreamId, Version};

/// A row of `mt_events`, columns that some layouts lack being `None`.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedEvent {
    pub seq: SeqId,
    pub id: EventId,
    pub stream: Option<StreamId>,
    /// Position inside its own stream; the position in the order's history is the `Timeline`'s.
    pub version: Version,
    /// Marten's alias: `order_placed_event`.
    pub kind: String,
    /// Stored time. Not monotonic, and the column's default is frozen: never order by it.
    pub at: DateTime<Utc>,
    pub dotnet_type: Option<String>,
    pub correlation_id: Option<String>,
    pub causation_id: Option<String>,
    pub headers: Option<Value>,
    pub archived: bool,
    /// `mt_events.data`. Always valid JSON, not always of a shape we know.
    pub body: Value,
    /// `bdata` is filled (Marten 9 binary bodies): `body` is only a placeholder.
    pub binary: bool,
}

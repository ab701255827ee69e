//! Events as Marten stores them, and what they mean for an order.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{
    id::{EventId, SeqId, StreamId, Version},
    order::Order,
};

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

impl RecordedEvent {
    /// Whether the stored time is the value frozen into the document's column default: the moment its
    /// table was created, which says nothing about the event.
    #[must_use]
    pub fn has_frozen_time(&self) -> bool {
        // '2025-09-28 17:03:19.743016+00' in microseconds.
        self.at.timestamp_micros() == 1_759_078_999_743_016
    }
}

/// What a stored event means for an order.
#[derive(Debug, Clone, PartialEq)]
pub enum OrderEvent {
    Placed(Order),
    Completed(Order),
    Cancelled(Order, Option<String>),
    /// An alias that no rule here knows; shown raw.
    Unknown,
    /// A known alias whose body cannot be understood, and why.
    Unreadable(String),
}

/// Marten's aliases of the three events.
pub const PLACED: &str = "order_placed_event";
pub const COMPLETED: &str = "order_completed_event";
pub const CANCELLED: &str = "order_cancelled_event";

/// The alias as people read it: `order_placed_event` is `OrderPlaced`.
#[must_use]
pub fn title(kind: &str) -> String {
    let words = kind.strip_suffix("_event").unwrap_or(kind).split('_');
    let capital = |word: &str| {
        let mut chars = word.chars();
        chars.next().map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
    };
    words.map(capital).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_read_well() {
        assert_eq!(title(PLACED), "OrderPlaced");
        assert_eq!(title("tombstone"), "Tombstone");
        assert_eq!(title(""), "");
    }

    #[test]
    fn the_frozen_default_is_known() {
        let frozen: DateTime<Utc> = "2025-09-28T17:03:19.743016Z".parse().unwrap();
        assert_eq!(frozen.timestamp_micros(), 1_759_078_999_743_016);
    }
}

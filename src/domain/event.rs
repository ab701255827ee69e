//! Events as Marten stores them, and what they mean for an order.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::Value;

use super::id::{BuyerId, EventId, OrderId, SeqId, StreamId, Version};
use super::order::{Buyer, Line, Order, Status};

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
    /// None where the table has no such column; `*DEFAULT*` in a store without tenants.
    pub tenant: Option<String>,
    pub correlation_id: Option<String>,
    pub causation_id: Option<String>,
    pub headers: Option<Value>,
    pub archived: bool,
    /// `mt_events.data`. Always valid JSON, not always of a shape we know.
    pub body: Value,
    /// Why `data` could not be read; `body` is null then.
    pub unread: Option<String>,
    /// `bdata` is filled (Marten 9 binary bodies): `body` is only a placeholder.
    pub binary: bool,
}

/// The three events of an order, with all their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    Placed,
    Completed,
    Cancelled,
}

impl EventKind {
    pub const ALL: [Self; 3] = [Self::Placed, Self::Completed, Self::Cancelled];

    /// As `mt_events.type` has it.
    #[must_use]
    pub const fn alias(self) -> &'static str {
        match self {
            Self::Placed => "order_placed_event",
            Self::Completed => "order_completed_event",
            Self::Cancelled => "order_cancelled_event",
        }
    }

    /// As `mt_events.mt_dotnet_type` has it.
    #[must_use]
    pub const fn dotnet_type(self) -> &'static str {
        match self {
            Self::Placed => "BookWorm.Ordering.Domain.Events.OrderPlacedEvent, BookWorm.Ordering",
            Self::Completed => {
                "BookWorm.Ordering.Domain.Events.OrderCompletedEvent, BookWorm.Ordering"
            }
            Self::Cancelled => {
                "BookWorm.Ordering.Domain.Events.OrderCancelledEvent, BookWorm.Ordering"
            }
        }
    }

    /// For people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Placed => "OrderPlaced",
            Self::Completed => "OrderCompleted",
            Self::Cancelled => "OrderCancelled",
        }
    }

    /// The integration event that goes out for it, as the contract is called on the wire.
    #[must_use]
    pub const fn contract(self) -> &'static str {
        match self {
            Self::Placed => "BookWorm.Contracts:UserCheckedOutIntegrationEvent",
            Self::Completed => "BookWorm.Contracts:OrderStatusChangedToCompleteIntegrationEvent",
            Self::Cancelled => "BookWorm.Contracts:OrderStatusChangedToCancelIntegrationEvent",
        }
    }

    /// The status an order has after it.
    #[must_use]
    pub const fn status(self) -> Status {
        match self {
            Self::Placed => Status::New,
            Self::Completed => Status::Completed,
            Self::Cancelled => Status::Cancelled,
        }
    }

    /// The kind behind an alias, or behind the .NET type where the alias is foreign: the order in
    /// which Marten itself resolves them.
    #[must_use]
    pub fn of(alias: &str, dotnet_type: Option<&str>) -> Option<Self> {
        let class =
            |name: &'static str| name.split(',').next().and_then(|n| n.split('.').next_back());
        let found = dotnet_type.and_then(|name| name.split(',').next()?.split('.').next_back());
        Self::ALL.into_iter().find(|kind| kind.alias() == alias).or_else(|| {
            Self::ALL.into_iter().find(|kind| found.is_some() && class(kind.dotnet_type()) == found)
        })
    }
}

/// A stored event, understood as far as it can be.
#[derive(Debug, Clone, PartialEq)]
pub enum OrderEvent {
    Placed(EventBody),
    Completed(EventBody),
    Cancelled {
        body: EventBody,
        reason: Option<String>,
    },
    /// A type we have no meaning for, by its alias.
    Unknown(String),
    /// A type we know, with a body that cannot be read.
    Unreadable {
        kind: EventKind,
        why: String,
    },
}

impl OrderEvent {
    /// The kind, where it is one we know.
    #[must_use]
    pub const fn kind(&self) -> Option<EventKind> {
        match self {
            Self::Placed(_) => Some(EventKind::Placed),
            Self::Completed(_) => Some(EventKind::Completed),
            Self::Cancelled { .. } => Some(EventKind::Cancelled),
            Self::Unreadable { kind, .. } => Some(*kind),
            Self::Unknown(_) => None,
        }
    }

    /// Its body, where that could be read.
    #[must_use]
    pub const fn body(&self) -> Option<&EventBody> {
        match self {
            Self::Placed(body) | Self::Completed(body) | Self::Cancelled { body, .. } => Some(body),
            Self::Unknown(_) | Self::Unreadable { .. } => None,
        }
    }

    /// `OrderPlaced`, or the alias of an unknown type.
    #[must_use]
    pub fn title(&self) -> &str {
        match self {
            Self::Unknown(alias) => alias,
            known => known.kind().map_or("", EventKind::title),
        }
    }
}

/// What an event's body says.
#[derive(Debug, Clone, PartialEq)]
pub struct EventBody {
    pub order: OrderImage,
    /// `DateOccurred`: the application's clock, where it is there.
    pub occurred_at: Option<DateTime<Utc>>,
    /// What the body says that could not be read or does not fit; the rest is used.
    pub doubts: Vec<String>,
}

/// The order as one event carries it: a body may leave anything out but the id.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderImage {
    pub id: OrderId,
    pub status: Option<Status>,
    pub note: FieldPatch<String>,
    pub buyer_id: Option<BuyerId>,
    /// The service mostly writes null here, which means "not loaded", not "none".
    pub buyer: Option<Buyer>,
    pub lines: Option<Vec<Line>>,
    pub total: Option<Decimal>,
    pub is_deleted: Option<bool>,
    pub created_at: FieldPatch<DateTime<Utc>>,
    pub last_modified_at: FieldPatch<DateTime<Utc>>,
}

/// A value that a body states, states to be null, or leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FieldPatch<T> {
    #[default]
    Nothing,
    Null,
    Value(T),
}

impl<T: Clone> FieldPatch<T> {
    /// Replaces the known value by the stated one.
    pub fn overlay(&self, known: &mut Option<T>) {
        match self {
            Self::Nothing => {}
            Self::Null => *known = None,
            Self::Value(value) => *known = Some(value.clone()),
        }
    }
}

/// An event about to be written: what happened, and the order as it is after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    pub kind: EventKind,
    pub order: Order,
    pub occurred_at: DateTime<Utc>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alias_decides_and_the_type_helps_out() {
        for kind in EventKind::ALL {
            assert_eq!(EventKind::of(kind.alias(), None), Some(kind));
            assert_eq!(EventKind::of("renamed", Some(kind.dotnet_type())), Some(kind));
        }
        let placed = Some(EventKind::Placed.dotnet_type());
        assert_eq!(EventKind::of("order_completed_event", placed), Some(EventKind::Completed));
        assert_eq!(EventKind::of("order_refunded_event", Some("A.OrderRefundedEvent, A")), None);
        assert_eq!(EventKind::of("tombstone", None), None);
    }
}

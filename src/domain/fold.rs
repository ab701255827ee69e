//! Event after event to a state: the only place that knows what an event does to an order.

use super::{
    body,
    event::{OrderEvent, RecordedEvent},
    id::Version,
    order::{Order, Status},
};

/// An order as its events tell it, and how far that can be trusted.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct State {
    /// None before the first event that could be understood.
    pub order: Option<Order>,
    /// The first event that could not be understood; from there on the state may be wrong.
    pub uncertain: Option<Doubt>,
}

/// Why a state may be wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    pub version: Version,
    pub why: String,
}

/// The state after one more event. `version` is the event's place in the order's history.
#[must_use]
pub fn fold(mut state: State, event: &RecordedEvent, version: Version) -> State {
    match body::read(event) {
        OrderEvent::Placed(order) => state.order = Some(taken(order, state.order, None, None)),
        OrderEvent::Completed(order) => {
            state.order = Some(taken(order, state.order, Some(Status::Completed), None));
        }
        OrderEvent::Cancelled(order, reason) => {
            state.order = Some(taken(order, state.order, Some(Status::Cancelled), reason));
        }
        // Marten's own markers change no order.
        OrderEvent::Unknown if matches!(event.kind.as_str(), "tombstone" | "archived") => {}
        OrderEvent::Unknown => {
            let why = format!("{} is no event this program knows", event.kind);
            state.uncertain.get_or_insert(Doubt { version, why });
        }
        OrderEvent::Unreadable(why) => {
            state.uncertain.get_or_insert(Doubt { version, why });
        }
    }
    state
}

/// Every event carries the whole order, so the newest body wins. What it leaves out stays as it was:
/// lines never change after placing, and completing does not forget a buyer's name.
fn taken(
    mut order: Order,
    before: Option<Order>,
    status: Option<Status>,
    reason: Option<String>,
) -> Order {
    if let Some(before) = before {
        if order.lines.is_empty() {
            order.lines = before.lines;
            if order.total.is_zero() {
                order.total = before.total;
            }
        }
        order.note = order.note.or(before.note);
        order.buyer_id = order.buyer_id.or(before.buyer_id);
        order.buyer = order.buyer.or(before.buyer);
        order.created_at = order.created_at.or(before.created_at);
        order.last_modified_at = order.last_modified_at.or(before.last_modified_at);
        order.cancel_reason = before.cancel_reason;
    }
    order.status = status.unwrap_or(order.status);
    order.cancel_reason = reason.or(order.cancel_reason);
    order
}

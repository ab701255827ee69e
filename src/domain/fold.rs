//! An order's state from its events. Never fails: uncertainty is part of the state.

use std::sync::Arc;

use super::body::meaning;
use super::event::{EventKind, OrderEvent, OrderImage, RecordedEvent};
use super::id::{OrderId, Version};
use super::money;
use super::order::{Order, Status};

/// Marten's own events in a stream; they change nothing about the order.
const BOOKKEEPING: [&str; 2] = ["tombstone", "archived"];

/// Since which version the state is uncertain, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    pub version: Version,
    pub why: String,
}

/// The state after a part of a history.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State {
    /// None before the first event that could be read.
    pub order: Option<Arc<Order>>,
    /// The first event that was not fully understood. What follows may be right all the same.
    pub uncertain: Option<Doubt>,
}

impl State {
    /// The order, if there is one.
    #[must_use]
    pub fn order(&self) -> Option<&Order> {
        self.order.as_deref()
    }

    /// The state after one more event of the history of `order`.
    #[must_use]
    pub fn after(&self, version: Version, order: OrderId, event: &OrderEvent) -> Self {
        let foreign = event.body().is_some_and(|body| body.order.id != order);
        let (known, doubt) = if foreign {
            (self.order.clone(), Some("its body names another order".to_owned()))
        } else if event.body().is_none() {
            (self.order.clone(), apply(None, event).1)
        } else {
            let (known, doubt) = apply(self.order().cloned(), event);
            (known.map(Arc::new), doubt)
        };
        let doubt = doubt.map(|why| Doubt { version, why });
        Self { order: known, uncertain: self.uncertain.clone().or(doubt) }
    }
}

/// The order after a stored event, and why that is uncertain, if it is.
#[must_use]
pub fn fold(known: Option<Order>, event: &RecordedEvent) -> (Option<Order>, Option<String>) {
    apply(known, &meaning(event))
}

/// The order after an event, and why that is uncertain, if it is.
///
/// The type of the event decides the status; everything else is taken from its body, and what
/// it leaves out stays as it was. An event that cannot be understood changes nothing.
#[must_use]
pub fn apply(known: Option<Order>, event: &OrderEvent) -> (Option<Order>, Option<String>) {
    let (kind, body, reason) = match event {
        OrderEvent::Unknown(alias) if BOOKKEEPING.contains(&alias.as_str()) => {
            return (known, None);
        }
        OrderEvent::Unknown(alias) => {
            return (known, Some(format!("the type {alias} is unknown")));
        }
        OrderEvent::Unreadable { why, .. } => return (known, Some(why.clone())),
        OrderEvent::Placed(body) => (EventKind::Placed, body, None),
        OrderEvent::Completed(body) => (EventKind::Completed, body, None),
        OrderEvent::Cancelled { body, reason } => (EventKind::Cancelled, body, reason.clone()),
    };
    let mut doubts = body.doubts.clone();
    if let Some(known) = &known
        && known.id != body.order.id
    {
        return (Some(known.clone()), Some("its body names another order".to_owned()));
    }
    match (kind, &known) {
        (EventKind::Placed, Some(_)) => doubts.push("it was placed before".to_owned()),
        (EventKind::Completed | EventKind::Cancelled, None) => {
            doubts.push("no placing event comes before it".to_owned());
        }
        _ => {}
    }
    let mut order = overlay(known, &body.order);
    order.status = kind.status();
    order.cancel_reason = reason;
    (Some(order), (!doubts.is_empty()).then(|| doubts.join("; ")))
}

/// What was known, with everything the image states in its place.
pub(super) fn overlay(known: Option<Order>, image: &OrderImage) -> Order {
    let mut order = known.unwrap_or_else(|| Order::empty(image.id));
    if let Some(status) = image.status {
        order.status = status;
    }
    image.note.overlay(&mut order.note);
    order.buyer_id = image.buyer_id.or(order.buyer_id);
    if let Some(buyer) = &image.buyer {
        order.buyer = Some(buyer.clone());
    }
    if let Some(lines) = &image.lines {
        order.lines.clone_from(lines);
        if let Some(total) = money::total(lines) {
            order.total = total;
        }
    }
    if let Some(total) = image.total {
        order.total = total;
    }
    order.is_deleted = image.is_deleted.unwrap_or(order.is_deleted);
    image.created_at.overlay(&mut order.created_at);
    image.last_modified_at.overlay(&mut order.last_modified_at);
    order
}

/// The state an order is decided on: its events, with the facts of the row that no event carries.
#[must_use]
pub fn with_row_facts(mut order: Order, row: &Order) -> Order {
    order.is_deleted = row.is_deleted;
    order.buyer.clone_from(&row.buyer);
    order
}

impl Order {
    /// An order of which only the id is known.
    #[must_use]
    pub fn empty(id: OrderId) -> Self {
        Self {
            id,
            status: Status::New,
            note: None,
            buyer_id: None,
            buyer: None,
            lines: Vec::new(),
            total: rust_decimal::Decimal::ZERO,
            is_deleted: false,
            created_at: None,
            last_modified_at: None,
            cancel_reason: None,
            unread: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::samples::{event, order, written};

    #[test]
    fn each_event_gives_the_status_it_stands_for() {
        let mut placed = order();
        placed.status = Status::New;
        let (state, doubt) = fold(None, &written(1, EventKind::Placed, &placed));
        assert_eq!((state.as_ref(), doubt), (Some(&placed), None));
        let mut cancelled = placed.clone();
        cancelled.status = Status::Cancelled;
        cancelled.cancel_reason = Some("changed my mind".to_owned());
        let (state, doubt) = fold(state, &written(2, EventKind::Cancelled, &cancelled));
        assert_eq!((state, doubt), (Some(cancelled), None));
    }

    #[test]
    fn what_a_body_leaves_out_stays() {
        let known = order();
        let body = json!({"order": {"id": known.id, "note": null, "buyer": null}});
        let (state, doubt) = fold(Some(known.clone()), &event(2, "order_completed_event", body));
        let mut expected = known;
        expected.status = Status::Completed;
        expected.note = None;
        expected.cancel_reason = None;
        assert_eq!((state, doubt), (Some(expected), None));
    }

    #[test]
    fn the_first_event_not_understood_is_remembered() {
        let order = order();
        let events = [
            written(1, EventKind::Placed, &order),
            event(2, "archived", json!({"Reason": "old"})),
            event(3, "order_gift_wrapped_event", json!({"Paper": "red"})),
            event(4, "order_completed_event", json!({"Order": "??"})),
            written(5, EventKind::Completed, &order),
        ];
        let mut state = State::default();
        let mut doubts = Vec::new();
        for (at, event) in (1..).zip(&events) {
            state = state.after(Version(at), order.id, &meaning(event));
            doubts.push(state.uncertain.clone().map(|doubt| doubt.version.0));
        }
        assert_eq!(doubts, [None, None, Some(3), Some(3), Some(3)]);
        assert!(state.uncertain.unwrap().why.contains("order_gift_wrapped_event"));
        assert_eq!(state.order.unwrap().status, Status::Completed);
    }

    #[test]
    fn a_history_without_its_beginning_or_of_another_order_is_uncertain() {
        let (_, doubt) = fold(None, &written(1, EventKind::Completed, &order()));
        assert!(doubt.unwrap().contains("no placing event"));
        let mut other = order();
        other.id = OrderId(uuid::Uuid::from_u128(99));
        let state = State::default().after(
            Version(1),
            order().id,
            &meaning(&written(1, EventKind::Placed, &other)),
        );
        assert!(state.order.is_none() && state.uncertain.unwrap().why.contains("another order"));
    }

    #[test]
    fn the_row_adds_what_no_event_carries() {
        let mut row = order();
        row.is_deleted = true;
        row.buyer = None;
        row.status = Status::Cancelled;
        let decided = with_row_facts(order(), &row);
        assert!(decided.is_deleted && decided.buyer.is_none());
        assert_eq!(decided.status, order().status);
    }
}

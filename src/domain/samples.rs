//! Orders, events and histories for the domain's tests.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use uuid::Uuid;

use super::body::body;
use super::event::{EventKind, NewEvent, RecordedEvent};
use super::fold::State;
use super::id::{BookId, BuyerId, EventId, LineId, OrderId, SeqId, StreamId, Version};
use super::order::{Buyer, Line, Order, Status};

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub fn line(id: u128, quantity: i64, price: &str) -> Line {
    Line {
        id: LineId(Uuid::from_u128(id)),
        book: BookId(Uuid::from_u128(id + 1000)),
        quantity,
        price: price.parse().unwrap(),
    }
}

/// A new order of two lines.
pub fn order() -> Order {
    Order {
        id: OrderId(Uuid::from_u128(0x0199_a3f2_7c1e_7b40_9d2a_5e0c_4b1f_8c41)),
        status: Status::New,
        note: Some("leave at the door".to_owned()),
        buyer_id: Some(BuyerId(Uuid::from_u128(7))),
        buyer: Some(Buyer {
            name: Some("Le Thi".to_owned()),
            street: Some("8 Book Lane".to_owned()),
            city: Some("Hue".to_owned()),
            province: None,
        }),
        lines: vec![line(1, 2, "14.20"), line(2, 1, "33.00")],
        total: "61.40".parse().unwrap(),
        is_deleted: false,
        created_at: Some(at("2026-11-22T09:12:04.1234567Z")),
        last_modified_at: None,
        cancel_reason: None,
        unread: None,
    }
}

pub fn state() -> State {
    State { order: Some(Arc::new(order())), uncertain: None }
}

/// A stored event at that position, a minute after the one before it.
pub fn event(position: i64, kind: &str, body: Value) -> RecordedEvent {
    RecordedEvent {
        seq: SeqId(400 + position * 3),
        id: EventId(Uuid::from_u128(position.unsigned_abs().into())),
        stream: Some(StreamId(order().id.0)),
        version: Version(position),
        kind: kind.to_owned(),
        at: at("2026-11-22T09:12:04Z") + TimeDelta::minutes(position - 1),
        dotnet_type: None,
        tenant: None,
        correlation_id: None,
        causation_id: None,
        headers: None,
        archived: false,
        body,
        binary: false,
        unread: None,
    }
}

/// An event as we write it, that leaves the order as given but for its status.
pub fn written(position: i64, kind: EventKind, order: &Order) -> RecordedEvent {
    let mut order = order.clone();
    order.status = kind.status();
    let occurred_at = at("2026-11-22T09:12:04Z") + TimeDelta::minutes(position - 1);
    event(position, kind.alias(), body(&NewEvent { kind, order, occurred_at }))
}

pub fn any_time() -> impl Strategy<Value = DateTime<Utc>> {
    // Steps of 100 ns, which is what .NET and therefore bodies keep.
    (0i64..4_000_000_000, 0u32..10_000_000)
        .prop_map(|(seconds, ticks)| DateTime::from_timestamp(seconds, ticks * 100).unwrap())
}

pub fn any_price() -> impl Strategy<Value = Decimal> {
    (0i64..10_000_000, 0u32..5).prop_map(|(digits, scale)| Decimal::new(digits, scale))
}

fn any_lines() -> impl Strategy<Value = Vec<Line>> {
    let line = (1i64..100, any_price(), 1u128..1000);
    proptest::collection::btree_map(1u128..50, line, 0..5).prop_map(|lines| {
        lines
            .into_iter()
            .map(|(id, (quantity, price, book))| Line {
                id: LineId(Uuid::from_u128(id)),
                book: BookId(Uuid::from_u128(book)),
                quantity,
                price,
            })
            .collect()
    })
}

pub fn any_buyer() -> impl Strategy<Value = Buyer> {
    let text = || proptest::option::of("\\PC{1,8}");
    (text(), text(), text(), text()).prop_map(|(name, street, city, province)| Buyer {
        name,
        street,
        city,
        province,
    })
}

/// Any order of the id that `order()` has, whether or not a service would write it.
pub fn any_order() -> impl Strategy<Value = Order> {
    let status = prop_oneof![
        Just(Status::New),
        Just(Status::Cancelled),
        Just(Status::Completed),
        (3i16..50).prop_map(Status::Other),
    ];
    let texts = (proptest::option::of(any::<String>()), proptest::option::of("\\PC{1,8}"));
    let buyer = (proptest::option::of(1u128..5), proptest::option::of(any_buyer()));
    let times = (proptest::option::of(any_time()), proptest::option::of(any_time()));
    (status, texts, buyer, any_lines(), any_price(), any::<bool>(), times).prop_map(
        |(status, (note, cancel_reason), (buyer_id, buyer), lines, total, is_deleted, times)| {
            Order {
                id: order().id,
                status,
                note,
                buyer_id: buyer_id.map(|id| BuyerId(Uuid::from_u128(id))),
                buyer,
                lines,
                total,
                is_deleted,
                created_at: times.0,
                last_modified_at: times.1,
                cancel_reason,
                unread: None,
            }
        },
    )
}

/// Histories of `order()`: readable events, unknown types, broken bodies, any stored times.
pub fn any_history(most: usize) -> impl Strategy<Value = Vec<RecordedEvent>> {
    let kind = proptest::sample::select(EventKind::ALL.to_vec());
    let one = prop_oneof![
        6 => (kind, any_order()).prop_map(|(kind, order)| written(1, kind, &order)),
        2 => Just(event(1, "order_gift_wrapped_event", json!({"Paper": "red"}))),
        1 => Just(event(1, "order_completed_event", json!({"Order": {"Id": "?"}}))),
        1 => Just(event(1, "tombstone", json!({}))),
    ];
    let time = prop_oneof![4 => any_time(), 1 => Just(super::timeline::frozen_default())];
    proptest::collection::vec((one, time), 0..most).prop_map(|events| {
        (1..)
            .zip(events)
            .map(|(position, (event, at))| RecordedEvent {
                seq: SeqId(position * 2),
                version: Version(position),
                at,
                ..event
            })
            .collect()
    })
}

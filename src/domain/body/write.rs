//! Writes event bodies in the one shape we write (the service's own, without what it adds by
//! accident).

use chrono::{DateTime, Datelike, SecondsFormat, Timelike, Utc};
use rust_decimal::Decimal;
use serde_json::{Map, Number, Value, json};

use crate::domain::{
    event::{EventKind, NewEvent},
    order::{Order, Status},
};

/// The body of an event about to be written.
#[must_use]
pub fn body(event: &NewEvent) -> Value {
    let mut body = json!({
        "Order": order_json(&event.order),
        "DateOccurred": instant(event.occurred_at),
    });
    if let (EventKind::Cancelled, Value::Object(body)) = (event.kind, &mut body) {
        body.insert("Reason".to_owned(), json!(event.order.cancel_reason));
    }
    body
}

/// The `Order` object of a body. The reason of a cancellation is not in it.
#[must_use]
pub fn order_json(order: &Order) -> Value {
    let buyer = order.buyer.as_ref().map(|buyer| {
        json!({
            "Id": order.buyer_id,
            "Name": buyer.name,
            "Address": {
                "Street": buyer.street,
                "City": buyer.city,
                "Province": buyer.province,
            },
        })
    });
    let items: Vec<Value> = order
        .lines
        .iter()
        .map(|line| {
            json!({
                "Id": line.id,
                "BookId": line.book,
                "Quantity": line.quantity,
                "Price": number(line.price),
                "OrderId": order.id,
            })
        })
        .collect();
    let fields = [
        ("Id", json!(order.id)),
        ("Status", status(order.status)),
        ("Note", json!(order.note)),
        ("BuyerId", json!(order.buyer_id)),
        ("Buyer", json!(buyer)),
        ("OrderItems", Value::Array(items)),
        ("TotalPrice", number(order.total)),
        ("IsDeleted", json!(order.is_deleted)),
        // Not nullable for the service: the year 1 is its "never set".
        ("CreatedAt", order.created_at.map_or_else(|| json!("0001-01-01T00:00:00"), instant)),
        ("LastModifiedAt", order.last_modified_at.map_or(Value::Null, instant)),
    ];
    Value::Object(
        fields.map(|(key, value)| (key.to_owned(), value)).into_iter().collect::<Map<_, _>>(),
    )
}

/// The order summary document: `{"Id", "Status", "TotalPrice"}`.
#[must_use]
pub fn summary_json(order: &Order) -> Value {
    json!({
        "Id": order.id,
        "Status": status(order.status),
        "TotalPrice": number(order.total),
    })
}

fn status(status: Status) -> Value {
    match status.name() {
        Some(name) => json!(name),
        None => json!(status.number()),
    }
}

/// A JSON number with every decimal place the amount has (`96.40`).
fn number(amount: Decimal) -> Value {
    let digits = amount.to_string();
    digits.parse::<Number>().map_or(Value::String(digits), Value::Number)
}

/// As .NET writes it: up to seven decimals, none at the end that are zero.
pub(in crate::domain) fn instant(at: DateTime<Utc>) -> Value {
    // What .NET has for `infinity` and `-infinity`, and the nearest it has to other years.
    if at.year() > 9_999 {
        return json!("9999-12-31T23:59:59.9999999Z");
    }
    if at.year() < 1 {
        return json!("0001-01-01T00:00:00");
    }
    let whole = at.with_nanosecond(0).unwrap_or(at).to_rfc3339_opts(SecondsFormat::Secs, true);
    let ticks = format!("{:07}", at.nanosecond() % 1_000_000_000 / 100);
    let fraction = ticks.trim_end_matches('0');
    if fraction.is_empty() {
        return Value::String(whole);
    }
    Value::String(format!("{}.{fraction}Z", whole.trim_end_matches('Z')))
}

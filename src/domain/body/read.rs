//! Reads an event body of any of the shapes met in the field.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::scalar;
use crate::domain::{
    event::{EventBody, EventKind, FieldPatch, OrderEvent, OrderImage, RecordedEvent},
    id::{BookId, BuyerId, LineId, OrderId},
    json::{field, field_of},
    order::{Buyer, Line, Status},
};

/// What a stored event means. Never fails: an event that is not understood is a value as well.
#[must_use]
pub fn meaning(event: &RecordedEvent) -> OrderEvent {
    let Some(kind) = EventKind::of(&event.kind, event.dotnet_type.as_deref()) else {
        return OrderEvent::Unknown(event.kind.clone());
    };
    if event.binary {
        let why = "the body is in the binary column, which only the service can read".to_owned();
        return OrderEvent::Unreadable { kind, why };
    }
    if let Some(why) = &event.unread {
        return OrderEvent::Unreadable { kind, why: why.clone() };
    }
    let (order, body) = match order_of(&event.body) {
        Ok(found) => found,
        Err(why) => return OrderEvent::Unreadable { kind, why: why.to_owned() },
    };
    let mut doubts = Vec::new();
    let image = match image(order, &mut doubts) {
        Ok(image) => image,
        Err(why) => return OrderEvent::Unreadable { kind, why: why.to_owned() },
    };
    if let Some(status) = image.status.filter(|status| *status != kind.status()) {
        doubts.push(format!("{} carries an order that is {status}", kind.title()));
    }
    let occurred_at = match read_time(body, "DateOccurred", &mut doubts) {
        FieldPatch::Value(at) => Some(at),
        FieldPatch::Null | FieldPatch::Nothing => None,
    };
    let reason = field(body, "Reason").and_then(scalar::text).filter(|text| !text.is_empty());
    let content = EventBody { order: image, occurred_at, doubts };
    match kind {
        EventKind::Placed => OrderEvent::Placed(content),
        EventKind::Completed => OrderEvent::Completed(content),
        EventKind::Cancelled => OrderEvent::Cancelled { body: content, reason },
    }
}

/// Status and total of an order summary document, each where it can be read.
pub(in crate::domain) fn summary_fields(data: &Value) -> (Option<Status>, Option<Decimal>) {
    let status = field_of(data, "Status").and_then(scalar::status);
    (status, field_of(data, "TotalPrice").and_then(scalar::decimal))
}

type Object = Map<String, Value>;

fn order_of(body: &Value) -> Result<(&Object, &Object), &'static str> {
    let body = body.as_object().ok_or("the body is not an object")?;
    let order = field(body, "Order").ok_or("the body has no Order")?;
    let order = order.as_object().ok_or("the body's Order is not an object")?;
    Ok((order, body))
}

/// Reads an `Order` object. What cannot be read is left out and named in `doubts`; an order
/// without an id is refused.
pub(in crate::domain) fn image(
    order: &Object,
    doubts: &mut Vec<String>,
) -> Result<OrderImage, &'static str> {
    let id = field(order, "Id").and_then(scalar::uuid).ok_or("its Order has no readable Id")?;
    let buyer = field(order, "Buyer").and_then(Value::as_object);
    let buyer_id = read(order, "BuyerId", "an id", scalar::uuid, doubts)
        .or_else(|| buyer.and_then(|buyer| field(buyer, "Id")).and_then(scalar::uuid))
        .filter(|id| !id.is_nil());
    Ok(OrderImage {
        id: OrderId(id),
        status: read(order, "Status", "a status", scalar::status, doubts),
        note: said(order, "Note", "a text", scalar::text, doubts),
        buyer_id: buyer_id.map(BuyerId),
        buyer: buyer.map(read_buyer),
        lines: read_lines(order, doubts),
        total: read(order, "TotalPrice", "a number", scalar::decimal, doubts),
        is_deleted: read(order, "IsDeleted", "true or false", scalar::flag, doubts),
        created_at: read_time(order, "CreatedAt", doubts),
        last_modified_at: read_time(order, "LastModifiedAt", doubts),
    })
}

fn said<T>(
    object: &Object,
    key: &str,
    kind: &str,
    read: fn(&Value) -> Option<T>,
    doubts: &mut Vec<String>,
) -> FieldPatch<T> {
    match field(object, key) {
        None => FieldPatch::Nothing,
        Some(Value::Null) => FieldPatch::Null,
        Some(value) => read(value).map_or_else(
            || {
                doubts.push(format!("{key} is not {kind}"));
                FieldPatch::Nothing
            },
            FieldPatch::Value,
        ),
    }
}

fn read<T>(
    object: &Object,
    key: &str,
    kind: &str,
    read: fn(&Value) -> Option<T>,
    doubts: &mut Vec<String>,
) -> Option<T> {
    match said(object, key, kind, read, doubts) {
        FieldPatch::Value(value) => Some(value),
        FieldPatch::Null | FieldPatch::Nothing => None,
    }
}

fn read_time(object: &Object, key: &str, doubts: &mut Vec<String>) -> FieldPatch<DateTime<Utc>> {
    match said(object, key, "a time", scalar::time, doubts) {
        FieldPatch::Value(at) => at,
        FieldPatch::Null => FieldPatch::Null,
        FieldPatch::Nothing => FieldPatch::Nothing,
    }
}

fn read_buyer(buyer: &Object) -> Buyer {
    let text = |object: &Object, key| field(object, key).and_then(scalar::text);
    let address = field(buyer, "Address").and_then(Value::as_object);
    let part = |key| address.and_then(|address| text(address, key));
    Buyer {
        name: text(buyer, "Name"),
        street: part("Street"),
        city: part("City"),
        province: part("Province"),
    }
}

fn read_lines(order: &Object, doubts: &mut Vec<String>) -> Option<Vec<Line>> {
    let lines = match field(order, "OrderItems")? {
        Value::Array(lines) => lines,
        Value::Null => return None,
        _ => {
            doubts.push("OrderItems is not a list".to_owned());
            return None;
        }
    };
    let mut read: Vec<Line> = Vec::with_capacity(lines.len());
    for (place, line) in lines.iter().enumerate() {
        match read_line(line) {
            Ok(line) if read.iter().any(|known| known.id == line.id) => {
                doubts.push(format!("OrderItems[{place}] has the id of an earlier one"));
            }
            Ok(line) => read.push(line),
            Err(why) => doubts.push(format!("OrderItems[{place}]{why}")),
        }
    }
    Some(read)
}

/// The item's `Order` (null, the order again, or absent) is not looked at.
fn read_line(line: &Value) -> Result<Line, &'static str> {
    let line = line.as_object().ok_or(" is not an object")?;
    let id = |key| field(line, key).and_then(scalar::uuid);
    let id_of = |key, why| -> Result<Uuid, &'static str> { id(key).ok_or(why) };
    Ok(Line {
        id: LineId(id_of("Id", ".Id is not an id")?),
        book: BookId(id_of("BookId", ".BookId is not an id")?),
        quantity: field(line, "Quantity")
            .and_then(scalar::whole)
            .ok_or(".Quantity is not a whole number")?,
        price: field(line, "Price").and_then(scalar::decimal).ok_or(".Price is not a number")?,
    })
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

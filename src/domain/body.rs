//! Event bodies: reading them in every spelling the field has, writing them in the one we use.

use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};
use rust_decimal::Decimal;
use serde_json::{Map, Number, Value, json};
use uuid::Uuid;

use super::{
    event::{CANCELLED, COMPLETED, OrderEvent, PLACED, RecordedEvent},
    id::{BookId, BuyerId, LineId, OrderId},
    order::{Buyer, Line, Order, Status},
};

/// What an event means. Never fails: what cannot be understood is part of the answer.
#[must_use]
pub fn read(event: &RecordedEvent) -> OrderEvent {
    let make: fn(Order, Option<String>) -> OrderEvent = match event.kind.as_str() {
        PLACED => |order, _| OrderEvent::Placed(order),
        COMPLETED => |order, _| OrderEvent::Completed(order),
        CANCELLED => OrderEvent::Cancelled,
        _ => return OrderEvent::Unknown,
    };
    if event.binary {
        return OrderEvent::Unreadable("the body is in Marten's binary form (bdata)".to_owned());
    }
    let reason = field(&event.body, "Reason").and_then(Value::as_str).map(str::to_owned);
    let Some(body) = field(&event.body, "Order") else {
        return OrderEvent::Unreadable("the body has no Order".to_owned());
    };
    match order(body) {
        Ok(order) => make(order, reason),
        Err(why) => OrderEvent::Unreadable(why),
    }
}

/// The order that a body names, whatever else is in it.
#[must_use]
pub fn order_named(body: &Value) -> Option<OrderId> {
    let id = field(field(body, "Order")?, "Id")?.as_str()?;
    Uuid::parse_str(id).ok().map(OrderId)
}

/// Reads the `Order` of an event body, or a stream's snapshot.
///
/// # Errors
/// The field that cannot be read and why, in words.
pub fn order(value: &Value) -> Result<Order, String> {
    if !value.is_object() {
        return Err("Order is not an object".to_owned());
    }
    let id = uuid(value, "Id")?.ok_or("Order.Id is missing")?;
    let lines = match field(value, "OrderItems") {
        None | Some(Value::Null) => vec![],
        Some(Value::Array(items)) => {
            let read = items.iter().enumerate();
            read.map(|(at, item)| line(item).map_err(|why| format!("OrderItems[{at}]: {why}")))
                .collect::<Result<_, _>>()?
        }
        Some(_) => return Err("OrderItems is not a list".to_owned()),
    };
    let total = match decimal(value, "TotalPrice")? {
        Some(total) => total,
        None => sum(&lines),
    };
    Ok(Order {
        id: OrderId(id),
        status: status(value)?,
        note: text(value, "Note"),
        buyer_id: uuid(value, "BuyerId")?.map(BuyerId),
        buyer: field(value, "Buyer").filter(|buyer| buyer.is_object()).map(buyer),
        lines,
        total,
        is_deleted: field(value, "IsDeleted").and_then(Value::as_bool).unwrap_or(false),
        created_at: time(value, "CreatedAt")?,
        last_modified_at: time(value, "LastModifiedAt")?,
        cancel_reason: None,
    })
}

/// The sum of the lines; saturates instead of failing.
#[must_use]
pub fn sum(lines: &[Line]) -> Decimal {
    let value = |line: &Line| line.price.saturating_mul(Decimal::from(line.quantity));
    lines.iter().map(value).fold(Decimal::ZERO, Decimal::saturating_add)
}

/// The body we write: the shape Marten's serializer gives the service's own events.
#[must_use]
pub fn write(order: &Order, occurred: DateTime<Utc>, reason: Option<&str>) -> Value {
    let mut body = Map::new();
    body.insert("Order".to_owned(), write_order(order));
    body.insert("DateOccurred".to_owned(), Value::String(stamp(occurred)));
    if let Some(reason) = reason {
        body.insert("Reason".to_owned(), Value::String(reason.to_owned()));
    }
    Value::Object(body)
}

/// An order as `Order` of an event body and as a snapshot.
#[must_use]
pub fn write_order(order: &Order) -> Value {
    let lines = order.lines.iter().map(|line| {
        json!({
            "Id": line.id.0,
            "BookId": line.book.0,
            "Quantity": line.quantity,
            "Price": number(line.price),
            "OrderId": order.id.0,
        })
    });
    let buyer = order.buyer.as_ref().map(|buyer| {
        json!({
            "Id": order.buyer_id.map(|id| id.0),
            "Name": buyer.name,
            "Address": {"Street": buyer.street, "City": buyer.city, "Province": buyer.province},
        })
    });
    json!({
        "Id": order.id.0,
        "Status": status_name(order.status),
        "Note": order.note,
        "BuyerId": order.buyer_id.map(|id| id.0),
        "Buyer": buyer,
        "OrderItems": lines.collect::<Vec<_>>(),
        "TotalPrice": number(order.total),
        "IsDeleted": order.is_deleted,
        "CreatedAt": order.created_at.map(stamp),
        "LastModifiedAt": order.last_modified_at.map(stamp),
    })
}

/// How bodies and the summary view name a status.
#[must_use]
pub fn status_name(status: Status) -> String {
    match status {
        Status::New => "New".to_owned(),
        Status::Cancelled => "Cancelled".to_owned(),
        Status::Completed => "Completed".to_owned(),
        Status::Other(number) => number.to_string(),
    }
}

/// A status by name or number, as bodies and the summary view have it.
#[must_use]
pub fn status_of(value: &Value) -> Option<Status> {
    match value {
        Value::String(name) => match name.to_ascii_lowercase().as_str() {
            "new" => Some(Status::New),
            "cancelled" | "canceled" => Some(Status::Cancelled),
            "completed" => Some(Status::Completed),
            other => other.parse().ok().map(Status::from_number),
        },
        Value::Number(number) => {
            number.as_i64().and_then(|n| i16::try_from(n).ok()).map(Status::from_number)
        }
        _ => None,
    }
}

/// A key in PascalCase, camelCase or any other case.
#[must_use]
pub fn field<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let object = value.as_object()?;
    object.get(name).or_else(|| {
        object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    })
}

/// A decimal from a JSON number or string.
///
/// # Errors
/// When it is there and is no amount.
pub fn decimal(value: &Value, name: &str) -> Result<Option<Decimal>, String> {
    let wrong = |shown: &str| format!("{name} {shown:?} is not an amount");
    let text = match field(value, name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::String(text)) => text.trim().to_owned(),
        Some(other) => return Err(wrong(&other.to_string())),
    };
    let parsed = text.parse().or_else(|_| Decimal::from_scientific(&text));
    parsed.map(Some).map_err(|_| wrong(&text))
}

fn line(item: &Value) -> Result<Line, String> {
    if !item.is_object() {
        return Err("not an object".to_owned());
    }
    let quantity = decimal(item, "Quantity")?.ok_or("Quantity is missing")?;
    Ok(Line {
        id: LineId(uuid(item, "Id")?.unwrap_or_default()),
        book: BookId(uuid(item, "BookId")?.ok_or("BookId is missing")?),
        quantity: quantity.normalize().to_string().parse().map_err(|_| {
            format!("Quantity {quantity} is not a whole number")
        })?,
        price: decimal(item, "Price")?.ok_or("Price is missing")?,
    })
}

fn buyer(value: &Value) -> Buyer {
    let address = field(value, "Address").unwrap_or(&Value::Null);
    Buyer {
        name: text(value, "Name"),
        street: text(address, "Street"),
        city: text(address, "City"),
        province: text(address, "Province"),
    }
}

fn status(value: &Value) -> Result<Status, String> {
    let found = field(value, "Status").ok_or("Status is missing")?;
    status_of(found).ok_or_else(|| format!("Status {found} is not a status"))
}

fn text(value: &Value, name: &str) -> Option<String> {
    field(value, name)?.as_str().map(str::to_owned)
}

fn uuid(value: &Value, name: &str) -> Result<Option<Uuid>, String> {
    match field(value, name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => {
            Uuid::parse_str(text).map(Some).map_err(|_| format!("{name} {text:?} is not an id"))
        }
        Some(other) => Err(format!("{name} {other} is not an id")),
    }
}

fn time(value: &Value, name: &str) -> Result<Option<DateTime<Utc>>, String> {
    let text = match field(value, name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text,
        Some(other) => return Err(format!("{name} {other} is not a time")),
    };
    let zoned = DateTime::parse_from_rfc3339(text).map(|at| at.to_utc());
    // .NET writes a time of unspecified kind without a zone; the service means UTC.
    let plain = || text.parse::<NaiveDateTime>().map(|at| at.and_utc());
    zoned.or_else(|_| plain()).map(Some).map_err(|_| format!("{name} {text:?} is not a time"))
}

/// Decimals keep their scale: `96.40` stays `96.40`.
fn number(amount: Decimal) -> Value {
    Number::from_string_unchecked(amount.to_string()).into()
}

fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn any_order() -> impl Strategy<Value = Order> {
        let money = (0_i64..10_000_000).prop_map(|cents| Decimal::new(cents, 2));
        let line = (any::<u128>(), any::<u128>(), 1_i64..100, money).prop_map(
            |(id, book, quantity, price)| Line {
                id: LineId(Uuid::from_u128(id)),
                book: BookId(Uuid::from_u128(book)),
                quantity,
                price,
            },
        );
        let micros = 1_600_000_000_000_000_i64..1_900_000_000_000_000;
        let at = micros.prop_map(|micros| DateTime::from_timestamp_micros(micros).unwrap());
        (
            any::<u128>(),
            0_i16..3,
            proptest::option::of(".{0,20}"),
            prop::collection::vec(line, 0..5),
            any::<bool>(),
            at.clone(),
            proptest::option::of(at),
        )
            .prop_map(|(id, status, note, lines, is_deleted, created, modified)| Order {
                id: OrderId(Uuid::from_u128(id)),
                status: Status::from_number(status),
                note,
                buyer_id: Some(BuyerId(Uuid::from_u128(id ^ 1))),
                buyer: Some(Buyer { name: Some("Le Thi".into()), ..Buyer::default() }),
                total: sum(&lines),
                lines,
                is_deleted,
                created_at: Some(created),
                last_modified_at: modified,
                cancel_reason: None,
            })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(order in any_order()) {
            let body = write_order(&order);
            prop_assert_eq!(super::order(&body), Ok(order.clone()));
            let text = body.to_string();
            let again: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(super::order(&again), Ok(order));
        }

        #[test]
        fn no_body_panics(text in any::<String>(), n in any::<i64>()) {
            for value in [json!({"Order": {"Id": text, "Status": n}}), json!([text]), json!(n)] {
                let _ = order_named(&value);
                let _ = order(&value);
                let _ = field(&value, "Order").map(order);
            }
        }
    }

    #[test]
    fn every_spelling_is_read() {
        let camel = json!({"id": Uuid::max(), "status": 2, "totalPrice": "12.50", "extra": [],
            "orderItems": [{"id": Uuid::nil(), "order": {"id": 1}, "bookId": Uuid::nil(),
                            "quantity": "2", "price": 6.25}], "createdAt": "2026-11-22T01:02:03.1234567"});
        let read = order(&camel).unwrap();
        assert_eq!((read.status, read.total.to_string()), (Status::Completed, "12.50".to_owned()));
        assert_eq!(read.lines[0].quantity, 2);
        assert_eq!(read.created_at.unwrap().timestamp_subsec_micros(), 123_456);
    }

    #[test]
    fn a_comma_is_not_understood_and_said_so() {
        let body = json!({"Id": Uuid::max(), "Status": "New", "TotalPrice": "44,00"});
        assert_eq!(order(&body), Err("TotalPrice \"44,00\" is not an amount".to_owned()));
    }
}

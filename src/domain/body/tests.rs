//! Bodies as the field has them, as we write them, and as nobody should.

use proptest::prelude::*;
use serde_json::json;

use super::super::{body, order_json};
use super::*;
use crate::domain::{event::NewEvent, fold, order::Order, samples};

/// As Marten 9 stored it for the real service.
const SERVICE_PLACED: &str = r#"{"Order": {"Id": "01a20479-7690-78f4-b82f-bbb744b73fb4",
 "Note": "poison 0", "Buyer": null, "Status": "New",
 "BuyerId": "01a20479-72a4-7e4e-894e-305a0387036f",
 "CreatedAt": "2026-11-22T18:16:38.8001296Z", "IsDeleted": false, "OrderItems": [
 {"Id": "01a20479-7690-74ed-baa2-93f1b847b48b", "Price": 26.99,
  "BookId": "01a20479-768f-7ed6-ad8a-e38351f2705c",
  "OrderId": "01a20479-7690-78f4-b82f-bbb744b73fb4", "Quantity": 1},
 {"Id": "01a20479-7690-7149-8ea0-dda603cdc386", "Price": 55.60,
  "BookId": "01a20479-768f-7aa1-8df9-962a35f77f34",
  "OrderId": "01a20479-7690-78f4-b82f-bbb744b73fb4", "Quantity": 3}],
 "TotalPrice": 193.79, "LastModifiedAt": null},
 "DateOccurred": "2026-11-22T18:16:39.5067327Z"}"#;

fn raw(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn told(event: OrderEvent) -> EventBody {
    match event {
        OrderEvent::Placed(body)
        | OrderEvent::Completed(body)
        | OrderEvent::Cancelled { body, .. } => body,
        other => panic!("{other:?}"),
    }
}

fn placed(body: Value) -> OrderEvent {
    meaning(&samples::event(1, "order_placed_event", body))
}

fn time(text: &str) -> DateTime<Utc> {
    samples::at(text)
}

#[test]
fn the_services_body() {
    let told = told(placed(raw(SERVICE_PLACED)));
    assert_eq!(told.doubts, Vec::<String>::new());
    assert_eq!(told.occurred_at, Some(time("2026-11-22T18:16:39.5067327Z")));
    let order = told.order;
    assert_eq!(order.id.short(), "…3fb4");
    assert_eq!(order.status, Some(Status::New));
    assert_eq!(order.note, FieldPatch::Value("poison 0".to_owned()));
    assert_eq!(order.buyer, None);
    assert_eq!(order.created_at, FieldPatch::Value(time("2026-11-22T18:16:38.8001296Z")));
    assert_eq!(order.last_modified_at, FieldPatch::Null);
    assert_eq!(order.total.unwrap().to_string(), "193.79");
    let lines = order.lines.unwrap();
    assert_eq!((lines[1].quantity, lines[1].price.to_string()), (3, "55.60".to_owned()));
}

#[test]
fn the_same_in_other_spellings_means_the_same() {
    let plain = placed(raw(SERVICE_PLACED));
    let camel = SERVICE_PLACED
        .replace("\"Order\"", "\"order\"")
        .replace("\"OrderItems\"", "\"orderItems\"")
        .replace("\"TotalPrice\": 193.79", "\"totalPrice\": \"193.79\"")
        .replace("\"Status\": \"New\"", "\"status\": 0")
        .replace("\"Quantity\": 3}", "\"quantity\": \"3\", \"extra\": [1]}");
    assert_eq!(placed(raw(&camel)), plain);
    for back in ["null", "{\"Id\": \"x\", \"OrderItems\": []}"] {
        let with_back = SERVICE_PLACED
            .replace("\"Price\": 26.99", &format!("\"Order\": {back}, \"Price\": 26.99"));
        assert_eq!(placed(raw(&with_back)), plain);
    }
    let extra = SERVICE_PLACED.replace("\"IsDeleted\"", "\"RowVersion\": 1043, \"IsDeleted\"");
    assert_eq!(placed(raw(&extra)), plain);
}

#[test]
fn a_loaded_buyer_is_read() {
    let mut body = raw(SERVICE_PLACED);
    body["Order"]["BuyerId"] = Value::Null;
    body["Order"]["Buyer"] = json!({"Id": "01a20479-72a4-7e4e-894e-305a0387036f", "Name": "Le Thi",
        "Address": {"Street": "8 Book Lane", "City": "Hue", "Province": null}, "Orders": []});
    let order = told(placed(body)).order;
    assert!(order.buyer_id.is_some());
    let buyer = order.buyer.unwrap();
    assert_eq!((buyer.name.as_deref(), buyer.city.as_deref()), (Some("Le Thi"), Some("Hue")));
    assert_eq!(buyer.province, None);
}

#[test]
fn what_cannot_be_read_is_named_and_the_rest_used() {
    let mut body = raw(SERVICE_PLACED);
    body["Order"]["OrderItems"][1]["Price"] = json!("55,60");
    body["Order"]["TotalPrice"] = json!([]);
    body["Order"]["Status"] = json!("Completed");
    body["DateOccurred"] = json!("then");
    let told = told(placed(body));
    assert_eq!(told.order.lines.unwrap().len(), 1);
    assert_eq!(told.order.total, None);
    assert_eq!(told.occurred_at, None);
    assert_eq!(
        told.doubts,
        [
            "OrderItems[1].Price is not a number",
            "TotalPrice is not a number",
            "OrderPlaced carries an order that is Completed",
            "DateOccurred is not a time",
        ]
    );
}

#[test]
fn bodies_without_an_order_are_unreadable() {
    for body in
        ["[]", "null", "{}", "{\"Order\": null}", "{\"Order\": {}}", "{\"Order\": {\"Id\": 5}}"]
    {
        let OrderEvent::Unreadable { kind, why } = placed(raw(body)) else { panic!("{body}") };
        assert_eq!(kind, EventKind::Placed);
        assert!(!why.is_empty());
    }
    let binary =
        RecordedEvent { binary: true, ..samples::event(1, "order_placed_event", json!({})) };
    assert!(matches!(meaning(&binary), OrderEvent::Unreadable { .. }));
    let unknown = samples::event(1, "order_refunded_event", raw(SERVICE_PLACED));
    assert_eq!(meaning(&unknown), OrderEvent::Unknown("order_refunded_event".to_owned()));
}

#[test]
fn our_own_shape() {
    let mut order: Order = samples::order();
    order.status = Status::Cancelled;
    order.cancel_reason = Some("changed my mind".to_owned());
    order.last_modified_at = Some(time("2026-11-22T09:40:31Z"));
    let event = NewEvent {
        kind: EventKind::Cancelled,
        order,
        occurred_at: time("2026-11-22T09:40:31.10Z"),
    };
    assert_eq!(
        body(&event).to_string(),
        concat!(
            r#"{"Order":{"Id":"0199a3f2-7c1e-7b40-9d2a-5e0c4b1f8c41","Status":"Cancelled","#,
            r#""Note":"leave at the door","BuyerId":"00000000-0000-0000-0000-000000000007","#,
            r#""Buyer":{"Id":"00000000-0000-0000-0000-000000000007","Name":"Le Thi","#,
            r#""Address":{"Street":"8 Book Lane","City":"Hue","Province":null}},"OrderItems":["#,
            r#"{"Id":"00000000-0000-0000-0000-000000000001","#,
            r#""BookId":"00000000-0000-0000-0000-0000000003e9","Quantity":2,"Price":14.20,"#,
            r#""OrderId":"0199a3f2-7c1e-7b40-9d2a-5e0c4b1f8c41"},"#,
            r#"{"Id":"00000000-0000-0000-0000-000000000002","#,
            r#""BookId":"00000000-0000-0000-0000-0000000003ea","Quantity":1,"Price":33.00,"#,
            r#""OrderId":"0199a3f2-7c1e-7b40-9d2a-5e0c4b1f8c41"}],"TotalPrice":61.40,"#,
            r#""IsDeleted":false,"CreatedAt":"2026-11-22T09:12:04.1234567Z","#,
            r#""LastModifiedAt":"2026-11-22T09:40:31Z"},"#,
            r#""DateOccurred":"2026-11-22T09:40:31.1Z","Reason":"changed my mind"}"#,
        )
    );
}

/// Any JSON, with the keys of our bodies more often than chance would give them.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,6}".prop_map(Value::from),
        Just(json!("01a20479-7690-78f4-b82f-bbb744b73fb4")),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        let key = proptest::sample::select(vec![
            "Order",
            "Id",
            "status",
            "OrderItems",
            "Price",
            "quantity",
            "BookId",
            "Buyer",
            "Address",
            "Name",
            "CreatedAt",
            "TotalPrice",
            "IsDeleted",
            "BuyerId",
            "Reason",
            "x",
        ]);
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::vec((key, inner), 0..8).prop_map(|fields| {
                Value::Object(fields.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
            }),
        ]
    })
}

fn any_kind() -> impl Strategy<Value = EventKind> {
    proptest::sample::select(EventKind::ALL.to_vec())
}

proptest! {
    #[test]
    fn no_body_breaks_the_reader(body in any_json(), kind in any_kind()) {
        let event = samples::event(1, kind.alias(), body);
        let told = meaning(&event).body().map(|told| told.order.id);
        let (state, _) = fold::fold(None, &event);
        prop_assert_eq!(state.map(|order| order.id), told);
    }

    #[test]
    fn what_we_write_we_read(
        order in samples::any_order(),
        kind in any_kind(),
        occurred_at in samples::any_time(),
    ) {
        let mut order = order;
        order.status = kind.status();
        if kind != EventKind::Cancelled {
            order.cancel_reason = None;
        }
        let event = NewEvent { kind, order, occurred_at };
        let stored = serde_json::from_str(&body(&event).to_string()).unwrap();
        let recorded = samples::event(1, kind.alias(), stored);
        let read = meaning(&recorded);
        prop_assert_eq!(read.kind(), Some(kind));
        prop_assert_eq!(read.body().and_then(|told| told.occurred_at), Some(occurred_at));
        prop_assert_eq!(read.body().map(|told| told.doubts.len()), Some(0));
        let (state, _) = fold::fold(None, &recorded);
        prop_assert_eq!(state, Some(event.order));
    }

    #[test]
    fn amounts_keep_their_scale(order in samples::any_order()) {
        let written = order_json(&order);
        prop_assert_eq!(written["TotalPrice"].to_string(), order.total.to_string());
        for (line, item) in order.lines.iter().zip(written["OrderItems"].as_array().unwrap()) {
            prop_assert_eq!(item["Price"].to_string(), line.price.to_string());
        }
    }
}

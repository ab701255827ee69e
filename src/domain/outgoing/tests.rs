//! Outgoing messages compared with what the real service sent for the same rows.

use serde_json::json;

use super::*;
use crate::domain::samples::at;

const PAIRS: &str = include_str!("../../../tests/fixtures/wire.jsonl");

fn stored(row: &Value) -> Stored {
    let text = |key: &str| row[key].as_str().map(str::to_owned);
    let id = |key: &str| row[key].as_str().map(|id| id.parse().unwrap());
    Stored {
        headers: text("headers"),
        properties: text("properties"),
        message_id: id("message_id").unwrap(),
        content_type: text("content_type").unwrap(),
        body: text("body").unwrap(),
        conversation_id: id("conversation_id"),
        correlation_id: id("correlation_id"),
        initiator_id: id("initiator_id"),
        request_id: id("request_id"),
        source_address: text("source_address"),
        destination_address: text("destination_address"),
        response_address: text("response_address"),
        fault_address: text("fault_address"),
        expiration_time: text("expiration_time").map(|time| at(&time)),
    }
}

/// The broker that the captured messages went to.
fn home() -> Home {
    Home::new(false, "127.0.0.1", 35672, "/")
}

/// The outgoing in the words of the capture.
fn told(outgoing: &OutgoingMessage) -> Value {
    let mut properties = json!({
        "content_type": outgoing.content_type,
        "delivery_mode": if outgoing.persistent { 2 } else { 1 },
        "message_id": outgoing.message_id,
    });
    let optional = [
        ("priority", outgoing.priority.map(Value::from)),
        ("correlation_id", outgoing.correlation_id.clone().map(Value::from)),
        ("reply_to", outgoing.reply_to.clone().map(Value::from)),
        ("expiration", outgoing.expiration.map(|ms| Value::from(ms.to_string()))),
        ("type", outgoing.kind.clone().map(Value::from)),
        ("user_id", outgoing.user_id.clone().map(Value::from)),
        ("app_id", outgoing.app_id.clone().map(Value::from)),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            properties[name] = value;
        }
    }
    let headers = outgoing.headers.iter().map(|(name, value)| {
        let value = match value {
            Header::Text(text) => Value::from(text.clone()),
            Header::Number(number) => Value::from(*number),
        };
        (name.clone(), value)
    });
    json!({
        "exchange": outgoing.exchange,
        "routing_key": outgoing.routing_key,
        "properties": properties,
        "headers": headers.collect::<Map<_, _>>(),
    })
}

fn envelope_of(body: &str) -> Value {
    let mut envelope: Value = serde_json::from_str(body).unwrap();
    // A key that the service does not know is lost when it rewrites an envelope. We keep it.
    envelope.as_object_mut().unwrap().shift_remove("extra");
    // The service writes seven decimals, the column holds six.
    if let Some(time) = envelope["expirationTime"].as_str() {
        envelope["expirationTime"] = json!(at(time).timestamp_millis());
    }
    envelope
}

#[test]
fn every_field_is_the_services() {
    let mut count = 0;
    for line in PAIRS.lines() {
        let pair: Value = serde_json::from_str(line).unwrap();
        let (row, mut sent) = (stored(&pair["row"]), pair["sent"].clone());
        let left = sent["properties"]["expiration"].as_str().map(|ms| ms.parse().unwrap());
        let now = match (row.expiration_time, left) {
            (Some(ends), Some(left)) => ends - chrono::TimeDelta::milliseconds(left),
            _ => at("2026-11-22T23:11:49Z"),
        };
        let body = sent.as_object_mut().unwrap().remove("body").unwrap();
        let body = body.as_str().unwrap();
        let was = row.body.clone();
        let outgoing = outgoing(row, &home(), now).unwrap();
        assert_eq!(told(&outgoing), sent, "{}", outgoing.message_id);
        assert_eq!(envelope_of(&outgoing.body), envelope_of(body), "{}", outgoing.message_id);
        // What the service sent byte for byte as stored, we do too.
        assert_eq!(body == was, outgoing.body == was, "{}", outgoing.message_id);
        count += 1;
    }
    assert!(count >= 17, "only {count} messages were compared");
}

fn plain() -> Stored {
    let line: Value = serde_json::from_str(PAIRS.lines().next().unwrap()).unwrap();
    stored(&line["row"])
}

fn refused(change: impl FnOnce(&mut Stored)) -> Poison {
    let mut row = plain();
    change(&mut row);
    outgoing(row, &home(), at("2026-11-22T23:11:49Z")).unwrap_err()
}

#[test]
fn what_is_past_its_time_gets_one_second() {
    let row = Stored { expiration_time: Some(at("2026-11-22T20:00:00Z")), ..plain() };
    let outgoing = outgoing(row, &home(), at("2026-11-22T23:11:49Z")).unwrap();
    assert_eq!(outgoing.expiration, Some(1_000));
    assert!(outgoing.body.contains("\"expirationTime\": \"2026-11-22T23:11:50"));
}

#[test]
fn poison_is_told_apart() {
    assert!(matches!(
        refused(|row| row.headers = Some("{not json".into())),
        Poison::Headers(why) if why.contains("line 1")
    ));
    assert!(matches!(refused(|row| row.headers = Some("[]".into())), Poison::Headers(_)));
    assert!(matches!(refused(|row| row.properties = Some("x".into())), Poison::Properties(_)));
    assert_eq!(refused(|row| row.destination_address = None), Poison::NoDestination);
    let bad = |row: &mut Stored| row.destination_address = Some("loopback://x/y".into());
    assert!(matches!(refused(bad), Poison::Destination { .. }));
    let exchange = |row: &mut Stored| row.properties = Some(r#"{"RMQ-Exchange":"a b"}"#.into());
    assert!(matches!(refused(exchange), Poison::Property { name: "RMQ-Exchange", .. }));
    let priority = |row: &mut Stored| row.properties = Some(r#"{"RMQ-Priority":256}"#.into());
    assert!(matches!(refused(priority), Poison::Property { name: "RMQ-Priority", .. }));
    let delay = |row: &mut Stored| row.properties = Some(r#"{"Delay":"00:00:01"}"#.into());
    assert_eq!(refused(delay), Poison::Delayed);
    let raw = |row: &mut Stored| row.content_type = "application/json".into();
    assert_eq!(refused(raw), Poison::ContentType("application/json".into()));
    assert!(matches!(refused(|row| row.body = "{}".into()), Poison::Body(_)));
    assert!(matches!(refused(|row| row.body = "[]".into()), Poison::Body(_)));
    assert!(matches!(refused(|row| row.body = "{".into()), Poison::Body(_)));
}

#[test]
fn money_keeps_its_digits_when_an_envelope_is_rewritten() {
    let row = Stored { correlation_id: Some(Uuid::max()), ..plain() };
    let body = row.body.replace("\"288.89\"", "288.8900000000000000001");
    assert_ne!(body, row.body);
    let outgoing = outgoing(Stored { body, ..row }, &home(), at("2026-11-22T23:11:49Z")).unwrap();
    assert!(outgoing.body.contains("288.8900000000000000001"), "{}", outgoing.body);
    assert_eq!(outgoing.correlation_id, Some(Uuid::max().to_string()));
}

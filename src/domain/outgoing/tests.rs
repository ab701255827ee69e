//! Outgoing messages compared with what the real service sent for the same rows.

use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::domain::{
    id::MessageId,
    poison::{Sender, Text, poison},
    samples::at,
};

const PAIRS: &str = include_str!("../../../tests/fixtures/wire.jsonl");

fn stored(row: &Value) -> StoredMessage {
    let text = |key: &str| row[key].as_str().map(str::to_owned);
    let id = |key: &str| row[key].as_str().map(|id| id.parse().unwrap());
    StoredMessage {
        headers: text("headers"),
        properties: text("properties"),
        content_type: text("content_type").unwrap(),
        body: text("body").unwrap(),
        conversation: id("conversation_id"),
        correlation: id("correlation_id"),
        initiator: id("initiator_id"),
        request: id("request_id"),
        source: text("source_address"),
        destination: text("destination_address"),
        response: text("response_address"),
        fault: text("fault_address"),
        expires: text("expiration_time").map(|time| at(&time)),
        ..StoredMessage::sample(MessageId(id("message_id").unwrap()))
    }
}

/// The broker that the captured messages went to.
fn home() -> Home {
    Home::new(false, "127.0.0.1", 35672, "/")
}

/// The outgoing in the words of the capture.
fn captured(outgoing: &OutgoingMessage) -> Value {
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
        let now = match (row.expires, left) {
            (Some(ends), Some(left)) => ends - chrono::TimeDelta::milliseconds(left),
            _ => at("2026-11-22T23:11:49Z"),
        };
        let body = sent.as_object_mut().unwrap().remove("body").unwrap();
        let body = body.as_str().unwrap();
        let was = row.body.clone();
        let outgoing = outgoing(row, &home(), now).unwrap();
        assert_eq!(captured(&outgoing), sent, "{}", outgoing.message_id);
        assert_eq!(envelope_of(&outgoing.body), envelope_of(body), "{}", outgoing.message_id);
        // What the service sent byte for byte as stored, we do too.
        assert_eq!(body == was, outgoing.body == was, "{}", outgoing.message_id);
        count += 1;
    }
    assert!(count >= 17, "only {count} messages were compared");
}

fn plain() -> StoredMessage {
    let line: Value = serde_json::from_str(PAIRS.lines().next().unwrap()).unwrap();
    stored(&line["row"])
}

fn refused(change: impl FnOnce(&mut StoredMessage)) -> Poison {
    let mut row = plain();
    change(&mut row);
    outgoing(row, &home(), at("2026-11-22T23:11:49Z")).unwrap_err()
}

#[test]
fn what_is_past_its_time_gets_one_second() {
    let row = StoredMessage { expires: Some(at("2026-11-22T20:00:00Z")), ..plain() };
    let outgoing = outgoing(row, &home(), at("2026-11-22T23:11:49Z")).unwrap();
    assert_eq!(outgoing.expiration, Some(1_000));
    assert!(outgoing.body.contains("\"expirationTime\": \"2026-11-22T23:11:50"));
}

#[test]
fn every_kind_of_poison_has_its_reason() {
    assert!(matches!(
        refused(|row| row.headers = Some("{not json".into())),
        Poison::Headers(why) if why.contains("line 1")
    ));
    assert!(matches!(refused(|row| row.headers = Some("[]".into())), Poison::Headers(_)));
    assert!(matches!(refused(|row| row.properties = Some("x".into())), Poison::Properties(_)));
    assert_eq!(refused(|row| row.destination = None), Poison::NoDestination);
    let bad = |row: &mut StoredMessage| row.destination = Some("loopback://x/y".into());
    assert!(matches!(refused(bad), Poison::Destination { .. }));
    let exchange =
        |row: &mut StoredMessage| row.properties = Some(r#"{"RMQ-Exchange":"a b"}"#.into());
    assert!(matches!(refused(exchange), Poison::Property { name: "RMQ-Exchange", .. }));
    let priority =
        |row: &mut StoredMessage| row.properties = Some(r#"{"RMQ-Priority":256}"#.into());
    assert!(matches!(refused(priority), Poison::Property { name: "RMQ-Priority", .. }));
    let delay = |row: &mut StoredMessage| row.properties = Some(r#"{"Delay":"00:00:01"}"#.into());
    assert_eq!(refused(delay), Poison::Delayed);
    let raw = |row: &mut StoredMessage| row.content_type = "application/json".into();
    assert_eq!(refused(raw), Poison::ContentType("application/json".into()));
    assert!(matches!(refused(|row| row.body = "{}".into()), Poison::Body(_)));
    assert!(matches!(refused(|row| row.body = "[]".into()), Poison::Body(_)));
    assert!(matches!(refused(|row| row.body = "{".into()), Poison::Body(_)));
}

#[test]
fn money_keeps_its_digits_when_an_envelope_is_rewritten() {
    let row = StoredMessage { correlation: Some(Uuid::max()), ..plain() };
    let body = row.body.replace("\"288.89\"", "288.8900000000000000001");
    assert_ne!(body, row.body);
    let outgoing =
        outgoing(StoredMessage { body, ..row }, &home(), at("2026-11-22T23:11:49Z")).unwrap();
    assert!(outgoing.body.contains("288.8900000000000000001"), "{}", outgoing.body);
    assert_eq!(outgoing.correlation_id, Some(Uuid::max().to_string()));
}

const SOUND: Text<'static> = Text {
    headers: None,
    properties: Some("{\"RMQ-Exchange\": \"A:B\"}"),
    content_type: Some("application/vnd.masstransit+json"),
    destination: Some("rabbitmq://host:5672/BookWorm.Contracts:X?temporary=true"),
    body: Some("{\"messageType\": [], \"message\": {}}"),
    bytes: 33,
};

#[test]
fn a_sound_message_has_no_poison() {
    for sender in [Sender::Relay, Sender::Service] {
        assert_eq!(poison(&SOUND, 100, sender), []);
        assert_eq!(poison(&Text { body: None, ..SOUND }, 100, sender), []);
    }
    // The service may have another serializer and the broker's plugin; our relay has neither.
    let raw = Text { content_type: Some("application/json"), body: Some("1"), ..SOUND };
    assert_eq!(poison(&raw, 100, Sender::Service), []);
    assert!(matches!(poison(&raw, 100, Sender::Relay)[..], [Poison::ContentType(_)]));
    let delayed = Text { properties: Some(r#"{"Delay":"00:00:01"}"#), ..SOUND };
    assert_eq!(poison(&delayed, 100, Sender::Service), []);
    assert_eq!(poison(&delayed, 100, Sender::Relay), [Poison::Delayed]);
}

#[test]
fn each_part_can_be_bad() {
    let first = |text: Text<'_>| poison(&text, 100, Sender::Service).first().cloned().unwrap();
    let headers = first(Text { headers: Some("{broken"), ..SOUND });
    assert!(matches!(headers, Poison::Headers(_)) && headers.blocks(), "{headers}");
    assert!(matches!(first(Text { properties: Some("[1]"), ..SOUND }), Poison::Properties(_)));
    assert!(matches!(first(Text { body: Some("{"), ..SOUND }), Poison::Body(_)));
    assert!(matches!(first(Text { body: Some("{\"message\": 1}"), ..SOUND }), Poison::Body(_)));
    let lost = first(Text { destination: None, ..SOUND });
    assert!(lost == Poison::NoDestination && !lost.blocks());
    assert_eq!(first(Text { bytes: 101, ..SOUND }), Poison::TooLarge { bytes: 101, limit: 100 });
    assert_eq!(first(Text { content_type: None, ..SOUND }), Poison::ContentType(String::new()));
}

#[test]
fn an_envelope_of_other_case_is_brought_up_to_its_row_all_the_same() {
    let body = r#"{"MessageId":"x","MessageType":[],"Message":{}}"#.to_owned();
    let row = StoredMessage { body, ..plain() };
    let id = row.message.to_string();
    let sent = outgoing(row, &home(), at("2026-11-22T23:11:49Z")).unwrap();
    let envelope: Value = serde_json::from_str(&sent.body).unwrap();
    assert_eq!((envelope["MessageId"].as_str(), envelope.get("messageId")), (Some(&*id), None));
}

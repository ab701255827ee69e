//! What arrives is what the service's own delivery makes of the same rows, field by field.

use chrono::{DateTime, Utc};
use lapin::types::{AMQPValue, FieldTable};
use serde_json::{Map, Value, json};
use sqlx::{Connection, PgConnection};

use super::{recorded, settings, until_empty};
use crate::support::{
    postgres::managed,
    rabbitmq::{Taken, broker},
};

const PAIRS: &str = include_str!("../../fixtures/wire.jsonl");

/// The broker that the captured messages went to.
const CAPTURED: &str = "rabbitmq://127.0.0.1:35672/";

fn told(taken: &Taken) -> Value {
    let p = &taken.properties;
    let mut properties = Map::new();
    let texts = [
        ("content_type", p.content_type()),
        ("content_encoding", p.content_encoding()),
        ("correlation_id", p.correlation_id()),
        ("reply_to", p.reply_to()),
        ("expiration", p.expiration()),
        ("message_id", p.message_id()),
        ("type", p.kind()),
        ("user_id", p.user_id()),
        ("app_id", p.app_id()),
        ("cluster_id", p.cluster_id()),
    ];
    for (name, value) in texts {
        if let Some(value) = value {
            properties.insert(name.to_owned(), json!(value.as_str()));
        }
    }
    if let Some(mode) = p.delivery_mode() {
        properties.insert("delivery_mode".to_owned(), json!(mode));
    }
    if let Some(priority) = p.priority() {
        properties.insert("priority".to_owned(), json!(priority));
    }
    assert_eq!(p.timestamp(), &None);
    let headers = p.headers().iter().flat_map(FieldTable::inner).map(|(name, value)| {
        let value = match value {
            AMQPValue::LongString(text) => json!(String::from_utf8_lossy(text.as_bytes())),
            AMQPValue::LongLongInt(number) => json!(number),
            other => panic!("{name:?}: {other:?}"),
        };
        (name.as_str().to_owned(), value)
    });
    json!({
        "exchange": taken.exchange,
        "routing_key": taken.routing_key,
        "properties": properties,
        "headers": headers.collect::<Map<_, _>>(),
    })
}

async fn plant(conn: &mut PgConnection, number: usize, row: &Value) {
    let outbox = uuid::Uuid::from_u128(number as u128 + 1);
    let state = "INSERT INTO outbox_state (outbox_id, lock_id, created) \
        VALUES ($1, '00000000-0000-0000-0000-000000000000', now())";
    sqlx::query(state).bind(outbox).execute(&mut *conn).await.unwrap();
    let message = "INSERT INTO outbox_message (sent_time, message_type, outbox_id, headers, properties, \
        message_id, content_type, body, conversation_id, correlation_id, initiator_id, request_id, \
        source_address, destination_address, response_address, fault_address, expiration_time) \
        SELECT now(), 'urn:message:x', $1, r.headers, r.properties, r.message_id, r.content_type, r.body, \
        r.conversation_id, r.correlation_id, r.initiator_id, r.request_id, r.source_address, \
        r.destination_address, r.response_address, r.fault_address, \
        CASE WHEN r.expiration_time IS NOT NULL THEN now() + interval '10 minutes' END \
        FROM jsonb_populate_record(NULL::outbox_message, $2) r";
    sqlx::query(message).bind(outbox).bind(row).execute(conn).await.unwrap();
}

#[tokio::test]
async fn the_broker_gets_what_the_service_sends() {
    let (broker, database) = (broker().await, managed().await);
    let pairs: Vec<Value> = PAIRS.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let fanout: Vec<&str> = pairs
        .iter()
        .filter(|pair| !pair["row"]["destination_address"].as_str().unwrap().contains('?'))
        .filter_map(|pair| pair["sent"]["exchange"].as_str())
        .collect();
    broker.bind("tap", &fanout).await;
    let (connection, channel) = broker.channel().await;
    // Exchanges of other shapes, declared as their addresses say: another declaration would be refused.
    for (name, kind, durable, auto_delete) in [
        ("tap-direct", lapin::ExchangeKind::Direct, true, false),
        ("tap-temp", lapin::ExchangeKind::Fanout, false, true),
        ("tap-bind", lapin::ExchangeKind::Fanout, true, false),
    ] {
        let options = lapin::options::ExchangeDeclareOptions {
            durable,
            auto_delete,
            ..lapin::options::ExchangeDeclareOptions::default()
        };
        channel.exchange_declare(name.into(), kind, options, FieldTable::default()).await.unwrap();
        let options = lapin::options::QueueBindOptions::default();
        channel
            .queue_bind("tap".into(), name.into(), "k".into(), options, FieldTable::default())
            .await
            .unwrap();
    }
    let mut conn = PgConnection::connect_with(&database).await.unwrap();
    for (number, pair) in pairs.iter().enumerate() {
        let mut row = pair["row"].clone();
        let properties =
            row["properties"].as_str().map(|text| text.replace("\"guest\"", "\"relay\""));
        row["properties"] = json!(properties);
        plant(&mut conn, number, &row).await;
    }
    let stats = until_empty(settings(&database, &broker)).await.unwrap();
    assert_eq!((recorded(&stats), stats.returned, stats.held.len()), (pairs.len() as u64, 0, 0));
    let taken = broker.take("tap").await;
    assert_eq!(taken.len(), pairs.len());
    let here = format!("rabbitmq://{}/", broker.place());
    for pair in &pairs {
        let mut sent = pair["sent"].clone();
        let body = sent.as_object_mut().unwrap().remove("body").unwrap();
        let id = sent["properties"]["message_id"].as_str().unwrap().to_owned();
        let got = taken.iter().find(|taken| taken.id() == id).unwrap();
        let mut told = told(got);
        if sent["properties"]["user_id"] == "guest" {
            sent["properties"]["user_id"] = json!("relay");
        }
        if let Some(left) = told["properties"]["expiration"].as_str().map(str::to_owned) {
            // The broker keeps what was sent: nearly ten minutes.
            let left: u64 = left.parse().unwrap();
            assert!((1..=600_000).contains(&left), "{left}");
            told["properties"]["expiration"] = sent["properties"]["expiration"].clone();
        }
        assert_eq!(told, sent, "{id}");
        let envelope = |text: &str| {
            let mut envelope: Value = serde_json::from_str(&text.replace(CAPTURED, &here)).unwrap();
            envelope.as_object_mut().unwrap().remove("extra");
            if let Some(time) = envelope["expirationTime"].as_str() {
                assert!(time.parse::<DateTime<Utc>>().is_ok());
                envelope["expirationTime"] = json!("a time");
            }
            envelope
        };
        assert_eq!(envelope(&got.body), envelope(body.as_str().unwrap()), "{id}");
    }
    // An address that asks for a queue gets it, as with the service.
    assert_eq!(broker.depth("tap-queue").await, 1);
    assert_eq!(broker.depth("tap-bound").await, 1);
    connection.close(200, "".into()).await.unwrap();
}

//! Outbox actions: which repairs are allowed, what another id changes, what is old enough.

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::domain::{diagnosis::Poison, envelope::CONTENT_TYPE, samples::at};

const ID: MessageId = MessageId(Uuid::from_u128(0x5b_e7));
const LIMIT: i64 = 1 << 20;
const THERE: &str = "rabbitmq://h/BookWorm.Contracts:UserCheckedOutIntegrationEvent";

fn now() -> DateTime<Utc> {
    at("2026-11-22T19:00:00Z")
}

fn envelope(id: MessageId) -> String {
    json!({ "messageId": id.to_string(), "messageType": ["urn:message:A:B"], "message": { "totalMoney": "30.00" } })
        .to_string()
}

fn texts() -> Texts {
    Texts {
        message: ID,
        content_type: Some(CONTENT_TYPE.to_owned()),
        destination: Some("not-an-address".to_owned()),
        headers: None,
        properties: Some(r#"{"RMQ-Exchange":"elsewhere","Durable":false}"#.to_owned()),
        body: envelope(ID),
    }
}

fn destination(to: &str) -> Repair {
    Repair { destination: Some(to.to_owned()), ..Repair::default() }
}

#[test]
fn the_exchange_follows_the_destination() {
    let after = destination(THERE).apply(&texts(), LIMIT).unwrap();
    assert_eq!(after.destination.as_deref(), Some(THERE));
    let properties: Value = serde_json::from_str(after.properties.as_deref().unwrap()).unwrap();
    let name = "BookWorm.Contracts:UserCheckedOutIntegrationEvent";
    assert_eq!(properties, json!({ "RMQ-Exchange": name, "Durable": false }));
    assert_eq!(texts().changed(&after), [Part::Destination, Part::Properties]);
    // Properties that name no exchange leave it to the destination.
    let plain = Texts { properties: Some("{}".to_owned()), ..texts() };
    let after = destination(THERE).apply(&plain, LIMIT).unwrap();
    assert_eq!(after.properties.as_deref(), Some("{}"));
    let none = Texts { properties: None, ..texts() };
    assert_eq!(destination(THERE).apply(&none, LIMIT).unwrap().properties, None);
}

#[test]
fn a_text_that_would_not_leave_is_refused() {
    let part = |repair: &Repair| match repair.apply(&texts(), LIMIT).unwrap_err() {
        Refusal::Unfit { part, .. } => part,
        other => panic!("{other:?}"),
    };
    for address in ["nowhere", "http://h/x", "rabbitmq://h/", "rabbitmq://h/a b", ""] {
        assert_eq!(part(&destination(address)), Part::Destination, "{address:?}");
    }
    assert_eq!(part(&destination(&format!("queue:{}", "q".repeat(256)))), Part::Destination);
    let headers = |text: &str| Repair { headers: Some(text.to_owned()), ..Repair::default() };
    assert_eq!(part(&headers("{")), Part::Headers);
    assert_eq!(part(&headers("[1]")), Part::Headers);
    assert_eq!(part(&headers("{\"a\":\"\0\"}")), Part::Headers);
    let body = |text: &str| Repair { body: Some(text.to_owned()), ..Repair::default() };
    assert_eq!(part(&body("{")), Part::Body);
    assert_eq!(part(&body(r#"{"messageType":[],"message":{}}"#)), Part::Body);
    assert_eq!(part(&body(&envelope(MessageId(Uuid::from_u128(9))))), Part::Body);
    assert_eq!(
        part(&Repair { properties: Some("x".to_owned()), ..Repair::default() }),
        Part::Properties
    );
}

#[test]
fn broken_properties_are_given_with_the_destination() {
    let broken = Texts { properties: Some("{".to_owned()), ..texts() };
    let refused = destination(THERE).apply(&broken, LIMIT).unwrap_err();
    assert!(matches!(refused, Refusal::Unfit { part: Part::Properties, .. }), "{refused:?}");
    let both =
        Repair { properties: Some(r#"{"RMQ-Exchange":"x"}"#.to_owned()), ..destination(THERE) };
    let after = both.apply(&broken, LIMIT).unwrap();
    assert!(after.properties.unwrap().contains("UserCheckedOut"));
}

#[test]
fn empty_headers_are_none_and_the_same_is_no_repair() {
    let broken = Texts { headers: Some("{not json".to_owned()), ..texts() };
    let clear = Repair { headers: Some(" ".to_owned()), ..Repair::default() };
    let after = clear.apply(&broken, LIMIT).unwrap();
    assert_eq!(after.headers, None);
    // What was not touched may still be wrong; the plan says so.
    assert!(matches!(after.poison(LIMIT)[..], [Poison::Destination { .. }]));
    assert_eq!(clear.apply(&texts(), LIMIT), Err(Refusal::Unchanged));
    assert_eq!(Repair::default().apply(&texts(), LIMIT), Err(Refusal::Unchanged));
}

fn whole() -> Whole {
    let fields = json!({
        "message_type": "urn:message:A:B;urn:message:A:Base",
        "headers": r#"{"MT-OriginalMessageId":"x","MT-Activity-Id":"00-1"}"#,
        "destination_address": THERE,
        "sent_time": "2026-11-22T09:00:00+00:00",
        "conversation_id": "00000000-0000-0000-0000-000000000007",
        "body": {
            "messageId": ID.to_string(),
            "headers": { "mt-originalmessageid": "x", "tenant": "a" },
            "message": { "totalMoney": "30.00", "weight": 1.10 },
        },
    });
    Whole::read(&fields, now()).unwrap()
}

#[test]
fn a_message_is_read_from_its_columns() {
    let whole = whole();
    assert_eq!((whole.message, whole.sent), (ID, at("2026-11-22T09:00:00Z")));
    assert_eq!(whole.conversation, Some(Uuid::from_u128(7)));
    assert_eq!(whole.content_type, CONTENT_TYPE);
    assert_eq!(Whole::read(&json!({}), now()), Err(Refusal::Incomplete("a body")));
    let nameless = json!({ "body": {}, "message_type": "urn:message:A:B" });
    assert_eq!(Whole::read(&nameless, now()), Err(Refusal::Incomplete("a message_id")));
}

#[test]
fn another_id_leaves_no_trace_of_the_first() {
    let id = MessageId(Uuid::from_u128(8));
    let out = renamed(&whole(), id).unwrap();
    assert_eq!(out.message, id);
    assert!(
        !out.body.contains(&ID.to_string()) && out.body.contains(&id.to_string()),
        "{}",
        out.body
    );
    assert!(out.body.contains(r#""headers":{"tenant":"a"}"#), "{}", out.body);
    assert!(out.body.contains(r#""totalMoney":"30.00""#), "{}", out.body);
    assert_eq!(out.headers.as_deref(), Some(r#"{"MT-Activity-Id":"00-1"}"#));
    let broken = Whole { body: "{".to_owned(), ..whole() };
    assert!(matches!(renamed(&broken, id), Err(Refusal::Unfit { part: Part::Body, .. })));
}

#[test]
fn only_what_is_old_enough_goes() {
    let day = OutboxAction::PurgeInbox { before: now() - TimeDelta::days(1) };
    assert_eq!(day.in_time(now()), Ok(()));
    let young = OutboxAction::PurgeOutbox { before: now() - TimeDelta::hours(23) };
    let refused = young.in_time(now()).unwrap_err();
    assert_eq!(refused.rule(), "old-enough");
    assert!(refused.to_string().contains("older than 1d"), "{refused}");
    assert_eq!(
        OutboxAction::RemoveFailed { before: now() - TimeDelta::minutes(1) }.in_time(now()),
        Ok(())
    );
    assert!(OutboxAction::RemoveFailed { before: now() }.in_time(now()).is_err());
}

proptest! {
    /// Whatever is repaired leaves, or is refused, or what keeps it is a part that was not given.
    #[test]
    fn a_repair_never_leaves_a_given_part_unfit(
        destination in proptest::option::of("(rabbitmq://h/|queue:|x:|)[a-zA-Z:. ]{0,12}"),
        headers in proptest::option::of(prop_oneof![Just(String::new()), Just("{\"a\":1}".to_owned()), "[{}a\":]{0,6}"]),
        properties in proptest::option::of(prop_oneof![Just("{\"RMQ-Exchange\":\"q\"}".to_owned()), "[{}a\":]{0,6}"]),
        body in proptest::option::of(prop_oneof![Just(envelope(ID)), "[{}a\":]{0,6}"]),
        bad in proptest::bool::ANY,
    ) {
        let before = Texts { headers: bad.then(|| "{".to_owned()), ..texts() };
        let repair = Repair { destination, headers, properties, body };
        if let Ok(after) = repair.apply(&before, LIMIT) {
            let given = repair.parts();
            prop_assert!(!before.changed(&after).is_empty());
            for found in after.poison(LIMIT) {
                let part = match found {
                    Poison::Headers(_) => Part::Headers,
                    Poison::Properties(_) => Part::Properties,
                    Poison::NoDestination | Poison::Destination { .. } => Part::Destination,
                    _ => Part::Body,
                };
                prop_assert!(!given.contains(&part), "{part} was given and does not fit");
            }
            // The same once more changes nothing.
            prop_assert_eq!(repair.apply(&after, LIMIT), Err(Refusal::Unchanged));
        }
    }

    #[test]
    fn another_id_is_taken_whatever_the_body(text in "\\PC{0,40}", id in any::<u128>()) {
        let id = MessageId(Uuid::from_u128(id));
        let body = json!({ "messageId": ID.to_string(), "message": { "text": text } });
        let before = Whole { body: body.to_string(), ..whole() };
        let out = renamed(&before, id).unwrap();
        let read: Value = serde_json::from_str(&out.body).unwrap();
        prop_assert_eq!(read, json!({ "messageId": id.to_string(), "message": { "text": text } }));
    }
}

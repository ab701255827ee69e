//! Outbox actions: which repairs are allowed, what another id changes, what is old enough.

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::domain::{
    address::Home,
    envelope::CONTENT_TYPE,
    outgoing::outgoing,
    poison::{Poison, Sender},
    samples::at,
};

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

fn texts() -> StoredMessage {
    StoredMessage {
        destination: Some("not-an-address".to_owned()),
        headers: None,
        properties: Some(r#"{"RMQ-Exchange":"elsewhere","Durable":false}"#.to_owned()),
        body: envelope(ID),
        ..StoredMessage::sample(ID)
    }
}

/// An envelope as a serializer that keeps .NET's own names writes it.
fn pascal(id: MessageId) -> String {
    json!({ "MessageId": id.to_string(), "MessageType": ["urn:message:A:B"], "Message": {}, "Headers": {} })
        .to_string()
}

/// Whether our relay would send it.
fn sent(message: &StoredMessage) -> Result<(), Poison> {
    outgoing(message.clone(), &Home::new(false, "h", 5672, "/"), now()).map(drop)
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
    let plain = StoredMessage { properties: Some("{}".to_owned()), ..texts() };
    let after = destination(THERE).apply(&plain, LIMIT).unwrap();
    assert_eq!(after.properties.as_deref(), Some("{}"));
    let none = StoredMessage { properties: None, ..texts() };
    assert_eq!(destination(THERE).apply(&none, LIMIT).unwrap().properties, None);
}

#[test]
fn a_text_that_would_not_leave_is_refused() {
    let part = |repair: &Repair| match repair.apply(&texts(), LIMIT).unwrap_err() {
        Refusal::Unfit { part, .. } => part,
        other => panic!("{other:?}"),
    };
    for address in [
        "nowhere",
        "http://h/x",
        "rabbitmq://h/",
        "rabbitmq://h/a b",
        "",
        "topic:x",
        "queue:a%20b",
        "queue:x?type=x-delayed-message",
    ] {
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
    let broken = StoredMessage { properties: Some("{".to_owned()), ..texts() };
    let refused = destination(THERE).apply(&broken, LIMIT).unwrap_err();
    assert!(matches!(refused, Refusal::Unfit { part: Part::Properties, .. }), "{refused:?}");
    let both =
        Repair { properties: Some(r#"{"RMQ-Exchange":"x"}"#.to_owned()), ..destination(THERE) };
    let after = both.apply(&broken, LIMIT).unwrap();
    assert!(after.properties.unwrap().contains("UserCheckedOut"));
}

#[test]
fn empty_headers_are_none_and_the_same_is_no_repair() {
    let broken = StoredMessage { headers: Some("{not json".to_owned()), ..texts() };
    let clear = Repair { headers: Some(" ".to_owned()), ..Repair::default() };
    let after = clear.apply(&broken, LIMIT).unwrap();
    assert_eq!(after.headers, None);
    // What was not touched may still be wrong; the plan says so.
    assert!(matches!(after.poison(LIMIT, Sender::Relay)[..], [Poison::Destination { .. }]));
    assert_eq!(clear.apply(&texts(), LIMIT), Err(Refusal::Unchanged));
    assert_eq!(Repair::default().apply(&texts(), LIMIT), Err(Refusal::Unchanged));
}

fn whole() -> StoredMessage {
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
    StoredMessage::read(&fields, now()).unwrap()
}

#[test]
fn a_message_is_read_from_its_columns() {
    let whole = whole();
    assert_eq!((whole.message, whole.sent), (ID, at("2026-11-22T09:00:00Z")));
    assert_eq!(whole.conversation, Some(Uuid::from_u128(7)));
    assert_eq!(whole.content_type, CONTENT_TYPE);
    assert_eq!(StoredMessage::read(&json!({}), now()), Err(Refusal::Incomplete("a body")));
    let nameless = json!({ "body": {}, "message_type": "urn:message:A:B" });
    assert_eq!(StoredMessage::read(&nameless, now()), Err(Refusal::Incomplete("a message_id")));
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
    let broken = StoredMessage { body: "{".to_owned(), ..whole() };
    assert!(matches!(renamed(&broken, id), Err(Refusal::Unfit { part: Part::Body, .. })));
}

#[test]
fn only_what_is_old_enough_goes() {
    assert_eq!(old_enough(now() - TimeDelta::days(1), YOUNGEST, now()), Ok(()));
    let refused = old_enough(now() - TimeDelta::hours(23), YOUNGEST, now()).unwrap_err();
    assert_eq!(refused.rule(), "old-enough");
    assert!(refused.to_string().contains("older than 1d"), "{refused}");
    assert_eq!(old_enough(now() - TimeDelta::minutes(1), HANDLING, now()), Ok(()));
    assert!(old_enough(now(), HANDLING, now()).is_err());
}

#[test]
fn a_message_says_itself_where_it_goes() {
    let kinds = "urn:message:A:Placed;urn:message:A:Base".to_owned();
    let named =
        |body: &str| StoredMessage { body: body.to_owned(), kinds: kinds.clone(), ..whole() };
    let own = named(r#"{"destinationAddress":"rabbitmq://h/A:Placed?temporary=true"}"#);
    assert_eq!(own.own_destination().as_deref(), Some("rabbitmq://h/A:Placed?temporary=true"));
    for body in [r#"{"destinationAddress":"nowhere"}"#, "{}", "no JSON", "[1]"] {
        assert_eq!(named(body).own_destination().as_deref(), Some("exchange:A:Placed"), "{body}");
    }
    let nothing = StoredMessage { kinds: "x".to_owned(), ..named("{}") };
    assert_eq!(nothing.own_destination(), None);
    let other = |address: &str| {
        let address = crate::domain::address::Address::parse(address).unwrap();
        own.is_of_another_type(&address)
    };
    assert!(other("rabbitmq://h/A:Cancelled") && other("exchange:B:Placed"));
    assert!(!other("rabbitmq://h/A:Placed") && !other("exchange:A:Base") && !other("queue:work"));
}

proptest! {
    /// Diagnosis and relay read a message alike: what the relay refuses to send, the diagnosis names, for the same
    /// reason; and what a repair certifies as clean, the relay sends.
    #[test]
    fn a_clean_message_is_one_that_the_relay_sends(
        destination in proptest::option::of(prop_oneof![
            "(rabbitmqs?:/{0,3}[h ]?/?|queue:|exchange:|topic:|x:|)(v%2F/)?[a-zA-Z:.%/ ]{0,8}",
            "(rabbitmq://h/|queue:)q\\?(type|durable|bind|queue|alternateexchange|x)=(true|direct|x-y| |a%20b)?",
        ]),
        headers in proptest::option::of(prop_oneof![
            "[{}\\[\\]a1\": ]{0,6}", Just("null".to_owned()), Just("{\"MT-Activity-Id\":\"00-1\"}".to_owned()),
        ]),
        properties in proptest::option::of(prop_oneof![
            "[{}\\[\\]a1\": ]{0,6}",
            "\\{\"(RMQ-Exchange|rmq-exchange|RMQ-Priority|Delay|RMQ-UserId|Durable)\":(null|\"q\"|\"a%20b\"|7|256|\"x{300}\")\\}",
        ]),
        content_type in prop_oneof![
            4 => Just(CONTENT_TYPE.to_owned()), 1 => Just(CONTENT_TYPE.to_uppercase()), 1 => "[a-z/]{0,16}",
        ],
        body in prop_oneof![
            Just(envelope(ID)), Just(pascal(ID)), "[{}\\[\\]a1\": ]{0,6}",
            "\\{\"messageType\":(\\[\\]|null|1)(,\"message\":1)?(,\"headers\":(1|null|\\{\\}))?\\}",
        ],
        repaired in proptest::option::of("(rabbitmq://h/|queue:|topic:)[a-z%]{1,6}"),
    ) {
        let sample = StoredMessage::sample(ID);
        let before = StoredMessage { content_type, body, headers, properties, destination, ..sample };
        let after = Repair { destination: repaired, ..Repair::default() }.apply(&before, LIMIT);
        let clean = |texts: &StoredMessage| texts.poison(LIMIT, Sender::Relay).is_empty();
        let repaired = after.as_ref().map(|after| (after, clean(after)));
        for (texts, certified) in [(&before, clean(&before))].into_iter().chain(repaired) {
            match sent(texts) {
                Ok(()) => prop_assert!(certified, "the relay sends what the diagnosis calls poison: {texts:?}"),
                Err(why) => prop_assert_eq!(texts.poison(LIMIT, Sender::Relay).first().cloned(), Some(why)),
            }
            // The service can do all that our relay can.
            for bad in texts.poison(LIMIT, Sender::Service) {
                prop_assert!(texts.poison(LIMIT, Sender::Relay).contains(&bad), "{bad}");
            }
        }
        if let Ok(after) = after {
            prop_assert!(crate::domain::address::Address::parse(after.destination.as_deref().unwrap()).is_ok());
        }
    }

    /// Whatever is repaired leaves, or is refused, or what keeps it is a part that was not given.
    #[test]
    fn a_repair_never_leaves_a_given_part_unfit(
        destination in proptest::option::of("(rabbitmq://h/|queue:|x:|)[a-zA-Z:. ]{0,12}"),
        headers in proptest::option::of(prop_oneof![Just(String::new()), Just("{\"a\":1}".to_owned()), "[{}a\":]{0,6}"]),
        properties in proptest::option::of(prop_oneof![Just("{\"RMQ-Exchange\":\"q\"}".to_owned()), "[{}a\":]{0,6}"]),
        body in proptest::option::of(prop_oneof![Just(envelope(ID)), "[{}a\":]{0,6}"]),
        bad in proptest::bool::ANY,
    ) {
        let before = StoredMessage { headers: bad.then(|| "{".to_owned()), ..texts() };
        let repair = Repair { destination, headers, properties, body };
        if let Ok(after) = repair.apply(&before, LIMIT) {
            let given = repair.parts();
            prop_assert!(!before.changed(&after).is_empty());
            for found in after.poison(LIMIT, Sender::Relay) {
                let part = repair::part_of(&found).unwrap();
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
        let before = StoredMessage { body: body.to_string(), ..whole() };
        let out = renamed(&before, id).unwrap();
        let read: Value = serde_json::from_str(&out.body).unwrap();
        prop_assert_eq!(read, json!({ "messageId": id.to_string(), "message": { "text": text } }));
    }
}

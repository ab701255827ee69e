//! Chains made by hand, with every kind of proof, and chains of anything.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::domain::{
    event::{EventKind, RecordedEvent},
    samples::{self, at},
    timeline::Timeline,
};

const TRACE: &str = "03d1df5d31dd11b6aedae8a1f12fd984";

fn uuid(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn sent(sequence: i64, kind: EventKind, published: &str) -> Sent {
    Sent {
        sequence,
        id: MessageId(uuid(0x1000 + u128::try_from(sequence).unwrap())),
        kind: format!("urn:message:{}", kind.contract()),
        published: at(published),
        delivery: Delivery::Pending,
        delivered: None,
        owner: Owner::Bus(OutboxId(uuid(0xb3))),
        opened: Some(at(published)),
        conversation: None,
        correlation: None,
        initiator: None,
        activity: None,
        destination: None,
        names_order: true,
    }
}

fn received(message: u128, received: &str, consumed: &str) -> Received {
    Received {
        message: MessageId(uuid(message)),
        consumer: ConsumerId(uuid(0xc)),
        received: at(received),
        consumed: Some(at(consumed)),
        delivered: Some(at(consumed)),
        passes: 3,
    }
}

/// Placed at 09:12:04, cancelled a minute later.
fn events() -> Vec<RecordedEvent> {
    let order = samples::order();
    vec![
        samples::written(1, EventKind::Placed, &order),
        samples::written(2, EventKind::Cancelled, &order),
    ]
}

fn traced(event: &mut RecordedEvent, span: &str) -> String {
    let parent = format!("00-{TRACE}-{span}-01");
    event.headers = Some(json!({ "traceparent": parent }));
    event.correlation_id = Some(TRACE.to_owned());
    event.causation_id = Some(span.to_owned());
    parent
}

fn chain(events: Vec<RecordedEvent>, facts: &Facts) -> Chain {
    let chain = Chain::new(&Timeline::new(samples::order().id, events.clone()), facts);
    sound(&chain, events.len(), facts);
    chain
}

/// What holds of every chain.
fn sound(chain: &Chain, events: usize, facts: &Facts) {
    let mut versions = vec![];
    let mut sequences = vec![];
    for node in chain.nodes() {
        match node {
            Node::Event { version, .. } => versions.push(version.0),
            Node::Message { sequence, .. } => sequences.push(*sequence),
            _ => {}
        }
    }
    let all: Vec<i64> = (1..=i64::try_from(events).unwrap()).collect();
    assert_eq!(versions, all, "every event once, by version");
    sequences.sort_unstable();
    let mut sent: Vec<i64> = facts.messages.iter().map(|message| message.sequence).collect();
    sent.sort_unstable();
    assert_eq!(sequences, sent, "every message once");
    let mut touched = BTreeSet::new();
    for hop in chain.hops() {
        assert!(hop.from.0 < chain.nodes().len() && hop.to.0 < chain.nodes().len());
        assert!(!hop.proof.why().is_empty() && hop.from != hop.to);
        touched.extend([hop.from, hop.to]);
    }
    assert_eq!(touched.len(), chain.nodes().len(), "no node without a hop");
    let told: usize = chain.paths().iter().map(|path| chain.hops_of(path).len()).sum();
    assert_eq!(told, chain.hops().len(), "every hop is in one path");
    for version in all {
        assert_eq!(chain.of_version(Version(version)).unwrap().version, Some(Version(version)));
    }
    for sequence in sent {
        assert!(chain.of_message(sequence).is_some());
    }
}

/// `v1 OrderPlaced ┄▶ 7 UserCheckedOut`, a line for each hop.
fn lines(chain: &Chain, version: i64) -> Vec<String> {
    let path = chain.of_version(Version(version)).unwrap();
    let line = |hop: &Hop| {
        let (from, to) = (chain.node(hop.from).label(), chain.node(hop.to).label());
        format!("{from} {} {to}", hop.proof.mark())
    };
    chain.hops_of(path).iter().map(line).collect()
}

fn why(chain: &Chain, version: i64, to: &str) -> String {
    let hops = chain.hops_of(chain.of_version(Version(version)).unwrap());
    hops.iter().find(|hop| chain.node(hop.to).label() == to).unwrap().proof.why()
}

#[test]
fn without_shared_ids_contract_and_time_lead_to_the_message() {
    let mut message = sent(7, EventKind::Placed, "2026-11-22T09:12:04.004Z");
    message.delivery = Delivery::Delivered;
    message.delivered = Some(at("2026-11-22T09:12:06Z"));
    let facts = Facts { messages: vec![message], ..Facts::default() };
    let chain = chain(events(), &facts);
    assert_eq!(
        lines(&chain, 1),
        [
            "caller ┄▶ v1 OrderPlaced",
            "v1 OrderPlaced ┄▶ 7 UserCheckedOut",
            "7 UserCheckedOut ─▶ outbox …00b3",
            "outbox …00b3 ─▶ broker",
            "broker ┄? other services",
        ]
    );
    let told = why(&chain, 1, "7 UserCheckedOut");
    assert!(told.contains("names the order") && told.contains("4ms after it"), "{told}");
    assert_eq!(
        lines(&chain, 2),
        ["caller ─✗ v2 OrderCancelled", "v2 OrderCancelled ─✗ OrderStatusChangedToCancel: no row",]
    );
    let told = why(&chain, 2, "OrderStatusChangedToCancel: no row");
    assert!(told.contains("delivered or purged"), "{told}");
}

#[test]
fn a_row_that_may_not_have_been_looked_at_is_not_called_gone() {
    let unsearched = Unsearched {
        messages: Some("among the newest 20000 only".to_owned()),
        inbox: Some("inbox_state cannot be read".to_owned()),
        commands: None,
    };
    let chain = chain(events(), &Facts { unsearched, ..Facts::default() });
    assert_eq!(
        lines(&chain, 2),
        ["caller ┄? v2 OrderCancelled", "v2 OrderCancelled ┄? OrderStatusChangedToCancel: no row"]
    );
}

#[test]
fn a_traceparent_proves_it() {
    let mut events = events();
    let parent = traced(&mut events[0], "99fa2ae7807e0b0d");
    traced(&mut events[1], "0123456789abcdef");
    let mut exact = sent(7, EventKind::Placed, "2026-11-22T09:12:04Z");
    exact.activity = Some(parent.to_uppercase());
    // The same trace, another span: the contract tells which of the two events.
    let mut loose = sent(8, EventKind::Cancelled, "2026-11-22T11:00:00Z");
    loose.activity = Some(format!("00-{TRACE}-aaaaaaaaaaaaaaaa-01"));
    loose.names_order = false;
    let facts = Facts { messages: vec![exact, loose], ..Facts::default() };
    let chain = chain(events, &facts);
    assert_eq!(lines(&chain, 1)[1], "v1 OrderPlaced ─▶ 7 UserCheckedOut");
    assert!(why(&chain, 1, "7 UserCheckedOut").contains("traceparent"));
    assert_eq!(lines(&chain, 2)[1], "v2 OrderCancelled ─▶ 8 OrderStatusChangedToCancel");
    assert!(why(&chain, 2, "8 OrderStatusChangedToCancel").contains(TRACE));
}

#[test]
fn of_several_events_in_one_trace_the_nearest_is_a_guess() {
    let order = samples::order();
    let mut events: Vec<_> =
        (1..=2).map(|version| samples::written(version, EventKind::Placed, &order)).collect();
    for event in &mut events {
        traced(event, "99fa2ae7807e0b0d");
    }
    let mut message = sent(7, EventKind::Placed, "2026-11-22T09:13:04Z");
    message.activity = Some(format!("00-{TRACE}-bbbbbbbbbbbbbbbb-01"));
    let chain = chain(events, &Facts { messages: vec![message], ..Facts::default() });
    assert_eq!(lines(&chain, 2)[1], "v2 OrderPlaced ┄▶ 7 UserCheckedOut");
    assert!(why(&chain, 2, "7 UserCheckedOut").starts_with("2 events share it"));
}

#[test]
fn a_command_is_proven_by_causation_and_by_its_outbox() {
    let mut events = events();
    events[0].causation_id = Some(uuid(0x77).to_string());
    let mut message = sent(9, EventKind::Cancelled, "2026-11-22T09:13:04.002Z");
    message.owner =
        Owner::Consumer { message: MessageId(uuid(0x88)), consumer: ConsumerId(uuid(0xc)) };
    let facts = Facts {
        messages: vec![message],
        received: vec![
            received(0x77, "2026-11-22T08:00:00Z", "2026-11-22T08:00:00Z"),
            received(0x88, "2026-11-22T09:13:03.990Z", "2026-11-22T09:13:04.010Z"),
        ],
        ..Facts::default()
    };
    let chain = chain(events, &facts);
    assert_eq!(lines(&chain, 1)[0], "inbox …0077 ─▶ v1 OrderPlaced");
    assert_eq!(
        lines(&chain, 2),
        [
            "inbox …0088 ┄▶ v2 OrderCancelled",
            "v2 OrderCancelled ┄▶ 9 OrderStatusChangedToCancel",
            "9 OrderStatusChangedToCancel ─▶ outbox of inbox …0088",
            "outbox of inbox …0088 ─✗ broker",
            "broker ┄? other services",
        ]
    );
    assert!(why(&chain, 2, "broker").contains("may have been sent all the same"));
}

#[test]
fn a_command_by_its_time_alone_is_a_guess_and_two_are_none() {
    let then = |message| received(message, "2026-11-22T09:13:03.950Z", "2026-11-22T09:13:04.020Z");
    let mut facts = Facts { received: vec![then(0x88)], ..Facts::default() };
    let one = chain(events(), &facts);
    assert_eq!(lines(&one, 2)[0], "inbox …0088 ┄▶ v2 OrderCancelled");
    facts.received.push(then(0x99));
    let two = chain(events(), &facts);
    assert_eq!(lines(&two, 2)[0], "caller ┄? v2 OrderCancelled");
    assert!(why(&two, 2, "v2 OrderCancelled").starts_with("2 commands"));
}

#[test]
fn our_own_message_that_comes_back_is_one_chain() {
    let mut events = events();
    let first = sent(7, EventKind::Placed, "2026-11-22T09:12:04Z");
    events[1].causation_id = Some(first.id.to_string());
    let row = received(first.id.0.as_u128(), "2026-11-22T09:13:04Z", "2026-11-22T09:13:04Z");
    let facts = Facts { messages: vec![first], received: vec![row], ..Facts::default() };
    let chain = chain(events.clone(), &facts);
    assert_eq!(lines(&chain, 1)[4], "broker ─▶ inbox …1007");
    assert_eq!(lines(&chain, 2)[0], "inbox …1007 ─▶ v2 OrderCancelled");
    // Its inbox row is gone: the message itself is still there.
    let chain = super::tests::chain(events, &Facts { received: vec![], ..facts });
    assert_eq!(lines(&chain, 2)[0], "7 UserCheckedOut ─▶ v2 OrderCancelled");
}

#[test]
fn an_answer_is_told_by_initiator_or_conversation() {
    let commanded = |initiator, conversation| {
        let mut first = sent(7, EventKind::Placed, "2026-11-22T09:12:04Z");
        first.correlation = Some(uuid(0xaa));
        first.conversation = Some(uuid(0xcc));
        let mut second = sent(9, EventKind::Cancelled, "2026-11-22T09:13:04Z");
        let inbound = MessageId(uuid(0x88));
        second.owner = Owner::Consumer { message: inbound, consumer: ConsumerId(uuid(0xc)) };
        second.initiator = initiator;
        second.conversation = conversation;
        let row = received(0x88, "2026-11-22T09:13:04Z", "2026-11-22T09:13:04Z");
        let facts =
            Facts { messages: vec![first, second], received: vec![row], ..Facts::default() };
        lines(&chain(events(), &facts), 2)[0].clone()
    };
    assert_eq!(commanded(Some(uuid(0xaa)), None), "7 UserCheckedOut ─▶ inbox …0088");
    assert_eq!(commanded(None, Some(uuid(0xcc))), "7 UserCheckedOut ┄▶ inbox …0088");
    assert_eq!(commanded(None, None), "inbox …0088 ┄▶ v2 OrderCancelled");
}

#[test]
fn messages_of_no_event_and_without_owner_are_causal_paths_too() {
    let mut orphan = sent(7, EventKind::Completed, "2026-11-22T09:12:04Z");
    orphan.delivery = Delivery::Orphan;
    orphan.owner = Owner::Nobody;
    let chain = chain(events(), &Facts { messages: vec![orphan], ..Facts::default() });
    let path = chain.of_message(7).unwrap();
    assert_eq!(path.version, None);
    let hops = chain.hops_of(path);
    assert!(
        matches!(hops, [Hop { proof: Proof::Absent(why), .. }] if why.contains("nothing will ever"))
    );
}

#[test]
fn a_pending_message_stands_behind_the_oldest_open_outbox() {
    let told = |head: Head| {
        let message = sent(88_204, EventKind::Placed, "2026-11-22T09:12:04Z");
        let facts = Facts { messages: vec![message], head: Some(head), ..Facts::default() };
        let chain = chain(events(), &facts);
        let broker = chain.nodes().iter().find(|node| node.label() == "broker").unwrap();
        broker.state().unwrap()
    };
    let (own, other) = (OutboxId(uuid(0xb3)), OutboxId(uuid(0xb0)));
    let opened = at("2026-11-22T09:00:00Z");
    let later = at("2026-11-22T10:00:00Z");
    let head = |outbox, opened, sequence| Head { outbox, opened, sequence: Some(sequence) };
    assert_eq!(told(head(other, opened, 88_190)), "pending, behind 88190");
    assert_eq!(told(head(other, later, 88_190)), "pending");
    assert_eq!(told(head(own, opened, 88_200)), "pending, behind 88200");
    assert_eq!(told(head(own, opened, 88_204)), "pending", "it is the head itself");
}

#[test]
fn the_inbox_is_asked_for_every_id_once() {
    let mut events = events();
    events[0].causation_id = Some(uuid(0x77).to_string());
    events[1].headers =
        Some(json!({ "reply": uuid(0x78), "again": uuid(0x77), "no": "x", "n": 4 }));
    let mut message = sent(7, EventKind::Placed, "2026-11-22T09:12:04Z");
    message.owner =
        Owner::Consumer { message: MessageId(uuid(0x88)), consumer: ConsumerId(uuid(0xc)) };
    let own = message.id.0;
    let ids: BTreeSet<_> = inbox_ids(&events, &[message]).into_iter().collect();
    assert_eq!(ids, BTreeSet::from([own, uuid(0x88), uuid(0x77), uuid(0x78)]));
}

/// Few ids, so that everything may name everything.
fn any_id() -> impl Strategy<Value = Uuid> {
    (0u128..6).prop_map(uuid)
}

fn any_text() -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        Just(None),
        any_id().prop_map(|id| Some(id.to_string())),
        Just(Some(TRACE.to_owned())),
        Just(Some("99fa2ae7807e0b0d".to_owned())),
        Just(Some(format!("00-{TRACE}-99fa2ae7807e0b0d-01"))),
        Just(Some("00-–-\u{202e}".to_owned())),
    ]
}

fn any_event() -> impl Strategy<Value = RecordedEvent> {
    let alias = prop_oneof![
        Just("order_placed_event"),
        Just("order_cancelled_event"),
        Just("parcel_scanned_event"),
    ];
    (alias, any_id(), any_text(), any_text(), any_text(), samples::any_time()).prop_map(
        |(alias, id, correlation, causation, header, time)| RecordedEvent {
            id: EventId(id),
            at: time,
            correlation_id: correlation,
            causation_id: causation,
            headers: header.map(|text| json!({ "traceparent": text })),
            ..samples::event(1, alias, json!({ "Order": { "Id": samples::order().id } }))
        },
    )
}

fn any_sent() -> impl Strategy<Value = Sent> {
    let kind = prop_oneof![
        Just(EventKind::Placed.contract()),
        Just(EventKind::Cancelled.contract()),
        Just("Other"),
        Just(""),
    ];
    let owner = prop_oneof![
        Just(Owner::Nobody),
        any_id().prop_map(|id| Owner::Bus(OutboxId(id))),
        (any_id(), any_id()).prop_map(|(message, consumer)| Owner::Consumer {
            message: MessageId(message),
            consumer: ConsumerId(consumer),
        }),
    ];
    let delivery =
        prop_oneof![Just(Delivery::Pending), Just(Delivery::Delivered), Just(Delivery::Orphan)];
    let ids = prop::array::uniform3(prop::option::of(any_id()));
    (any_id(), kind, owner, delivery, ids, any_text(), samples::any_time(), any::<bool>()).prop_map(
        |(
            id,
            kind,
            owner,
            delivery,
            [conversation, correlation, initiator],
            activity,
            time,
            names,
        )| {
            Sent {
                sequence: 0,
                id: MessageId(id),
                kind: kind.to_owned(),
                published: time,
                delivery,
                delivered: None,
                owner,
                opened: Some(time),
                conversation,
                correlation,
                initiator,
                activity,
                destination: None,
                names_order: names,
            }
        },
    )
}

fn any_received() -> impl Strategy<Value = Received> {
    (any_id(), any_id(), samples::any_time(), prop::option::of(samples::any_time())).prop_map(
        |(message, consumer, received, consumed)| Received {
            message: MessageId(message),
            consumer: ConsumerId(consumer),
            received,
            consumed,
            delivered: consumed,
            passes: 3,
        },
    )
}

proptest! {
    /// Whatever names whatever, itself included: no panic, every event and message once, no hop into nowhere.
    #[test]
    fn any_facts_make_a_sound_chain(
        events in prop::collection::vec(any_event(), 0..8),
        messages in prop::collection::vec(any_sent(), 0..8),
        received in prop::collection::vec(any_received(), 0..8),
        head in prop::option::of((any_id(), samples::any_time(), prop::option::of(0i64..9))),
    ) {
        let events: Vec<_> = (1..).zip(events).map(|(seq, event)| {
            RecordedEvent { seq: SeqId(seq), ..event }
        }).collect();
        let messages: Vec<_> = (1..).zip(messages).map(|(sequence, message)| {
            Sent { sequence, ..message }
        }).collect();
        let head = head.map(|(outbox, opened, sequence)| {
            Head { outbox: OutboxId(outbox), opened, sequence }
        });
        let facts = Facts { messages, received, head, unsearched: Unsearched::default() };
        chain(events, &facts);
    }
}

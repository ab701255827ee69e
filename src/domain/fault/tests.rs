//! What the real service left in its error queues, what it might have left, and what nobody should.

use chrono::TimeDelta;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::*;
use crate::domain::{
    id::{ConsumerId, MessageId},
    samples::at,
};

const REAL: &str = include_str!("../../../tests/fixtures/error-queues.jsonl");
const INBOX: &str = include_str!("../../../tests/fixtures/2-delivered/inbox_state.csv");
const COMPLETE: &str = "DeleteBasketCompleteCommandHandler:\
    BookWorm.Contracts.DeleteBasketCompleteCommand:basket-checkout-complete";

/// What the real service left in its error queues.
fn raws() -> Vec<Raw> {
    REAL.lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            let properties = &line["properties"];
            Raw {
                queue: line["queue"].as_str().unwrap().to_owned(),
                message_id: properties["message_id"].as_str().map(str::to_owned),
                content_type: properties["content_type"].as_str().map(str::to_owned),
                headers: properties["headers"].as_object().unwrap().clone(),
                body: line["payload"].as_str().unwrap().as_bytes().to_vec(),
            }
        })
        .collect()
}

fn faults() -> Vec<Fault> {
    raws().iter().map(Fault::read).collect()
}

/// The inbox as it was then.
fn inbox() -> Vec<InboxRow> {
    let mut reader = csv::Reader::from_reader(INBOX.as_bytes());
    let time =
        |text: &str| (!text.is_empty()).then(|| at(&format!("{}:00", text.replacen(' ', "T", 1))));
    reader
        .records()
        .map(|record| {
            let record = record.unwrap();
            InboxRow {
                message: MessageId(record[1].parse().unwrap()),
                consumer: ConsumerId(record[2].parse().unwrap()),
                received: time(&record[5]).unwrap(),
                consumed: time(&record[8]),
                delivered: time(&record[9]),
            }
        })
        .collect()
}

fn now() -> chrono::DateTime<chrono::Utc> {
    at("2026-11-22T18:20:00Z")
}

fn reach() -> InboxCoverage {
    InboxCoverage::Since(now() - TimeDelta::minutes(30))
}

fn consumers(configured: &[&str]) -> Consumers {
    Consumers {
        configured: configured.iter().map(|name| name.parse().unwrap()).collect(),
        seen: inbox().iter().map(|row| row.consumer).collect(),
        ..Consumers::default()
    }
}

fn judged(fault: &Fault, rows: &[InboxRow], known: &Consumers, reach: InboxCoverage) -> Judgement {
    judge(fault, rows, known, reach, now())
}

#[test]
fn real_messages_are_understood() {
    let faults = faults();
    assert_eq!(faults.len(), 8);
    let failed = &faults[5];
    assert_eq!(failed.kind, Kind::Failed);
    assert_eq!(failed.origin(), Ok("basket-checkout-failed"));
    assert_eq!(failed.consumer.as_deref(), Some("DeleteBasketFailedCommandHandler"));
    assert_eq!(failed.text.as_deref(), Some("basket service down"));
    let message: Uuid = "d71b0000-ee9d-1ebc-f464-08df48c4c7b2".parse().unwrap();
    assert_eq!(failed.message, Some(MessageId(message)));
    assert_eq!(failed.failed, Some(at("2026-11-22T18:16:53.065376Z")));
    assert_eq!(failed.host.process.as_deref(), Some("BookWorm.Ordering"));
    assert_eq!(
        failed.message_type.as_deref(),
        Some("BookWorm.Contracts.DeleteBasketFailedCommand")
    );
    let order = failed.order.unwrap().to_string();
    assert_eq!(order, "01a20479-a6a0-780e-9eba-14aafa446993");
    assert!(!failed.looks_doubled() && faults[0].looks_doubled() && faults[3].looks_doubled());
    let keys: std::collections::BTreeSet<_> = faults.iter().map(|fault| &fault.key).collect();
    assert_eq!(keys.len(), 8);
}

#[test]
fn alike_failures_make_one_group() {
    let faults = faults();
    let groups = group(faults.iter().map(|fault| (fault, Verdict::Unknown)));
    let counts: Vec<_> = groups.iter().map(|group| group.count).collect();
    assert_eq!(counts, [3, 3, 2]);
    let total: usize = groups.iter().flat_map(|group| group.verdicts.values()).sum();
    assert_eq!(total, 8);
    let ours = groups.iter().find(|group| group.consumer.is_some()).unwrap();
    assert_eq!(ours.text, "basket service down");
    assert!(ours.first < ours.last);
    assert!(groups.iter().any(|group| group.text.starts_with("23505: duplicate key")));
}

#[test]
fn real_duplicates_are_done_and_real_failures_wait() {
    let (faults, rows) = (faults(), inbox());
    for known in [consumers(&[]), consumers(&[COMPLETE])] {
        let complete = !known.configured.is_empty();
        for fault in &faults[..5] {
            let judgement = judged(fault, &rows, &known, reach());
            assert_eq!(judgement.verdict, Verdict::Done, "{judgement:?}");
            assert!(
                matches!(judgement.why, Why::Delivered { complete: said, .. } if said == complete)
            );
        }
        for fault in &faults[5..] {
            let judgement = judged(fault, &rows, &known, reach());
            assert_eq!(judgement.verdict, Verdict::Waiting, "{judgement:?}");
            assert!(matches!(judgement.why, Why::Failed { .. }));
        }
    }
}

#[test]
fn another_configured_consumer_without_a_row_is_not_done() {
    let second = "Other:BookWorm.Contracts.DeleteBasketCompleteCommand:basket-checkout-complete";
    let mut fault = faults().remove(0);
    fault.text = Some("timeout".into());
    let known = consumers(&[COMPLETE, second]);
    let within = judged(&fault, &inbox(), &known, reach());
    assert_eq!(within, Judgement { verdict: Verdict::Waiting, why: Why::NeverReached });
    let without = judged(&fault, &inbox(), &known, InboxCoverage::Since(now()));
    assert_eq!(without.verdict, Verdict::Unknown);
    // A consumer of another queue or another type is none of this message's.
    let elsewhere = COMPLETE.replace("basket-checkout-complete", "elsewhere");
    let known = consumers(&[COMPLETE, &elsewhere]);
    assert_eq!(judged(&fault, &inbox(), &known, reach()).verdict, Verdict::Done);
}

#[test]
fn without_a_row_only_the_window_can_tell() {
    let mut fault = faults().remove(5);
    let known = consumers(&[]);
    let verdict = |fault: &Fault, reach| judged(fault, &[], &known, reach);
    assert_eq!(verdict(&fault, reach()).why, Why::NeverReached);
    let late = verdict(&fault, InboxCoverage::Since(now() - TimeDelta::minutes(1)));
    assert_eq!(late.verdict, Verdict::Unknown);
    assert!(late.why.to_string().contains("runs the handler again"), "{}", late.why);
    assert_eq!(verdict(&fault, InboxCoverage::Unknown).why, Why::NoWindow);
    assert_eq!(verdict(&fault, InboxCoverage::Unread).why, Why::InboxUnread);
    fault.failed = Some(now() + TimeDelta::hours(1));
    assert_eq!(verdict(&fault, reach()).why, Why::NoTime);
    fault.failed = None;
    assert_eq!(verdict(&fault, reach()).why, Why::NoTime);
    let nobody = judged(&fault, &[], &Consumers::default(), reach());
    assert_eq!(nobody.why, Why::OtherInbox);
    fault.message = None;
    assert_eq!(verdict(&fault, reach()).why, Why::NoMessageId);
}

#[test]
fn second_deliveries_without_a_delivered_row_are_probable_duplicates() {
    for fault in &faults()[..5] {
        let judgement = judged(fault, &[], &consumers(&[COMPLETE]), reach());
        assert_eq!(judgement.verdict, Verdict::ProbableDuplicate);
        assert!(!judgement.verdict.in_bulk_replay() && judgement.verdict.may_repeat());
        // The same failure inside a consumer is its own.
        let mut inside = fault.clone();
        inside.consumer = Some("DeleteBasketCompleteCommandHandler".into());
        let judgement = judged(&inside, &[], &consumers(&[COMPLETE]), reach());
        assert_eq!(judgement.verdict, Verdict::Waiting);
    }
}

#[test]
fn rows_of_consumers_that_nothing_names_prove_nothing() {
    let mut fault = faults().remove(0);
    let stranger = |delivered| InboxRow {
        message: fault.message.unwrap(),
        consumer: ConsumerId(Uuid::from_u128(9)),
        received: now(),
        consumed: None,
        delivered,
    };
    let delivered = stranger(Some(now()));
    let known = Consumers::default();
    let doubled = judged(&fault, &[delivered], &known, reach());
    assert_eq!(doubled.why, Why::Doubled { rows: 1, delivered: 1 });
    let open = stranger(None);
    fault.text = Some("timeout".into());
    let unnamed = judged(&fault, &[delivered], &known, reach());
    assert_eq!(unnamed.why, Why::UnnamedConsumers { rows: 1, delivered: 1 });
    // A delivered row of its consumer beside an open one of a stranger.
    let mut rows: Vec<_> = inbox();
    rows.push(open);
    let both = judged(&fault, &rows, &known, reach());
    assert_eq!(both.why, Why::UnnamedConsumers { rows: 2, delivered: 1 });
}

#[test]
fn half_done_and_skipped_messages_wait() {
    let fault = faults().remove(0);
    let mut rows = inbox();
    for row in &mut rows {
        row.delivered = None;
    }
    let judgement = judged(&fault, &rows, &consumers(&[]), reach());
    assert!(matches!(
        judgement,
        Judgement { verdict: Verdict::Waiting, why: Why::HalfDone { .. } }
    ));

    let mut raw = raws().remove(0);
    raw.queue = "basket-checkout-complete_skipped".into();
    raw.headers = Map::new();
    raw.headers.insert("MT-Reason".into(), json!("dead-letter"));
    let skipped = Fault::read(&raw);
    assert_eq!((skipped.kind, skipped.origin()), (Kind::Skipped, Ok("basket-checkout-complete")));
    let judgement = judged(&skipped, &[], &consumers(&[]), reach());
    assert_eq!(judgement, Judgement { verdict: Verdict::Waiting, why: Why::NoConsumer });
}

#[test]
fn where_it_came_from_must_be_certain() {
    let with = |queue: &str, input: Option<&str>| {
        let mut fault = faults().remove(0);
        fault.queue = queue.to_owned();
        fault.input = input.map(str::to_owned);
        fault.origin().map(str::to_owned)
    };
    let address = Some("rabbitmq://h:5673/vhost/a?bind=true");
    assert_eq!(with("a_error", address), Ok("a".into()));
    assert_eq!(with("a_error", None), Ok("a".into()));
    assert_eq!(with("parked", address), Ok("a".into()));
    assert!(matches!(with("b_error", address), Err(UnknownOrigin::Elsewhere { .. })));
    assert!(matches!(with("parked", None), Err(UnknownOrigin::Unnamed(_))));
    assert!(matches!(with("_error", None), Err(UnknownOrigin::Unnamed(_))));
    // To itself it would go round for ever.
    assert!(matches!(with("a", address), Err(UnknownOrigin::Unnamed(_))));
    let mut fault = faults().remove(0);
    fault.queue = "b_error".into();
    assert_eq!(judged(&fault, &inbox(), &consumers(&[]), reach()).verdict, Verdict::Unknown);
}

#[test]
fn texts_lose_what_differs_and_keep_what_names() {
    for (text, expected) in [
        ("23505: duplicate key  value", "23505: duplicate key value"),
        ("Order 01a20479-a6a0-780e-9eba-14aafa446993 is gone", "Order <id> is gone"),
        ("order(01a20479-a6a0-780e-9eba-14aafa446993): 404", "order(<id>): <n>"),
        ("no answer after 30 s, 1,204.50 of 7", "no answer after <n> s, <n> of <n>"),
        ("mail to le.thi@example.org\nfailed", "mail to <mail> failed"),
        ("at 2026-11-22T18:16:52.98Z token deadbeef01", "at <time> token <hex>"),
        ("step12 of UInt32 'x-7'", "step<n> of UInt<n> 'x-<n>'"),
        ("", ""),
    ] {
        assert_eq!(normalised(text), expected);
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(json!("d71b0000-ee9d-1ebc-f464-08df48c4c7b2")),
        Just(json!("urn:message:")),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let key = prop_oneof![
            Just("messageId".to_owned()),
            Just("messageType".to_owned()),
            Just("headers".to_owned()),
            Just("message".to_owned()),
            Just("order".to_owned()),
            any::<String>(),
        ];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((key, inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

fn any_raw() -> impl Strategy<Value = Raw> {
    let names = [
        "MT-Reason",
        "MT-Fault-Timestamp",
        "MT-Fault-Message",
        "MT-Fault-InputAddress",
        "MT-Fault-ConsumerType",
        "MT-Fault-MessageType",
        "MT-Fault-RetryCount",
    ];
    let headers =
        proptest::collection::vec((proptest::sample::select(names.to_vec()), any_json()), 0..8);
    let body = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..64),
        any_json().prop_map(|json| json.to_string().into_bytes()),
    ];
    let queue = prop_oneof![any::<String>(), Just("a_error".to_owned()), Just("_error".to_owned())];
    (queue, proptest::option::of(any::<String>()), headers, body).prop_map(
        |(queue, message_id, headers, body)| Raw {
            queue,
            message_id,
            content_type: None,
            headers: headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            body,
        },
    )
}

proptest! {
    #[test]
    fn whatever_lies_there_is_read_grouped_and_judged(raw in any_raw()) {
        let fault = Fault::read(&raw);
        prop_assert_eq!(&fault.key, &Fault::read(&raw).key);
        let judgement = judged(&fault, &inbox(), &consumers(&[COMPLETE]), reach());
        prop_assert!(!judgement.why.to_string().is_empty());
        // Hostile headers never make a message pass for done or safe without a row or a skip to show for it.
        if !inbox().iter().any(|row| Some(row.message) == fault.message) {
            prop_assert!(judgement.verdict != Verdict::Done);
        }
        let groups = group([(&fault, judgement.verdict)]);
        prop_assert_eq!(groups.len(), 1);
        prop_assert_eq!(&groups[0].fingerprint, &Fingerprint::of(&fault));
    }

    #[test]
    fn normal_texts_are_short_and_stay_as_they_are(text in any::<String>()) {
        let once = normalised(&text);
        prop_assert!(!once.contains('\n'));
        // Only a SQLSTATE keeps its digits.
        let rest = once.strip_prefix(text.get(..6).unwrap_or("\n")).unwrap_or(&once);
        prop_assert!(!rest.contains(|c: char| c.is_ascii_digit()), "{once:?}");
    }

    #[test]
    fn numbers_and_ids_never_part_a_group(
        a in any::<u32>(),
        b in any::<u32>(),
        x in any::<u128>(),
        y in any::<u128>(),
    ) {
        let text = |n: u32, id: u128| format!("order {} has {n} lines at v{n}", Uuid::from_u128(id));
        prop_assert_eq!(normalised(&text(a, x)), normalised(&text(b, y)));
    }
}

//! Orders and histories as a person on duty sees them, made by hand and always the same.

use chrono::TimeDelta;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    db::{
        letters::Letter,
        messages::Message,
        streams::{Snapshot, Stream},
        summaries::{Position, SummaryDocument},
    },
    domain::{
        chain::{Facts, Head, Received},
        coverage::NotLookedAt,
        decide::Command,
        event::{EventKind, RecordedEvent},
        id::{
            BookId, BuyerId, ConsumerId, EventId, LineId, MessageId, OrderId, OutboxId, SeqId,
            StreamId, Version,
        },
        order::{Buyer, Line, Order, Status},
        outbox::{Delivery, Owner},
        samples::{self, at},
        search::SearchError,
    },
    ops::{
        audit::Recorded,
        history::History,
        operation::{
            Check, Effect as PlannedEffect, ExpectedVersions, Listed, Needed, Operation, Outcome,
            Plan, PlanRequest, Steps, Verdict,
        },
        policy::Policy,
        search::{self, Access, OrderLine},
    },
    tui::screens::orders::Answer,
};

/// When the sample order was placed.
pub const PLACED: &str = "2026-11-22T09:12:04.118Z";

/// A version 7 id of that moment, ending in `tail`.
pub fn id(placed: &str, tail: u128) -> Uuid {
    let millis = u128::try_from(at(placed).timestamp_millis()).unwrap();
    Uuid::from_u128(millis << 80 | 0x7b40_9d2a_5e0c_4b1f_0000 | tail)
}

pub fn answer() -> Answer {
    Answer {
        coverage: vec![],
        access: Access::Index,
        millis: 12,
        plan: std::sync::Arc::new(search::Plan::nothing()),
    }
}

fn row(placed: &str, tail: u128, buyer: &str, status: Status, total: &str) -> OrderLine {
    OrderLine {
        id: OrderId(id(placed, tail)),
        placed: at(placed),
        tenant: None,
        buyer: BuyerId(id("2025-03-01T08:00:00Z", 0x4e10)),
        buyer_name: Some(buyer.to_owned()),
        status,
        items: Some(2),
        total: Some(total.parse().unwrap()),
        has_note: false,
        undelivered: Some(false),
        letter: Some(false),
        stale: false,
        deleted: false,
        drift: Some(false),
    }
}

/// Ten orders, newest first, with every flag among them.
pub fn rows() -> Vec<OrderLine> {
    use Status::{Cancelled, Completed, New, Other};
    let mut rows = vec![
        row("2026-11-22T13:58:02Z", 0x0b19, "Tran Mai", New, "18.00"),
        row("2026-11-22T13:40:55Z", 0x77d0, "Hoang Van Thai", New, "1204.50"),
        row("2026-11-22T11:04:31Z", 0x5a1e, "Pham Quynh", Completed, "87.75"),
        row(PLACED, 0x8c41, "Le Thi", Cancelled, "61.40"),
        row("2026-11-22T08:31:18Z", 0x4da8, "Nguyen Quang", New, "25.00"),
        row("2026-11-22T07:20:44Z", 0xb6f1, "Vo Chi", Completed, "203.10"),
        row("2026-11-22T06:19:09Z", 0x118d, "Katō Ōe", New, "14.20"),
        row("2026-11-21T17:02:55Z", 0xc3a0, "木村 拓哉", Completed, "52.30"),
        row("2026-11-20T16:58:37Z", 0x5508, "R\u{1b}[31mE", New, "7.00"),
        row("2026-11-19T10:00:00Z", 0x9f9f, "Cher", Other(7), "0.00"),
    ];
    rows[2].drift = Some(true);
    rows[2].letter = Some(true);
    rows[3].undelivered = Some(true);
    rows[6].deleted = true;
    rows[8].stale = true;
    rows[9].undelivered = None;
    rows[9].total = None;
    rows[9].buyer_name = None;
    rows
}

/// Many orders, newest first: number 0 is the newest.
pub fn many(numbers: std::ops::Range<u32>) -> Vec<OrderLine> {
    let order = |number: u32| {
        let placed = at(PLACED) - TimeDelta::minutes(number.into());
        let text = placed.to_rfc3339();
        row(&text, number.into(), "Le Thi", Status::New, "10.00")
    };
    numbers.map(order).collect()
}

/// The error that a query has.
pub fn lost() -> crate::db::Error {
    crate::db::Error::Unreachable {
        place: "pg-ea-1:5432/ordering".to_owned(),
        why: "Connection refused (os error 111)".to_owned(),
    }
}

/// Says whether an error is about this text's piece.
pub fn is_at(error: &SearchError, text: &str, piece: &str) -> bool {
    text.get(error.at.clone()) == Some(piece)
}

/// The order as it was placed.
fn placed() -> Order {
    let line = |number: u128, tail, quantity, price: &str| Line {
        id: LineId(Uuid::from_u128(number)),
        book: BookId(id("2024-01-01T00:00:00Z", tail)),
        quantity,
        price: price.parse().unwrap(),
    };
    Order {
        id: OrderId(id(PLACED, 0x8c41)),
        status: Status::New,
        note: Some("leave at the door, code 4711".to_owned()),
        buyer_id: Some(BuyerId(id("2025-03-01T08:00:00Z", 0x4e10))),
        buyer: Some(Buyer {
            name: Some("Le Thi".to_owned()),
            street: Some("8 Book Lane".to_owned()),
            city: Some("Hue".to_owned()),
            province: None,
        }),
        lines: vec![line(1, 0x91aa, 2, "14.20"), line(2, 0x03c7, 1, "33.00")],
        total: "61.40".parse().unwrap(),
        is_deleted: false,
        created_at: Some(at(PLACED)),
        last_modified_at: None,
        cancel_reason: None,
        unread: None,
    }
}

fn event(version: i64, seq: i64, time: &str, kind: EventKind, order: &Order) -> RecordedEvent {
    RecordedEvent {
        correlation_id: Some(format!("c7d1e2f3-0000-4000-8000-0000000000{:02x}", 0x19 + version)),
        dotnet_type: Some(kind.dotnet_type().to_owned()),
        tenant: None,
        ..stored(version, seq, time, samples::written(version, kind, order))
    }
}

fn stored(version: i64, seq: i64, time: &str, event: RecordedEvent) -> RecordedEvent {
    RecordedEvent {
        seq: SeqId(seq),
        id: EventId(id(time, u128::try_from(seq & 0xffff).unwrap())),
        stream: Some(StreamId(id(PLACED, 0x8c41))),
        version: Version(version),
        at: at(time),
        ..event
    }
}

fn unknown(version: i64, seq: i64, time: &str, kind: &str, body: Value) -> RecordedEvent {
    stored(version, seq, time, samples::event(version, kind, body))
}

fn message(sequence: i64, contract: &str, time: &str, delivery: Delivery) -> Message {
    let delivered = (delivery == Delivery::Delivered).then(|| at(time) + TimeDelta::seconds(2));
    Message {
        sequence,
        id: MessageId(id(time, 0x00e7)),
        kind: format!("urn:message:{contract}"),
        published: at(time),
        delivery,
        delivered,
        last_pass: None,
        outbox: Some(OutboxId(id(time, 0x00b3))),
        conversation: Some(id(time, 0x1234)),
        correlation: None,
        initiator: None,
        destination: Some("rabbitmq://localhost/finance".to_owned()),
        names_order: true,
    }
}

fn summary(status: &str, version: i64) -> SummaryDocument {
    SummaryDocument {
        data: json!({"Id": id(PLACED, 0x8c41), "Status": status, "TotalPrice": 61.40}),
        version: Some(version),
        last_modified: Some(at("2026-11-22T09:40:32Z")),
    }
}

/// Placed, cancelled half an hour later; the second notice is still in the outbox; all sources agree.
pub fn cancelled() -> History {
    let mut after = placed();
    after.status = Status::Cancelled;
    after.last_modified_at = Some(at("2026-11-22T09:40:31.880Z"));
    let row = after.clone();
    after.cancel_reason = Some("changed my mind".to_owned());
    let (first, second) = (PLACED, "2026-11-22T09:40:31.902Z");
    let mut history = History {
        id: placed().id,
        row: Some(row),
        events: vec![
            event(1, 411_870, first, EventKind::Placed, &placed()),
            event(2, 412_044, second, EventKind::Cancelled, &after),
        ],
        skipped: 0,
        whole: true,
        stream: Some(Stream { version: Some(2), archived: false, snapshot: None }),
        summary: Some(summary("Cancelled", 412_044)),
        position: Position {
            summary: Some(SeqId(412_908)),
            high_water: Some(SeqId(412_908)),
            head: Some(SeqId(412_908)),
        },
        messages: vec![
            message(88_071, EventKind::Placed.contract(), first, Delivery::Delivered),
            message(88_204, EventKind::Cancelled.contract(), second, Delivery::Pending),
        ],
        letters: vec![],
        chain: Facts::default(),
        settling: false,
        tenant: None,
        hidden: crate::ops::history::Hidden::default(),
        coverage: vec![],
    };
    // Publisher and event share this id; the first message has to be guessed.
    let correlation = history.events[1].correlation_id.as_deref();
    history.messages[1].conversation = correlation.and_then(|id| id.parse().ok());
    let head = Head {
        outbox: OutboxId(id("2026-11-22T09:38:02Z", 0x00b3)),
        opened: at("2026-11-22T09:38:02Z"),
        sequence: Some(88_190),
    };
    history.chain.head = Some(head);
    chained(&mut history);
    history
}

/// Brings the chain's messages in line with the history's.
fn chained(history: &mut History) {
    history.chain.messages = crate::ops::chain::sent(&history.messages, vec![]);
    for message in &mut history.chain.messages {
        message.opened = Some(message.published);
    }
}

/// The same while it was only placed.
pub fn new() -> History {
    let mut history = cancelled();
    history.events.truncate(1);
    history.messages.truncate(1);
    chained(&mut history);
    history.row = Some(placed());
    history.summary = Some(summary("New", 411_870));
    history
}

/// An event nobody here knows between placing and completing, and a dead letter for it.
pub fn uncertain() -> History {
    let mut history = cancelled();
    let mut after = placed();
    after.status = Status::Completed;
    let (wrapped, done) = ("2026-11-22T09:20:00Z", "2026-11-22T10:02:00Z");
    history.events.truncate(1);
    history.events.push(unknown(
        2,
        411_902,
        wrapped,
        "order_gift_wrapped_event",
        json!({"Paper": "red", "OrderId": history.id}),
    ));
    history.events.push(event(3, 412_101, done, EventKind::Completed, &after));
    history.letters = vec![Letter {
        id: Uuid::from_u128(9),
        event: SeqId(411_902),
        projection: Some("OrderSummaryView".to_owned()),
        shard: Some("All".to_owned()),
        exception_type: Some("UnknownEventTypeException".to_owned()),
        exception_message: None,
    }];
    history.row = Some(after);
    history.summary = Some(summary("New", 411_870));
    history
}

/// The row says New although the events say Cancelled, and the view another total.
pub fn drifted() -> History {
    let mut history = cancelled();
    history.row = Some(placed());
    let data = json!({"Id": history.id, "Status": "Cancelled", "TotalPrice": 16.40});
    history.summary = Some(SummaryDocument { data, ..summary("Cancelled", 412_044) });
    history
}

/// Cancelled by a command that was consumed here; what its consumer published was never sent.
pub fn commanded() -> History {
    let mut history = cancelled();
    let row = Received {
        message: MessageId(id("2026-11-22T09:40:31.800Z", 0x0a61)),
        consumer: ConsumerId(Uuid::from_u128(0xdc6e)),
        received: at("2026-11-22T09:40:31.840Z"),
        consumed: Some(at("2026-11-22T09:40:31.910Z")),
        delivered: None,
        passes: 1,
    };
    history.messages[1].outbox = None;
    chained(&mut history);
    history.chain.messages[1].owner =
        Owner::Consumer { message: row.message, consumer: row.consumer };
    history.chain.received = vec![row];
    history
}

/// Events in streams of their own, on a database that does not let everything be searched.
pub fn foreign() -> History {
    let mut history = cancelled();
    for (event, tail) in history.events.iter_mut().zip([0xaaaa, 0xbbbb]) {
        event.stream = Some(StreamId(id(PLACED, tail)));
    }
    history.stream = None;
    history.coverage = vec![
        NotLookedAt::unknown(
            "events in other streams",
            "no index on the order in mt_events.data; searched within 30 days of placing only",
        ),
        NotLookedAt::unknown("messages", "among the newest 20000 only, for want of an index"),
    ];
    history
}

/// Text that tries to be more than text.
pub fn hostile() -> History {
    let mut history = cancelled();
    let evil = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{202e}drow\u{200b} <b>&\n\ttwo 木村👩‍👩‍👧 🇻🇳";
    for event in &mut history.events {
        event.body["Order"]["Note"] = json!(evil);
        event.body["Order"]["Buyer"]["Name"] = json!(evil);
        event.correlation_id = Some(evil.to_owned());
    }
    if let Some(row) = &mut history.row {
        row.note = Some(evil.to_owned());
        row.buyer = Some(Buyer { name: Some(evil.to_owned()), ..Buyer::default() });
    }
    history.events.push(unknown(3, 412_050, "2026-11-22T09:50:00Z", evil, json!({evil: evil})));
    history.coverage = vec![NotLookedAt::unknown(evil, evil)];
    history
}

/// 500 versions, most of them of a type the fold does not know, and a snapshot.
pub fn long() -> History {
    let mut history = cancelled();
    let start = at(PLACED);
    let touched = |version: i64| {
        let time = (start + TimeDelta::minutes(version)).to_rfc3339();
        unknown(version, 411_870 + version, &time, "order_touched_event", json!({"N": version}))
    };
    history.events.truncate(1);
    history.events.extend((2..=500).map(touched));
    let state = json!({"Order": {"Id": history.id, "Status": "New"}});
    let snapshot = Some(Snapshot { version: 480, state });
    history.stream = Some(Stream { version: Some(500), archived: false, snapshot });
    history
}

/// A row and nothing else.
pub fn bare() -> History {
    let mut history = cancelled();
    history.events.clear();
    history.messages.clear();
    chained(&mut history);
    history.stream = None;
    history.summary = None;
    history
}

/// Every history here.
pub fn all() -> Vec<History> {
    vec![
        cancelled(),
        new(),
        uncertain(),
        drifted(),
        commanded(),
        foreign(),
        hostile(),
        long(),
        bare(),
    ]
}

/// What cancelling the sample order would do.
pub fn plan(id: u128) -> Plan {
    let order = placed().id;
    let reason = "CB-91 customer asked before completion".to_owned();
    let command = Command::CancelOrder { id: order, reason: reason.clone() };
    let effect = |place: &'static str, change: &str| PlannedEffect::told(place, change);
    let operation = Operation::Order(command);
    let request = PlanRequest {
        id: Uuid::from_u128(id),
        operation,
        reason: Some(reason.clone()),
        expect: None,
    };
    Plan {
        confirmation: Needed::new(request.spec(), &Policy::default(), false),
        request,
        title: format!("cancel order {}", order.short()),
        made_at: at("2026-11-22T14:02:11Z"),
        checks: vec![
            Check::new(Verdict::Ok, "status is New: row, events and view agree"),
            Check::new(Verdict::Ok, "stream version is 1; will append v2; fails if it moved"),
            Check::new(Verdict::Unknown, "inbox: table inbox_state cannot be read"),
            Check::new(Verdict::Warn, "outbox stalled: the notice will queue, not leave"),
        ],
        effects: vec![
            effect("orders", "status New → Cancelled, last_modified_at"),
            effect("mt_events", "+ OrderCancelled v2"),
            effect("mt_streams", "version 1 → 2"),
            effect("outbox_message", "+ OrderStatusChangedToCancel"),
        ],
        reverse: None,
        cli_equivalent: format!(
            "orderscope order cancel {order} --expect-version 1 --reason '{reason}' --yes"
        ),
        steps: Steps::OneTransaction(ExpectedVersions::default()),
        listed: [
            "UPDATE orders SET status = 1 WHERE id = '019aab5c-2ba6-7b40-9d2a-5e0c4b1f8c41'",
            "INSERT INTO mt_events (data) VALUES ('{\"Order\":{\"Buyer\":{\"Name\":\"Le Thi\"}}}')",
        ]
        .map(|statement| Listed::statement(statement.to_owned()))
        .to_vec(),
    }
}

/// The same with something that forbids it.
pub fn blocked() -> Plan {
    let forbids = "only a New order completes or cancels: …8c41 is Cancelled (only-new-orders-end)";
    Plan {
        checks: vec![Check::new(Verdict::Blocking, forbids)],
        effects: vec![],
        listed: vec![],
        ..plan(1)
    }
}

/// That the plan was run.
pub fn done(id: u128) -> Outcome {
    let told = "order …8c41 is cancelled at version 2; its timeline shows it".to_owned();
    let version = Some(Version(2));
    Outcome { version, ..Outcome::new(&plan(id).request, Some(838), told) }
}

fn record(number: i64, time: &str, operator: &str, intent: &str, reason: Option<&str>) -> Recorded {
    Recorded {
        number,
        operation: Uuid::from_u128(u128::try_from(number).unwrap()),
        at: at(time),
        operator: operator.to_owned(),
        host: "desk-4".to_owned(),
        role: "support".to_owned(),
        login: "support".to_owned(),
        intent: intent.to_owned(),
        targets: vec![placed().id.to_string()],
        reason: reason.map(str::to_owned),
        before: Some(json!({"Status": "New", "Note": "leave at the door"})),
        after: Some(json!({"Status": "Cancelled", "Note": "leave at the door"})),
        erased: false,
    }
}

/// What operators did to the sample order, newest first.
pub fn records() -> Vec<Recorded> {
    vec![
        record(838, "2026-11-22T09:40:31.902Z", "lan", "CancelOrder", Some("changed her mind")),
        record(831, "2026-11-22T09:21:40Z", "mai", "RestoreOrder", None),
        record(830, "2026-11-22T09:20:02Z", "t\u{1b}[31mam", "DeleteOrder", Some("a\nduplicate")),
    ]
}

//! Messages: what keys and answers do, and how it looks.

mod acting;
mod errors;
mod inbox;
mod ledger;
mod operating;
mod relay;
mod unseen;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use crossterm::event::{MouseButton, MouseEventKind};
use uuid::Uuid;

use super::{inbox as received, *};
use crate::{
    db::outbox::Overview,
    domain::{
        address::InvalidAddress,
        backlog::{Change, Mark, Sample},
        coverage::NotLookedAt,
        diagnosis::{
            Blast, ConsumerFacts, Facts, HalfDone, Head, Inbox, Latency, Lock, Next, Published,
            Reached, Rule, Tally,
        },
        id::{ConsumerId, MessageId, OrderId, OutboxId},
        id_timestamp::LastPass,
        outbox::{Delivery, Owner},
        poison::Poison,
        stored_message::StoredMessage,
        trend::{self, Look, Slice},
    },
    ops::messages::{
        Day, Message, OutboxMessage,
        history::History,
        list::{ArchivedMessage, Cursor as Key, Filter, From, Group, InboxRow, Page, Row, View},
    },
    tui::{
        app,
        route::Route,
        screens,
        tests::{Desk, Effects, copied, frames, now, place, runs},
    },
};

const EVENT: &str = "urn:message:BookWorm.Contracts:UserCheckedOutIntegrationEvent";
const CANCEL: &str = "urn:message:BookWorm.Contracts:OrderStatusChangedToCancelIntegrationEvent";
const EXCHANGE: &str = "rabbitmq://rabbitmq/BookWorm.Contracts:UserCheckedOutIntegrationEvent";

fn ago(minutes: i64) -> DateTime<Utc> {
    now().utc - TimeDelta::minutes(minutes)
}

fn outbox(number: u128) -> OutboxId {
    OutboxId(Uuid::from_u128(0xb300 + number))
}

/// Nothing waits, nothing is wrong.
fn overview(at: DateTime<Utc>) -> Overview {
    Overview {
        now: at,
        open: Tally::Exact(0),
        since: None,
        bus: Tally::Exact(0),
        consumer: Tally::Exact(0),
        oldest: None,
        newest: None,
        last_delivered: None,
        orphans: Tally::Exact(0),
        expired: Tally::Exact(0),
        undeliverable: Tally::Exact(0),
        by_type: vec![],
        by_destination: vec![],
        by_outbox: vec![],
        inserted: Some(90_000),
        drawn: Some(90_000),
        newest_number: None,
        events: vec![],
        mark: Mark::default(),
        seen: None,
        coverage: vec![],
    }
}

/// A look with what came and left since one so many seconds before.
fn moved(seconds: i64, came: i64, left: i64) -> Change {
    Change {
        length: TimeDelta::seconds(seconds),
        drawn: Some(came),
        came: Some(came),
        left: Some(left),
        net: Some(left - came),
        left_at: None,
    }
}

fn group(key: Option<&str>, messages: i64) -> Group {
    Group { key: key.map(ToOwned::to_owned), messages, oldest: Some(ago(262)) }
}

/// 1,204 pending messages behind a poisonous head, so many seconds after the usual moment.
fn stalled(seconds: i64, pending: i64) -> Status {
    let at = now().utc + TimeDelta::seconds(seconds);
    let head = |number: u128| Head {
        outbox: outbox(number),
        created: ago(262),
        pass: if number == 0 { LastPass::At(ago(264)) } else { LastPass::NoneCommitted },
        cursor: None,
        pending: 1,
        next: Some(Next {
            sequence: 88_190 + i64::try_from(number).unwrap(),
            message: MessageId(Uuid::from_u128(number)),
            kind: EVENT.to_owned(),
            destination: Some(EXCHANGE.to_owned()),
            poison: (number == 0).then(|| {
                vec![Poison::Destination {
                    text: "rabbitmq://rabbitmq/bad exchange?type=nonsense".to_owned(),
                    why: InvalidAddress::Name,
                }]
            }),
        }),
        lock: Lock::Free,
    };
    let consumer = ConsumerFacts {
        consumer: ConsumerId(Uuid::from_u128(0xcdc6e)),
        name: "DeleteBasketCompleteCommandHandler".to_owned(),
        rows: 112,
        done: 108,
        failing: 3,
        half_done: 1,
        duplicates_exact: 3,
        duplicates_estimated: 1,
        recent_done: 0,
        recent_duplicates: 0,
        latency: Some(Latency {
            rows: 108,
            p50: TimeDelta::milliseconds(140),
            p95: TimeDelta::milliseconds(900),
            p99: TimeDelta::milliseconds(2_300),
        }),
    };
    let inbox = Inbox {
        rows: Tally::Exact(112),
        last_hour: Tally::Exact(40),
        consumers: vec![consumer],
        failing: Tally::Exact(3),
        oldest_failing: Some(ago(6)),
        half_done: Tally::Exact(1),
        ..Inbox::default()
    };
    let overview = Overview {
        open: Tally::Exact(pending),
        bus: Tally::Exact(pending),
        oldest: Some(ago(262)),
        newest: Some(ago(1)),
        orphans: Tally::Exact(2),
        by_type: vec![group(Some(EVENT), pending - 143), group(Some(CANCEL), 143)],
        by_destination: vec![group(Some(EXCHANGE), pending - 1), group(None, 1)],
        by_outbox: vec![
            group(Some(&outbox(0).to_string()), 4),
            group(Some(&outbox(1).to_string()), 1),
        ],
        ..overview(at)
    };
    let facts = Facts {
        bus: overview.bus,
        open: overview.open,
        oldest: overview.oldest,
        newest: overview.newest,
        orphans: overview.orphans,
        published: Published::Unknown("the service deletes outboxes as it delivers them"),
        heads: (0..3).map(head).collect(),
        blast: Some(Blast {
            outboxes: Tally::AtLeast(1_000),
            orders: Tally::Exact(871),
            value: "40210.50".parse().ok(),
        }),
        inbox,
        ..Facts::nothing(at)
    };
    let mut status = Status::of(overview, facts);
    status.glance = inbox::listed().inbox.into_iter().take(4).collect();
    status
}

fn row(number: i64) -> Row {
    let cancelled = number % 3 == 2;
    Row {
        sequence: 88_190 + number,
        message: MessageId(Uuid::from_u128(0x5b00 + u128::try_from(number).unwrap())),
        kind: if cancelled { CANCEL } else { EVENT }.to_owned(),
        destination: (number != 4).then(|| EXCHANGE.to_owned()),
        published: ago(262 - number),
        expires: None,
        delivery: Delivery::Pending,
        owner: Owner::Bus(outbox(0)),
        conversation: Some(Uuid::from_u128(0x9a02)),
        correlation: None,
        key: Key::sample(88_190 + number),
    }
}

fn page(numbers: std::ops::Range<i64>) -> Listed {
    let messages: Vec<_> = numbers.map(row).collect();
    Listed { more: messages.len() == PAGE, messages, ..Listed::default() }
}

fn message(sequence: i64) -> Message {
    let order = Uuid::from_u128(0x0199_b6f1);
    let body = format!(
        "{{\"messageId\": \"{}\", \"messageType\": [\"{EVENT}\"], \"message\": {{\"orderId\": \"{order}\", \
         \"fullName\": \"Vo Chi\", \"email\": \"v@example.org\", \"totalMoney\": \"203.10\"}}, \"headers\": {{}}}}",
        Uuid::from_u128(0x5b00)
    );
    Message {
        shown: OutboxMessage {
            sequence,
            owner: Owner::Bus(outbox(0)),
            delivery: Delivery::Pending,
            delivered: None,
            cursor: None,
            lock_id: Some(Uuid::nil()),
            order: Some(OrderId(order)),
            bytes: i64::try_from(body.len()).unwrap(),
            content: StoredMessage {
                kinds: EVENT.to_owned(),
                sent: ago(262),
                properties: Some("{\"RMQ-Exchange\": \"BookWorm.Contracts:X\"}".to_owned()),
                body,
                conversation: Some(Uuid::from_u128(0x9a02)),
                destination: Some("rabbitmq://rabbitmq/bad exchange?type=nonsense".to_owned()),
                ..StoredMessage::sample(MessageId(Uuid::from_u128(0x5b00)))
            },
        },
        poison: vec![],
        managed: false,
        ahead: Some(Tally::Exact(0)),
        lock: Some(Lock::Free),
        received: vec![],
        coverage: vec![],
    }
}

/// What the lists are answered with, whichever is asked for.
#[derive(Debug, Clone, Default)]
struct Listed {
    messages: Vec<Row>,
    inbox: Vec<InboxRow>,
    kept: Vec<ArchivedMessage>,
    more: bool,
    coverage: Vec<NotLookedAt>,
}

impl Listed {
    fn page<T>(rows: Vec<T>, more: bool, coverage: Vec<NotLookedAt>) -> Page<T> {
        Page { rows, more, coverage }
    }

    fn messages(self) -> Page<Row> {
        Self::page(self.messages, self.more, self.coverage)
    }

    fn inbox(self) -> Page<InboxRow> {
        Self::page(self.inbox, self.more, self.coverage)
    }
}

fn state(desk: &Desk) -> &State {
    desk.state()
}

fn send(desk: &mut Desk, msg: Msg) {
    desk.send(app::Msg::Screen(screens::Msg::new::<State>(msg)));
}

/// The screen's requests among what was asked for.
fn requests(effects: &Effects) -> Vec<Request> {
    let mine = |(_, request): (_, &app::Request)| match request {
        app::Request::Screen(request) => request.of::<State>().cloned(),
        _ => None,
    };
    runs(effects).into_iter().filter_map(mine).collect()
}

/// Answers everything that was asked for; yields the requests.
fn answer(desk: &mut Desk, status: &Status, listed: &Listed) -> Vec<Request> {
    let mut all = vec![];
    loop {
        let asked = requests(&desk.effects());
        if asked.is_empty() {
            return all;
        }
        for request in asked {
            all.push(request.clone());
            let msg = match request {
                Request::Look { ticket, .. } => {
                    Msg::QueueReport(ticket, Ok(Arc::new(status.clone())))
                }
                Request::Outbox(outbox::Request::List { ticket, .. }) => {
                    Msg::Outbox(outbox::Msg::Listed(ticket, Ok(listed.clone().messages())))
                }
                Request::Inbox(received::Request::List { ticket, .. }) => {
                    Msg::Inbox(received::Msg::Listed(ticket, Ok(listed.clone().inbox())))
                }
                Request::Archive(archive::Request::List { ticket, .. }) => {
                    let page = Listed::page(listed.kept.clone(), listed.more, vec![]);
                    Msg::Archive(archive::Msg::Listed(ticket, Ok(page)))
                }
                Request::Outbox(outbox::Request::Read { ticket, sequence }) => {
                    let read = Ok(Some(Arc::new(message(sequence))));
                    Msg::Outbox(outbox::Msg::Read(ticket, read))
                }
                Request::Archive(archive::Request::Read { ticket, number }) => {
                    let read = Ok(Some(Arc::new(acting::whole(number))));
                    Msg::Archive(archive::Msg::Read(ticket, read))
                }
                Request::Inbox(received::Request::Day { ticket }) => {
                    Msg::Inbox(received::Msg::Day(ticket, Ok(Arc::new(inbox::day()))))
                }
                Request::ErrorQueues(error_queues::Request::Look { ticket }) => {
                    let found = Ok(Arc::new(errors::listing()));
                    Msg::ErrorQueues(error_queues::Msg::Found(ticket, found))
                }
                // Nobody answers: what is judged without a broker stays as it is.
                Request::Broker(_) | Request::Stored { .. } => continue,
                Request::Outbox(outbox::Request::Export { .. })
                | Request::Inbox(received::Request::Export { .. })
                | Request::ErrorQueues(error_queues::Request::Export { .. })
                | Request::Archive(archive::Request::Export { .. }) => continue,
            };
            send(desk, msg);
        }
    }
}

/// A console on Messages that has looked for a minute.
fn watching(width: u16, height: u16) -> Desk {
    let mut desk = Desk::new(width, height).at(place());
    desk.press("4");
    let mut before = None;
    for (seconds, pending) in
        [(0, 900), (5, 960), (10, 1_010), (15, 1_090), (20, 1_150), (25, 1_204)]
    {
        let change = before.map(|before| moved(5, pending - before, 0));
        answer(&mut desk, &stalled(seconds, pending).changed(change), &page(0..40));
        before = Some(pending);
        desk.press("r");
    }
    answer(&mut desk, &stalled(30, 1_204).changed(Some(moved(5, 0, 0))), &page(0..40));
    desk
}

#[test]
fn it_looks_when_it_is_opened_and_again_by_itself() {
    let mut desk = Desk::new(120, 36).at(place());
    desk.press("4");
    assert!(desk.shows("Loading …"));
    let asked = answer(&mut desk, &stalled(0, 1_204), &page(0..3));
    assert!(asked.iter().any(|request| matches!(request, Request::Look { .. })), "{asked:?}");
    assert!(asked.iter().any(|request| matches!(
        request,
        Request::Outbox(outbox::Request::Read { sequence: 88_190, .. })
    )));
    desk.wait(Duration::from_secs(5));
    let asked = answer(&mut desk, &stalled(5, 1_204), &page(0..3));
    assert!(asked.iter().any(|request| matches!(request, Request::Look { .. })), "{asked:?}");
    assert_eq!(state(&desk).samples.all().len(), 2);
    desk.press("f");
    desk.wait(Duration::from_secs(60));
    assert_eq!(requests(&desk.effects()), []);
}

#[test]
fn rates_need_two_looks_and_a_growing_backlog_never_drains() {
    let mut desk = Desk::new(120, 36).at(place());
    desk.press("4");
    answer(&mut desk, &stalled(0, 1_000), &page(0..3));
    assert!(desk.shows("after the second look"));
    let mut desk = watching(120, 36);
    assert!(desk.shows("won't drain"), "{}", desk.frame());
    assert!(desk.shows("in 608.0/m"), "{}", desk.frame());
}

#[test]
fn the_bars_go_back_as_far_as_is_asked_for() {
    let mut desk = watching(120, 36);
    desk.press("t t");
    let asked = requests(&desk.effects());
    let [Request::Stored { within: day, .. }, Request::Stored { ticket, within }] = asked[..]
    else {
        panic!("{asked:?}")
    };
    assert_eq!((day, within), (TimeDelta::days(1), TimeDelta::days(7)));
    let look = |hours: i64| Sample {
        at: ago(hours * 60),
        pending: Some(hours % 24 * 90),
        mark: Mark::default(),
        change: None,
    };
    let week = (1..168).rev().map(look).collect();
    send(&mut desk, Msg::Stored(ticket, Ok(week)));
    assert!(desk.shows("Backlog since 11-15 15:02"), "{}", desk.frame());
    frames!("messages_week", desk);
    desk.resize(120, 36);
    // The rates are still those of the last minutes.
    assert!(desk.shows("in 608.0/m"), "{}", desk.frame());
    desk.press("t t t");
    desk.effects();
    assert!(desk.shows("Backlog since 14:02:11"), "{}", desk.frame());
    desk.press("t");
    let asked = requests(&desk.effects());
    let [Request::Stored { ticket, .. }] = asked[..] else { panic!("{asked:?}") };
    send(&mut desk, Msg::Stored(ticket, Err("there is no schema orderscope".to_owned())));
    assert!(desk.shows("there is no schema orderscope"), "{}", desk.frame());
}

/// Two hours of a sampler's minutes before the screen was opened: it drained, then nothing left any more.
fn stored() -> Past {
    let sample = |minutes: i64| {
        let at = ago(120 - minutes);
        let (pending, left) =
            if minutes <= 30 { (90 - minutes * 3, 16) } else { ((minutes - 30) * 13, 0) };
        let left_at = (left > 0).then_some(at);
        let change = Some(Change { left_at, ..moved(60, 13, left) });
        Sample { at, pending: Some(pending), mark: Mark::default(), change }
    };
    let samples: Vec<_> = (0..120).map(sample).collect();
    let slice = |sample: &Sample| {
        let look = Look {
            sample: *sample,
            pending: sample.pending.unwrap(),
            oldest: None,
            failing: 0,
            half_done: 0,
            duplicates: 0,
            received: 0,
            repeated: 0,
        };
        Slice::new(&look)
    };
    let day = trend::sum(samples.iter().map(slice));
    Past::Stored(Box::new(History { since: ago(60 * 24 * 3), samples, day }))
}

#[test]
fn what_was_stored_before_is_shown_and_judged() {
    let mut desk = Desk::new(120, 36).at(place());
    desk.press("4");
    let mut status = stalled(0, 1_180);
    status.kept = Some(stored());
    let asked = answer(&mut desk, &status, &page(0..40));
    let looks = |asked: &[Request]| {
        let look = |request: &Request| match request {
            Request::Look { history, .. } => Some(*history),
            _ => None,
        };
        asked.iter().filter_map(look).collect::<Vec<_>>()
    };
    assert_eq!(looks(&asked), [true]);
    // The first look of our own already has rates, and knows since when nothing left.
    let movement = state(&desk).status().unwrap().facts.movement.unwrap();
    assert_eq!((movement.since, movement.last_leaving), (ago(121), Some(ago(90))));
    assert!(desk.shows("in 13.0/m") && desk.shows("out 0.0/m"), "{}", desk.frame());
    assert!(desk.shows("stored since 2026-11-19"), "{}", desk.frame());
    frames!("messages_history", desk);
    // The history is minutes: it is not read at every look.
    desk.press("r");
    assert_eq!(looks(&answer(&mut desk, &stalled(5, 1_180), &page(0..40))), [false]);
    desk.wait(Duration::from_secs(61));
    assert_eq!(looks(&answer(&mut desk, &stalled(66, 1_180), &page(0..40))), [true]);
}

#[test]
fn the_broker_is_asked_now_and_then_and_its_answer_judged() {
    let idle = |seconds: i64| {
        let mut status = stalled(seconds, 1_204);
        for head in &mut status.facts.heads {
            head.pass = LastPass::NoneCommitted;
            head.next.as_mut().unwrap().poison = None;
        }
        Status::of(status.overview, status.facts)
    };
    let asks =
        |asked: &[Request]| asked.iter().filter(|one| matches!(one, Request::Broker(_))).count();
    let rule = |desk: &Desk| state(desk).status().unwrap().findings[0].rule;
    let mut desk = Desk::new(120, 36).at(place());
    desk.press("4");
    assert_eq!(asks(&answer(&mut desk, &idle(0), &page(0..3))), 1);
    assert_eq!(rule(&desk), Rule::WorkerIdle);
    let reached = Reached::Unreachable("connection refused".to_owned());
    send(&mut desk, Msg::BrokerReport(BrokerReport { reached, ..BrokerReport::default() }));
    assert_eq!(rule(&desk), Rule::BrokerRefused);
    // What it told stays for the next looks, until it is asked again.
    desk.press("r");
    assert_eq!(asks(&answer(&mut desk, &idle(5), &page(0..3))), 0);
    assert_eq!(rule(&desk), Rule::BrokerRefused);
    desk.wait(Duration::from_secs(21));
    assert_eq!(asks(&answer(&mut desk, &idle(26), &page(0..3))), 1);
}

#[test]
fn a_finding_leads_to_its_row() {
    let mut desk = watching(120, 36);
    desk.press("G");
    assert_eq!(state(&desk).outbox.selected().map(|row| row.sequence), Some(88_229));
    desk.press("tab");
    assert!(desk.shows("Enter goes to the row"));
    desk.press("enter");
    assert_eq!(state(&desk).outbox.selected().map(|row| row.sequence), Some(88_190));
    assert_eq!(state(&desk).focus.pane, Pane::List);
    let status = state(&desk).status().unwrap().clone();
    let orphans = status.findings.iter().position(|finding| finding.rule == Rule::Orphans).unwrap();
    desk.press("tab");
    for _ in 0..orphans {
        desk.press("j");
    }
    desk.effects();
    desk.press("enter");
    let asked = requests(&desk.effects());
    assert!(
        matches!(asked[..], [Request::Outbox(outbox::Request::List { view: View::Orphan, .. })]),
        "{asked:?}"
    );
}

#[test]
fn a_finding_of_the_inbox_leads_to_its_rows_and_the_cursor_to_the_one_it_names() {
    let half = |number: u128| HalfDone {
        message: MessageId(Uuid::from_u128(0x6100 + number)),
        consumer: ConsumerId(Uuid::from_u128(0xcdc6e)),
        consumed: ago(200),
        passes: 3,
        pending: 1,
        without_destination: false,
        destinations: vec![],
        lock: Lock::Free,
        inbound: crate::domain::diagnosis::Inbound::Unknown,
    };
    let mut desk = Desk::new(120, 36).at(place());
    desk.press("4");
    let facts = stalled(0, 1_204).facts;
    let inbox = Inbox { halves: vec![half(3)], ..facts.inbox.clone() };
    let facts = Facts { inbox, undeliverable: Tally::Exact(2), ..facts };
    let status = Status::of(stalled(0, 1_204).overview, facts);
    answer(&mut desk, &status, &page(0..3));
    // Enter on the finding of a rule; what is asked for then, first.
    let enter = |desk: &mut Desk, rule: Rule| {
        let at = status.findings.iter().position(|finding| finding.rule == rule).unwrap();
        send(desk, Msg::Finding(at));
        desk.effects();
        desk.press("enter");
        assert_eq!(state(desk).focus.pane, Pane::List);
        requests(&desk.effects()).into_iter().next().unwrap()
    };
    let of_inbox = |request: Request| match request {
        Request::Inbox(received::Request::List { ticket, view, from }) => (ticket, view, from),
        other => panic!("{other:?}"),
    };
    let list = |desk: &mut Desk, ticket, rows: &[InboxRow], more| {
        let page = Listed::page(rows.to_vec(), more, vec![]);
        send(desk, Msg::Inbox(received::Msg::Listed(ticket, Ok(page))));
    };
    let asked = enter(&mut desk, Rule::Undeliverable);
    let undeliverable = View::Undeliverable;
    assert!(
        matches!(asked, Request::Outbox(outbox::Request::List { view, .. }) if view == undeliverable)
    );
    let (ticket, view, from) = of_inbox(enter(&mut desk, Rule::HalfDone));
    assert_eq!((view, from), (InboxView::HalfDone, From::Newest));
    let rows = self::inbox::listed().inbox;
    list(&mut desk, ticket, &rows, false);
    assert_eq!(state(&desk).inbox.selected().map(|row| row.message), Some(half(3).message));
    // Further down than a page: the list begins there.
    let (ticket, ..) = of_inbox(enter(&mut desk, Rule::HalfDone));
    list(&mut desk, ticket, &rows[4..], true);
    let mut asked = requests(&desk.effects());
    let (ticket, _, from) = of_inbox(asked.remove(0));
    assert_eq!((from, asked.len()), (From::Message(half(3).message), 0));
    list(&mut desk, ticket, &rows[3..], false);
    assert_eq!(state(&desk).inbox.selected().map(|row| row.message), Some(half(3).message));
    assert!(desk.shows("Inbox: half-done, from …6103 on (Esc: all)"), "{}", desk.frame());
    desk.press("esc");
    let mut asked = requests(&desk.effects());
    let (_, view, from) = of_inbox(asked.remove(0));
    assert_eq!((view, from, asked.len()), (InboxView::All, From::Newest, 0));
    let (_, view, _) = of_inbox(enter(&mut desk, Rule::Failing));
    assert_eq!(view, InboxView::Failing);
    // It was handled or cleaned up in the meantime.
    let (ticket, ..) = of_inbox(enter(&mut desk, Rule::HalfDone));
    list(&mut desk, ticket, &[], false);
    assert!(desk.shows("message …6103 is not in this list any more"), "{}", desk.frame());
}

#[test]
fn what_was_not_looked_at_is_told_on_every_list() {
    const UNSEEN: [(&str, &str); 2] = [
        ("groups", "over the oldest 2000 outboxes"),
        ("messages after the oldest 20000", "no index on outbox_message(outbox_id)"),
    ];
    for (width, height) in [(120, 36), (80, 24)] {
        let mut desk = watching(width, height);
        let mut status = stalled(35, 1_204);
        status.coverage = UNSEEN.map(|(what, why)| NotLookedAt::narrowed(what, why)).to_vec();
        desk.press("r");
        answer(&mut desk, &status, &page(0..40));
        for sub in Sub::ALL {
            assert_eq!(state(&desk).sub, sub);
            assert!(desk.shows("Diagnosis (6), ~ not all was looked at"), "{}", desk.frame());
            // The errors' own notes are about the broker.
            assert_eq!(
                desk.shows(UNSEEN[0].1),
                sub != Sub::ErrorQueues,
                "{sub:?} {}",
                desk.frame()
            );
            desk.press(">");
            answer(&mut desk, &status, &page(0..40));
        }
        desk.press("p");
        assert!(desk.shows(UNSEEN[0].1), "{}", desk.frame());
        desk.press("esc tab G");
        assert!(desk.shows("~   groups: over"), "{}", desk.frame());
        assert!(desk.shows("~   messages after the oldest 20000: no index"), "{}", desk.frame());
        desk.press("esc r");
        answer(&mut desk, &status, &page(0..40));
        if width == 120 {
            frames!("messages_unseen", desk);
            desk.press("tab");
            frames!("messages_unseen_read", desk);
        }
    }
}

#[test]
fn a_message_leads_to_its_order() {
    let mut desk = watching(120, 36);
    desk.press("enter");
    let order = OrderId(Uuid::from_u128(0x0199_b6f1));
    let expected = Some(Route::order(order));
    assert_eq!(desk.app.screens.route(), expected);
    desk.press("[");
    assert!(desk.shows("Diagnosis ("));
}

#[test]
fn groups_lead_to_their_messages() {
    let mut desk = watching(120, 36);
    desk.press("p");
    assert!(desk.shows("Pending by type") && desk.shows("1,061"));
    // Beside a group stands its whole name, not the message that was looked at before.
    assert!(desk.shows("Enter: its messages") && !desk.shows("Message seq"), "{}", desk.frame());
    assert!(desk.shows("urn:message:BookWorm.Contracts:UserCh"), "{}", desk.frame());
    desk.press("p");
    assert!(desk.shows("Pending by destination") && desk.shows("(none)"));
    desk.press("j enter");
    let asked = requests(&desk.effects());
    let nowhere = Some(Filter::Destination(None));
    assert!(
        matches!(
            &asked[..],
            [Request::Outbox(outbox::Request::List { filter, after: None, .. })] if *filter == nowhere
        ),
        "{asked:?}"
    );
    desk.press("esc");
    let asked = requests(&desk.effects());
    assert!(
        matches!(&asked[..], [Request::Outbox(outbox::Request::List { filter: None, .. })]),
        "{asked:?}"
    );
}

#[test]
fn views_turn_and_keep_what_is_right_for_them() {
    let mut desk = watching(120, 36);
    for (name, sub) in [
        ("delivered", Sub::Outbox(View::Delivered)),
        ("orphan", Sub::Outbox(View::Orphan)),
        ("expired", Sub::Outbox(View::Expired)),
        ("undeliverable", Sub::Outbox(View::Undeliverable)),
        ("inbox", Sub::Inbox),
        ("errors", Sub::ErrorQueues),
        ("kept", Sub::Archive),
        ("pending", Sub::Outbox(View::Pending)),
    ] {
        desk.press(">");
        assert_eq!(state(&desk).sub, sub);
        assert_eq!(state(&desk).place(), Some(Place { view: name.to_owned(), at: None }));
        answer(&mut desk, &stalled(40, 1_204), &Listed::default());
    }
    desk.press("<");
    assert_eq!(state(&desk).sub, Sub::Archive);
    desk.press("p");
    assert!(desk.shows("only pending messages are counted"));
}

#[test]
fn the_next_page_is_asked_for_near_the_end() {
    let mut desk = Desk::new(120, 36).at(place());
    desk.press("4");
    answer(&mut desk, &stalled(0, 1_204), &page(0..100));
    desk.press("G");
    let asked = requests(&desk.effects());
    let continued = asked.iter().find_map(|request| match request {
        Request::Outbox(outbox::Request::List { ticket, after, .. }) => Some((*ticket, *after)),
        _ => None,
    });
    let (ticket, after) = continued.unwrap();
    assert_eq!(after, Some(Key::sample(88_289)));
    send(&mut desk, Msg::Outbox(outbox::Msg::Listed(ticket, Ok(page(100..130).messages()))));
    assert_eq!(state(&desk).shown().len(), 130);
    // With more than a page read, a refresh does not throw the rows away.
    desk.press("r");
    let asked = requests(&desk.effects());
    assert!(
        !asked
            .iter()
            .any(|request| matches!(request, Request::Outbox(outbox::Request::List { .. }))),
        "{asked:?}"
    );
}

#[test]
fn the_body_is_folded_and_masked() {
    let mut desk = watching(120, 36);
    desk.press("z");
    desk.press("tab tab G");
    assert!(desk.shows("********") && !desk.shows("Vo Chi"), "{}", desk.frame());
    assert!(desk.shows("more fields of the envelope") && !desk.shows("\"messageType\""));
    desk.press("J G");
    assert!(desk.shows("\"messageType\"") && !desk.shows("Vo Chi"), "{}", desk.frame());
}

#[test]
fn an_error_keeps_the_figures_with_their_age() {
    let mut desk = watching(120, 36);
    desk.press("r");
    let asked = requests(&desk.effects());
    desk.wait(Duration::from_secs(40));
    for request in asked {
        let lost = || db::Error::Lost("connection reset".to_owned());
        match request {
            Request::Look { ticket, .. } => send(&mut desk, Msg::QueueReport(ticket, Err(lost()))),
            Request::Outbox(outbox::Request::List { ticket, .. }) => {
                send(&mut desk, Msg::Outbox(outbox::Msg::Listed(ticket, Err(lost()))));
            }
            _ => {}
        }
    }
    assert!(desk.shows("Not refreshed") && desk.shows("1,204"), "{}", desk.frame());
    frames!("messages_error", desk);
}

#[test]
fn ids_and_links_are_copied() {
    let mut desk = watching(120, 36);
    desk.press("j y Y");
    let effects = desk.effects();
    let texts = copied(&effects);
    assert_eq!(texts, [row(1).message.to_string().as_str(), "ops://local/messages/88191?pending"]);
}

#[test]
fn an_export_takes_what_is_listed() {
    let mut desk = watching(120, 36);
    desk.press("e");
    let asked = requests(&desk.effects());
    assert!(
        matches!(&asked[..], [Request::Outbox(outbox::Request::Export { rows })] if rows.len() == 40)
    );
}

#[test]
fn a_click_chooses() {
    let mut desk = watching(120, 36);
    desk.mouse(MouseEventKind::Down(MouseButton::Left), 10, 20);
    assert!(state(&desk).outbox.paged.cursor.index > 0);
    desk.mouse(MouseEventKind::Down(MouseButton::Left), 80, 4);
    assert_eq!(state(&desk).focus.pane, Pane::Diagnosis);
}

#[test]
fn what_it_looks_like() {
    let mut desk = Desk::new(120, 36).at(place());
    desk.press("4");
    frames!("messages_reading", desk);
    let status = Status::of(overview(now().utc), Facts::nothing(now().utc));
    answer(&mut desk, &status, &Listed::default());
    frames!("messages_empty", desk);
    let mut desk = watching(120, 36);
    frames!("messages_stalled", desk);
    desk.press("tab");
    frames!("messages_diagnosis", desk);
    desk.press("tab");
    frames!("messages_detail", desk);
    desk.press("esc p");
    frames!("messages_by_type", desk);
    desk.press("esc i");
    frames!("messages_explained", desk);
}

#[test]
fn what_columns_mean_is_told_for_each_list_and_fits_a_small_window() {
    let mut desk = watching(80, 24);
    for sub in Sub::ALL {
        desk.press("i");
        // Each legend whole, to its last line.
        let last = match sub {
            Sub::Outbox(_) => "in the diagnosis: what was not looked at",
            Sub::Inbox => "U and d",
            Sub::ErrorQueues => "replayed one by one only, with more to type",
            Sub::Archive => "another; b: into",
        };
        assert!(desk.shows("i or Esc closes"), "{sub:?} {}", desk.frame());
        assert!(desk.shows(last), "{sub:?} {}", desk.frame());
        desk.press("i >");
        answer(&mut desk, &stalled(40, 1_204), &page(0..40));
    }
    desk.press("> > > > > i");
    frames!("messages_explained_inbox", desk);
}

#[test]
fn the_text_of_a_hostile_service_is_harmless() {
    let mut desk = watching(120, 36);
    desk.press("r");
    let mut bad = page(0..3);
    bad.messages[0].kind = "urn:message:A:\u{1b}[31m\u{202e}x".repeat(30);
    bad.messages[1].destination = Some("\u{1b}]52;c;eA==\u{7}/\u{0}".to_owned());
    let mut status = stalled(45, 1_204);
    status.overview.by_type[0].key = Some("\u{1b}[2J\n\u{200b}".to_owned());
    answer(&mut desk, &status, &bad);
    for keys in ["r", "p", "p", "p", "p"] {
        desk.press(keys);
        let frame = desk.frame();
        assert!(frame.chars().all(|c| c == '\n' || crate::domain::text::is_plain(c)), "{frame:?}");
    }
}

#[test]
fn every_window_is_large_enough_or_says_so() {
    let mut desk = watching(120, 36);
    desk.fits_every_window();
    for keys in ["tab", "tab", "z", "esc", "p", "i", "esc", ">"] {
        desk.press(keys);
        desk.fits_usual_windows();
    }
    desk.resize(80, 24);
    desk.press("<");
    answer(&mut desk, &stalled(50, 1_204), &page(0..40));
    desk.fits_usual_windows();
}

//! The error queues: groups, their messages, each in full, and what happens where the broker does not answer.

use serde_json::json;

use super::*;
use crate::{
    domain::fault::{Fault, Fingerprint, Judgement, Raw, Verdict, Why},
    ops::error_queue::{FoundFault, Listing, QueueReport},
    tui::effect::Effect,
};

const QUEUE: &str = "basket-checkout-failed_error";

fn found(number: u128, text: &str, judgement: Judgement) -> FoundFault {
    let order = Uuid::from_u128(0x0199_b6f1);
    let body = json!({
        "messageId": Uuid::from_u128(0x9100 + number),
        "messageType": ["urn:message:BookWorm.Contracts:DeleteBasketFailedCommand"],
        "message": { "basketId": Uuid::from_u128(3), "email": "v@example.org", "orderId": order },
        "host": { "machineName": "shop-1" },
    });
    let failed = ago(i64::try_from(number).unwrap()).to_rfc3339();
    let stack: Vec<_> = (0..9).map(|frame| format!("   at BookWorm.Step{frame}()")).collect();
    let headers = json!({
        "MT-Reason": "fault",
        "MT-Fault-Timestamp": failed,
        "MT-Fault-ConsumerType": "BookWorm.Basket.DeleteBasketFailedCommandHandler",
        "MT-Fault-ExceptionType": "System.InvalidOperationException",
        "MT-Fault-Message": text,
        "MT-Fault-StackTrace": stack.join("\n"),
        "MT-Fault-InputAddress": "rabbitmq://mq/basket-checkout-failed",
    });
    let raw = Raw {
        queue: QUEUE.to_owned(),
        message_id: None,
        content_type: None,
        headers: headers.as_object().unwrap().clone(),
        body: body.to_string().into_bytes(),
    };
    let fault = Fault::read(&raw);
    FoundFault { fingerprint: Fingerprint::of(&fault), fault, headers: raw.headers, judgement }
}

fn judged(verdict: Verdict, why: Why) -> Judgement {
    Judgement { verdict, why }
}

/// Three messages that failed alike, and one that failed otherwise.
pub(super) fn listing() -> Listing {
    let waits = judged(Verdict::Waiting, Why::Failed { received: ago(9) });
    let alike = |number: u128, judgement| {
        found(number, &format!("No basket {number} of v{number}@example.org"), judgement)
    };
    let done = judged(Verdict::Done, Why::Delivered { last: ago(2), complete: true });
    let unknown = judged(Verdict::Unknown, Why::NoWindow);
    let looked = |queue: &str, depth, trouble: Option<&str>| QueueReport {
        queue: queue.to_owned(),
        depth,
        seen: 0,
        cut: false,
        quorum: false,
        trouble: trouble.map(ToOwned::to_owned),
    };
    Listing {
        looked: vec![
            looked(QUEUE, Some(4), None),
            looked("basket-checkout-failed_skipped", None, None),
            looked("finance_error", None, Some("ACCESS_REFUSED")),
        ],
        found: vec![
            alike(8, waits.clone()),
            alike(7, done),
            found(5, "The operation has timed out.", waits),
            alike(4, unknown),
        ],
        notes: vec![],
        coverage: vec![NotLookedAt::unknown(
            "finance_error",
            "finance_error could not be read: ACCESS_REFUSED",
        )],
    }
}

/// On the error queues, which were asked for and have not answered.
fn asking(width: u16, height: u16) -> (Desk, Ticket) {
    let mut desk = watching(width, height);
    desk.press("< <");
    let asked = requests(&desk.effects());
    let ticket = asked.iter().find_map(|request| match request {
        Request::ErrorQueues(error_queues::Request::Look { ticket }) => Some(*ticket),
        _ => None,
    });
    (desk, ticket.unwrap())
}

pub(super) fn desk(width: u16, height: u16) -> Desk {
    let (mut desk, ticket) = asking(width, height);
    send(&mut desk, Msg::ErrorQueues(error_queues::Msg::Found(ticket, Ok(Arc::new(listing())))));
    desk
}

fn looks(desk: &mut Desk) -> usize {
    let asked = requests(&desk.effects());
    asked
        .iter()
        .filter(|request| {
            matches!(request, Request::ErrorQueues(error_queues::Request::Look { .. }))
        })
        .count()
}

#[test]
fn groups_lead_to_messages_and_messages_to_their_order() {
    let mut desk = desk(120, 36);
    assert!(desk.shows("Error queues: groups") && desk.shows("No basket <n> of <mail>"));
    assert!(desk.shows("finance_error could not be read"), "{}", desk.frame());
    assert_eq!(state(&desk).shown().len(), 2);
    desk.press("enter");
    assert_eq!(state(&desk).shown().len(), 3);
    assert!(desk.shows("Esc: all") && desk.shows("received"), "{}", desk.frame());
    desk.press("enter");
    assert_eq!(state(&desk).focus.pane, Pane::Detail);
    desk.press("enter");
    let order = OrderId(Uuid::from_u128(0x0199_b6f1));
    let expected = Some(Route::order(order));
    assert_eq!(desk.app.screens.route(), expected);
    desk.press("[ esc esc");
    assert_eq!(state(&desk).shown().len(), 2);
    assert_eq!(state(&desk).error_queues.group_cursor.index, 0);
    assert_eq!(state(&desk).sub, Sub::ErrorQueues);
}

#[test]
fn the_detail_is_masked_and_folded() {
    let mut desk = desk(120, 60);
    desk.press("enter enter z");
    let folded = desk.frame();
    assert!(!folded.contains("@example.org"), "{folded}");
    assert!(folded.contains("Step4") && !folded.contains("Step5"), "{folded}");
    assert!(folded.contains("… 4 more frames"), "{folded}");
    desk.press("J");
    assert!(desk.shows("Step8"), "{}", desk.frame());
    desk.press("G");
    let end = desk.frame();
    assert!(end.contains("\"machineName\"") && !end.contains("@example.org"), "{end}");
}

#[test]
fn queues_are_looked_into_only_when_that_is_asked_for() {
    let mut desk = desk(120, 36);
    desk.effects();
    // Time alone looks at the database again, never into the queues.
    desk.wait(Duration::from_secs(30));
    let asked = requests(&desk.effects());
    assert!(asked.iter().any(|request| matches!(request, Request::Look { .. })), "{asked:?}");
    assert!(
        !asked.iter().any(|request| matches!(
            request,
            Request::ErrorQueues(error_queues::Request::Look { .. })
        )),
        "{asked:?}"
    );
    desk.press("r");
    assert_eq!(looks(&mut desk), 1);
}

#[test]
fn a_look_that_nobody_waits_for_is_stopped_and_its_answer_dropped() {
    let (mut desk, ticket) = asking(120, 36);
    assert!(desk.shows("looking into the queues"));
    desk.press(">");
    let stopped =
        desk.effects().iter().any(|effect| matches!(effect, Effect::Stop("messages.errors")));
    assert!(stopped);
    send(&mut desk, Msg::ErrorQueues(error_queues::Msg::Found(ticket, Ok(Arc::new(listing())))));
    assert!(state(&desk).error_queues.look.value.is_none());
}

#[test]
fn a_broker_that_does_not_answer_leaves_the_rest_alive() {
    let (mut desk, ticket) = asking(120, 36);
    let why = "cannot reach RabbitMQ at mq:5672: connection refused; check that it runs and that the address is right";
    send(&mut desk, Msg::ErrorQueues(error_queues::Msg::Found(ticket, Err(why.to_owned()))));
    assert!(desk.shows("cannot reach RabbitMQ") && desk.shows("Diagnosis ("), "{}", desk.frame());
    frames!("messages_errors_unreachable", desk);
    desk.press("r");
    let asked = requests(&desk.effects());
    assert!(asked.iter().any(|request| matches!(request, Request::Look { .. })), "{asked:?}");
    // What was found stays, with its age, when a later look fails.
    let again = asked.iter().find_map(|request| match request {
        Request::ErrorQueues(error_queues::Request::Look { ticket }) => Some(*ticket),
        _ => None,
    });
    send(
        &mut desk,
        Msg::ErrorQueues(error_queues::Msg::Found(again.unwrap(), Ok(Arc::new(listing())))),
    );
    assert!(!desk.shows("cannot reach RabbitMQ") && state(&desk).shown().len() == 2);
}

#[test]
fn without_a_broker_it_says_what_to_configure() {
    let (mut desk, ticket) = asking(120, 36);
    let why = crate::config::Error::NoBroker { path: "/home/mai/config.toml".to_owned() };
    send(&mut desk, Msg::ErrorQueues(error_queues::Msg::Found(ticket, Err(why.to_string()))));
    assert!(desk.shows("set relay.broker in"), "{}", desk.frame());
    frames!("messages_errors_unset", desk);
}

#[test]
fn the_cursor_follows_its_message() {
    let mut desk = desk(120, 36);
    desk.press("enter j j r");
    let asked = requests(&desk.effects());
    let ticket = asked.iter().find_map(|request| match request {
        Request::ErrorQueues(error_queues::Request::Look { ticket }) => Some(*ticket),
        _ => None,
    });
    let chosen = state(&desk).cli_equivalent();
    let mut fewer = listing();
    fewer.found.remove(0);
    send(
        &mut desk,
        Msg::ErrorQueues(error_queues::Msg::Found(ticket.unwrap(), Ok(Arc::new(fewer)))),
    );
    assert_eq!(state(&desk).error_queues.list.cursor.index, 1);
    assert_eq!(state(&desk).cli_equivalent(), chosen);
    desk.press("y");
    let effects = desk.effects();
    assert!(chosen.ends_with(copied(&effects)[0]), "{chosen}");
}

#[test]
fn what_it_looks_like() {
    let mut desk = desk(120, 36);
    frames!("messages_errors", desk);
    desk.press("i");
    frames!("messages_errors_explained", desk);
    desk.press("i enter");
    frames!("messages_errors_group", desk);
    desk.press("enter");
    frames!("messages_errors_message", desk);
}

#[test]
fn the_text_of_a_hostile_queue_is_harmless() {
    let (mut desk, ticket) = asking(120, 36);
    let mut bad = listing();
    for found in &mut bad.found {
        let evil = "\u{1b}]52;c;eA==\u{7}\u{202e}x\n\u{0}".repeat(9);
        found.fault.consumer = Some(evil.clone());
        found.fault.exception = Some(evil.clone());
        found.fault.stack = Some(evil.clone());
        found.fault.text = Some(evil.clone());
        found.fault.queue.clone_from(&evil);
        found.fault.message_type = Some(evil.clone());
        found.headers.insert(evil.clone(), json!(evil));
        found.fault.envelope = Err(evil);
    }
    bad.notes.push("\u{1b}[31m".to_owned());
    send(&mut desk, Msg::ErrorQueues(error_queues::Msg::Found(ticket, Ok(Arc::new(bad)))));
    for keys in ["z", "esc", "enter", "enter", "z", "J"] {
        desk.press(keys);
        let frame = desk.frame();
        assert!(frame.chars().all(|c| c == '\n' || crate::domain::text::is_plain(c)), "{frame:?}");
        desk.fits_usual_windows();
    }
}

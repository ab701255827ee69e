//! Operations on messages from the key to the result, without a database: what is offered, asked for and shown.

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::{
    domain::{
        outbox::Delivery,
        outbox_action::{Name, OutboxAction, Repair, Source},
    },
    ops::{
        archive::Whole,
        operation::{
            Check, Effect as Planned, ExpectedVersions, Listed as Statement, Operation, Outcome,
            Plan, PlanRequest, Steps, Verdict,
        },
        policy::Policy,
    },
    tui::{
        change,
        shared::Place,
        tests::{Desk, attached, frames, now},
    },
};

const THERE: &str = "rabbitmq://rabbitmq/BookWorm.Contracts:UserCheckedOutIntegrationEvent";

/// A console on Messages, unlocked.
fn desk(width: u16, height: u16) -> Desk {
    let mut desk = watching(width, height);
    desk.unlock();
    desk
}

fn plan(draft: &change::Draft) -> Plan {
    let request = PlanRequest {
        id: Uuid::from_u128(7),
        ..PlanRequest::new(draft.operation.clone(), draft.reason.clone())
    };
    let steps = Steps::OneTransaction(ExpectedVersions::default());
    let statement = "DELETE FROM public.outbox_message AS t WHERE t.\"sequence_number\" = 88190";
    Plan {
        title: "quarantine message 88190".to_owned(),
        checks: vec![
            Check::new(
                Verdict::Ok,
                "no delivery is in the middle of its outbox: its row is locked for this",
            ),
            Check::new(
                Verdict::Warn,
                "pending means not recorded as delivered: after a crash it may be out all the same",
            ),
            Check::new(Verdict::Ok, "it cannot leave as it is: the destination cannot be used"),
        ],
        effects: vec![
            Planned::told("outbox_message", "- seq 88190 UserCheckedOutIntegrationEvent"),
            Planned::told("kept_messages", "+ the whole message (quarantined)"),
            Planned::told("outbox_state", "unchanged; the service removes an empty one"),
        ],
        cli_equivalent: "orderscope messages quarantine 88190 --reason INC-7 --yes".to_owned(),
        listed: vec![Statement::statement(statement.to_owned())],
        ..Plan::new(&request, &Policy::default(), now().utc, steps)
    }
}

/// What a form came to, with its plan on the card.
fn planned(desk: &mut Desk) -> change::Draft {
    let (ticket, draft) = desk.changing(|request| match request {
        change::Request::Plan { ticket, draft } => Some((*ticket, draft.clone())),
        _ => None,
    });
    desk.change(change::Msg::Planned(ticket, Ok(Arc::new(plan(&draft)))));
    draft
}

pub(super) fn kept(number: i64, returned: Option<DateTime<Utc>>) -> ArchivedMessage {
    ArchivedMessage {
        number,
        at: now().utc,
        operation: Some(Uuid::from_u128(7)),
        cause: "quarantined".to_owned(),
        place: "outbox 0000".to_owned(),
        message: None,
        kinds: Some("urn:message:BookWorm.Contracts:UserCheckedOutIntegrationEvent".to_owned()),
        destination: Some("nowhere\u{1b}[2J".to_owned()),
        bytes: 1_204,
        returned,
    }
}

/// The same whole, with something personal in each part.
pub(super) fn whole(number: i64) -> Whole {
    let body = json!({
        "messageType": ["urn:message:BookWorm.Contracts:UserCheckedOutIntegrationEvent"],
        "message": { "orderId": Uuid::from_u128(0x0199_b6f1), "email": "v@example.org" },
        "host": { "machineName": "shop-1" },
    });
    let body = body.to_string().into_bytes();
    let bytes = i64::try_from(body.len()).unwrap();
    let rest = json!({
        "sequence_number": 88_190,
        "headers": "{\"MT-Customer\": \"v@example.org\"}",
        "properties": "{\"RMQ-Exchange\": \"BookWorm.Contracts:X\"}",
        "conversation_id": Uuid::from_u128(0x9a02),
    });
    let order = Some(OrderId(Uuid::from_u128(0x0199_b6f1)));
    Whole { kept: ArchivedMessage { bytes, ..kept(number, None) }, body, rest, order }
}

#[test]
fn a_copy_is_opened_masked_and_leads_to_its_order() {
    let mut desk = desk(120, 36);
    desk.press("<");
    let listed = Listed { kept: vec![kept(4, None), kept(3, None)], ..Listed::default() };
    answer(&mut desk, &stalled(40, 1_204), &listed);
    assert!(desk.shows("Enter shows its headers and body"), "{}", desk.frame());
    desk.press("enter");
    assert_eq!(state(&desk).focus.pane, Pane::Detail);
    let asked = requests(&desk.effects());
    let [Request::Archive(archive::Request::Read { ticket, number: 4 })] = asked[..] else {
        panic!("{asked:?}")
    };
    send(&mut desk, Msg::Archive(archive::Msg::Read(ticket, Ok(Some(Arc::new(whole(4)))))));
    assert_eq!(state(&desk).cli_equivalent(), "orderscope messages show --kept 4");
    desk.press("z G");
    let text = desk.frame();
    assert!(text.contains("\"email\": \"********\"") && !text.contains("machineName"), "{text}");
    assert!(!text.contains("@example.org"), "{text}");
    frames!("kept_opened", desk);
    desk.resize(120, 36);
    desk.press("J G");
    assert!(desk.shows("machineName") && !desk.shows("@example.org"), "{}", desk.frame());
    desk.app.shared.masked = false;
    desk.press("g");
    assert!(desk.shows("v@example.org"), "{}", desk.frame());
    desk.press("enter");
    let order = OrderId(Uuid::from_u128(0x0199_b6f1));
    let expected = Some(Route::order(order));
    assert_eq!(desk.app.screens.route(), expected);
    // Another copy is another's body.
    desk.press("[ esc esc j");
    assert!(desk.shows("Enter shows its headers and body"), "{}", desk.frame());
    desk.press("enter");
    let asked = requests(&desk.effects());
    let Some(Request::Archive(archive::Request::Read { ticket, number: 3 })) = asked.last() else {
        panic!("{asked:?}")
    };
    send(&mut desk, Msg::Archive(archive::Msg::Read(*ticket, Ok(None))));
    assert!(desk.shows("it is gone: copies stay"), "{}", desk.frame());
}

#[test]
fn nothing_is_done_by_hand_while_locked() {
    let mut desk = watching(120, 36);
    for key in ["x", "D", "K", "c"] {
        desk.press(key);
        assert!(!desk.app.change.is_open(), "{key}");
        assert!(desk.shows("writes are locked: w unlocks"), "{key}");
    }
}

#[test]
fn the_menu_says_what_does_not_fit() {
    let mut desk = desk(120, 36);
    desk.press("x");
    assert!(desk.shows("Change message 88,190"), "{}", desk.frame());
    assert!(desk.shows("no copy is chosen"), "{}", desk.frame());
    desk.press("e");
    assert!(desk.shows("Change message 88,190"), "what is refused opens nothing");
    frames!("acts", desk);
    desk.press("esc");
    // The key for commands leads to the same.
    desk.press("c");
    assert!(desk.shows("quarantine: take it out"));
    // A service's database cannot hold.
    let mut desk = Desk::new(120, 36).at(Place { barred: None, ..attached() });
    desk.press("4");
    answer(&mut desk, &stalled(0, 1_204), &page(0..3));
    desk.unlock();
    desk.press("x");
    assert!(desk.shows("MassTransit knows no pause"), "{}", desk.frame());
    desk.press("h");
    assert!(desk.shows("Change message"), "{}", desk.frame());
}

#[test]
fn a_quarantine_goes_from_key_to_plan_to_word_to_result_and_back() {
    let mut desk = desk(120, 36);
    desk.press("K");
    assert!(desk.shows("Quarantine message 88,190"));
    desk.types("INC-7");
    desk.press("enter");
    assert!(desk.shows("Planning"));
    let draft = planned(&mut desk);
    assert_eq!(draft.operation, Operation::Outbox(OutboxAction::Quarantine { sequence: 88_190 }));
    assert_eq!(draft.reason.as_deref(), Some("INC-7"));
    frames!("quarantine", desk);
    desk.resize(120, 36);
    desk.types("QUARANTINE");
    desk.press("enter");
    let (_, plan) = desk.run();
    let back = OutboxAction::Requeue { source: Source::Kept(3), name: Name::Same };
    let told = "message 88190 is out of the outbox, kept as copy 3".to_owned();
    let outcome = Outcome {
        reverse: Some(Operation::Outbox(back.clone())),
        ..Outcome::new(&plan.request, Some(12), told)
    };
    desk.change(change::Msg::Ended(plan.request.id, Ok(outcome)));
    assert!(desk.shows("kept as copy 3") && desk.shows("u takes it back"), "{}", desk.frame());
    desk.press("esc");
    desk.press("u");
    let draft = planned(&mut desk);
    assert_eq!(draft.operation, Operation::Outbox(back));
    assert!(draft.reverses);
}

#[test]
fn a_repair_says_only_what_differs_and_refuses_what_would_not_leave() {
    let mut desk = desk(120, 36);
    desk.press("D");
    // In place of a destination that cannot be used stands the one that the message names itself.
    assert!(
        desk.shows("[exchange:BookWorm.Contracts:UserCheckedOutIntegrationEvent"),
        "{}",
        desk.frame()
    );
    desk.press("ctrl-u");
    desk.types("rabbitmq://rabbitmq/bad exchange?type=nonsense");
    desk.press("tab tab tab tab enter");
    assert!(desk.shows("nothing is changed"), "{}", desk.frame());
    frames!("repair", desk);
    desk.resize(120, 36);
    desk.press("ctrl-u");
    desk.types("http://nowhere");
    desk.press("tab tab tab tab enter");
    assert!(desk.shows("is not RabbitMQ's"), "{}", desk.frame());
    desk.press("ctrl-u");
    desk.types(THERE);
    desk.press("tab tab tab tab enter");
    let draft = planned(&mut desk);
    let repair = Repair { destination: Some(THERE.to_owned()), ..Repair::default() };
    assert_eq!(
        draft.operation,
        Operation::Outbox(OutboxAction::Repair { sequence: 88_190, repair })
    );
}

#[test]
fn a_repair_is_bounded_by_what_the_configuration_lets_the_broker_take() {
    let mut desk = desk(120, 36);
    desk.app.shared.policy.largest = 100;
    desk.press("D");
    desk.press("tab tab tab");
    let id = Uuid::from_u128(0x5b00);
    desk.types(&format!(
        "{{\"messageId\":\"{id}\",\"messageType\":[\"{EVENT}\"],\"message\":{{\"note\":\"{}\"}}}}",
        "x".repeat(60)
    ));
    desk.press("tab enter");
    assert!(desk.shows("the broker takes 100 at mos"), "{}", desk.frame());
}

#[test]
fn a_purge_takes_days() {
    let mut desk = desk(120, 36);
    desk.press("x p");
    assert!(desk.shows("Purge delivered outboxes"));
    desk.press("ctrl-u");
    desk.types("0");
    desk.press("tab enter");
    assert!(desk.shows("a whole number of days"), "{}", desk.frame());
    desk.press("ctrl-u");
    desk.types("14");
    desk.press("tab enter");
    let draft = planned(&mut desk);
    let Operation::Bulk(bulk) = draft.operation else { panic!("{draft:?}") };
    let before = bulk.parameters["before"].as_str().unwrap();
    let before: chrono::DateTime<chrono::Utc> = before.parse().unwrap();
    let age = desk.app.shared.now.utc - before;
    assert_eq!(age.num_days(), 14);
}

#[test]
fn copies_are_listed_and_put_back_under_either_id() {
    let mut desk = desk(120, 36);
    let rows = vec![kept(4, None), kept(3, Some(now().utc))];
    let listed = Listed { kept: rows, ..Listed::default() };
    desk.press("<");
    answer(&mut desk, &stalled(30, 1_204), &listed);
    assert!(desk.shows("Copies"), "{}", desk.frame());
    frames!("kept", desk);
    desk.resize(120, 36);
    desk.press("x n enter");
    let draft = planned(&mut desk);
    let Operation::Outbox(OutboxAction::Requeue { source: Source::Kept(4), name: Name::New(_) }) =
        draft.operation
    else {
        panic!("{draft:?}")
    };
    desk.press("esc esc j x");
    assert!(desk.shows("was put back already"), "{}", desk.frame());
    desk.press("esc K");
    assert!(desk.shows("no message is chosen"));
}

#[test]
fn a_delivered_message_is_left_alone() {
    let mut desk = desk(120, 36);
    let mut listed = page(0..1);
    listed.messages[0].delivery = Delivery::Delivered;
    desk.press(">");
    answer(&mut desk, &stalled(30, 1_204), &listed);
    desk.press("K");
    assert!(!desk.app.change.is_open());
    assert!(desk.shows("is recorded as delivered: only a pending one"), "{}", desk.frame());
}

//! Work with the broker from the key to the result, without one: what is offered, asked for, shown and stopped.

use super::*;
use crate::{
    domain::fault::Key as FaultKey,
    ops::{
        delivery::{Scope, Stats},
        error_queue::{ErrorAction, Limits, Pick, Work, choose},
        operation::{
            ErrorWork, Operation, Outcome, Plan, PlanError, PlanRequest, Progress, Restoring,
            Waiting, plan_of_drain, plan_of_errors, plan_of_restore,
        },
    },
    tui::{
        change::{self, Request as Changing},
        effect::Lane,
        shared::Place,
    },
};

const WHY: &str = "INC-7 the basket is back";

/// On the error queues, unlocked.
fn queues(width: u16, height: u16) -> Desk {
    let mut desk = errors::desk(width, height);
    desk.unlock();
    desk
}

fn pending(width: u16, height: u16) -> Desk {
    let mut desk = watching(width, height);
    desk.unlock();
    desk
}

/// What the newest request for a plan asks for.
fn asked(desk: &mut Desk) -> (Ticket, change::Draft) {
    desk.changing(|request| match request {
        Changing::Plan { ticket, draft } => Some((*ticket, draft.clone())),
        _ => None,
    })
}

/// Answers it as a broker with the usual listing would; yields what was asked.
fn planned(desk: &mut Desk) -> Operation {
    let (ticket, draft) = asked(desk);
    let (policy, now) = (&desk.app.shared.policy, desk.app.shared.now.utc);
    let request = PlanRequest::new(draft.operation.clone(), draft.reason);
    let plan = match &draft.operation {
        Operation::Errors(work) => {
            let listing = errors::listing();
            let choice = choose(&listing.found, &work.pick, work.action).unwrap();
            let (pause, limits) = (Duration::ZERO, Limits::default());
            let (action, management) = (work.action, None);
            let chosen = Work { action, choice, pause, limits, management };
            plan_of_errors(&request, work, chosen, &listing.told(), policy, now)
        }
        Operation::Restore(number) => {
            let restoring = Restoring {
                number: *number,
                queue: "basket-checkout-failed_error".to_owned(),
                message: None,
                bytes: 1_204,
                blocked: None,
                notes: vec![],
            };
            plan_of_restore(&request, restoring, policy, now)
        }
        Operation::Drain(scope) => {
            let waiting = Waiting {
                scope: *scope,
                outboxes: 12,
                messages: 1_204,
                blocked: None,
                notes: vec!["these are not recorded as delivered".to_owned()],
            };
            plan_of_drain(&request, waiting, policy, now)
        }
        other => panic!("no broker needed: {other:?}"),
    };
    desk.change(change::Msg::Planned(ticket, Ok(Arc::new(plan))));
    draft.operation
}

/// The plan that is asked to be run, and in which lane.
fn working(desk: &mut Desk) -> (Lane, Arc<Plan>) {
    desk.run()
}

fn halts(desk: &mut Desk) -> usize {
    let effects = desk.effects();
    let halts =
        |request: &&app::Request| matches!(request, app::Request::Change(Changing::Halt { .. }));
    runs(&effects).into_iter().map(|(_, request)| request).filter(halts).count()
}

/// On a group's replay that runs.
fn running(width: u16, height: u16) -> (Desk, Arc<Plan>) {
    let mut desk = queues(width, height);
    desk.press("x a tab");
    desk.types(WHY);
    desk.press("enter");
    planned(&mut desk);
    desk.types("REPLAY");
    desk.press("enter");
    let (lane, plan) = working(&mut desk);
    assert_eq!(lane, Lane::Every, "it runs on whatever is looked at");
    (desk, plan)
}

fn ended(plan: &Plan, told: &str, partly: bool) -> Outcome {
    let more = vec!["1 message: not tried: stopped by the operator".to_owned()];
    let more = if partly { more } else { vec![] };
    Outcome { more, partly, ..Outcome::new(&plan.request, Some(12), told.to_owned()) }
}

fn far(done: u64) -> Progress {
    Progress { done, of: 2, ..Progress::default() }
}

/// The keys of the messages of the first group, as listed.
fn keys() -> Vec<FaultKey> {
    let listing = errors::listing();
    let first = listing.found[0].fingerprint.clone();
    let alike = listing.found.iter().filter(|found| found.fingerprint == first);
    alike.map(|found| found.fault.key.clone()).collect()
}

#[test]
fn the_menu_of_the_queues_offers_what_is_safe_and_says_why_not() {
    let mut desk = queues(120, 36);
    desk.press("x");
    assert!(desk.shows("Change error queues") && desk.shows("no message is chosen"));
    desk.press("r");
    assert!(desk.shows("Change error queues"), "what is refused opens nothing");
    desk.press("d");
    assert!(desk.shows("Change error queues"));
    assert!(!desk.shows("quarantine"), "these are for what is in the database: {}", desk.frame());
    assert!(desk.shows("is repaired, drained, requeued and purged on its own lists: < >"));
    frames!("operations_menu", desk);
    desk.resize(120, 36);
    // Of the second group one waits, and none is done.
    desk.press("esc j x");
    assert!(desk.shows("none of them is known to be done (only-done-in-bulk)"), "{}", desk.frame());
    desk.press("o");
    assert!(desk.shows("Change error queues"));
    desk.press("e");
    assert!(desk.shows("Discard all error queues"));
}

#[test]
fn without_a_look_or_a_broker_nothing_is_offered() {
    let mut desk = watching(120, 36);
    desk.unlock();
    desk.press("< < x");
    assert!(desk.shows("the queues were not looked into: r looks"), "{}", desk.frame());
    desk.press("a");
    assert!(desk.shows("Change error queues"));
    let why = "no broker is named; set relay.broker in /home/mai/config.toml";
    let no_broker = Some(why.to_owned());
    for list in ["4", "4 >", "4 < < <"] {
        let mut desk = Desk::new(120, 36).at(Place { no_broker: no_broker.clone(), ..place() });
        desk.press(list);
        answer(&mut desk, &stalled(0, 1_204), &page(0..3));
        desk.unlock();
        desk.press("x");
        assert!(desk.shows("(broker-known)"), "{list}: {}", desk.frame());
        desk.press("o");
        assert!(desk.shows("no broker is named"), "{list}: {}", desk.frame());
    }
}

#[test]
fn a_group_is_replayed_from_key_to_plan_to_word_to_result() {
    let mut desk = queues(120, 36);
    desk.press("x g");
    assert!(desk.shows("Replay group") && desk.shows("per second"));
    desk.press("ctrl-u");
    desk.types("0");
    desk.press("tab enter");
    assert!(desk.shows("1 to 1,000  (rate-number)"), "{}", desk.frame());
    desk.press("ctrl-u");
    desk.types("50");
    desk.press("tab ctrl-u enter");
    assert!(desk.shows("the reason is needed"), "{}", desk.frame());
    desk.types(WHY);
    frames!("operations_form", desk);
    desk.resize(120, 36);
    desk.press("enter");
    assert!(desk.shows("nothing is taken"), "{}", desk.frame());
    let group = errors::listing().found[0].fingerprint.to_string();
    let pick = Pick::Group(group.clone());
    assert_eq!(
        planned(&mut desk),
        Operation::Errors(ErrorWork { action: ErrorAction::Replay, pick, rate: Some(50) })
    );
    assert!(desk.shows("1 message to basket-checkout-failed, at most 50 a second"));
    assert!(desk.shows("finance_error could not be read"), "what was not seen is said");
    frames!("operations_plan", desk);
    desk.press("s");
    frames!("operations_listed", desk);
    desk.resize(120, 36);
    desk.press("s y");
    let effects = desk.effects();
    let cli_equivalent = copied(&effects)[0];
    let expected =
        format!("orderscope errors replay --group {group} --rate 50 --reason '{WHY}' --yes");
    assert_eq!(cli_equivalent, expected);
    // Enter alone runs nothing.
    desk.press("enter");
    assert!(runs(&desk.effects()).is_empty());
    desk.types("REPLAY");
    desk.press("enter");
    let (_, plan) = working(&mut desk);
    assert_eq!(plan.request.reason.as_deref(), Some(WHY));
    desk.change(change::Msg::Progressed(
        plan.request.id,
        Progress { of: 1, ..Progress::default() },
    ));
    desk.change(change::Msg::Ended(plan.request.id, Ok(ended(&plan, "1 message replayed", false))));
    assert!(desk.shows("DONE") && desk.shows("audit    #12"), "{}", desk.frame());
    let looked = requests(&desk.effects());
    assert!(
        looked.iter().any(|request| matches!(
            request,
            Request::ErrorQueues(error_queues::Request::Look { .. })
        )),
        "{looked:?}"
    );
    frames!("operations_done", desk);
    desk.press("esc");
    assert!(!desk.app.change.is_open());
}

#[test]
fn what_runs_says_how_far_it_is_and_stops_after_its_message() {
    let (mut desk, plan) = running(120, 36);
    desk.change(change::Msg::Progressed(plan.request.id, far(1)));
    assert!(desk.shows("running … 1 of 2"), "{}", desk.frame());
    frames!("operations_running", desk);
    desk.resize(120, 36);
    // What is typed meanwhile runs nothing a second time.
    desk.types("REPLAY");
    desk.press("enter p");
    assert!(runs(&desk.effects()).is_empty());
    desk.press("esc");
    assert_eq!(halts(&mut desk), 1);
    assert!(desk.shows("stopping after this message"), "{}", desk.frame());
    let told = "stopped: 1 message replayed, 1 left where they are";
    desk.change(change::Msg::Ended(plan.request.id, Ok(ended(&plan, told, true))));
    assert!(desk.shows(told) && desk.shows("ENDED"), "{}", desk.frame());
    frames!("operations_stopped", desk);
    // Another operation's news means nothing here.
    desk.change(change::Msg::Progressed(Uuid::from_u128(9), far(2)));
    desk.change(change::Msg::Ended(Uuid::from_u128(9), Ok(ended(&plan, "other", false))));
    assert!(!desk.shows("other"));
}

#[test]
fn a_card_that_is_left_lets_it_run_on_and_can_be_come_back_to() {
    let (mut desk, plan) = running(120, 36);
    desk.press("q");
    assert!(!desk.app.change.is_open() && desk.shows("it runs on"), "{}", desk.frame());
    assert_eq!(halts(&mut desk), 0);
    // Leaving the console asks once.
    desk.press("q");
    assert!(!desk.app.quit && desk.shows("is still running; once more leaves"), "{}", desk.frame());
    desk.change(change::Msg::Progressed(plan.request.id, far(1)));
    desk.press("x");
    assert!(desk.shows("running … 1 of 2"), "its own card: {}", desk.frame());
    desk.press("esc");
    assert_eq!(halts(&mut desk), 1);
    // It is stopping already: Esc leaves.
    desk.press("esc");
    assert!(!desk.app.change.is_open());
    let told = "stopped: 1 message replayed, 1 left where they are";
    desk.change(change::Msg::Ended(plan.request.id, Ok(ended(&plan, told, true))));
    assert!(desk.shows(told), "{}", desk.frame());
    let looked = requests(&desk.effects());
    assert!(
        looked.iter().any(|request| matches!(
            request,
            Request::ErrorQueues(error_queues::Request::Look { .. })
        )),
        "{looked:?}"
    );
    // Nothing runs any more: x is the menu again.
    desk.press("x");
    assert!(desk.shows("Change error queues"), "{}", desk.frame());
}

#[test]
fn what_may_do_work_again_warns_and_wants_more_typed() {
    let mut desk = queues(120, 36);
    desk.press("enter j j x r tab");
    desk.types(WHY);
    desk.press("enter");
    let Operation::Errors(errors) = planned(&mut desk) else { panic!("no errors") };
    let key = keys()[2].to_string();
    assert_eq!(errors.pick, Pick::Keys { keys: vec![key], again: true });
    assert!(desk.shows("warn") && desk.shows("may do its work again"), "{}", desk.frame());
    assert!(!desk.app.shared.policy.typed);
    frames!("operations_again", desk);
    desk.resize(120, 36);
    desk.types("REPLAY");
    desk.press("enter");
    assert!(runs(&desk.effects()).is_empty() && desk.shows("that is not the word"));
    desk.types(" database");
    desk.press("enter");
    working(&mut desk);
    // One that only waits has nothing more to type.
    let mut desk = queues(120, 36);
    desk.press("enter x r tab");
    desk.types(WHY);
    desk.press("enter");
    planned(&mut desk);
    assert!(!desk.shows("may do its work again"), "{}", desk.frame());
    desk.types("REPLAY");
    desk.press("enter");
    working(&mut desk);
}

#[test]
fn some_are_marked_and_replayed_or_discarded_together() {
    let mut desk = queues(120, 36);
    desk.press("space");
    assert!(desk.shows("Enter lists a group's messages: those are marked"), "{}", desk.frame());
    desk.press("x m");
    assert!(desk.shows("no message is marked"), "{}", desk.frame());
    desk.press("s");
    assert!(desk.shows("Change error queues"), "what is refused opens nothing");
    // Two of the first group, and the one of the second.
    desk.press("esc enter");
    assert!(desk.shows("Space mark"), "{}", desk.frame());
    desk.press("space j space esc j enter space");
    assert!(desk.shows("3 marked"), "{}", desk.frame());
    desk.press("esc k enter");
    frames!("operations_marked", desk);
    desk.resize(120, 36);
    let [first, _, third]: [FaultKey; 3] = keys().try_into().unwrap();
    let second = errors::listing().found[2].fault.key.clone();
    let wanted: Vec<_> = [&first, &second, &third].map(ToString::to_string).to_vec();
    desk.press("x s");
    assert!(desk.shows("Discard 3 marked messages"), "{}", desk.frame());
    desk.types(WHY);
    desk.press("enter");
    let Operation::Errors(errors) = planned(&mut desk) else { panic!("no errors") };
    assert_eq!(errors.pick, Pick::Keys { keys: wanted.clone(), again: false });
    assert_eq!(errors.action, ErrorAction::Discard);
    desk.press("esc esc x m");
    assert!(desk.shows("Replay 3 marked messages") && desk.shows("per second"), "{}", desk.frame());
    desk.press("tab");
    desk.types(WHY);
    desk.press("enter");
    let Operation::Errors(errors) = planned(&mut desk) else { panic!("no errors") };
    assert_eq!(errors.pick, Pick::Keys { keys: wanted.clone(), again: false });
    // What may do its work again is not replayed together with others.
    assert!(desk.shows("; alone, or with"), "{}", desk.frame());
    assert!(!desk.shows("may do its work again:"), "{}", desk.frame());
    desk.press("y");
    let effects = desk.effects();
    let cli_equivalent = copied(&effects)[0];
    assert!(
        cli_equivalent.starts_with(&format!("orderscope errors replay {} --", wanted.join(" "))),
        "{cli_equivalent}"
    );
    desk.types("REPLAY");
    desk.press("enter");
    working(&mut desk);
    // Esc, with all groups, lets go.
    let mut desk = queues(120, 36);
    desk.press("enter * v");
    assert!(!desk.shows(" marked"), "{}", desk.frame());
    desk.press("* esc");
    assert!(desk.shows("3 marked"), "{}", desk.frame());
    desk.press("esc");
    assert!(!desk.shows("3 marked") && state(&desk).sub == Sub::ErrorQueues, "{}", desk.frame());
}

#[test]
fn discarding_takes_one_or_what_is_done() {
    let discard =
        |pick| Operation::Errors(ErrorWork { action: ErrorAction::Discard, pick, rate: None });
    let group = errors::listing().found[0].fingerprint.to_string();
    let one = Pick::Keys { keys: vec![keys()[0].to_string()], again: true };
    for (way, pick) in [
        ("enter x d", one),
        ("x o", Pick::Group(group.clone())),
        ("enter x o", Pick::Group(group)),
        ("x e", Pick::All),
    ] {
        let mut desk = queues(120, 36);
        desk.press(way);
        assert!(!desk.shows("per second"), "nothing waits between two: {}", desk.frame());
        desk.types(WHY);
        desk.press("enter");
        assert_eq!(planned(&mut desk), discard(pick), "{way}");
        assert!(
            desk.shows("a copy of each kept first") && desk.shows("DISCARD"),
            "{}",
            desk.frame()
        );
    }
}

#[test]
fn what_cannot_be_planned_or_run_says_why_and_is_planned_again() {
    let mut desk = queues(120, 36);
    desk.press("x a tab");
    desk.types(WHY);
    desk.press("enter");
    let (ticket, _) = asked(&mut desk);
    let lost = "cannot reach RabbitMQ at mq:5672";
    desk.change(change::Msg::Planned(ticket, Err(PlanError::NoBroker(lost.to_owned()))));
    assert!(desk.shows(lost), "{}", desk.frame());
    desk.press("p");
    planned(&mut desk);
    desk.types("REPLAY");
    desk.press("enter");
    let (_, plan) = working(&mut desk);
    desk.change(change::Msg::Ended(plan.request.id, Err(PlanError::NoBroker(lost.to_owned()))));
    assert!(desk.shows(lost) && desk.shows("p plan again"), "{}", desk.frame());
    // It is not run again as it is.
    desk.types("REPLAY");
    desk.press("enter");
    assert!(runs(&desk.effects()).iter().all(|(lane, _)| *lane != Lane::Every));
    desk.press("p");
    planned(&mut desk);
    assert!(desk.shows("type REPLAY to run"), "{}", desk.frame());
}

#[test]
fn a_lock_that_falls_meanwhile_is_told_on_the_card() {
    let mut desk = queues(120, 36);
    desk.press("x a tab");
    desk.types(WHY);
    desk.press("enter");
    planned(&mut desk);
    desk.wait(desk.app.shared.policy.unlock);
    assert!(desk.shows("LOCKED: w unlocks"), "{}", desk.frame());
    desk.types("REPLAY");
    desk.press("enter");
    let effects = desk.effects();
    let works =
        |request: &app::Request| matches!(request, app::Request::Change(Changing::Run { .. }));
    assert!(!runs(&effects).into_iter().any(|(_, request)| works(request)), "{effects:?}");
}

#[test]
fn what_is_pending_is_drained_by_outbox_or_all() {
    for (key, scope) in [("o", Scope::Outbox(outbox(0).0)), ("a", Scope::All)] {
        let mut desk = pending(120, 36);
        desk.press("x");
        frames!("operations_pending_menu", desk);
        desk.resize(120, 36);
        desk.press(key);
        desk.types(WHY);
        desk.press("enter");
        assert_eq!(planned(&mut desk), Operation::Drain(scope));
        assert!(
            desk.shows("type DRAIN to run") && desk.shows("1,204 messages"),
            "{}",
            desk.frame()
        );
        desk.types("DRAIN");
        desk.press("enter");
        let (_, plan) = working(&mut desk);
        let why = "outbox 7 is held at 3: no destination";
        let hindered = vec![crate::ops::delivery::Hindrance::of_all(why.to_owned())];
        let warnings = Stats { returned: 31, ..Stats::default() }.warnings();
        desk.change(change::Msg::Progressed(
            plan.request.id,
            Progress { done: 900, of: 1_204, hindered, warnings, ..Progress::default() },
        ));
        assert!(desk.shows("running … 900 of 1,204"), "{}", desk.frame());
        assert!(desk.shows("Esc stops after this pass"), "{}", desk.frame());
        assert!(desk.shows("held at 3: no destination"), "{}", desk.frame());
        assert!(desk.shows("31 messages found no subscriber"), "{}", desk.frame());
    }
}

#[test]
fn a_group_is_drained_where_it_is_an_outbox_and_else_says_why_not() {
    for pivot in ["p", "p p"] {
        let mut desk = pending(120, 36);
        desk.press(pivot);
        desk.press("x o");
        assert!(desk.shows("an outbox leaves whole and in order: no type"), "{}", desk.frame());
        assert!(desk.shows("no single message is chosen: Enter lists the group's"));
    }
    let mut desk = pending(120, 36);
    desk.press("p p p j x");
    assert!(desk.shows("Change outbox …b301"), "{}", desk.frame());
    frames!("operations_outbox_menu", desk);
    desk.resize(120, 36);
    desk.press("o");
    desk.types(WHY);
    desk.press("enter");
    assert_eq!(planned(&mut desk), Operation::Drain(Scope::Outbox(outbox(1).0)));
}

#[test]
fn the_menu_begins_with_what_the_list_is_about_and_scrolls() {
    let mut desk = pending(80, 24);
    desk.press("<");
    let kept = vec![ArchivedMessage { cause: "discarded".to_owned(), ..acting::kept(8, None) }];
    answer(&mut desk, &stalled(30, 1_204), &Listed { kept, ..Listed::default() });
    desk.press("x");
    assert!(desk.shows("b  put the copy back into the error queue"), "{}", desk.frame());
    frames!("operations_kept_menu", desk);
    // In a small window the last one comes into sight with the cursor.
    desk.resize(80, 18);
    assert!(!desk.shows("remove failed inbox rows") && desk.shows(" … "), "{}", desk.frame());
    desk.press("j j j j j j j j j j");
    assert!(desk.shows("> f  remove failed inbox rows"), "{}", desk.frame());
}

#[test]
fn an_outbox_is_only_drained_where_one_waits() {
    let mut desk = pending(120, 36);
    let mut listed = page(0..1);
    listed.messages[0].owner =
        Owner::Consumer { message: MessageId(Uuid::nil()), consumer: ConsumerId(Uuid::nil()) };
    desk.press("r");
    answer(&mut desk, &stalled(30, 1_204), &listed);
    desk.press("x o");
    assert!(desk.shows("no message of an outbox is chosen (outbox-exists)"), "{}", desk.frame());
    assert!(desk.shows("Change message"), "what is refused opens nothing");
}

#[test]
fn only_a_half_done_consumer_is_delivered_for() {
    let row = |number: i64, half: bool| InboxRow {
        id: number,
        message: MessageId(Uuid::from_u128(0x6100)),
        consumer: ConsumerId(Uuid::from_u128(0xcdc6e)),
        received: ago(6),
        passes: 1,
        consumed: Some(ago(6)),
        delivered: (!half).then(|| ago(5)),
        cursor: None,
    };
    let mut desk = pending(120, 36);
    desk.press("< < <");
    let listed = Listed { inbox: vec![row(2, false), row(1, true)], ..Listed::default() };
    answer(&mut desk, &stalled(30, 1_204), &listed);
    desk.press("x o");
    assert!(desk.shows("only a half-done row is"), "{}", desk.frame());
    desk.press("esc j x o");
    assert!(desk.shows("Deliver for consumer …dc6e"), "{}", desk.frame());
    desk.types(WHY);
    desk.press("enter");
    let half = ConsumerOutbox {
        message_id: Uuid::from_u128(0x6100),
        consumer_id: Uuid::from_u128(0xcdc6e),
    };
    assert_eq!(planned(&mut desk), Operation::Drain(Scope::ConsumerOutbox(half)));
}

#[test]
fn a_discarded_copy_goes_back_into_its_queue_and_no_other() {
    let copy = |number: i64, cause: &str| ArchivedMessage {
        cause: cause.to_owned(),
        place: "basket-checkout-failed_error".to_owned(),
        ..acting::kept(number, None)
    };
    let mut desk = pending(120, 36);
    desk.press("<");
    let kept = vec![copy(8, "discarded"), copy(7, "quarantined")];
    answer(&mut desk, &stalled(30, 1_204), &Listed { kept, ..Listed::default() });
    desk.press("j x b");
    assert!(desk.shows("it lay in no error queue: e or n puts it back"), "{}", desk.frame());
    desk.press("esc k x e");
    assert!(desk.shows("not in an outbox: b puts it back there"), "{}", desk.frame());
    desk.press("b");
    assert!(desk.shows("Put copy 8 back"), "{}", desk.frame());
    desk.types(WHY);
    desk.press("enter");
    assert_eq!(planned(&mut desk), Operation::Restore(8));
    frames!("operations_restore", desk);
    desk.resize(120, 36);
    desk.types("RESTORE");
    desk.press("enter");
    working(&mut desk);
}

#[test]
fn every_stage_of_an_operation_fits_every_window() {
    let stages: [fn(&mut Desk); 4] = [
        |_| {},
        |desk| desk.press("esc"),
        |desk| desk.press("s"),
        |desk| {
            desk.press("q x");
        },
    ];
    for stage in stages {
        let (mut desk, _) = running(120, 36);
        stage(&mut desk);
        assert!(desk.app.change.is_open());
        desk.fits_every_window();
    }
    let (mut desk, plan) = running(120, 36);
    let evil = "\u{1b}]52;c;eA==\u{7}\u{202e}x".repeat(9);
    let more = vec![evil.clone()];
    let outcome = Outcome { more, ..ended(&plan, &evil, true) };
    desk.change(change::Msg::Ended(plan.request.id, Ok(outcome)));
    desk.fits_every_window();
    desk.resize(120, 36);
    let frame = desk.frame();
    assert!(frame.chars().all(|c| c == '\n' || crate::domain::text::is_plain(c)), "{frame:?}");
}

//! From the key to the result, without a database: what is asked for, what is shown.

use super::*;
use crate::{
    domain::{
        decide::{Command, Refusal},
        id::BuyerId,
        order::Buyer,
    },
    ops::operation::{Moved, Needed},
    tui::{
        app::Msg as Root,
        tests::{Desk, copied, frames, runs, samples},
    },
};

/// A console on the timeline of an order that is still New, unlocked.
fn desk(width: u16, height: u16) -> Desk {
    let mut desk = Desk::travelling(width, height, samples::new());
    desk.unlock();
    desk
}

/// The same with the plan of cancelling that order on its card.
fn card(width: u16, height: u16) -> Desk {
    let mut desk = desk(width, height);
    desk.press("c x");
    desk.types("CB-91 customer asked before completion");
    desk.press("enter");
    desk.planned(Ok(samples::plan(1)));
    desk
}

/// A plan with another word.
fn typing(word: &str, id: u128) -> Plan {
    let confirmation = Needed { phrase: word.to_owned(), typed: false };
    Plan { confirmation, ..samples::plan(id) }
}

fn moved() -> Moved {
    Moved {
        what: "version 1 → 2".to_owned(),
        who: Some("lan".to_owned()),
        when: Some("2026-11-22T14:01:58Z".parse().unwrap()),
    }
}

fn found() -> Vec<FoundBuyer> {
    let one = |tail, name: &str| FoundBuyer {
        id: BuyerId(samples::id("2025-03-01T08:00:00Z", tail)),
        buyer: Buyer {
            name: Some(name.to_owned()),
            city: Some("Hue".to_owned()),
            ..Buyer::default()
        },
    };
    vec![one(0x4e10, "Le Thi"), one(0x4e11, "Le\u{1b}[2J Van")]
}

/// Answers the newest search for buyers.
fn buyers(desk: &mut Desk, found: Vec<FoundBuyer>) -> String {
    let (ticket, text) = desk.changing(|request| match request {
        Request::Buyers { ticket, text } => Some((*ticket, text.clone())),
        _ => None,
    });
    desk.change(Msg::Buyers(ticket, Ok(found)));
    text
}

#[test]
fn nothing_is_changed_while_locked_and_the_reason_is_told() {
    let mut desk = Desk::travelling(120, 36, samples::new());
    desk.press("c");
    assert!(!desk.app.change.is_open());
    assert!(desk.shows("writes are locked: w unlocks"));
    desk.press(":");
    desk.types("change");
    assert!(desk.shows("(not now: writes are locked: w unlocks)"));
    desk.press("esc ?");
    desk.press("ctrl-d ctrl-d ctrl-d ctrl-d ctrl-d");
    assert!(desk.shows("(not now: writes are locked: w unlocks)"));
}

#[test]
fn the_menu_offers_what_the_order_takes_and_names_the_rule_against_the_rest() {
    let mut desk = desk(120, 36);
    desk.press("c");
    assert!(desk.shows("only a deleted order is restored: …8c41 is not deleted (only-deleted-is"));
    desk.press("r");
    assert!(desk.shows("Change order …8c41"), "what is refused opens nothing");
    frames!("menu", desk);
    desk.press("esc");
    desk.open(samples::cancelled());
    desk.press("c");
    assert!(desk.shows("only a New order completes or cancels: …8c41 is Cancelled"));
    desk.press("esc");
    // Without an order, what needs none.
    let mut desk = Desk::new(120, 36).at(crate::tui::tests::place());
    desk.list(vec![]);
    desk.unlock();
    desk.press("c");
    assert!(desk.shows("no order is chosen"));
    desk.press("n");
    assert!(desk.shows("New order"));
}

#[test]
fn a_cancellation_goes_from_reason_to_plan_to_word_to_result() {
    let mut desk = desk(120, 36);
    desk.press("c x");
    assert!(desk.shows("CB-91"), "what it was unlocked for: {}", desk.frame());
    desk.press("ctrl-u enter");
    assert!(desk.shows("! the reason is needed  (text-needed)"));
    desk.types("CB-91 customer asked");
    desk.press("enter");
    assert!(desk.shows("Planning"));
    let draft = desk.planned(Ok(samples::plan(1)));
    let id = samples::new().id;
    let command = Command::CancelOrder { id, reason: "CB-91 customer asked".to_owned() };
    assert_eq!(draft.operation, Operation::Order(command));
    assert_eq!(draft.reason.as_deref(), Some("CB-91 customer asked"));
    // Enter alone runs nothing, nor does another word.
    desk.press("enter");
    desk.types("cancel");
    desk.press("enter");
    assert!(runs(&desk.effects()).is_empty());
    assert!(desk.shows("that is not the word"));
    desk.press("ctrl-u");
    desk.types("CANCEL");
    desk.press("enter");
    let (lane, plan) = desk.run();
    assert_eq!((lane, plan.request.id), (Lane::Every, Uuid::from_u128(1)));
    assert!(desk.shows("running …"));
    // A second time is not asked for, whatever is pressed.
    desk.types("CANCEL");
    desk.press("enter enter p");
    assert!(runs(&desk.effects()).is_empty());
    desk.change(Msg::Ended(Uuid::from_u128(1), Ok(samples::done(1))));
    assert!(desk.shows("order …8c41 is cancelled at version 2") && desk.shows("audit    #838"));
    // The timeline beneath is read again.
    let _ = desk.reading();
    desk.press("esc");
    assert!(!desk.app.change.is_open());
    // A cancellation cannot be taken back.
    desk.press("u");
    assert!(desk.shows("nothing done in this session can be taken back"));
}

#[test]
fn what_can_be_taken_back_is_planned_by_u_once() {
    let mut desk = desk(120, 36);
    let id = samples::new().id;
    desk.press("c d enter");
    desk.planned(Ok(typing("DELETE", 7)));
    desk.types("DELETE");
    desk.press("enter");
    desk.run();
    let reverse = Operation::Order(Command::RestoreOrder { id });
    let done = Outcome { reverse: Some(reverse.clone()), version: None, ..samples::done(7) };
    desk.change(Msg::Ended(Uuid::from_u128(7), Ok(done)));
    assert!(desk.shows("u takes it back"));
    desk.press("esc u");
    let draft = desk.planned(Ok(typing("RESTORE", 8)));
    assert_eq!((draft.operation, draft.reverses), (reverse, true));
    desk.types("RESTORE");
    desk.press("enter");
    desk.run();
    desk.change(Msg::Ended(Uuid::from_u128(8), Ok(samples::done(8))));
    desk.press("esc u");
    assert!(desk.shows("nothing done in this session can be taken back"));
}

#[test]
fn going_elsewhere_does_not_stop_what_runs() {
    let mut desk = card(120, 36);
    desk.types("CANCEL");
    desk.press("enter");
    desk.run();
    desk.press("esc");
    assert!(!desk.app.change.is_open());
    let stops = |effect: &crate::tui::effect::Effect<_>| matches!(effect, crate::tui::effect::Effect::Stop(lane) if *lane != "change.plan");
    assert!(!desk.effects().iter().any(stops));
    // Leaving asks once.
    desk.press("q");
    assert!(!desk.app.quit && desk.shows("cancel order …8c41 is still running"));
    desk.press("2");
    desk.change(Msg::Ended(Uuid::from_u128(1), Ok(samples::done(1))));
    assert!(desk.shows("order …8c41 is cancelled at version 2"));
    desk.press("q");
    assert!(desk.app.quit);
}

#[test]
fn a_failure_on_the_way_is_told_and_nothing_is_lost() {
    let mut desk = card(120, 36);
    desk.types("CANCEL");
    desk.press("enter");
    desk.run();
    desk.change(Msg::Ended(Uuid::from_u128(1), Err(PlanError::Stale(moved()))));
    assert!(desk.shows("by lan at 2026-11-22T14:01:58Z") && desk.shows("p plan again"));
    desk.effects();
    desk.types("CANCEL");
    desk.press("enter");
    assert!(runs(&desk.effects()).is_empty(), "a plan that failed is not run again");
    desk.press("p");
    desk.planned(Ok(samples::plan(2)));
    desk.types("CANCEL");
    desk.press("enter");
    assert_eq!(desk.run().1.request.id, Uuid::from_u128(2), "a new plan is a new operation");
    desk.change(Msg::Ended(Uuid::from_u128(2), Err(PlanError::Conflict(moved()))));
    // Back in the form, what was typed is there.
    desk.press("esc");
    assert!(desk.shows("CB-91 customer asked before completion"));
}

#[test]
fn a_late_plan_is_dropped_and_a_failed_one_can_be_asked_for_again() {
    let mut desk = desk(120, 36);
    desk.press("c x");
    desk.types("why");
    desk.press("enter");
    let ticket = desk.changing(|request| match request {
        Request::Plan { ticket, .. } => Some(*ticket),
        _ => None,
    });
    desk.press("p");
    desk.change(Msg::Planned(ticket, Ok(Arc::new(samples::plan(1)))));
    assert!(desk.shows("Planning"), "the first answer belongs to the first request");
    desk.planned(Err(PlanError::Database(samples::lost())));
    assert!(desk.shows("Connection refused") && desk.shows("p plan again"));
    desk.press("p");
    desk.planned(Err(PlanError::Refused(Refusal::Deleted(samples::new().id))));
    assert!(desk.shows("a deleted order takes no command but restore"));
}

#[test]
fn a_blocked_plan_and_a_locked_console_run_nothing() {
    let mut desk = desk(120, 36);
    desk.press("c x");
    desk.types("why");
    desk.press("enter");
    desk.planned(Ok(samples::blocked()));
    desk.types("CANCEL");
    desk.press("enter");
    assert!(runs(&desk.effects()).is_empty());
    assert!(desk.shows("BLOCKED: nothing can be run"));
    let mut desk = card(120, 36);
    desk.wait(std::time::Duration::from_secs(601));
    desk.effects();
    desk.types("CANCEL");
    desk.press("enter");
    assert!(runs(&desk.effects()).is_empty());
    assert!(desk.shows("LOCKED: w unlocks"));
    desk.press("w");
    assert!(desk.shows("Unlock writes"));
    desk.types("still CB-91");
    desk.press("enter");
    desk.send(Root::Granted(
        crate::tui::app::Purpose::Unlock,
        "still CB-91".to_owned(),
        Ok(String::new()),
    ));
    desk.types("CANCEL");
    desk.press("enter");
    desk.run();
}

#[test]
fn statements_are_masked_until_revealed_and_y_copies_the_command() {
    let mut desk = card(120, 36);
    desk.press("s");
    assert!(desk.shows("UPDATE orders SET status = 1") && !desk.shows("Le Thi"));
    desk.press("s y");
    let effects = desk.effects();
    assert!(copied(&effects)[0].starts_with("orderscope order cancel 0"), "{effects:?}");
    desk.app.shared.masked = false;
    desk.press("s");
    assert!(desk.shows("Le Thi"));
}

#[test]
fn a_new_order_is_checked_and_summed_up_while_it_is_typed() {
    let mut desk = Desk::new(120, 36).at(crate::tui::tests::place());
    desk.list(vec![]);
    desk.unlock();
    desk.press("c n");
    desk.types("le");
    assert_eq!(buyers(&mut desk, found()), "le");
    assert!(desk.shows("L*** T.") && !desk.shows("Le Thi") && !desk.shows("Hue"));
    desk.press("down up enter");
    let book = "019aab5c-2ba6-7b40-9d2a-5e0c4b1f91aa";
    desk.types(book);
    desk.press("tab");
    desk.types("0");
    assert!(desk.shows("! the quantity of item 1 is above 0, not 0  (quantity-above-zero)"));
    desk.press("backspace 2 tab");
    desk.types("14.2x");
    assert!(desk.shows("(price-number)"));
    desk.press("backspace 0");
    assert!(desk.shows("28.40 in 1 line") && !desk.shows("so far"));
    desk.press("tab");
    desk.types("9f");
    assert!(desk.shows("28.40 in 1 line so far") && desk.shows("(book-id)"));
    desk.press("ctrl-u enter");
    desk.types("leave at the door");
    desk.press("enter enter");
    let draft = desk.planned(Ok(samples::plan(3)));
    let Operation::Order(Command::CreateOrder { buyer, note, lines, .. }) = &draft.operation else {
        panic!("{draft:?}");
    };
    assert_eq!(*buyer, found()[0].id);
    assert_eq!(note.as_deref(), Some("leave at the door"));
    assert_eq!(draft.reason.as_deref(), Some("CB-91"), "what the console was unlocked for");
    assert_eq!((lines.len(), lines[0].quantity, lines[0].book.to_string().as_str()), (1, 2, book));
}

#[test]
fn an_unfinished_order_says_everything_that_is_missing() {
    let mut desk = Desk::new(120, 36).at(crate::tui::tests::place());
    desk.list(vec![]);
    desk.unlock();
    desk.press("c n tab enter enter enter");
    assert!(runs(&desk.effects()).is_empty());
    assert!(desk.shows("pick a buyer") && desk.shows("an order has at least one item"));
    frames!("new_order_problems", desk);
    desk.paste(&"x".repeat(600));
    desk.press("esc");
    desk.press("c b enter enter enter enter enter");
    assert!(desk.shows("! the name is needed  (text-needed)"));
    desk.types(&"x".repeat(21));
    assert!(desk.shows("! the name has at most 20 characters, not 21  (text-length)"));
}

#[test]
fn todays_address_is_filled_in_only_where_it_may_be_seen() {
    let mut desk = desk(120, 36);
    desk.press("c a");
    assert!(!desk.shows("8 Book Lane"));
    desk.press("esc");
    desk.app.shared.masked = false;
    desk.press("c a");
    assert!(desk.shows("8 Book Lane") && desk.shows("Hue"));
    desk.press("tab ctrl-u");
    desk.types("Da Nang");
    desk.press("enter enter enter");
    let draft = desk.planned(Ok(samples::plan(4)));
    let Operation::Order(Command::UpdateBuyerAddress { address, .. }) = draft.operation else {
        panic!("{draft:?}");
    };
    assert_eq!(address.city.as_deref(), Some("Da Nang"));
    assert_eq!(address.province, None);
}

#[test]
fn every_stage_looks_as_it_should() {
    let mut desk = desk(120, 36);
    desk.press("c x");
    frames!("cancel_form", desk);
    desk.types("CB-91 customer asked before completion");
    desk.press("enter");
    frames!("planning", desk);
    desk.planned(Ok(samples::plan(1)));
    frames!("plan", desk);
    desk.press("s");
    frames!("plan_sql", desk);
    desk.press("s");
    desk.types("CANCEL");
    desk.press("enter");
    frames!("running", desk);
    desk.change(Msg::Ended(Uuid::from_u128(1), Err(PlanError::Conflict(moved()))));
    frames!("conflict", desk);
    desk.press("p");
    desk.planned(Err(PlanError::NoAudit));
    frames!("plan_failed", desk);
    desk.press("p");
    desk.planned(Ok(samples::blocked()));
    frames!("blocked", desk);
    desk.press("p");
    desk.planned(Ok(samples::plan(2)));
    desk.types("CANCEL");
    desk.press("enter");
    desk.change(Msg::Ended(Uuid::from_u128(2), Ok(samples::done(2))));
    frames!("done", desk);
    desk.press("esc c n");
    frames!("new_order", desk);
    desk.press("ctrl-u");
    desk.types("le");
    buyers(&mut desk, found());
    frames!("new_order_buyers", desk);
    desk.press("esc c a");
    frames!("address_form", desk);
}

#[test]
fn every_stage_fits_every_window() {
    let stages: [fn(&mut Desk); 6] = [
        |desk| desk.press("c"),
        |desk| desk.press("c n"),
        |desk| desk.press("c a"),
        |desk| desk.press("c x a enter"),
        |desk| {
            desk.press("c x a enter");
            desk.planned(Ok(samples::plan(1)));
        },
        |desk| {
            desk.press("c x a enter");
            desk.planned(Ok(samples::plan(1)));
            desk.types("CANCEL");
            desk.press("enter");
            desk.change(Msg::Ended(Uuid::from_u128(1), Ok(samples::done(1))));
        },
    ];
    for stage in stages {
        let mut desk = desk(120, 36);
        stage(&mut desk);
        assert!(desk.app.change.is_open());
        desk.fits_every_window();
    }
}

#[test]
fn the_mouse_and_the_wheel_reach_the_card_and_not_the_screen() {
    use crossterm::event::{MouseButton, MouseEventKind};
    let mut desk = card(80, 24);
    let before = desk.frame();
    desk.mouse(MouseEventKind::ScrollDown, 40, 10);
    assert_ne!(desk.frame(), before);
    for _ in 0..50 {
        desk.mouse(MouseEventKind::ScrollDown, 40, 10);
    }
    desk.mouse(MouseEventKind::ScrollUp, 40, 10);
    assert_eq!(desk.frame(), before, "three lines back are all that were hidden");
    desk.press("esc esc c");
    desk.mouse(MouseEventKind::Down(MouseButton::Left), 20, 12);
    assert!(desk.app.change.is_open());
}

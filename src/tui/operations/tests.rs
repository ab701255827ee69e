//! Bulk operations from the key to the request, without a database: the line at the foot of every screen, the list, one
//! looked into, and what is done to them.

use std::time::Duration;

use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::{
    db,
    domain::batch::{Counts, State as Stands, Wanted},
    ops::operation::{
        Operation, Outcome, Plan, PlanRequest, Position, Progress, Steps, batch::Settled,
    },
    tui::{
        app::{self, Msg as Root},
        change,
        effect::Effect,
        screens::messages,
        tests::{Desk, frames, place, runs, samples},
    },
};

fn at(text: &str) -> chrono::DateTime<chrono::Utc> {
    text.parse().unwrap()
}

fn counts(done: u64, skipped: u64, failed: u64) -> Counts {
    Counts { done, skipped, failed }
}

fn record(number: i64, name: &str, state: Stands, items: u64, counts: Counts) -> Record {
    Record {
        id: Uuid::from_u128(number.unsigned_abs().into()),
        number,
        name: name.to_owned(),
        parameters: json!({ "before": "2026-10-22T00:00:00Z" }),
        state,
        held: false,
        wanted: None,
        told: None,
        items,
        counts,
        accepted: 0,
        batches: 12,
        verified: 12,
        rate: None,
        operator: "mai".to_owned(),
        host: "desk-4".to_owned(),
        login: "support".to_owned(),
        created_at: at("2026-11-22T13:40:00Z"),
        needs_approval: state == Stands::Waiting,
        approver: None,
        approver_login: None,
        approved_at: None,
        runner: None,
        runner_since: None,
        started_at: None,
        ended_at: None,
        audit_begun: Some(90),
        audit_ended: None,
        reason: Some("INC-7 disk is full".to_owned()),
    }
}

/// Run by another console.
fn running() -> Row {
    let mut record = record(7, "PurgeInbox", Stands::Running, 10_000, counts(4_200, 8, 2));
    record.held = true;
    record.runner = Some("huong@desk-9".to_owned());
    let left = chrono::TimeDelta::seconds(58);
    (record, Some(Estimate { per_minute: 6_000, left }))
}

fn paused() -> Row {
    let mut record = record(6, "PurgeOutbox", Stands::Paused, 1_150, counts(37, 3, 0));
    record.runner = Some("mai@desk-4".to_owned());
    record.told = Some("by mai@desk-4".to_owned());
    (record, None)
}

fn waiting() -> Row {
    (record(5, "PurgeInbox", Stands::Waiting, 250_000, counts(0, 0, 0)), None)
}

fn done() -> Row {
    (record(4, "RemoveFailedInbox", Stands::Done, 12, counts(12, 0, 0)), None)
}

/// A state to change, and what may follow from it.
fn stopped() -> Row {
    let mut record = record(9, "PurgeOutbox", Stands::Stopped, 500, counts(30, 0, 1));
    record.told = Some("1 items failed: it stops at the first".to_owned());
    (record, None)
}

fn interrupted() -> Row {
    let (record, _) = running();
    (Record { number: 8, held: false, ..record }, None)
}

/// The newest request that `pick` knows.
fn asked<T>(desk: &mut Desk, pick: impl Fn(&Request) -> Option<T>) -> T {
    let effects = desk.effects();
    let request = effects.iter().rev().find_map(|effect| match effect {
        Effect::Run(_, app::Request::Operations(request)) => pick(request),
        _ => None,
    });
    request.unwrap_or_else(|| panic!("nothing of the kind was asked for: {effects:?}"))
}

/// Answers the newest reading; yields whether those that are over were wanted.
fn answer(desk: &mut Desk, result: Result<Vec<Row>, PlanError>) -> bool {
    let (ticket, all) = asked(desk, |request| match request {
        Request::Read { ticket, all } => Some((*ticket, *all)),
        Request::Look { .. } => None,
    });
    desk.send(Root::Operations(Msg::Read(ticket, result.map(Some))));
    all
}

/// A console at the orders, with these operations.
fn desk(rows: Vec<Row>) -> Desk {
    let mut desk = Desk::new(120, 36).at(place());
    assert!(!answer(&mut desk, Ok(rows)), "those that are over are in the list only");
    desk
}

/// The list over the screen, unlocked.
fn listed(rows: &[Row]) -> Desk {
    let mut desk = desk(rows.to_vec());
    desk.unlock();
    desk.press("&");
    assert!(answer(&mut desk, Ok(rows.to_vec())));
    desk
}

fn everything() -> Vec<Row> {
    vec![running(), paused(), waiting(), done()]
}

/// Answers what is asked about the one that is looked into; yields which of its items were wanted.
fn looked(desk: &mut Desk, row: Row, items: Vec<Settled>) -> (i64, bool, i64) {
    let (ticket, number, troubles, after) = asked(desk, |request| match request {
        Request::Look { ticket, number, troubles, after } => {
            Some((*ticket, *number, *troubles, *after))
        }
        Request::Read { .. } => None,
    });
    let why = "another session works on it".to_owned();
    let shown = OperationDetails {
        record: row.0,
        estimate: row.1,
        arrived: Some(31),
        troubles: vec![("skipped".to_owned(), why, 3)],
    };
    desk.send(Root::Operations(Msg::Looked(ticket, number, Ok((Box::new(shown), items)))));
    (number, troubles, after)
}

fn item(ordinal: i64, outcome: Option<&str>, told: Option<&str>) -> Settled {
    Settled {
        ordinal,
        key: json!({ "outbox": format!("019a2b00-0000-7000-8000-{ordinal:012}") }),
        outcome: outcome.map(ToOwned::to_owned),
        told: told.map(ToOwned::to_owned),
    }
}

#[test]
fn what_runs_is_seen_on_every_screen_with_rate_and_time_left() {
    let mut desk = desk(vec![paused(), waiting(), running()]);
    let told = "◐ #7 purge the inbox: 4,210 of 10,000, 6,000 a minute, 58s left (+2 more)  by huong@desk-9";
    assert!(desk.shows(told), "{}", desk.frame());
    for screen in ["2", "3", "4"] {
        desk.press(screen);
        assert!(desk.shows(told), "{}", desk.frame());
    }
    assert!(desk.is_on::<messages::State>());
    frames!("line", desk);
    // Also behind what lies over the screen.
    desk.resize(120, 36);
    desk.press("?");
    assert!(desk.shows(told));
}

#[test]
fn it_is_read_again_and_again_and_is_unknown_where_it_cannot_be_read() {
    let mut desk = desk(vec![paused()]);
    assert!(desk.shows("○ #6 purge delivered outboxes: paused, 1,110 of 1,150 left"));
    desk.effects();
    desk.wait(Duration::from_secs(5));
    answer(&mut desk, Err(PlanError::NotPermitted("SELECT on operations".to_owned())));
    assert!(desk.shows("? bulk operations unknown (last read 5s ago): not permitted: SELECT on"));
    desk.wait(Duration::from_secs(5));
    answer(&mut desk, Ok(vec![]));
    assert!(!desk.shows("bulk operations unknown"));
    desk.press("f");
    desk.effects();
    desk.wait(Duration::from_secs(60));
    let all = desk.effects();
    let asked = runs(&all).into_iter();
    let asked = asked.filter(|(_, request)| matches!(request, app::Request::Operations(_)));
    assert_eq!(asked.count(), 0, "frozen");
}

#[test]
fn without_a_schema_there_are_none_and_nobody_asks_again() {
    let mut desk = Desk::new(120, 36).at(place());
    let ticket = asked(&mut desk, |request| match request {
        Request::Read { ticket, .. } => Some(*ticket),
        Request::Look { .. } => None,
    });
    desk.send(Root::Operations(Msg::Read(ticket, Ok(None))));
    desk.wait(Duration::from_secs(60));
    desk.press("&");
    assert!(desk.shows("none: there is no schema orderscope"));
    let all = desk.effects();
    let asked = |request: &app::Request| matches!(request, app::Request::Operations(_));
    assert!(!runs(&all).iter().any(|(_, request)| asked(request)));
}

#[test]
fn the_line_tells_what_matters_most() {
    let mut rows = vec![waiting(), paused(), stopped(), interrupted(), running()];
    for told in [
        "◐ #7 purge the inbox: 4,210 of 10,000",
        "▲ #8 purge the inbox: interrupted, 5,790 of 10,000 left (+3 more)",
        "▲ #9 purge delivered outboxes: stopped, 469 of 500 left (+2 more)",
        "○ #5 purge the inbox: waits for a second person's approval, 250,000 of 250,000 left (+1",
        "○ #6 purge delivered outboxes: paused, 1,110 of 1,150 left",
    ] {
        let mut desk = desk(rows.clone());
        assert!(desk.shows(told), "{told}: {}", desk.frame());
        let first = told.split(['#', ' ']).nth(2).unwrap().parse::<i64>().unwrap();
        rows.retain(|(record, _)| record.number != first);
    }
    assert!(rows.is_empty());
    let (mut record, estimate) = running();
    record.wanted = Some(Wanted::Pause);
    assert!(desk(vec![(record, estimate)]).shows("58s left, pausing  by huong@desk-9"));
    let mut quiet = desk(vec![done()]);
    assert!(!quiet.shows("#4"), "what is over is in the list only");
}

#[test]
fn the_list_shows_all_of_them_and_what_is_possible() {
    let mut desk = listed(&everything());
    frames!("list", desk);
    desk.press("j");
    assert!(desk.shows("paused: by mai@desk-4"), "{}", desk.frame());
    // The cursor stays on its operation when others come.
    desk.press("R");
    let rows = vec![stopped(), running(), paused(), waiting(), done()];
    answer(&mut desk, Ok(rows));
    assert!(desk.shows("> 6     purge delivered"), "{}", desk.frame());
    desk.press("esc");
    assert!(!desk.shows("Bulk operations"));
    let mut desk = listed(&[]);
    assert!(desk.shows("no bulk operation is on record"));
    desk.press("r enter t");
    assert!(desk.shows("Bulk operations"));
    desk.fits_usual_windows();
}

#[test]
fn an_answer_that_fails_keeps_the_old_rows_with_their_age() {
    let mut desk = listed(&everything());
    desk.wait(Duration::from_secs(7));
    answer(&mut desk, Err(PlanError::Database(db::Error::Lost("gone".to_owned()))));
    assert!(desk.shows("not refreshed (what you see is 7s old)"), "{}", desk.frame());
    assert!(desk.shows("purge delivered outboxes"));
}

#[test]
fn the_outcome_of_every_item_is_seen_page_by_page() {
    let mut desk = listed(&everything());
    desk.press("j enter");
    let why = "another session works on it";
    let items = vec![
        item(1, Some("done"), None),
        item(2, Some("skipped"), Some(why)),
        item(3, Some("failed"), Some("a check \u{1b}[2J of the table refuses it")),
        item(4, None, None),
    ];
    assert_eq!(looked(&mut desk, paused(), items), (6, false, 0));
    frames!("items", desk);
    desk.fits_usual_windows();
    desk.resize(120, 36);
    desk.press("t");
    let troubles = vec![item(2, Some("skipped"), Some(why))];
    assert_eq!(looked(&mut desk, paused(), troubles), (6, true, 0));
    assert!(desk.shows("only what was not done"));
    desk.press("t");
    let page = |from: i64| (from..from + PAGE).map(|n| item(n, Some("done"), None)).collect();
    assert_eq!(looked(&mut desk, paused(), page(1)), (6, false, 0));
    desk.press("G j");
    assert_eq!(looked(&mut desk, paused(), page(PAGE + 1)), (6, false, PAGE));
    assert!(desk.shows("page 2"), "{}", desk.frame());
    desk.press("k");
    assert_eq!(looked(&mut desk, paused(), page(1)), (6, false, 0));
    assert!(desk.shows("> ") && desk.shows(" 200  done"), "entered from its end");
    desk.press("esc");
    assert!(desk.shows("Bulk operations"));
    // A late answer about another one is dropped.
    desk.press("enter");
    let ticket = asked(&mut desk, |request| match request {
        Request::Look { ticket, .. } => Some(*ticket),
        Request::Read { .. } => None,
    });
    desk.press("esc j enter");
    let late = Err(PlanError::NoOperation(6));
    desk.send(Root::Operations(Msg::Looked(ticket, 6, late)));
    assert!(desk.shows("Operation 5") && desk.shows("Loading …"), "{}", desk.frame());
}

#[test]
fn one_is_resumed_paused_cancelled_and_approved_through_the_card() {
    let mut desk = listed(&everything());
    for (keys, heading, operation) in [
        ("p", "Pause operation 7", Operation::Pause(7)),
        ("c", "Cancel operation 7", Operation::Cancel(7)),
        ("j r", "Resume operation 6", Operation::Resume(6)),
        ("j a", "Approve operation 5", Operation::Approve(5)),
    ] {
        desk.press(keys);
        assert!(desk.shows(heading), "{}", desk.frame());
        // What the console was unlocked for stands there.
        desk.press("enter");
        let draft = desk.planned(Err(PlanError::NoOperation(7)));
        assert_eq!((draft.operation, draft.reason.as_deref()), (operation, Some("CB-91")));
        desk.press("esc esc");
        assert!(desk.shows("Bulk operations"), "back in the list: {}", desk.frame());
    }
    // What cannot follow is refused with its rule; the cursor is on one that waits.
    for (key, why) in [
        ("p", "it is not running (only-running)"),
        ("r", "it waits for a second person, with another database login"),
    ] {
        desk.press(key);
        assert!(desk.shows(why), "{}", desk.frame());
    }
    desk.press("j");
    for (key, why) in [
        ("r", "it is over (done) (not-over)"),
        ("c", "it is over (done) (not-over)"),
        ("a", "it is over (done) (not-over)"),
    ] {
        desk.press(key);
        assert!(desk.shows(why), "{}", desk.frame());
    }
    desk.press("g r");
    assert!(desk.shows("somebody runs it: p asks for a pause (one-runner)"), "{}", desk.frame());
}

#[test]
fn while_locked_the_list_only_looks() {
    let mut desk = desk(everything());
    desk.press("&");
    answer(&mut desk, Ok(everything()));
    desk.press("p");
    assert!(desk.shows("writes are locked: w unlocks"), "{}", desk.frame());
    assert!(!desk.shows("Pause operation"));
    desk.press("w");
    assert!(desk.shows("Unlock writes"));
}

/// The paused operation, resumed in this console.
fn resumed() -> Desk {
    let mut desk = listed(&[paused()]);
    desk.press("r enter");
    let (record, _) = paused();
    let request = PlanRequest::new(Operation::Resume(6), Some("CB-91".to_owned()));
    let position = Position { state: record.state, counts: record.counts };
    let confirmation =
        crate::ops::operation::Needed::new(request.spec(), &desk.app.shared.policy, false);
    let plan = Plan {
        title: request.operation.title(),
        steps: Steps::Resume(position),
        confirmation,
        request,
        ..samples::plan(1)
    };
    desk.planned(Ok(plan));
    desk.types("RESUME");
    desk.press("enter");
    desk
}

#[test]
fn what_this_console_runs_is_told_everywhere_and_leaving_says_what_becomes_of_it() {
    let mut desk = resumed();
    let (_, plan) = desk.run();
    let estimate = Some(Estimate { per_minute: 600, left: chrono::TimeDelta::seconds(90) });
    let progress =
        Progress { done: 140, of: 1_150, number: Some(6), estimate, ..Progress::default() };
    desk.change(change::Msg::Progressed(plan.request.id, progress));
    let told =
        "◐ #6 purge delivered outboxes: 140 of 1,150, 600 a minute, 1m 30s left, in this console";
    assert!(!desk.shows(told), "its card tells so already");
    desk.press("q");
    assert!(desk.shows(told), "{}", desk.frame());
    assert!(desk.shows("Bulk operations"), "back in the list");
    desk.press("esc q");
    assert!(!desk.app.quit);
    assert!(desk.shows("resume operation 6 is still running; once more leaves all the same"));
    let leaving = "leaving pauses #6 after the batch under way; any console can resume it";
    assert!(desk.shows(leaving), "{}", desk.frame());
    frames!("leaving", desk);
    desk.resize(120, 36);
    // Whoever does not leave is asked again the next time.
    desk.wait(Duration::from_secs(7));
    assert!(desk.shows(told), "{}", desk.frame());
    desk.press("q");
    assert!(!desk.app.quit);
    // It ended meanwhile: read again, and leaving asks nothing.
    desk.effects();
    let outcome = Outcome::new(&plan.request, None, "operation 6, done".to_owned());
    desk.change(change::Msg::Ended(plan.request.id, Ok(outcome)));
    answer(&mut desk, Ok(vec![]));
    assert!(!desk.shows("#6"), "{}", desk.frame());
    desk.press("q");
    assert!(desk.app.quit);
}

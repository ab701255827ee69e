//! What is said of work with the broker, without broker and database.

use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    super::{
        check::{Check, Verdict},
        messages::Waiting,
        plan::{Effect, Listed},
        record::Recorded,
        value::ErrorWork,
    },
    *,
};
use crate::{
    db::relay::ConsumerOutbox,
    domain::{
        fault::{Fault, Key, Raw, Verdict as Judged},
        id::OutboxId,
        outbox::OutboxKey,
    },
    ops::{
        delivery::{BlockedOutbox, Scope, Stats},
        error_queue::{Choice, Chosen, ErrorAction, Limits, Outcome, Pick, Work},
        policy::Policy,
    },
};

fn key(body: &str) -> Key {
    let raw = Raw {
        queue: "q_error".to_owned(),
        message_id: None,
        content_type: None,
        headers: serde_json::Map::new(),
        body: body.as_bytes().to_vec(),
    };
    Fault::read(&raw).key
}

fn one(body: &str, queue: &str, verdict: Judged) -> Chosen {
    Chosen {
        key: key(body),
        queue: format!("{queue}_error"),
        home: Some(queue.to_owned()),
        message: None,
        verdict,
        why: "because".to_owned(),
    }
}

fn chosen(action: ErrorAction, messages: Vec<Chosen>, left: &[(&str, &str)]) -> Work {
    let left = left.iter().map(|(body, why)| (key(body), (*why).to_owned())).collect();
    let choice = Choice { chosen: messages, left };
    Work { action, choice, pause: Duration::ZERO, limits: Limits::default(), management: None }
}

fn asked(action: ErrorAction, pick: Pick) -> ErrorWork {
    ErrorWork { action, pick, rate: None }
}

fn now() -> DateTime<Utc> {
    "2026-11-22T14:02:11Z".parse().unwrap()
}

fn plan(work: &ErrorWork, chosen: Work, reason: &str, policy: &Policy) -> Plan {
    let request = PlanRequest::new(Operation::Errors(work.clone()), Some(reason.to_owned()));
    plan_of_errors(&request, work, chosen, &[], policy, now())
}

fn policy(typed: bool) -> Policy {
    Policy { context: "shop".to_owned(), typed, ..Policy::default() }
}

fn texts(plan: &Plan, verdict: Verdict) -> Vec<&str> {
    let these = plan.checks.iter().filter(|check: &&Check| check.verdict == verdict);
    these.map(|check| check.text.as_str()).collect()
}

#[test]
fn a_bulk_replay_says_what_goes_where_and_what_is_left() {
    let group = asked(ErrorAction::Replay, Pick::Group("ab12".to_owned()));
    let waiting = |body, queue| one(body, queue, Judged::Waiting);
    let messages = vec![waiting("1", "a"), waiting("2", "b"), waiting("3", "a")];
    let chosen = chosen(ErrorAction::Replay, messages, &[("4", "done: discard it")]);
    let sheet = plan(&group, chosen, "it's back", &policy(false));
    assert_eq!(sheet.title, "replay 3 messages of error queues");
    let effect = |place: &str, told: &str| Effect::told(place.to_owned(), told);
    assert_eq!(
        sheet.effects,
        [
            effect("a_error", "2 messages to a, at most 20 a second"),
            effect("b_error", "1 message to b, at most 20 a second"),
            effect("left", "1 message: done: discard it"),
        ]
    );
    assert_eq!(
        sheet.cli_equivalent,
        "orderscope errors replay --group ab12 --reason 'it'\\''s back' --yes"
    );
    assert!(!sheet.confirmation.typed && texts(&sheet, Verdict::Warn).is_empty());
    assert_eq!(sheet.listed.len(), 4);
    let last: &Listed = &sheet.listed[3];
    assert_eq!(
        (&last.key, last.text.as_str()),
        (&key("4").to_string(), "left where it is\ndone: discard it")
    );
}

#[test]
fn what_may_do_work_again_warns_and_wants_the_context_typed() {
    let body = "7";
    let pick = Pick::Keys { keys: vec![key(body).to_string()], again: true };
    let this = ErrorWork { rate: Some(5), ..asked(ErrorAction::Replay, pick) };
    let unknown = vec![one(body, "a", Judged::Unknown)];
    let sheet = plan(&this, chosen(ErrorAction::Replay, unknown, &[]), "x", &policy(false));
    assert!(sheet.confirmation.typed);
    assert!(texts(&sheet, Verdict::Warn)[0].contains("may do its work again: unknown: because"));
    let expected = format!(
        "orderscope errors replay {} --run-again --rate 5 --reason x --confirm 'REPLAY shop'",
        key(body)
    );
    assert_eq!(sheet.cli_equivalent, expected);
    // The same is harmless to discard.
    let unknown = vec![one(body, "a", Judged::Unknown)];
    let this = ErrorWork { action: ErrorAction::Discard, ..this };
    let sheet = plan(&this, chosen(ErrorAction::Discard, unknown, &[]), "x", &policy(false));
    assert!(!sheet.confirmation.typed);
    let slowly = "--rate 5 --reason x --yes";
    assert!(sheet.cli_equivalent.ends_with(slowly), "{}", sheet.cli_equivalent);
    assert_eq!(error_queue::pause(&this), Duration::from_millis(200));
    // Without a rate it goes as fast as it can, which a replay never does.
    let this = ErrorWork { rate: None, ..this };
    assert_eq!(error_queue::pause(&this), Duration::ZERO);
    assert_eq!(
        error_queue::pause(&ErrorWork { action: ErrorAction::Replay, ..this }),
        Duration::from_millis(50)
    );
}

#[test]
fn nothing_that_may_be_taken_blocks() {
    let all = asked(ErrorAction::Discard, Pick::All);
    let left = chosen(ErrorAction::Discard, vec![], &[("1", "waiting")]);
    let sheet = plan(&all, left, "x", &policy(true));
    assert_eq!(texts(&sheet, Verdict::Blocking), ["none of these may be discarded"]);
    let nothing = plan(&all, chosen(ErrorAction::Discard, vec![], &[]), "x", &policy(true));
    assert_eq!(texts(&nothing, Verdict::Nothing), ["none of these may be discarded"]);
    assert!(sheet.is_blocked() && nothing.is_blocked());
    assert!(
        sheet.cli_equivalent.ends_with("--all --reason x --confirm 'DISCARD shop'"),
        "{}",
        sheet.cli_equivalent
    );
}

#[test]
fn what_a_stop_left_is_told_apart_from_what_was_refused_before() {
    let waiting = |body| one(body, "a", Judged::Waiting);
    let chosen = chosen(
        ErrorAction::Replay,
        vec![waiting("1"), waiting("2"), waiting("3")],
        &[("4", "done")],
    );
    let mut outcome = Outcome { done: vec![key("1")], ..Outcome::default() };
    outcome.left = vec![(key("4"), "done".to_owned())];
    let stop = "stopped by the operator";
    outcome.left.extend(["2", "3"].map(|body| (key(body), format!("not tried: {stop}"))));
    outcome.stopped = Some(stop.to_owned());
    let recorded = Recorded { audit: 7, unrecorded: None, outcome };
    let replay = asked(ErrorAction::Replay, Pick::All);
    let request = PlanRequest::new(Operation::Errors(replay), None);
    let ended = error_queue::outcome(&request, &chosen, &recorded);
    assert_eq!(ended.told, "stopped: 1 message replayed, 2 left where they are");
    assert_eq!(
        ended.more,
        ["2 messages: not tried: stopped by the operator", "1 message left as planned"]
    );
    assert!(ended.partly);

    let outcome = Outcome { done: vec![key("1")], gone: vec![key("2")], ..Outcome::default() };
    let unrecorded = Some("the server is gone".to_owned());
    let recorded = Recorded { unrecorded, outcome, ..recorded };
    let ended = error_queue::outcome(&request, &chosen, &recorded);
    assert_eq!(ended.told, "1 message replayed");
    assert_eq!(
        ended.more,
        [
            "1 message no longer in its queue",
            "1 message left as planned",
            "what became of it is not on record: the server is gone"
        ]
    );
    assert!(!ended.partly);
}

fn drained(waiting: Waiting) -> Plan {
    let request = PlanRequest::new(Operation::Drain(waiting.scope), Some("closing".to_owned()));
    plan_of_drain(&request, waiting, &policy(false), now())
}

fn waiting(scope: Scope, messages: i64) -> Waiting {
    Waiting {
        scope,
        outboxes: 2,
        messages,
        blocked: None,
        notes: vec!["these are not recorded as delivered".to_owned()],
    }
}

#[test]
fn a_drain_names_its_scope_and_blocks_where_nothing_waits() {
    let (outbox, consumer) = (Uuid::from_u128(2), Uuid::from_u128(3));
    let half = Scope::ConsumerOutbox(ConsumerOutbox { message_id: outbox, consumer_id: consumer });
    for (scope, option) in [
        (Scope::All, "--all".to_owned()),
        (Scope::Outbox(outbox), format!("--outbox {outbox}")),
        (half, format!("--consumer {outbox}:{consumer}")),
    ] {
        let sheet = drained(waiting(scope, 3));
        let expected = format!("orderscope messages drain {option} --reason closing --yes");
        assert_eq!(sheet.cli_equivalent, expected);
        assert_eq!(texts(&sheet, Verdict::Warn).len(), 1);
        assert!(texts(&sheet, Verdict::Blocking).is_empty());
    }
    let sheet = drained(waiting(Scope::All, 0));
    assert_eq!(texts(&sheet, Verdict::Nothing), ["nothing is pending there"]);
}

#[test]
fn a_drain_tells_what_it_could_not_deliver() {
    let at = "2026-11-22T14:02:11Z".parse().unwrap();
    let held = BlockedOutbox {
        outbox: OutboxKey::Bus(OutboxId(Uuid::from_u128(0xab))),
        sequence: 5,
        why: "no destination".to_owned(),
        poison: true,
        since: at,
        attempts: 1,
    };
    let stats =
        Stats { delivered: 2, recovered: 1, returned: 1, held: vec![held], ..Stats::default() };
    let recorded = Recorded { audit: 7, unrecorded: None, outcome: stats };
    let request = PlanRequest::new(Operation::Drain(Scope::All), None);
    let ended = drain::outcome(&request, &waiting(Scope::All, 4), &recorded, false);
    assert_eq!(ended.told, "3 messages delivered");
    assert_eq!(
        ended.more,
        ["1 message found no subscriber", "outbox …00ab is held at 5: no destination"]
    );
    assert!(ended.partly);
    let ended = drain::outcome(&request, &waiting(Scope::All, 4), &recorded, true);
    assert_eq!(ended.told, "stopped: 3 messages delivered, 1 left where they are");
}

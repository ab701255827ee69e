//! Travelling, what-if, stamps that lie, and snapshots against the full fold.

use chrono::TimeDelta;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::domain::{
    diff::Kind,
    event::EventKind,
    id::StreamId,
    samples::{any_history, any_time, at, event, order, written},
};

fn timeline(events: Vec<RecordedEvent>) -> Timeline {
    Timeline::new(order().id, events)
}

/// Placed at 09:12:04, cancelled at 09:40:31.
fn cancelled() -> Timeline {
    let mut cancelling = order();
    cancelling.cancel_reason = Some("changed my mind".to_owned());
    let mut cancel = written(2, EventKind::Cancelled, &cancelling);
    cancel.at = at("2026-11-22T09:40:31Z");
    timeline(vec![cancel.clone(), written(1, EventKind::Placed, &order()), cancel])
}

fn status(state: &State) -> Option<Status> {
    state.order().map(|order| order.status)
}

#[test]
fn every_version_is_in_reach() {
    let timeline = cancelled();
    assert_eq!(timeline.last_version(), Version(2));
    assert_eq!(timeline.at_version(Version(0)).unwrap().order(), None);
    assert_eq!(status(timeline.at_version(Version(1)).unwrap()), Some(Status::New));
    assert_eq!(status(timeline.at_version(Version(2)).unwrap()), Some(Status::Cancelled));
    for none in [-1, 3, i64::MIN, i64::MAX] {
        assert!(timeline.at_version(Version(none)).is_none());
    }
    assert_eq!(timeline.version_at_seq(SeqId(402)), Version(0));
    assert_eq!(timeline.version_at_seq(SeqId(404)), Version(1));
    assert_eq!(timeline.version_at_seq(SeqId(9999)), Version(2));
}

#[test]
fn every_time_is_in_reach() {
    let timeline = cancelled();
    let version = |time: &str| timeline.at_time(at(time)).unwrap().version.0;
    assert_eq!(version("2026-11-22T09:12:03Z"), 0);
    assert_eq!(version("2026-11-22T09:12:04Z"), 1);
    assert_eq!(version("2026-11-22T09:40:30.999999Z"), 1);
    assert_eq!(version("2030-01-01T00:00:00Z"), 2);
}

#[test]
fn the_difference_between_two_versions() {
    let timeline = cancelled();
    let kinds = |from, to| -> Vec<(String, Kind)> {
        let changes = timeline.diff(Version(from), Version(to)).unwrap();
        let differing = changes.iter().filter(|change| !change.is_same());
        differing.map(|change| (change.field.to_string(), change.kind())).collect()
    };
    assert_eq!(
        kinds(1, 2),
        [("status".to_owned(), Kind::Changed), ("cancel.reason".to_owned(), Kind::Added)]
    );
    assert!(kinds(0, 1).iter().all(|(_, kind)| *kind == Kind::Added));
    assert!(timeline.diff(Version(1), Version(3)).is_none());
}

#[test]
fn without_an_event() {
    let timeline = cancelled();
    assert_eq!(timeline.without(Version(2)).as_ref(), timeline.at_version(Version(1)));
    let orphaned = timeline.without(Version(1)).unwrap();
    assert_eq!(status(&orphaned), Some(Status::Cancelled));
    assert!(orphaned.uncertain.unwrap().why.contains("no placing event"));
    assert_eq!(timeline.without(Version(0)), None);
    assert_eq!(timeline.without(Version(3)), None);
}

#[test]
fn times_that_run_back_are_told() {
    let mut events: Vec<_> = (1..=3).map(|n| written(n, EventKind::Placed, &order())).collect();
    events[1].at = at("2026-11-22T12:00:00Z");
    let timeline = timeline(events);
    assert_eq!(
        timeline.steps().iter().map(|s| s.runs_back).collect::<Vec<_>>(),
        [false, false, true]
    );
    let there = timeline.at_time(at("2026-11-22T10:00:00Z")).unwrap();
    assert_eq!((there.version, there.stamped_later), (Version(3), vec![Version(2)]));
}

#[test]
fn a_frozen_stamp_gives_way_to_the_body_or_to_the_event_before() {
    assert_eq!(frozen_default(), at("2025-09-28T17:03:19.743016Z"));
    let mut placed = written(1, EventKind::Placed, &order());
    placed.at = frozen_default();
    let mut unknown = event(2, "order_gift_wrapped_event", json!({}));
    unknown.at = frozen_default();
    let timeline = timeline(vec![placed, unknown]);
    let occurred = at("2026-11-22T09:12:04Z");
    assert!(timeline.steps().iter().all(|step| step.frozen && step.when == occurred));
    assert_eq!(timeline.at_time(occurred - TimeDelta::seconds(1)).unwrap().version, Version(0));
    assert_eq!(timeline.at_time(occurred).unwrap().version, Version(2));
}

#[test]
fn an_end_that_was_no_end_is_told() {
    let timeline = timeline(vec![
        written(1, EventKind::Placed, &order()),
        written(2, EventKind::Completed, &order()),
        event(3, "tombstone", json!({})),
        written(4, EventKind::Cancelled, &order()),
    ]);
    let ends: Vec<_> = timeline.steps().iter().map(|step| step.after_end).collect();
    assert_eq!(ends, [None, None, None, Some(Status::Completed)]);
    assert_eq!(status(timeline.latest()), Some(Status::Cancelled));
}

#[test]
fn a_snapshot_that_does_not_fit_is_not_used() {
    let snapshot = Snapshot { version: Version(1), state: cancelled().latest().clone() };
    let resume = |events| Timeline::resume(order().id, snapshot.clone(), events);
    assert!(resume(vec![written(2, EventKind::Cancelled, &order())]).is_ok());
    assert!(resume(vec![written(3, EventKind::Cancelled, &order())]).is_err());
    let mut foreign = written(2, EventKind::Cancelled, &order());
    foreign.stream = Some(StreamId(uuid::Uuid::from_u128(5)));
    assert!(resume(vec![foreign]).is_err());
    assert!(Timeline::resume(OrderId(uuid::Uuid::nil()), snapshot.clone(), Vec::new()).is_err());
}

#[test]
fn a_wrong_snapshot_is_found() {
    let timeline = cancelled();
    let right = Snapshot { version: Version(1), state: timeline.steps()[0].state.clone() };
    assert_eq!(timeline.check(&right), Some(Vec::new()));
    let wrong = Snapshot { version: Version(2), ..right };
    let fields: Vec<_> = timeline.check(&wrong).unwrap().iter().map(|c| c.field).collect();
    assert_eq!(fields.len(), 2);
}

#[test]
fn an_event_found_twice_counts_once_and_the_live_one_stays() {
    let live = written(1, EventKind::Placed, &order());
    let archived = RecordedEvent { archived: true, ..live.clone() };
    let timeline = timeline(vec![archived, live.clone()]);
    assert_eq!(timeline.steps().iter().map(|step| &step.event).collect::<Vec<_>>(), [&live]);
}

#[test]
fn no_history_is_a_history_too() {
    let timeline = timeline(Vec::new());
    assert_eq!(timeline.last_version(), Version(0));
    assert_eq!(timeline.latest(), &State::default());
    assert_eq!(timeline.at_time(at("2026-01-01T00:00:00Z")).unwrap().version, Version(0));
    assert_eq!(timeline.without(Version(0)), None);
}

proptest! {
    #[test]
    fn from_any_snapshot_the_rest_comes_out_the_same(
        events in any_history(30),
        cut in any::<prop::sample::Index>(),
    ) {
        let full = timeline(events.clone());
        let cut = cut.index(events.len() + 1);
        let version = Version(i64::try_from(cut).unwrap());
        let snapshot = Snapshot { version, state: full.at_version(version).unwrap().clone() };
        let column = serde_json::from_str(&snapshot.write().to_string()).unwrap();
        let snapshot = Snapshot::read(version, &column).unwrap();
        prop_assert_eq!(full.check(&snapshot), Some(Vec::new()));
        let resumed = Timeline::resume(order().id, snapshot, events[cut..].to_vec()).unwrap();
        for version in (cut..=events.len()).map(|v| Version(i64::try_from(v).unwrap())) {
            prop_assert_eq!(resumed.at_version(version), full.at_version(version));
        }
        prop_assert_eq!(resumed.latest(), full.latest());
    }

    #[test]
    fn the_newest_part_of_a_history_ends_in_the_same_state(
        events in any_history(30),
        cut in any::<prop::sample::Index>(),
    ) {
        let full = timeline(events.clone());
        let cut = cut.index(events.len() + 1);
        let skipped = i64::try_from(cut).unwrap();
        let part = Timeline::newest(order().id, skipped, events[cut..].to_vec());
        let at_least = i64::from(cut < events.len() || skipped == 0);
        prop_assert!(part.last_version().0 >= skipped + at_least - 1);
        if part.latest().uncertain.is_none() && cut < events.len() {
            prop_assert_eq!(part.last_version(), full.last_version());
            let stated = |timeline: &Timeline| {
                let order = timeline.latest().order().cloned()?;
                Some((order.status, order.note, order.lines, order.total, order.cancel_reason))
            };
            prop_assert_eq!(stated(&part), stated(&full));
        }
    }

    #[test]
    fn travelling_is_consistent(events in any_history(12), time in any_time()) {
        let timeline = timeline(events);
        let there = timeline.at_time(time).unwrap();
        prop_assert_eq!(timeline.at_version(there.version), Some(there.state));
        let after = timeline.steps().iter().filter(|step| step.version > there.version);
        prop_assert!(after.clone().all(|step| step.when > time));
        let doubts = timeline.steps().iter().map(|step| step.state.uncertain.is_some());
        prop_assert!(doubts.is_sorted());
    }
}

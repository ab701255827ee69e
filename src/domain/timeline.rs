//! An order's history as a line to travel on: every event with the state after it.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::{
    body,
    diff::{self, Change},
    event::RecordedEvent,
    fold::{State, fold},
    id::{OrderId, Version},
};

/// A stream's snapshot: the order as it was after `version` events of its own stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    pub version: Version,
    pub body: Value,
}

/// One event with the state after it. Its version is its place in the history, from 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    pub version: Version,
    pub event: RecordedEvent,
    pub state: State,
    /// Time since the event before; negative when the stored times run backwards.
    pub since_previous: TimeDelta,
}

/// The ordered history of one order.
#[derive(Debug, Clone, PartialEq)]
pub struct Timeline {
    pub order: OrderId,
    points: Vec<Point>,
}

impl Timeline {
    /// Folds the whole history. Events may come in any order and twice; they are put in the order of
    /// `seq_id`, which alone is the order of writing, and each is taken once.
    #[must_use]
    pub fn new(order: OrderId, mut events: Vec<RecordedEvent>) -> Self {
        events.sort_by_key(|event| (event.seq, event.archived));
        events.dedup_by_key(|event| event.seq);
        let mut state = State::default();
        let mut previous: Option<DateTime<Utc>> = None;
        let points = (1..).zip(events).map(|(number, event)| {
            let version = Version(number);
            state = fold(std::mem::take(&mut state), &event, version);
            let since_previous = previous.map_or(TimeDelta::zero(), |at| event.at - at);
            previous = Some(event.at);
            Point { version, event, state: state.clone(), since_previous }
        });
        Self { order, points: points.collect() }
    }

    /// Every event, oldest first.
    #[must_use]
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// The version after the last event; 0 for an empty history.
    #[must_use]
    pub fn last(&self) -> Version {
        self.points.last().map_or(Version(0), |point| point.version)
    }

    /// The event of that version.
    #[must_use]
    pub fn point(&self, version: Version) -> Option<&Point> {
        let index = usize::try_from(version.0.checked_sub(1)?).ok()?;
        self.points.get(index)
    }

    /// The state after that version; before the first event there is none.
    #[must_use]
    pub fn at_version(&self, version: Version) -> State {
        let version = version.min(self.last());
        self.point(version).map(|point| point.state.clone()).unwrap_or_default()
    }

    /// The version in force at a moment: the newest event, in order of writing, whose stored time is
    /// not after it. Stored times may run backwards; an event counts only when no later-written one is
    /// needed to have happened before it, so what was written first is taken first.
    #[must_use]
    pub fn version_at(&self, at: DateTime<Utc>) -> Version {
        let found = self.points.iter().take_while(|point| self.effective(point) <= at).last();
        found.map_or(Version(0), |point| point.version)
    }

    /// When an event took effect for time travel: its stored time, but never before the one it follows.
    fn effective(&self, point: &Point) -> DateTime<Utc> {
        let index = usize::try_from(point.version.0).unwrap_or(0);
        let before = self.points[..index].iter();
        // The frozen default is no time at all: such an event takes effect with the one before it.
        let times = before.filter(|point| !point.event.has_frozen_time()).map(|point| point.event.at);
        times.max().unwrap_or(point.event.at)
    }

    /// What differs between the states after two versions.
    #[must_use]
    pub fn diff(&self, a: Version, b: Version) -> Vec<Change> {
        diff::between(self.at_version(a).order.as_ref(), self.at_version(b).order.as_ref())
    }

    /// What-if: the history without one event.
    #[must_use]
    pub fn without(&self, version: Version) -> State {
        let kept = self.points.iter().filter(|point| point.version != version);
        kept.fold(State::default(), |state, point| fold(state, &point.event, point.version))
    }

    /// The newest state, folded from a snapshot instead of from the start: the same, only cheaper.
    ///
    /// # Errors
    /// When the snapshot cannot be read; fold from the start then.
    pub fn from_snapshot(
        order: OrderId,
        snapshot: &Snapshot,
        mut events: Vec<RecordedEvent>,
    ) -> Result<State, String> {
        events.sort_by_key(|event| event.seq);
        let start = State { order: Some(body::order(&snapshot.body)?), uncertain: None };
        let known = start.order.as_ref().map(|order| order.id);
        if known != Some(order) {
            return Err("the snapshot is of another order".to_owned());
        }
        let later = (1..).zip(events).filter(|(number, _)| *number > snapshot.version.0);
        Ok(later.fold(start, |state, (number, event)| fold(state, &event, Version(number))))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::domain::{
        body::tests::any_order,
        event::{CANCELLED, COMPLETED, PLACED},
        id::{EventId, SeqId, StreamId},
        order::{Order, Status},
    };

    pub(crate) fn event(seq: i64, kind: &str, order: &Order, minutes: i64) -> RecordedEvent {
        let start: DateTime<Utc> = "2026-11-22T09:00:00Z".parse().unwrap();
        let at = start + TimeDelta::minutes(minutes);
        let reason = (kind == CANCELLED).then_some("changed my mind");
        RecordedEvent {
            seq: SeqId(seq),
            id: EventId(Uuid::from_u128(seq.unsigned_abs().into())),
            stream: Some(StreamId(order.id.0)),
            version: Version(seq),
            kind: kind.to_owned(),
            at,
            dotnet_type: None,
            correlation_id: None,
            causation_id: None,
            headers: None,
            archived: false,
            body: body::write(order, at, reason),
            binary: false,
        }
    }

    fn history() -> impl Strategy<Value = (Order, Vec<RecordedEvent>)> {
        let kinds = prop::sample::select(vec![PLACED, COMPLETED, CANCELLED, "order_reopened_event"]);
        (any_order(), prop::collection::vec((kinds, -5_i64..50), 0..12)).prop_map(
            |(order, steps)| {
                let made = (1..).zip(steps);
                let events = made.map(|(seq, (kind, minutes))| event(seq * 3, kind, &order, minutes));
                (order.clone(), events.collect())
            },
        )
    }

    proptest! {
        #[test]
        fn order_and_repetition_of_arrival_do_not_matter((order, events) in history()) {
            let straight = Timeline::new(order.id, events.clone());
            let mut mixed = [events.clone(), events].concat();
            mixed.reverse();
            prop_assert_eq!(Timeline::new(order.id, mixed), straight);
        }

        #[test]
        fn a_snapshot_changes_nothing((order, events) in history(), at in 0_usize..12) {
            let line = Timeline::new(order.id, events.clone());
            let version = Version(i64::try_from(at.min(events.len())).unwrap());
            let state = line.at_version(version);
            // The service snapshots what it understood; reasons are no part of its order.
            if let (Some(mut known), None) = (state.order, line.at_version(line.last()).uncertain) {
                known.cancel_reason = None;
                let snapshot = Snapshot { version, body: body::write_order(&known) };
                let mut folded = Timeline::from_snapshot(order.id, &snapshot, events).unwrap();
                let mut full = line.at_version(line.last());
                for state in [&mut folded, &mut full] {
                    state.order.as_mut().unwrap().cancel_reason = None;
                }
                prop_assert_eq!(folded, full);
            }
        }

        #[test]
        fn time_travel_never_goes_back_with_time((order, events) in history(), a in -10_i64..60, b in -10_i64..60) {
            let line = Timeline::new(order.id, events);
            let start: DateTime<Utc> = "2026-11-22T09:00:00Z".parse().unwrap();
            let at = |minutes| line.version_at(start + TimeDelta::minutes(minutes));
            prop_assert!(at(a.min(b)) <= at(a.max(b)));
            prop_assert_eq!(at(i64::from(u16::MAX)), line.last());
            prop_assert_eq!(at(-100), Version(0));
        }

        #[test]
        fn leaving_out_nothing_changes_nothing((order, events) in history()) {
            let line = Timeline::new(order.id, events);
            prop_assert_eq!(line.without(Version(99)), line.at_version(line.last()));
        }
    }

    #[test]
    fn travels_and_tells_doubt() {
        let order = Order {
            id: OrderId(Uuid::max()),
            status: Status::New,
            note: None,
            buyer_id: None,
            buyer: None,
            lines: vec![],
            total: "61.40".parse().unwrap(),
            is_deleted: false,
            created_at: None,
            last_modified_at: None,
            cancel_reason: None,
        };
        let events = vec![
            event(1, PLACED, &order, 0),
            event(5, "order_reopened_event", &order, 10),
            event(9, CANCELLED, &order, 40),
        ];
        let line = Timeline::new(order.id, events);
        let last = line.at_version(line.last());
        assert_eq!(last.order.as_ref().unwrap().status, Status::Cancelled);
        assert_eq!(last.order.unwrap().cancel_reason.as_deref(), Some("changed my mind"));
        assert_eq!(last.uncertain.unwrap().version, Version(2));
        assert_eq!(line.at_version(Version(1)).uncertain, None);
        assert_eq!(line.without(Version(3)).order.unwrap().status, Status::New);
        assert_eq!(line.points()[2].since_previous, TimeDelta::minutes(30));
    }
}

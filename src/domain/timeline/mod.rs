//! An order's history with the state after each event, at any version or time.

use chrono::{DateTime, Utc};

use super::body::meaning;
use super::diff::{Change, diff};
use super::event::{OrderEvent, RecordedEvent};
use super::fold::{Doubt, State};
use super::id::{OrderId, SeqId, Version};
use super::order::Status;
use super::snapshot::{Snapshot, Unfit};

/// The constant that the document's schema has as default of `mt_events.timestamp`, in
/// microseconds: the moment when somebody created the table, not when anything happened.
const FROZEN: i64 = 1_759_078_999_743_016;

/// `2025-09-28 17:03:19.743016+00`.
#[must_use]
pub fn frozen_default() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(FROZEN).unwrap_or_default()
}

/// One event of the history and the state after it.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Position in the history, from 1.
    pub version: Version,
    pub event: RecordedEvent,
    pub meaning: OrderEvent,
    /// After the event.
    pub state: State,
    /// The stored time; for a frozen one the body's, else that of the event before.
    pub when: DateTime<Utc>,
    /// The stored time is the column's frozen default and carries no information.
    pub frozen: bool,
    /// It is stamped earlier than an event before it.
    pub runs_back: bool,
    /// The order was already cancelled or completed when it was written.
    pub after_end: Option<Status>,
}

/// A history in order of `seq_id`, without duplicates.
#[derive(Debug, Clone, PartialEq)]
pub struct Timeline {
    order: OrderId,
    /// What the steps start from: nothing at version 0, or a snapshot.
    base: Snapshot,
    steps: Vec<Step>,
}

/// The state at a time.
#[derive(Debug, Clone, PartialEq)]
pub struct AtTime<'a> {
    /// 0 before the first event.
    pub version: Version,
    pub state: &'a State,
    /// Events that count as past because a later one is stamped before the time, though they
    /// themselves are stamped after it: clocks disagreed.
    pub stamped_later: Vec<Version>,
}

impl Timeline {
    /// Folds a whole history. `events` may come in any order and twice.
    #[must_use]
    pub fn new(order: OrderId, events: Vec<RecordedEvent>) -> Self {
        let nothing = Snapshot { version: Version(0), state: State::default() };
        Self::from_base(order, nothing, events)
    }

    /// Folds the newest part of a history, before which `skipped` events were not read. Every event states the whole
    /// order, so that the first of these is what the others start from. Without one it is [`Timeline::new`].
    #[must_use]
    pub fn newest(order: OrderId, skipped: i64, mut events: Vec<RecordedEvent>) -> Self {
        if skipped <= 0 {
            return Self::new(order, events);
        }
        events.sort_by_key(|event| (event.seq, event.archived));
        let first = events.first().cloned();
        let version = Version(skipped + 1);
        let mut state = State::default();
        if let Some(first) = first {
            events.retain(|event| event.seq != first.seq);
            let meaning = meaning(&first);
            state = state.after(version, order, &meaning);
            let whole = meaning.body().is_some_and(|body| {
                let image = &body.order;
                image.lines.is_some() && image.total.is_some() && body.doubts.is_empty()
            });
            let why = "the events before it were not read".to_owned();
            state.uncertain = (!whole).then_some(Doubt { version, why });
        }
        Self::from_base(order, Snapshot { version, state }, events)
    }

    /// Goes on from a snapshot with the events after it. Only where the order has one stream of
    /// its own: there its versions are the positions in the history.
    pub fn resume(
        order: OrderId,
        snapshot: Snapshot,
        events: Vec<RecordedEvent>,
    ) -> Result<Self, Unfit> {
        let foreign = snapshot.state.order().is_some_and(|known| known.id != order)
            || events.iter().any(|event| event.stream.is_none_or(|stream| stream.0 != order.0));
        if foreign {
            return Err(Unfit("not all of the history is in the order's own stream".to_owned()));
        }
        let timeline = Self::from_base(order, snapshot, events);
        match timeline.steps.iter().find(|step| step.event.version != step.version) {
            Some(step) => Err(Unfit(format!("version {} does not follow it", step.event.version))),
            None => Ok(timeline),
        }
    }

    fn from_base(order: OrderId, base: Snapshot, mut events: Vec<RecordedEvent>) -> Self {
        // Of one that is found live and archived, the live one stays.
        events.sort_by_key(|event| (event.seq, event.archived));
        events.dedup_by_key(|event| event.seq);
        let mut steps: Vec<Step> = Vec::with_capacity(events.len());
        let mut latest: Option<DateTime<Utc>> = None;
        for (version, event) in (base.version.0 + 1..).map(Version).zip(events) {
            let before = steps.last();
            let known = before.map_or(&base.state, |step| &step.state);
            let meaning = meaning(&event);
            let state = known.after(version, order, &meaning);
            let ended = known.order().map(|order| order.status).filter(|s| *s != Status::New);
            let frozen = event.at == frozen_default();
            let when = if frozen {
                let body = meaning.body().and_then(|body| body.occurred_at);
                body.or(before.map(|step| step.when)).unwrap_or(event.at)
            } else {
                event.at
            };
            let runs_back = latest.is_some_and(|latest| when < latest);
            latest = latest.max(Some(when));
            let after_end = meaning.kind().and(ended);
            steps.push(Step { version, event, meaning, state, when, frozen, runs_back, after_end });
        }
        Self { order, base, steps }
    }

    #[must_use]
    pub const fn order_id(&self) -> OrderId {
        self.order
    }

    /// The events, oldest first; after a snapshot only those that follow it.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The version before the first step: 0, or the snapshot's.
    #[must_use]
    pub const fn base_version(&self) -> Version {
        self.base.version
    }

    /// The first version that there is an event of; 0 without events.
    #[must_use]
    pub fn first_version(&self) -> Version {
        self.steps.first().map_or(self.base.version, |step| step.version)
    }

    /// The version of the last event.
    #[must_use]
    pub fn last_version(&self) -> Version {
        self.steps.last().map_or(self.base.version, |step| step.version)
    }

    /// The state after the last event.
    #[must_use]
    pub fn latest(&self) -> &State {
        self.steps.last().map_or(&self.base.state, |step| &step.state)
    }

    /// The event at that version.
    #[must_use]
    pub fn step(&self, version: Version) -> Option<&Step> {
        let place = version.0.checked_sub(self.base.version.0)?.checked_sub(1)?;
        self.steps.get(usize::try_from(place).ok()?)
    }

    /// The state after that version; `None` where there is no such version, or it lies before
    /// the snapshot.
    #[must_use]
    pub fn at_version(&self, version: Version) -> Option<&State> {
        if version == self.base.version {
            return Some(&self.base.state);
        }
        self.step(version).map(|step| &step.state)
    }

    /// The state at a time: after the last event, in order of `seq_id`, stamped no later.
    ///
    /// Stored times may run back. What came before that last event has then happened too, whatever
    /// its own stamp says; such events are listed. An event whose stamp is the frozen default
    /// counts at the time its body gives, or at that of the event before it. `None` where the time
    /// lies before the first event after a snapshot.
    #[must_use]
    pub fn at_time(&self, time: DateTime<Utc>) -> Option<AtTime<'_>> {
        let last = self.steps.iter().rposition(|step| step.when <= time);
        let past = match last {
            Some(last) => self.steps.get(..=last)?,
            None if self.base.version.0 > 0 => return None,
            None => &[],
        };
        let stamped_later =
            past.iter().filter(|step| step.when > time).map(|s| s.version).collect();
        let (version, state) = past
            .last()
            .map_or((self.base.version, &self.base.state), |step| (step.version, &step.state));
        Some(AtTime { version, state, stamped_later })
    }

    /// The position of the last event numbered no higher: where a projection at `seq` stands.
    #[must_use]
    pub fn version_at_seq(&self, seq: SeqId) -> Version {
        let past = self.steps.partition_point(|step| step.event.seq <= seq);
        past.checked_sub(1)
            .and_then(|last| self.steps.get(last))
            .map_or(self.base.version, |step| step.version)
    }

    /// Every field at both versions, from the one to the other.
    #[must_use]
    pub fn diff(&self, from: Version, to: Version) -> Option<Vec<Change>> {
        Some(diff(self.at_version(from)?.order(), self.at_version(to)?.order()))
    }

    /// The state of the whole history without one of its events.
    #[must_use]
    pub fn without(&self, skipped: Version) -> Option<State> {
        self.step(skipped)?;
        let before = self.at_version(Version(skipped.0 - 1))?;
        let mut state = before.clone();
        for step in self.steps.iter().filter(|step| step.version > skipped) {
            state = state.after(step.version, self.order, &step.meaning);
        }
        Some(state)
    }

    /// How a stored snapshot differs from the state after the events at its version: only fields
    /// that differ; empty when it is right. `None` where the version is not in this history.
    #[must_use]
    pub fn check(&self, snapshot: &Snapshot) -> Option<Vec<Change>> {
        let state = self.at_version(snapshot.version)?;
        let mut changes = diff(state.order(), snapshot.state.order());
        changes.retain(|change| !change.is_same());
        Some(changes)
    }
}

#[cfg(test)]
mod tests;

//! The backlog over weeks: samples joined into slices of time, which become coarser as they age, so that a year fits
//! into a few thousand rows. Sums stay exact; only the time within a slice is lost.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::backlog::{Change, Sample};

/// How long a slice is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grain {
    Minute,
    Quarter,
    Hour,
}

impl Grain {
    pub const ALL: [Self; 3] = [Self::Minute, Self::Quarter, Self::Hour];

    pub const fn seconds(self) -> i32 {
        match self {
            Self::Minute => 60,
            Self::Quarter => 900,
            Self::Hour => 3_600,
        }
    }

    /// The grain of so many seconds.
    pub fn of(seconds: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|grain| grain.seconds() == seconds)
    }

    /// How old slices grow before they become coarser, or go.
    pub const fn kept(self) -> TimeDelta {
        match self {
            Self::Minute => TimeDelta::days(1),
            Self::Quarter => TimeDelta::days(31),
            Self::Hour => TimeDelta::days(366),
        }
    }

    /// Never more slices than this, whatever the clocks did.
    pub const fn most(self) -> i64 {
        match self {
            Self::Minute => 1_500,
            Self::Quarter => 3_100,
            Self::Hour => 9_000,
        }
    }

    /// The next coarser grain; hours have none and are removed.
    pub const fn coarser(self) -> Option<Self> {
        match self {
            Self::Minute => Some(Self::Quarter),
            Self::Quarter => Some(Self::Hour),
            Self::Hour => None,
        }
    }

    /// The beginning of the slice in which a moment lies.
    pub fn floor(self, at: DateTime<Utc>) -> DateTime<Utc> {
        let into = at.timestamp().rem_euclid(i64::from(self.seconds()));
        let nanos = i64::from(at.timestamp_subsec_nanos());
        at - TimeDelta::seconds(into) - TimeDelta::nanoseconds(nanos)
    }

    /// Slices that begin before this are joined; always the beginning of a coarser slice, which is then complete.
    pub fn cutoff(self, now: DateTime<Utc>) -> DateTime<Utc> {
        self.coarser().unwrap_or(self).floor(now - self.kept())
    }
}

/// Everything that the sampler records at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    pub sample: Sample,
    /// Its backlog, counted or estimated whole.
    pub pending: i64,
    /// When the oldest pending message was published.
    pub oldest: Option<DateTime<Utc>>,
    pub failing: i64,
    pub half_done: i64,
    /// Second deliveries that the inbox shows, exact and estimated.
    pub duplicates: i64,
    /// Deliveries that consumers finished since the sample before.
    pub received: i64,
    /// Those of pairs that had been finished before and were forgotten by the service.
    pub repeated: i64,
}

/// What was seen in a slice of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    pub grain: Grain,
    pub begins: DateTime<Utc>,
    pub looks: i64,
    /// The last look and its backlog.
    pub last: Sample,
    pub pending: i64,
    pub oldest: Option<DateTime<Utc>>,
    pub failing: i64,
    pub half_done: i64,
    pub duplicates: i64,
    /// The largest backlog.
    pub most: i64,
    /// Messages that came and left; each sample counts what happened since the one before.
    pub came: i64,
    pub gone: i64,
    /// The time for which that is known, in milliseconds.
    pub known_ms: i64,
    pub left_at: Option<DateTime<Utc>>,
    pub received: i64,
    pub repeated: i64,
}

impl Slice {
    /// A slice of one look. What came and left since the look before is known only where that look was seen, and no
    /// operator changed outboxes in between.
    pub fn new(look: &Look) -> Self {
        let known = look.sample.change.and_then(|change| {
            Some((change.came?, change.left?, change.length.num_milliseconds()))
        });
        let (came, gone, known_ms) = known.unwrap_or_default();
        Self {
            grain: Grain::Minute,
            begins: Grain::Minute.floor(look.sample.at),
            looks: 1,
            last: look.sample,
            pending: look.pending,
            oldest: look.oldest,
            failing: look.failing,
            half_done: look.half_done,
            duplicates: look.duplicates,
            most: look.pending,
            came,
            gone,
            known_ms,
            left_at: look.sample.change.and_then(|change| change.left_at),
            received: look.received,
            repeated: look.repeated,
        }
    }

    /// The slice as one look, with what it knows of its time.
    #[must_use]
    pub fn sample(&self) -> Sample {
        let is_known = self.known_ms > 0;
        let known = |count: i64| is_known.then_some(count);
        let change = Change {
            length: TimeDelta::milliseconds(self.known_ms),
            drawn: None,
            came: known(self.came),
            left: known(self.gone),
            net: known(self.gone - self.came),
            left_at: self.left_at,
        };
        Sample { change: (is_known || self.left_at.is_some()).then_some(change), ..self.last }
    }

    /// Both together: the figures of the later sample, and the sums of both.
    #[must_use]
    pub fn joined(self, other: Self) -> Self {
        let last = if other.last.at >= self.last.at { other } else { self };
        Self {
            grain: self.grain.max(other.grain),
            begins: self.begins.min(other.begins),
            looks: self.looks.saturating_add(other.looks),
            most: self.most.max(other.most),
            came: self.came.saturating_add(other.came),
            gone: self.gone.saturating_add(other.gone),
            known_ms: self.known_ms.saturating_add(other.known_ms),
            left_at: self.left_at.max(other.left_at),
            received: self.received.saturating_add(other.received),
            repeated: self.repeated.saturating_add(other.repeated),
            ..last
        }
    }
}

/// Slices joined into those of a coarser grain, by time.
pub fn gathered(slices: impl IntoIterator<Item = Slice>, grain: Grain) -> Vec<Slice> {
    let mut out: BTreeMap<DateTime<Utc>, Slice> = BTreeMap::new();
    for slice in slices {
        let begins = grain.floor(slice.begins);
        let slice = Slice { grain, begins, ..slice };
        let joined = out.get(&begins).map_or(slice, |other| other.joined(slice));
        out.insert(begins, joined);
    }
    out.into_values().collect()
}

/// All slices together, whatever their grain; nothing of none.
pub fn sum(slices: impl IntoIterator<Item = Slice>) -> Option<Slice> {
    slices.into_iter().reduce(Slice::joined)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{backlog::Mark, samples::at};

    /// So many came and left since the look so many seconds before.
    fn look(seconds: i64, pending: i64, since: Option<(i64, i64, i64)>) -> Look {
        let at = at("2026-11-22T14:00:00Z") + TimeDelta::seconds(seconds);
        let change = since.map(|(length, came, left)| Change {
            length: TimeDelta::seconds(length),
            drawn: None,
            came: Some(came),
            left: Some(left),
            net: Some(left - came),
            left_at: (left > 0).then_some(at),
        });
        let sample = Sample { at, pending: Some(pending), mark: Mark::default(), change };
        let (failing, half_done, duplicates) = (pending % 3, pending % 2, pending % 5);
        Look {
            sample,
            pending,
            oldest: None,
            failing,
            half_done,
            duplicates,
            received: 2,
            repeated: 1,
        }
    }

    /// What the sampler keeps of these looks, one step of growing old after each.
    fn kept(looks: &[Look]) -> BTreeMap<(Grain, DateTime<Utc>), Slice> {
        let mut kept: BTreeMap<(Grain, DateTime<Utc>), Slice> = BTreeMap::new();
        for look in looks {
            let slice = Slice::new(look);
            let key = (slice.grain, slice.begins);
            let joined = kept.get(&key).map_or(slice, |other| other.joined(slice));
            kept.insert(key, joined);
            for grain in Grain::ALL {
                let cutoff = grain.cutoff(look.sample.at);
                let range = (grain, DateTime::<Utc>::MIN_UTC)..(grain, cutoff);
                let old: Vec<_> = kept.range(range).map(|(key, _)| *key).collect();
                let old: Vec<_> = old.into_iter().filter_map(|key| kept.remove(&key)).collect();
                let Some(coarser) = grain.coarser() else { continue };
                for slice in gathered(old, coarser) {
                    let key = (slice.grain, slice.begins);
                    let joined = kept.get(&key).map_or(slice, |other| other.joined(slice));
                    kept.insert(key, joined);
                }
            }
        }
        kept
    }

    #[test]
    fn a_minute_knows_what_came_and_left() {
        let looks =
            [look(0, 10, None), look(20, 8, Some((20, 3, 5))), look(40, 12, Some((20, 4, 0)))];
        let kept = kept(&looks);
        let minute = kept.values().next().unwrap();
        assert_eq!((kept.len(), minute.looks, minute.pending, minute.most), (1, 3, 12, 12));
        assert_eq!((minute.came, minute.gone, minute.known_ms), (7, 5, 40_000));
        assert_eq!(minute.left_at, Some(looks[1].sample.at));
        let change = minute.sample().change.unwrap();
        assert_eq!((change.came, change.left, change.net), (Some(7), Some(5), Some(-2)));
        assert_eq!(change.length, TimeDelta::seconds(40));
    }

    #[test]
    fn what_cannot_be_known_is_not_counted() {
        let mut unknown = look(20, 8, Some((20, 0, 0)));
        let change = unknown.sample.change.unwrap();
        unknown.sample.change = Some(Change { came: None, left: None, ..change });
        let slice = Slice::new(&unknown);
        assert_eq!((slice.came, slice.gone, slice.known_ms), (0, 0, 0));
        assert_eq!((slice.left_at, slice.sample().change), (None, None));
        // That something left may be known without its number.
        let at = Some(unknown.sample.at);
        unknown.sample.change = Some(Change { left: None, left_at: at, ..change });
        let slice = Slice::new(&unknown);
        assert_eq!((slice.gone, slice.known_ms, slice.left_at), (0, 0, at));
        assert_eq!(slice.sample().change.unwrap().left_at, at);
    }

    #[test]
    fn slices_begin_on_whole_minutes_quarters_and_hours() {
        let moment = at("2026-11-22T14:47:31.5Z");
        assert_eq!(Grain::Minute.floor(moment), at("2026-11-22T14:47:00Z"));
        assert_eq!(Grain::Quarter.floor(moment), at("2026-11-22T14:45:00Z"));
        assert_eq!(Grain::Hour.floor(moment), at("2026-11-22T14:00:00Z"));
        assert_eq!(Grain::Minute.cutoff(moment), at("2026-11-21T14:45:00Z"));
        for grain in Grain::ALL {
            assert_eq!(Grain::of(grain.seconds()), Some(grain));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Growing coarser keeps every sum, the peak and the last look, as long as nothing is a year old.
        #[test]
        fn totals_survive_and_rows_are_bounded(
            steps in prop::collection::vec((1_i64..50_000, 0_i64..2_000, 0_i64..50), 1..600),
        ) {
            let (mut now, mut looks) = (0, vec![]);
            for (wait, pending, came) in &steps {
                now += wait;
                looks.push(look(now, *pending, Some((*wait, *came, *pending))));
            }
            let kept = kept(&looks);
            let number = i64::try_from(looks.len()).unwrap();
            let all = sum(kept.values().copied()).unwrap();
            prop_assert_eq!((all.looks, all.received, all.repeated), (number, 2 * number, number));
            prop_assert_eq!(all.came, steps.iter().map(|step| step.2).sum::<i64>());
            prop_assert_eq!(all.gone, steps.iter().map(|step| step.1).sum::<i64>());
            let last = looks.last().unwrap().sample;
            prop_assert_eq!(all.last, last);
            prop_assert_eq!(all.most, steps.iter().map(|step| step.1).max().unwrap());
            prop_assert_eq!(all.known_ms, now * 1_000);
            for grain in Grain::ALL {
                let slices: Vec<_> = kept.keys().filter(|(g, _)| *g == grain).collect();
                prop_assert!(i64::try_from(slices.len()).unwrap() <= grain.most());
                prop_assert!(slices.iter().all(|(_, at)| *at >= grain.cutoff(last.at)));
                prop_assert!(slices.iter().all(|(_, at)| grain.floor(*at) == *at));
            }
            // Grains do not overlap: a moment lies in one slice.
            let mut by_time: Vec<_> = kept.values().collect();
            by_time.sort_by_key(|slice| slice.begins);
            for pair in by_time.windows(2) {
                let end = pair[0].begins + TimeDelta::seconds(i64::from(pair[0].grain.seconds()));
                prop_assert!(end <= pair[1].begins);
            }
        }

        /// In which order slices are joined does not matter.
        #[test]
        fn joining_is_associative_and_commutative(
            parts in prop::array::uniform3((0_i64..9_000, 0_i64..2_000, 0_i64..90)),
        ) {
            // Looks at the same moment have no last one.
            prop_assume!(parts[0].0 != parts[1].0 && parts[1].0 != parts[2].0 && parts[0].0 != parts[2].0);
            let [a, b, c] = parts.map(|(at, pending, came)| Slice::new(&look(at, pending, Some((9, came, 3)))));
            prop_assert_eq!(a.joined(b).joined(c), a.joined(b.joined(c)));
            prop_assert_eq!(a.joined(b), b.joined(a));
        }
    }

    #[test]
    fn a_full_year_of_looks_keeps_to_its_bounds() {
        let minutes = 366 * 24 * 60;
        // A look every 25 minutes for 400 days, then every minute for two: each grain is as full as it gets.
        let mut looks: Vec<_> = (0..400 * 58).map(|n| look(n * 1_500, 3, None)).collect();
        let from = 400 * 58 * 1_500;
        looks.extend((0..2 * 1_440).map(|n| look(from + n * 60, 3, None)));
        let kept = kept(&looks);
        let count = |grain| kept.keys().filter(|(g, _)| *g == grain).count();
        assert!((1_440..=1_456).contains(&count(Grain::Minute)), "{}", count(Grain::Minute));
        assert!(count(Grain::Hour) <= minutes / 60 && count(Grain::Hour) > 8_000);
        assert!(count(Grain::Quarter) <= 3_000);
    }
}

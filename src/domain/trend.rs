//! The backlog over weeks: samples joined into slices of time, which become coarser as they age, so that a year fits
//! into a few thousand rows. Sums stay exact; only the time within a slice is lost.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::backlog::{self, Sample};

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
    /// Of the last sample.
    pub last: Sample,
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
    /// A slice of one sample. What came and left is known from the sample before, if there was one.
    pub fn new(look: &Look, before: Option<Sample>) -> Self {
        let moved = before.and_then(|before| backlog::moved(before, look.sample));
        let length = before.map_or(0, |before| (look.sample.at - before.at).num_milliseconds());
        let (came, gone) = moved.unwrap_or_default();
        let left = before.is_some_and(|before| backlog::has_left(before, look.sample));
        Self {
            grain: Grain::Minute,
            begins: Grain::Minute.floor(look.sample.at),
            looks: 1,
            last: look.sample,
            oldest: look.oldest,
            failing: look.failing,
            half_done: look.half_done,
            duplicates: look.duplicates,
            most: look.sample.pending,
            came,
            gone,
            known_ms: if moved.is_some() { length.max(0) } else { 0 },
            left_at: left.then_some(look.sample.at),
            received: look.received,
            repeated: look.repeated,
        }
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
    use crate::domain::samples::at;

    fn look(seconds: i64, pending: i64, drawn: Option<i64>) -> Look {
        let at = at("2026-11-22T14:00:00Z") + TimeDelta::seconds(seconds);
        let sample = Sample { at, pending, drawn };
        let (failing, half_done, duplicates) = (pending % 3, pending % 2, pending % 5);
        Look { sample, oldest: None, failing, half_done, duplicates, received: 2, repeated: 1 }
    }

    /// What the sampler keeps of these looks, one step of growing old after each.
    fn kept(looks: &[Look]) -> BTreeMap<(Grain, DateTime<Utc>), Slice> {
        let mut kept: BTreeMap<(Grain, DateTime<Utc>), Slice> = BTreeMap::new();
        let mut before = None;
        for look in looks {
            let slice = Slice::new(look, before);
            before = Some(look.sample);
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
        let looks = [look(0, 10, Some(100)), look(20, 8, Some(103)), look(40, 12, Some(107))];
        let kept = kept(&looks);
        let minute = kept.values().next().unwrap();
        assert_eq!((kept.len(), minute.looks, minute.last.pending, minute.most), (1, 3, 12, 12));
        // 3 came and 5 left, then 4 came and none left.
        assert_eq!((minute.came, minute.gone, minute.known_ms), (7, 5, 40_000));
        assert_eq!(minute.left_at, Some(looks[1].sample.at));
    }

    #[test]
    fn what_cannot_be_known_is_not_counted() {
        let unknown = Slice::new(&look(20, 8, None), Some(look(0, 10, None).sample));
        assert_eq!((unknown.came, unknown.gone, unknown.known_ms), (0, 0, 0));
        assert_eq!(unknown.left_at, Some(unknown.last.at));
        // The sequence was reset in between.
        let reset = Slice::new(&look(20, 8, Some(2)), Some(look(0, 8, Some(90)).sample));
        assert_eq!((reset.came, reset.gone, reset.known_ms), (0, 0, 0));
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
            let (mut now, mut drawn, mut looks) = (0, 0, vec![]);
            for (wait, pending, came) in &steps {
                now += wait;
                drawn += came;
                looks.push(look(now, *pending, Some(drawn)));
            }
            let kept = kept(&looks);
            let number = i64::try_from(looks.len()).unwrap();
            let all = sum(kept.values().copied()).unwrap();
            prop_assert_eq!((all.looks, all.received, all.repeated), (number, 2 * number, number));
            prop_assert_eq!(all.came, drawn - steps[0].2);
            let first = looks[0].sample.pending;
            let last = looks.last().unwrap().sample;
            prop_assert!(all.gone >= first + all.came - last.pending);
            prop_assert_eq!(all.last, last);
            prop_assert_eq!(all.most, steps.iter().map(|step| step.1).max().unwrap());
            prop_assert_eq!(all.known_ms, (last.at - looks[0].sample.at).num_milliseconds());
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
            let before = look(-20, 9, Some(1)).sample;
            let [a, b, c] =
                parts.map(|(at, pending, drawn)| Slice::new(&look(at, pending, Some(drawn)), Some(before)));
            prop_assert_eq!(a.joined(b).joined(c), a.joined(b.joined(c)));
            prop_assert_eq!(a.joined(b), b.joined(a));
        }
    }

    #[test]
    fn a_full_year_of_looks_keeps_to_its_bounds() {
        let minutes = 366 * 24 * 60;
        // A look every 25 minutes for 400 days, then every minute for two: each grain is as full as it gets.
        let mut looks: Vec<_> = (0..400 * 58).map(|n| look(n * 1_500, 3, Some(n))).collect();
        let from = 400 * 58 * 1_500;
        looks.extend((0..2 * 1_440).map(|n| look(from + n * 60, 3, Some(400 * 58 + n))));
        let kept = kept(&looks);
        let count = |grain| kept.keys().filter(|(g, _)| *g == grain).count();
        assert!((1_440..=1_456).contains(&count(Grain::Minute)), "{}", count(Grain::Minute));
        assert!(count(Grain::Hour) <= minutes / 60 && count(Grain::Hour) > 8_000);
        assert!(count(Grain::Quarter) <= 3_000);
    }
}

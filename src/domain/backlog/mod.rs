//! The backlog over time, in memory. The tables hold no history, so rates and drain times are known only for times at
//! which this program or a sampler took samples. Bounded: when full, the older half keeps every second
//! sample.

mod change;

use chrono::{DateTime, TimeDelta, Utc};

pub use self::change::{Change, Mark, Seen, Watched};

/// The most samples that are kept.
pub const MOST: usize = 720;

/// Pauses shorter than this between bursts are MassTransit's own workers colliding.
const STUTTER: TimeDelta = TimeDelta::seconds(60);

/// One look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    pub at: DateTime<Utc>,
    /// Nothing where counting stopped before the end.
    pub pending: Option<i64>,
    pub mark: Mark,
    /// Since the look before; nothing for the first.
    pub change: Option<Change>,
}

/// All samples, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Samples {
    ring: Vec<Sample>,
}

/// What the samples show.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Movement {
    /// Since when what changed is known.
    pub since: DateTime<Utc>,
    /// Sequence numbers that were drawn over the last minutes; nothing where that cannot be known.
    pub drawn: Option<i64>,
    /// Messages per minute over the last minutes; nothing where it cannot be known.
    pub coming: Option<f64>,
    pub leaving: Option<f64>,
    /// The newest look that saw messages gone or delivered that were pending before.
    pub last_leaving: Option<DateTime<Utc>>,
    pub looks: usize,
    /// Bursts and pauses of seconds.
    pub stutters: bool,
    pub drain: Drain,
}

/// When the backlog would be gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drain {
    /// There is no backlog.
    Empty,
    /// Not enough was seen yet.
    Unknown,
    /// It does not shrink.
    Never,
    In {
        likely: TimeDelta,
        soonest: TimeDelta,
        latest: Option<TimeDelta>,
    },
}

/// Over how long rates are taken.
const WINDOW: TimeDelta = TimeDelta::minutes(5);

impl Samples {
    /// Adds a sample; one that is not newer than the last is ignored.
    pub fn push(&mut self, sample: Sample) {
        if self.ring.last().is_some_and(|last| last.at >= sample.at) {
            return;
        }
        self.ring.push(sample);
        self.thin();
    }

    /// Adds stored samples, oldest first, for the times at which this program took none.
    pub fn remember(&mut self, stored: &[Sample]) {
        let known = |sample: &&Sample| {
            let at = self.ring.partition_point(|own| own.at < sample.at);
            // Our own samples are closer together: a stored one between them adds nothing.
            let near = |own: Option<&Sample>| {
                own.is_some_and(|own| (own.at - sample.at).abs() < TimeDelta::minutes(1))
            };
            !near(self.ring.get(at)) && !near(at.checked_sub(1).and_then(|at| self.ring.get(at)))
        };
        let new: Vec<Sample> = stored.iter().filter(known).copied().collect();
        self.ring.extend(new);
        self.ring.sort_by_key(|sample| sample.at);
        self.ring.dedup_by_key(|sample| sample.at);
        self.thin();
    }

    /// Of the older half every second look goes; what it saw is kept with the next one.
    fn thin(&mut self) {
        while self.ring.len() > MOST {
            let half = self.ring.len() / 2;
            let (mut at, mut dropped) = (0, None);
            self.ring.retain_mut(|sample| {
                at += 1;
                let earlier: Option<Change> = dropped.take();
                sample.change = earlier.map_or(sample.change, |earlier| {
                    Some(sample.change.map_or(earlier, |change| earlier.and(change)))
                });
                let stays = at > half || at % 2 == 1;
                if !stays {
                    dropped = sample.change;
                }
                stays
            });
        }
    }

    /// All samples, oldest first.
    #[must_use]
    pub fn all(&self) -> &[Sample] {
        &self.ring
    }

    /// The newest of all.
    #[must_use]
    pub fn last(&self) -> Option<&Sample> {
        self.ring.last()
    }

    /// What they show; nothing before the second look: only two can tell what moves.
    #[must_use]
    pub fn movement(&self) -> Option<Movement> {
        let last = self.ring.last()?;
        let changes = || self.ring.iter().filter_map(|sample| Some((sample.at, sample.change?)));
        let since = changes().map(|(at, change)| at - change.length).min()?;
        let from = last.at - WINDOW;
        let start = self.ring.iter().rposition(|sample| sample.at <= from).map_or(0, |at| at + 1);
        let recent = &self.ring[start..];
        let steps: Vec<_> = recent.iter().filter_map(|sample| sample.change).collect();
        Some(Movement {
            since,
            drawn: steps.iter().map(|change| change.drawn).sum(),
            coming: rate(&steps, |change| change.came),
            leaving: rate(&steps, |change| change.left),
            last_leaving: changes().filter_map(|(_, change)| change.left_at).max(),
            looks: self.ring.len(),
            stutters: stutters(recent),
            drain: drain(last.pending, &steps),
        })
    }
}

/// So many a minute, over the time for which it is known; nothing where it never is.
#[expect(clippy::cast_precision_loss, reason = "rates for people")]
fn rate(steps: &[Change], of: impl Fn(&Change) -> Option<i64>) -> Option<f64> {
    let known = steps.iter().filter_map(|change| Some((change.length, of(change)?)));
    let (millis, sum) = known.fold((0, 0), |(millis, sum), (length, count)| {
        (millis + length.num_milliseconds(), sum + count)
    });
    (millis > 0).then(|| sum as f64 * 60_000.0 / millis as f64)
}

/// Bursts and short pauses, while there was something to send: at least two of each.
fn stutters(samples: &[Sample]) -> bool {
    let (mut bursts, mut pauses, mut longest) = (0, 0, TimeDelta::zero());
    let mut pause: Option<DateTime<Utc>> = None;
    for sample in samples {
        let Some(change) = sample.change else { continue };
        let begins = sample.at - change.length;
        if change.left_at.is_some() {
            if let Some(start) = pause.take() {
                pauses += 1;
                longest = longest.max(begins - start);
            }
            bursts += 1;
        } else if bursts > 0 && pause.is_none() && sample.pending != Some(0) {
            pause = Some(begins);
        }
    }
    // A pause that still lasts may be the beginning of a stall.
    let lasting =
        pause.zip(samples.last()).map_or(TimeDelta::zero(), |(start, last)| last.at - start);
    bursts >= 2 && pauses >= 2 && longest.max(lasting) < STUTTER
}

fn drain(pending: Option<i64>, steps: &[Change]) -> Drain {
    let Some(pending) = pending else { return Drain::Unknown };
    if pending <= 0 {
        return Drain::Empty;
    }
    let net = |steps: &[Change]| rate(steps, |change| change.net);
    let Some(mean) = net(steps) else { return Drain::Unknown };
    if mean <= 0.0 {
        return Drain::Never;
    }
    // The range: how the backlog shrank in thirds of the time that was looked at.
    let rates = steps.chunks(steps.len().div_ceil(3)).filter_map(net);
    let (slow, fast) =
        rates.fold((mean, mean), |(slow, fast), rate| (slow.min(rate), fast.max(rate)));
    Drain::In {
        likely: after(pending, mean).unwrap_or(TimeDelta::MAX),
        soonest: after(pending, fast).unwrap_or(TimeDelta::MAX),
        latest: after(pending, slow),
    }
}

/// The time that `pending` takes at so many a minute; none when it would never end.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "an estimate, bounded above"
)]
fn after(pending: i64, rate: f64) -> Option<TimeDelta> {
    const YEAR: f64 = 365.0 * 86_400.0;
    let seconds = pending as f64 / rate * 60.0;
    (rate > 0.0 && seconds < YEAR).then(|| TimeDelta::seconds(seconds.round() as i64))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::samples::at;

    fn sample(seconds: i64, pending: i64) -> Sample {
        let at = at("2026-11-22T14:00:00Z") + TimeDelta::seconds(seconds);
        Sample { at, pending: Some(pending), mark: Mark::default(), change: None }
    }

    /// A look every five seconds at these backlogs, with so many new messages between two.
    fn looks(pending: &[i64], came: i64) -> Samples {
        let mut samples = Samples::default();
        for (number, pending) in pending.iter().enumerate() {
            let mut sample = sample(i64::try_from(number).unwrap() * 5, *pending);
            sample.change = samples.last().map(|before| {
                let net = before.pending.unwrap() - pending;
                Change {
                    length: sample.at - before.at,
                    drawn: Some(came),
                    came: Some(came),
                    left: Some(came + net),
                    net: Some(net),
                    left_at: (came + net > 0).then_some(sample.at),
                }
            });
            samples.push(sample);
        }
        samples
    }

    #[test]
    fn a_steady_drain_has_rates_and_an_end() {
        // 10 leave and 2 come every five seconds.
        let movement = looks(&[100, 92, 84, 76, 68, 60], 2).movement().unwrap();
        let close = |rate: Option<f64>, to: f64| (rate.unwrap() - to).abs() < 0.001;
        assert!(close(movement.coming, 24.0) && close(movement.leaving, 120.0), "{movement:?}");
        let end = TimeDelta::milliseconds(37_500);
        let Drain::In { likely, soonest, latest } = movement.drain else { panic!("{movement:?}") };
        assert!((likely - end).abs() <= TimeDelta::seconds(1), "{likely}");
        let near = |time: TimeDelta| (time - likely).abs() <= TimeDelta::seconds(1);
        assert!(near(soonest) && latest.is_some_and(near), "{movement:?}");
        assert!(!movement.stutters);
    }

    #[test]
    fn an_uneven_drain_has_a_range() {
        let movement = looks(&[100, 98, 96, 86, 76, 74, 72], 0).movement().unwrap();
        let Drain::In { likely, soonest, latest } = movement.drain else { panic!("{movement:?}") };
        assert!(soonest < likely && latest.is_some_and(|latest| latest > likely), "{movement:?}");
    }

    #[test]
    fn a_backlog_that_grows_never_drains() {
        let movement = looks(&[10, 12, 14, 14], 2).movement().unwrap();
        assert_eq!(movement.drain, Drain::Never);
        let still = looks(&[7, 7, 7], 0).movement().unwrap();
        assert_eq!((still.drain, still.last_leaving), (Drain::Never, None));
        assert_eq!(looks(&[3, 0, 0], 0).movement().unwrap().drain, Drain::Empty);
        assert_eq!(looks(&[3], 0).movement(), None);
    }

    #[test]
    fn bursts_with_short_pauses_are_a_stutter_and_a_long_pause_is_not() {
        let saw = [100, 80, 80, 80, 60, 60, 60, 40, 40, 20];
        assert!(looks(&saw, 0).movement().unwrap().stutters);
        let mut stalled = saw.to_vec();
        stalled.extend([20; 20]);
        assert!(!looks(&stalled, 0).movement().unwrap().stutters);
        assert!(!looks(&[5, 5, 5, 5], 0).movement().unwrap().stutters);
    }

    #[test]
    fn what_operators_did_is_no_rate_and_hides_none() {
        let mut samples = looks(&[10, 6], 0);
        let unknown = Change {
            length: TimeDelta::seconds(5),
            drawn: None,
            came: None,
            left: None,
            net: None,
            left_at: None,
        };
        samples.push(Sample { change: Some(unknown), ..sample(10, 0) });
        let movement = samples.movement().unwrap();
        assert_eq!((movement.coming, movement.leaving), (Some(0.0), Some(48.0)));
        assert_eq!(movement.last_leaving, Some(sample(5, 0).at));
        let mut only = Samples::default();
        only.push(sample(0, 10));
        only.push(Sample { change: Some(unknown), ..sample(5, 3) });
        let movement = only.movement().unwrap();
        assert_eq!((movement.coming, movement.leaving, movement.last_leaving), (None, None, None));
        assert_eq!(movement.drain, Drain::Unknown);
    }

    #[test]
    fn stored_looks_fill_the_time_before_and_between_ours() {
        let start = sample(0, 0).at;
        let sample = |minutes: i64, pending| {
            let left_at = (minutes == 150).then_some(start + TimeDelta::minutes(150));
            let length = TimeDelta::minutes(minutes.min(1));
            let change =
                Change { length, drawn: None, came: Some(0), left: Some(0), net: Some(0), left_at };
            Sample { change: Some(change), ..sample(minutes * 60, pending) }
        };
        let mut samples = Samples::default();
        samples.push(sample(100, 5));
        samples.push(sample(200, 3));
        samples.remember(&[sample(0, 9), sample(60, 8), sample(100, 7), sample(150, 4)]);
        let seen: Vec<_> = samples.all().iter().filter_map(|sample| sample.pending).collect();
        assert_eq!(seen, [9, 8, 5, 4, 3]);
        let movement = samples.movement().unwrap();
        assert_eq!((movement.since, movement.last_leaving), (start, Some(sample(150, 4).at)));
        let before = samples.clone();
        samples.remember(&[sample(0, 9), sample(60, 8)]);
        assert_eq!(samples, before);
    }

    proptest! {
        #[test]
        fn stored_and_own_looks_stay_bounded_and_in_order(
            stored in prop::collection::vec(0_i64..400_000, 0..2_000),
            own in prop::collection::vec(0_i64..400_000, 0..900),
        ) {
            let made = |mut seconds: Vec<i64>| -> Vec<Sample> {
                seconds.sort_unstable();
                seconds.into_iter().map(|at| sample(at, at)).collect()
            };
            let (stored, own) = (made(stored), made(own));
            let mut samples = Samples::default();
            for look in &own {
                samples.push(*look);
            }
            samples.remember(&stored);
            prop_assert!(samples.all().len() <= MOST);
            prop_assert!(samples.all().windows(2).all(|pair| pair[0].at < pair[1].at));
            if let (Some(mine), Some(last)) = (own.last(), samples.all().last()) {
                prop_assert!(last.at >= mine.at);
            }
        }

        #[test]
        fn the_ring_is_bounded_and_loses_nothing_that_left(steps in prop::collection::vec(0_i64..9, 1..4_000)) {
            let mut samples = Samples::default();
            let mut seconds = 0;
            for left in &steps {
                seconds += left + 1;
                let now = sample(seconds, 3);
                let length = TimeDelta::seconds(left + 1);
                let left_at = (*left > 0).then_some(now.at);
                let change = Change { length, drawn: None, came: Some(1), left: Some(*left), net: None, left_at };
                samples.push(Sample { change: Some(change), ..now });
            }
            let all = samples.all();
            prop_assert!(all.len() <= MOST);
            prop_assert_eq!(all.last().unwrap().at, sample(seconds, 0).at);
            prop_assert_eq!(all.first().unwrap().at, sample(steps[0] + 1, 0).at);
            prop_assert!(all.windows(2).all(|pair| pair[0].at < pair[1].at));
            let kept = all.iter().map(|sample| sample.change.unwrap().left.unwrap()).sum::<i64>();
            prop_assert_eq!(kept, steps.iter().sum::<i64>());
        }
    }
}

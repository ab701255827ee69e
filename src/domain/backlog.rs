//! The backlog over time, in memory. The tables hold no history, so rates and drain times are known only for times at
//! which this program or a sampler took samples. Bounded: when full, the older half keeps every second
//! sample.

use chrono::{DateTime, TimeDelta, Utc};

/// The most samples that are kept.
pub const MOST: usize = 720;

/// Pauses shorter than this between bursts are MassTransit's own workers colliding.
const STUTTER: TimeDelta = TimeDelta::seconds(60);

/// One look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    pub at: DateTime<Utc>,
    pub pending: i64,
    /// The last sequence number drawn; nothing where our role may not see it.
    pub drawn: Option<i64>,
}

/// All samples, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Samples {
    ring: Vec<Sample>,
}

/// What the samples show.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Movement {
    /// The first look.
    pub since: DateTime<Utc>,
    /// Messages per minute over the last minutes; nothing where it cannot be known.
    pub coming: Option<f64>,
    pub leaving: Option<f64>,
    /// The newest sample that shows fewer pending messages than the sample before it.
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

    fn thin(&mut self) {
        while self.ring.len() > MOST {
            let half = self.ring.len() / 2;
            let mut at = 0;
            self.ring.retain(|_| {
                at += 1;
                at > half || at % 2 == 1
            });
        }
    }

    /// All samples, oldest first.
    #[must_use]
    pub fn all(&self) -> &[Sample] {
        &self.ring
    }

    /// What they show; nothing before the second sample.
    #[must_use]
    pub fn movement(&self) -> Option<Movement> {
        let (first, last) = (self.ring.first()?, self.ring.last()?);
        if self.ring.len() < 2 {
            return None;
        }
        let from = last.at - WINDOW;
        let start = self.ring.iter().rposition(|sample| sample.at <= from).unwrap_or(0);
        let recent = &self.ring[start..];
        let steps: Vec<_> =
            recent.windows(2).filter_map(|pair| Step::of(pair[0], pair[1])).collect();
        let minutes: f64 = steps.iter().map(|step| step.minutes).sum();
        let rate = |sum: f64| if minutes > 0.0 { sum / minutes } else { 0.0 };
        let known = steps.iter().all(|step| step.came.is_some());
        let coming = known.then(|| rate(steps.iter().filter_map(|step| step.came).sum()));
        let leaving = known.then(|| rate(steps.iter().filter_map(|step| step.left).sum()));
        let left = |pair: &&[Sample]| has_left(pair[0], pair[1]);
        Some(Movement {
            since: first.at,
            coming,
            leaving,
            last_leaving: self.ring.windows(2).rfind(left).map(|pair| pair[1].at),
            looks: self.ring.len(),
            stutters: stutters(recent),
            drain: drain(last.pending, &steps),
        })
    }
}

/// What happened between two samples.
struct Step {
    minutes: f64,
    /// How much the backlog shrank by.
    net: f64,
    came: Option<f64>,
    left: Option<f64>,
}

impl Step {
    #[expect(clippy::cast_precision_loss, reason = "rates for people")]
    fn of(before: Sample, after: Sample) -> Option<Self> {
        let minutes = (after.at - before.at).num_milliseconds() as f64 / 60_000.0;
        let net = (before.pending - after.pending) as f64;
        let moved = moved(before, after);
        let (came, left) = (moved.map(|(came, _)| came as f64), moved.map(|(_, left)| left as f64));
        (minutes > 0.0).then_some(Self { minutes, net, came, left })
    }
}

/// How many messages came and left between two samples; nothing where the sequence is not readable or was reset.
pub(super) fn moved(before: Sample, after: Sample) -> Option<(i64, i64)> {
    let came = after.drawn?.checked_sub(before.drawn?).filter(|came| *came >= 0)?;
    Some((came, came.saturating_add(before.pending - after.pending).max(0)))
}

pub(super) fn has_left(before: Sample, after: Sample) -> bool {
    let came = after.drawn.zip(before.drawn).map_or(0, |(after, before)| after - before);
    before.pending + came.max(0) > after.pending
}

/// Bursts and short pauses, while there was something to send: at least two of each.
fn stutters(samples: &[Sample]) -> bool {
    let (mut bursts, mut pauses, mut longest) = (0, 0, TimeDelta::zero());
    let mut pause: Option<DateTime<Utc>> = None;
    for pair in samples.windows(2).filter(|pair| pair[0].pending > 0) {
        if has_left(pair[0], pair[1]) {
            if let Some(start) = pause.take() {
                pauses += 1;
                longest = longest.max(pair[0].at - start);
            }
            bursts += 1;
        } else if bursts > 0 && pause.is_none() {
            pause = Some(pair[0].at);
        }
    }
    // A pause that still lasts may be the beginning of a stall.
    let lasting =
        pause.zip(samples.last()).map_or(TimeDelta::zero(), |(start, last)| last.at - start);
    bursts >= 2 && pauses >= 2 && longest.max(lasting) < STUTTER
}

fn drain(pending: i64, steps: &[Step]) -> Drain {
    if pending <= 0 {
        return Drain::Empty;
    }
    if steps.is_empty() {
        return Drain::Unknown;
    }
    let minutes: f64 = steps.iter().map(|step| step.minutes).sum();
    let mean = steps.iter().map(|step| step.net).sum::<f64>() / minutes;
    if mean <= 0.0 {
        return Drain::Never;
    }
    // The range: how the backlog shrank in thirds of the time that was looked at.
    let part = steps.len().div_ceil(3);
    let rates = steps.chunks(part).map(|part| {
        let minutes: f64 = part.iter().map(|step| step.minutes).sum();
        part.iter().map(|step| step.net).sum::<f64>() / minutes
    });
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

    /// A look every five seconds at these backlogs, with so many new messages between two.
    fn looks(pending: &[i64], came: i64) -> Samples {
        let mut samples = Samples::default();
        let mut drawn = 1_000;
        for (number, pending) in pending.iter().enumerate() {
            let seconds = i64::try_from(number).unwrap() * 5;
            let at = at("2026-11-22T14:00:00Z") + TimeDelta::seconds(seconds);
            samples.push(Sample { at, pending: *pending, drawn: Some(drawn) });
            drawn += came;
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
    fn without_numbers_drawn_only_the_net_is_known() {
        let mut samples = Samples::default();
        for (seconds, pending) in [(0, 10), (5, 6)] {
            let at = at("2026-11-22T14:00:00Z") + TimeDelta::seconds(seconds);
            samples.push(Sample { at, pending, drawn: None });
        }
        let movement = samples.movement().unwrap();
        assert_eq!((movement.coming, movement.leaving), (None, None));
        assert!(matches!(movement.drain, Drain::In { .. }));
    }

    #[test]
    fn stored_looks_fill_the_time_before_and_between_ours() {
        let start = at("2026-11-22T14:00:00Z");
        let sample = |minutes: i64, pending| Sample {
            at: start + TimeDelta::minutes(minutes),
            pending,
            drawn: Some(minutes),
        };
        let mut samples = Samples::default();
        samples.push(sample(100, 5));
        samples.push(sample(200, 3));
        samples.remember(&[sample(0, 9), sample(60, 8), sample(100, 7), sample(150, 4)]);
        let seen: Vec<_> = samples.all().iter().map(|sample| sample.pending).collect();
        assert_eq!(seen, [9, 8, 5, 4, 3]);
        let movement = samples.movement().unwrap();
        assert_eq!((movement.since, movement.last_leaving), (start, Some(sample(200, 3).at)));
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
            let start = at("2026-11-22T14:00:00Z");
            let made = |mut seconds: Vec<i64>| -> Vec<Sample> {
                seconds.sort_unstable();
                let of = |at: i64| Sample { at: start + TimeDelta::seconds(at), pending: at, drawn: None };
                seconds.into_iter().map(of).collect()
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
        fn the_ring_is_bounded_and_keeps_its_ends(steps in prop::collection::vec(0_i64..9, 1..4_000)) {
            let mut samples = Samples::default();
            let start = at("2026-11-22T14:00:00Z");
            let mut now = start;
            for step in &steps {
                now += TimeDelta::seconds(step + 1);
                samples.push(Sample { at: now, pending: *step, drawn: None });
            }
            prop_assert!(samples.all().len() <= MOST);
            prop_assert_eq!(samples.all().last().unwrap().at, now);
            prop_assert_eq!(samples.all().first().unwrap().at, start + TimeDelta::seconds(steps[0] + 1));
            prop_assert!(samples.all().windows(2).all(|pair| pair[0].at < pair[1].at));
        }
    }
}

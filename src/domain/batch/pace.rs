//! How fast an operation may go, how fast it goes, and when it will be done.

use std::{collections::VecDeque, fmt, num::NonZeroU32};

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::{age, text::thousands};

/// The rate is that of so many batches, the last ones.
const BATCHES: usize = 20;

/// Keeps to so many items a second. Time in which nothing was done is not made up for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limiter {
    rate: Option<NonZeroU32>,
    /// When the next batch may begin.
    free: Option<DateTime<Utc>>,
    /// What the last batch costs: a clock that was set back makes nobody wait longer.
    cost: TimeDelta,
}

impl Limiter {
    /// Of a rate in items a second; without one nothing is waited for.
    #[must_use]
    pub const fn new(rate: Option<NonZeroU32>) -> Self {
        Self { rate, free: None, cost: TimeDelta::zero() }
    }

    /// Items that one batch may have: what the rate allows in a second.
    #[must_use]
    pub fn most(&self) -> u64 {
        self.rate.map_or(u64::MAX, |rate| u64::from(rate.get()))
    }

    /// How long to wait before the next batch.
    #[must_use]
    pub fn wait(&self, now: DateTime<Utc>) -> TimeDelta {
        let Some(free) = self.free else { return TimeDelta::zero() };
        (free - now).clamp(TimeDelta::zero(), self.cost)
    }

    /// Counts a batch of so many items that began then.
    pub fn count(&mut self, items: u64, began: DateTime<Utc>) {
        let Some(rate) = self.rate else { return };
        let millis = items.saturating_mul(1_000) / u64::from(rate.get());
        self.cost = TimeDelta::milliseconds(i64::try_from(millis).unwrap_or(i64::MAX / 1_000));
        self.free = Some(began + self.cost);
    }
}

/// How fast it goes, and how long the rest takes at this rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// Items a minute.
    pub per_minute: u64,
    pub left: TimeDelta,
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per_minute = thousands(i64::try_from(self.per_minute).unwrap_or(i64::MAX));
        write!(f, "{per_minute} a minute, {} left", age::length(self.left))
    }
}

/// When the last batches ended, and how many items had an outcome then.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pace(VecDeque<(DateTime<Utc>, u64)>);

impl Pace {
    /// Adds where it was at a moment.
    pub fn add(&mut self, at: DateTime<Utc>, position: u64) {
        if self.0.len() > BATCHES {
            self.0.pop_front();
        }
        self.0.push_back((at, position));
    }

    /// None before two points tell it, and where nothing moves.
    #[must_use]
    pub fn estimate(&self, left: u64) -> Option<Estimate> {
        let ((from, first), (until, last)) = (self.0.front()?, self.0.back()?);
        let moved = last.checked_sub(*first).filter(|moved| *moved > 0)?;
        let millis =
            u64::try_from((*until - *from).num_milliseconds()).ok().filter(|ms| *ms > 0)?;
        let rest = u128::from(left) * u128::from(millis) / u128::from(moved);
        // A thousand years are as good as for ever.
        let rest = i64::try_from(rest).unwrap_or(i64::MAX).min(31_536_000_000_000);
        Some(Estimate {
            per_minute: moved.saturating_mul(60_000) / millis,
            left: TimeDelta::milliseconds(rest),
        })
    }
}

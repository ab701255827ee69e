//! How many items the next batch has: a ramp at the beginning, then as many as fit well into the time that one
//! transaction may take.

use std::time::Duration;

/// Items of the first steps; after them comes the rest.
pub const RAMP: [u64; 3] = [1, 5, 25];

/// Items of the largest batch.
const LARGEST: u64 = 500;
/// A batch may write so many rows for each of its items, on average.
const ROWS: u64 = 4;

/// How many of the items after `position` the next batch is offered: never more than are left of the ramp's step.
#[must_use]
pub fn offered(position: u64, items: u64, most: u64) -> u64 {
    let mut end = 0;
    let step = RAMP.into_iter().find_map(|step| {
        end += step;
        end.checked_sub(position).filter(|left| *left > 0)
    });
    let left = items.saturating_sub(position);
    left.min(most.max(1)).min(step.unwrap_or(u64::MAX))
}

/// The size of batches, learned from how long they take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size(u64);

impl Default for Size {
    fn default() -> Self {
        Self(LARGEST)
    }
}

impl Size {
    /// Items of a batch, at most.
    #[must_use]
    pub const fn items(self) -> u64 {
        self.0
    }

    /// Rows that a batch writes, at most.
    #[must_use]
    pub const fn rows(self) -> u64 {
        self.0 * ROWS
    }

    /// After a batch that took so long: it should stay far below the limit of a transaction.
    #[must_use]
    pub fn after(self, took: Duration, limit: Duration) -> Self {
        let next = if took > limit / 3 {
            self.0 / 2
        } else if took < limit / 10 {
            self.0 * 2
        } else {
            self.0
        };
        Self(next.clamp(1, LARGEST))
    }

    /// After a batch that ran into the limit and was undone; none where it had one item.
    #[must_use]
    pub fn smaller(self) -> Option<Self> {
        (self.0 > 1).then(|| Self((self.0 / 4).max(1)))
    }
}

//! Random numbers that are the same on every machine and with every library version: the
//! algorithm is fixed, seeding and ranges are implemented here, and there are no floats.

use rand::{RngCore, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// What a sequence of random numbers is for. Each subject has its own, so that a change in how one is used
/// does not affect the others.
#[derive(Debug, Clone, Copy)]
pub enum Subject {
    Day = 1,
    Times,
    Buyer,
    Order,
    Event,
    Trace,
    Message,
    Book,
    DeadLetter,
}

/// A sequence of random numbers.
#[derive(Debug)]
pub struct Random(Xoshiro256PlusPlus);

impl Random {
    /// The sequence for the `n`th item of a subject.
    pub fn new(seed: u64, subject: Subject, n: u64) -> Self {
        let mut state = seed ^ (subject as u64).wrapping_mul(0xd6e8_feb8_6659_fd93) ^ mix(n);
        let mut bytes = [0; 32];
        for chunk in bytes.chunks_exact_mut(8) {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            chunk.copy_from_slice(&mix(state).to_le_bytes());
        }
        Self(Xoshiro256PlusPlus::from_seed(bytes))
    }

    /// Any number.
    pub fn any(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `limit`; 0 if that is 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        scale(self.any(), limit)
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let width = low.abs_diff(high) + 1;
        low.saturating_add_unsigned(self.below(width))
    }

    /// An index below `length`.
    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or_default()
    }

    /// A number below `limit`, small ones more often: a product of two, roughly a Zipf distribution.
    pub fn skewed(&mut self, limit: u64) -> u64 {
        let once = self.any();
        scale(self.any(), scale(once, limit).saturating_add(1)).min(limit.saturating_sub(1))
    }

    /// True `n` times in a thousand.
    pub fn permille(&mut self, n: u64) -> bool {
        self.below(1000) < n
    }

    /// One of several.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.index(choices.len())]
    }

    /// The index of one of several, in proportion to their weights.
    pub fn weighted(&mut self, weights: &[u64]) -> usize {
        let mut rest = self.below(weights.iter().sum());
        for (index, &weight) in weights.iter().enumerate() {
            if rest < weight {
                return index;
            }
            rest -= weight;
        }
        weights.len().saturating_sub(1)
    }

    /// A value of a distribution given by its quantiles: `(permille, value)`, ascending, from 0 to 1000.
    pub fn quantile(&mut self, table: &[(u64, u64)]) -> u64 {
        let at = self.below(1_000_000);
        for pair in table.windows(2) {
            let ((from, low), (to, high)) = (pair[0], pair[1]);
            if at < to * 1000 {
                return low + (at - from * 1000) * (high - low) / ((to - from) * 1000);
            }
        }
        table.last().map_or(0, |&(_, value)| value)
    }
}

/// Maps all numbers evenly to `0..limit`.
fn scale(number: u64, limit: u64) -> u64 {
    // The high half of the product is below `limit`.
    u64::try_from((u128::from(number) * u128::from(limit)) >> 64).unwrap_or_default()
}

/// The final steps of `SplitMix64`, so that neighbouring numbers give unrelated ones.
pub fn mix(number: u64) -> u64 {
    let mut z = number;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_never_change() {
        let mut random = Random::new(42, Subject::Order, 7);
        let first: Vec<u64> = (0..3).map(|_| random.any()).collect();
        assert_eq!(
            first,
            [5_048_796_109_385_768_934, 7_000_658_506_370_260_386, 1_498_035_398_242_901_435]
        );
        assert_eq!((random.below(1000), random.between(-5, 5), random.skewed(100)), (106, 5, 9));
    }

    #[test]
    fn numbers_stay_in_their_ranges() {
        let mut random = Random::new(1, Subject::Day, 0);
        let table = [(0, 10), (500, 20), (1000, 100)];
        let mut low = 0;
        for _ in 0..2000 {
            assert!(random.below(3) < 3);
            assert!((-2..=2).contains(&random.between(-2, 2)));
            assert!(random.skewed(1) == 0 && random.skewed(50) < 50);
            assert!(random.weighted(&[0, 5, 1]) > 0);
            let value = random.quantile(&table);
            assert!((10..=100).contains(&value));
            low += u32::from(value < 20);
        }
        assert!((900..1100).contains(&low), "half lie below the median: {low}");
        assert_eq!(random.below(0), 0);
    }
}

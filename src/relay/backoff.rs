//! Exponential waits with jitter: programs that lost the same server do not all come back at the same moment.

use std::time::Duration;

use uuid::Uuid;

/// Exponential waits with jitter.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    /// Waits from about `first`, doubled after every failure, to about `longest`.
    #[must_use]
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failures: 0 }
    }

    /// Starts again with the shortest wait.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// How long to wait after one more failure.
    pub fn wait(&mut self) -> Duration {
        let wait = self.first.saturating_mul(1 << self.failures.min(20)).min(self.longest);
        self.failures = self.failures.saturating_add(1);
        jittered(wait)
    }
}

/// Between three quarters and five quarters of it.
fn jittered(wait: Duration) -> Duration {
    let (random, _) = Uuid::new_v4().as_u64_pair();
    // The first 48 bits of a version 4 id are random.
    let percent = 75 + u32::try_from((random >> 16) % 51).unwrap_or(25);
    wait * percent / 100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_start_again() {
        let second = Duration::from_secs(1);
        let mut backoff = Backoff::new(second, Duration::from_secs(10));
        for expected in [1, 2, 4, 8, 10, 10] {
            let wait = backoff.wait();
            assert!(wait >= second * expected * 3 / 4 && wait <= second * expected * 5 / 4);
        }
        let longest: Vec<_> = (0..100).map(|_| backoff.wait()).collect();
        assert!(longest.iter().all(|wait| *wait <= Duration::from_millis(12_500)), "{longest:?}");
        // Not all alike: nobody comes back with everybody else.
        assert!(longest.iter().any(|wait| wait != &longest[0]), "{longest:?}");
        backoff.reset();
        assert!(backoff.wait() < Duration::from_secs(2));
    }
}

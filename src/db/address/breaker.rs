//! After several failures in a row a server is left alone for a while, longer each time; then one attempt tries.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::super::Error;

/// Failures in a row after which attempts end at once.
const FAILURES: u32 = 5;
/// The first wait; it doubles with each failure.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub(in crate::db) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    /// Nothing is tried before.
    again: Option<Instant>,
    /// One attempt is on its way.
    trying: bool,
}

impl Breaker {
    /// Makes an attempt, unless too many failed and their wait is not over or another attempt is on its way.
    pub async fn attempt<T>(
        &self,
        place: &str,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        self.enter(place)?;
        // Also where the attempt is given up.
        let _left = Left(self);
        let answer = work.await;
        let mut state = self.state();
        match &answer {
            Err(
                Error::Unreachable { .. } | Error::Busy(_) | Error::Lost(_) | Error::Stalled(_),
            ) => {
                state.failures = state.failures.saturating_add(1);
                let over = state.failures.saturating_sub(FAILURES).min(10);
                state.again = Some(Instant::now() + jittered((FIRST * (1 << over)).min(LONGEST)));
            }
            // A server that refuses answers.
            _ => *state = State::default(),
        }
        drop(state);
        answer
    }

    /// How long nothing is tried from now on, while that is so.
    pub fn wait(&self) -> Option<Duration> {
        let state = self.state();
        let again = state.again.filter(|_| state.failures >= FAILURES)?;
        Some(again.saturating_duration_since(Instant::now()))
    }

    fn enter(&self, place: &str) -> Result<(), Error> {
        let wait = self.wait();
        let mut state = self.state();
        match wait {
            None => Ok(()),
            Some(wait) if wait.is_zero() && !state.trying => {
                state.trying = true;
                Ok(())
            }
            Some(wait) => Err(Error::Unreachable {
                place: place.to_owned(),
                why: format!(
                    "{} attempts failed, it is tried again in {} s",
                    state.failures,
                    wait.as_secs() + 1
                ),
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Left<'a>(&'a Breaker);

impl Drop for Left<'_> {
    fn drop(&mut self) {
        self.0.state().trying = false;
    }
}

/// Between three quarters and five quarters of it, so that consoles that lost the same server do not all come back at
/// the same moment.
fn jittered(wait: Duration) -> Duration {
    let random = u32::try_from(RandomState::new().hash_one(0) % 51).unwrap_or(25);
    wait * (75 + random) / 100
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn fails(breaker: &Breaker) -> String {
        let down =
            async { Err::<(), _>(Error::Unreachable { place: "x".into(), why: "down".into() }) };
        breaker.attempt("x", down).await.unwrap_err().to_string()
    }

    #[tokio::test(start_paused = true)]
    async fn it_opens_after_five_failures_tries_once_and_closes() {
        let breaker = Breaker::default();
        for _ in 0..FAILURES {
            assert!(fails(&breaker).await.contains("down"));
        }
        let mut before = Duration::ZERO;
        for _ in 0..4 {
            assert!(fails(&breaker).await.contains("tried again in"));
            let wait = breaker.wait().unwrap();
            assert!(wait > before && wait <= LONGEST * 5 / 4, "{wait:?}");
            before = wait;
            tokio::time::advance(wait).await;
            // One at a time; one that is given up does not count.
            let slow = breaker.attempt("x", std::future::pending::<Result<(), Error>>());
            let mut slow = Box::pin(slow);
            assert!(tokio::time::timeout(Duration::ZERO, &mut slow).await.is_err());
            assert!(fails(&breaker).await.contains("tried again in"));
            drop(slow);
            assert!(fails(&breaker).await.contains("down"));
        }
        tokio::time::advance(LONGEST * 2).await;
        assert_eq!(breaker.attempt("x", async { Ok(7) }).await, Ok(7));
        assert!(breaker.wait().is_none() && fails(&breaker).await.contains("down"));
    }
}

//! Outboxes that cannot be delivered now: each waits longer after every attempt, and none delays another.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{ops::delivery::BlockedOutbox, relay::Backoff};

/// Why a message did not leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub sequence: i64,
    pub why: String,
    /// It is the message itself.
    pub poison: bool,
}

#[derive(Debug)]
struct Entry {
    told: BlockedOutbox,
    backoff: Backoff,
    until: Instant,
}

/// All outboxes that are held.
#[derive(Debug)]
pub struct DeliveryBackoff {
    retry: (Duration, Duration),
    entries: BTreeMap<Uuid, Entry>,
}

impl DeliveryBackoff {
    /// None yet.
    #[must_use]
    pub const fn new(retry: (Duration, Duration)) -> Self {
        Self { retry, entries: BTreeMap::new() }
    }

    /// Another attempt failed.
    pub fn hold(&mut self, outbox: Uuid, failure: Failure, at: DateTime<Utc>) {
        let Failure { sequence, why, poison } = failure;
        let (first, longest) = self.retry;
        let fresh =
            BlockedOutbox { outbox, sequence, why: String::new(), poison, since: at, attempts: 0 };
        let entry = self.entries.entry(outbox).or_insert_with(|| Entry {
            told: fresh,
            backoff: Backoff::new(first, longest),
            until: Instant::now(),
        });
        if entry.told.sequence != sequence {
            // It came further: another message stands in the way now.
            entry.told.since = at;
            entry.backoff.reset();
        }
        entry.told.sequence = sequence;
        entry.told.why = why;
        entry.told.poison = poison;
        entry.told.attempts = entry.told.attempts.saturating_add(1);
        entry.until = Instant::now() + entry.backoff.wait();
    }

    /// It was delivered after all.
    pub fn release(&mut self, outbox: Uuid) {
        self.entries.remove(&outbox);
    }

    /// Which are to be left alone now.
    #[must_use]
    pub fn waiting(&self) -> Vec<Uuid> {
        let now = Instant::now();
        self.entries.values().filter(|e| e.until > now).map(|e| e.told.outbox).collect()
    }

    /// All that ever failed and have not been delivered since.
    #[must_use]
    pub fn known(&self) -> Vec<Uuid> {
        self.entries.keys().copied().collect()
    }

    /// The same, as it is told.
    #[must_use]
    pub fn told(&self) -> Vec<BlockedOutbox> {
        self.entries.values().map(|entry| entry.told.clone()).collect()
    }

    /// Forgets those that are gone or delivered by somebody else.
    pub fn retain(&mut self, pending: &[i64]) {
        self.entries.retain(|_, entry| pending.contains(&entry.told.sequence));
    }

    /// The messages in the way.
    #[must_use]
    pub fn sequences(&self) -> Vec<i64> {
        self.entries.values().map(|entry| entry.told.sequence).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::at;

    fn failure() -> Failure {
        Failure { sequence: 5, why: "no destination".to_owned(), poison: true }
    }

    #[tokio::test(start_paused = true)]
    async fn a_failing_outbox_waits_longer_every_time() {
        let mut held = DeliveryBackoff::new((Duration::from_secs(1), Duration::from_secs(60)));
        let (one, now) = (Uuid::max(), at("2026-11-22T18:16:38Z"));
        held.hold(one, failure(), now);
        assert_eq!(held.waiting(), [one]);
        tokio::time::advance(Duration::from_millis(1_300)).await;
        assert_eq!(held.waiting(), Vec::<Uuid>::new());
        assert_eq!(held.known(), [one]);
        held.hold(one, failure(), now);
        tokio::time::advance(Duration::from_millis(1_400)).await;
        assert_eq!(held.waiting(), [one]);
        assert_eq!(held.told()[0].attempts, 2);
        held.release(one);
        assert!(held.known().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_no_longer_pending_is_forgotten() {
        let mut held = DeliveryBackoff::new((Duration::from_secs(1), Duration::from_secs(60)));
        held.hold(Uuid::max(), failure(), at("2026-11-22T18:16:38Z"));
        held.retain(&[5, 6]);
        assert_eq!(held.sequences(), [5]);
        held.retain(&[6]);
        assert!(held.known().is_empty());
    }
}

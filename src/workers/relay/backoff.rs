//! Outboxes that cannot be delivered now. Each is retried after longer and longer waits; none delays another.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use crate::{domain::outbox::OutboxKey, ops::delivery::BlockedOutbox, relay::Backoff};

/// Why a message did not leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub sequence: i64,
    pub why: String,
    /// The message itself is the reason.
    pub poison: bool,
}

#[derive(Debug)]
struct Entry {
    blocked: BlockedOutbox,
    backoff: Backoff,
    until: Instant,
}

/// All outboxes that failed, with the time of their next attempt.
#[derive(Debug)]
pub struct DeliveryBackoff {
    retry: (Duration, Duration),
    entries: BTreeMap<OutboxKey, Entry>,
}

impl DeliveryBackoff {
    /// None yet.
    #[must_use]
    pub const fn new(retry: (Duration, Duration)) -> Self {
        Self { retry, entries: BTreeMap::new() }
    }

    /// Another attempt failed.
    pub fn hold(&mut self, outbox: OutboxKey, failure: Failure, at: DateTime<Utc>) {
        let Failure { sequence, why, poison } = failure;
        let (first, longest) = self.retry;
        let fresh =
            BlockedOutbox { outbox, sequence, why: String::new(), poison, since: at, attempts: 0 };
        let entry = self.entries.entry(outbox).or_insert_with(|| Entry {
            blocked: fresh,
            backoff: Backoff::new(first, longest),
            until: Instant::now(),
        });
        if entry.blocked.sequence != sequence {
            // Some messages left: another one cannot be delivered now.
            entry.blocked.since = at;
            entry.backoff.reset();
        }
        entry.blocked.sequence = sequence;
        entry.blocked.why = why;
        entry.blocked.poison = poison;
        entry.blocked.attempts = entry.blocked.attempts.saturating_add(1);
        entry.until = Instant::now() + entry.backoff.wait();
    }

    /// It was delivered.
    pub fn release(&mut self, outbox: OutboxKey) {
        self.entries.remove(&outbox);
    }

    /// Those whose next attempt is not due yet.
    #[must_use]
    pub fn waiting(&self) -> Vec<OutboxKey> {
        let now = Instant::now();
        self.entries.values().filter(|e| e.until > now).map(|e| e.blocked.outbox).collect()
    }

    /// All that failed and have not been delivered since.
    #[must_use]
    pub fn known(&self) -> Vec<OutboxKey> {
        self.entries.keys().copied().collect()
    }

    /// The same, with the reasons.
    #[must_use]
    pub fn blocked(&self) -> Vec<BlockedOutbox> {
        self.entries.values().map(|entry| entry.blocked.clone()).collect()
    }

    /// Drops those whose message is not among the pending ones any more.
    pub fn retain(&mut self, pending: &[i64]) {
        self.entries.retain(|_, entry| pending.contains(&entry.blocked.sequence));
    }

    /// The messages that cannot be delivered.
    #[must_use]
    pub fn sequences(&self) -> Vec<i64> {
        self.entries.values().map(|entry| entry.blocked.sequence).collect()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::{
        id::{ConsumerId, MessageId, OutboxId},
        samples::at,
    };

    fn failure() -> Failure {
        Failure { sequence: 5, why: "no destination".to_owned(), poison: true }
    }

    #[tokio::test(start_paused = true)]
    async fn a_failing_outbox_waits_longer_every_time() {
        let mut backoff = DeliveryBackoff::new((Duration::from_secs(1), Duration::from_secs(60)));
        let (one, now) = (OutboxKey::Bus(OutboxId(Uuid::max())), at("2026-11-22T18:16:38Z"));
        backoff.hold(one, failure(), now);
        assert_eq!(backoff.waiting(), [one]);
        tokio::time::advance(Duration::from_millis(1_300)).await;
        assert_eq!(backoff.waiting(), Vec::<OutboxKey>::new());
        assert_eq!(backoff.known(), [one]);
        backoff.hold(one, failure(), now);
        tokio::time::advance(Duration::from_millis(1_400)).await;
        assert_eq!(backoff.waiting(), [one]);
        assert_eq!(backoff.blocked()[0].attempts, 2);
        backoff.release(one);
        assert!(backoff.known().is_empty());
    }

    /// One message handled by two consumers, or the other way round, are outboxes of their own.
    #[tokio::test(start_paused = true)]
    async fn a_consumers_outbox_is_named_by_its_message_and_consumer() {
        let mut backoff = DeliveryBackoff::new((Duration::from_secs(1), Duration::from_secs(60)));
        let of = |message, consumer| OutboxKey::Consumer {
            message: MessageId(Uuid::from_u128(message)),
            consumer: ConsumerId(Uuid::from_u128(consumer)),
        };
        for outbox in [of(1, 2), of(2, 1), of(7, 0)] {
            backoff.hold(outbox, failure(), at("2026-11-22T18:16:38Z"));
        }
        assert_eq!(backoff.waiting(), [of(1, 2), of(2, 1), of(7, 0)]);
        assert_eq!(
            backoff.blocked()[0].to_string(),
            "outbox of message 00000000-0000-0000-0000-000000000001, consumer \
             00000000-0000-0000-0000-000000000002 is held at 5: no destination"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_no_longer_pending_is_forgotten() {
        let mut backoff = DeliveryBackoff::new((Duration::from_secs(1), Duration::from_secs(60)));
        backoff.hold(OutboxKey::Bus(OutboxId(Uuid::max())), failure(), at("2026-11-22T18:16:38Z"));
        backoff.retain(&[5, 6]);
        assert_eq!(backoff.sequences(), [5]);
        backoff.retain(&[6]);
        assert!(backoff.known().is_empty());
    }
}

//! Waiting for the confirms of one pass, and what each of them means for its outbox.

use std::{collections::BTreeMap, time::Duration};

use futures::FutureExt;
use tokio::time::{Instant, timeout_at};

use super::{
    Error, Failure, InFlight, OutboxPass, PassCounts, SendLog, Shared, holds_outbox, note_doubt,
    send_log_error,
};
use crate::{
    domain::outbox::OutboxKey,
    relay::{self, Confirmed},
};

/// Where the confirms of one pass are collected.
pub(super) struct Round<'a> {
    pub(super) shared: &'a Shared,
    pub(super) outboxes: &'a mut BTreeMap<OutboxKey, OutboxPass>,
    pub(super) counts: &'a mut PassCounts,
    pub(super) late: &'a mut Vec<InFlight>,
    /// After that, a confirm comes too late for this transaction.
    pub(super) until: Instant,
}

impl Round<'_> {
    /// Waits for the confirms of what was sent, in that order; whether the channel was closed. With only
    /// one message in flight (`alone`) it is known which one the broker refuses.
    pub(super) async fn settle(
        &mut self,
        in_flight: &mut Vec<InFlight>,
        alone: bool,
    ) -> Result<bool, Error> {
        let shared = self.shared;
        let mut closed = false;
        for mut flight in in_flight.drain(..) {
            let answer = match (&mut flight.pending).now_or_never() {
                Some(answer) => Some(answer),
                None => {
                    // Confirms so far are written to the send log before waiting.
                    let written = shared.send_log(SendLog::write);
                    written.map_err(|error| send_log_error(shared, &error))?;
                    let soon = self.until.max(Instant::now() + Duration::from_millis(1));
                    timeout_at(soon, &mut flight.pending).await.ok()
                }
            };
            let sequence = flight.sequence;
            let entry = self.outboxes.entry(flight.outbox).or_default();
            match answer {
                Some(Ok(Confirmed::Returned)) if holds_outbox(shared, &flight) => {
                    self.counts.failed += 1;
                    shared.send_log(|log| log.unsent(sequence));
                    let why = "no queue is bound to its exchange".to_owned();
                    fail(entry, Failure { sequence, why, poison: false });
                }
                Some(Ok(confirmed)) => {
                    shared.send_log(|log| log.confirm(sequence, flight.message));
                    self.counts.returned += u64::from(confirmed == Confirmed::Returned);
                    // Behind an unconfirmed one, it is recorded in a later pass.
                    if !entry.broken {
                        entry.confirmed.push(sequence);
                        entry.last = Some(sequence);
                        self.counts.delivered += 1;
                    }
                }
                Some(Err(relay::Error::Nacked)) => {
                    self.counts.failed += 1;
                    shared.send_log(|log| log.unsent(sequence));
                    let why = relay::Error::Nacked.to_string();
                    fail(entry, Failure { sequence, why, poison: false });
                }
                Some(Err(error)) if alone && error.is_about_the_message() => {
                    self.counts.failed += 1;
                    shared.send_log(|log| log.unsent(sequence));
                    fail(entry, Failure { sequence, why: error.to_string(), poison: true });
                    closed = true;
                }
                Some(Err(error)) => {
                    note_doubt(shared, sequence, flight.message, &error);
                    entry.broken = true;
                    closed = true;
                }
                None => {
                    entry.broken = true;
                    shared.late(|late| late.insert(flight.outbox));
                    self.late.push(flight);
                }
            }
        }
        Ok(closed)
    }

    /// Nothing is in flight any more: only now is what the send log knew recorded with what was confirmed before it.
    pub(super) fn end(self) {
        for entry in self.outboxes.values_mut().filter(|entry| !entry.broken) {
            entry.last = entry.last.max(entry.confirmed.iter().copied().max());
        }
    }
}

/// Not accepted by the broker; later messages of its outbox may be confirmed, but are not recorded.
fn fail(entry: &mut OutboxPass, failure: Failure) {
    if !entry.broken {
        entry.failed = Some(failure);
    }
    entry.broken = true;
}

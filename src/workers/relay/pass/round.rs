//! Waiting for the confirms of one pass, and what each of them means for its outbox.

use std::{collections::BTreeMap, time::Duration};

use futures::FutureExt;
use tokio::time::{Instant, timeout_at};

use super::{
    Counted, Error, Failure, InFlight, SendLog, Shared, Work, doubtful, pauses, send_log_error,
};
use crate::{
    domain::outbox::OutboxKey,
    relay::{self, Confirmed},
};

/// What the confirms of one pass are written into.
pub(super) struct Round<'a> {
    pub(super) shared: &'a Shared,
    pub(super) works: &'a mut BTreeMap<OutboxKey, Work>,
    pub(super) counted: &'a mut Counted,
    pub(super) late: &'a mut Vec<InFlight>,
    /// After that, a confirm comes too late for this transaction.
    pub(super) until: Instant,
}

impl Round<'_> {
    /// Waits for the confirms of what was sent, in that order; whether the channel was closed. With only
    /// one message in flight (`alone`) it is known which one the broker refuses.
    pub(super) async fn settle(
        &mut self,
        flying: &mut Vec<InFlight>,
        alone: bool,
    ) -> Result<bool, Error> {
        let shared = self.shared;
        let mut closed = false;
        for mut flight in flying.drain(..) {
            let answer = match (&mut flight.pending).now_or_never() {
                Some(answer) => Some(answer),
                None => {
                    // Before waiting, what is known is made to last.
                    let written = shared.send_log(SendLog::write);
                    written.map_err(|error| send_log_error(shared, &error))?;
                    let soon = self.until.max(Instant::now() + Duration::from_millis(1));
                    timeout_at(soon, &mut flight.pending).await.ok()
                }
            };
            let sequence = flight.sequence;
            let work = self.works.entry(flight.outbox).or_default();
            match answer {
                Some(Ok(Confirmed::Returned)) if pauses(shared, &flight) => {
                    self.counted.failed += 1;
                    shared.send_log(|log| log.unsent(sequence));
                    let why = "no queue is bound to its exchange".to_owned();
                    fail(work, Failure { sequence, why, poison: false });
                }
                Some(Ok(confirmed)) => {
                    shared.send_log(|log| log.confirm(sequence, flight.message));
                    self.counted.returned += u64::from(confirmed == Confirmed::Returned);
                    // Behind one that is not, it is recorded when its turn comes.
                    if !work.broken {
                        work.confirmed.push(sequence);
                        work.last = Some(sequence);
                        self.counted.delivered += 1;
                    }
                }
                Some(Err(relay::Error::Nacked)) => {
                    self.counted.failed += 1;
                    shared.send_log(|log| log.unsent(sequence));
                    let why = relay::Error::Nacked.to_string();
                    fail(work, Failure { sequence, why, poison: false });
                }
                Some(Err(error)) if alone && error.is_about_the_message() => {
                    self.counted.failed += 1;
                    shared.send_log(|log| log.unsent(sequence));
                    fail(work, Failure { sequence, why: error.to_string(), poison: true });
                    closed = true;
                }
                Some(Err(error)) => {
                    doubtful(shared, sequence, flight.message, &error);
                    work.broken = true;
                    closed = true;
                }
                None => {
                    work.broken = true;
                    shared.late(|late| late.insert(flight.outbox));
                    self.late.push(flight);
                }
            }
        }
        for work in self.works.values_mut().filter(|work| !work.broken) {
            // What the send log knew stands behind what was just confirmed.
            work.last = work.last.max(work.confirmed.iter().copied().max());
        }
        Ok(closed)
    }
}

/// Not taken; what follows in its outbox may be confirmed, but does not count.
fn fail(work: &mut Work, failure: Failure) {
    if !work.broken {
        work.failed = Some(failure);
    }
    work.broken = true;
}

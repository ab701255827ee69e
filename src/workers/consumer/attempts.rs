//! How often each message was tried: what fails again and again for a reason of its own is given up in the end. A
//! server that is away is no reason of its own.

use std::{collections::BTreeMap, time::Duration};

use super::Error;
use crate::{
    db::Error as Db,
    domain::id::{ConsumerId, MessageId},
    ops::operation::PlanError,
    relay::Backoff,
};

/// So many messages are remembered; other consumers of the queue may have handled them since.
const REMEMBERED: usize = 1_000;

/// Failed attempts of this process; after a restart a message is new.
#[derive(Debug, Default)]
pub(super) struct Attempts(BTreeMap<(MessageId, ConsumerId), u32>);

impl Attempts {
    /// Counts one and tells how many there were.
    pub(super) fn failed(&mut self, message: MessageId, consumer: ConsumerId) -> u32 {
        let known = self.0.contains_key(&(message, consumer));
        if !known && self.0.len() >= REMEMBERED {
            // At worst a message gets its attempts once more.
            self.0.clear();
        }
        let tried = self.0.entry((message, consumer)).or_default();
        *tried = tried.saturating_add(1);
        *tried
    }

    /// The message is settled.
    pub(super) fn forget(&mut self, message: MessageId, consumer: ConsumerId) {
        self.0.remove(&(message, consumer));
    }
}

/// How long to wait after so many attempts: from the first wait on twice as long each time, up to the longest.
pub(super) fn wait((first, longest): (Duration, Duration), tried: u32) -> Duration {
    let mut backoff = Backoff::new(first, longest);
    (0..tried.max(1)).map(|_| backoff.wait()).last().unwrap_or(longest)
}

/// The name of a failure that trying again does not help; none where it may.
pub(super) const fn hopeless(error: &PlanError) -> Option<&'static str> {
    use PlanError as E;
    match error {
        E::Refused(_) | E::Declined(_) => Some("Orderscope.Refused"),
        E::Blocked(_) => Some("Orderscope.Blocked"),
        E::NotPermitted(_) => Some("Orderscope.NotPermitted"),
        E::Reused { .. } => Some("Orderscope.IdReused"),
        E::Database(error) if is_unreadable(error) => Some("Orderscope.Database"),
        _ => None,
    }
}

/// The name of a failure that may pass, where it is this message's; none where no message could be handled now.
pub(super) const fn passing(error: &PlanError) -> Option<&'static str> {
    use PlanError as E;
    match error {
        E::Conflict(_) | E::Stale(_) => Some("Orderscope.Conflict"),
        E::Database(error) => of_row(error),
        _ => None,
    }
}

/// The same for what its command produced.
pub(super) const fn passing_unsent(error: &Error) -> Option<&'static str> {
    match error {
        Error::Database(error) => of_row(error),
        Error::Broker(error) if error.is_about_the_message() => Some("Orderscope.Undeliverable"),
        _ => None,
    }
}

const fn of_row(error: &Db) -> Option<&'static str> {
    match error {
        Db::Conflict(_) => Some("Orderscope.Conflict"),
        Db::Duplicate { .. } => Some("Orderscope.Duplicate"),
        Db::Again(_) => Some("Orderscope.Undone"),
        Db::Locked(_) => Some("Orderscope.RowLocked"),
        Db::TimedOut(_) => Some("Orderscope.TimedOut"),
        error if is_unreadable(error) => Some("Orderscope.Database"),
        _ => None,
    }
}

/// The server answered, and neither the answer nor what this program makes of it will change.
const fn is_unreadable(error: &Db) -> bool {
    matches!(error, Db::Server { .. } | Db::Inconsistent { .. } | Db::MissingRow(_) | Db::Defect(_))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::relay;

    #[test]
    fn a_server_that_is_away_is_no_attempt() {
        let lost = Db::Lost("reset".to_owned());
        let away = Db::Unreachable { place: "h".to_owned(), why: "refused".to_owned() };
        let busy = Db::Busy("starting up".to_owned());
        let (full, odd) =
            (Db::NoRoom("disk full".to_owned()), Db::Protocol("no such message".to_owned()));
        for error in [lost.clone(), away, busy, Db::Exhausted(4), full, odd, Db::PoolTimedOut] {
            let unplanned = PlanError::Database(error.clone());
            assert_eq!((passing(&unplanned), hopeless(&unplanned)), (None, None), "{error}");
            assert_eq!(passing_unsent(&Error::Database(error)), None);
        }
        let unresolved = PlanError::Unresolved { id: Uuid::nil(), why: "reset".to_owned() };
        assert_eq!((passing(&unresolved), hopeless(&unresolved)), (None, None));
        assert_eq!(passing(&PlanError::Locked), None);
        assert_eq!(passing_unsent(&Error::Broker(relay::Error::Lost("reset".to_owned()))), None);
        let nacked = Error::Broker(relay::Error::Nacked);
        assert_eq!(passing_unsent(&nacked), Some("Orderscope.Undeliverable"));
        let locked = PlanError::Database(Db::Locked("a row".to_owned()));
        assert_eq!(passing(&locked), Some("Orderscope.RowLocked"));
    }

    #[test]
    fn what_cannot_be_read_is_not_tried_again() {
        let unreadable = Db::Inconsistent {
            table: Some("inbox_state"),
            column: Some("receive_count".to_owned()),
            key: None,
            why: "it is text".to_owned(),
        };
        for error in [unreadable, Db::MissingRow(Some("mt_streams"))] {
            assert_eq!(hopeless(&PlanError::Database(error)), Some("Orderscope.Database"));
        }
    }

    #[test]
    fn a_message_is_waited_for_by_its_own_attempts() {
        let second = Duration::from_secs(1);
        for (tried, expected) in [(1, 1), (2, 2), (3, 4), (5, 16), (6, 30), (400, 30)] {
            let wait = wait((second, second * 30), tried);
            assert!(
                wait >= second * expected * 3 / 4 && wait <= second * expected * 5 / 4,
                "{tried}"
            );
        }
    }

    #[test]
    fn attempts_are_counted_by_message_and_bounded() {
        let mut attempts = Attempts::default();
        let (first, consumer) = (MessageId(Uuid::nil()), ConsumerId(Uuid::nil()));
        assert_eq!([1, 2].map(|_| attempts.failed(first, consumer)), [1, 2]);
        for number in 1..=u128::try_from(REMEMBERED).unwrap() {
            assert_eq!(attempts.failed(MessageId(Uuid::from_u128(number)), consumer), 1);
        }
        assert!(attempts.0.len() <= REMEMBERED);
        attempts.failed(first, consumer);
        attempts.forget(first, consumer);
        assert_eq!(attempts.failed(first, consumer), 1);
    }
}

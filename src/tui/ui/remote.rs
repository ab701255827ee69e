//! Data that lives somewhere else: what we last saw, and whether a fetch is under way.

use std::time::Instant;

/// Names one request; an answer carrying an older ticket is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ticket(u64);

/// A value fetched in the background, kept on screen while its successor loads.
#[derive(Debug, Clone)]
pub struct Remote<T, E> {
    pub value: Option<T>,
    /// Why the last fetch failed; the value beside it is the one before.
    pub error: Option<E>,
    pub seen_at: Option<Instant>,
    pub failed_at: Option<Instant>,
    latest: Ticket,
    asked: Option<(Ticket, Instant)>,
}

impl<T, E> Default for Remote<T, E> {
    fn default() -> Self {
        Self {
            value: None,
            error: None,
            seen_at: None,
            failed_at: None,
            latest: Ticket(0),
            asked: None,
        }
    }
}

impl<T, E> Remote<T, E> {
    /// Starts a fetch; only the answer with this ticket will be taken.
    pub fn begin(&mut self, now: Instant) -> Ticket {
        self.latest.0 += 1;
        self.asked = Some((self.latest, now));
        self.latest
    }

    /// Since when an answer is awaited.
    pub fn loading_since(&self) -> Option<Instant> {
        self.asked.map(|(_, at)| at)
    }

    /// Takes the answer if it is the one we are waiting for; says whether it was.
    pub fn settle(&mut self, ticket: Ticket, result: Result<T, E>, now: Instant) -> bool {
        if self.asked.is_none_or(|(asked, _)| asked != ticket) {
            return false;
        }
        self.asked = None;
        match result {
            Ok(value) => {
                self.value = Some(value);
                self.error = None;
                self.seen_at = Some(now);
            }
            Err(error) => {
                self.error = Some(error);
                self.failed_at = Some(now);
            }
        }
        true
    }

    /// Stops waiting; a late answer will be dropped.
    pub fn abandon(&mut self) {
        self.asked = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_answer_is_dropped_and_an_error_keeps_the_value() {
        let mut rows: Remote<u8, &str> = Remote::default();
        let now = Instant::now();
        let old = rows.begin(now);
        let new = rows.begin(now);
        assert!(!rows.settle(old, Ok(1), now));
        assert!(rows.settle(new, Ok(2), now));
        assert!(!rows.settle(new, Ok(3), now), "an answer settles once");
        let failing = rows.begin(now);
        assert!(rows.settle(failing, Err("lost"), now));
        assert_eq!((rows.value, rows.error), (Some(2), Some("lost")));
    }
}

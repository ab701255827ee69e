//! What came and what left between two looks at the outboxes. "Left" means rows that were seen pending and are now
//! delivered or gone. Numbers drawn from the sequence prove nothing by themselves: they may be rolled back, or not
//! committed yet. What operators take out, put back or plant is no traffic.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::Sample;
use crate::domain::id::OutboxId;

/// What a later look compares itself with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Mark {
    /// The last sequence number drawn; the newest row's where our role may not see the sequence.
    pub number: Option<i64>,
    /// Rows of `outbox_message` ever deleted, as the server counts them: rolled back ones too, and some seconds late.
    /// None where delivered rows are kept, or where the server does not count.
    pub deleted: Option<i64>,
    /// The oldest pending messages; none where nothing is pending.
    pub watched: Option<Watched>,
    /// Numbers drawn since the look before whose rows were not there: rolled back, not committed yet, or delivered and
    /// deleted so soon that the server has not counted it yet.
    pub unseen: i64,
    /// The backlog was counted to the end.
    pub is_exact: bool,
}

/// The oldest pending messages: those of all open outboxes up to this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    pub created: DateTime<Utc>,
    pub outbox: OutboxId,
    pub messages: i64,
}

/// What a look saw of the time since an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    /// Messages with later numbers that are there, pending or delivered; nothing where counting stopped.
    pub arrived: Option<i64>,
    /// Those of them that are delivered already.
    pub delivered: i64,
    /// How many of the watched messages are still pending.
    pub remaining: i64,
    /// An operator changed outboxes meanwhile.
    pub by_hand: bool,
}

/// What happened in a length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    pub length: TimeDelta,
    /// Sequence numbers that were drawn, whatever became of them; nothing where that is not known.
    pub drawn: Option<i64>,
    /// Messages; nothing where it cannot be known.
    pub came: Option<i64>,
    pub left: Option<i64>,
    /// How much the backlog shrank by, without what operators did.
    pub net: Option<i64>,
    /// The newest look that saw something leave.
    pub left_at: Option<DateTime<Utc>>,
}

impl Change {
    /// What happened in both times together.
    #[must_use]
    pub fn and(self, later: Self) -> Self {
        let sum = |a: Option<i64>, b: Option<i64>| Some(a?.saturating_add(b?));
        Self {
            length: self.length + later.length,
            drawn: sum(self.drawn, later.drawn),
            came: sum(self.came, later.came),
            left: sum(self.left, later.left),
            net: sum(self.net, later.net),
            left_at: self.left_at.max(later.left_at),
        }
    }
}

impl Sample {
    /// This look with what changed since an earlier one; `seen` is of the same look as `self`.
    #[must_use]
    pub fn since(mut self, before: &Self, seen: Seen) -> Self {
        let (old, new) = (before.mark, self.mark);
        let length = self.at - before.at;
        if length <= TimeDelta::zero() {
            return self;
        }
        let drawn = new.number.zip(old.number).map(|(new, old)| new - old);
        // A sequence that was set back tells nothing.
        let is_reset = drawn.is_some_and(|drawn| drawn < 0);
        let drawn = drawn.filter(|_| !is_reset);
        if seen.by_hand {
            let (came, left, net) = (None, None, None);
            self.change = Some(Change { length, drawn, came, left, net, left_at: None });
            return self;
        }
        let gone = old.watched.map_or(0, |watched| (watched.messages - seen.remaining).max(0));
        let unseen = match (drawn, seen.arrived) {
            (Some(drawn), Some(arrived)) => (drawn - arrived).max(0),
            _ => 0,
        };
        let deleted = new.deleted.zip(old.deleted).map_or(0, |(new, old)| new - old);
        let at_once = (deleted - gone).clamp(0, old.unseen.saturating_add(unseen));
        let left = gone + seen.delivered + at_once;
        let came = seen.arrived.filter(|_| !is_reset).map(|arrived| arrived + at_once);
        let shrunk = before.pending.zip(self.pending).map(|(before, now)| before - now);
        let net = match shrunk.filter(|_| old.is_exact && new.is_exact) {
            Some(shrunk) => Some(shrunk),
            None => came.map(|came| left - came),
        };
        // Of what stays unexplained only the newest may still be counted by the server.
        self.mark.unseen = (old.unseen + unseen - at_once).clamp(0, unseen);
        self.change = Some(Change {
            length,
            drawn,
            came,
            left: came.map(|_| left),
            net,
            left_at: (left > 0).then_some(self.at),
        });
        self
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::samples::at;

    fn look(seconds: i64, pending: i64, mark: Mark) -> Sample {
        let at = at("2026-11-22T14:00:00Z") + TimeDelta::seconds(seconds);
        Sample { at, pending: Some(pending), mark, change: None }
    }

    /// A look at a service's tables: the last number drawn, rows deleted so far, and what is watched.
    fn mark(number: i64, deleted: i64, messages: i64) -> Mark {
        let outbox = OutboxId(Uuid::from_u128(1));
        let watched = Watched { created: at("2026-11-22T13:00:00Z"), outbox, messages };
        let watched = (messages > 0).then_some(watched);
        Mark { number: Some(number), deleted: Some(deleted), watched, unseen: 0, is_exact: true }
    }

    fn seen(arrived: i64, remaining: i64) -> Seen {
        Seen { arrived: Some(arrived), delivered: 0, remaining, by_hand: false }
    }

    fn moved(sample: Sample) -> (Option<i64>, Option<i64>) {
        let change = sample.change.unwrap();
        (change.came, change.left)
    }

    #[test]
    fn what_was_pending_and_is_gone_has_left() {
        let before = look(0, 10, mark(100, 50, 10));
        let after = look(5, 8, mark(102, 50, 8)).since(&before, seen(2, 6));
        assert_eq!(moved(after), (Some(2), Some(4)));
        let change = after.change.unwrap();
        assert_eq!((change.net, change.left_at), (Some(2), Some(after.at)));
    }

    #[test]
    fn numbers_that_were_drawn_and_not_committed_have_not_left() {
        // Twenty numbers were drawn, five rows came; the server deleted nothing.
        let before = look(0, 10, mark(100, 50, 10));
        let after = look(5, 15, mark(120, 50, 15)).since(&before, seen(5, 10));
        assert_eq!(moved(after), (Some(5), Some(0)));
        assert_eq!((after.change.unwrap().left_at, after.mark.unseen), (None, 15));
    }

    #[test]
    fn deletions_that_were_rolled_back_have_not_left() {
        let before = look(0, 10, mark(100, 50, 10));
        let after = look(5, 12, mark(102, 57, 12)).since(&before, seen(2, 10));
        assert_eq!(moved(after), (Some(2), Some(0)));
    }

    #[test]
    fn what_came_and_left_between_two_looks_is_known_once_the_server_has_counted_it() {
        let before = look(0, 0, mark(100, 50, 0));
        let after = look(5, 0, mark(108, 50, 0)).since(&before, seen(0, 0));
        assert_eq!(moved(after), (Some(0), Some(0)));
        let later = look(10, 0, mark(108, 58, 0)).since(&after, seen(0, 0));
        assert_eq!((moved(later), later.mark.unseen), ((Some(8), Some(8)), 0));
        // What nothing was deleted for by then was rolled back.
        let late = look(10, 0, mark(108, 50, 0)).since(&after, seen(0, 0));
        assert_eq!((moved(late), late.mark.unseen), ((Some(0), Some(0)), 0));
    }

    #[test]
    fn what_operators_take_out_has_not_left() {
        let before = look(0, 10, mark(100, 50, 10));
        let by_hand = Seen { by_hand: true, ..seen(1, 2) };
        let after = look(5, 3, mark(101, 58, 3)).since(&before, by_hand);
        let change = after.change.unwrap();
        assert_eq!((change.came, change.left, change.left_at), (None, None, None));
    }

    #[test]
    fn more_than_is_counted_and_a_sequence_set_back_are_not_known() {
        let before = look(0, 10, mark(100, 50, 10));
        let many = Seen { arrived: None, ..seen(0, 4) };
        let after = look(5, 90_000, mark(90_100, 50, 10)).since(&before, many);
        assert_eq!(moved(after), (None, None));
        // That something left was seen all the same.
        assert_eq!(after.change.unwrap().left_at, Some(after.at));
        let reset = look(5, 10, mark(3, 50, 10)).since(&before, seen(0, 10));
        assert_eq!(moved(reset), (None, None));
        let same = look(0, 10, mark(100, 50, 10)).since(&before, seen(0, 10));
        assert_eq!(same.change, None);
    }
}

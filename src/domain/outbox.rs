//! What is pending: the one rule, from the columns alone. `sent_time` says when the application
//! published and nothing about delivery.

use chrono::{DateTime, Utc};

/// The delivery record of a message's parent: `outbox_state` for a bus message, `inbox_state` for one
/// that a consumer produced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parent {
    pub delivered: Option<DateTime<Utc>>,
    /// The cursor: the last sequence number sent.
    pub last_sequence: Option<i64>,
}

/// Where a message that is still in the table stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    /// Not recorded as delivered. Never read it as "not sent": after a crash it may be out already.
    Pending,
    /// Recorded as delivered, and still here.
    Delivered,
    /// Neither parent exists: nothing will ever deliver it.
    Orphan,
}

/// The rule of the outbox, everywhere.
#[must_use]
pub const fn standing(sequence: i64, parent: Option<Parent>) -> Standing {
    match parent {
        None => Standing::Orphan,
        Some(Parent { delivered: Some(_), .. }) => Standing::Delivered,
        Some(Parent { delivered: None, last_sequence: Some(last) }) if sequence <= last => {
            Standing::Delivered
        }
        Some(Parent { delivered: None, .. }) => Standing::Pending,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_and_the_mark_decide() {
        let open = |last_sequence| Some(Parent { delivered: None, last_sequence });
        assert_eq!(standing(7, None), Standing::Orphan);
        assert_eq!(standing(7, open(None)), Standing::Pending);
        assert_eq!(standing(7, open(Some(6))), Standing::Pending);
        assert_eq!(standing(7, open(Some(7))), Standing::Delivered);
        let done = Some(Parent { delivered: DateTime::from_timestamp(1, 0), last_sequence: None });
        assert_eq!(standing(7, done), Standing::Delivered);
    }
}

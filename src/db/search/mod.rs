//! The SQL behind the order search: filters, where candidates come from, pages by key, look-ups on the
//! small side, counts. What to ask, and in which order, `ops::search` decides.

mod count;
mod drift;
mod filter;
mod lookup;
mod page;
mod rows;
mod source;

use chrono::{DateTime, Utc};

pub use count::{Count, count, count_window};
pub use filter::Filter;
pub use lookup::{
    BOOKS_LOOKED_AT, KeyOf, MOST_FOUND, MatchingIds, NEWEST_EVENTS, NEWEST_TAILS, books_by_tail,
    buyers_at, by_any_id, by_correlation, estimate_name, estimate_note, estimate_total, key_of,
    total_ends, with_letters, with_undelivered,
};
pub use page::{Window, hits, window_end};
pub use rows::{OrderLine, flags_unknown, rows};
pub use source::{Place, Source};

use crate::domain::id::OrderId;

/// What a page is sorted by, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OrderBy {
    /// `created_at`, then id.
    Placed,
    /// The id: a version 7 id begins with the clock of the program that made it.
    Id,
}

/// The place of an order in a list, whichever way it is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    pub placed: DateTime<Utc>,
    pub id: OrderId,
}

/// Where a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Start {
    #[default]
    Newest,
    Oldest,
    /// The page of older orders after this one.
    OlderThan(Cursor),
    /// The page of newer orders before this one.
    NewerThan(Cursor),
}

impl Start {
    /// Whether the page is read from the older end.
    pub const fn is_upwards(self) -> bool {
        matches!(self, Self::Oldest | Self::NewerThan(_))
    }

    /// The order that the page begins after, if not at an end of the list.
    pub const fn cursor(self) -> Option<Cursor> {
        match self {
            Self::OlderThan(cursor) | Self::NewerThan(cursor) => Some(cursor),
            Self::Newest | Self::Oldest => None,
        }
    }

    /// The same direction, going on after `cursor`.
    #[must_use]
    pub const fn going_on(self, cursor: Cursor) -> Self {
        if self.is_upwards() { Self::NewerThan(cursor) } else { Self::OlderThan(cursor) }
    }
}

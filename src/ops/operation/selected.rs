//! What a plan of a bulk operation relies on: what it selects, or where it stood.

use crate::domain::batch::{Counts, State};

/// Counted when it was planned. The list itself is frozen when it starts: no more than this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Selected {
    /// Items that are selected now: these and no others are done.
    pub items: u64,
    /// There are more, which one operation does not take.
    pub cut: bool,
    /// The number of the operation that goes on: its list was frozen before.
    pub goes_on: Option<i64>,
    /// It has more items than this, so that a second person has to approve it.
    pub approve_above: Option<u64>,
}

/// Where an operation stood when resuming it was planned. Who goes on with a stopped one accepts what failed until
/// then, and nothing beyond it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    pub state: State,
    pub counts: Counts,
}

//! Bulk operations over a frozen list of items: what may follow what, how large the next batch is, when it stops by
//! itself, how fast it may go and when it will be done.

mod pace;
mod size;
#[cfg(test)]
mod tests;

use std::fmt;

pub use self::{
    pace::{Estimate, Limiter, Pace},
    size::{RAMP, Size, offered},
};

/// Where an operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Its list is being written.
    Freezing,
    /// It needs a second person.
    Waiting,
    /// It may be run.
    Ready,
    /// A session runs it, or did until it was killed.
    Running,
    /// An operator interrupted it.
    Paused,
    /// It stopped by itself: its stop rule, a failed verification, an error.
    Stopped,
    Done,
    Cancelled,
}

/// What happens to an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Its list is complete; whether it needs a second person.
    Frozen {
        approval: bool,
    },
    Approve,
    /// Someone begins, or goes on.
    Run,
    Pause,
    Stop,
    Finish,
    Cancel,
}

/// Why a step is not possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("its list was never completed, nothing of it was done: cancel it and begin again")]
    Incomplete,
    #[error("it waits for a second person, with another database login: `orderscope op approve`")]
    NotApproved,
    #[error("it needs no approval")]
    NeedsNoApproval,
    #[error("it is not running")]
    NotRunning,
    #[error("its list is complete already")]
    Frozen,
    #[error("it is over ({0})")]
    Over(State),
}

impl Refusal {
    /// The rule's name.
    #[must_use]
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Incomplete => "list-complete",
            Self::NotApproved => "second-person",
            Self::NeedsNoApproval => "only-waiting",
            Self::NotRunning => "only-running",
            Self::Frozen => "frozen-once",
            Self::Over(_) => "not-over",
        }
    }
}

impl State {
    pub const ALL: [Self; 8] = [
        Self::Freezing,
        Self::Waiting,
        Self::Ready,
        Self::Running,
        Self::Paused,
        Self::Stopped,
        Self::Done,
        Self::Cancelled,
    ];

    /// As the database and programs name it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Freezing => "freezing",
            Self::Waiting => "waiting",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Nothing more happens to it.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Cancelled)
    }

    /// The state after a step.
    ///
    /// # Errors
    /// When that step is not possible now.
    pub const fn after(self, step: Step) -> Result<Self, Refusal> {
        use State as S;
        use Step as T;
        Ok(match (self, step) {
            (S::Done | S::Cancelled, _) => return Err(Refusal::Over(self)),
            (_, T::Cancel) => S::Cancelled,
            (S::Freezing, T::Frozen { approval: true }) => S::Waiting,
            (S::Freezing, T::Frozen { approval: false }) => S::Ready,
            (S::Freezing, _) => return Err(Refusal::Incomplete),
            (_, T::Frozen { .. }) => return Err(Refusal::Frozen),
            (S::Waiting, T::Approve) => S::Ready,
            (_, T::Approve) => return Err(Refusal::NeedsNoApproval),
            (S::Waiting, T::Run) => return Err(Refusal::NotApproved),
            (_, T::Run) => S::Running,
            (S::Running, T::Pause) => S::Paused,
            (S::Running, T::Stop) => S::Stopped,
            (S::Running, T::Finish) => S::Done,
            (_, T::Pause | T::Stop | T::Finish) => return Err(Refusal::NotRunning),
        })
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What another session asks of the one that runs an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wanted {
    Pause,
    Cancel,
}

impl Wanted {
    /// As the database and programs name it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Cancel => "cancel",
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Pause, Self::Cancel].into_iter().find(|wanted| wanted.name() == name)
    }
}

/// What became of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// It was left as it is, for this reason.
    Skipped(String),
    /// It could not be done, for this reason.
    Failed(String),
}

impl Outcome {
    /// As the database and programs name it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Skipped(_) => "skipped",
            Self::Failed(_) => "failed",
        }
    }

    /// The reason, if there is one.
    #[must_use]
    pub fn told(&self) -> Option<&str> {
        match self {
            Self::Done => None,
            Self::Skipped(why) | Self::Failed(why) => Some(why),
        }
    }
}

/// How many items of each outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    pub done: u64,
    pub skipped: u64,
    pub failed: u64,
}

impl Counts {
    /// Of these outcomes.
    #[must_use]
    pub fn of(outcomes: &[Outcome]) -> Self {
        let mut counts = Self::default();
        for outcome in outcomes {
            match outcome {
                Outcome::Done => counts.done += 1,
                Outcome::Skipped(_) => counts.skipped += 1,
                Outcome::Failed(_) => counts.failed += 1,
            }
        }
        counts
    }

    /// All items that have an outcome.
    #[must_use]
    pub const fn all(self) -> u64 {
        self.done + self.skipped + self.failed
    }
}

/// When an operation stops by itself. A failed verification always stops it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StopRule {
    /// It goes on while no more items than this have failed.
    pub failures: u64,
}

impl StopRule {
    /// At the first item that fails.
    pub const FIRST: Self = Self { failures: 0 };

    /// Why it stops, if it does. `accepted`: failures that someone saw and went on in spite of.
    #[must_use]
    pub fn broken(self, failed: u64, accepted: u64) -> Option<String> {
        let new = failed.saturating_sub(accepted);
        (new > self.failures).then(|| {
            let most = match self.failures {
                0 => "it stops at the first".to_owned(),
                some => format!("it stops after more than {some}"),
            };
            format!("{new} items failed: {most}")
        })
    }
}

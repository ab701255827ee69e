//! Plans: what a write would do, found out by doing it and rolling back; and running what was planned.
//!
//! Generic for every kind of write: an [`Intent`] is planned, shown, and run after its checks were made
//! again.

pub(crate) mod checks;
mod error;
mod kind;
mod run;
mod writer;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use error::{Error, Moved};
pub(crate) use kind::{Performed, Task, Work};
pub use writer::Writer;

use crate::domain::{decide::Command, id::Version, outbox_action::OutboxAction};

/// What someone wants written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intent {
    Command(Command),
    /// Something done by hand to the outbox or the inbox.
    Messages(OutboxAction),
}

impl Intent {
    /// As audit and policies name it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Command(command) => command.name(),
            Self::Messages(deed) => deed.name(),
        }
    }
}

/// An intent with what goes on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The operation's id: the idempotency key, and by what an ambiguous commit is resolved. It goes to event
    /// headers and audit.
    pub id: Uuid,
    pub intent: Intent,
    pub reason: Option<String>,
    /// The version the order has to be at.
    pub expect: Option<Version>,
}

impl Request {
    /// Why: what was given for the record, else the reason that the command itself has.
    pub fn why(&self) -> Option<&str> {
        match (self.reason.as_deref(), &self.intent) {
            (Some(reason), _) => Some(reason),
            (None, Intent::Command(Command::CancelOrder { reason, .. })) => Some(reason),
            (None, _) => None,
        }
    }
}

/// How a precondition turned out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    Ok,
    Warn,
    /// It cannot be run.
    Blocking,
    /// Could not be checked.
    Unknown,
}

/// A precondition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    pub verdict: Verdict,
    pub text: String,
}

/// One row that would change.
#[derive(Debug, Clone, PartialEq)]
pub struct Effect {
    /// By the document's name.
    pub table: &'static str,
    /// One line: `status New → Cancelled, last_modified_at`.
    pub change: String,
    /// The row as JSON; none for a new one.
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// What a plan relied on. If any of it moves, the plan is stale.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Relied {
    pub(crate) version: i64,
    pub(crate) stream: Option<i64>,
    pub(crate) newest: Option<i64>,
    /// `xmin` of the rows, which every change of a row moves.
    pub(crate) order: Option<String>,
    pub(crate) buyer: Option<String>,
    /// Of other rows: what they are and what would change if they moved.
    pub(crate) rows: Vec<String>,
}

/// What a request would do.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub request: Request,
    /// `cancel order …8c41`
    pub title: String,
    pub made_at: DateTime<Utc>,
    pub checks: Vec<Check>,
    pub effects: Vec<Effect>,
    /// One sentence.
    pub undo: String,
    /// What takes it back; planned by whoever wants that.
    pub reverse: Option<Intent>,
    /// The command line that does the same.
    pub cli_equivalent: String,
    /// Typed to run it.
    pub word: String,
    pub relied: Relied,
    /// What is sent to the server, values filled in.
    pub statements: Vec<String>,
}

impl Plan {
    /// Whether a check forbids running it.
    pub fn is_blocked(&self) -> bool {
        self.checks.iter().any(|check| check.verdict == Verdict::Blocking)
    }
}

/// What was done.
#[derive(Debug, Clone, PartialEq)]
pub struct Done {
    /// The operation.
    pub id: Uuid,
    /// Number of the audit record.
    pub audit: i64,
    /// The order's version afterwards, where it is about an order.
    pub version: Option<Version>,
    /// The same operation had been done before; nothing was written now.
    pub repeated: bool,
    /// One line: what happened and where to look.
    pub told: String,
    pub reverse: Option<Intent>,
}

/// Plans a request: the real statements in a transaction that is rolled back. Holds locks no longer than a
/// second and draws no number from any sequence.
pub async fn plan(
    writer: &Writer,
    request: Request,
    now: DateTime<Utc>,
    stop: &CancellationToken,
) -> Result<Plan, Error> {
    run::plan(writer, request, now, stop).await
}

/// Runs a plan, in one transaction with its audit record, if what it relied on still holds.
pub async fn run(writer: &Writer, plan: &Plan, now: DateTime<Utc>) -> Result<Done, Error> {
    if plan.is_blocked() {
        return Err(Error::Blocked(plan.checks.clone()));
    }
    run::drive(writer, &plan.request, Some(&plan.relied), now).await
}

/// Runs a request that nobody planned; `expect` alone guards it against others.
pub async fn execute(
    writer: &Writer,
    request: &Request,
    now: DateTime<Utc>,
) -> Result<Done, Error> {
    run::drive(writer, request, None, now).await
}

//! Bulk writes over a frozen list of ids. The list is made once, in schema `orderscope`; then batch by batch, each in
//! one transaction with its journal row and the outcome of every item. Killed at any point it goes on where it
//! stopped, from any console. Audit has an entry when it begins and one when it ends.
//!
//! A kind of bulk operation is a [`BatchKind`]. [`plan`] counts and tries out a few items, [`start`] freezes the list,
//! [`run`] does it; [`approve`], [`pause`] and [`cancel`] steer it.

mod kind;
mod plan;
pub mod purge;
pub mod report;
mod run;
mod show;
mod start;
mod steer;
mod verify;

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use uuid::Uuid;

pub use self::{
    kind::{Batch, BatchKind, Committed, Description, Ran, Work},
    plan::{Plan, Request, plan},
    run::run,
    show::{Shown, items, list, show},
    start::{Started, start},
    steer::{Steered, approve, cancel, pause},
};
use super::{
    audit::Entry,
    plan::{self as writes, Writer},
};
pub use crate::{
    db::operations::{Operation, Settled, Which},
    domain::batch::{Counts, Estimate, Outcome, State},
};
use crate::{
    db::{self, operations},
    domain::batch,
};

/// As policies and audit name a second person's approval.
pub const APPROVE: &str = "ApproveOperation";
/// As audit names the wish to end an operation early.
pub const CANCEL: &str = "CancelOperation";

/// The session's own clock, for waiting and rates. What goes on record has the server's time.
pub type Clock = dyn Fn() -> DateTime<Utc> + Send + Sync;

/// What operations are run with.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    pub writer: &'a Writer,
    pub clock: &'a Clock,
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("writer", &self.writer).finish_non_exhaustive()
    }
}

/// How far an operation is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// 0 before it has one.
    pub number: i64,
    pub items: u64,
    pub counts: Counts,
    pub estimate: Option<Estimate>,
    /// What stands in its way now.
    pub hindered: Option<String>,
}

/// Why nothing was done, or no more.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Write(#[from] writes::Error),
    /// It cannot follow in this state.
    #[error("operation {number}: {why}")]
    Refused { number: i64, why: batch::Refusal },
    /// Another session runs it, or writes its list.
    #[error(
        "operation {number} is being run by {who}; two cannot run it at once. `orderscope op pause {number}` asks \
         for a pause"
    )]
    Busy { number: i64, who: String },
    /// The login that began it cannot approve it.
    #[error(
        "operation {number} was begun by the login {login}, which is yours: a second person approves it with a \
         login of their own"
    )]
    SameLogin { number: i64, login: String },
    #[error("there is no operation {0}; `orderscope op list --all` lists them")]
    Unknown(i64),
    #[error("nothing is there to do it to")]
    Nothing,
    /// More is selected than the plan showed.
    #[error(
        "the plan is out of date: it had {planned} items and more are there now; nothing was written, plan it again"
    )]
    Grown { planned: u64 },
    /// This program knows no kind of that name.
    #[error("operation {number} is a {name}, which this program does not know: use a newer one")]
    NoKind { number: i64, name: String },
}

impl From<db::Error> for Error {
    fn from(error: db::Error) -> Self {
        Self::Write(error.into())
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        db::Error::from(error).into()
    }
}

impl Error {
    /// The database's own error, if it is one.
    const fn database(&self) -> Option<&db::Error> {
        match self {
            Self::Write(writes::Error::Database(error)) => Some(error),
            _ => None,
        }
    }
}

/// The kind of a recorded operation.
///
/// # Errors
/// When this program knows none of that name.
pub fn kind_of(operation: &Operation) -> Result<Box<dyn BatchKind>, Error> {
    match purge::Purge::read(&operation.name, &operation.parameters) {
        Some(purge) => Ok(Box::new(purge)),
        None => Err(Error::NoKind { number: operation.number, name: operation.name.clone() }),
    }
}

/// Whether this operator may do that here.
fn permitted(writer: &Writer, name: &str) -> Result<(), Error> {
    Ok(writer.policy.allows(name, &writer.roles).map_err(writes::Error::from)?)
}

/// The operation of that number.
async fn found(conn: &mut sqlx::PgConnection, which: Which) -> Result<Operation, Error> {
    if !operations::is_known(conn).await? {
        return Err(Error::Unknown(match which {
            Which::Number(number) => number,
            _ => 0,
        }));
    }
    let number = match which {
        Which::Number(number) => number,
        _ => 0,
    };
    operations::find(conn, which).await?.ok_or(Error::Unknown(number))
}

/// `mai@ws-1`
fn name_of(writer: &Writer) -> String {
    format!("{}@{}", writer.operator.name, writer.operator.host)
}

/// Who runs it, in words.
fn runner(operation: &Operation) -> String {
    let who = operation.runner.clone();
    let who = who.unwrap_or_else(|| format!("{}@{}", operation.operator, operation.host));
    match operation.runner_since {
        Some(since) => format!("{who} since {}", since.to_rfc3339_opts(SecondsFormat::Secs, true)),
        None => who,
    }
}

/// The targets of audit entries about an operation.
fn targets(mut targets: Vec<String>, number: i64) -> Vec<String> {
    targets.push(format!("operation {number}"));
    targets
}

/// Writes an entry with the server's time, in the caller's transaction.
async fn record(
    conn: &mut sqlx::PgConnection,
    writer: &Writer,
    (id, intent): (Uuid, &str),
    targets: Vec<String>,
    reason: Option<&str>,
    after: &serde_json::Value,
) -> Result<i64, Error> {
    let at = db::clock::now(conn).await?;
    let before = &serde_json::Value::Null;
    let entry = Entry { id, at, intent, targets, reason, before, after };
    Ok(writer.chain.record(conn, &entry).await?)
}

//! Why nothing was written.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use uuid::Uuid;

use super::check::Check;
use crate::{
    db::{self, migrate},
    domain::{batch, decide::Refusal, outbox_action},
    ops::{delivery, error_queue, operator::Unnameable, policy::Denied},
    relay,
};

/// What moved under a command, and who moved it, as far as anyone wrote it down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// `version 1 → 2, the order's row`.
    pub what: String,
    pub who: Option<String>,
    pub when: Option<DateTime<Utc>>,
}

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, by {}", self.what, self.who.as_deref().unwrap_or("someone unknown"))?;
        match self.when {
            Some(when) => write!(f, " at {}", when.to_rfc3339_opts(SecondsFormat::Secs, true)),
            None => Ok(()),
        }
    }
}

/// Why what is done above this module was not done, or not all of it, in words that say what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    pub message: String,
    pub ending: Ending,
}

/// What a failure means for whoever repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// There is nothing to do it to.
    Nothing,
    /// The same will be refused again.
    Refused,
    /// The same may succeed later.
    Passing,
}

/// Why a plan was not made or not run. Nothing was written, unless it says that this is not known.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// A rule forbids it.
    #[error("refused: {0}; nothing was written")]
    Refused(#[from] Refusal),
    /// The same for what is done to messages.
    #[error("refused: {0}; nothing was written")]
    Declined(#[from] outbox_action::Refusal),
    /// Someone else was faster, or the version is not the expected one.
    #[error("someone else changed it first: {0}; look again, then repeat")]
    Conflict(Moved),
    /// What the plan relied on has moved since it was made.
    #[error("the plan is out of date: {0}; nothing was written, plan it again")]
    Stale(Moved),
    /// A precondition forbids it.
    #[error("{}", blocked(.0))]
    Blocked(Vec<Check>),
    /// The console is locked.
    #[error("the console is locked; unlock it first (w, or --yes with a reason)")]
    Locked,
    /// This console never writes.
    #[error("this console is read-only and cannot be unlocked; start it without --read-only")]
    ReadOnly,
    /// The policy or the database forbids it to this operator.
    #[error("not permitted: {0}")]
    NotPermitted(String),
    /// There is nowhere to record it.
    #[error(
        "no command runs without an audit record: schema orderscope is not there; \
         `orderscope attach` makes it"
    )]
    NoAudit,
    /// Schema `orderscope` lacks what this program records. The verb that brings it up to date.
    #[error(
        "no command runs without an audit record: schema orderscope is older than this program; \
         `orderscope {0}` brings it up to date"
    )]
    Behind(&'static str),
    /// The operation's id was used for something else.
    #[error(
        "operation {id} was something else ({was}); use a new idempotency key for another command"
    )]
    Reused { id: Uuid, was: String },
    /// The connection broke while the server was told to commit, and it cannot be asked.
    #[error(
        "it is not known whether operation {id} was written: {why}; repeat it with the same \
         idempotency key, it will not run twice"
    )]
    Unresolved { id: Uuid, why: String },
    /// What was typed is not what the plan asks for.
    #[error("{given:?} was typed, not '{phrase}'; nothing was written")]
    Unconfirmed { given: String, phrase: String },
    /// `--yes` was said where more is asked for.
    #[error("--yes is not enough here: say --confirm '{0}'; nothing was written")]
    NotEnough(String),
    /// Who acts has no name that can go on record.
    #[error(transparent)]
    Nameless(#[from] Unnameable),
    /// A console works in a database that is open; its schema, or its content as a whole, is changed by a verb.
    #[error("the console does not do this; `orderscope {0}` does")]
    VerbOnly(&'static str),
    /// The schema cannot be changed so. Nothing was changed.
    #[error("{message}")]
    Schema { message: String, refused: bool },
    /// What was done above this module was refused, or broke off.
    #[error("{0}")]
    Work(Failed),
    /// A plan was put together by hand.
    #[error("the steps of the plan are not those of its operation; plan it again")]
    Mismatch,
    /// Nothing there is meant, or no queue is named.
    #[error(transparent)]
    ErrorQueue(error_queue::Error),
    #[error(transparent)]
    Broker(#[from] relay::Error),
    /// What is pending may not be delivered from here, or cannot.
    #[error(transparent)]
    Delivery(delivery::Error),
    /// There is no broker to work with, or the configuration of the relay is wrong.
    #[error("{0}")]
    NoBroker(String),
    /// The broker's answer forbids it.
    #[error("blocked: {0}; nothing was sent")]
    NotSent(String),
    /// It was sent, and that could not be recorded.
    #[error("{0}")]
    Unrecorded(String),
    /// A bulk operation cannot follow in the state it is in.
    #[error("operation {number}: {why}")]
    NotNow { number: i64, why: batch::Refusal },
    /// Another session runs a bulk operation, or writes its list.
    #[error(
        "operation {number} is being run by {who}; two cannot run it at once. `orderscope op pause {number}` asks for \
         a pause"
    )]
    Busy { number: i64, who: String },
    /// The login that began a bulk operation cannot approve it.
    #[error(
        "operation {number} was begun with the login {login}, which is yours: a second person approves it with a \
         login of their own"
    )]
    SameLogin { number: i64, login: String },
    #[error("there is no operation {0}; `orderscope op list --all` lists them")]
    NoOperation(i64),
    /// More is selected than the plan showed.
    #[error(
        "the plan is out of date: it had {planned} items and more are there now; nothing was written, plan it again"
    )]
    Grown { planned: u64 },
    /// This program knows no bulk operation of that name.
    #[error("operation {number} is a {name}, which this program does not know: use a newer one")]
    NoKind { number: i64, name: String },
    #[error(transparent)]
    Database(db::Error),
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<sqlx::Error> for PlanError {
    fn from(error: sqlx::Error) -> Self {
        db::Error::from(error).into()
    }
}

impl From<error_queue::Error> for PlanError {
    fn from(error: error_queue::Error) -> Self {
        match error {
            error_queue::Error::Broker(error) => Self::Broker(error),
            other => Self::ErrorQueue(other),
        }
    }
}

impl From<delivery::Error> for PlanError {
    fn from(error: delivery::Error) -> Self {
        match error {
            delivery::Error::Database(error) => error.into(),
            delivery::Error::Broker(error) => Self::Broker(error),
            other => Self::Delivery(other),
        }
    }
}

impl From<migrate::Error> for PlanError {
    fn from(error: migrate::Error) -> Self {
        let refused = !matches!(&error, migrate::Error::Database(error) if error.can_pass());
        Self::Schema { message: error.to_string(), refused }
    }
}

impl From<db::Error> for PlanError {
    fn from(error: db::Error) -> Self {
        match error {
            db::Error::NotPermitted(what) => Self::NotPermitted(format!(
                "{what}; ask for the right, or use a login that has it; nothing was written"
            )),
            other => Self::Database(other),
        }
    }
}

impl From<Denied> for PlanError {
    fn from(denied: Denied) -> Self {
        Self::NotPermitted(denied.to_string())
    }
}

fn blocked(checks: &[Check]) -> String {
    let stops = checks.iter().filter(|check| check.forbids());
    let texts: Vec<_> = stops.map(|check| check.text.as_str()).collect();
    format!("blocked: {}; nothing was written", texts.join("; "))
}

//! Why nothing was written.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use uuid::Uuid;

use super::{Check, Verdict};
use crate::{
    db,
    domain::{decide::Refusal, outbox_action},
    ops::policy::Denied,
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

/// Why a plan was not made or not run. Nothing was written, unless it says that this is not known.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
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
    #[error(transparent)]
    Database(db::Error),
}

impl From<db::Error> for Error {
    fn from(error: db::Error) -> Self {
        match error {
            db::Error::NotPermitted(what) => Self::NotPermitted(format!(
                "{what}; ask for the right, or use a login that has it; nothing was written"
            )),
            other => Self::Database(other),
        }
    }
}

impl From<Denied> for Error {
    fn from(denied: Denied) -> Self {
        Self::NotPermitted(denied.to_string())
    }
}

fn blocked(checks: &[Check]) -> String {
    let stops = checks.iter().filter(|check| check.verdict == Verdict::Blocking);
    let texts: Vec<_> = stops.map(|check| check.text.as_str()).collect();
    format!("blocked: {}; nothing was written", texts.join("; "))
}

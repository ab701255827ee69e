//! Work with the broker that a person starts and waits for: replaying and discarding what lies in error queues,
//! delivering what is pending. Verbs and console plan and do it here. What is meant goes on record before
//! anything is done, what became of it afterwards.

pub mod drain;
pub mod errors;
pub mod restore;
#[cfg(test)]
mod tests;
mod words;

use std::fmt;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use self::{
    drain::Waiting,
    errors::{Chosen, Errors},
    restore::Restoring,
    words::named,
};
use super::{
    Clock,
    relay::{self, Scope, Warning},
};
use crate::{
    db,
    ops::{
        error_queue::{self, Source},
        plan::{self, Check, Verdict, Writer},
        policy::Policy,
        running,
    },
    servers::Servers,
};

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Errand {
    /// Something to messages of error queues.
    Errors(Errors),
    /// Put the discarded message of this copy back into its error queue.
    Restore(i64),
    /// Deliver what is pending there.
    Drain(Scope),
}

impl Errand {
    /// As audit and policies name it.
    #[must_use]
    pub const fn intent(&self) -> &'static str {
        match self {
            Self::Errors(errors) => errors.deed.intent(),
            Self::Restore(_) => restore::INTENT,
            Self::Drain(_) => drain::INTENT,
        }
    }
}

/// What an errand works with.
#[derive(Clone)]
pub struct Tools<'a> {
    pub writer: &'a Writer,
    pub clock: Clock,
    /// Ends it after the message, or the pass, that is under way.
    pub stop: CancellationToken,
    pub progress: watch::Sender<Progress>,
}

/// Makes a relay's settings for a database and the place it is at, or says why it cannot.
type Relays = dyn Fn(&Servers, &str) -> Result<relay::Settings, String> + Send + Sync;

/// The broker as errands meet it.
pub struct Means {
    pub source: Source,
    relays: Box<Relays>,
}

impl Means {
    /// A broker with its error queues, and how a relay works with it.
    pub fn new(
        source: Source,
        relays: impl Fn(&Servers, &str) -> Result<relay::Settings, String> + Send + Sync + 'static,
    ) -> Self {
        Self { source, relays: Box::new(relays) }
    }

    fn relay(&self, writer: &Writer, scope: Scope) -> Result<relay::Settings, Error> {
        let made = (self.relays)(writer.db.servers(), writer.db.place()).map_err(Error::Means)?;
        Ok(relay::Settings { scope, ..made })
    }
}

impl fmt::Debug for Tools<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tools").field("writer", &self.writer).finish_non_exhaustive()
    }
}

impl fmt::Debug for Means {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Means").field("source", &self.source).finish_non_exhaustive()
    }
}

/// How far it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    pub done: u64,
    /// Of so many that were meant.
    pub of: u64,
    /// What stands in its way now, a line each.
    pub hindered: Vec<String>,
    /// What nobody got, or somebody perhaps twice, so far.
    pub warnings: Vec<Warning>,
}

impl Progress {
    /// What a person who waits has to know, a line each.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.hindered.iter().cloned().chain(self.warnings.iter().map(ToString::to_string)).collect()
    }
}

/// What an errand would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Names this plan, not the operation that it may become.
    pub id: Uuid,
    pub intent: &'static str,
    pub reason: String,
    pub sheet: Sheet,
    pub work: Work,
}

/// What is said of it before it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// `replay 3 messages of error queues`
    pub title: String,
    pub checks: Vec<Check>,
    /// Where, and what would happen there.
    pub effects: Vec<(String, String)>,
    /// Every message, in the order of doing, as far as it is known.
    pub listed: Vec<String>,
    /// One sentence.
    pub undo: &'static str,
    /// The command line that does the same.
    pub cli_equivalent: String,
    /// Typed to run it.
    pub word: &'static str,
    /// It may do work a second time: the context's name is typed too, whatever the policy says.
    pub again: bool,
}

/// What was chosen: it is not chosen anew when it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    Errors(error_queue::Work),
    Restore(Restoring),
    Drain(Waiting),
}

impl Plan {
    /// Of messages that were chosen.
    #[must_use]
    pub fn of_errors(errors: &Errors, chosen: Chosen, reason: &str, policy: &Policy) -> Self {
        let sheet = words::errors(errors, &chosen, reason, policy);
        Self::new(errors.deed.intent(), reason, sheet, Work::Errors(chosen.work))
    }

    /// Of a copy.
    #[must_use]
    pub fn of_restore(restoring: Restoring, reason: &str, policy: &Policy) -> Self {
        let sheet = words::restore(&restoring, reason, policy);
        Self::new(restore::INTENT, reason, sheet, Work::Restore(restoring))
    }

    /// Of what waits.
    #[must_use]
    pub fn of_drain(waiting: Waiting, reason: &str, policy: &Policy) -> Self {
        let sheet = words::drain(&waiting, reason, policy);
        Self::new(drain::INTENT, reason, sheet, Work::Drain(waiting))
    }

    fn new(intent: &'static str, reason: &str, sheet: Sheet, work: Work) -> Self {
        Self { id: Uuid::now_v7(), intent, reason: reason.to_owned(), sheet, work }
    }

    /// Whether a check forbids running it.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.sheet.checks.iter().any(|check| check.verdict == Verdict::Blocking)
    }
}

impl Work {
    /// What is finished before it stops.
    #[must_use]
    pub const fn step(&self) -> &'static str {
        match self {
            Self::Errors(_) | Self::Restore(_) => "message",
            Self::Drain(_) => "pass",
        }
    }
}

/// Work that has ended and is on record, with what it came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded<T> {
    /// The operation.
    pub id: Uuid,
    /// Number of the audit record of what was meant.
    pub audit: i64,
    /// Why what became of it could not be recorded.
    pub unrecorded: Option<String>,
    pub outcome: T,
}

/// The same in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    pub audit: i64,
    /// One line: `stopped: 3 replayed, 2 left where they are`.
    pub told: String,
    /// What is worth a line of its own: why something was left, what was perhaps sent twice.
    pub more: Vec<String>,
    /// Not everything that was meant was done.
    pub partly: bool,
}

/// Why nothing was done, or not all of it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// It is not permitted, or cannot be recorded.
    #[error(transparent)]
    Write(#[from] plan::Error),
    #[error(transparent)]
    Errors(#[from] error_queue::Error),
    #[error(transparent)]
    Relay(#[from] relay::Error),
    #[error(transparent)]
    Broker(#[from] crate::relay::Error),
    #[error(transparent)]
    Database(#[from] db::Error),
    #[error("blocked: {0}; nothing was sent")]
    Blocked(String),
    /// There is no broker to work with, or the configuration of the relay is wrong.
    #[error("{0}")]
    Means(String),
}

/// Looks, chooses and says what would happen. Nothing is taken or sent.
///
/// # Errors
/// When it is not permitted, nothing is meant, or broker or database cannot be asked.
pub async fn plan(
    tools: &Tools<'_>,
    means: &Means,
    errand: &Errand,
    reason: &str,
) -> Result<Plan, Error> {
    running::permitted(tools.writer, errand.intent())?;
    let policy = tools.writer.policy();
    Ok(match errand {
        Errand::Errors(errors) => {
            let chosen = errors::look(tools, &means.source, errors).await?;
            Plan::of_errors(errors, chosen, reason, policy)
        }
        Errand::Restore(number) => {
            let restoring = restore::look(tools, &means.source, *number).await?;
            Plan::of_restore(restoring, reason, policy)
        }
        Errand::Drain(scope) => {
            let settings = means.relay(tools.writer, *scope)?;
            Plan::of_drain(drain::look(tools, &settings).await?, reason, policy)
        }
    })
}

/// Does what was planned.
///
/// # Errors
/// When it is blocked, cannot be recorded, or broke off; what was done until then is on record.
pub async fn run(tools: &Tools<'_>, means: &Means, plan: &Plan) -> Result<Ended, Error> {
    if plan.is_blocked() {
        let stops = plan.sheet.checks.iter().filter(|check| check.verdict == Verdict::Blocking);
        let texts: Vec<_> = stops.map(|check| check.text.as_str()).collect();
        return Err(Error::Blocked(texts.join("; ")));
    }
    match &plan.work {
        Work::Errors(work) => {
            let ended = errors::carry_out(tools, &means.source, work, &plan.reason).await?;
            Ok(words::replayed(work, &ended))
        }
        Work::Restore(restoring) => {
            let ended = restore::carry_out(tools, &means.source, restoring, &plan.reason).await?;
            Ok(words::restored(restoring, &ended))
        }
        Work::Drain(waiting) => {
            let settings = means.relay(tools.writer, waiting.scope)?;
            let ended = drain::carry_out(tools, settings, waiting, &plan.reason).await?;
            Ok(words::delivered(waiting, &ended, tools.stop.is_cancelled()))
        }
    }
}

//! Replaying and discarding messages of error queues, on record.

use std::{slice, time::Duration};

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

pub use super::words::undo;
use super::{Error, Progress, Recorded, Tools};
use crate::{
    domain::fault::{Fault, Judgement},
    ops::{
        error_queue::{
            self, ErrorAction, Judge, Knowledge, Outcome, Pick, Scope, Source, TableKeep, Work,
            choose, report,
        },
        running,
    },
};

/// Messages replayed a second, unless someone says otherwise.
pub const RATE: u16 = 20;

/// What is done to which messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errors {
    pub deed: ErrorAction,
    pub pick: Pick,
    /// At most so many replays a second; discarding does not wait.
    pub rate: u16,
}

impl Errors {
    /// Between two messages.
    #[must_use]
    pub fn pause(&self) -> Duration {
        match self.deed {
            ErrorAction::Replay => Duration::from_secs(1) / u32::from(self.rate.max(1)),
            ErrorAction::Discard => Duration::ZERO,
        }
    }
}

/// What was chosen, and what could not be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    pub work: Work,
    pub notes: Vec<String>,
}

/// Looks into the queues and chooses. Everything is given back.
///
/// # Errors
/// When no queue is named, the broker cannot be reached, or nothing is there that is meant.
pub async fn look(tools: &Tools<'_>, source: &Source, errors: &Errors) -> Result<Chosen, Error> {
    let (Source { broker, scope }, writer) = (source, tools.writer);
    let now = (tools.clock)();
    let looking = error_queue::list(broker, &writer.db, writer.layout(), scope, now, &tools.stop);
    let listing = looking.await?;
    let choice = choose(&listing.found, &errors.pick, errors.deed)?;
    let work = Work { deed: errors.deed, choice, pause: errors.pause(), limits: scope.limits };
    Ok(Chosen { work, notes: listing.notes })
}

/// Whether a replay of what was chosen may do work again.
#[must_use]
pub fn may_repeat(work: &Work) -> bool {
    work.deed == ErrorAction::Replay
        && work.choice.chosen.iter().any(|one| one.verdict.may_repeat())
}

/// Does it: recorded as meant, done one after the other, recorded as it ended.
///
/// # Errors
/// When it cannot be recorded (nothing was done then) or the broker cannot be reached.
pub async fn carry_out(
    tools: &Tools<'_>,
    source: &Source,
    work: &Work,
    reason: &str,
) -> Result<Recorded<Outcome>, Error> {
    let (Tools { writer, clock, stop, .. }, chosen) = (tools, &work.choice.chosen);
    let targets = chosen.iter().filter_map(|chosen| chosen.message);
    let targets = targets.map(|id| id.to_string()).collect();
    let intent = work.deed.intent();
    let record = running::begin(writer, intent, targets, reason, &meant(work), clock()).await?;
    let mut keep = TableKeep::new(writer, record.id);
    let judging = Judging { tools, scope: &source.scope, begun: 0, of: count(chosen.len()) };
    let ended = error_queue::run(&source.broker, work, &mut keep, judging, stop).await;
    let became = match &ended {
        Ok(outcome) => report::outcome_value(outcome),
        Err(error) => json!({ "stopped": error.to_string() }),
    };
    let unrecorded = record.end(&became, clock()).await.err().map(|error| error.to_string());
    let (id, audit) = (record.id, record.audit);
    Ok(Recorded { id, audit, unrecorded, outcome: ended? })
}

/// Asks the inbox about each message, and tells how far it is.
struct Judging<'a> {
    tools: &'a Tools<'a>,
    scope: &'a Scope,
    begun: u64,
    of: u64,
}

impl Judge for Judging<'_> {
    async fn judge(&mut self, fault: &Fault) -> Judgement {
        let Tools { writer, clock, progress, .. } = self.tools;
        // Asked just before each message: those before it have ended.
        progress.send_replace(Progress { done: self.begun, of: self.of, ..Progress::default() });
        self.begun += 1;
        let (now, faults, scope) = (clock(), slice::from_ref(fault), self.scope);
        let never = CancellationToken::new();
        let asked = writer.db.read("errors", &never, async |conn| {
            error_queue::knowledge(conn, writer.layout(), faults, scope, now).await
        });
        asked.await.unwrap_or_else(|_| Knowledge::unread(scope)).judge(fault, now)
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn meant(work: &Work) -> Value {
    let one = |chosen: &error_queue::Chosen| {
        json!({
            "key": chosen.key.as_str(),
            "queue": chosen.queue,
            "home": chosen.home,
            "message": chosen.message,
            "verdict": chosen.verdict.to_string(),
            "why": chosen.why,
        })
    };
    work.choice.chosen.iter().map(one).collect()
}

//! Commands about orders and buyers: one atomic transaction each over the order, its event, its summary, its message
//! and the audit record. Planning, running and consuming a message all go through [`perform`].

mod checks;
mod facts;
mod metadata;
mod words;
mod write;

use chrono::{DateTime, Utc};
use serde_json::{Map, json};
use sqlx::PgConnection;

pub use facts::{EarlyReads, Facts, OrderFacts, held};
pub use metadata::EventMetadata;
pub use words::{content, options, reverse, title};

use super::{
    error::{Moved, PlanError},
    plan::ExpectedVersions,
    transaction::{Performed, Task, Transaction, Work},
};
use crate::{
    db::{
        self,
        write::{LockedRow, Surroundings, Tx, last_operator, surroundings},
    },
    domain::{
        decide::{Command, decide},
        id::Version,
    },
};

/// What is read before the transaction begins.
#[derive(Debug)]
pub struct Before {
    events: EarlyReads,
    /// What goes on around the order, for a plan.
    around: Option<Surroundings>,
}

impl Transaction for Command {
    type EarlyReads = Before;

    fn held(&self) -> Option<LockedRow> {
        held(self)
    }

    async fn ahead(&self, conn: &mut PgConnection, task: &Task<'_>) -> Result<Before, db::Error> {
        let around =
            if task.dry { Some(surroundings(conn, &task.writer.layout).await?) } else { None };
        Ok(Before { events: EarlyReads::read(conn, task.writer, self).await?, around })
    }

    async fn perform(
        &self,
        tx: &mut Tx<'_>,
        task: &Task<'_>,
        ahead: &Before,
    ) -> Result<Performed, PlanError> {
        perform(tx, task, self, &ahead.events, ahead.around.as_ref()).await
    }

    /// A conflict that the server found: whoever did it is looked up.
    async fn blamed(
        &self,
        tx: &mut Tx<'_>,
        task: &Task<'_>,
        ahead: &Before,
        moved: Moved,
    ) -> Result<Moved, db::Error> {
        if moved.who.is_some() {
            return Ok(moved);
        }
        match Facts::gather(tx, task, self, &ahead.events).await? {
            Some(facts) => blame(tx, task, &facts, moved.what).await,
            None => Ok(moved),
        }
    }
}

/// Writes everything of a command in the caller's transaction, in which what it needs [`held`] is. After an
/// error it has to be rolled back. `around`: what goes on around the order, where a plan is made.
pub async fn perform(
    tx: &mut Tx<'_>,
    task: &Task<'_>,
    command: &Command,
    ahead: &EarlyReads,
    around: Option<&Surroundings>,
) -> Result<Performed, PlanError> {
    let Task { writer, request, .. } = *task;
    let Some(facts) = Facts::gather(tx, task, command, ahead).await? else {
        let gone = || db::Error::Conflict("the operation's record is gone".to_owned());
        let before = task.before(tx).await?.ok_or_else(gone)?;
        return Ok(Performed::Repeated(Box::new(before)));
    };
    unmoved(tx, task, &facts).await?;
    let change = decide(&facts.decided_on(task.now), command)?;
    let was = facts.order.as_ref().map(OrderFacts::version);
    let version = was.map(|was| Version(was.0 + i64::from(change.event().is_some())));
    let mut work = Work {
        checks: checks::blocking(writer, &facts, &change),
        expected: facts.expected(),
        version,
        told: words::told(&change, version),
        reverse: reverse(command, facts.buyer.as_ref().map(|(_, buyer)| buyer)),
        ..Work::default()
    };
    if task.dry {
        work.checks.extend(checks::rights(tx.conn(), writer, &change).await?);
    }
    let blocked = work.is_blocked();
    if let Some(around) = around {
        work.checks.extend(checks::informative(writer, &facts, &change, around, task.now));
    }
    if blocked {
        return if task.dry {
            Ok(Performed::Written(Box::new(work)))
        } else {
            Err(PlanError::Blocked(work.checks))
        };
    }
    let metadata = EventMetadata::new(writer, request, task.origin, task.now, task.dry);
    let (effects, append) = write::rows(tx, writer, &facts, &change, &metadata).await?;
    work.effects = effects;
    if !task.dry {
        let mut more = Map::new();
        more.insert("version".to_owned(), json!(work.version));
        if let Some(event) = change.event() {
            // Its number is drawn after this record is written.
            let said = json!({ "id": metadata.derived.id("event"), "type": event.kind.alias() });
            more.insert("mt_events".to_owned(), said);
        }
        work.audit = task.record(tx, &work, more).await?;
    }
    if let Some(append) = append {
        let effect = write::append(tx, &append, &metadata).await.map_err(write::version_taken)?;
        work.effects.push(effect);
    }
    Ok(Performed::Written(Box::new(work)))
}

/// That nothing a plan relied on has moved, and that the version is the expected one.
async fn unmoved(tx: &mut Tx<'_>, task: &Task<'_>, facts: &Facts) -> Result<(), PlanError> {
    if let Some(expected) = task.expected {
        let what = difference(expected, &facts.expected());
        if !what.is_empty() {
            return Err(PlanError::Stale(blame(tx, task, facts, what.join(", ")).await?));
        }
    }
    let version = facts.order.as_ref().map(OrderFacts::version);
    match (task.request.expect, version) {
        (Some(expected), Some(version)) if expected != version => {
            let what = format!("the version is {version}, not {expected}");
            Err(PlanError::Conflict(blame(tx, task, facts, what).await?))
        }
        _ => Ok(()),
    }
}

fn difference(expected: &ExpectedVersions, now: &ExpectedVersions) -> Vec<String> {
    let mut what = Vec::new();
    if expected.version != now.version {
        what.push(format!("version {} → {}", expected.version, now.version));
    } else if expected.newest != now.newest || expected.stream != now.stream {
        what.push("the order's events".to_owned());
    }
    if expected.order != now.order {
        what.push("the order's row".to_owned());
    }
    if expected.buyer != now.buyer {
        what.push("the buyer's row".to_owned());
    }
    what
}

/// Who did the newest thing: what audit has, or the newest event's headers, whichever is later.
async fn blame(
    tx: &mut Tx<'_>,
    task: &Task<'_>,
    facts: &Facts,
    what: String,
) -> Result<Moved, db::Error> {
    let mut newest: Option<(Option<String>, DateTime<Utc>)> = None;
    if let Some(step) = facts.order.as_ref().and_then(|order| order.timeline.steps().last()) {
        let headers = step.event.headers.as_ref();
        let user = headers.and_then(|headers| headers.get("user")?.as_str()).map(ToOwned::to_owned);
        newest = Some((user.or_else(|| Some("the service".to_owned())), step.when));
    }
    let order = facts.order.as_ref().map(|order| order.id.to_string());
    // Where the buyer's row moved as well, whoever moved that came later than any plan.
    let moved_on = task.expected.is_some_and(|expected| expected.buyer != facts.expected().buyer);
    let buyer = facts.buyer.as_ref().map(|(id, _)| id.to_string());
    let buyer = buyer.filter(|_| moved_on || order.is_none());
    for target in order.into_iter().chain(buyer) {
        if let Some((who, at)) = last_operator(tx.conn(), &target).await?
            && newest.as_ref().is_none_or(|(_, when)| at >= *when)
        {
            newest = Some((Some(who), at));
        }
    }
    let (who, when) = newest.map_or((None, None), |(who, when)| (who, Some(when)));
    Ok(Moved { what, who, when })
}

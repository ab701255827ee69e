//! Commands: one atomic transaction each over the order, its event, its summary, its message and the audit
//! record. Planning, running and consuming a message all go through [`perform`].

mod facts;
mod metadata;
mod words;
mod write;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

pub use facts::{Ahead, Facts, OrderFacts, held};
pub use metadata::{EventMetadata, Origin};
pub use words::quoted;

use super::{
    audit::Entry,
    plan::{Check, Done, Effect, Error, Intent, Moved, Relied, Request, Verdict, Writer, checks},
};
use crate::{
    db::{
        self,
        audit::{self, Recorded},
        write::{Tx, last_operator},
    },
    domain::{
        decide::{Change, Command, decide},
        id::Version,
    },
};

/// A request on its way.
#[derive(Debug, Clone, Copy)]
pub struct Task<'a> {
    pub writer: &'a Writer,
    pub request: &'a Request,
    /// What the request wants.
    pub command: &'a Command,
    /// The message it came by.
    pub origin: Option<&'a Origin>,
    /// What a plan relied on.
    pub relied: Option<&'a Relied>,
    pub now: DateTime<Utc>,
    /// It will be rolled back: nothing is drawn from a sequence and nothing recorded.
    pub dry: bool,
}

/// What was written.
#[derive(Debug)]
pub struct Work {
    pub facts: Facts,
    pub effects: Vec<Effect>,
    /// Preconditions that forbid it; then nothing was written. Only in a dry run.
    pub blocking: Vec<Check>,
    pub change: Change,
    pub version: Option<Version>,
    pub told: String,
    pub reverse: Option<Intent>,
    pub audit: i64,
    pub described: Described,
}

/// What a plan says of a command.
#[derive(Debug, Clone, Default)]
pub struct Described {
    pub title: String,
    pub undo: String,
    pub cli_equivalent: String,
    pub word: String,
}

/// What became of a task.
#[derive(Debug)]
pub enum Performed {
    /// The same operation was done before.
    Repeated(Done),
    Written(Box<Work>),
}

impl Task<'_> {
    pub const fn command(&self) -> &Command {
        self.command
    }
}

/// Writes everything of a command in the caller's transaction, in which what it needs [`held`] is. After an
/// error it has to be rolled back.
pub async fn perform(tx: &mut Tx<'_>, task: &Task<'_>, ahead: &Ahead) -> Result<Performed, Error> {
    let Task { writer, request, .. } = *task;
    let command = task.command();
    let Some(facts) = Facts::gather(tx, task, ahead).await? else {
        return before(tx, task).await.map(Performed::Repeated);
    };
    unmoved(tx, task, &facts).await?;
    let change = decide(&facts.decided_on(task.now), command)?;
    let mut blocking = checks::blocking(writer, &facts, &change);
    if task.dry {
        blocking.extend(checks::rights(tx.conn(), writer, &change).await?);
    }
    let was = facts.order.as_ref().map(OrderFacts::version);
    let version = was.map(|was| Version(was.0 + i64::from(change.event().is_some())));
    let told = words::told(&change, version);
    let reverse = words::reverse(command, facts.buyer.as_ref().map(|(_, buyer)| buyer));
    let described = if task.dry { described(task, was) } else { Described::default() };
    let mut work = Work {
        facts,
        effects: Vec::new(),
        blocking,
        change,
        version,
        told,
        reverse,
        audit: 0,
        described,
    };
    if !work.blocking.is_empty() {
        return if task.dry {
            Ok(Performed::Written(Box::new(work)))
        } else {
            Err(Error::Blocked(work.blocking))
        };
    }
    let stamp = EventMetadata::new(writer, request, task.origin, task.now, task.dry);
    let (effects, append) = write::rows(tx, writer, &work.facts, &work.change, &stamp).await?;
    work.effects = effects;
    if !task.dry {
        work.audit = record(tx, task, &work, &stamp).await?;
    }
    if let Some(append) = append {
        let effect = write::append(tx, &append, &stamp).await.map_err(write::version_taken)?;
        work.effects.push(effect);
    }
    Ok(Performed::Written(Box::new(work)))
}

/// The first answer to an operation that is on record.
async fn before(tx: &mut Tx<'_>, task: &Task<'_>) -> Result<Done, Error> {
    let gone = || db::Error::Conflict("the operation's record is gone".to_owned());
    let recorded = audit::by_operation(tx.conn(), task.request.id).await?.ok_or_else(gone)?;
    repeated(task, &recorded)
}

/// What is said of work that was committed.
pub fn done(request: &Request, work: Work) -> Done {
    Done {
        id: request.id,
        audit: work.audit,
        version: work.version,
        repeated: false,
        told: work.told,
        reverse: work.reverse,
    }
}

/// The first answer again, or that the id meant something else.
pub fn repeated(task: &Task<'_>, recorded: &Recorded) -> Result<Done, Error> {
    let command = task.command();
    if recorded.intent != command.name() || recorded.targets != words::targets(command) {
        let was = format!("{} of {}", recorded.intent, recorded.targets.join(", "));
        return Err(Error::Reused { id: task.request.id, was });
    }
    let after = recorded.after.as_ref();
    let told = after.and_then(|after| after.get("told")?.as_str());
    Ok(Done {
        id: task.request.id,
        audit: recorded.number,
        version: after.and_then(|after| after.get("version")?.as_i64()).map(Version),
        repeated: true,
        told: told.unwrap_or("done before; its record says no more").to_owned(),
        reverse: words::reverse(command, None),
    })
}

async fn record(
    tx: &mut Tx<'_>,
    task: &Task<'_>,
    work: &Work,
    stamp: &EventMetadata<'_>,
) -> Result<i64, db::Error> {
    let before = by_table(&work.effects, |effect| effect.before.as_ref());
    let mut after = by_table(&work.effects, |effect| effect.after.as_ref());
    after.insert("version".to_owned(), json!(work.version));
    after.insert("told".to_owned(), json!(work.told));
    if let Some(event) = work.change.event() {
        // Its number is drawn after this record is written.
        let said = json!({ "id": stamp.derived.id("event"), "type": event.kind.alias() });
        after.insert("mt_events".to_owned(), said);
    }
    let entry = Entry {
        id: task.request.id,
        at: stamp.at,
        intent: task.command().name(),
        targets: words::targets(task.command()),
        reason: task.request.why(),
        before: &Value::Object(before),
        after: &Value::Object(after),
    };
    task.writer.chain.record(tx.conn(), &entry).await
}

/// The rows by table; several of one table as a list.
pub fn by_table(effects: &[Effect], side: fn(&Effect) -> Option<&Value>) -> Map<String, Value> {
    let mut rows = Map::new();
    for effect in effects {
        let Some(row) = side(effect) else { continue };
        match rows.get_mut(effect.table) {
            Some(Value::Array(list)) => list.push(row.clone()),
            Some(first) => *first = json!([first.clone(), row]),
            None => {
                rows.insert(effect.table.to_owned(), row.clone());
            }
        }
    }
    rows
}

/// That nothing a plan relied on has moved, and that the version is the expected one.
async fn unmoved(tx: &mut Tx<'_>, task: &Task<'_>, facts: &Facts) -> Result<(), Error> {
    if let Some(relied) = task.relied {
        let what = difference(relied, &facts.relied());
        if !what.is_empty() {
            return Err(Error::Stale(blame(tx, task, facts, what.join(", ")).await?));
        }
    }
    let version = facts.order.as_ref().map(OrderFacts::version);
    match (task.request.expect, version) {
        (Some(expected), Some(version)) if expected != version => {
            let what = format!("the version is {version}, not {expected}");
            Err(Error::Conflict(blame(tx, task, facts, what).await?))
        }
        _ => Ok(()),
    }
}

fn difference(relied: &Relied, now: &Relied) -> Vec<String> {
    let mut what = Vec::new();
    if relied.version != now.version {
        what.push(format!("version {} → {}", relied.version, now.version));
    } else if relied.newest != now.newest || relied.stream != now.stream {
        what.push("the order's events".to_owned());
    }
    if relied.order != now.order {
        what.push("the order's row".to_owned());
    }
    if relied.buyer != now.buyer {
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
    let order = task.command().order().map(|id| id.to_string());
    // Where the buyer's row moved as well, whoever moved that came later than any plan.
    let moved_on = task.relied.is_some_and(|relied| relied.buyer != facts.relied().buyer);
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

/// A conflict that the server found: whoever did it is looked up in a transaction of its own.
pub async fn blamed(
    tx: &mut Tx<'_>,
    task: &Task<'_>,
    ahead: &Ahead,
    moved: Moved,
) -> Result<Moved, db::Error> {
    if moved.who.is_some() {
        return Ok(moved);
    }
    match Facts::gather(tx, task, ahead).await? {
        Some(facts) => blame(tx, task, &facts, moved.what).await,
        None => Ok(moved),
    }
}

/// What is asked before anything else: whether this operator may do what has that name here.
pub fn allowed(writer: &Writer, name: &str) -> Result<(), Error> {
    if writer.policy.read_only {
        return Err(Error::ReadOnly);
    }
    Ok(writer.policy.allows(name, &writer.roles)?)
}

/// A precondition that holds or not.
pub fn check(verdict: Verdict, text: impl Into<String>) -> Check {
    Check { verdict, text: text.into() }
}

fn described(task: &Task<'_>, version: Option<Version>) -> Described {
    let command = task.command();
    Described {
        title: words::title(command),
        undo: words::undo(command).to_owned(),
        cli_equivalent: words::cli_equivalent(task.request, command, version, &task.writer.policy),
        word: words::word(command).to_owned(),
    }
}

//! What an operator does by hand to the outbox and the inbox: one transaction each, in which the parent row is
//! locked first, everything is looked at again, what goes or changes is copied, and the audit record is written.

pub mod archive;
mod copy;
mod due;
pub mod failed;
mod message;
mod outbox;
pub mod report;
mod words;

use serde_json::{Value, json};

pub use words::title;

use super::{
    audit::Entry,
    command::{self, EventMetadata, check},
    plan::{
        Check, Done, Effect, Error, Intent, Moved, Performed, Relied, Request, Task, Verdict,
        Work as Any,
    },
};
use crate::{
    db::{
        Table,
        audit::{self, Recorded},
        paused,
        write::{Keep, Need, Number, Seen, Tx, lacking, last_operator},
    },
    domain::{
        id::OutboxId,
        outbox_action::{Name, OutboxAction, Source},
    },
};

/// What was written, or would be.
#[derive(Debug, Default)]
pub struct Work {
    pub title: String,
    pub undo: String,
    pub cli_equivalent: String,
    pub word: &'static str,
    pub checks: Vec<Check>,
    pub effects: Vec<Effect>,
    pub relied: Relied,
    pub told: String,
    pub reverse: Option<Intent>,
    pub audit: i64,
    /// Ids beside the deed's own by which audit finds it: of the message, of its order.
    pub targets: Vec<String>,
}

impl Work {
    fn say(&mut self, verdict: Verdict, text: impl Into<String>) {
        self.checks.push(check(verdict, text));
    }

    fn is_blocked(&self) -> bool {
        self.checks.iter().any(|check| check.verdict == Verdict::Blocking)
    }

    fn change(
        &mut self,
        table: &'static str,
        change: impl Into<String>,
        rows: (Option<Value>, Option<Value>),
    ) {
        self.effects.push(Effect { table, change: change.into(), before: rows.0, after: rows.1 });
    }
}

/// Does it in the caller's transaction. After an error it has to be rolled back.
pub async fn perform(
    tx: &mut Tx<'_>,
    task: &Task<'_>,
    deed: &OutboxAction,
) -> Result<Performed, Error> {
    if !task.dry
        && let Some(recorded) = audit::by_operation(tx.conn(), task.request.id).await?
    {
        return repeated(task.request, deed, &recorded).map(Performed::Repeated);
    }
    deed.in_time(task.now)?;
    let mut work = Work {
        title: words::title(deed),
        undo: words::undo(deed).to_owned(),
        cli_equivalent: words::cli_equivalent(task.request, deed, &task.writer.policy),
        word: words::word(deed),
        ..Work::default()
    };
    if !paused::is_known(tx.conn()).await? {
        let old = "schema orderscope is older than this program: `orderscope attach` (or `migrate`, where the \
                   database is Orderscope's own) brings it up to date";
        work.say(Verdict::Blocking, old);
    }
    if task.dry {
        for what in lacking(tx.conn(), &task.writer.layout, &needs(task, deed)).await? {
            work.say(Verdict::Blocking, format!("this login lacks {what}: ask for it"));
        }
    }
    if !work.is_blocked() {
        let stamp = EventMetadata::new(task.writer, task.request, None, task.now, task.dry);
        match deed {
            OutboxAction::Hold { outbox } => {
                outbox::hold(tx, task, *outbox, &stamp, &mut work).await?;
            }
            OutboxAction::Release { outbox } => {
                outbox::release(tx, task, *outbox, &mut work).await?;
            }
            OutboxAction::Quarantine { sequence } => {
                message::quarantine(tx, task, *sequence, &stamp, &mut work).await?;
            }
            OutboxAction::Repair { sequence, repair } => {
                message::repair(tx, task, *sequence, repair, &stamp, &mut work).await?;
            }
            OutboxAction::Requeue { source, name } => {
                copy::requeue(tx, task, source, *name, &stamp, &mut work).await?;
            }
            OutboxAction::PurgeOutbox { .. }
            | OutboxAction::PurgeInbox { .. }
            | OutboxAction::RemoveFailed { .. } => {
                due::remove(tx, task, deed, &stamp, &mut work).await?;
            }
        }
    }
    if task.dry {
        return Ok(Performed::Written(Any::OutboxAction(Box::new(work))));
    }
    if work.is_blocked() {
        return Err(Error::Blocked(work.checks));
    }
    work.audit = record(tx, task, deed, &work).await?;
    Ok(Performed::Written(Any::OutboxAction(Box::new(work))))
}

/// The rights that a deed needs.
fn needs(task: &Task<'_>, deed: &OutboxAction) -> Vec<Need> {
    let (states, messages) = (Table::OutboxStates, Table::OutboxMessages);
    let mut needs = match deed {
        OutboxAction::Hold { .. } => vec![Need::Update(states)],
        OutboxAction::Release { .. } => vec![],
        OutboxAction::Repair { .. } => vec![Need::Update(states), Need::Update(messages)],
        OutboxAction::Quarantine { .. } => vec![Need::Update(states), Need::Delete(messages)],
        OutboxAction::Requeue { .. } => vec![Need::Insert(states), Need::Insert(messages)],
        OutboxAction::PurgeOutbox { .. } => {
            vec![Need::Update(states), Need::Delete(states), Need::Delete(messages)]
        }
        OutboxAction::PurgeInbox { .. } | OutboxAction::RemoveFailed { .. } => {
            vec![Need::Update(Table::InboxStates), Need::Delete(Table::InboxStates)]
        }
    };
    if matches!(deed, OutboxAction::Quarantine { .. }) && task.writer.layout.is_managed() {
        needs.push(Need::Delete(states));
    }
    needs
}

/// That nothing a plan relied on has moved. `rows`: what is relied on now.
async fn unmoved(
    tx: &mut Tx<'_>,
    task: &Task<'_>,
    target: &str,
    rows: Vec<String>,
    work: &mut Work,
) -> Result<(), Error> {
    if let Some(relied) = task.relied
        && relied.rows != rows
    {
        let what: Vec<_> = rows.iter().filter(|row| !relied.rows.contains(row)).cloned().collect();
        let what = if what.is_empty() { "what it is about".to_owned() } else { what.join(", ") };
        let last = last_operator(tx.conn(), target).await?;
        let (who, when) = match last {
            Some((who, when)) => (who, Some(when)),
            None => ("a delivery, or someone with another tool".to_owned(), None),
        };
        return Err(Error::Stale(Moved { what: format!("now: {what}"), who: Some(who), when }));
    }
    work.relied = Relied { rows, ..Relied::default() };
    Ok(())
}

async fn record(
    tx: &mut Tx<'_>,
    task: &Task<'_>,
    deed: &OutboxAction,
    work: &Work,
) -> Result<i64, Error> {
    let before = command::by_table(&work.effects, |effect| effect.before.as_ref());
    let mut after = command::by_table(&work.effects, |effect| effect.after.as_ref());
    after.insert("told".to_owned(), json!(work.told));
    if let Some(reverse) = &work.reverse {
        after.insert("reverse".to_owned(), words::recorded(reverse));
    }
    let mut targets = vec![deed.target()];
    targets.extend(work.targets.iter().cloned());
    targets.dedup();
    let entry = Entry {
        id: task.request.id,
        at: task.now,
        intent: deed.name(),
        targets,
        reason: task.request.why(),
        before: &Value::Object(before),
        after: &Value::Object(after),
    };
    Ok(task.writer.chain.record(tx.conn(), &entry).await?)
}

/// What is said of work that was committed.
pub fn done(request: &Request, work: Work) -> Done {
    Done {
        id: request.id,
        audit: work.audit,
        version: None,
        repeated: false,
        told: work.told,
        reverse: work.reverse,
    }
}

/// Whether a record is of the same deed.
pub fn is_same(deed: &OutboxAction, recorded: &Recorded) -> bool {
    recorded.intent == deed.name() && recorded.targets.first() == Some(&deed.target())
}

/// The first answer again, or that the id meant something else.
pub fn repeated(
    request: &Request,
    deed: &OutboxAction,
    recorded: &Recorded,
) -> Result<Done, Error> {
    if !is_same(deed, recorded) {
        let was = format!("{} of {}", recorded.intent, recorded.targets.join(", "));
        return Err(Error::Reused { id: request.id, was });
    }
    let after = recorded.after.as_ref();
    let told = after.and_then(|after| after.get("told")?.as_str());
    Ok(Done {
        id: request.id,
        audit: recorded.number,
        version: None,
        repeated: true,
        told: told.unwrap_or("done before; its record says no more").to_owned(),
        reverse: after.and_then(|after| words::read(after.get("reverse")?)),
    })
}

/// A row as audit keeps it: of a body only its length, for bodies are personal and lie with the copies.
fn lean(tx: &Tx<'_>, seen: &Seen) -> Value {
    let mut row = seen.row.clone();
    if let (Some(fields), Some(body)) =
        (row.as_object_mut(), tx.spelt(Table::OutboxMessages, "body"))
        && let Some(Value::String(text)) = fields.get(body)
    {
        let bytes = text.len();
        fields.insert(body.to_owned(), json!(format!("({bytes} bytes)")));
    }
    row
}

/// How copies of an outbox's messages are labelled.
fn place(outbox: Option<OutboxId>) -> String {
    outbox.map_or_else(|| "outbox".to_owned(), |outbox| format!("outbox {outbox}"))
}

fn keep<'a>(
    task: &Task<'_>,
    stamp: &EventMetadata<'_>,
    cause: &'static str,
    place: &'a str,
) -> Keep<'a> {
    let number = if task.dry { stamp.number } else { Number::Next };
    Keep { cause, place, operation: task.request.id, number }
}

/// The intent that puts a copy back as it was.
const fn back(number: i64) -> Intent {
    Intent::Messages(OutboxAction::Requeue { source: Source::Kept(number), name: Name::Same })
}

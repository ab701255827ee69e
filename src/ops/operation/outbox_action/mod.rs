//! What an operator does by hand to the outbox and the inbox: one transaction each, in which the parent row is
//! locked first, everything is looked at again, what goes or changes is copied, and the audit record is written.

mod copy;
mod message;
mod outbox;
mod words;

use serde_json::{Map, Value, json};
use sqlx::PgConnection;

pub use words::{content, options, recorded_reverse, title};

use super::{
    check::Verdict,
    command::EventMetadata,
    error::{Moved, PlanError},
    plan::{Effect, ExpectedVersions},
    transaction::{Performed, Task, Transaction, Work},
    value::Operation,
};
use crate::{
    db::{
        self, Table, paused,
        write::{Keep, LockedRow, Need, Number, Seen, Tx, lacking, last_operator},
    },
    domain::{
        id::OutboxId,
        outbox_action::{Name, OutboxAction, Source},
    },
};

impl Work {
    fn change(
        &mut self,
        table: &'static str,
        change: impl Into<String>,
        rows: (Option<Value>, Option<Value>),
    ) {
        let (before, after) = rows;
        self.effects.push(Effect { place: table.into(), change: change.into(), before, after });
    }
}

impl Transaction for OutboxAction {
    type EarlyReads = ();

    fn held(&self) -> Option<LockedRow> {
        None
    }

    async fn ahead(&self, _: &mut PgConnection, _: &Task<'_>) -> Result<(), db::Error> {
        Ok(())
    }

    async fn perform(
        &self,
        tx: &mut Tx<'_>,
        task: &Task<'_>,
        (): &(),
    ) -> Result<Performed, PlanError> {
        perform(tx, task, self).await
    }
}

async fn perform(
    tx: &mut Tx<'_>,
    task: &Task<'_>,
    action: &OutboxAction,
) -> Result<Performed, PlanError> {
    if !task.dry
        && let Some(before) = task.before(tx).await?
    {
        return Ok(Performed::Repeated(Box::new(before)));
    }
    let mut work = Work::default();
    if !paused::is_known(tx.conn()).await? {
        let old = "schema orderscope is older than this program: `orderscope attach` (or `migrate`, where the \
                   database is Orderscope's own) brings it up to date";
        work.say(Verdict::Blocking, old);
    }
    if task.dry {
        for what in lacking(tx.conn(), &task.writer.layout, &needs(task, action)).await? {
            work.say(Verdict::Blocking, format!("this login lacks {what}: ask for it"));
        }
    }
    if !work.is_blocked() {
        let metadata = EventMetadata::new(task.writer, task.request, None, task.now, task.dry);
        match action {
            OutboxAction::Hold { outbox } => {
                outbox::hold(tx, task, *outbox, &metadata, &mut work).await?;
            }
            OutboxAction::Release { outbox } => {
                outbox::release(tx, task, *outbox, &mut work).await?;
            }
            OutboxAction::Quarantine { sequence } => {
                message::quarantine(tx, task, *sequence, &metadata, &mut work).await?;
            }
            OutboxAction::Repair { sequence, repair } => {
                message::repair(tx, task, *sequence, repair, &metadata, &mut work).await?;
            }
            OutboxAction::Requeue { source, name } => {
                copy::requeue(tx, task, source, *name, &metadata, &mut work).await?;
            }
        }
    }
    if task.dry {
        // What would be written has no number yet by which it could be taken back.
        work.reverse = None;
        return Ok(Performed::Written(Box::new(work)));
    }
    if work.is_blocked() {
        return Err(PlanError::Blocked(work.checks));
    }
    let mut more = Map::new();
    if let Some(reverse) = &work.reverse {
        more.insert("reverse".to_owned(), words::recorded(reverse));
    }
    work.audit = task.record(tx, &work, more).await?;
    Ok(Performed::Written(Box::new(work)))
}

/// The rights that an action needs.
fn needs(task: &Task<'_>, action: &OutboxAction) -> Vec<Need> {
    let (states, messages) = (Table::OutboxStates, Table::OutboxMessages);
    let mut needs = match action {
        OutboxAction::Hold { .. } => vec![Need::Update(states)],
        OutboxAction::Release { .. } => vec![],
        OutboxAction::Repair { .. } => vec![Need::Update(states), Need::Update(messages)],
        OutboxAction::Quarantine { .. } => vec![Need::Update(states), Need::Delete(messages)],
        OutboxAction::Requeue { .. } => vec![Need::Insert(states), Need::Insert(messages)],
    };
    if matches!(action, OutboxAction::Quarantine { .. }) && task.writer.layout.is_managed() {
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
) -> Result<(), PlanError> {
    if let Some(expected) = task.expected
        && expected.rows != rows
    {
        let what: Vec<_> =
            rows.iter().filter(|row| !expected.rows.contains(row)).cloned().collect();
        let what = if what.is_empty() { "what it is about".to_owned() } else { what.join(", ") };
        let last = last_operator(tx.conn(), target).await?;
        let (who, when) = match last {
            Some((who, when)) => (who, Some(when)),
            None => ("a delivery, or someone with another tool".to_owned(), None),
        };
        return Err(PlanError::Stale(Moved { what: format!("now: {what}"), who: Some(who), when }));
    }
    work.expected = ExpectedVersions { rows, ..ExpectedVersions::default() };
    Ok(())
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

/// What puts a copy back as it was.
const fn back(number: i64) -> Operation {
    Operation::Outbox(OutboxAction::Requeue { source: Source::Kept(number), name: Name::Same })
}

//! Removing what is over, a batch at a time: oldest first, by when it was delivered, never by `sent_time`.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{EventMetadata, PlanError, Task, Verdict, Work, failed, keep, unmoved};
use crate::{
    db::{
        self,
        write::{Due, Old, Tx},
    },
    domain::{
        outbox_action::{OutboxAction, Refusal},
        text::hex,
        text::thousands,
    },
};

/// Rows of one transaction: well below two seconds, also on a machine that is busy.
pub(super) const BATCH: i64 = 500;
/// So many rows are named in the record.
const NAMED: usize = 20;

fn old(action: &OutboxAction) -> Option<Old> {
    match action {
        OutboxAction::PurgeOutbox { before } => Some(Old::Outboxes(*before)),
        OutboxAction::PurgeInbox { before } => Some(Old::Inbox(*before)),
        OutboxAction::RemoveFailed { before } => Some(Old::Failed(*before)),
        _ => None,
    }
}

pub(super) async fn remove(
    tx: &mut Tx<'_>,
    task: &Task<'_>,
    action: &OutboxAction,
    stamp: &EventMetadata<'_>,
    work: &mut Work,
) -> Result<(), PlanError> {
    let old = old(action).ok_or(Refusal::Nothing)?;
    let due = tx.due(old, BATCH).await?;
    if due.rows.is_empty() && due.messages.is_empty() {
        if due.total > 0 {
            let held = format!("all {} rows that are due", thousands(due.total));
            return Err(PlanError::Database(db::Error::Locked(held)));
        }
        return Err(Refusal::Nothing.into());
    }
    let rows = vec![format!("{} rows due, {}", due.rows.len(), marked(&due))];
    unmoved(tx, task, &action.target(), rows, work).await?;
    say(task, old, &due, work);
    let count = i64::try_from(due.rows.len()).unwrap_or(i64::MAX);
    let left = (due.total - count).max(0);
    let before = Some(gist(old, &due.rows));
    let what = match old {
        Old::Outboxes(_) => {
            let messages = thousands(i64::try_from(due.messages.len()).unwrap_or(i64::MAX));
            let copies = tx.keep(&due.messages, &keep(task, stamp, "purged", "outbox")).await?;
            work.change(
                "outbox_message",
                format!("- {messages} rows"),
                (Some(span(&due.messages)), None),
            );
            work.change("outbox_state", format!("- {} rows", thousands(count)), (before, None));
            let kept = (!task.dry).then(|| span(&copies));
            work.change("kept_messages", format!("+ {messages} copies (purged)"), (None, kept));
            format!("{} delivered outboxes with {messages} messages are", thousands(count))
        }
        Old::Inbox(_) => {
            work.change("inbox_state", format!("- {} rows", thousands(count)), (before, None));
            format!("{} delivered inbox rows are", thousands(count))
        }
        Old::Failed(_) => {
            work.change("inbox_state", format!("- {} rows", thousands(count)), (before, None));
            format!("{} failed inbox rows are", thousands(count))
        }
    };
    tx.remove_due(&due).await?;
    let more = if left > 0 {
        format!("; {} more are due: do it again", thousands(left))
    } else {
        String::new()
    };
    work.told = format!("{what} gone{more}");
    Ok(())
}

/// What the record keeps of rows that go, however many: how many, from when to when, the first of them by name, and a
/// hash over all of them as they were, one line of JSON each. Rows that were kept whole would soon be most of the log.
fn gist(old: Old, rows: &[Value]) -> Value {
    let (named, when): (&[_], _) = match old {
        Old::Outboxes(_) => (&["outbox_id"], "delivered"),
        Old::Inbox(_) => (&["message_id", "consumer_id"], "delivered"),
        Old::Failed(_) => (&["message_id", "consumer_id"], "received"),
    };
    let field = |row: &Value, column: &str| row.get(column).cloned().unwrap_or_default();
    let name = |row: &Value| -> Value { named.iter().map(|column| field(row, column)).collect() };
    let mut hash = Sha256::new();
    for row in rows {
        hash.update(format!("{row}\n").as_bytes());
    }
    json!({
        "rows": rows.len(),
        "from": rows.first().map(|row| field(row, when)),
        "until": rows.last().map(|row| field(row, when)),
        "named": named,
        "first": rows.iter().take(NAMED).map(name).collect::<Vec<_>>(),
        "sha256": hex(&hash.finalize()),
    })
}

/// Numbers of rows: the copies are found by their operation, or by these.
fn span(numbers: &[i64]) -> Value {
    json!({ "rows": numbers.len(), "lowest": numbers.iter().min(), "highest": numbers.iter().max() })
}

/// What a plan relies on: exactly these rows, exactly so.
fn marked(due: &Due) -> String {
    let mut hash = Sha256::new();
    for row in &due.rows {
        hash.update(row.to_string().as_bytes());
    }
    for message in &due.messages {
        hash.update(message.to_be_bytes());
    }
    let digest = hash.finalize();
    format!("mark {}", uuid::Uuid::from_slice(&digest[..16]).unwrap_or_default())
}

fn say(task: &Task<'_>, old: Old, due: &Due, work: &mut Work) {
    let moment = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let count = i64::try_from(due.rows.len()).unwrap_or(i64::MAX);
    let batch = if due.total > count {
        format!(
            "{} of {} in this transaction, the oldest; the others by doing it again",
            thousands(count),
            thousands(due.total)
        )
    } else {
        format!("all {} in this transaction", thousands(count))
    };
    match old {
        Old::Outboxes(before) => {
            work.say(
                Verdict::Ok,
                format!(
                    "delivered before {} by outbox_state.delivered: nothing unsent is among them",
                    moment(before)
                ),
            );
            work.say(Verdict::Ok, batch);
            if !task.writer.layout.is_managed() {
                work.say(
                    Verdict::Warn,
                    "MassTransit removes them itself with its next pass: this is needed only where no worker runs",
                );
            }
            work.say(
                Verdict::Warn,
                "their messages are copied first: the space they took is needed on",
            );
        }
        Old::Inbox(before) => {
            work.say(Verdict::Ok, format!("delivered before {}", moment(before)));
            work.say(Verdict::Ok, "no message of the outbox refers to any of them");
            work.say(Verdict::Ok, batch);
            work.say(
                Verdict::Warn,
                "a message of theirs that comes once more is new afterwards: its handler runs again",
            );
        }
        Old::Failed(before) => {
            work.say(Verdict::Ok, format!("received before {} and never consumed", moment(before)));
            work.say(Verdict::Ok, "nobody works on them: each row was free");
            work.say(Verdict::Ok, batch);
            work.say(Verdict::Unknown, failed::UNASKED);
            work.say(
                Verdict::Warn,
                "the handler's database work was undone each time; what it did elsewhere (mail) was not",
            );
        }
    }
}

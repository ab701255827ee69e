//! Putting a discarded message back into the error queue that it was taken from, on record.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use sqlx::Connection;
use uuid::Uuid;

use super::{Error, Progress, Recorded, Tools};
use crate::{
    db::{self, archive},
    domain::{id::MessageId, outbox_action::Refusal},
    ops::{error_queue::Source, plan, running},
    relay::{Confirmed, QueueInspector, Republish},
};

/// As audit and policies name it.
pub const INTENT: &str = "RestoreErrors";
/// What is typed to run it.
pub const WORD: &str = "RESTORE";
/// How it is taken back.
pub const UNDO: &str = "discard it again: a copy is kept then, too";

/// What would be put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restoring {
    /// The copy's number.
    pub number: i64,
    pub queue: String,
    pub message: Option<MessageId>,
    pub bytes: i64,
    /// What speaks against it.
    pub blocked: Option<String>,
    pub notes: Vec<String>,
}

/// Reads the copy and asks the broker whether its queue is there. Nothing is sent.
///
/// # Errors
/// When there is no such copy, it was put back already or is no message of a queue, or when database or broker
/// cannot be asked.
pub async fn look(tools: &Tools<'_>, source: &Source, number: i64) -> Result<Restoring, Error> {
    let writer = tools.writer;
    let asked = writer.db.read("errors restore", &tools.stop, async |conn| {
        if writer.layout().has_console_schema() {
            archive::listed(conn, number).await
        } else {
            Ok(None)
        }
    });
    let copy = asked.await?.ok_or(Refusal::NotKept(number)).map_err(refused)?;
    may(number, &copy.cause, copy.returned)?;
    let mut plan = Restoring {
        number,
        queue: copy.place,
        message: copy.message,
        bytes: copy.bytes,
        blocked: None,
        notes: vec![],
    };
    let aside =
        QueueInspector::connect(&source.broker, "errors restore", source.scope.limits.wait).await?;
    let standing = aside.status(&plan.queue).await;
    aside.close().await;
    match standing? {
        None => {
            plan.blocked = Some(format!(
                "there is no queue {}; the service makes it when something fails again",
                plan.queue
            ));
        }
        Some(standing) if standing.consumers > 0 => {
            plan.notes.push(format!("somebody takes from {}: it may go on at once", plan.queue));
        }
        Some(_) => {}
    }
    Ok(plan)
}

fn refused(refusal: Refusal) -> Error {
    Error::Write(plan::Error::from(refusal))
}

/// Whether a copy may be put back into a queue.
fn may(number: i64, cause: &str, returned: Option<DateTime<Utc>>) -> Result<(), Error> {
    if cause != "discarded" {
        return Err(refused(Refusal::NotOfQueue(number)));
    }
    match returned {
        Some(when) => Err(refused(Refusal::Returned { number, when })),
        None => Ok(()),
    }
}

/// The plan as a record and as JSON.
#[must_use]
pub fn value(plan: &Restoring) -> Value {
    json!({
        "copy": plan.number,
        "queue": plan.queue,
        "message": plan.message,
        "bytes": plan.bytes,
        "blocked": plan.blocked,
        "notes": plan.notes,
    })
}

/// Does it: recorded as meant, published and confirmed, marked as put back, recorded as it ended. Killed in between,
/// the message is in its queue and the copy still there: in both places, never in none.
///
/// # Errors
/// When it cannot be recorded (nothing was done then), or was not put back.
pub async fn carry_out(
    tools: &Tools<'_>,
    source: &Source,
    plan: &Restoring,
    reason: &str,
) -> Result<Recorded<()>, Error> {
    let (writer, clock) = (tools.writer, &tools.clock);
    tools.progress.send_replace(Progress { of: 1, ..Progress::default() });
    let targets = plan.message.map(|id| id.to_string()).into_iter();
    let targets = targets.chain([format!("kept {}", plan.number)]).collect();
    let record = running::begin(writer, INTENT, targets, reason, &value(plan), clock()).await?;
    let ended = put(tools, source, plan, record.id).await;
    let became = match &ended {
        Ok(()) => json!({ "restored": plan.number }),
        Err(error) => json!({ "stopped": error.to_string() }),
    };
    let unrecorded = record.end(&became, clock()).await.err().map(|error| error.to_string());
    let (id, audit) = (record.id, record.audit);
    ended?;
    Ok(Recorded { id, audit, unrecorded, outcome: () })
}

/// The copy is held meanwhile, so that it is put back once.
async fn put(
    tools: &Tools<'_>,
    source: &Source,
    plan: &Restoring,
    operation: Uuid,
) -> Result<(), Error> {
    let mut session = tools.writer.pool.session("errors restore").await?;
    let mut tx = session.begin().await.map_err(db::Error::from)?;
    let copy = archive::lock(&mut tx, plan.number).await?;
    let copy = copy.ok_or(Refusal::NotKept(plan.number)).map_err(refused)?;
    may(plan.number, &copy.cause, copy.returned)?;
    let nothing = Map::new();
    let headers = copy.rest["headers"].as_object().unwrap_or(&nothing);
    let anew = Republish { properties: &copy.rest["properties"], headers, body: &copy.body };
    let aside =
        QueueInspector::connect(&source.broker, "errors restore", source.scope.limits.wait).await?;
    let sent = aside.put(&plan.queue, anew).await;
    aside.close().await;
    match sent? {
        Confirmed::Routed => {}
        Confirmed::Returned => {
            return Err(Error::Blocked(format!("there is no queue {}", plan.queue)));
        }
    }
    let marked = async {
        archive::returned(&mut tx, plan.number, (tools.clock)(), operation).await?;
        Ok::<_, db::Error>(tx.commit().await?)
    };
    marked.await.map_err(|error| {
        Error::Means(format!(
            "it lies in {} again, but copy {} could not be marked as put back: {error}",
            plan.queue, plan.number
        ))
    })?;
    session.finish();
    Ok(())
}

//! Putting a discarded message back into the error queue that it was taken from.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use sqlx::Connection;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::super::{
    check::{Check, Verdict},
    context::Context,
    error::PlanError,
    messages::{Messages, Restoring},
    outcome::{Outcome, Progress},
    plan::{Effect, Listed, Plan, PlanRequest, Steps},
    record::on_record,
};
use crate::{
    db::{self, archive},
    domain::{outbox_action::Refusal, text::thousands},
    ops::policy::Policy,
    relay::{Confirmed, QueueInspector, Republish},
};

pub(super) fn title(number: i64) -> String {
    format!("put copy {} back", thousands(number))
}

/// Reads the copy and asks the broker whether its queue is there. Nothing is sent.
pub(super) async fn plan(
    ctx: &Context<'_>,
    request: &PlanRequest,
    number: i64,
    stop: &CancellationToken,
) -> Result<Plan, PlanError> {
    let (source, writer) = (&ctx.broker()?.source, ctx.writer()?);
    let asked = writer.db.read("errors restore", stop, async |conn| {
        if writer.layout().has_console_schema() {
            archive::listed(conn, number).await
        } else {
            Ok(None)
        }
    });
    let copy = asked.await?.ok_or(Refusal::NotKept(number))?;
    may(number, &copy.cause, copy.returned)?;
    let mut restoring = Restoring {
        number,
        queue: copy.place,
        message: copy.message,
        bytes: copy.bytes,
        blocked: None,
        notes: vec![],
    };
    let wait = source.scope.limits.wait;
    let inspector = QueueInspector::connect(&source.broker, "errors restore", wait).await?;
    let status = inspector.status(&restoring.queue).await;
    inspector.close().await;
    match status? {
        None => {
            restoring.blocked = Some(format!(
                "there is no queue {}; the service makes it when something fails again",
                restoring.queue
            ));
        }
        Some(status) if status.consumers > 0 => {
            let note = format!("somebody takes from {}: it may go on at once", restoring.queue);
            restoring.notes.push(note);
        }
        Some(_) => {}
    }
    Ok(plan_of(request, restoring, ctx.policy(), ctx.now()))
}

/// The plan that a copy comes to.
#[must_use]
pub fn plan_of(
    request: &PlanRequest,
    restoring: Restoring,
    policy: &Policy,
    now: DateTime<Utc>,
) -> Plan {
    let Restoring { number, queue, bytes, message, blocked, notes } = &restoring;
    let mut checks: Vec<_> =
        blocked.iter().map(|why| Check::new(Verdict::Blocking, why.clone())).collect();
    if checks.is_empty() {
        let told = "its queue is there; nothing handles it until it is replayed from there";
        checks.push(Check::new(Verdict::Ok, told));
    }
    checks.extend(notes.iter().map(|note| Check::new(Verdict::Warn, note.clone())));
    let what = format!("the message as it was kept, {} bytes", thousands(*bytes));
    Plan {
        title: format!("put copy {} back into {queue}", thousands(*number)),
        checks,
        effects: vec![
            Effect::told(queue.clone(), what),
            Effect::told("kept_messages", format!("copy {}: put back", thousands(*number))),
        ],
        listed: message
            .iter()
            .map(|id| Listed::message(&id.to_string(), format!("→ {queue}")))
            .collect(),
        cli_equivalent: request.cli_equivalent(None, policy, false),
        ..Plan::new(
            request,
            policy,
            now,
            Steps::BrokerMessages(Messages::Restore(restoring.clone())),
        )
    }
}

/// Whether a copy may be put back into a queue.
fn may(number: i64, cause: &str, returned: Option<DateTime<Utc>>) -> Result<(), Refusal> {
    if cause != "discarded" {
        return Err(Refusal::NotOfQueue(number));
    }
    match returned {
        Some(when) => Err(Refusal::Returned { number, when }),
        None => Ok(()),
    }
}

/// Publishes it, waits for the confirm and marks the copy as put back. Killed in between, the message is in its queue
/// and the copy still there: in both places, never in none.
pub(super) async fn run(
    ctx: &Context<'_>,
    plan: &Plan,
    restoring: &Restoring,
    progress: &watch::Sender<Progress>,
) -> Result<Outcome, PlanError> {
    progress.send_replace(Progress { of: 1, ..Progress::default() });
    let message = restoring.message.map(|id| id.to_string());
    let targets: Vec<_> = message.into_iter().chain(plan.request.operation.targets()).collect();
    let meant = json!({
        "copy": restoring.number,
        "queue": restoring.queue,
        "message": restoring.message,
        "bytes": restoring.bytes,
        "notes": restoring.notes,
    });
    let ended = on_record(ctx, plan, targets.clone(), &meant, async || {
        let ended = put(ctx, plan, restoring).await;
        let became = match &ended {
            Ok(()) => json!({ "restored": restoring.number }),
            Err(error) => json!({ "stopped": error.to_string() }),
        };
        (became, ended)
    })
    .await?;
    let told = format!("copy {} lies in {} again", thousands(restoring.number), restoring.queue);
    let more = ended.doubt().into_iter().collect();
    Ok(Outcome { targets, more, ..Outcome::new(&plan.request, Some(ended.audit), told) })
}

/// The copy is held meanwhile, so that it is put back once.
async fn put(ctx: &Context<'_>, plan: &Plan, restoring: &Restoring) -> Result<(), PlanError> {
    let (source, writer) = (&ctx.broker()?.source, ctx.writer()?);
    let Restoring { number, queue, .. } = restoring;
    let mut session = writer.pool.session("errors restore").await?;
    let mut tx = session.begin().await.map_err(db::Error::from)?;
    let copy = archive::lock(&mut tx, *number).await?.ok_or(Refusal::NotKept(*number))?;
    may(*number, &copy.cause, copy.returned)?;
    let nothing = Map::new();
    let headers = copy.rest["headers"].as_object().unwrap_or(&nothing);
    let properties: &Value = &copy.rest["properties"];
    let again = Republish { properties, headers, body: &copy.body };
    let wait = source.scope.limits.wait;
    let inspector = QueueInspector::connect(&source.broker, "errors restore", wait).await?;
    let sent = inspector.put(queue, again).await;
    inspector.close().await;
    match sent? {
        Confirmed::Routed => {}
        Confirmed::Returned => {
            return Err(PlanError::NotSent(format!("there is no queue {queue}")));
        }
    }
    let marked = async {
        archive::returned(&mut tx, *number, ctx.now(), plan.request.id).await?;
        Ok::<_, db::Error>(tx.commit().await?)
    };
    marked.await.map_err(|error| {
        PlanError::Unrecorded(format!(
            "it lies in {queue} again, but copy {number} could not be marked as put back: {error}"
        ))
    })?;
    session.finish();
    Ok(())
}

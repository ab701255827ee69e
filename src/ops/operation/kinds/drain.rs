//! Delivering what is pending, now and on one thing: the relay's own pass.

use std::pin::pin;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::PgConnection;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::super::{
    check::{Check, Verdict},
    context::Context,
    error::PlanError,
    messages::{Messages, Waiting},
    outcome::{Outcome, Progress},
    plan::{Effect, Plan, PlanRequest, Steps},
    record::{Recorded, on_record},
};
use crate::{
    db::{
        self,
        ownership::{self, Owner},
        paused::{self, PausedOutbox},
        relay::{self as table, MOST_COUNTED, OutboxTables},
    },
    domain::{
        diagnosis::Inbound,
        id,
        text::{counted, thousands},
    },
    ops::{
        delivery::{self, Delivery, QUIET, Scope, Stats},
        policy::Policy,
    },
};

pub(super) fn title(scope: Scope) -> String {
    match scope {
        Scope::All => "deliver everything that is pending".to_owned(),
        Scope::Outbox(outbox) => format!("deliver outbox {}", id::short(outbox)),
        Scope::ConsumerOutbox(consumer_outbox) => {
            format!("deliver for consumer {}", id::short(consumer_outbox.consumer_id))
        }
    }
}

pub(super) fn options(scope: Scope) -> Vec<String> {
    match scope {
        Scope::All => vec!["--all".to_owned()],
        Scope::Outbox(outbox) => vec!["--outbox".to_owned(), outbox.to_string()],
        Scope::ConsumerOutbox(consumer_outbox) => {
            vec![
                "--consumer".to_owned(),
                format!("{}:{}", consumer_outbox.message_id, consumer_outbox.consumer_id),
            ]
        }
    }
}

/// Counts what waits, and asks whether it may be delivered.
pub(super) async fn plan(
    ctx: &Context<'_>,
    request: &PlanRequest,
    scope: Scope,
    stop: &CancellationToken,
) -> Result<Plan, PlanError> {
    let writer = ctx.writer()?;
    let delivery = ctx.broker()?.delivery(writer)?;
    let tables = OutboxTables::of(writer.layout())?;
    let asked = writer.db.read("messages drain", stop, async |conn| {
        let owner = ownership::look(conn).await?;
        let held = paused::held(conn).await?;
        let ids: Vec<Uuid> = held.iter().map(|held| held.outbox.0).collect();
        let waiting = waits(conn, &tables, scope, &ids).await?;
        Ok((owner, held, waiting))
    });
    let (owner, held, (outboxes, messages, consumed)) = asked.await?;
    let mut waiting = Waiting { scope, outboxes, messages, blocked: None, notes: vec![] };
    match scope {
        Scope::All if !held.is_empty() => {
            let note = format!("{} outboxes are held by operators and stay", held.len());
            waiting.notes.push(note);
        }
        Scope::All => {}
        Scope::Outbox(id) => {
            waiting.blocked = held.iter().find(|held| held.outbox.0 == id).map(by_hand);
        }
        Scope::ConsumerOutbox(consumer_outbox) => {
            if consumed.is_some_and(|at| ctx.now() - at < QUIET) {
                waiting.blocked = Some("it may still be at work: try again in a minute".to_owned());
            } else if consumed.is_some() {
                waiting.blocked = in_the_way(delivery.inbound(consumer_outbox).await?);
            }
        }
    }
    if messages >= MOST_COUNTED {
        let note = format!("at least {MOST_COUNTED} messages; counting stopped there");
        waiting.notes.push(note);
    }
    if owner == Some(Owner::Service) {
        let note = "the database belongs to its service, whose own delivery goes on beside this";
        waiting.notes.push(note.to_owned());
    }
    waiting.notes.push(
        "these are not recorded as delivered; after a crash some may be out already, and then come twice"
            .to_owned(),
    );
    Ok(plan_of(request, waiting, ctx.policy(), ctx.now()))
}

/// The plan that what waits comes to.
#[must_use]
pub fn plan_of(
    request: &PlanRequest,
    waiting: Waiting,
    policy: &Policy,
    now: DateTime<Utc>,
) -> Plan {
    let mut checks: Vec<_> =
        waiting.blocked.iter().map(|why| Check::new(Verdict::Blocking, why.clone())).collect();
    if waiting.messages == 0 {
        checks.push(Check::new(Verdict::Nothing, "nothing is pending there"));
    }
    checks.extend(waiting.notes.iter().map(|note| Check::new(Verdict::Warn, note.clone())));
    let number = |number: i64| usize::try_from(number).unwrap_or_default();
    let messages = counted(number(waiting.messages), "message");
    let (place, what) = match waiting.scope {
        Scope::All => {
            let boxes = if waiting.outboxes == 1 { "outbox" } else { "outboxes" };
            let outboxes = thousands(waiting.outboxes);
            ("outboxes", format!("{messages} of {outboxes} {boxes}, in order inside each"))
        }
        Scope::Outbox(_) => ("outbox", format!("{messages}, in their order")),
        Scope::ConsumerOutbox(_) => {
            ("inbox row", format!("{messages} of its consumer, in their order"))
        }
    };
    Plan {
        checks,
        effects: vec![Effect::told(place, what)],
        cli_equivalent: request.cli_equivalent(None, policy, false),
        ..Plan::new(request, policy, now, Steps::BrokerMessages(Messages::Drain(waiting)))
    }
}

/// Why a held outbox is not delivered.
fn by_hand(held: &PausedOutbox) -> String {
    format!("it is held by {} since {}; release it first", held.by, held.at.format("%F %T UTC"))
}

/// Outboxes and messages that wait there, without those `apart`; for a consumer, when it did its work.
async fn waits(
    conn: &mut PgConnection,
    tables: &OutboxTables,
    scope: Scope,
    apart: &[Uuid],
) -> Result<(i64, i64, Option<DateTime<Utc>>), db::Error> {
    let (apart, only) = match scope {
        Scope::All => (apart, None),
        Scope::Outbox(id) => (&[][..], Some(id)),
        Scope::ConsumerOutbox(consumer_outbox) => {
            let found = table::consumer_outbox_waiting(conn, tables, consumer_outbox).await?;
            return Ok(found.map_or((0, 0, None), |(messages, at)| (1, messages, Some(at))));
        }
    };
    let (outboxes, messages) = table::waiting(conn, tables, apart, only).await?;
    Ok((outboxes, messages, None))
}

/// Why a half-done consumer is left to itself.
fn in_the_way(inbound: Inbound) -> Option<String> {
    match inbound {
        Inbound::Gone => None,
        Inbound::Waits => Some(
            "its message is still in the queue or the error queue and finishes it when it comes again; replay it \
             from there"
                .to_owned(),
        ),
        Inbound::Unknown => Some(
            "it is not known whether its message may come again: name the consumer in messages.consumers, and \
             errors.management where the service is running"
                .to_owned(),
        ),
    }
}

/// Delivers until nothing is pending there.
pub(super) async fn run(
    ctx: &Context<'_>,
    plan: &Plan,
    waiting: &Waiting,
    progress: &watch::Sender<Progress>,
    stop: &CancellationToken,
) -> Result<Outcome, PlanError> {
    let delivery = ctx.broker()?.delivery(ctx.writer()?)?;
    if let Scope::ConsumerOutbox(consumer_outbox) = waiting.scope
        && let Some(why) = in_the_way(delivery.inbound(consumer_outbox).await?)
    {
        // Its message came back since it was planned.
        return Err(PlanError::NotSent(why));
    }
    let targets = plan.request.operation.targets();
    let meant = json!({
        "plan": plan.title,
        "outboxes": waiting.outboxes,
        "messages": waiting.messages,
        "notes": waiting.notes,
    });
    let ended = on_record(ctx, plan, targets, &meant, async || {
        let (ended, stats) = delivering(ctx, &*delivery, waiting, progress, stop).await;
        let became = became(ctx, waiting.scope, &ended, &stats, stop).await;
        (became, ended.map_err(PlanError::from))
    })
    .await?;
    Ok(outcome(&plan.request, waiting, &ended, stop.is_cancelled()))
}

/// How it ended, for the record.
async fn became(
    ctx: &Context<'_>,
    scope: Scope,
    ended: &Result<Stats, delivery::Error>,
    stats: &Stats,
    stop: &CancellationToken,
) -> Value {
    let mut became = json!({
        "delivered": stats.delivered,
        "recovered": stats.recovered,
        "returned": stats.returned,
        "unknown": stats.unknown,
        "failed": stats.failed,
        "held": stats.held.iter().map(|held| {
            let mut fields = held.outbox.fields();
            fields.insert("sequence".to_owned(), json!(held.sequence));
            fields.insert("why".to_owned(), json!(held.why));
            fields
        }).collect::<Vec<_>>(),
    });
    let why = match ended {
        Ok(_) => stop.is_cancelled().then(|| "by the operator".to_owned()),
        Err(error) => Some(error.to_string()),
    };
    if let Some(why) = why {
        // Where it cannot be seen any more, how far it came is told by the counts alone.
        let left = left(ctx, scope).await.unwrap_or(Value::Null);
        if ended.is_err() || left["messages"] != json!(0) {
            became["stopped"] = json!(why);
            became["left"] = left;
        }
    }
    became
}

/// What still waits, and with which message it would go on.
async fn left(ctx: &Context<'_>, scope: Scope) -> Result<Value, PlanError> {
    // What stopped the work does not stop this look.
    let stop = CancellationToken::new();
    let writer = ctx.writer()?;
    let tables = OutboxTables::of(writer.layout())?;
    let asked = writer.db.read("messages drain", &stop, async |conn| {
        let held = paused::held(conn).await?;
        let ids: Vec<Uuid> = held.iter().map(|held| held.outbox.0).collect();
        let (_, messages, _) = waits(conn, &tables, scope, &ids).await?;
        let next = match scope {
            Scope::All => table::next_waiting(conn, &tables, &ids, None).await?,
            Scope::Outbox(id) => table::next_waiting(conn, &tables, &[], Some(id)).await?,
            Scope::ConsumerOutbox(_) => None,
        };
        Ok((messages, next))
    });
    let (messages, next) = asked.await?;
    let next = next.map(|(outbox, sequence)| json!({ "outbox": outbox, "sequence": sequence }));
    Ok(json!({ "messages": messages, "next": next }))
}

/// Delivers until nothing is pending there; how it ended, and what it did until then.
async fn delivering(
    ctx: &Context<'_>,
    delivery: &dyn Delivery,
    waiting: &Waiting,
    progress: &watch::Sender<Progress>,
    stop: &CancellationToken,
) -> (Result<Stats, delivery::Error>, Stats) {
    let (sender, mut stats) = watch::channel(Stats::default());
    let delivered = delivery.deliver(waiting.scope, ctx.clock.clone(), stop.clone(), sender);
    let mut work = pin!(delivered);
    loop {
        tokio::select! {
            ended = &mut work => {
                let stats = stats.borrow().clone();
                return (ended, stats);
            }
            Ok(()) = stats.changed() => {
                progress.send_replace(far(&stats.borrow_and_update(), waiting));
            }
        }
    }
}

fn far(stats: &Stats, waiting: &Waiting) -> Progress {
    Progress {
        done: stats.recorded(),
        warnings: stats.warnings(),
        of: u64::try_from(waiting.messages).unwrap_or_default(),
        hindered: stats.hindrances(),
        ..Progress::default()
    }
}

/// What it came to, in words. `stopped`: it was told to.
pub(super) fn outcome(
    request: &PlanRequest,
    waiting: &Waiting,
    ended: &Recorded<Stats>,
    stopped: bool,
) -> Outcome {
    let stats = &ended.outcome;
    let went = stats.recorded();
    let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let mut told = format!("{} delivered", counted(number(went), "message"));
    let left = waiting.left(stats);
    let stopped = stopped && left > 0;
    if stopped {
        told = format!("stopped: {told}, {left} left where they are");
    }
    let mut more: Vec<_> = stats.warnings().iter().map(ToString::to_string).collect();
    more.extend(stats.doubts.iter().map(ToString::to_string));
    let held = stats
        .held
        .iter()
        .map(|held| format!("{} is held at {}: {}", held.outbox.short(), held.sequence, held.why));
    more.extend(held);
    more.extend(ended.doubt());
    Outcome {
        more,
        partly: stopped || !stats.held.is_empty(),
        items: Some(delivery::figures(stats)),
        ..Outcome::new(request, Some(ended.audit), told)
    }
}

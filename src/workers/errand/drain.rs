//! Delivering what is pending, now and on one thing: the relay's own pass, on record.

use std::pin::pin;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::PgConnection;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Error, Progress, Recorded, Tools};
use crate::{
    db::{
        self,
        ownership::{self, Owner},
        paused::{self, PausedOutbox},
        relay::{self as table, MOST_COUNTED},
    },
    domain::diagnosis::Inbound,
    ops::running,
    workers::relay::{self, Scope, Stats, Until},
};

/// As audit and policies name it.
pub const INTENT: &str = "DrainOutbox";
/// What is typed to run it.
pub const WORD: &str = "DRAIN";
/// How it is taken back.
pub const UNDO: &str = "none: what is delivered is delivered";

/// What would be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    pub scope: Scope,
    pub title: String,
    pub targets: Vec<String>,
    pub outboxes: i64,
    pub messages: i64,
    /// What speaks against it.
    pub blocked: Option<String>,
    pub notes: Vec<String>,
}

impl Waiting {
    /// Of its messages, those that are not recorded as delivered after this much was done.
    #[must_use]
    pub fn left(&self, stats: &Stats) -> u64 {
        u64::try_from(self.messages).unwrap_or_default().saturating_sub(stats.recorded())
    }
}

/// Counts what waits, and asks whether it may be delivered.
///
/// # Errors
/// When database or broker cannot be asked, or the database is none that can be delivered from.
pub async fn look(tools: &Tools<'_>, settings: &relay::Settings) -> Result<Waiting, Error> {
    let (writer, scope) = (tools.writer, settings.scope);
    table::can_work(writer.layout())?;
    let asked = writer.db.read("messages drain", &tools.stop, async |conn| {
        let owner = ownership::look(conn).await?;
        let held = paused::held(conn).await?;
        let ids: Vec<Uuid> = held.iter().map(|held| held.outbox.0).collect();
        let waiting = waits(conn, scope, &ids).await?;
        Ok((owner, held, waiting))
    });
    let (owner, held, (outboxes, messages, consumed)) = asked.await?;
    let mut plan = Waiting {
        scope,
        title: String::new(),
        targets: vec![],
        outboxes,
        messages,
        blocked: None,
        notes: vec![],
    };
    match scope {
        Scope::All => {
            "deliver everything that is pending".clone_into(&mut plan.title);
            if !held.is_empty() {
                plan.notes.push(format!("{} outboxes are held by operators and stay", held.len()));
            }
        }
        Scope::Outbox(id) => {
            plan.title = format!("deliver outbox {id}");
            plan.targets = vec![id.to_string()];
            plan.blocked = held.iter().find(|held| held.outbox.0 == id).map(by_hand);
        }
        Scope::ConsumerOutbox(half) => {
            plan.title = format!("deliver for consumer {}", half.consumer_id);
            plan.targets = vec![half.message_id.to_string(), half.consumer_id.to_string()];
            if consumed.is_some_and(|at| (tools.clock)() - at < relay::QUIET) {
                plan.blocked = Some("it may still be at work: try again in a minute".to_owned());
            } else if consumed.is_some() {
                plan.blocked = in_the_way(relay::inbound(settings, half).await?);
            }
        }
    }
    if messages >= MOST_COUNTED {
        plan.notes.push(format!("at least {MOST_COUNTED} messages; counting stopped there"));
    }
    if owner == Some(Owner::Service) {
        let note = "the database belongs to its service, whose own delivery goes on beside this";
        plan.notes.push(note.to_owned());
    }
    plan.notes.push(
        "these are not recorded as delivered; after a crash some may be out already, and then come twice"
            .to_owned(),
    );
    Ok(plan)
}

/// Why a held outbox is not delivered.
fn by_hand(held: &PausedOutbox) -> String {
    format!("it is held by {} since {}; release it first", held.by, held.at.format("%F %T UTC"))
}

/// Outboxes and messages that wait there, without those `apart`; for a consumer, when it did its work.
async fn waits(
    conn: &mut PgConnection,
    scope: Scope,
    apart: &[Uuid],
) -> Result<(i64, i64, Option<DateTime<Utc>>), db::Error> {
    let (apart, only) = match scope {
        Scope::All => (apart, None),
        Scope::Outbox(id) => (&[][..], Some(id)),
        Scope::ConsumerOutbox(half) => {
            let found = table::consumer_outbox_waiting(conn, half).await?;
            return Ok(found.map_or((0, 0, None), |(messages, at)| (1, messages, Some(at))));
        }
    };
    let (outboxes, messages) = table::waiting(conn, apart, only).await?;
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

/// The plan as a record and as JSON.
#[must_use]
pub fn value(waiting: &Waiting) -> Value {
    json!({
        "plan": waiting.title,
        "outboxes": waiting.outboxes,
        "messages": waiting.messages,
        "blocked": waiting.blocked,
        "notes": waiting.notes,
    })
}

/// Does it: recorded as meant, delivered until nothing waits there, recorded as it ended.
///
/// # Errors
/// When it cannot be recorded (nothing was done then), and when database or broker fail for good.
pub async fn carry_out(
    tools: &Tools<'_>,
    mut settings: relay::Settings,
    waiting: &Waiting,
    reason: &str,
) -> Result<Recorded<Stats>, Error> {
    // Whoever drains has seen whose it is: the plan says so.
    settings.beside_service = true;
    if let Scope::ConsumerOutbox(half) = settings.scope
        && let Some(why) = in_the_way(relay::inbound(&settings, half).await?)
    {
        // Its message came back since it was planned.
        return Err(Error::Blocked(why));
    }
    let (writer, clock) = (tools.writer, &tools.clock);
    let (targets, meant) = (waiting.targets.clone(), value(waiting));
    let record = running::begin(writer, INTENT, targets, reason, &meant, clock()).await?;
    let (ended, stats) = delivering(tools, settings, waiting).await;
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
    let why = match &ended {
        Ok(_) => tools.stop.is_cancelled().then(|| "by the operator".to_owned()),
        Err(error) => Some(error.to_string()),
    };
    if let Some(why) = why {
        // Where it cannot be seen any more, how far it came is told by the counts alone.
        let left = left(tools, waiting.scope).await.unwrap_or(Value::Null);
        if ended.is_err() || left["messages"] != json!(0) {
            became["stopped"] = json!(why);
            became["left"] = left;
        }
    }
    let unrecorded = record.end(&became, clock()).await.err().map(|error| error.to_string());
    let (id, audit) = (record.id, record.audit);
    Ok(Recorded { id, audit, unrecorded, outcome: ended? })
}

/// What still waits, and with which message it would go on.
async fn left(tools: &Tools<'_>, scope: Scope) -> Result<Value, Error> {
    // What stopped the work does not stop this look.
    let stop = CancellationToken::new();
    let asked = tools.writer.db.read("messages drain", &stop, async |conn| {
        let held = paused::held(conn).await?;
        let ids: Vec<Uuid> = held.iter().map(|held| held.outbox.0).collect();
        let (_, messages, _) = waits(conn, scope, &ids).await?;
        let next = match scope {
            Scope::All => table::next_waiting(conn, &ids, None).await?,
            Scope::Outbox(id) => table::next_waiting(conn, &[], Some(id)).await?,
            Scope::ConsumerOutbox(_) => None,
        };
        Ok((messages, next))
    });
    let (messages, next) = asked.await?;
    let next = next.map(|(outbox, sequence)| json!({ "outbox": outbox, "sequence": sequence }));
    Ok(json!({ "messages": messages, "next": next }))
}

/// Delivers until nothing waits there; how it ended, and what it did until then.
async fn delivering(
    tools: &Tools<'_>,
    settings: relay::Settings,
    waiting: &Waiting,
) -> (Result<Stats, relay::Error>, Stats) {
    let (sender, mut stats) = watch::channel(Stats::default());
    let (clock, stop) = (tools.clock.clone(), tools.stop.clone());
    let mut work = pin!(relay::run(settings, Until::Empty, clock, stop, sender));
    loop {
        tokio::select! {
            ended = &mut work => {
                let stats = stats.borrow().clone();
                return (ended, stats);
            }
            Ok(()) = stats.changed() => {
                let progress = progress(&stats.borrow_and_update(), waiting);
                tools.progress.send_replace(progress);
            }
        }
    }
}

fn progress(stats: &Stats, waiting: &Waiting) -> Progress {
    let held = stats.held.iter().map(ToString::to_string);
    Progress {
        done: stats.recorded(),
        warnings: stats.warnings(),
        of: u64::try_from(waiting.messages).unwrap_or_default(),
        hindered: stats.trouble.iter().cloned().chain(held).collect(),
    }
}

//! `orderscope messages drain`: the relay's own pass, now and on one thing.

use std::io::Write;

use chrono::Utc;
use serde_json::{Value, json};
use sqlx::postgres::PgConnectOptions;
use uuid::Uuid;

use super::{
    Failure, Outcome,
    args::{Drain, Global},
    ask::{self, Said},
    card::{self, Head},
    exit, open, relay as verb, running,
};
use crate::{
    config::{self, Settings},
    db::{
        holds::{self, Held},
        ownership::Owner,
        relay::{self as table, Half, MOST_COUNTED},
    },
    domain::{
        diagnosis::Inbound,
        report::{Cell, Form, Table, print_json},
    },
    ops::{plan::Writer, running as record},
    relay::Broker,
    session::Session,
    workers::relay::{self, Scope, Until},
};

/// As audit and policies name it.
const INTENT: &str = "DrainOutbox";

/// What would be delivered.
struct Plan {
    title: String,
    targets: Vec<String>,
    outboxes: i64,
    messages: i64,
    /// What speaks against it.
    blocked: Option<String>,
    notes: Vec<String>,
}

pub(super) async fn run(args: &Drain, global: &Global, settings: &Settings) -> Outcome {
    let scope = scope(args)?;
    let (url, password) = config::broker(args.amqp_url.as_deref(), settings)?;
    let broker = Broker::parse(&url, password)?;
    running::with(&args.run, global, settings, INTENT, async |session, writer| {
        let options: &PgConnectOptions = session.db.options();
        let mut work = verb::settings(settings, options, broker)?;
        work.limits = open::limits(settings);
        work.journal = Some(verb::journal(session.db.place()));
        work.scope = scope;
        // Whoever drains has seen whose it is: the plan says so.
        work.beside_service = true;
        let plan = plan(session, &work).await?;
        let form = Form::from(args.output.output);
        if args.run.dry_run {
            show(&plan, form)?;
            return Ok(if plan.blocked.is_some() { exit::REFUSED } else { exit::FOUND });
        }
        agreed(args, &plan, session, writer)?;
        if plan.messages == 0 {
            let mut err = std::io::stderr().lock();
            writeln!(err, "nothing waits there")?;
            plan.notes.iter().try_for_each(|note| writeln!(err, "{note}"))?;
            return Ok(exit::NOTHING);
        }
        act(args, work, &plan, writer, form).await
    })
    .await
}

fn scope(args: &Drain) -> Result<Scope, Failure> {
    let id = |text: &str, what: &str| {
        text.trim()
            .parse::<Uuid>()
            .map_err(|_| Failure::usage(format!("{what} is a whole id, not {text:?}")))
    };
    if let Some(outbox) = &args.outbox {
        return Ok(Scope::Outbox(id(outbox, "--outbox")?));
    }
    let Some(pair) = &args.consumer else { return Ok(Scope::All) };
    let Some((message, consumer)) = pair.split_once(':') else {
        return Err(Failure::usage(
            "--consumer is the message's id, a colon and the consumer's id",
        ));
    };
    let (message_id, consumer_id) = (id(message, "the message")?, id(consumer, "the consumer")?);
    Ok(Scope::Half(Half { message_id, consumer_id }))
}

async fn plan(session: &Session, work: &relay::Settings) -> Result<Plan, Failure> {
    let stop = tokio_util::sync::CancellationToken::new();
    table::can_work(&session.layout)?;
    let read = |scope: Scope| {
        session.db.read("messages drain", &stop, async move |conn| {
            let owner = crate::db::ownership::look(conn).await?;
            let held = holds::held(conn).await?;
            let ids: Vec<Uuid> = held.iter().map(|held| held.outbox.0).collect();
            let waiting = match scope {
                Scope::All => Some(no_time(table::waiting(conn, &ids, None).await?)),
                Scope::Outbox(id) => Some(no_time(table::waiting(conn, &[], Some(id)).await?)),
                Scope::Half(half) => {
                    let found = table::half_waiting(conn, half).await?;
                    found.map(|(messages, consumed)| (1, messages, Some(consumed)))
                }
            };
            Ok((owner, held, waiting))
        })
    };
    let (owner, held, waiting) = read(work.scope).await?;
    let (outboxes, messages, consumed) = waiting.unwrap_or_default();
    let mut plan = Plan {
        title: String::new(),
        targets: vec![],
        outboxes,
        messages,
        blocked: None,
        notes: vec![],
    };
    match work.scope {
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
        Scope::Half(half) => {
            plan.title = format!("deliver for consumer {}", half.consumer_id);
            plan.targets = vec![half.message_id.to_string(), half.consumer_id.to_string()];
            if consumed.is_some_and(|at| Utc::now() - at < relay::QUIET) {
                plan.blocked = Some("it may still be at work: try again in a minute".to_owned());
            } else if consumed.is_some() {
                plan.blocked = in_the_way(relay::inbound(work, half).await?);
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
fn by_hand(held: &Held) -> String {
    format!("it is held by {} since {}; release it first", held.by, held.at.format("%F %T UTC"))
}

const fn no_time((outboxes, messages): (i64, i64)) -> (i64, i64, Option<chrono::DateTime<Utc>>) {
    (outboxes, messages, None)
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

fn show(plan: &Plan, form: Form) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    if form == Form::Json {
        return Ok(print_json(&value(plan), &mut out)?);
    }
    let row = vec![
        Cell::Text(plan.title.clone()),
        Cell::number(plan.outboxes),
        Cell::number(plan.messages),
        Cell::maybe(plan.blocked.clone()),
    ];
    let columns = vec!["plan", "outboxes", "messages", "blocked"];
    Ok(Table { columns, rows: vec![row] }.print(form, &mut out)?)
}

fn value(plan: &Plan) -> Value {
    json!({
        "plan": plan.title,
        "outboxes": plan.outboxes,
        "messages": plan.messages,
        "blocked": plan.blocked,
        "notes": plan.notes,
    })
}

fn agreed(args: &Drain, plan: &Plan, session: &Session, writer: &Writer) -> Result<(), Failure> {
    let run = &args.run;
    if !run.yes && run.confirm.is_none() {
        let what = format!("{} messages of {} outboxes", plan.messages, plan.outboxes);
        let mut lines = vec![("delivers  ", what)];
        lines.extend(plan.notes.iter().map(|note| ("  note    ", note.clone())));
        lines.extend(plan.blocked.iter().map(|why| ("  BLOCK   ", why.clone())));
        lines.push(("undo      ", "none: what is delivered is delivered".to_owned()));
        let head = Head { title: &plan.title, command: INTENT, reason: run.reason.as_deref() };
        let sheet = card::sheet(head, writer, session.db.place(), &lines);
        write!(std::io::stderr().lock(), "{sheet}")?;
    }
    if let Some(why) = &plan.blocked {
        let message = format!("blocked: {why}; nothing was delivered");
        return Err(Failure { message, code: exit::REFUSED });
    }
    let said = Said { yes: run.yes, confirm: run.confirm.as_deref() };
    ask::confirmed(said, writer.policy(), "DRAIN")
}

async fn act(
    args: &Drain,
    work: relay::Settings,
    plan: &Plan,
    writer: &Writer,
    form: Form,
) -> Outcome {
    let reason = args.run.reason.as_deref().unwrap_or_default();
    let targets = plan.targets.clone();
    let record = record::begin(writer, INTENT, targets, reason, &value(plan), Utc::now()).await?;
    let ended = verb::drive(work, Until::Empty).await;
    let became = match &ended {
        Ok(stats) => json!({
            "delivered": stats.delivered,
            "recovered": stats.recovered,
            "returned": stats.returned,
            "unknown": stats.unknown,
            "failed": stats.failed,
            "held": stats.held.iter().map(|held| json!({
                "outbox": held.outbox, "sequence": held.sequence, "why": held.why,
            })).collect::<Vec<_>>(),
        }),
        Err(failure) => json!({ "stopped": failure.message }),
    };
    let recorded = record.end(&became, Utc::now()).await;
    let stats = ended?;
    verb::table(&stats).print(form, &mut std::io::stdout().lock())?;
    let mut err = std::io::stderr().lock();
    for held in &stats.held {
        writeln!(err, "held at {}: {}", held.sequence, crate::domain::text::clean(&held.why))?;
    }
    if let Err(error) = recorded {
        writeln!(err, "what became of it is not on record: {error}")?;
    }
    writeln!(err, "audit {}, operation {}", record.audit, record.id)?;
    Ok(if stats.held.is_empty() { exit::FOUND } else { exit::PARTIAL })
}

//! `orderscope messages drain`: the relay's own pass, now and on one thing.

use std::io::Write;

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
    db::relay::ConsumerOutbox,
    domain::report::{Cell, Form, Table, print_json},
    ops::plan::Writer,
    relay::Broker,
    session::Session,
    workers::{
        errand::{Recorded, Waiting, drain},
        relay::{Scope, Stats},
    },
};

pub(super) async fn run(args: &Drain, global: &Global, settings: &Settings) -> Outcome {
    let scope = scope(args)?;
    let (url, password) = config::broker(args.amqp_url.as_deref(), settings)?;
    let broker = Broker::parse(&url, password)?;
    running::with(&args.run, global, settings, drain::INTENT, async |session, writer| {
        let options: &PgConnectOptions = session.db.options();
        let mut work = verb::settings(settings, options, broker)?;
        work.limits = open::limits(settings);
        work.send_log = Some(verb::send_log(session.db.place()));
        work.scope = scope;
        let (tools, progress) = running::tools(writer);
        let plan = drain::look(&tools, &work).await?;
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
        let reason = args.run.reason.as_deref().unwrap_or_default();
        let work = Box::pin(drain::carry_out(&tools, work, &plan, reason));
        let ended = running::driven(&tools, progress, work).await??;
        let left = plan.left(&ended.outcome);
        let stopped = (tools.stop.is_cancelled() && left > 0).then_some(left);
        told(&ended, stopped, form)
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
    Ok(Scope::ConsumerOutbox(ConsumerOutbox { message_id, consumer_id }))
}

fn show(plan: &Waiting, form: Form) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    if form == Form::Json {
        return Ok(print_json(&drain::value(plan), &mut out)?);
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

fn agreed(args: &Drain, plan: &Waiting, session: &Session, writer: &Writer) -> Result<(), Failure> {
    let run = &args.run;
    if !run.yes && run.confirm.is_none() {
        let what = format!("{} messages of {} outboxes", plan.messages, plan.outboxes);
        let mut lines = vec![("delivers  ", what)];
        lines.extend(plan.notes.iter().map(|note| ("  note    ", note.clone())));
        lines.extend(plan.blocked.iter().map(|why| ("  BLOCK   ", why.clone())));
        lines.push(("undo      ", drain::UNDO.to_owned()));
        let head =
            Head { title: &plan.title, command: drain::INTENT, reason: run.reason.as_deref() };
        let sheet = card::sheet(head, writer, session.db.place(), &lines);
        write!(std::io::stderr().lock(), "{sheet}")?;
    }
    if let Some(why) = &plan.blocked {
        let message = format!("blocked: {why}; nothing was delivered");
        return Err(Failure { message, code: exit::REFUSED });
    }
    let said = Said { yes: run.yes, confirm: run.confirm.as_deref() };
    ask::confirmed(said, writer.policy(), drain::WORD)
}

/// Prints what was delivered, and what is left where it was stopped, and yields the exit code.
fn told(ended: &Recorded<Stats>, stopped: Option<u64>, form: Form) -> Outcome {
    let stats = &ended.outcome;
    verb::table(stats).print(form, &mut std::io::stdout().lock())?;
    let mut err = std::io::stderr().lock();
    if let Some(left) = stopped {
        writeln!(err, "stopped: {left} messages are left where they are")?;
    }
    for doubt in &stats.doubts {
        writeln!(err, "{doubt}")?;
    }
    for held in &stats.held {
        writeln!(err, "{}", crate::domain::text::clean(&held.to_string()))?;
    }
    if let Some(error) = &ended.unrecorded {
        writeln!(err, "what became of it is not on record: {error}")?;
    }
    writeln!(err, "audit {}, operation {}", ended.audit, ended.id)?;
    let all = stats.held.is_empty() && stopped.is_none();
    Ok(if all { exit::FOUND } else { exit::PARTIAL })
}

//! `orderscope errors …`

use std::io::Write;

use chrono::TimeDelta;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{
    Failure, Outcome,
    args::{ErrorPick, ErrorScope, ErrorWork, Errors, Global, RunArgs},
    ask::{self, Said},
    card::{self, Head},
    clock, exit, open, running,
};
use crate::{
    config::{self, Settings},
    domain::report::{Cell, Form, Table, print_json},
    ops::{
        error_queue::{self, Choice, ErrorAction, Listing, Pick, Scope, Source, choose, report},
        plan::Writer,
    },
    relay::{Broker, Limits, Management},
    session::Session,
    workers::errand::{self, Errors as Work, Recorded, restore},
};

/// So many messages are named in a plan.
const SHOWN: usize = 20;

pub(super) async fn run(verb: Errors, global: &Global, settings: &Settings) -> Outcome {
    match verb {
        Errors::List { scope, output } => {
            let listing = looked(&scope, global, settings).await?;
            let form = Form::from(output.output);
            let table = report::messages(&listing.found).in_zone(settings.zone);
            table.print(form, &mut std::io::stdout().lock())?;
            told(&listing)
        }
        Errors::Groups { scope, output } => {
            let listing = looked(&scope, global, settings).await?;
            let form = Form::from(output.output);
            let table = report::groups(&listing).in_zone(settings.zone);
            table.print(form, &mut std::io::stdout().lock())?;
            told(&listing)
        }
        Errors::Show { key, stack, scope } => show(key, stack, &scope, global, settings).await,
        Errors::Replay { pick, work, run_again, scope } => {
            let pick = picked(pick, run_again);
            let errors = Work { deed: ErrorAction::Replay, pick, rate: work.rate };
            carry_out(&errors, &work, &scope, global, settings).await
        }
        Errors::Discard { pick, work, scope } => {
            let pick = picked(pick, true);
            let errors = Work { deed: ErrorAction::Discard, pick, rate: work.rate };
            carry_out(&errors, &work, &scope, global, settings).await
        }
        Errors::Restore { number, run, amqp_url, output } => {
            let form = Form::from(output.output);
            restore(number, amqp_url.as_deref(), &run, form, global, settings).await
        }
    }
}

fn picked(pick: ErrorPick, again: bool) -> Pick {
    match pick {
        ErrorPick { all: true, .. } => Pick::All,
        ErrorPick { group: Some(group), .. } => Pick::Group(group.to_ascii_lowercase()),
        ErrorPick { keys, .. } => {
            let keys = keys.iter().map(|key| key.to_ascii_lowercase()).collect();
            Pick::Keys { keys, again }
        }
    }
}

/// The broker and its queues as the configuration names them.
pub(super) fn source(url: Option<&str>, settings: &Settings) -> Result<Source, Failure> {
    let (url, password) = config::broker(url, settings)?;
    let broker = Broker::parse(&url, password)?;
    let file = &settings.file.errors;
    let scope = Scope {
        queues: file.queues.clone(),
        consumers: settings.consumers.clone(),
        // Where it is not said, the oldest delivered row tells.
        window: settings
            .file
            .messages
            .duplicate_window
            .map(|seconds| TimeDelta::seconds(i64::from(seconds))),
        management: file.management.as_deref().map(Management::parse).transpose()?,
        limits: Limits::default(),
    };
    Ok(Source { broker, scope })
}

/// What the arguments and the configuration say.
fn scoped(given: &ErrorScope, settings: &Settings) -> Result<(Broker, Scope), Failure> {
    let Source { broker, mut scope } = source(given.amqp_url.as_deref(), settings)?;
    if !given.queues.is_empty() {
        scope.queues.clone_from(&given.queues);
    }
    scope.limits.messages = u32::from(given.limit);
    Ok((broker, scope))
}

async fn looked(
    given: &ErrorScope,
    global: &Global,
    settings: &Settings,
) -> Result<Listing, Failure> {
    let (broker, scope) = scoped(given, settings)?;
    let session = open::open(global, settings).await?;
    let listing = list(&broker, &session, &scope).await;
    session.close().await;
    Ok(listing?)
}

async fn list(
    broker: &Broker,
    session: &Session,
    scope: &Scope,
) -> Result<Listing, error_queue::Error> {
    let stop = CancellationToken::new();
    error_queue::list(broker, &session.db, &session.layout, scope, clock::now(), &stop).await
}

/// The notes beside the answer, and the exit code.
fn told(listing: &Listing) -> Outcome {
    let mut err = std::io::stderr().lock();
    for note in &listing.notes {
        writeln!(err, "{}", crate::domain::text::clean(note))?;
    }
    if listing.found.is_empty() && listing.is_whole() {
        writeln!(err, "nothing lies in these queues")?;
    }
    Ok(match (listing.is_whole(), listing.found.is_empty()) {
        (false, _) => exit::PARTIAL,
        (true, true) => exit::NOTHING,
        (true, false) => exit::FOUND,
    })
}

async fn show(
    key: String,
    stack: bool,
    scope: &ErrorScope,
    global: &Global,
    settings: &Settings,
) -> Outcome {
    let listing = looked(scope, global, settings).await?;
    let pick = Pick::Keys { keys: vec![key.to_ascii_lowercase()], again: true };
    let choice = choose(&listing.found, &pick, ErrorAction::Discard)?;
    let meant = |found: &&error_queue::FoundFault| {
        choice.chosen.iter().any(|chosen| chosen.key == found.fault.key)
    };
    let all: Vec<_> = listing.found.iter().filter(meant).collect();
    let all = all.into_iter().map(|found| report::detail(found, stack)).collect();
    print_json(&Value::Array(all), &mut std::io::stdout().lock())?;
    Ok(exit::FOUND)
}

async fn carry_out(
    errors: &Work,
    work: &ErrorWork,
    given: &ErrorScope,
    global: &Global,
    settings: &Settings,
) -> Outcome {
    if matches!(&errors.pick, Pick::Keys { keys, .. } if keys.is_empty()) {
        return Err(Failure::usage("name messages by their keys, or give --group or --all"));
    }
    let (broker, scope) = scoped(given, settings)?;
    let source = Source { broker, scope };
    let (run, deed) = (&work.run, errors.deed);
    running::with(run, global, settings, deed.intent(), async |session, writer| {
        let (tools, progress) = running::tools(writer);
        let chosen = errand::errors::look(&tools, &source, errors).await?.work;
        let form = Form::from(work.output.output);
        if run.dry_run || chosen.choice.chosen.is_empty() {
            return preview(&chosen.choice, deed, form);
        }
        agreed(&chosen, run, session, writer)?;
        let reason = run.reason.as_deref().unwrap_or_default();
        let work = Box::pin(errand::errors::carry_out(&tools, &source, &chosen, reason));
        let ended = running::driven(&tools, progress, work).await??;
        told_end(&ended, deed, form)
    })
    .await
}

/// Puts a discarded message back into its error queue.
async fn restore(
    number: i64,
    url: Option<&str>,
    run: &RunArgs,
    form: Form,
    global: &Global,
    settings: &Settings,
) -> Outcome {
    let source = source(url, settings)?;
    running::with(run, global, settings, restore::INTENT, async |session, writer| {
        let (tools, progress) = running::tools(writer);
        let plan = restore::look(&tools, &source, number).await?;
        if run.dry_run {
            print_json(&restore::value(&plan), &mut std::io::stdout().lock())?;
            return Ok(if plan.blocked.is_some() { exit::REFUSED } else { exit::FOUND });
        }
        if !run.yes && run.confirm.is_none() {
            let title = format!("put copy {number} back into {}", plan.queue);
            let mut lines =
                vec![("publishes ", format!("{} bytes, as they were kept", plan.bytes))];
            lines.extend(plan.notes.iter().map(|note| ("  note    ", note.clone())));
            lines.extend(plan.blocked.iter().map(|why| ("  BLOCK   ", why.clone())));
            lines.push(("undo      ", restore::UNDO.to_owned()));
            let head =
                Head { title: &title, command: restore::INTENT, reason: run.reason.as_deref() };
            let sheet = card::sheet(head, writer, session.db.place(), &lines);
            write!(std::io::stderr().lock(), "{sheet}")?;
        }
        if let Some(why) = plan.blocked {
            return Err(errand::Error::Blocked(why).into());
        }
        let said = Said { yes: run.yes, confirm: run.confirm.as_deref() };
        ask::confirmed(said, writer.policy(), restore::WORD)?;
        let reason = run.reason.as_deref().unwrap_or_default();
        let work = Box::pin(restore::carry_out(&tools, &source, &plan, reason));
        let ended = running::driven(&tools, progress, work).await??;
        let row = vec![Cell::number(number), Cell::Text(plan.queue), Cell::number(ended.audit)];
        let table = Table { columns: vec!["copy", "queue", "audit"], rows: vec![row] };
        table.print(form, &mut std::io::stdout().lock())?;
        if let Some(error) = &ended.unrecorded {
            writeln!(std::io::stderr(), "what became of it is not on record: {error}")?;
        }
        Ok(exit::FOUND)
    })
    .await
}

/// Prints the plan. Nothing is done.
fn preview(choice: &Choice, deed: ErrorAction, form: Form) -> Outcome {
    report::plan(choice, deed).print(form, &mut std::io::stdout().lock())?;
    if choice.chosen.is_empty() {
        let mut err = std::io::stderr().lock();
        writeln!(err, "nothing was done: none of these may be {}", deed.past())?;
        return Ok(if choice.left.is_empty() { exit::NOTHING } else { exit::REFUSED });
    }
    Ok(exit::FOUND)
}

/// Shows the plan and asks. What may do work again is never done for `--yes` alone.
fn agreed(
    work: &error_queue::Work,
    run: &RunArgs,
    session: &Session,
    writer: &Writer,
) -> Result<(), Failure> {
    let (deed, choice) = (work.deed, &work.choice);
    let count = choice.chosen.len();
    if !run.yes && run.confirm.is_none() {
        let title = format!("{deed} {count} messages of error queues");
        let mut lines = vec![];
        for chosen in choice.chosen.iter().take(SHOWN) {
            let to = match (deed, &chosen.home) {
                (ErrorAction::Replay, Some(home)) => format!("to {home}: {}", chosen.why),
                _ => format!("a copy is kept: {}", chosen.why),
            };
            lines.push((format!("  {:<10.10} ", chosen.key.as_str()), to));
        }
        if count > SHOWN {
            lines.push((String::new(), format!("and {} more; --dry-run lists all", count - SHOWN)));
        }
        if !choice.left.is_empty() {
            lines.push((String::new(), format!("{} are left where they are", choice.left.len())));
        }
        lines.push(("undo      ".to_owned(), errand::errors::undo(deed).to_owned()));
        let lines: Vec<_> =
            lines.iter().map(|(label, text)| (label.as_str(), text.clone())).collect();
        let head = Head { title: &title, command: deed.intent(), reason: run.reason.as_deref() };
        let sheet = card::sheet(head, writer, session.db.place(), &lines);
        write!(std::io::stderr().lock(), "{sheet}")?;
    }
    let mut policy = writer.policy().clone();
    policy.typed |= errand::errors::may_repeat(work);
    let said = Said { yes: run.yes, confirm: run.confirm.as_deref() };
    ask::confirmed(said, &policy, deed.word())
}

/// Prints what was done, and yields the exit code.
fn told_end(ended: &Recorded<error_queue::Outcome>, deed: ErrorAction, form: Form) -> Outcome {
    let outcome = &ended.outcome;
    report::outcome(outcome, deed).print(form, &mut std::io::stdout().lock())?;
    let mut err = std::io::stderr().lock();
    if let Some(why) = &outcome.stopped {
        writeln!(err, "stopped: {}", crate::domain::text::clean(why))?;
    }
    if let Some(error) = &ended.unrecorded {
        writeln!(err, "what became of it is not on record: {error}")?;
    }
    let (count, past) = (outcome.done.len(), deed.past());
    writeln!(err, "{count} {past}; audit {}, operation {}", ended.audit, ended.id)?;
    let partly = outcome.stopped.is_some() || !outcome.left.is_empty();
    Ok(if partly { exit::PARTIAL } else { exit::FOUND })
}

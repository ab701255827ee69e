//! `orderscope errors …`

use std::{io::Write, time::Duration};

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{
    Failure, Outcome,
    args::{ErrorPick, ErrorScope, ErrorWork, Errors, Global, RunArgs},
    ask::{self, Said},
    card::{self, Head},
    exit, open, running,
};
use crate::{
    config::{self, Settings},
    domain::report::{Form, print_json},
    ops::{
        faults::{
            self, Choice, Deed, Knowledge, Listing, Pick, Scope, Source, TableKeep, Work, choose,
            report,
        },
        plan::Writer,
        running as record,
    },
    relay::{Broker, Limits, Management},
    session::Session,
};

/// So many messages are named in a plan.
const SHOWN: usize = 20;

impl From<crate::relay::Error> for Failure {
    fn from(error: crate::relay::Error) -> Self {
        use crate::relay::Error as Broker;
        let code = match error {
            Broker::Url(_) | Broker::ManagementUrl(_) => exit::USAGE,
            Broker::Login { .. } | Broker::Refused { .. } => exit::REFUSED,
            _ => exit::UNREACHABLE,
        };
        Self { message: error.to_string(), code }
    }
}

impl From<faults::Error> for Failure {
    fn from(error: faults::Error) -> Self {
        let message = error.to_string();
        match error {
            faults::Error::Broker(error) => error.into(),
            faults::Error::NoKey(_) | faults::Error::NoGroup(_) => {
                Self { message, code: exit::NOTHING }
            }
            faults::Error::NoQueue | faults::Error::Ambiguous(_) => Self::usage(message),
        }
    }
}

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
            let pause = Duration::from_secs(1) / u32::from(work.rate);
            carry_out(Deed::Replay, &pick, &work, pause, &scope, global, settings).await
        }
        Errors::Discard { pick, work, scope } => {
            let pick = picked(pick, true);
            carry_out(Deed::Discard, &pick, &work, Duration::ZERO, &scope, global, settings).await
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

async fn list(broker: &Broker, session: &Session, scope: &Scope) -> Result<Listing, faults::Error> {
    let stop = CancellationToken::new();
    faults::list(broker, &session.db, &session.layout, scope, Utc::now(), &stop).await
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
    let choice = choose(&listing.found, &pick, Deed::Discard)?;
    let meant =
        |found: &&faults::Found| choice.chosen.iter().any(|chosen| chosen.key == found.fault.key);
    let all: Vec<_> = listing.found.iter().filter(meant).collect();
    let all = all.into_iter().map(|found| report::detail(found, stack)).collect();
    print_json(&Value::Array(all), &mut std::io::stdout().lock())?;
    Ok(exit::FOUND)
}

async fn carry_out(
    deed: Deed,
    pick: &Pick,
    work: &ErrorWork,
    pause: Duration,
    given: &ErrorScope,
    global: &Global,
    settings: &Settings,
) -> Outcome {
    if matches!(pick, Pick::Keys { keys, .. } if keys.is_empty()) {
        return Err(Failure::usage("name messages by their keys, or give --group or --all"));
    }
    let (broker, scope) = scoped(given, settings)?;
    let run = &work.run;
    running::with(run, global, settings, deed.intent(), async |session, writer| {
        let listing = list(&broker, session, &scope).await?;
        let choice = choose(&listing.found, pick, deed)?;
        let form = Form::from(work.output.output);
        if run.dry_run || choice.chosen.is_empty() {
            return preview(&choice, deed, form);
        }
        agreed(&choice, deed, run, session, writer)?;
        let work = Work { deed, choice, pause, limits: scope.limits };
        act(&work, run, &broker, &scope, (session, writer), form).await
    })
    .await
}

/// Prints the plan. Nothing is done.
fn preview(choice: &Choice, deed: Deed, form: Form) -> Outcome {
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
    choice: &Choice,
    deed: Deed,
    run: &RunArgs,
    session: &Session,
    writer: &Writer,
) -> Result<(), Failure> {
    let again = deed == Deed::Replay && choice.chosen.iter().any(|one| one.verdict.may_repeat());
    let count = choice.chosen.len();
    if !run.yes && run.confirm.is_none() {
        let title = format!("{deed} {count} messages of error queues");
        let mut lines = vec![];
        for chosen in choice.chosen.iter().take(SHOWN) {
            let to = match (deed, &chosen.home) {
                (Deed::Replay, Some(home)) => format!("to {home}: {}", chosen.why),
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
        lines.push(("undo      ".to_owned(), undo(deed).to_owned()));
        let lines: Vec<_> =
            lines.iter().map(|(label, text)| (label.as_str(), text.clone())).collect();
        let head = Head { title: &title, command: deed.intent(), reason: run.reason.as_deref() };
        let sheet = card::sheet(head, writer, session.db.place(), &lines);
        write!(std::io::stderr().lock(), "{sheet}")?;
    }
    let mut policy = writer.policy().clone();
    policy.typed |= again;
    let said = Said { yes: run.yes, confirm: run.confirm.as_deref() };
    ask::confirmed(said, &policy, deed.word())
}

const fn undo(deed: Deed) -> &'static str {
    match deed {
        Deed::Replay => {
            "none: its consumer takes it; what fails again comes back to the error queue"
        }
        Deed::Discard => "copies are in orderscope.kept_messages",
    }
}

async fn act(
    work: &Work,
    run: &RunArgs,
    broker: &Broker,
    scope: &Scope,
    (session, writer): (&Session, &Writer),
    form: Form,
) -> Outcome {
    let deed = work.deed;
    let targets = work.choice.chosen.iter().filter_map(|chosen| chosen.message);
    let targets = targets.map(|id| id.to_string()).collect();
    let meant = work.choice.chosen.iter().map(|chosen| {
        json!({
            "key": chosen.key.as_str(),
            "queue": chosen.queue,
            "home": chosen.home,
            "message": chosen.message,
            "verdict": chosen.verdict.to_string(),
            "why": chosen.why,
        })
    });
    let meant = meant.collect();
    let reason = run.reason.as_deref().unwrap_or_default();
    let record = record::begin(writer, deed.intent(), targets, reason, &meant, Utc::now()).await?;
    let mut keep = TableKeep::new(writer, record.id);
    let stop = CancellationToken::new();
    let judge = async |fault: &crate::domain::fault::Fault| {
        let (now, faults) = (Utc::now(), std::slice::from_ref(fault));
        let never = CancellationToken::new();
        let asked = session.db.read("errors", &never, async |conn| {
            faults::knowledge(conn, &session.layout, faults, scope, now).await
        });
        let known = asked.await.unwrap_or_else(|_| Knowledge::unread(scope));
        known.judge(fault, now)
    };
    let mut working = std::pin::pin!(faults::run(broker, work, &mut keep, judge, &stop));
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let ended = loop {
        tokio::select! {
            ended = &mut working => break ended,
            _ = interrupt.recv() => stop.cancel(),
            _ = terminate.recv() => stop.cancel(),
        }
    };
    let became = match &ended {
        Ok(outcome) => report::outcome_value(outcome),
        Err(error) => json!({ "stopped": error.to_string() }),
    };
    let recorded = record.end(&became, Utc::now()).await;
    let outcome = ended?;
    report::outcome(&outcome, deed).print(form, &mut std::io::stdout().lock())?;
    let mut err = std::io::stderr().lock();
    if let Some(why) = &outcome.stopped {
        writeln!(err, "stopped: {}", crate::domain::text::clean(why))?;
    }
    if let Err(error) = recorded {
        writeln!(err, "what became of it is not on record: {error}")?;
    }
    let (count, past) = (outcome.done.len(), deed.past());
    writeln!(err, "{count} {past}; audit {}, operation {}", record.audit, record.id)?;
    let partly = outcome.stopped.is_some() || !outcome.left.is_empty();
    Ok(if partly { exit::PARTIAL } else { exit::FOUND })
}

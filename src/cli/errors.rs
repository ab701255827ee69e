//! `orderscope errors …`

use std::{io::Write, time::Duration};

use chrono::{TimeDelta, Utc};
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{
    Failure, Outcome,
    args::{ErrorPick, ErrorScope, ErrorWork, Errors, Global},
    exit, open,
};
use crate::{
    config::{self, Settings},
    domain::report::{Form, print_json},
    ops::faults::{
        self, Choice, Deed, FileKeep, Knowledge, Listing, Pick, Scope, Work, choose, report,
    },
    relay::{Broker, Limits, Management},
    session::Session,
};

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

/// What the arguments and the configuration say.
fn scoped(given: &ErrorScope, settings: &Settings) -> Result<(Broker, Scope), Failure> {
    let (url, password) = config::broker(given.amqp_url.as_deref(), settings)?;
    let broker = Broker::parse(&url, password)?;
    let file = &settings.file.errors;
    let queues = if given.queues.is_empty() { &file.queues } else { &given.queues };
    let scope = Scope {
        queues: queues.clone(),
        consumers: settings.consumers.clone(),
        window: file.inbox_window.map(|seconds| TimeDelta::seconds(i64::from(seconds))),
        management: file.management.as_deref().map(Management::parse).transpose()?,
        limits: Limits { messages: u32::from(given.limit), ..Limits::default() },
    };
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
    if *pick == (Pick::Keys { keys: vec![], again: false })
        || *pick == (Pick::Keys { keys: vec![], again: true })
    {
        return Err(Failure::usage("name messages by their keys, or give --group or --all"));
    }
    let (broker, scope) = scoped(given, settings)?;
    let session = open::open(global, settings).await?;
    let ended = async {
        let listing = list(&broker, &session, &scope).await?;
        let choice = choose(&listing.found, pick, deed)?;
        let form = Form::from(work.output.output);
        if work.dry_run || !work.yes || choice.chosen.is_empty() {
            return preview(&choice, deed, work, form);
        }
        act(deed, choice, work, pause, &broker, &scope, &session).await
    };
    let ended = ended.await;
    session.close().await;
    ended
}

/// Prints the plan. Nothing is done.
fn preview(choice: &Choice, deed: Deed, work: &ErrorWork, form: Form) -> Outcome {
    report::plan(choice, deed).print(form, &mut std::io::stdout().lock())?;
    let mut err = std::io::stderr().lock();
    if choice.chosen.is_empty() {
        writeln!(err, "nothing was done: none of these may be {}", deed.past())?;
        return Ok(if choice.left.is_empty() { exit::NOTHING } else { exit::REFUSED });
    }
    if work.dry_run {
        return Ok(exit::FOUND);
    }
    writeln!(err, "nothing was done; --yes with --reason does it")?;
    Ok(exit::REFUSED)
}

async fn act(
    deed: Deed,
    choice: Choice,
    work: &ErrorWork,
    pause: Duration,
    broker: &Broker,
    scope: &Scope,
    session: &Session,
) -> Outcome {
    let Some(reason) = work.reason.clone().filter(|reason| !reason.trim().is_empty()) else {
        return Err(Failure::usage("give a --reason; it is kept with every copy"));
    };
    let path = config::state_dir().join("error-queues.jsonl");
    let shown = path.display().to_string();
    let mut keep = FileKeep::open(&path).await.map_err(|error| {
        Failure::usage(format!("no copy can be kept in {shown}: {error}; nothing was done"))
    })?;
    let by = format!("uid {}", rustix::process::getuid().as_raw());
    let work_to_do = Work { deed, choice, by, reason, pause, limits: scope.limits };
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
    let mut running =
        std::pin::pin!(faults::run(broker, &work_to_do, &mut keep, judge, Utc::now, &stop));
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let outcome = loop {
        tokio::select! {
            ended = &mut running => break ended?,
            _ = interrupt.recv() => stop.cancel(),
            _ = terminate.recv() => stop.cancel(),
        }
    };
    let form = Form::from(work.output.output);
    report::outcome(&outcome, deed).print(form, &mut std::io::stdout().lock())?;
    let mut err = std::io::stderr().lock();
    if let Some(why) = &outcome.stopped {
        writeln!(err, "stopped: {}", crate::domain::text::clean(why))?;
    }
    writeln!(err, "{} {}, copies in {shown}", outcome.done.len(), deed.past())?;
    let partly = outcome.stopped.is_some() || !outcome.left.is_empty();
    Ok(if partly { exit::PARTIAL } else { exit::FOUND })
}

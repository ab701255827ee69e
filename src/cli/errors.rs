//! `orderscope errors …`

use std::io::Write;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{
    Failure, Outcome,
    args::{self, ErrorPick, ErrorScope, Errors, Global},
    broker_source, clock, exit, open,
    operation::{self, Ask},
};
use crate::{
    config::Settings,
    domain::{
        coverage,
        report::{Form, json_answer, print_json},
    },
    ops::{
        error_queue::{self, ErrorAction, Listing, Pick, Scope, Source, choose, report},
        operation::{ErrorWork, Operation},
    },
    relay::Broker,
    session::Session,
};

pub(super) async fn run(verb: Errors, global: &Global, settings: &Settings) -> Outcome {
    match verb {
        Errors::List { scope, output } => {
            let listing = looked(&scope, global, settings).await?;
            let form = Form::from(output.output);
            let table = report::messages(&listing.found).in_zone(settings.zone);
            table.print(form, &listing.coverage, &mut std::io::stdout().lock())?;
            told(&listing)
        }
        Errors::Groups { scope, output } => {
            let listing = looked(&scope, global, settings).await?;
            let form = Form::from(output.output);
            let table = report::groups(&listing).in_zone(settings.zone);
            table.print(form, &listing.coverage, &mut std::io::stdout().lock())?;
            told(&listing)
        }
        Errors::Show { key, stack, scope } => show(key, stack, &scope, global, settings).await,
        Errors::Replay { pick, work: how, run_again, scope } => {
            let (action, pick) = (ErrorAction::Replay, picked(pick, run_again));
            work(ErrorWork { action, pick, rate: how.rate }, &how, &scope, global, settings).await
        }
        Errors::Discard { pick, work: how, scope } => {
            let (action, pick) = (ErrorAction::Discard, picked(pick, true));
            work(ErrorWork { action, pick, rate: how.rate }, &how, &scope, global, settings).await
        }
        Errors::Restore { number, run, amqp_url, output } => {
            let broker = operation::broker(amqp_url.as_deref(), settings)?;
            let (ask, restore) = (Ask::new(&run, output), Operation::Restore(number));
            operation::run(ask, Ok(broker), global, settings, async |_| Ok(restore)).await
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
    let Source { broker, mut scope } = broker_source::source(given.amqp_url.as_deref(), settings)?;
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
    for one in &listing.coverage {
        writeln!(err, "not looked at: {}", crate::domain::text::clean(&one.to_string()))?;
    }
    let whole = listing.is_whole() && !coverage::leaves_unknown(&listing.coverage);
    if listing.found.is_empty() && whole {
        writeln!(err, "nothing lies in these queues")?;
    }
    Ok(match (whole, listing.found.is_empty()) {
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
    let answer = json_answer(Value::Array(all), &listing.coverage);
    print_json(&answer, &mut std::io::stdout().lock())?;
    let partial = coverage::leaves_unknown(&listing.coverage);
    Ok(if partial { exit::PARTIAL } else { exit::FOUND })
}

/// `errors replay|discard`
async fn work(
    operation: ErrorWork,
    work: &args::ErrorWork,
    given: &ErrorScope,
    global: &Global,
    settings: &Settings,
) -> Outcome {
    if matches!(&operation.pick, Pick::Keys { keys, .. } if keys.is_empty()) {
        return Err(Failure::usage("name messages by their keys, or give --group or --all"));
    }
    let (broker, scope) = scoped(given, settings)?;
    let broker = operation::access(Source { broker, scope }, settings);
    let (ask, operation) = (Ask::new(&work.run, work.output), Operation::Errors(operation));
    operation::run(ask, Ok(broker), global, settings, async |_| Ok(operation)).await
}

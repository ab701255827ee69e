//! `orderscope consume`: commands that come as messages, run as an operator's are.

use std::io::Write;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    Failure, Outcome,
    args::{self, Global},
    ask::{self, GivenAnswer},
    exit, given, open, operation, signals,
};
use crate::{
    config::{self, Settings, choose},
    domain::report::{Cell, Form, Table},
    ops::{
        Clock,
        operation::{Kind, Needed, PlanError, Writer},
        operator::Operator,
    },
    relay::Broker,
    session::{self, Session},
    workers::consumer::{self, Stats, Until},
};

pub(super) async fn run(verb: args::Consume, global: &Global, settings: &Settings) -> Outcome {
    let Some(commands) = settings.commands.clone() else {
        return Err(Failure::usage(format!(
            "no queue is named: commands.queue in {} says where commands come in",
            settings.path.display()
        )));
    };
    let (url, password) = config::broker(verb.amqp_url.as_deref(), settings)?;
    let broker = Broker::parse(&url, password)?;
    let context = choose(&given(global), settings)?;
    let policy = session::policy(&context, settings, global.read_only);
    if policy.read_only {
        return Err(PlanError::ReadOnly.into());
    }
    let session = open::open(global, settings).await?;
    let mut work = consumer::Settings::new(broker, commands);
    work.limits = open::limits(settings);
    work.largest = settings.thresholds.largest;
    if let Some(attempts) = settings.file.commands.attempts {
        work.attempts = u32::from(attempts.get());
    }
    let outcome = async {
        let operator = Operator::new(global.operator.as_deref(), session.layout.role());
        let operator = operator.map_err(|error| Failure::usage(error.to_string()))?;
        let writer = Writer::open(&session.db, operator, policy).await?;
        let ended = tokio::select! {
            ended = consume(&verb, work, &session, &writer, settings) => ended,
            never = session.keep_running(&open::warned) => match never {},
        };
        writer.close().await;
        ended
    }
    .await;
    session.close().await;
    outcome
}

async fn consume(
    verb: &args::Consume,
    mut work: consumer::Settings,
    session: &Session,
    writer: &Writer,
    settings: &Settings,
) -> Outcome {
    // One that may not would send every message to the error queue.
    for command in [Kind::CompleteOrder, Kind::CancelOrder] {
        writer.permits(command.spec())?;
    }
    let said = GivenAnswer { yes: verb.yes, confirm: verb.confirm.as_deref() };
    let needed = Needed::word("CONSUME", writer.policy(), false);
    needed.met(ask::answer(said, &needed)?.confirmation())?;
    let kept = settings.file.relay.keep_days.is_some_and(|days| days > 0);
    work.copies = session.layout.is_managed() || kept;
    let until = if verb.once { Until::Empty } else { Until::Told };
    let clock = operation::measured(session).await?.clock();
    let stats = drive(&work, writer, until, clock).await?;
    table(&stats).print(Form::from(verb.output.output), &[], &mut std::io::stdout().lock())?;
    Ok(if stats.refused + stats.skipped > 0 { exit::PARTIAL } else { exit::FOUND })
}

/// Runs it, reporting problems, until it ends or a signal comes.
async fn drive(
    work: &consumer::Settings,
    writer: &Writer,
    until: Until,
    clock: Clock,
) -> Result<Stats, Failure> {
    let stop = CancellationToken::new();
    let (sender, receiver) = watch::channel(Stats::default());
    let run = Box::pin(consumer::run(work, writer, until, clock, stop.clone(), sender));
    Ok(signals::see_through(run, &stop, tell(receiver)).await??)
}

/// Tells what hinders it, when that changes.
async fn tell(mut stats: watch::Receiver<Stats>) {
    let mut told = None;
    while stats.changed().await.is_ok() {
        let trouble = stats.borrow_and_update().trouble.clone();
        if let Some(line) = trouble.as_ref().filter(|_| trouble != told) {
            // Nobody may be listening any more; the work goes on.
            let _ = writeln!(std::io::stderr(), "{}", crate::domain::text::clean(line));
        }
        told = trouble;
    }
}

fn table(stats: &Stats) -> Table {
    let columns = vec!["handled", "done before", "refused", "skipped", "put back"];
    let row = [stats.handled, stats.duplicates, stats.refused, stats.skipped, stats.again];
    Table { columns, rows: vec![row.into_iter().map(Cell::number).collect()] }
}

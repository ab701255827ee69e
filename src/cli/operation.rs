//! What every verb that writes does: open, plan, show or ask, run, tell. There is no other way.

use std::io::Write;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    Failure, Outcome,
    args::{Global, OutputArg, RunArgs, WriteArgs},
    ask::{self, GivenAnswer},
    broker_source, card, clock, exit, given, input, open,
    progress::Reporter,
    relay, signals,
};
use crate::{
    config::{self, Settings, choose},
    domain::{
        decide::Command,
        id::Version,
        report::{Cell, Form, Table, json_answer, print_json},
        text::clean,
        text::thousands,
    },
    ops::{
        ServerClock,
        audit::{self, Witness},
        delivery::Delivery,
        error_queue::Source,
        operation::{
            self, BrokerAccess, Context, Kind, Operation, Outcome as Done, Owner, Plan, PlanError,
            PlanRequest, Progress, Reason, StepKind, Work, Writer,
        },
        operator::Operator,
        policy::Policy,
    },
    servers::Servers,
    session::{self, Session},
};

/// How an operation is asked for on the command line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask<'a> {
    pub run: &'a RunArgs,
    pub output: OutputArg,
    pub expect_version: Option<i64>,
    pub key: Option<&'a str>,
}

impl<'a> From<&'a WriteArgs> for Ask<'a> {
    fn from(args: &'a WriteArgs) -> Self {
        Self {
            run: &args.run,
            output: args.output,
            expect_version: args.expect_version,
            key: args.idempotency_key.as_deref(),
        }
    }
}

impl<'a> Ask<'a> {
    /// Without a version or a key.
    pub(super) const fn new(run: &'a RunArgs, output: OutputArg) -> Self {
        Self { run, output, expect_version: None, key: None }
    }

    fn form(&self) -> Form {
        Form::from(self.output.output)
    }

    /// The request for an operation, under the id that the key stands for.
    fn request(&self, operation: Operation) -> Result<PlanRequest, Failure> {
        // A reason for cancelling is the command's own.
        let own = matches!(operation, Operation::Order(Command::CancelOrder { .. }));
        Ok(PlanRequest {
            id: input::operation(self.key)?,
            operation,
            reason: self.run.reason.clone().filter(|_| !own),
            expect: self.expect_version.map(Version),
        })
    }

    fn is_reasoned(&self, needed: bool) -> Result<(), Failure> {
        let none = self.run.reason.as_deref().is_none_or(|reason| reason.trim().is_empty());
        if needed && !self.run.dry_run && none {
            return Err(Failure::usage("--reason is needed: it goes on record"));
        }
        Ok(())
    }
}

/// Makes what does an operation in a database, above the module of operations.
pub(super) type MakeWork<'a> = Box<dyn FnOnce(Servers) -> Box<dyn Work> + Send + 'a>;

/// Opens the database to write, makes the operation and sees it through; leaves everything in order.
pub(super) async fn run(
    ask: Ask<'_>,
    broker: Result<BrokerAccess, Failure>,
    global: &Global,
    settings: &Settings,
    make: impl AsyncFnOnce(&Session) -> Result<Operation, Failure>,
) -> Outcome {
    ask.is_reasoned(true)?;
    // Before anything is opened.
    input::operation(ask.key)?;
    opened(broker, global, settings, async |session, ctx| {
        let request = ask.request(make(session).await?)?;
        let outcome = see_through(ctx, request, ask).await;
        if !ask.run.dry_run {
            anchored(session, ctx, &outcome).await;
        }
        outcome
    })
    .await
}

/// Only the log's own guard: what was done is done whatever becomes of it.
async fn anchored(session: &Session, ctx: &Context<'_>, outcome: &Outcome) {
    if outcome.is_err() {
        return;
    }
    if let Err(error) = audit::anchor_if_due(&session.db, (ctx.clock)(), audit::EVERY).await {
        tracing::warn!(%error, "no anchor was written");
    }
    let (dir, stop) = (config::state_dir(), CancellationToken::new());
    let seen =
        async { Witness::of(&session.db, &dir, &stop).await?.keep(&session.db, &stop).await };
    match seen.await {
        Ok(None) => {}
        Ok(Some(broken)) => {
            // Standard error may be gone; the log has it too.
            let _ = writeln!(std::io::stderr(), "orderscope: warning: audit log: {}", broken.what);
        }
        Err(error) => tracing::warn!(%error, "the head of the audit log was not kept"),
    }
}

/// Opens the database to write, does the work, and leaves everything in order.
async fn opened(
    broker: Result<BrokerAccess, Failure>,
    global: &Global,
    settings: &Settings,
    work: impl AsyncFnOnce(&Session, &Context<'_>) -> Outcome,
) -> Outcome {
    let policy = writable(global, settings)?;
    let broker = broker.map_err(|failure| failure.message);
    let session = open::open(global, settings).await?;
    let outcome = async {
        let operator = Operator::new(global.operator.as_deref(), session.layout.role());
        let operator = operator.map_err(PlanError::from)?;
        let writer = Writer::open(&session.db, operator, policy).await?;
        let broker = broker.as_ref().map_err(String::as_str);
        let clock = measured(&session).await?;
        if let Some(warning) = clock.warning() {
            writeln!(std::io::stderr(), "orderscope: warning: {warning}")?;
        }
        let ctx = Context::new(&writer, broker, clock.clock()).timed(&clock);
        let outcome = work(&session, &ctx).await;
        writer.close().await;
        outcome
    }
    .await;
    session.close().await;
    outcome
}

/// The server's time, as far as this machine's clock tells it.
pub(super) async fn measured(session: &Session) -> Result<ServerClock, Failure> {
    let clock = ServerClock::new(clock::handed());
    clock.measure(&session.db).await?;
    Ok(clock)
}

/// The same for what changes the schema of a database, whose it is, or its content as a whole: it is opened as it is.
/// `work`: what does it, where it is not done by statements of the operation itself.
pub(super) async fn run_owning(
    ask: Ask<'_>,
    global: &Global,
    settings: &Settings,
    operation: Operation,
    work: Option<MakeWork<'_>>,
) -> Outcome {
    ask.is_reasoned(operation.spec().reason != Reason::NotAsked)?;
    let policy = writable(global, settings)?;
    let (servers, lease) = open::own(global, settings).await?;
    let outcome = async {
        let clock = ServerClock::new(clock::handed());
        let mut owner = Owner::open(&servers, global.operator.as_deref(), policy, &clock).await?;
        if let Some(work) = work {
            owner = owner.working(work(servers));
        }
        let ctx = Context::owning(&owner, clock.clock()).timed(&clock);
        see_through(&ctx, ask.request(operation)?, ask).await
    }
    .await;
    if let Some(lease) = lease {
        lease.leave().await?;
    }
    outcome
}

/// The same for work on the private server, which is not opened.
pub(super) async fn see_through_owning(ask: Ask<'_>, owner: &Owner, kind: Kind) -> Outcome {
    let ctx = Context::owning(owner, clock::handed());
    see_through(&ctx, ask.request(Operation::Work { kind, options: vec![] })?, ask).await
}

/// The rules of the context, where they let anything be written.
pub(super) fn writable(global: &Global, settings: &Settings) -> Result<Policy, Failure> {
    let context = choose(&given(global), settings)?;
    let policy = session::policy(&context, settings, global.read_only);
    if policy.read_only { Err(PlanError::ReadOnly.into()) } else { Ok(policy) }
}

/// The broker as the configuration names it, and how what is pending is delivered to it.
pub(super) fn broker(url: Option<&str>, settings: &Settings) -> Result<BrokerAccess, Failure> {
    Ok(access(broker_source::source(url, settings)?, settings))
}

/// The same with other queues.
pub(super) fn access(source: Source, settings: &Settings) -> BrokerAccess {
    let (broker, settings) = (source.broker.clone(), settings.clone());
    BrokerAccess::new(source, move |servers| {
        let made = relay::settings(&settings, servers, broker.clone());
        Ok(Box::new(made.map_err(|failure| failure.message)?) as Box<dyn Delivery>)
    })
}

/// Plans it, shows or asks, runs it and tells what came of it.
async fn see_through(ctx: &Context<'_>, request: PlanRequest, ask: Ask<'_>) -> Outcome {
    let (run, form, stop) = (ask.run, ask.form(), CancellationToken::new());
    if ask.key.is_some()
        && let Some(before) = operation::done_before(ctx, &request, &stop).await?
    {
        return tell(&before, form);
    }
    let plan = operation::plan(ctx, request, &stop).await?;
    let said = GivenAnswer::from(run);
    if run.dry_run {
        card::print(&plan, ctx, form, &mut std::io::stdout().lock())?;
    } else if plan.is_blocked() || !said.yes && said.confirm.is_none() && !plan.is_done() {
        // Whoever agreed beforehand sees why it is not run.
        card::ask(&plan, ctx, &mut std::io::stderr().lock())?;
    }
    plan.runnable()?;
    if run.dry_run {
        return Ok(exit::FOUND);
    }
    let answer =
        if plan.is_done() { ask::Answer::Yes } else { ask::answer(said, &plan.confirmation)? };
    let done = drive(ctx, &plan, &answer, &stop).await?;
    tell(&done, form)
}

/// Runs it. Work with the broker tells what hinders it, and a signal stops it after what is under way; a transaction
/// is short, and a signal ends the program as it does elsewhere.
async fn drive(
    ctx: &Context<'_>,
    plan: &Plan,
    answer: &ask::Answer,
    stop: &CancellationToken,
) -> Result<Done, Failure> {
    let (sender, progress) = watch::channel(Progress::default());
    let work = operation::run(ctx, plan, answer.confirmation(), &sender, stop);
    if plan.spec().steps == StepKind::OneTransaction {
        return Ok(Box::pin(work).await?);
    }
    watched(&plan.title, stop, progress, work).await
}

/// Does work that takes its time: what hinders it is told, on a terminal also how far it is, and a signal stops it
/// after what is under way.
async fn watched<T>(
    title: &str,
    stop: &CancellationToken,
    mut progress: watch::Receiver<Progress>,
    work: impl Future<Output = Result<T, PlanError>>,
) -> Result<T, Failure> {
    let reporting = async {
        let mut reporter = Reporter::default();
        while progress.changed().await.is_ok() {
            let progress = progress.borrow_and_update().clone();
            if let Some(far) = far(title, &progress) {
                open::tell(&far);
            }
            reporter.tell(&progress.hindered, &progress.warnings);
        }
    };
    let ended = signals::see_through(Box::pin(work), stop, reporting).await?;
    open::tell("ready");
    Ok(ended?)
}

/// How far a bulk operation is, in a line.
fn far(title: &str, progress: &Progress) -> Option<String> {
    let shown = |count: u64| thousands(i64::try_from(count).unwrap_or(i64::MAX));
    let far = match progress.of {
        0 => "writing its list".to_owned(),
        of => format!("{} of {}", shown(progress.done), shown(of)),
    };
    let pace = progress.pace().map_or_else(String::new, |pace| format!(", {pace}"));
    progress.number.map(|number| format!("operation {number}, {title}: {far}{pace}"))
}

/// Tells what came of it. Where what became of each message is the answer, the words go to standard error.
fn tell(done: &Done, form: Form) -> Outcome {
    let mut out = std::io::stdout().lock();
    match (form, &done.items) {
        (Form::Json, _) => print_json(&json_answer(value(done), &[]), &mut out)?,
        (form, Some(items)) => items.print(form, &[], &mut out)?,
        (Form::Csv, None) => row(done).print(form, &[], &mut out)?,
        (Form::Table | Form::Markdown, None) => words(done, &mut out)?,
    }
    if done.items.is_some() {
        words(done, &mut std::io::stderr().lock())?;
    }
    Ok(if done.partly { exit::PARTIAL } else { exit::FOUND })
}

fn words(done: &Done, out: &mut impl Write) -> std::io::Result<()> {
    let again = if done.repeated { "done before, not again: " } else { "" };
    writeln!(out, "{again}{}", clean(&done.told))?;
    for line in &done.more {
        writeln!(out, "{}", clean(line))?;
    }
    if let Some(audit) = done.audit {
        writeln!(out, "audit {audit}, operation {}", done.id)?;
    }
    Ok(())
}

fn row(done: &Done) -> Table {
    let row = vec![
        Cell::Text(done.spec.name.to_owned()),
        Cell::maybe(done.targets.first().cloned()),
        Cell::Text(done.id.to_string()),
        done.audit.map_or(Cell::None, Cell::number),
        done.version.map_or(Cell::None, Cell::number),
        Cell::Flag(done.repeated),
        Cell::Flag(done.partly),
        Cell::Text(done.told.clone()),
    ];
    let columns =
        vec!["command", "target", "operation", "audit", "version", "repeated", "partly", "told"];
    Table { columns, rows: vec![row] }
}

fn value(done: &Done) -> Value {
    json!({
        "command": done.spec.name,
        "target": done.targets.first().map_or("", String::as_str),
        "operation": done.id,
        "audit": done.audit,
        "order_version": done.version,
        "repeated": done.repeated,
        "partly": done.partly,
        "told": done.told,
        "more": done.more,
        "items": done.items.as_ref().map(Table::value),
    })
}

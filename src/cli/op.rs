//! Bulk operations: beginning one for another verb, and `orderscope op`.

use std::{io::Write, num::NonZeroU32, pin::pin};

use chrono::Utc;
use serde_json::{Value, json};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use tokio_util::sync::CancellationToken;

use super::{
    Failure, Outcome,
    args::{ConfirmArgs, Global, Op, WriteArgs},
    ask::{self, Said},
    card::{self, Head},
    errors, exit, input, open, running,
};
use crate::{
    config::{self, Settings},
    domain::{
        batch::Step,
        diagnosis::thousands,
        report::{Cell, Form, Table, print_json},
        text::clean,
    },
    ops::{
        audit,
        batch::{
            self, BatchKind, Context, Error, Operation, Plan, Progress, Request, State, Steered,
            Which, kind_of, report,
        },
        deeds::failed,
        plan::{self, Writer},
    },
    session::Session,
};

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match error {
            Error::Write(error) => return error.into(),
            Error::Unknown(_) | Error::Nothing => exit::NOTHING,
            _ => exit::REFUSED,
        };
        Self { message: error.to_string(), code }
    }
}

/// The clock of verbs.
fn clock() -> chrono::DateTime<Utc> {
    Utc::now()
}

/// Plans a bulk operation, asks, freezes its list and runs it. The same idempotency key goes on with the same one.
pub(super) async fn start(
    kind: &dyn BatchKind,
    rate: Option<NonZeroU32>,
    args: &WriteArgs,
    global: &Global,
    settings: &Settings,
) -> Outcome {
    let id = input::operation(args.idempotency_key.as_deref())?;
    running::opened(&args.run, global, settings, async |session, writer| {
        let (stop, form) = (CancellationToken::new(), Form::from(args.output.output));
        let context = Context { writer, clock: &clock };
        if args.idempotency_key.is_some()
            && let Some(before) = begun(session, kind, id, &stop).await?
        {
            if before.state.is_over() {
                return tell(session, &before, true, form).await;
            }
            agreed(args.run.yes, args.run.confirm.as_deref(), writer, kind.describe().word)?;
            return go_on(session, &context, kind, &before, form).await;
        }
        let request = Request { id, reason: args.run.reason.as_deref(), rate };
        let mut plan = batch::plan(&context, kind, &request, &stop).await?;
        if config::broker(None, settings).is_ok() {
            let source = errors::source(None, settings)?;
            failed::among(&mut plan.checks, kind, &session.db, &session.layout, &source, &stop)
                .await?;
        }
        if args.run.dry_run {
            show_plan(&plan, writer, session.db.place(), form)?;
            return Ok(if plan.is_blocked() { exit::REFUSED } else { exit::FOUND });
        }
        if !args.run.yes && args.run.confirm.is_none() {
            let sheet = sheet(&plan, writer, session.db.place());
            write!(std::io::stderr().lock(), "{sheet}")?;
        }
        if plan.is_blocked() {
            return Err(plan::Error::Blocked(plan.checks).into());
        }
        agreed(args.run.yes, args.run.confirm.as_deref(), writer, plan.word)?;
        let (progress, seen) = watch::channel(Progress::default());
        let work = async {
            let started = batch::start(&context, kind, &plan, &progress, &stop).await?;
            if started.operation.state == State::Waiting {
                return Ok(started.operation);
            }
            batch::run(&context, kind, started.operation.id, &progress, &stop).await
        };
        let ended = driven(&plan.title, &stop, seen, work).await?;
        finished(session, ended, form).await
    })
    .await
}

/// The operation that this id began before, if it is the same.
async fn begun(
    session: &Session,
    kind: &dyn BatchKind,
    id: uuid::Uuid,
    stop: &CancellationToken,
) -> Result<Option<Operation>, Failure> {
    let reused = |was: String| Failure::from(plan::Error::Reused { id, was });
    if let Some((before, _)) = batch::list(&session.db, Which::Id(id), 1, stop).await?.pop() {
        if before.name == kind.name() {
            return Ok(Some(before));
        }
        return Err(reused(format!("{}, operation {}", before.name, before.number)));
    }
    match audit::by_operation(&session.db, id, stop).await? {
        Some(before) => Err(reused(format!("{} of {}", before.intent, before.targets.join(", ")))),
        None => Ok(None),
    }
}

fn agreed(yes: bool, confirm: Option<&str>, writer: &Writer, word: &str) -> Result<(), Failure> {
    ask::confirmed(Said { yes, confirm }, writer.policy(), word)
}

/// `orderscope op …`
pub(super) async fn run(verb: Op, global: &Global, settings: &Settings) -> Outcome {
    match verb {
        Op::List { all, limit, output } => {
            let which = if all { Which::All } else { Which::Open };
            let session = open::open(global, settings).await?;
            let stop = CancellationToken::new();
            let rows = batch::list(&session.db, which, i64::from(limit), &stop).await;
            session.close().await;
            let rows = rows?;
            let table = report::list(&rows).in_zone(settings.zone);
            table.print(output.output.into(), &mut std::io::stdout().lock())?;
            Ok(if rows.is_empty() { exit::NOTHING } else { exit::FOUND })
        }
        Op::Show { number, items: true, only_troubles, after, limit, output } => {
            let session = open::open(global, settings).await?;
            let (stop, limit) = (CancellationToken::new(), i64::from(limit));
            let rows = batch::items(&session.db, number, only_troubles, after, limit, &stop).await;
            session.close().await;
            let rows = rows?;
            let table = report::items(&rows);
            table.print(output.output.into(), &mut std::io::stdout().lock())?;
            Ok(if rows.is_empty() { exit::NOTHING } else { exit::FOUND })
        }
        Op::Show { number, output, .. } => {
            let session = open::open(global, settings).await?;
            let stop = CancellationToken::new();
            let shown = batch::show(&session.db, &session.layout, number, &stop).await;
            session.close().await;
            show(&shown?, settings, output.output.into())
        }
        Op::Resume { number, confirm, output } => {
            resume(number, &confirm, output.output.into(), global, settings).await
        }
        Op::Pause { number, output } => {
            running::unlocked(global, settings, async |_, writer| {
                let context = Context { writer, clock: &clock };
                steered(&batch::pause(&context, number).await?, output.output.into())
            })
            .await
        }
        Op::Cancel { number, reason, confirm, output } => {
            let reason = needed(&reason)?;
            running::unlocked(global, settings, async |session, writer| {
                let context = Context { writer, clock: &clock };
                let operation = known(session, number).await?;
                outline(&operation, &confirm, writer, session, "cancel")?;
                agreed(confirm.yes, confirm.confirm.as_deref(), writer, "CANCEL")?;
                steered(&batch::cancel(&context, number, reason).await?, output.output.into())
            })
            .await
        }
        Op::Approve { number, reason, confirm, output } => {
            let reason = needed(&reason)?;
            running::unlocked(global, settings, async |session, writer| {
                let context = Context { writer, clock: &clock };
                let operation = known(session, number).await?;
                outline(&operation, &confirm, writer, session, "approve")?;
                agreed(confirm.yes, confirm.confirm.as_deref(), writer, "APPROVE")?;
                steered(&batch::approve(&context, number, reason).await?, output.output.into())
            })
            .await
        }
    }
}

fn needed(reason: &str) -> Result<&str, Failure> {
    let reason = reason.trim();
    if reason.is_empty() {
        return Err(Failure::usage("--reason is needed: it goes on record"));
    }
    Ok(reason)
}

async fn known(session: &Session, number: i64) -> Result<Operation, Failure> {
    let stop = CancellationToken::new();
    let found = batch::list(&session.db, Which::Number(number), 1, &stop).await?.pop();
    Ok(found.ok_or(Error::Unknown(number))?.0)
}

async fn resume(
    number: i64,
    confirm: &ConfirmArgs,
    form: Form,
    global: &Global,
    settings: &Settings,
) -> Outcome {
    running::unlocked(global, settings, async |session, writer| {
        let context = Context { writer, clock: &clock };
        let operation = known(session, number).await?;
        let refused = |why| Error::Refused { number, why };
        operation.state.after(Step::Run).map_err(refused)?;
        let kind = kind_of(&operation)?;
        outline(&operation, confirm, writer, session, "resume")?;
        let word = kind.describe().word;
        agreed(confirm.yes, confirm.confirm.as_deref(), writer, word)?;
        go_on(session, &context, &*kind, &operation, form).await
    })
    .await
}

/// Runs one that is on record.
async fn go_on(
    session: &Session,
    context: &Context<'_>,
    kind: &dyn BatchKind,
    operation: &Operation,
    form: Form,
) -> Outcome {
    let stop = CancellationToken::new();
    let (progress, seen) = watch::channel(Progress::default());
    let work = batch::run(context, kind, operation.id, &progress, &stop);
    let ended = driven(&kind.describe().title, &stop, seen, work).await?;
    finished(session, ended, form).await
}

/// Runs the work, telling how far it is; a signal pauses it after the batch under way.
async fn driven(
    title: &str,
    stop: &CancellationToken,
    mut progress: watch::Receiver<Progress>,
    work: impl Future<Output = Result<Operation, Error>>,
) -> Result<Operation, Failure> {
    let mut work = pin!(work);
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    loop {
        tokio::select! {
            ended = &mut work => {
                open::tell("ready");
                return Ok(ended?);
            }
            _ = interrupt.recv() => stop.cancel(),
            _ = terminate.recv() => stop.cancel(),
            Ok(()) = progress.changed() => {
                open::tell(&line(title, &progress.borrow_and_update()));
            }
        }
    }
}

fn shown(count: u64) -> String {
    thousands(i64::try_from(count).unwrap_or(i64::MAX))
}

fn line(title: &str, progress: &Progress) -> String {
    let Progress { number, items, counts, estimate, hindered } = progress;
    let mut line = format!("operation {number}, {title}");
    if *items > 0 {
        line += &format!(": {} of {}", shown(counts.all()), shown(*items));
    }
    if let Some(estimate) = estimate {
        let left = report::time_left(Some(*estimate)).unwrap_or_default();
        line += &format!(", {} a minute, {left} left", shown(estimate.per_minute));
    }
    match hindered {
        Some(why) => line + ": " + &clean(why),
        None => line,
    }
}

/// The plan on a card.
fn sheet(plan: &Plan, writer: &Writer, place: &str) -> String {
    let mut lines = vec![("", "preconditions".to_owned())];
    lines.extend(plan.checks.iter().map(|check| (card::label(check.verdict), check.text.clone())));
    lines.push(("", "would write, in batches".to_owned()));
    for (table, change) in &plan.effects {
        lines.push(("  ", format!("{table:<18} {change}")));
    }
    if let Some((first, _)) = plan.sample.first() {
        lines.push(("first     ", report::key(first)));
    }
    lines.push(("undo      ", plan.undo.to_owned()));
    lines.push(("same as   ", plan.cli_equivalent.clone()));
    let head = Head { title: &plan.title, command: plan.name, reason: plan.reason.as_deref() };
    card::sheet(head, writer, place, &lines)
}

fn show_plan(plan: &Plan, writer: &Writer, place: &str, form: Form) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match form {
        Form::Json => print_json(&plan_value(plan), &mut out)?,
        Form::Csv => plan_rows(plan).print(form, &mut out)?,
        Form::Table | Form::Markdown => write!(out, "{}", sheet(plan, writer, place))?,
    }
    Ok(())
}

fn plan_value(plan: &Plan) -> Value {
    let check =
        |check: &plan::Check| json!({ "verdict": card::name(check.verdict), "text": check.text });
    let effect = |(table, change): &(&str, String)| json!({ "table": table, "change": change });
    let tried = |(key, outcome): &(Value, batch::Outcome)| json!({ "item": key, "outcome": outcome.name(), "told": outcome.told() });
    json!({
        "plan": plan.title,
        "command": plan.name,
        "operation": plan.id,
        "parameters": plan.parameters,
        "items": plan.items,
        "more": plan.cut,
        "needs_approval": plan.approve_above.is_some(),
        "blocked": plan.is_blocked(),
        "checks": plan.checks.iter().map(check).collect::<Vec<_>>(),
        "effects": plan.effects.iter().map(effect).collect::<Vec<_>>(),
        "sample": plan.sample.iter().map(tried).collect::<Vec<_>>(),
        "undo": plan.undo,
        "word": plan.word,
        "cli_equivalent": plan.cli_equivalent,
    })
}

fn plan_rows(plan: &Plan) -> Table {
    let row = |kind: &str, name: &str, text: &str| {
        [kind, name, text].map(|cell| Cell::Text(cell.to_owned())).to_vec()
    };
    let mut rows = vec![row("plan", plan.name, &plan.title)];
    rows.push(row("items", "", &plan.items.to_string()));
    let checks = plan.checks.iter();
    rows.extend(checks.map(|check| row("check", card::name(check.verdict), &check.text)));
    rows.extend(plan.effects.iter().map(|(table, change)| row("effect", table, change)));
    rows.extend(plan.sample.iter().map(|(key, outcome)| {
        let told = outcome.told().map_or_else(String::new, |told| format!(": {told}"));
        row("sample", outcome.name(), &format!("{}{told}", report::key(key)))
    }));
    rows.push(row("undo", "", plan.undo));
    rows.push(row("cli_equivalent", "", &plan.cli_equivalent));
    Table { columns: vec!["kind", "name", "text"], rows }
}

/// What is meant, before it is asked for.
fn outline(
    operation: &Operation,
    confirm: &ConfirmArgs,
    writer: &Writer,
    session: &Session,
    verb: &str,
) -> Result<(), Failure> {
    if confirm.yes || confirm.confirm.is_some() {
        return Ok(());
    }
    let title = format!("{verb} operation {}", operation.number);
    let by = format!("{}@{}, login {}", operation.operator, operation.host, operation.login);
    let mut lines = vec![
        ("state     ", report::state(operation).to_owned()),
        ("begun by  ", by),
        ("items     ", counted(operation)),
    ];
    lines.extend(operation.told.iter().map(|told| ("told      ", told.clone())));
    let reason = operation.reason.as_deref();
    let head = Head { title: &title, command: &operation.name, reason };
    let sheet = card::sheet(head, writer, session.db.place(), &lines);
    write!(std::io::stderr().lock(), "{sheet}")?;
    Ok(())
}

fn counted(operation: &Operation) -> String {
    let counts = operation.counts;
    format!(
        "{} items: {} done, {} skipped, {} failed, {} left",
        shown(operation.items),
        shown(counts.done),
        shown(counts.skipped),
        shown(counts.failed),
        shown(operation.left())
    )
}

/// Tells how it ended.
async fn finished(session: &Session, operation: Operation, form: Form) -> Outcome {
    // Only the log's own guard: what is done is done whatever becomes of it.
    if let Err(error) = audit::anchor_if_due(&session.db, Utc::now(), audit::EVERY).await {
        tracing::warn!(%error, "no anchor was written");
    }
    tell(session, &operation, false, form).await
}

async fn tell(session: &Session, operation: &Operation, repeated: bool, form: Form) -> Outcome {
    let stop = CancellationToken::new();
    let number = operation.number;
    let troubles = batch::show(&session.db, &session.layout, number, &stop).await?.troubles;
    let told = format!("{}: {}", report::state(operation), counted(operation));
    print(operation, &told, repeated, form)?;
    let mut err = std::io::stderr().lock();
    for (outcome, why, count) in &troubles {
        writeln!(err, "{} {outcome}: {}", shown(*count), clean(why))?;
    }
    if let Some(why) = &operation.told {
        writeln!(err, "{}: {}", operation.state, clean(why))?;
    }
    match operation.state {
        State::Waiting => writeln!(
            err,
            "it waits for a second person: `orderscope op approve {number}` with another database login, then \
             `orderscope op resume {number}`"
        )?,
        state if !state.is_over() => {
            writeln!(err, "go on with `orderscope op resume {number}`")?;
        }
        _ => {}
    }
    Ok(code(operation))
}

/// Partly done is what did not come to its end, what failed in part, and what did nothing at all.
const fn code(operation: &Operation) -> u8 {
    let counts = operation.counts;
    let nothing = counts.done == 0 && operation.items > 0;
    match operation.state {
        State::Done if counts.failed == 0 && !nothing => exit::FOUND,
        _ => exit::PARTIAL,
    }
}

fn print(operation: &Operation, told: &str, repeated: bool, form: Form) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    if matches!(form, Form::Table | Form::Markdown) {
        let again = if repeated { "done before, not again: " } else { "" };
        writeln!(out, "{again}{told}")?;
        let audit = operation.audit_begun.map_or_else(|| "none".to_owned(), |at| at.to_string());
        writeln!(out, "audit {audit}, operation {} ({})", operation.number, operation.id)?;
        return Ok(());
    }
    let counts = operation.counts;
    let facts = vec![
        ("command", Cell::Text(operation.name.clone())),
        ("operation", Cell::Text(operation.id.to_string())),
        ("number", Cell::number(operation.number)),
        ("state", Cell::Text(report::state(operation).to_owned())),
        ("items", Cell::number(operation.items)),
        ("done", Cell::number(counts.done)),
        ("skipped", Cell::number(counts.skipped)),
        ("failed", Cell::number(counts.failed)),
        ("left", Cell::number(operation.left())),
        ("audit", operation.audit_begun.map_or(Cell::None, Cell::number)),
        ("audit_ended", operation.audit_ended.map_or(Cell::None, Cell::number)),
        ("repeated", Cell::Flag(repeated)),
        ("told", Cell::Text(told.to_owned())),
    ];
    one(facts, form, &mut out)
}

/// One thing with its facts as fields: an object in JSON, a row in CSV.
fn one(facts: Vec<(&'static str, Cell)>, form: Form, out: &mut impl Write) -> Result<(), Failure> {
    let (columns, row) = facts.into_iter().unzip();
    let table = Table { columns, rows: vec![row] };
    if form != Form::Json {
        return Ok(table.print(form, out)?);
    }
    let mut text = vec![];
    table.print(form, &mut text)?;
    let value: Value = serde_json::from_slice(&text).unwrap_or_default();
    Ok(print_json(value.get(0).unwrap_or(&Value::Null), out)?)
}

fn show(shown: &batch::Shown, settings: &Settings, form: Form) -> Outcome {
    let mut out = std::io::stdout().lock();
    if matches!(form, Form::Table | Form::Markdown) {
        let known = report::fields(shown).into_iter().filter(|(_, cell)| *cell != Cell::None);
        let rows = known.map(|(name, cell)| vec![Cell::Text(name.to_owned()), cell]).collect();
        let table = Table { columns: vec!["field", "value"], rows };
        table.in_zone(settings.zone).print(form, &mut out)?;
        if !shown.troubles.is_empty() {
            writeln!(out)?;
            report::troubles(&shown.troubles).print(form, &mut out)?;
        }
        return Ok(exit::FOUND);
    }
    one(report::fields(shown), form, &mut out)?;
    Ok(exit::FOUND)
}

fn steered(steered: &Steered, form: Form) -> Outcome {
    let operation = &steered.operation;
    let told = match &steered.asked {
        Some(who) => format!("asked {who}: it is done after the batch under way"),
        None => format!("{}: {}", report::state(operation), counted(operation)),
    };
    print(operation, &told, false, form)?;
    Ok(exit::FOUND)
}

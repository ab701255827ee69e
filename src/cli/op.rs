//! `orderscope op`: bulk operations that are on record.

use std::io::Write;

use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    Failure, Outcome,
    args::{ConfirmArgs, Global, Op, OutboxActionArgs, WriteArgs},
    ask::{self, Said},
    exit, open, operation,
};
use crate::{
    config::Settings,
    domain::{
        batch::Step,
        report::{Cell, Form, Table, json_answer, print_json},
    },
    ops::operation::{
        Context, Needed, Operation, PlanError, Progress, Spec,
        batch::{self, Record, Shown, Which, kind_of, report},
    },
    session::Session,
};

/// `orderscope op …`
pub(super) async fn run(verb: Op, global: &Global, settings: &Settings) -> Outcome {
    let stop = CancellationToken::new();
    match verb {
        Op::List { all, limit, output } => {
            let which = if all { Which::All } else { Which::Open };
            let session = open::open(global, settings).await?;
            let rows = batch::list(&session.db, which, i64::from(limit), &stop).await;
            session.close().await;
            let table = report::list(&rows?).in_zone(settings.zone);
            printed(&table, output.output.into())
        }
        Op::Show { number, items: true, only_troubles, after, limit, output } => {
            let session = open::open(global, settings).await?;
            let limit = i64::from(limit);
            let rows = batch::items(&session.db, number, only_troubles, after, limit, &stop).await;
            session.close().await;
            printed(&report::items(&rows?), output.output.into())
        }
        Op::Show { number, output, .. } => {
            let session = open::open(global, settings).await?;
            let shown = batch::show(&session.db, &session.layout, number, &stop).await;
            session.close().await;
            show(&shown?, settings, output.output.into())
        }
        Op::Resume { number, confirm, output } => {
            let form = output.output.into();
            opened(global, settings, async |session, ctx| {
                resume(session, ctx, number, &confirm, form).await
            })
            .await
        }
        Op::Pause { number, output } => {
            opened(global, settings, async |_, ctx| {
                let paused = batch::pause(ctx, number).await?;
                let mut err = std::io::stderr().lock();
                match &paused.asked {
                    Some(who) => writeln!(err, "asked {who}: it pauses after the batch under way")?,
                    None => writeln!(err, "{}", report::counted(&paused.record))?,
                }
                printed(&report::list(&[(paused.record, None)]), output.output.into())
            })
            .await
        }
        Op::Cancel { number, write } => {
            steer(Operation::Cancel(number), write, global, settings).await
        }
        Op::Approve { number, write } => {
            steer(Operation::Approve(number), write, global, settings).await
        }
    }
}

/// What is said to an operation of somebody else is one of its own.
async fn steer(
    said: Operation,
    write: OutboxActionArgs,
    global: &Global,
    settings: &Settings,
) -> Outcome {
    let args = WriteArgs::from(write);
    operation::run((&args).into(), no_broker(), global, settings, async |_| Ok(said)).await
}

async fn opened(
    global: &Global,
    settings: &Settings,
    work: impl AsyncFnOnce(&Session, &Context<'_>) -> Outcome,
) -> Outcome {
    operation::opened(no_broker(), global, settings, work).await
}

fn no_broker<T>() -> Result<T, Failure> {
    Err(Failure::usage("this needs no broker"))
}

/// Runs one that is on record.
async fn resume(
    session: &Session,
    ctx: &Context<'_>,
    number: i64,
    confirm: &ConfirmArgs,
    form: Form,
) -> Outcome {
    let stop = CancellationToken::new();
    let found = batch::list(&session.db, Which::Number(number), 1, &stop).await?.pop();
    let (record, _) = found.ok_or(PlanError::NoOperation(number))?;
    record.state.after(Step::Run).map_err(|why| PlanError::NotNow { number, why })?;
    let kind = kind_of(&record)?;
    let unknown = || PlanError::NoKind { number, name: record.name.clone() };
    let spec = Spec::named(&record.name).ok_or_else(unknown)?;
    let said = Said { yes: confirm.yes, confirm: confirm.confirm.as_deref() };
    if !said.yes && said.confirm.is_none() {
        outline(&record)?;
    }
    let needed = Needed::new(spec, ctx.policy(), false);
    let answer = ask::answer(said, &needed)?;
    needed.met(answer.confirmation())?;
    let (sender, progress) = watch::channel(Progress::default());
    let work = batch::run(ctx, &*kind, record.id, &sender, &stop);
    let ended = operation::watched(spec.title, &stop, progress, work).await?;
    let outcome = batch::outcome(&session.db, &ended, None).await?;
    let told = operation::tell(&outcome, form);
    operation::anchored(session, &told).await;
    told
}

/// What would happen, shown before the question.
fn outline(record: &Record) -> Result<(), Failure> {
    let mut err = std::io::stderr().lock();
    let Record { number, name, operator, host, reason, .. } = record;
    writeln!(err, "operation {number}, {name}: {}", report::state(record))?;
    let reason = reason.as_deref().unwrap_or("no reason is on record");
    writeln!(err, "begun by {operator}@{host}: {reason}")?;
    writeln!(err, "{}", report::counted(record))?;
    if let Some(told) = &record.told {
        writeln!(err, "{told}")?;
    }
    Ok(())
}

fn printed(table: &Table, form: Form) -> Outcome {
    table.print(form, &[], &mut std::io::stdout().lock())?;
    Ok(if table.rows.is_empty() { exit::NOTHING } else { exit::FOUND })
}

fn show(shown: &Shown, settings: &Settings, form: Form) -> Outcome {
    let mut out = std::io::stdout().lock();
    let fields = report::fields(shown);
    if matches!(form, Form::Table | Form::Markdown) {
        let known = fields.into_iter().filter(|(_, cell)| *cell != Cell::None);
        let rows = known.map(|(name, cell)| vec![Cell::Text(name.to_owned()), cell]).collect();
        let table = Table { columns: vec!["field", "value"], rows };
        table.in_zone(settings.zone).print(form, &[], &mut out)?;
        return Ok(exit::FOUND);
    }
    let (columns, row) = fields.into_iter().unzip();
    let table = Table { columns, rows: vec![row] };
    match (form, table.value()) {
        (Form::Json, Value::Array(mut rows)) => {
            print_json(&json_answer(rows.remove(0), &[]), &mut out)?;
        }
        _ => table.print(form, &[], &mut out)?,
    }
    Ok(exit::FOUND)
}

//! `orderscope op`: bulk operations that are on record.

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{
    Failure, Outcome,
    args::{Global, Op, OutboxActionArgs, WriteArgs},
    exit, open, operation,
};
use crate::{
    config::Settings,
    domain::report::{Cell, Form, Table, json_answer, print_json},
    ops::operation::{
        Operation,
        batch::{self, OperationDetails, Which, report},
    },
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
        Op::Resume { number, write } => {
            steer(Operation::Resume(number), write, global, settings).await
        }
        Op::Pause { number, write } => {
            steer(Operation::Pause(number), write, global, settings).await
        }
        Op::Cancel { number, write } => {
            steer(Operation::Cancel(number), write, global, settings).await
        }
        Op::Approve { number, write } => {
            steer(Operation::Approve(number), write, global, settings).await
        }
    }
}

/// What is done to a bulk operation is an operation of its own.
async fn steer(
    said: Operation,
    write: OutboxActionArgs,
    global: &Global,
    settings: &Settings,
) -> Outcome {
    let args = WriteArgs::from(write);
    let broker = Err(Failure::usage("this needs no broker"));
    operation::run((&args).into(), broker, global, settings, async |_| Ok(said)).await
}

fn printed(table: &Table, form: Form) -> Outcome {
    table.print(form, &[], &mut std::io::stdout().lock())?;
    Ok(if table.rows.is_empty() { exit::NOTHING } else { exit::FOUND })
}

fn show(shown: &OperationDetails, settings: &Settings, form: Form) -> Outcome {
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

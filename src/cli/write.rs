//! Verbs that write: plan, ask, run, tell. Orders and buyers are named here, messages in `deeds`.

use std::io::Write;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{
    Failure, Outcome,
    args::{Buyer, EndArgs, Global, Order, WriteArgs},
    ask::{self, Said},
    card, clock, errors, exit, input, order, running,
};
use crate::{
    config::{self, Settings},
    domain::{
        decide::Command,
        id::{OrderId, Version},
        order_ref,
        outbox_action::OutboxAction,
        report::{Cell, Form, Table, print_json},
    },
    ops::{
        audit::{self, Recorded},
        deeds::{self, failed},
        plan::{self, Done, Error, Intent, Request, Writer},
    },
    session::Session,
};

/// `order create|complete|cancel|delete|restore`
pub(super) async fn order(verb: Order, global: &Global, settings: &Settings) -> Outcome {
    type Make = fn(OrderId, &WriteArgs) -> Command;
    let (EndArgs { id, write }, make): (EndArgs, Make) = match verb {
        Order::Create(args) => {
            let command = input::order(&args)?;
            let intent = Intent::Command(command);
            return with(global, settings, &args.write, async |_| Ok(intent)).await;
        }
        Order::Complete(args) => (args, |id, _| Command::CompleteOrder { id }),
        Order::Cancel(args) => {
            if args.write.run.reason.is_none() {
                return Err(Failure::usage("--reason is needed: why is the order cancelled?"));
            }
            let make: Make = |id, write| Command::CancelOrder {
                id,
                reason: write.run.reason.clone().unwrap_or_default(),
            };
            (args, make)
        }
        Order::Delete(args) => (args, |id, _| Command::DeleteOrder { id }),
        Order::Restore(args) => (args, |id, _| Command::RestoreOrder { id }),
        _ => return Err(Failure::usage("this verb only looks")),
    };
    let wanted = order_ref::parse(&id).map_err(|error| Failure::usage(error.to_string()))?;
    let resolve = async |session: &Session| {
        Ok(Intent::Command(make(order::resolve(session, &wanted, &id).await?, &write)))
    };
    with(global, settings, &write, resolve).await
}

/// `buyer create|address`
pub(super) async fn buyer(verb: Buyer, global: &Global, settings: &Settings) -> Outcome {
    let (command, write) = match verb {
        Buyer::Create { json, id, name, address, write } => {
            (input::buyer(json.as_deref(), id.as_deref(), name, address)?, write)
        }
        Buyer::Address { id, json, address, write } => {
            (input::address(&id, json.as_deref(), address)?, write)
        }
    };
    let intent = Intent::Command(command);
    with(global, settings, &write, async |_| Ok(intent)).await
}

/// Opens the database, makes the intent and sees it through; leaves everything in order.
pub(super) async fn with(
    global: &Global,
    settings: &Settings,
    args: &WriteArgs,
    make: impl AsyncFnOnce(&Session) -> Result<Intent, Failure>,
) -> Outcome {
    let id = input::operation(args.idempotency_key.as_deref())?;
    running::opened(&args.run, global, settings, async |session, writer| {
        let intent = make(session).await?;
        // A reason for cancelling is the command's own.
        let own = matches!(intent, Intent::Command(Command::CancelOrder { .. }));
        let request = Request {
            id,
            intent,
            reason: args.run.reason.clone().filter(|_| !own),
            expect: args.expect_version.map(Version),
        };
        act(session, writer, request, args, settings).await
    })
    .await
}

async fn act(
    session: &Session,
    writer: &Writer,
    request: Request,
    args: &WriteArgs,
    settings: &Settings,
) -> Outcome {
    let stop = CancellationToken::new();
    let form = Form::from(args.output.output);
    let intent = request.intent.clone();
    if args.idempotency_key.is_some()
        && let Some(before) = audit::by_operation(&session.db, request.id, &stop).await?
    {
        return tell(&repeated(&request, &before)?, &before.targets, intent.name(), form);
    }
    let mut plan = plan::plan(writer, request, clock::now(), &stop).await?;
    if matches!(intent, Intent::Messages(OutboxAction::RemoveFailed { .. }))
        && config::broker(None, settings).is_ok()
    {
        let source = errors::source(None, settings)?;
        failed::in_queues(&mut plan, &session.db, &session.layout, &source, &stop).await?;
    }
    if args.run.dry_run {
        card::print(&plan, writer, session.db.place(), form, &mut std::io::stdout().lock())?;
        return Ok(if plan.is_blocked() { exit::REFUSED } else { exit::FOUND });
    }
    let said = Said { yes: args.run.yes, confirm: args.run.confirm.as_deref() };
    if !args.run.yes && args.run.confirm.is_none() {
        let mut err = std::io::stderr().lock();
        card::print(&plan, writer, session.db.place(), Form::Table, &mut err)?;
    }
    if plan.is_blocked() {
        return Err(Error::Blocked(plan.checks).into());
    }
    ask::confirmed(said, writer.policy(), &plan.word)?;
    let done = match plan::run(writer, &plan, clock::now()).await {
        // Another run with the same key was faster; a new order's id is drawn anew each time.
        Err(Error::Reused { id, was }) => {
            let before = audit::by_operation(&session.db, id, &stop).await?;
            match before.filter(|before| is_same(&intent, before)) {
                Some(before) => repeated(&plan.request, &before)?,
                None => return Err(Error::Reused { id, was }.into()),
            }
        }
        done => done?,
    };
    // Only the log's own guard: the command is done whatever becomes of it.
    if let Err(error) = audit::anchor_if_due(&session.db, clock::now(), audit::EVERY).await {
        tracing::warn!(%error, "no anchor was written");
    }
    tell(&done, &targets(&intent), intent.name(), form)
}

fn targets(intent: &Intent) -> Vec<String> {
    match intent {
        Intent::Command(command) => {
            let order = command.order().map(|id| id.to_string());
            order.into_iter().chain(command.buyer().map(|id| id.to_string())).collect()
        }
        Intent::Messages(deed) => vec![deed.target()],
    }
}

/// Whether an entry is about the same: a created thing may have drawn another id then.
fn is_same(intent: &Intent, before: &Recorded) -> bool {
    match intent {
        Intent::Command(Command::CreateOrder { .. } | Command::CreateBuyer { .. }) => {
            before.intent == intent.name()
        }
        Intent::Command(_) => before.intent == intent.name() && before.targets == targets(intent),
        Intent::Messages(deed) => deeds::is_same(deed, before),
    }
}

fn repeated(request: &Request, before: &Recorded) -> Result<Done, Error> {
    if !is_same(&request.intent, before) {
        let was = format!("{} of {}", before.intent, before.targets.join(", "));
        return Err(Error::Reused { id: request.id, was });
    }
    let after = before.after.as_ref();
    let told = after.and_then(|after| after.get("told")?.as_str());
    Ok(Done {
        id: request.id,
        audit: before.number,
        version: after.and_then(|after| after.get("version")?.as_i64()).map(Version),
        repeated: true,
        told: told.unwrap_or("done before; its record says no more").to_owned(),
        reverse: None,
    })
}

fn tell(done: &Done, targets: &[String], command: &str, form: Form) -> Outcome {
    let mut out = std::io::stdout().lock();
    let target = targets.first().map_or("", String::as_str);
    match form {
        Form::Json => print_json(&value(done, target, command), &mut out)?,
        Form::Csv => {
            let row = vec![
                Cell::Text(command.to_owned()),
                Cell::Text(target.to_owned()),
                Cell::Text(done.id.to_string()),
                Cell::number(done.audit),
                done.version.map_or(Cell::None, Cell::number),
                Cell::Flag(done.repeated),
                Cell::Text(done.told.clone()),
            ];
            let columns =
                vec!["command", "target", "operation", "audit", "version", "repeated", "told"];
            Table { columns, rows: vec![row] }.print(form, &mut out)?;
        }
        Form::Table | Form::Markdown => {
            let again = if done.repeated { "done before, not again: " } else { "" };
            writeln!(out, "{again}{}", done.told)?;
            writeln!(out, "audit {}, operation {}", done.audit, done.id)?;
        }
    }
    Ok(exit::FOUND)
}

fn value(done: &Done, target: &str, command: &str) -> Value {
    json!({
        "command": command,
        "target": target,
        "operation": done.id,
        "audit": done.audit,
        "version": done.version,
        "repeated": done.repeated,
        "told": done.told,
    })
}

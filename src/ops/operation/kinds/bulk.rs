//! Bulk operations over a frozen list, and what others do to them: what is said of them, and the way to the engine.

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::super::{
    batch::{self, BatchKind, BatchRequest, Standing, Steered, Which},
    broker_check,
    context::Context,
    error::PlanError,
    outcome::{Outcome, Progress},
    plan::{Effect, Listed, Plan, PlanRequest, Steps},
    selected::{Position, Selected},
    value::{Bulk, Operation},
};
use crate::domain::batch::State;

/// `purge delivered outboxes`
pub(super) fn title(bulk: &Bulk) -> String {
    let spec = bulk.kind.spec();
    spec.menu.first().map_or(spec.title, |entry| entry.title).to_owned()
}

/// What audit records of it are found by.
pub(super) fn targets(bulk: &Bulk) -> Vec<String> {
    kind_of(bulk).map(|kind| kind.targets()).unwrap_or_default()
}

/// What its command line says after the verb.
pub(super) fn options(bulk: &Bulk) -> Vec<String> {
    let mut options = kind_of(bulk).map(|kind| kind.options()).unwrap_or_default();
    options.extend(bulk.rate.iter().flat_map(|rate| ["--rate".to_owned(), rate.to_string()]));
    options
}

fn kind_of(bulk: &Bulk) -> Result<Box<dyn BatchKind>, PlanError> {
    batch::read(bulk.kind.spec().name, &bulk.parameters).ok_or(PlanError::Mismatch)
}

fn asked<'a>(request: &'a PlanRequest, bulk: &Bulk) -> BatchRequest<'a> {
    BatchRequest { id: request.id, reason: request.why(), rate: bulk.rate }
}

/// Counts what is due and tries out a few; where there is a broker it is asked about failed rows.
pub(super) async fn plan(
    ctx: &Context<'_>,
    request: &PlanRequest,
    bulk: &Bulk,
    stop: &CancellationToken,
) -> Result<Plan, PlanError> {
    let (writer, kind) = (ctx.writer()?, kind_of(bulk)?);
    let mut batches = batch::plan(ctx, &*kind, &asked(request, bulk), stop).await?;
    if batches.selected.goes_on.is_none()
        && let Ok(broker) = ctx.broker()
    {
        let checks = &mut batches.checks;
        broker_check::ask(checks, writer, &*kind, &broker.source, stop).await;
    }
    let policy = ctx.policy();
    let listed = batches.statements.into_iter().map(Listed::statement).collect();
    Ok(Plan {
        checks: batches.checks,
        effects: batches.effects,
        listed,
        cli_equivalent: request.cli_equivalent(None, policy, false),
        ..Plan::new(request, policy, ctx.now(), Steps::Batches(batches.selected))
    })
}

/// Freezes the list and runs it, as far as nobody else has to approve it first.
pub(super) async fn run(
    ctx: &Context<'_>,
    request: &PlanRequest,
    (bulk, selected): (&Bulk, &Selected),
    progress: &watch::Sender<Progress>,
    stop: &CancellationToken,
) -> Result<Outcome, PlanError> {
    let (kind, asked) = (kind_of(bulk)?, asked(request, bulk));
    let mut record = batch::start(ctx, &*kind, &asked, selected, progress, stop).await?.record;
    if record.state != State::Waiting {
        record = batch::run(ctx, &*kind, record.id, progress, stop).await?;
    }
    batch::outcome(&ctx.writer()?.db, &record, None).await
}

/// What came of an operation that is over.
pub(super) async fn ended_before(
    ctx: &Context<'_>,
    request: &PlanRequest,
    stop: &CancellationToken,
) -> Result<Option<Outcome>, PlanError> {
    let db = &ctx.writer()?.db;
    let found = batch::list(db, Which::Id(request.id), 1, stop).await?.pop();
    match found {
        Some((record, _)) if record.state.is_over() => {
            let outcome = batch::outcome(db, &record, None).await?;
            Ok(Some(Outcome { repeated: true, ..outcome }))
        }
        _ => Ok(None),
    }
}

/// What resuming, pausing, cancelling or approving would do.
pub(super) async fn plan_steering(
    ctx: &Context<'_>,
    request: &PlanRequest,
    number: i64,
    stop: &CancellationToken,
) -> Result<Plan, PlanError> {
    let Standing { record, next, checks, effects } =
        batch::standing(ctx, request.spec().kind, number, stop).await?;
    let was = batch::report::state(&record);
    let change = format!("operation {number}, {}: {was} → {next}", record.name);
    let steps = match request.operation {
        Operation::Resume(_) => Steps::Resume(batch::position(&record)),
        _ => Steps::Steering,
    };
    let policy = ctx.policy();
    Ok(Plan {
        checks,
        effects: [vec![Effect::told("operations", change)], effects].concat(),
        reverse: reverse(&request.operation),
        cli_equivalent: request.cli_equivalent(None, policy, false),
        ..Plan::new(request, policy, ctx.now(), steps)
    })
}

/// Goes on with it from where the plan saw it stand.
pub(super) async fn resume(
    ctx: &Context<'_>,
    request: &PlanRequest,
    at: (i64, Position),
    progress: &watch::Sender<Progress>,
    stop: &CancellationToken,
) -> Result<Outcome, PlanError> {
    let Steered { record, audit, .. } = batch::resume(ctx, request, at, progress, stop).await?;
    let outcome = batch::outcome(&ctx.writer()?.db, &record, audit).await?;
    Ok(Outcome { id: request.id, spec: request.spec(), ..outcome })
}

/// Approves, pauses or ends it, or asks whoever runs it to.
pub(super) async fn steer(ctx: &Context<'_>, plan: &Plan) -> Result<Outcome, PlanError> {
    let request = &plan.request;
    let steered = match request.operation {
        Operation::Approve(number) => batch::approve(ctx, request, number).await?,
        Operation::Pause(number) => batch::pause(ctx, request, number).await?,
        Operation::Cancel(number) => batch::cancel(ctx, request, number).await?,
        _ => return Err(PlanError::Mismatch),
    };
    Ok(told(plan, &steered))
}

/// What was paused is resumed; the rest cannot be taken back.
const fn reverse(operation: &Operation) -> Option<Operation> {
    match operation {
        Operation::Pause(number) => Some(Operation::Resume(*number)),
        _ => None,
    }
}

fn told(plan: &Plan, steered: &Steered) -> Outcome {
    let record = &steered.record;
    let told = match &steered.asked {
        Some(who) => format!("asked {who}: it is done after the batch under way"),
        None => format!(
            "operation {}, {}: {}",
            record.number,
            batch::report::state(record),
            batch::report::counted(record)
        ),
    };
    let items = Some(batch::report::list(&[(record.clone(), None)]));
    let more = batch::report::next_step(record).into_iter().collect();
    let reverse = reverse(&plan.request.operation);
    Outcome { more, reverse, items, ..Outcome::new(&plan.request, steered.audit, told) }
}

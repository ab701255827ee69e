//! What is done above this module: planned and run by the [`Work`] that the context was opened with.

use super::super::{
    context::{Context, Owned},
    error::PlanError,
    outcome::Outcome,
    plan::{Plan, PlanRequest, Steps},
    table::Kind,
    work::{Recorder, Work},
};

pub(super) fn title(kind: Kind, options: &[String]) -> String {
    match kind {
        Kind::LoadDemo => "load demo data".to_owned(),
        Kind::PlantScenario => format!("plant scenario {}", options.join(" ")),
        Kind::HealScenario => "take the planted scenario out".to_owned(),
        Kind::ResetPrivate => "remove the private database".to_owned(),
        _ => "move the private database to a newer PostgreSQL".to_owned(),
    }
}

fn work<'a>(ctx: &Context<'a>, request: &PlanRequest) -> Result<&'a dyn Work, PlanError> {
    match &ctx.owner(request.spec())?.target {
        Owned::Work(work) => Ok(&**work),
        Owned::Schema(_) => Err(PlanError::Mismatch),
    }
}

pub(super) async fn plan(ctx: &Context<'_>, request: &PlanRequest) -> Result<Plan, PlanError> {
    let found = work(ctx, request)?.look().await.map_err(PlanError::Work)?;
    let (policy, steps) = (ctx.policy(), if found.nothing { Steps::Nothing } else { Steps::Work });
    Ok(Plan {
        checks: found.checks,
        effects: found.effects,
        cli_equivalent: request.cli_equivalent(None, policy, false),
        ..Plan::new(request, policy, ctx.now(), steps)
    })
}

pub(super) async fn run(ctx: &Context<'_>, plan: &Plan) -> Result<Outcome, PlanError> {
    let request = &plan.request;
    let chain = &ctx.owner(request.spec())?.chain;
    let recorder = Recorder { id: request.id, chain, request, at: ctx.now() };
    let done = work(ctx, request)?.run(&recorder).await.map_err(PlanError::Work)?;
    Ok(Outcome { more: done.more, ..Outcome::new(request, done.audit, done.told) })
}

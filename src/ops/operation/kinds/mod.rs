//! What differs from one kind of operation to the next: how it is called, planned and run. Each has a file; this one
//! only finds it.

mod bulk;
mod drain;
mod error_queue;
mod ownership;
mod restore;
#[cfg(test)]
mod tests;
mod work;

use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use drain::plan_of as plan_of_drain;
pub use error_queue::plan_of as plan_of_errors;
pub use restore::plan_of as plan_of_restore;

use super::{
    command,
    context::Context,
    error::PlanError,
    messages::Messages,
    outbox_action,
    outcome::{Outcome, Progress},
    plan::{Plan, PlanRequest, Steps},
    transaction,
    value::Operation,
};
use crate::ops::delivery::Scope;

impl Operation {
    /// A few words for it: `cancel order …8c41`.
    #[must_use]
    pub fn title(&self) -> String {
        match self {
            Self::Order(command) => command::title(command),
            Self::Outbox(action) => outbox_action::title(action),
            Self::Bulk(bulk) => bulk::title(bulk),
            Self::Approve(number) => format!("approve operation {number}"),
            Self::Resume(number) => format!("resume operation {number}"),
            Self::Pause(number) => format!("pause operation {number}"),
            Self::Cancel(number) => format!("cancel operation {number}"),
            Self::Errors(work) => error_queue::title(work),
            Self::Restore(number) => restore::title(*number),
            Self::Drain(scope) => drain::title(*scope),
            Self::Attach { .. } | Self::HandOver { .. } | Self::Migrate => ownership::title(self),
            Self::Work { kind, options } => work::title(*kind, options),
        }
    }

    /// What audit records of it are found by, as far as that is known before it runs; the first is what it is about.
    #[must_use]
    pub fn targets(&self) -> Vec<String> {
        match self {
            Self::Order(command) => {
                let order = command.order().map(|id| id.to_string());
                order.into_iter().chain(command.buyer().map(|id| id.to_string())).collect()
            }
            Self::Outbox(action) => vec![action.target()],
            Self::Bulk(bulk) => bulk::targets(bulk),
            Self::Approve(number)
            | Self::Resume(number)
            | Self::Pause(number)
            | Self::Cancel(number) => vec![format!("operation {number}")],
            Self::Restore(number) => vec![format!("kept {number}")],
            Self::Drain(Scope::Outbox(id)) => vec![id.to_string()],
            Self::Drain(Scope::ConsumerOutbox(half)) => {
                vec![half.message_id.to_string(), half.consumer_id.to_string()]
            }
            Self::Drain(Scope::All)
            | Self::Errors(_)
            | Self::Attach { .. }
            | Self::HandOver { .. }
            | Self::Migrate
            | Self::Work { .. } => vec![],
        }
    }

    /// What its command line says after the verb.
    pub(super) fn options(&self) -> Vec<String> {
        match self {
            Self::Order(command) => command::options(command),
            Self::Outbox(action) => outbox_action::options(action),
            Self::Bulk(bulk) => bulk::options(bulk),
            Self::Approve(number)
            | Self::Resume(number)
            | Self::Pause(number)
            | Self::Cancel(number)
            | Self::Restore(number) => vec![number.to_string()],
            Self::Errors(work) => error_queue::options(work),
            Self::Drain(scope) => drain::options(*scope),
            Self::Attach { publisher } | Self::HandOver { publisher } => {
                ownership::options(*publisher)
            }
            Self::Migrate => vec![],
            Self::Work { options, .. } => options.clone(),
        }
    }

    /// What it says, without ids that are drawn for it: under the same id the same is a repetition, and nothing else.
    pub(in crate::ops::operation) fn content(&self) -> Vec<String> {
        match self {
            Self::Order(command) => command::content(command),
            Self::Outbox(action) => outbox_action::content(action),
            other => other.options(),
        }
    }

    /// What takes it back, as far as its record tells.
    pub(super) fn recorded_reverse(&self, after: &Value) -> Option<Self> {
        match self {
            Self::Order(command) => command::reverse(command, None),
            Self::Outbox(_) => outbox_action::recorded_reverse(after),
            _ => None,
        }
    }
}

/// Plans it. Nothing is written, taken or sent.
pub(super) async fn plan(
    ctx: &Context<'_>,
    request: &PlanRequest,
    stop: &CancellationToken,
) -> Result<Plan, PlanError> {
    match &request.operation {
        Operation::Order(command) => {
            transaction::plan(ctx.writer()?, request, command, ctx.now(), stop).await
        }
        Operation::Outbox(action) => {
            transaction::plan(ctx.writer()?, request, action, ctx.now(), stop).await
        }
        Operation::Bulk(bulk) => bulk::plan(ctx, request, bulk, stop).await,
        Operation::Approve(number)
        | Operation::Resume(number)
        | Operation::Pause(number)
        | Operation::Cancel(number) => bulk::plan_steering(ctx, request, *number, stop).await,
        Operation::Errors(work) => error_queue::plan(ctx, request, work, stop).await,
        Operation::Restore(number) => restore::plan(ctx, request, *number, stop).await,
        Operation::Drain(scope) => drain::plan(ctx, request, *scope, stop).await,
        Operation::Attach { .. } | Operation::HandOver { .. } | Operation::Migrate => {
            ownership::plan(ctx, request).await
        }
        Operation::Work { .. } => work::plan(ctx, request).await,
    }
}

/// Runs what was planned, as its steps promise.
pub(super) async fn run(
    ctx: &Context<'_>,
    plan: &Plan,
    progress: &watch::Sender<Progress>,
    stop: &CancellationToken,
) -> Result<Outcome, PlanError> {
    let request = &plan.request;
    match (&plan.steps, &request.operation) {
        (Steps::Nothing, _) => Ok(Outcome::new(request, None, plan.told_nothing())),
        (Steps::OneTransaction(expected), Operation::Order(command)) => {
            transaction::run(ctx.writer()?, request, command, Some(expected), ctx.now()).await
        }
        (Steps::OneTransaction(expected), Operation::Outbox(action)) => {
            transaction::run(ctx.writer()?, request, action, Some(expected), ctx.now()).await
        }
        (Steps::Batches(selected), Operation::Bulk(bulk)) => {
            bulk::run(ctx, request, (bulk, selected), progress, stop).await
        }
        (Steps::Resume(position), Operation::Resume(number)) => {
            bulk::resume(ctx, request, (*number, *position), progress, stop).await
        }
        (Steps::Steering, _) => bulk::steer(ctx, plan).await,
        (Steps::Schema(standing), _) => ownership::run(ctx, plan, standing).await,
        (Steps::Work, _) => work::run(ctx, plan).await,
        (Steps::BrokerMessages(Messages::Errors(work)), _) => {
            error_queue::run(ctx, plan, work, progress, stop).await
        }
        (Steps::BrokerMessages(Messages::Restore(restoring)), _) => {
            restore::run(ctx, plan, restoring, progress).await
        }
        (Steps::BrokerMessages(Messages::Drain(waiting)), _) => {
            drain::run(ctx, plan, waiting, progress, stop).await
        }
        (Steps::OneTransaction(_) | Steps::Batches(_) | Steps::Resume(_), _) => {
            Err(PlanError::Mismatch)
        }
    }
}

/// The first answer to a request whose id was used before.
pub(super) async fn done_before(
    ctx: &Context<'_>,
    request: &PlanRequest,
    stop: &CancellationToken,
) -> Result<Option<Outcome>, PlanError> {
    let recorded = transaction::recorded(ctx.writer()?, request, stop).await?;
    match (&request.operation, recorded) {
        // What is not over goes on: it is planned again.
        (Operation::Bulk(_), Some(_)) => bulk::ended_before(ctx, request, stop).await,
        (_, recorded) => Ok(recorded),
    }
}

/// Runs a request that nobody planned, in one transaction; `expect` alone guards it against others.
pub(super) async fn execute(
    ctx: &Context<'_>,
    request: &PlanRequest,
) -> Result<Outcome, PlanError> {
    let (writer, now) = (ctx.writer()?, ctx.now());
    match &request.operation {
        Operation::Order(command) => transaction::run(writer, request, command, None, now).await,
        Operation::Outbox(action) => transaction::run(writer, request, action, None, now).await,
        _ => Err(PlanError::Mismatch),
    }
}

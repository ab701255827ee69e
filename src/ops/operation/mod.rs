//! Everything that can be done to a database or a broker: planned, shown, confirmed, run and recorded in one way.
//!
//! [`table`] lists the operations. An [`Operation`] is one of them with its values. [`plan`] finds out what it would do
//! and changes nothing; [`run`] does what was planned, if the confirmation is the one that the plan asks for and
//! nothing it relied on has moved. How it runs, and what that promises, differs ([`StepKind`], [`Steps`]); console and
//! verbs know no other way.

pub mod batch;
mod broker_check;
mod check;
mod cli_equivalent;
pub mod command;
mod context;
mod error;
mod kinds;
mod messages;
mod origin;
pub mod outbox_action;
mod outcome;
mod plan;
mod record;
mod selected;
pub mod table;
mod transaction;
mod value;
mod work;
mod writer;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub(crate) use self::transaction::{Performed, Task};
pub use self::{
    check::{Check, Verdict},
    cli_equivalent::quoted,
    context::{BrokerAccess, Context, Owner},
    error::{Ending, Failed, Moved, PlanError},
    kinds::{plan_of_drain, plan_of_errors, plan_of_restore},
    messages::{Messages, Restoring, Waiting},
    origin::Origin,
    outcome::{Outcome, Progress},
    plan::{Effect, ExpectedVersions, Listed, Needed, Plan, PlanRequest, Steps},
    selected::{Position, Selected},
    table::{
        Choice, Entry, Field, Input, Kind, Leaving, List, OPERATIONS, Reason, Risk, Spec, StepKind,
        Target,
    },
    value::{Bulk, ErrorWork, Operation, Publisher, RATE},
    work::{Done, Found, Recorder, Work},
    writer::Writer,
};

/// How a person agreed to a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmation<'a> {
    /// This was typed, or given as `--confirm`.
    Typed(&'a str),
    /// `--yes`.
    Yes,
}

impl Needed {
    /// Whether this is enough.
    ///
    /// # Errors
    /// [`PlanError::Unconfirmed`] and [`PlanError::NotEnough`].
    pub fn met(&self, confirmation: Confirmation<'_>) -> Result<(), PlanError> {
        let Self { phrase, typed } = self;
        match confirmation {
            Confirmation::Typed(given) if given.trim() == phrase => Ok(()),
            Confirmation::Typed(given) => Err(PlanError::Unconfirmed {
                given: given.trim().to_owned(),
                phrase: phrase.clone(),
            }),
            Confirmation::Yes if *typed => Err(PlanError::NotEnough(phrase.clone())),
            Confirmation::Yes => Ok(()),
        }
    }
}

/// Finds out what an operation would do. Nothing is written, taken or sent, and nothing is drawn from a sequence.
///
/// # Errors
/// When it is not permitted, refused, nothing is there that is meant, or database or broker cannot be asked.
pub async fn plan(
    ctx: &Context<'_>,
    request: PlanRequest,
    stop: &CancellationToken,
) -> Result<Plan, PlanError> {
    ctx.permits(request.spec())?;
    let mut plan = kinds::plan(ctx, &request, stop).await?;
    plan.checks.extend(ctx.warning.clone().map(|text| Check::new(Verdict::Warn, text)));
    Ok(plan)
}

/// Runs a plan. `stop` ends work with the broker after the message or the pass under way; a transaction is never
/// stopped.
///
/// # Errors
/// When it is blocked, not confirmed or not permitted, when what it relied on has moved, or when it broke off; what was
/// done until then is on record.
pub async fn run(
    ctx: &Context<'_>,
    plan: &Plan,
    confirmation: Confirmation<'_>,
    progress: &watch::Sender<Progress>,
    stop: &CancellationToken,
) -> Result<Outcome, PlanError> {
    plan.runnable()?;
    if !plan.is_done() {
        plan.confirmation.met(confirmation)?;
    }
    ctx.permits(plan.spec())?;
    kinds::run(ctx, plan, progress, stop).await
}

/// The first answer to a request whose id was used before, if it was: the same operation is not planned again.
///
/// # Errors
/// When the id was used for something else, or the log cannot be read.
pub async fn done_before(
    ctx: &Context<'_>,
    request: &PlanRequest,
    stop: &CancellationToken,
) -> Result<Option<Outcome>, PlanError> {
    kinds::done_before(ctx, request, stop).await
}

/// Runs a request that nobody planned, in one transaction, for programs that decide by themselves; `expect` alone
/// guards it against others. People confirm a plan.
///
/// # Errors
/// As [`run`]; also for what is no single transaction.
pub async fn execute(ctx: &Context<'_>, request: &PlanRequest) -> Result<Outcome, PlanError> {
    ctx.permits(request.spec())?;
    kinds::execute(ctx, request).await
}

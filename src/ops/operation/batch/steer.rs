//! What people do to an operation: approve it, ask for a pause or its end; and what a plan says before, also before it
//! is resumed.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;
use sqlx::{Connection, PgConnection};
use tokio_util::sync::CancellationToken;

use super::{
    Context, PlanError, Record, Steered, Which, Writer, found, kind_of, name_of, permitted,
    plan::rights, recorded, refused, run::became, runner,
};
use crate::{
    db::{Error, operations},
    domain::batch::{State, Step, Wanted},
    ops::operation::{Check, Effect, Kind, PlanRequest, Verdict},
};

/// An operation before something is done to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    pub record: Record,
    /// The state that follows.
    pub next: State,
    /// What there is to say before.
    pub checks: Vec<Check>,
    /// What becomes of the items that are left.
    pub effects: Vec<Effect>,
}

/// What such an operation is to the one it is about; cancelling where it is about none.
#[must_use]
pub const fn step_of(kind: Kind) -> Step {
    match kind {
        Kind::ApproveOperation => Step::Approve,
        Kind::ResumeOperation => Step::Run,
        Kind::PauseOperation => Step::Pause,
        _ => Step::Cancel,
    }
}

/// The operation that something is to be done to, with what there is to say before.
///
/// # Errors
/// When there is none of that number, it cannot be done now, or this operator may not do it.
pub async fn standing(
    ctx: &Context<'_>,
    kind: Kind,
    number: i64,
    stop: &CancellationToken,
) -> Result<Standing, PlanError> {
    let writer = ctx.writer()?;
    let asked = writer.db.read("operation", stop, async |conn| {
        let login = operations::login(conn).await?;
        let record = match found(conn, Which::Number(number)).await {
            Ok(record) => record,
            Err(error) => return Ok(Err(error)),
        };
        let since = since(conn, &record).await?;
        Ok(Ok((record, login, since)))
    });
    let (record, login, since) = asked.await??;
    let next = record.state.after(step_of(kind)).map_err(|why| refused(number, why))?;
    let begun = format!(
        "begun by {}@{} with the login {}: {}",
        record.operator,
        record.host,
        record.login,
        record.reason.as_deref().unwrap_or("no reason is on record")
    );
    let counted = super::report::counted(&record);
    let mut checks = vec![Check::new(Verdict::Ok, begun), Check::new(Verdict::Ok, counted)];
    let mut effects = vec![];
    match kind {
        Kind::ApproveOperation if record.login == login => {
            let error = PlanError::SameLogin { number, login };
            checks.push(Check::new(Verdict::Blocking, error.to_string()));
        }
        Kind::ResumeOperation => {
            if record.held {
                return Err(PlanError::Busy { number, who: runner(&record) });
            }
            permitted(writer, &record.name)?;
            let bulk = kind_of(&record)?;
            bulk.allowed(ctx.now())?;
            checks.push(Check::new(Verdict::Ok, stands(&record, since)));
            let failed = record.counts.failed.saturating_sub(record.accepted);
            if record.state == State::Stopped && failed > 0 {
                let text = format!("resuming accepts {failed} items that failed");
                checks.push(Check::new(Verdict::Warn, text));
            }
            checks.extend(rights(writer, &*bulk, stop).await?);
            checks.extend(bulk.notes(&writer.layout));
            effects = bulk.effects(record.left());
        }
        Kind::PauseOperation | Kind::CancelOperation => {
            permitted(writer, &record.name)?;
            let text = if record.held {
                let ends = if kind == Kind::PauseOperation { "pauses" } else { "ends" };
                format!("{} runs it: it {ends} after the batch under way", runner(&record))
            } else {
                stands(&record, since)
            };
            checks.push(Check::new(Verdict::Ok, text));
        }
        _ => {}
    }
    Ok(Standing { record, next, checks, effects })
}

/// When something was done to it last: a batch, its approval, or that it was made.
async fn since(conn: &mut PgConnection, record: &Record) -> Result<DateTime<Utc>, Error> {
    let last = operations::batches(conn, record.id, record.batches - 1, 1).await?.pop();
    let batch = last.map(|batch| batch.ended_at).max(record.runner_since);
    Ok(batch.or(record.approved_at).unwrap_or(record.created_at))
}

/// `paused since 2026-11-22T14:00:00Z, last run by mai@ws-1: by mai@ws-1`
fn stands(record: &Record, since: DateTime<Utc>) -> String {
    let (state, since) =
        (super::report::state(record), since.to_rfc3339_opts(SecondsFormat::Secs, true));
    let by = match &record.runner {
        Some(who) => format!("last run by {who}"),
        None => "nobody has run it yet".to_owned(),
    };
    let told = record.told.as_deref().map_or_else(String::new, |told| format!(": {told}"));
    format!("{state} since {since}, {by}{told}")
}

/// Does it in a session of its own.
async fn alone(
    ctx: &Context<'_>,
    work: impl AsyncFnOnce(&Writer, &mut PgConnection) -> Result<Steered, PlanError>,
) -> Result<Steered, PlanError> {
    let writer = ctx.writer()?;
    let mut session = writer.pool.session("operation").await?;
    let steered = work(writer, &mut session).await;
    if steered.is_ok() {
        session.finish();
    }
    steered
}

/// Approves an operation that waits for a second person.
///
/// # Errors
/// When it does not wait for one, or was begun by the same database login.
pub async fn approve(
    ctx: &Context<'_>,
    request: &PlanRequest,
    number: i64,
) -> Result<Steered, PlanError> {
    alone(ctx, async |writer, conn| approving(writer, conn, request, number).await).await
}

async fn approving(
    writer: &Writer,
    conn: &mut PgConnection,
    request: &PlanRequest,
    number: i64,
) -> Result<Steered, PlanError> {
    let operation = found(conn, Which::Number(number)).await?;
    operation.state.after(Step::Approve).map_err(|why| refused(number, why))?;
    let mut tx = conn.begin().await?;
    if !operations::approve(&mut tx, operation.id, &name_of(writer)).await? {
        return Err(PlanError::SameLogin { number, login: operation.login });
    }
    let after = json!({
        "approved": operation.id,
        "operation": number,
        "name": operation.name,
        "items": operation.items,
    });
    let audit = recorded(writer, &mut tx, request, &operation, &after).await?;
    tx.commit().await?;
    let record = found(conn, Which::Id(operation.id)).await?;
    Ok(Steered { record, audit: Some(audit), asked: None })
}

/// Pauses an operation: whoever runs it does so after the batch under way.
///
/// # Errors
/// When it is not running.
pub async fn pause(
    ctx: &Context<'_>,
    request: &PlanRequest,
    number: i64,
) -> Result<Steered, PlanError> {
    alone(ctx, async |writer, conn| pausing(writer, conn, request, number).await).await
}

async fn pausing(
    writer: &Writer,
    conn: &mut PgConnection,
    request: &PlanRequest,
    number: i64,
) -> Result<Steered, PlanError> {
    let operation = found(conn, Which::Number(number)).await?;
    permitted(writer, &operation.name)?;
    operation.state.after(Step::Pause).map_err(|why| refused(number, why))?;
    if !operations::try_lock(conn, number).await? {
        return ask_runner(writer, conn, request, &operation, Wanted::Pause).await;
    }
    // Whoever ran it was killed.
    let paused = pause_now(writer, conn, request, &operation).await;
    operations::unlock(conn, number).await?;
    let audit = Some(paused?);
    Ok(Steered { record: found(conn, Which::Id(operation.id)).await?, audit, asked: None })
}

/// Pauses it, in one transaction with the record. Nobody runs it.
async fn pause_now(
    writer: &Writer,
    conn: &mut PgConnection,
    request: &PlanRequest,
    operation: &Record,
) -> Result<i64, PlanError> {
    let after = json!({ "paused": operation.id, "operation": operation.number });
    let mut tx = conn.begin().await?;
    let audit = recorded(writer, &mut tx, request, operation, &after).await?;
    let told = format!("by {}", name_of(writer));
    let states = (State::Running, State::Paused);
    operations::set_state(&mut tx, operation.id, states, Some(&told), None).await?;
    tx.commit().await?;
    Ok(audit)
}

/// Ends an operation early: what is done stays done, what is left is left as it is.
///
/// # Errors
/// When it is over, or its list is being written.
pub async fn cancel(
    ctx: &Context<'_>,
    request: &PlanRequest,
    number: i64,
) -> Result<Steered, PlanError> {
    alone(ctx, async |writer, conn| cancelling(writer, conn, request, number).await).await
}

async fn cancelling(
    writer: &Writer,
    conn: &mut PgConnection,
    request: &PlanRequest,
    number: i64,
) -> Result<Steered, PlanError> {
    let operation = found(conn, Which::Number(number)).await?;
    permitted(writer, &operation.name)?;
    operation.state.after(Step::Cancel).map_err(|why| refused(number, why))?;
    if !operations::try_lock(conn, number).await? {
        if operation.state != State::Running {
            return Err(PlanError::Busy { number, who: runner(&operation) });
        }
        return ask_runner(writer, conn, request, &operation, Wanted::Cancel).await;
    }
    let ended = end(writer, conn, request, number).await;
    operations::unlock(conn, number).await?;
    let audit = ended?;
    let record = found(conn, Which::Id(operation.id)).await?;
    Ok(Steered { record, audit: Some(audit), asked: None })
}

/// Ends it, in one transaction with the record. Nobody runs it.
async fn end(
    writer: &Writer,
    conn: &mut PgConnection,
    request: &PlanRequest,
    number: i64,
) -> Result<i64, PlanError> {
    let operation = found(conn, Which::Number(number)).await?;
    operation.state.after(Step::Cancel).map_err(|why| refused(number, why))?;
    let became = became(conn, &operation, State::Cancelled).await?;
    let mut tx = conn.begin().await?;
    let audit = recorded(writer, &mut tx, request, &operation, &became).await?;
    let told = format!("by {}", name_of(writer));
    let states = (operation.state, State::Cancelled);
    operations::set_state(&mut tx, operation.id, states, Some(&told), Some(audit)).await?;
    tx.commit().await?;
    Ok(audit)
}

/// Asks the session that runs it, in one transaction with the record.
async fn ask_runner(
    writer: &Writer,
    conn: &mut PgConnection,
    request: &PlanRequest,
    operation: &Record,
    wanted: Wanted,
) -> Result<Steered, PlanError> {
    let number = operation.number;
    let wish = json!({ wanted.name(): operation.id, "operation": number });
    let mut tx = conn.begin().await?;
    let audit = Some(recorded(writer, &mut tx, request, operation, &wish).await?);
    if !operations::ask(&mut tx, operation.id, wanted).await? {
        return Err(refused(number, crate::domain::batch::Refusal::NotRunning));
    }
    let record = found(&mut tx, Which::Id(operation.id)).await?;
    tx.commit().await?;
    let asked = Some(runner(&record));
    Ok(Steered { record, audit, asked })
}

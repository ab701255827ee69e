//! What others do to an operation: approve it, or ask for a pause or its end.

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use tokio_util::sync::CancellationToken;

use super::{
    Context, PlanError, Record, Which, Writer, found, kind_of, name_of, permitted, record, refused,
    run::became, runner,
};
use crate::{
    db::operations,
    domain::batch::{State, Step, Wanted},
    ops::operation::{Check, Kind, PlanRequest, Verdict},
};

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Steered {
    pub record: Record,
    /// Number of the audit record, where there is one.
    pub audit: Option<i64>,
    /// Who does it after the batch under way; none where it is done already.
    pub asked: Option<String>,
}

/// The operation that is approved or cancelled, with what there is to say before.
///
/// # Errors
/// When there is none of that number, or it cannot be approved or cancelled now.
pub async fn waiting(
    ctx: &Context<'_>,
    kind: Kind,
    number: i64,
    stop: &CancellationToken,
) -> Result<(Record, Vec<Check>), PlanError> {
    let writer = ctx.writer()?;
    let asked = writer.db.read("operation", stop, async |conn| {
        let login = operations::login(conn).await?;
        Ok((found(conn, Which::Number(number)).await, login))
    });
    let (record, login) = asked.await?;
    let record = record?;
    let step = if kind == Kind::ApproveOperation { Step::Approve } else { Step::Cancel };
    record.state.after(step).map_err(|why| refused(number, why))?;
    let begun = format!(
        "begun by {}@{} with the login {}: {}",
        record.operator,
        record.host,
        record.login,
        record.reason.as_deref().unwrap_or("no reason is on record")
    );
    let mut checks = vec![
        Check::new(Verdict::Ok, begun),
        Check::new(Verdict::Ok, super::report::counted(&record)),
    ];
    if kind == Kind::ApproveOperation && record.login == login {
        let error = PlanError::SameLogin { number, login };
        checks.push(Check::new(Verdict::Blocking, error.to_string()));
    }
    if record.held {
        let text = format!("{} runs it: it ends after the batch under way", runner(&record));
        checks.push(Check::new(Verdict::Warn, text));
    }
    Ok((record, checks))
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
    let writer = ctx.writer()?;
    let mut session = writer.pool.session("operation").await?;
    let approved = approving(writer, &mut session, request, number).await;
    if approved.is_ok() {
        session.finish();
    }
    approved
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
pub async fn pause(ctx: &Context<'_>, number: i64) -> Result<Steered, PlanError> {
    let writer = ctx.writer()?;
    let mut session = writer.pool.session("operation").await?;
    let steered = pausing(writer, &mut session, number).await;
    if steered.is_ok() {
        session.finish();
    }
    steered
}

async fn pausing(
    writer: &Writer,
    conn: &mut PgConnection,
    number: i64,
) -> Result<Steered, PlanError> {
    let operation = found(conn, Which::Number(number)).await?;
    permitted(writer, &operation.name)?;
    operation.state.after(Step::Pause).map_err(|why| refused(number, why))?;
    if !operations::try_lock(conn, number).await? {
        return asked(conn, &operation, Wanted::Pause, None).await;
    }
    // Whoever ran it was killed.
    let told = format!("by {}", name_of(writer));
    let states = (State::Running, State::Paused);
    let paused = operations::set_state(conn, operation.id, states, Some(&told), None).await;
    operations::unlock(conn, number).await?;
    paused?;
    Ok(Steered { record: found(conn, Which::Id(operation.id)).await?, audit: None, asked: None })
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
    let writer = ctx.writer()?;
    let mut session = writer.pool.session("operation").await?;
    let steered = cancelling(writer, &mut session, request, number).await;
    if steered.is_ok() {
        session.finish();
    }
    steered
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
        let wish = json!({ "cancel": operation.id, "operation": number });
        let mut tx = conn.begin().await?;
        let audit = recorded(writer, &mut tx, request, &operation, &wish).await?;
        let steered = asked(&mut tx, &operation, Wanted::Cancel, Some(audit)).await?;
        tx.commit().await?;
        return Ok(steered);
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

async fn recorded(
    writer: &Writer,
    conn: &mut PgConnection,
    request: &PlanRequest,
    operation: &Record,
    after: &Value,
) -> Result<i64, PlanError> {
    let mut about = request.operation.targets();
    if let Ok(kind) = kind_of(operation) {
        about.extend(kind.targets());
    }
    let entry = (request.id, request.spec().name);
    record(conn, writer, entry, about, request.why(), after).await
}

/// Asks the session that runs it.
async fn asked(
    conn: &mut PgConnection,
    operation: &Record,
    wanted: Wanted,
    audit: Option<i64>,
) -> Result<Steered, PlanError> {
    if !operations::ask(conn, operation.id, wanted).await? {
        return Err(refused(operation.number, crate::domain::batch::Refusal::NotRunning));
    }
    let record = found(conn, Which::Id(operation.id)).await?;
    let asked = Some(runner(&record));
    Ok(Steered { record, audit, asked })
}

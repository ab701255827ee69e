//! What others do to an operation: approve it, or ask for a pause or its end.

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::{
    APPROVE, CANCEL, Context, Error, Which, found, kind_of, name_of, permitted, record,
    run::became, runner, targets,
};
use crate::{
    db::operations::{self, Operation},
    domain::batch::{State, Step, Wanted},
};

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Steered {
    pub operation: Operation,
    /// Who does it after the batch under way; none where it is done already.
    pub asked: Option<String>,
}

/// Approves an operation that waits for a second person.
///
/// # Errors
/// When it does not wait for one, or was begun by the same database login.
pub async fn approve(context: &Context<'_>, number: i64, reason: &str) -> Result<Steered, Error> {
    let writer = context.writer;
    permitted(writer, APPROVE)?;
    let mut session = writer.pool.session("operation").await?;
    let approved = async {
        let operation = found(&mut session, Which::Number(number)).await?;
        operation.state.after(Step::Approve).map_err(|why| Error::Refused { number, why })?;
        let same = || Error::SameLogin { number, login: operation.login.clone() };
        if operations::login(&mut session).await? == operation.login {
            return Err(same());
        }
        let mut tx = session.begin().await?;
        if !operations::approve(&mut tx, operation.id, &name_of(writer)).await? {
            return Err(same());
        }
        let entry = (Uuid::now_v7(), APPROVE);
        let after = json!({
            "approved": operation.id,
            "operation": number,
            "name": operation.name,
            "items": operation.items,
        });
        let targets = targets(vec![], number);
        record(&mut tx, writer, entry, targets, Some(reason), &after).await?;
        tx.commit().await?;
        found(&mut session, Which::Id(operation.id)).await
    };
    let operation = approved.await?;
    session.finish();
    Ok(Steered { operation, asked: None })
}

/// Pauses an operation: whoever runs it does so after the batch under way.
///
/// # Errors
/// When it is not running.
pub async fn pause(context: &Context<'_>, number: i64) -> Result<Steered, Error> {
    let mut session = context.writer.pool.session("operation").await?;
    let steered = pausing(context, &mut session, number).await;
    if steered.is_ok() {
        session.finish();
    }
    steered
}

async fn pausing(
    context: &Context<'_>,
    conn: &mut PgConnection,
    number: i64,
) -> Result<Steered, Error> {
    let operation = found(conn, Which::Number(number)).await?;
    permitted(context.writer, &operation.name)?;
    operation.state.after(Step::Pause).map_err(|why| Error::Refused { number, why })?;
    if !operations::try_lock(conn, number).await? {
        return asked(conn, &operation, Wanted::Pause).await;
    }
    // Whoever ran it was killed.
    let told = format!("by {}", name_of(context.writer));
    let states = (State::Running, State::Paused);
    let paused = operations::set_state(conn, operation.id, states, Some(&told), None).await;
    operations::unlock(conn, number).await?;
    paused?;
    Ok(Steered { operation: found(conn, Which::Id(operation.id)).await?, asked: None })
}

/// Ends an operation early: what is done stays done, what is left is left as it is.
///
/// # Errors
/// When it is over, or its list is being written.
pub async fn cancel(context: &Context<'_>, number: i64, reason: &str) -> Result<Steered, Error> {
    let mut session = context.writer.pool.session("operation").await?;
    let steered = cancelling(context, &mut session, number, reason).await;
    if steered.is_ok() {
        session.finish();
    }
    steered
}

async fn cancelling(
    context: &Context<'_>,
    conn: &mut PgConnection,
    number: i64,
    reason: &str,
) -> Result<Steered, Error> {
    let operation = found(conn, Which::Number(number)).await?;
    permitted(context.writer, &operation.name)?;
    operation.state.after(Step::Cancel).map_err(|why| Error::Refused { number, why })?;
    if !operations::try_lock(conn, number).await? {
        if operation.state != State::Running {
            return Err(Error::Busy { number, who: runner(&operation) });
        }
        let wish = json!({ "cancel": operation.id, "operation": number });
        let mut tx = conn.begin().await?;
        recorded(context, &mut tx, &operation, reason, &wish).await?;
        let steered = asked(&mut tx, &operation, Wanted::Cancel).await?;
        tx.commit().await?;
        return Ok(steered);
    }
    let ended = end(context, conn, number, reason).await;
    operations::unlock(conn, number).await?;
    ended?;
    Ok(Steered { operation: found(conn, Which::Id(operation.id)).await?, asked: None })
}

/// Ends it, in one transaction with the record. Nobody runs it.
async fn end(
    context: &Context<'_>,
    conn: &mut PgConnection,
    number: i64,
    reason: &str,
) -> Result<(), Error> {
    let operation = found(conn, Which::Number(number)).await?;
    operation.state.after(Step::Cancel).map_err(|why| Error::Refused { number, why })?;
    let became = became(conn, &operation, State::Cancelled).await?;
    let mut tx = conn.begin().await?;
    let audit = recorded(context, &mut tx, &operation, reason, &became).await?;
    let told = format!("by {}", name_of(context.writer));
    let states = (operation.state, State::Cancelled);
    operations::set_state(&mut tx, operation.id, states, Some(&told), Some(audit)).await?;
    tx.commit().await?;
    Ok(())
}

async fn recorded(
    context: &Context<'_>,
    conn: &mut PgConnection,
    operation: &Operation,
    reason: &str,
    after: &Value,
) -> Result<i64, Error> {
    let about = match kind_of(operation) {
        Ok(kind) => kind.describe().targets,
        Err(_) => vec![],
    };
    let (entry, targets) = ((Uuid::now_v7(), CANCEL), targets(about, operation.number));
    record(conn, context.writer, entry, targets, Some(reason), after).await
}

/// Asks the session that runs it.
async fn asked(
    conn: &mut PgConnection,
    operation: &Operation,
    wanted: Wanted,
) -> Result<Steered, Error> {
    let number = operation.number;
    if !operations::ask(conn, operation.id, wanted).await? {
        let why = crate::domain::batch::Refusal::NotRunning;
        return Err(Error::Refused { number, why });
    }
    let operation = found(conn, Which::Id(operation.id)).await?;
    let asked = Some(runner(&operation));
    Ok(Steered { operation, asked })
}

//! Freezing the list of an operation, and the record of what is meant.

use serde_json::json;
use sqlx::{Connection, PgConnection};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    BatchKind, Context, Error, Plan, Progress, Which, permitted,
    plan::{MOST, PAGE, rights, smaller_page},
    record, targets,
};
use crate::{
    db::operations::{self, Cursor, New, Operation},
    domain::batch::{State, Step},
    ops::plan::{self as writes, Verdict},
};

/// An operation that is on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    pub operation: Operation,
    /// The same id had begun it before; its list is that of then.
    pub before: bool,
}

/// Freezes the list of what was planned and records what is meant. Nothing of it is done yet.
///
/// # Errors
/// When it is blocked, not permitted, or more is selected than the plan showed. Nothing is done then.
pub async fn start(
    context: &Context<'_>,
    kind: &dyn BatchKind,
    plan: &Plan,
    progress: &watch::Sender<Progress>,
    stop: &CancellationToken,
) -> Result<Started, Error> {
    let writer = context.writer;
    permitted(writer, kind.name())?;
    kind.allowed((context.clock)())?;
    let mut checks = plan.checks.clone();
    checks.extend(rights(context, kind, stop).await?);
    if checks.iter().any(|check| check.verdict == Verdict::Blocking) {
        return Err(writes::Error::Blocked(checks).into());
    }
    let mut session = writer.pool.session("operation").await?;
    if let Some(operation) = operations::find(&mut session, Which::Id(plan.id)).await? {
        session.finish();
        return before(kind, operation).map(|operation| Started { operation, before: true });
    }
    let new = New {
        id: plan.id,
        name: kind.name(),
        parameters: &plan.parameters,
        rate: plan.rate,
        operator: &writer.operator.name,
        host: &writer.operator.host,
    };
    let number = operations::create(&mut session, &new).await?;
    progress.send_modify(|progress| {
        progress.number = number;
        progress.hindered = Some("its list is being written".to_owned());
    });
    // While the list is written, nobody takes it for one that was given up.
    operations::try_lock(&mut session, number).await?;
    let frozen = match freeze(context, kind, plan, &mut session, stop).await {
        Ok(items) => meant(context, kind, plan, &mut session, number, items).await,
        Err(error) => Err(error),
    };
    if let Err(error) = &frozen {
        // Where this fails as well, it stays as one whose list was never completed.
        let told = error.to_string();
        let states = (State::Freezing, State::Cancelled);
        let _ = operations::set_state(&mut session, plan.id, states, Some(&told), None).await;
    }
    let ended = operations::unlock(&mut session, number).await;
    frozen?;
    ended?;
    let operation = operations::find(&mut session, Which::Id(plan.id)).await?;
    session.finish();
    progress.send_modify(|progress| progress.hindered = None);
    let operation = operation.ok_or(Error::Unknown(number))?;
    Ok(Started { operation, before: false })
}

/// The operation that had this id before, if it is the same.
fn before(kind: &dyn BatchKind, operation: Operation) -> Result<Operation, Error> {
    if operation.name == kind.name() {
        return Ok(operation);
    }
    let was = format!("{}, operation {}", operation.name, operation.number);
    Err(writes::Error::Reused { id: operation.id, was }.into())
}

/// Writes the list page by page, and tells how many items it has.
async fn freeze(
    context: &Context<'_>,
    kind: &dyn BatchKind,
    plan: &Plan,
    conn: &mut PgConnection,
    stop: &CancellationToken,
) -> Result<u64, Error> {
    let layout = &context.writer.layout;
    let most = if plan.cut { MOST } else { plan.items.saturating_add(1) };
    let (mut items, mut after, mut size) = (0, None::<Cursor>, PAGE);
    while items < most {
        if stop.is_cancelled() {
            return Err(crate::db::Error::Cancelled.into());
        }
        let limit = size.min(most - items);
        let into = Some((plan.id, items));
        let page = match kind.page(conn, layout, after.as_ref(), limit, into).await {
            Ok(page) => page,
            Err(error) => {
                size = smaller_page(size, error)?;
                continue;
            }
        };
        items += page.rows;
        if page.next.is_none() || page.rows < limit {
            break;
        }
        after = page.next;
    }
    match items {
        0 => Err(Error::Nothing),
        items if !plan.cut && items > plan.items => Err(Error::Grown { planned: plan.items }),
        items => Ok(items),
    }
}

/// Records what is meant; the list is complete with it.
async fn meant(
    context: &Context<'_>,
    kind: &dyn BatchKind,
    plan: &Plan,
    conn: &mut PgConnection,
    number: i64,
    items: u64,
) -> Result<(), Error> {
    let writer = context.writer;
    let approval = writer.policy.approve_above.is_some_and(|most| items > most);
    let next = State::Freezing.after(Step::Frozen { approval });
    let next = next.map_err(|why| Error::Refused { number, why })?;
    let after = json!({
        "operation": number,
        "parameters": plan.parameters,
        "items": items,
        "needs_approval": approval,
    });
    let targets = targets(kind.describe().targets, number);
    let mut tx = conn.begin().await?;
    let entry = (plan.id, kind.name());
    let audit = record(&mut tx, writer, entry, targets, plan.reason.as_deref(), &after).await?;
    operations::frozen(&mut tx, plan.id, items, next, audit).await?;
    tx.commit().await?;
    Ok(())
}

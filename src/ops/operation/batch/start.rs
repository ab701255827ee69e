//! Freezing the list of an operation, and recording it.

use serde_json::json;
use sqlx::{Connection, PgConnection};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    BatchKind, BatchRequest, Context, PlanError, Record, Selected, Which, Writer, found, permitted,
    plan::{MOST, PAGE, rights, same, smaller_page},
    record, refused, targets,
};
use crate::{
    db::{
        self,
        operations::{self, Cursor, New},
    },
    domain::{
        batch::{State, Step},
        outbox_action::Refusal,
    },
    ops::operation::{Check, Progress},
};

/// An operation that is on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    pub record: Record,
    /// The same id had begun it before; its list is that of then.
    pub before: bool,
}

/// Freezes the list of the planned items and records it. None of them is processed yet.
///
/// # Errors
/// When it is blocked, not permitted, or more is selected than the plan showed. Nothing is done then.
pub async fn start(
    ctx: &Context<'_>,
    kind: &dyn BatchKind,
    request: &BatchRequest<'_>,
    selected: &Selected,
    progress: &watch::Sender<Progress>,
    stop: &CancellationToken,
) -> Result<Started, PlanError> {
    let writer = ctx.writer()?;
    permitted(writer, kind.name())?;
    kind.allowed(ctx.now())?;
    let checks = rights(writer, kind, stop).await?;
    if checks.iter().any(Check::forbids) {
        return Err(PlanError::Blocked(checks));
    }
    let mut session = writer.pool.session("operation").await?;
    if let Some(record) = operations::find(&mut session, Which::Id(request.id)).await? {
        session.finish();
        return same(kind, record).map(|record| Started { record, before: true });
    }
    let new = New {
        id: request.id,
        name: kind.name(),
        parameters: &kind.parameters(),
        rate: request.rate,
        operator: &writer.operator.name,
        host: &writer.operator.host,
    };
    let number = operations::create(&mut session, &new).await?;
    progress.send_replace(Progress { number: Some(number), ..Progress::default() });
    // While the list is written, nobody takes it for one that was given up.
    operations::try_lock(&mut session, number).await?;
    let frozen = match freeze(writer, kind, (request.id, selected), &mut session, stop).await {
        Ok(items) => meant(writer, kind, request, &mut session, number, items).await,
        Err(error) => Err(error),
    };
    if let Err(error) = &frozen {
        // Where this fails as well, it stays as one whose list was never completed.
        let told = error.to_string();
        let states = (State::Freezing, State::Cancelled);
        let _ = operations::set_state(&mut session, request.id, states, Some(&told), None).await;
    }
    let ended = operations::unlock(&mut session, number).await;
    frozen?;
    ended?;
    let record = found(&mut session, Which::Id(request.id)).await?;
    session.finish();
    Ok(Started { record, before: false })
}

/// Writes the list page by page, and tells how many items it has.
async fn freeze(
    writer: &Writer,
    kind: &dyn BatchKind,
    (id, selected): (Uuid, &Selected),
    conn: &mut PgConnection,
    stop: &CancellationToken,
) -> Result<u64, PlanError> {
    let most = if selected.cut { MOST } else { selected.items.saturating_add(1) };
    let (mut items, mut after, mut size) = (0, None::<Cursor>, PAGE);
    while items < most {
        if stop.is_cancelled() {
            return Err(db::Error::Cancelled.into());
        }
        let limit = size.min(most - items);
        let into = Some((id, items));
        let page = match kind.page(conn, &writer.layout, after.as_ref(), limit, into).await {
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
        0 => Err(Refusal::Nothing.into()),
        items if !selected.cut && items > selected.items => {
            Err(PlanError::Grown { planned: selected.items })
        }
        items => Ok(items),
    }
}

/// Records the selection; this completes the list.
async fn meant(
    writer: &Writer,
    kind: &dyn BatchKind,
    request: &BatchRequest<'_>,
    conn: &mut PgConnection,
    number: i64,
    items: u64,
) -> Result<(), PlanError> {
    let approval = writer.policy.approve_above.is_some_and(|most| items > most);
    let next = State::Freezing.after(Step::Frozen { approval });
    let next = next.map_err(|why| refused(number, why))?;
    let after = json!({
        "operation": number,
        "parameters": kind.parameters(),
        "items": items,
        "needs_approval": approval,
    });
    let targets = targets(kind.targets(), number);
    let mut tx = conn.begin().await?;
    let entry = (request.id, kind.name());
    let audit = record(&mut tx, writer, entry, targets, request.reason, &after).await?;
    operations::frozen(&mut tx, request.id, items, next, audit).await?;
    tx.commit().await?;
    Ok(())
}

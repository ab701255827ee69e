//! What a bulk operation would do: exact counts, and a few items tried out in a transaction that is rolled back.

use std::num::NonZeroU32;

use serde_json::Value;
use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    Batch, BatchKind, Context, PlanError, Ran, Record, Selected, Which, Writer, permitted,
};
use crate::{
    db::{
        self,
        operations::{self, Cursor, Item, Page},
        write::{Opening, Tx, lacking},
    },
    domain::{
        batch::{Outcome, Step},
        outbox_action::Refusal,
        text::thousands,
    },
    ops::operation::{Check, Effect, Verdict},
};

/// Items of one operation, at most: what is more is left to the next one.
pub(super) const MOST: u64 = 1_000_000;
/// Items that are counted or frozen by one statement; smaller where that takes too long.
pub(super) const PAGE: u64 = 10_000;
/// Items that are tried out.
const SAMPLE: u64 = 25;

/// What someone wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchRequest<'a> {
    /// The operation's id; the same one is done once, however often it is asked for.
    pub id: Uuid,
    pub reason: Option<&'a str>,
    /// Items a second, at most.
    pub rate: Option<NonZeroU32>,
}

/// What it would come to.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchPlan {
    pub selected: Selected,
    pub checks: Vec<Check>,
    pub effects: Vec<Effect>,
    /// The first items, and what would become of them now.
    pub sample: Vec<(Value, Outcome)>,
    /// What is sent to the server for the sample, values filled in.
    pub statements: Vec<String>,
}

/// Counts and tries out. Nothing is written.
///
/// # Errors
/// When it is not permitted, a rule forbids it, or nothing is selected.
pub async fn plan(
    ctx: &Context<'_>,
    kind: &dyn BatchKind,
    request: &BatchRequest<'_>,
    stop: &CancellationToken,
) -> Result<BatchPlan, PlanError> {
    let writer = ctx.writer()?;
    permitted(writer, kind.name())?;
    kind.allowed(ctx.now())?;
    let mut plan = BatchPlan {
        selected: Selected { items: 0, cut: false, goes_on: None, approve_above: None },
        checks: rights(writer, kind, stop).await?,
        effects: vec![],
        sample: vec![],
        statements: vec![],
    };
    let blocked = plan.checks.iter().any(Check::forbids);
    if !blocked && let Some(record) = begun(writer, kind, request.id, stop).await? {
        return goes_on(plan, kind, &record);
    }
    let (items, cut) = count(writer, kind, stop).await?;
    if items == 0 {
        return Err(Refusal::Nothing.into());
    }
    let approve_above = writer.policy.approve_above.filter(|most| items > *most);
    plan.selected = Selected { items, cut, goes_on: None, approve_above };
    plan.effects = kind.effects(items);
    if !blocked {
        (plan.sample, plan.statements) = try_out(writer, kind, request.id, stop).await?;
    }
    plan.checks.extend(kind.notes(&writer.layout));
    plan.checks.push(Check::new(Verdict::Ok, listed(items, cut)));
    let skipped = plan.sample.iter().filter(|(_, outcome)| *outcome != Outcome::Done);
    if let Some((_, first)) = skipped.clone().next() {
        let text = format!(
            "of the first {}, {} would not be done now: {}",
            plan.sample.len(),
            skipped.count(),
            first.told().unwrap_or_default()
        );
        plan.checks.push(Check::new(Verdict::Warn, text));
    }
    if let Some(most) = approve_above {
        let text = format!(
            "more than {} items: a second person approves it first, with another database login",
            number(most)
        );
        plan.checks.push(Check::new(Verdict::Warn, text));
    }
    Ok(plan)
}

fn number(count: u64) -> String {
    thousands(i64::try_from(count).unwrap_or(i64::MAX))
}

fn listed(items: u64, cut: bool) -> String {
    let which = if cut { "the oldest " } else { "" };
    format!(
        "{which}{} items are listed when it starts and no others are done, in batches of 1, 5, 25 and then more, each \
         verified",
        number(items)
    )
}

/// The operation that this id began before.
async fn begun(
    writer: &Writer,
    kind: &dyn BatchKind,
    id: Uuid,
    stop: &CancellationToken,
) -> Result<Option<Record>, PlanError> {
    let asked =
        writer.db.read("operation", stop, async |conn| operations::find(conn, Which::Id(id)).await);
    match asked.await? {
        Some(record) => same(kind, record).map(Some),
        None => Ok(None),
    }
}

/// That an operation which has this id is the same.
pub(super) fn same(kind: &dyn BatchKind, record: Record) -> Result<Record, PlanError> {
    if record.name == kind.name() {
        return Ok(record);
    }
    let was = format!("{}, operation {}", record.name, record.number);
    Err(PlanError::Reused { id: record.id, was })
}

/// The plan of going on with an operation.
fn goes_on(
    mut plan: BatchPlan,
    kind: &dyn BatchKind,
    record: &Record,
) -> Result<BatchPlan, PlanError> {
    let number = record.number;
    record.state.after(Step::Run).map_err(|why| super::refused(number, why))?;
    plan.selected.goes_on = Some(number);
    plan.selected.items = record.left();
    plan.effects = kind.effects(record.left());
    let text = format!("operation {number} goes on: {}", super::report::counted(record));
    plan.checks.push(Check::new(Verdict::Ok, text));
    Ok(plan)
}

/// Everything that this login lacks; nothing of it is found out in the middle.
pub(super) async fn rights(
    writer: &Writer,
    kind: &dyn BatchKind,
    stop: &CancellationToken,
) -> Result<Vec<Check>, PlanError> {
    let (needs, copies) = (kind.needs(), kind.keeps_copies());
    let asked = writer.db.read("operation", stop, async |conn| {
        if !operations::is_known(conn).await? {
            return Ok(None);
        }
        let mut missing = operations::lacking(conn, copies).await?;
        missing.extend(lacking(conn, &writer.layout, &needs).await?);
        Ok(Some(missing))
    });
    let Some(missing) = asked.await? else {
        let old = "schema orderscope is older than this program: `orderscope attach` (or `migrate`, where the \
                   database is Orderscope's own) brings it up to date";
        return Ok(vec![Check::new(Verdict::Blocking, old)]);
    };
    let lacks = |what| format!("this login lacks {what}: ask for it");
    Ok(missing.into_iter().map(|what| Check::new(Verdict::Blocking, lacks(what))).collect())
}

/// All items that are selected, in short statements; whether there are more than one operation takes.
async fn count(
    writer: &Writer,
    kind: &dyn BatchKind,
    stop: &CancellationToken,
) -> Result<(u64, bool), PlanError> {
    let (mut items, mut after, mut size) = (0, None::<Cursor>, PAGE);
    while items < MOST {
        let limit = size.min(MOST - items);
        let page = writer.db.read("operation", stop, async |conn| {
            Ok(kind.page(conn, &writer.layout, after.as_ref(), limit, None).await)
        });
        let Page { rows, next } = match page.await? {
            Ok(page) => page,
            Err(error) => {
                size = smaller_page(size, error)?;
                continue;
            }
        };
        items += rows;
        if next.is_none() || rows < limit {
            return Ok((items, false));
        }
        after = next;
    }
    Ok((items, true))
}

/// The size of the next try of a page that took too long.
pub(super) fn smaller_page(size: u64, error: PlanError) -> Result<u64, PlanError> {
    match error {
        PlanError::Database(db::Error::TimedOut(_)) if size > 100 => Ok(size / 4),
        error => Err(error),
    }
}

/// Does the first items and rolls back.
async fn try_out(
    writer: &Writer,
    kind: &dyn BatchKind,
    id: Uuid,
    stop: &CancellationToken,
) -> Result<(Vec<(Value, Outcome)>, Vec<String>), PlanError> {
    let tried = writer
        .db
        .ask(&writer.pool, "plan", stop, async |conn| Ok(rehearse(writer, kind, id, conn).await));
    let (items, ran, statements) = tried.await??;
    let keys = items.into_iter().map(|item| item.key);
    Ok((keys.zip(ran.outcomes).collect(), statements))
}

async fn rehearse(
    writer: &Writer,
    kind: &dyn BatchKind,
    id: Uuid,
    conn: &mut PgConnection,
) -> Result<(Vec<Item>, Ran, Vec<String>), PlanError> {
    let keys = kind.first(conn, &writer.layout, SAMPLE).await?;
    let items: Vec<_> = (1..).zip(keys).map(|(ordinal, key)| Item { ordinal, key }).collect();
    let within = Some(writer.pool.planning_limit());
    let mut tx = Tx::begin(conn, &writer.layout, &Opening { within, ..Opening::of(id) }).await?;
    let batch = Batch { operation: id, items: &items, rows: SAMPLE * 4, dry: true };
    let ran = kind.run(&mut tx, &batch).await;
    let statements = tx.said().to_vec();
    tx.rollback().await;
    Ok((items, ran?, statements))
}

//! Looking at operations: those there are, and all that is known of one.

use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;

use super::{
    Estimate, OperationDetails, PlanError, Record, Settled, State, Which, kind_of, report,
};
use crate::{
    db::{Db, Layout, operations},
    domain::batch::Pace,
    ops::operation::{Outcome, Spec},
};

/// Batches whose times tell the rate.
const BATCHES: i32 = 20;
/// Reasons that are told.
const REASONS: i64 = 20;

/// Operations, the newest first, each with its rate while it runs; none where schema `orderscope` knows of none.
///
/// # Errors
/// When the database does not answer.
pub async fn list(
    db: &Db,
    which: Which,
    limit: i64,
    stop: &CancellationToken,
) -> Result<Vec<(Record, Option<Estimate>)>, PlanError> {
    let listed = db.read("operations", stop, async |conn| {
        let mut out = vec![];
        if operations::is_known(conn).await? {
            for record in operations::list(conn, which, limit).await? {
                let estimate = estimate(conn, &record).await?;
                out.push((record, estimate));
            }
        }
        Ok(out)
    });
    Ok(listed.await?)
}

/// One operation.
///
/// # Errors
/// When there is none of that number, or the database does not answer.
pub async fn show(
    db: &Db,
    layout: &Layout,
    number: i64,
    stop: &CancellationToken,
) -> Result<OperationDetails, PlanError> {
    let shown = db.read("operations", stop, async |conn| Ok(look(conn, layout, number).await));
    shown.await?
}

async fn look(
    conn: &mut PgConnection,
    layout: &Layout,
    number: i64,
) -> Result<OperationDetails, PlanError> {
    let record = super::found(conn, Which::Number(number)).await?;
    let estimate = estimate(conn, &record).await?;
    let arrived = match kind_of(&record) {
        Ok(kind) if !record.state.is_over() => kind.arrived(conn, layout, record.id).await?,
        _ => None,
    };
    let troubles = operations::troubles(conn, record.id, REASONS).await?;
    Ok(OperationDetails { record, estimate, arrived, troubles })
}

/// The rate of the last batches, while someone runs it.
async fn estimate(
    conn: &mut PgConnection,
    record: &Record,
) -> Result<Option<Estimate>, crate::db::Error> {
    if record.state != State::Running || !record.held {
        return Ok(None);
    }
    let after = (record.batches - BATCHES).max(0);
    let mut pace = Pace::default();
    for batch in operations::batches(conn, record.id, after, i64::from(BATCHES)).await? {
        // What was done before this session took it over tells nothing of its rate.
        if record.runner_since.is_none_or(|since| since <= batch.began_at) {
            pace.add(batch.ended_at, batch.last.max(0).unsigned_abs());
        }
    }
    Ok(pace.estimate(record.left()))
}

/// Items of an operation after an ordinal: all, or only those that were not done as meant.
///
/// # Errors
/// When there is no such operation, or the database does not answer.
pub async fn items(
    db: &Db,
    number: i64,
    only_trouble: bool,
    after: i64,
    limit: i64,
    stop: &CancellationToken,
) -> Result<Vec<Settled>, PlanError> {
    let asked = db.read("operations", stop, async |conn| {
        let Ok(record) = super::found(conn, Which::Number(number)).await else {
            return Ok(None);
        };
        Ok(Some(operations::items(conn, record.id, only_trouble, after, limit).await?))
    });
    asked.await?.ok_or(PlanError::NoOperation(number))
}

/// What came of an operation, as of any other.
///
/// # Errors
/// When this program knows none of its name, or the database does not answer.
pub async fn outcome(db: &Db, record: &Record, audit: Option<i64>) -> Result<Outcome, PlanError> {
    let (number, kind) = (record.number, kind_of(record)?);
    let spec = Spec::named(&record.name);
    let spec = spec.ok_or_else(|| PlanError::NoKind { number, name: record.name.clone() })?;
    let stop = CancellationToken::new();
    let asked = db.read("operations", &stop, async |conn| {
        operations::troubles(conn, record.id, REASONS).await
    });
    let mut more: Vec<_> = asked
        .await?
        .into_iter()
        .map(|(outcome, why, count)| format!("{count} {outcome}: {why}"))
        .collect();
    more.extend(record.told.iter().map(|why| format!("{}: {why}", record.state)));
    more.extend(report::next_step(record));
    Ok(Outcome {
        id: record.id,
        spec,
        targets: kind.targets(),
        audit: audit.or(record.audit_begun),
        version: None,
        repeated: false,
        told: format!("operation {number}, {}: {}", report::state(record), report::counted(record)),
        more,
        partly: report::is_partly(record),
        reverse: kind.reverse(record),
        items: Some(report::list(&[(record.clone(), None)])),
    })
}

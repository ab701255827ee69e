//! Looking at operations: those there are, and all that is known of one.

use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;

use super::{Error, Estimate, Operation, Settled, State, Which, kind_of};
use crate::{
    db::{Db, Layout, operations},
    domain::batch::Pace,
};

/// Batches whose times tell the rate.
const BATCHES: i32 = 20;
/// Reasons that are told.
const REASONS: i64 = 20;

/// All that is known of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub operation: Operation,
    /// While it runs.
    pub estimate: Option<Estimate>,
    /// What is selected by the same rule now and not in its list; none where that was not told in time, and of one
    /// that is over.
    pub arrived: Option<u64>,
    /// Why items were skipped or failed: outcome, reason, how many.
    pub troubles: Vec<(String, String, u64)>,
}

/// Operations, the newest first, each with its rate while it runs; none where schema `orderscope` knows of none.
///
/// # Errors
/// When the database does not answer.
pub async fn list(
    db: &Db,
    which: Which,
    limit: i64,
    stop: &CancellationToken,
) -> Result<Vec<(Operation, Option<Estimate>)>, Error> {
    let listed = db.read("operations", stop, async |conn| {
        let mut out = vec![];
        if operations::is_known(conn).await? {
            for operation in operations::list(conn, which, limit).await? {
                let estimate = estimate(conn, &operation).await?;
                out.push((operation, estimate));
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
) -> Result<Shown, Error> {
    let shown = db.read("operations", stop, async |conn| Ok(look(conn, layout, number).await));
    shown.await?
}

async fn look(conn: &mut PgConnection, layout: &Layout, number: i64) -> Result<Shown, Error> {
    let operation = super::found(conn, Which::Number(number)).await?;
    let estimate = estimate(conn, &operation).await?;
    let arrived = match kind_of(&operation) {
        Ok(kind) if !operation.state.is_over() => kind.arrived(conn, layout, operation.id).await?,
        _ => None,
    };
    let troubles = operations::troubles(conn, operation.id, REASONS).await?;
    Ok(Shown { operation, estimate, arrived, troubles })
}

/// The rate of the last batches, while someone runs it.
async fn estimate(
    conn: &mut PgConnection,
    operation: &Operation,
) -> Result<Option<Estimate>, crate::db::Error> {
    if operation.state != State::Running || !operation.held {
        return Ok(None);
    }
    let after = (operation.batches - BATCHES).max(0);
    let mut pace = Pace::default();
    for batch in operations::batches(conn, operation.id, after, i64::from(BATCHES)).await? {
        // What was done before this session took it over tells nothing of its rate.
        if operation.runner_since.is_none_or(|since| since <= batch.began_at) {
            pace.add(batch.ended_at, batch.last.max(0).unsigned_abs());
        }
    }
    Ok(pace.estimate(operation.left()))
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
) -> Result<Vec<Settled>, Error> {
    let asked = db.read("operations", stop, async |conn| {
        let Ok(operation) = super::found(conn, Which::Number(number)).await else {
            return Ok(None);
        };
        Ok(Some(operations::items(conn, operation.id, only_trouble, after, limit).await?))
    });
    asked.await?.ok_or(Error::Unknown(number))
}

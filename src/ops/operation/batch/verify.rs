//! Looking at what batches did, after they were committed.

use sqlx::PgConnection;

use super::{BatchKind, Committed, PlanError, Record};
use crate::db::{Layout, operations};

/// Batches that are verified at once. More are open only where a process was killed between two of them.
const MOST: i64 = 20;

/// What is wrong with the batches that were not verified yet, if something is.
pub(super) async fn verify(
    conn: &mut PgConnection,
    layout: &Layout,
    kind: &dyn BatchKind,
    record: &Record,
) -> Result<Option<String>, PlanError> {
    let Record { id, verified, .. } = *record;
    let batches = operations::batches(conn, id, verified, MOST).await?;
    let first = batches.iter().map(|batch| batch.first).min().unwrap_or_default();
    let last = batches.iter().map(|batch| batch.last).max().unwrap_or_default();
    let items = operations::settled_in(conn, id, first, last).await?;
    let evidence: Vec<_> = batches.into_iter().map(|batch| batch.evidence).collect();
    let committed = Committed { operation: id, items: &items, evidence: &evidence };
    kind.verify(conn, layout, &committed).await
}

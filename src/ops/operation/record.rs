//! Audit records of work with a broker: the selection before anything is done, the result afterwards. Killed in
//! between, the first entry stands alone.

use serde_json::{Value, json};
use sqlx::Connection;

use super::{context::Context, error::PlanError, plan::Plan, writer::Writer};
use crate::{db, ops::audit::Entry};

/// Work that has ended and is on record.
#[derive(Debug)]
pub struct Recorded<T> {
    /// Number of the audit record of what was meant.
    pub audit: i64,
    /// Why what became of it could not be recorded.
    pub unrecorded: Option<String>,
    pub outcome: T,
}

impl<T> Recorded<T> {
    /// A line for who waits, where the end is not on record.
    pub fn doubt(&self) -> Option<String> {
        let why = self.unrecorded.as_deref()?;
        Some(format!("what became of it is not on record: {why}"))
    }
}

/// Records the selection, does the work, and records the result as an entry of its own that names the first. `work`
/// yields what became of it for the record, beside its outcome.
///
/// # Errors
/// When it cannot be recorded as meant (nothing was done then), and as the work failed.
pub async fn on_record<T>(
    ctx: &Context<'_>,
    plan: &Plan,
    targets: Vec<String>,
    meant: &Value,
    work: impl AsyncFnOnce() -> (Value, Result<T, PlanError>),
) -> Result<Recorded<T>, PlanError> {
    let (writer, request) = (ctx.writer()?, &plan.request);
    let entry = |id, reason, after| Entry {
        id,
        at: ctx.now(),
        intent: request.spec().name,
        targets: targets.clone(),
        reason,
        before: &Value::Null,
        after,
    };
    let audit = record(writer, &entry(request.id, request.why(), meant)).await?;
    let (became, ended) = work().await;
    let after = json!({ "ended": request.id, "became": became });
    let recorded = record(writer, &entry(crate::ops::fresh_id(), None, &after)).await;
    let unrecorded = recorded.err().map(|error| error.to_string());
    Ok(Recorded { audit, unrecorded, outcome: ended? })
}

async fn record(writer: &Writer, entry: &Entry<'_>) -> Result<i64, db::Error> {
    let mut session = writer.pool.session("record").await?;
    let recorded = async {
        let mut tx = session.begin().await?;
        let number = writer.chain.record(&mut tx, entry).await?;
        tx.commit().await?;
        Ok::<_, db::Error>(number)
    }
    .await;
    let number = recorded?;
    session.finish();
    Ok(number)
}

//! Bulk writes over a frozen list of ids. The list is made once, in schema `orderscope`; then batch by batch, each in
//! one transaction with its journal row and the outcome of every item. Killed at any point it goes on where it
//! stopped, from any console. Audit has an entry when it begins and one when it ends.
//!
//! A kind of bulk operation is a [`BatchKind`]. [`plan`] counts and tries out a few items, [`start`] freezes the list,
//! [`run`] does it, [`resume`] goes on with it; [`approve`], [`pause`] and [`cancel`] steer it.

mod kind;
mod plan;
mod purge;
pub mod report;
mod run;
mod show;
mod start;
mod steer;
mod verify;

use chrono::SecondsFormat;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

pub(super) use self::purge::UNASKED;
pub use self::{
    kind::{Batch, BatchKind, Committed, Ran, Work},
    plan::{BatchPlan, BatchRequest, plan},
    purge::Purge,
    run::{resume, run},
    show::{items, list, outcome, show},
    start::{Started, start},
    steer::{Standing, approve, cancel, pause, standing, step_of},
};
use super::{Context, PlanError, PlanRequest, Position, Selected, Writer};
pub use crate::{
    db::operations::{Record, Settled, Which},
    domain::batch::{Counts, Estimate, State},
};
use crate::{
    db::{self, operations},
    domain::batch,
    ops::audit::Entry,
};

/// Makes a kind of bulk operation from its name and its parameters, if they are of that kind.
type Read = fn(&str, &Value) -> Option<Box<dyn BatchKind>>;

/// Every kind of bulk operation.
const KINDS: &[Read] = &[purge::read];

/// The kind of that name with these parameters, where this program knows it.
#[must_use]
pub fn read(name: &str, parameters: &Value) -> Option<Box<dyn BatchKind>> {
    KINDS.iter().find_map(|read| read(name, parameters))
}

/// The kind of a recorded operation.
///
/// # Errors
/// When this program knows none of that name.
pub fn kind_of(record: &Record) -> Result<Box<dyn BatchKind>, PlanError> {
    let unknown = || PlanError::NoKind { number: record.number, name: record.name.clone() };
    read(&record.name, &record.parameters).ok_or_else(unknown)
}

/// Whether this operator may do that here.
fn permitted(writer: &Writer, name: &str) -> Result<(), PlanError> {
    Ok(writer.policy.allows(name, &writer.roles)?)
}

/// The operation that is meant.
async fn found(conn: &mut PgConnection, which: Which) -> Result<Record, PlanError> {
    let unknown = || match which {
        Which::Number(number) => PlanError::NoOperation(number),
        _ => db::Error::Conflict("the operation is not there".to_owned()).into(),
    };
    if !operations::is_known(conn).await? {
        return Err(unknown());
    }
    operations::find(conn, which).await?.ok_or_else(unknown)
}

/// It cannot follow in the state it is in.
const fn refused(number: i64, why: batch::Refusal) -> PlanError {
    PlanError::NotNow { number, why }
}

/// `mai@ws-1`
fn name_of(writer: &Writer) -> String {
    format!("{}@{}", writer.operator.name, writer.operator.host)
}

/// Who runs it, in words.
fn runner(record: &Record) -> String {
    let who = record.runner.clone();
    let who = who.unwrap_or_else(|| format!("{}@{}", record.operator, record.host));
    match record.runner_since {
        Some(since) => format!("{who} since {}", since.to_rfc3339_opts(SecondsFormat::Secs, true)),
        None => who,
    }
}

/// The targets of audit entries about an operation.
fn targets(mut targets: Vec<String>, number: i64) -> Vec<String> {
    targets.push(format!("operation {number}"));
    targets
}

/// Writes an audit entry with the server's time, in the caller's transaction.
async fn record(
    conn: &mut PgConnection,
    writer: &Writer,
    (id, intent): (Uuid, &str),
    targets: Vec<String>,
    reason: Option<&str>,
    after: &Value,
) -> Result<i64, PlanError> {
    let at = db::clock::now(conn).await?;
    let entry = Entry { id, at, intent, targets, reason, before: &Value::Null, after };
    Ok(writer.chain.record(conn, &entry).await?)
}

/// What came of steering an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Steered {
    pub record: Record,
    /// Number of the audit record, where there is one.
    pub audit: Option<i64>,
    /// Who does it after the batch under way; none where it is done already.
    pub asked: Option<String>,
}

/// What a plan to go on with an operation relies on.
pub(super) const fn position(record: &Record) -> Position {
    Position { state: record.state, counts: record.counts }
}

/// The audit record of what somebody does to an operation: found by it, and by what it is about.
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

/// All that is known of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationDetails {
    pub record: Record,
    /// While it runs.
    pub estimate: Option<Estimate>,
    /// What is selected by the same rule now and not in its list; none where that was not told in time, and of one
    /// that is over.
    pub arrived: Option<u64>,
    /// Why items were skipped or failed: outcome, reason, how many.
    pub troubles: Vec<(String, String, u64)>,
}

//! Operations on a whole database that are done above this module: on its demo data, on the private server. Planned,
//! allowed, confirmed and recorded like every other.

use std::fmt;

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    check::Check,
    error::Failed,
    plan::{Effect, PlanRequest},
};
use crate::{
    db,
    ops::audit::{Chain, Entry},
};

/// What is done above this module.
pub trait Work: fmt::Debug + Send + Sync {
    /// Finds out what it would do; changes nothing.
    fn look(&self) -> BoxFuture<'_, Result<Found, Failed>>;

    /// Does it, with its record in the transaction that does it.
    fn run<'a>(&'a self, record: &'a Recorder<'a>) -> BoxFuture<'a, Result<Done, Failed>>;
}

/// What a look found.
#[derive(Debug, Default)]
pub struct Found {
    pub checks: Vec<Check>,
    pub effects: Vec<Effect>,
    /// It is so already.
    pub nothing: bool,
}

/// What was done.
#[derive(Debug)]
pub struct Done {
    pub told: String,
    pub more: Vec<String>,
    /// Number of the audit record; none where the log went with what was removed.
    pub audit: Option<i64>,
}

/// Writes the audit record of an operation.
#[derive(Debug)]
pub struct Recorder<'a> {
    pub(super) id: Uuid,
    pub(super) chain: &'a Chain,
    pub(super) request: &'a PlanRequest,
    pub(super) at: DateTime<Utc>,
}

impl Recorder<'_> {
    /// Records it in the caller's transaction and tells the audit number.
    ///
    /// # Errors
    /// When it cannot be recorded; nothing should be done then.
    pub async fn record(&self, tx: &mut PgConnection, after: &Value) -> Result<i64, db::Error> {
        let entry = Entry {
            id: self.id,
            at: self.at,
            intent: self.request.spec().name,
            targets: vec![],
            reason: self.request.why(),
            before: &Value::Null,
            after,
        };
        self.chain.record(tx, &entry).await
    }
}

impl<'a> Recorder<'a> {
    /// The same as a line of a local log, where the database's own log goes with what is done.
    #[must_use]
    pub fn line(&self, after: &Value) -> Value {
        let operator = self.chain.operator();
        json!({
            "operation": self.id,
            "at": self.at,
            "operator": operator.name,
            "host": operator.host,
            "intent": self.request.spec().name,
            "reason": self.request.why(),
            "after": after,
        })
    }

    /// The same for another operation of the same kind, which this one made necessary.
    #[must_use]
    pub fn again(&self, id: Uuid) -> Recorder<'a> {
        Recorder { id, ..*self }
    }
}

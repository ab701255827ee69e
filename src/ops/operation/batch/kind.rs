//! What a kind of bulk operation has to tell and to do. The engine beside it knows nothing else of it.

use std::fmt;

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::PlanError;
use crate::{
    db::{
        Layout,
        operations::{Cursor, Item, Page, Record, Settled},
        write::{Need, Tx},
    },
    domain::batch::{Outcome, StopRule},
    ops::operation::{Check, Effect, Operation},
};

/// What a kind does, boxed so that the engine needs to know no kind.
pub type Work<'a, T> = BoxFuture<'a, Result<T, PlanError>>;

/// Items that are done in one transaction.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    pub operation: Uuid,
    pub items: &'a [Item],
    /// So many rows may be written, at most.
    pub rows: u64,
    /// It will be rolled back: no number is drawn from a sequence.
    pub dry: bool,
}

/// What was done of a batch.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ran {
    /// Of the first items, in their order. Fewer than were given where the rest does not fit into one transaction:
    /// it comes with the next batch.
    pub outcomes: Vec<Outcome>,
    /// Rows that were written. A batch that writes none and has no outcome would never end.
    pub rows: u64,
    /// What was changed, in short, for the journal: counts, numbers of copies, a hash over the rows as they were.
    pub evidence: Value,
}

/// Batches that were committed, for verifying them.
#[derive(Debug, Clone, Copy)]
pub struct Committed<'a> {
    pub operation: Uuid,
    pub items: &'a [Settled],
    pub evidence: &'a [Value],
}

/// A kind of bulk operation, with its parameters.
pub trait BatchKind: fmt::Debug + Send + Sync {
    /// As policies and audit name it.
    fn name(&self) -> &'static str;

    /// What makes the same kind again, in another process.
    fn parameters(&self) -> Value;

    /// What its command line says after the verb.
    fn options(&self) -> Vec<String> {
        vec![]
    }

    /// What audit finds it by.
    fn targets(&self) -> Vec<String>;

    /// The rights on the service's tables that it needs.
    fn needs(&self) -> Vec<Need>;

    /// Whether it keeps copies of what it removes.
    fn keeps_copies(&self) -> bool {
        false
    }

    /// Whether a rule forbids it.
    fn allowed(&self, now: DateTime<Utc>) -> Result<(), PlanError>;

    /// What a person should know before it runs.
    fn notes(&self, layout: &Layout) -> Vec<Check>;

    /// What would happen, to so many items.
    fn effects(&self, items: u64) -> Vec<Effect>;

    fn stop_rule(&self) -> StopRule {
        StopRule::FIRST
    }

    /// Counts a page of what is selected now, in a stable order, each item once. With `into`, an operation and how
    /// many items it has, the keys are added to its list.
    fn page<'a>(
        &'a self,
        conn: &'a mut PgConnection,
        layout: &'a Layout,
        after: Option<&'a Cursor>,
        limit: u64,
        into: Option<(Uuid, u64)>,
    ) -> Work<'a, Page>;

    /// Keys of the first items that are selected now.
    fn first<'a>(
        &'a self,
        conn: &'a mut PgConnection,
        layout: &'a Layout,
        limit: u64,
    ) -> Work<'a, Vec<Value>>;

    /// Does the items, each looked at again under its lock: one that changed since the list was frozen, or that
    /// somebody else holds, is skipped with the reason.
    fn run<'a>(&'a self, tx: &'a mut Tx<'_>, batch: &'a Batch<'a>) -> Work<'a, Ran>;

    /// Looks at what was committed; what is wrong with it, if something is.
    fn verify<'a>(
        &'a self,
        conn: &'a mut PgConnection,
        layout: &'a Layout,
        committed: &'a Committed<'a>,
    ) -> Work<'a, Option<String>>;

    /// What takes an operation back that has ended, where the kind offers that.
    fn reverse(&self, _: &Record) -> Option<Operation> {
        None
    }

    /// How much is selected now and not in the list of an operation; none where that cannot be told in time.
    fn arrived<'a>(
        &'a self,
        conn: &'a mut PgConnection,
        layout: &'a Layout,
        operation: Uuid,
    ) -> Work<'a, Option<u64>>;
}

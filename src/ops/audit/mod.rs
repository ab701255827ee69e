//! The record of what operators did.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::operator::Operator;
use crate::db::{self, audit};

/// One thing that is done.
#[derive(Debug)]
pub struct Entry<'a> {
    /// The operation's id.
    pub id: Uuid,
    pub at: DateTime<Utc>,
    /// The command's name.
    pub intent: &'a str,
    pub targets: Vec<String>,
    pub reason: Option<&'a str>,
    pub before: &'a Value,
    pub after: &'a Value,
}

/// Where the records of one console go.
#[derive(Debug, Clone)]
pub struct Chain {
    operator: Operator,
}

impl Chain {
    /// Records of this operator.
    #[must_use]
    pub fn open(operator: &Operator) -> Self {
        Self { operator: operator.clone() }
    }

    /// Writes a record in the caller's transaction and tells its number.
    pub async fn record(&self, tx: &mut PgConnection, entry: &Entry<'_>) -> Result<i64, db::Error> {
        let record = audit::Record {
            id: entry.id,
            at: entry.at,
            operator: &self.operator.name,
            intent: entry.intent,
            targets: &entry.targets,
            reason: entry.reason,
            before: entry.before,
            after: entry.after,
        };
        audit::insert(tx, &record).await
    }
}

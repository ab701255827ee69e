//! The record of what operators did: one hash chain per writer, anchors over all of them, and verifying both.
//!
//! The values themselves (before, after, reason) lie beside the chain and can be erased; what is chained are
//! salted digests. `digest` has the exact bytes.

mod anchor;
mod digest;
mod local;
mod outcome;
mod reads;
mod verify;
mod witness;

use std::sync::Arc;

use chrono::{DateTime, SubsecRound, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use anchor::{EVERY, anchor_if_due};
pub use local::LocalLog;
pub use outcome::{Ending, endings, outcome};
pub use reads::{Reveal, RevealRecord, Trail, revealed};
pub use verify::{Break, Verified, verify};
pub use witness::Witness;

use super::operator::Operator;
use crate::db::{
    self, Db,
    audit::{self, Part, Row},
};

pub use crate::db::audit::{Filter, Missing, Readiness, Recorded};

/// One thing that is done.
#[derive(Debug)]
pub struct Entry<'a> {
    /// The operation's id. Two entries with the same are refused by the database.
    pub id: Uuid,
    /// Cut to the microsecond.
    pub at: DateTime<Utc>,
    /// The command's name.
    pub intent: &'a str,
    /// Ids of the orders and buyers it is about, as text.
    pub targets: Vec<String>,
    pub reason: Option<&'a str>,
    /// What was there; null for nothing.
    pub before: &'a Value,
    /// What is there now; null for nothing.
    pub after: &'a Value,
}

/// Where the entries of one writer go: a console session, or one run of a verb. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Chain(Arc<Writer>);

#[derive(Debug)]
struct Writer {
    id: Uuid,
    operator: Operator,
}

impl Chain {
    /// A new chain of this operator. Nothing is written before its first entry.
    pub fn open(operator: &Operator) -> Self {
        Self(Arc::new(Writer { id: crate::ops::fresh_id(), operator: operator.clone() }))
    }

    /// Whose it is.
    pub fn operator(&self) -> &Operator {
        &self.0.operator
    }

    /// The chain's id.
    pub fn id(&self) -> Uuid {
        self.0.id
    }

    /// Writes an entry in the caller's transaction and tells its audit number. If that transaction rolls
    /// back, the chain is as it was.
    ///
    /// An entry of the same operation, committed by anyone, is refused ([`db::Error::Duplicate`]).
    pub async fn record(&self, tx: &mut PgConnection, entry: &Entry<'_>) -> Result<i64, db::Error> {
        let Writer { id: chain, operator } = &*self.0;
        let next = match audit::next(tx, *chain).await? {
            Some(next) => next,
            None => {
                audit::open(tx, *chain, &operator.name, &operator.host).await?;
                let lost = || db::Error::Conflict("the audit chain could not be opened".to_owned());
                audit::next(tx, *chain).await?.ok_or_else(lost)?
            }
        };
        let part = |part: &str, value: String| Part {
            number: next.number,
            part: part.to_owned(),
            salt: salt(),
            value,
        };
        let json =
            |name: &str, value: &Value| (!value.is_null()).then(|| part(name, value.to_string()));
        let before = json("before", entry.before);
        let after = json("after", entry.after);
        let reason = entry.reason.map(|reason| part("reason", reason.to_owned()));
        let mut row = Row {
            number: next.number,
            chain: *chain,
            position: next.position + 1,
            operation: entry.id,
            at: entry.at.trunc_subsecs(6),
            operator: operator.name.clone(),
            host: operator.host.clone(),
            role: operator.role.clone(),
            login: next.login,
            intent: entry.intent.to_owned(),
            targets: entry.targets.clone(),
            before_digest: before.as_ref().map(digest::value),
            after_digest: after.as_ref().map(digest::value),
            reason_digest: reason.as_ref().map(digest::value),
            previous: next.hash,
            hash: vec![],
        };
        row.hash = digest::entry(&row);
        let parts: Vec<_> = [before, after, reason].into_iter().flatten().collect();
        audit::append(tx, &row, &parts).await?;
        Ok(row.number)
    }
}

/// 32 bytes, 244 bits of them random.
fn salt() -> Vec<u8> {
    [Uuid::new_v4(), Uuid::new_v4()].iter().flat_map(|id| *id.as_bytes()).collect()
}

/// Entries, newest first, at most `limit`.
pub async fn list(
    db: &Db,
    filter: &Filter,
    limit: i64,
    stop: &CancellationToken,
) -> Result<Vec<Recorded>, db::Error> {
    db.read("audit", stop, async |conn| audit::list(conn, filter, limit).await).await
}

/// The entry of a number.
pub async fn by_number(
    db: &Db,
    number: i64,
    stop: &CancellationToken,
) -> Result<Option<Recorded>, db::Error> {
    db.read("audit", stop, async |conn| audit::by_number(conn, number).await).await
}

/// The entry of an operation, if it was committed.
pub async fn by_operation(
    db: &Db,
    operation: Uuid,
    stop: &CancellationToken,
) -> Result<Option<Recorded>, db::Error> {
    db.read("audit", stop, async |conn| audit::by_operation(conn, operation).await).await
}

/// Whether this login can write the log here.
pub async fn readiness(db: &Db, stop: &CancellationToken) -> Result<Readiness, db::Error> {
    db.read("audit", stop, async |conn| audit::readiness(conn).await).await
}

/// Erases the values of all entries about a target in the caller's transaction: their digests, and so every
/// chain, stay. Tells how many values went.
pub async fn erase(tx: &mut PgConnection, target: &str) -> Result<u64, db::Error> {
    audit::erase(tx, target).await
}

//! Reads that reveal personal data are records too: in the database where schema `orderscope` is, else in a
//! local file.

use std::path::PathBuf;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{Chain, Entry, LocalLog, Readiness, readiness};
use crate::{
    db::{self, Db},
    ops::operator::Operator,
};

/// As the log names it.
const INTENT: &str = "RevealPersonalData";

/// Where the reads of one console are recorded. Works while the console is locked.
#[derive(Debug, Clone)]
pub struct Trail {
    db: Db,
    operator: Operator,
    chain: Chain,
    local: LocalLog,
}

/// What is revealed, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reveal {
    pub at: DateTime<Utc>,
    /// Orders and buyers, or what screen.
    pub targets: Vec<String>,
    pub reason: String,
}

/// Where the record went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RevealRecord {
    /// The audit log, under this number.
    Audit(i64),
    /// A local file: the database has no place for it.
    Local(PathBuf),
}

/// Why nothing may be revealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("personal data is revealed for a reason: say why")]
    NoReason,
    #[error(
        "nothing is revealed without a record, and this login may not write one: ask for the rights that \
         docs/audit.md lists"
    )]
    NotPermitted,
    #[error("nothing is revealed without a record, and {0}")]
    Local(String),
    #[error("nothing is revealed without a record: {0}")]
    Database(#[from] db::Error),
}

impl Trail {
    /// Records in the database, or where that has no place for it, in the file.
    pub fn new(db: &Db, operator: &Operator, file: PathBuf) -> Self {
        let chain = Chain::open(operator);
        Self { db: db.clone(), operator: operator.clone(), chain, local: LocalLog::new(file) }
    }

    /// The local file.
    pub const fn local(&self) -> &LocalLog {
        &self.local
    }
}

/// Records that personal data is about to be shown. Only after it answers may it be shown.
pub async fn revealed(trail: &Trail, reveal: &Reveal) -> Result<RevealRecord, Error> {
    let reason = reveal.reason.trim();
    if reason.is_empty() {
        return Err(Error::NoReason);
    }
    match readiness(&trail.db, &CancellationToken::new()).await? {
        Readiness::Ready => {
            let number = trail
                .db
                .record("audit", async |tx| {
                    let entry = Entry {
                        id: crate::ops::fresh_id(),
                        at: reveal.at,
                        intent: INTENT,
                        targets: reveal.targets.clone(),
                        reason: Some(reason),
                        before: &Value::Null,
                        after: &Value::Null,
                    };
                    trail.chain.record(tx, &entry).await
                })
                .await?;
            Ok(RevealRecord::Audit(number))
        }
        Readiness::NotPermitted => Err(Error::NotPermitted),
        Readiness::NoSchema | Readiness::Behind => {
            let Operator { name, host, role } = &trail.operator;
            let line = json!({
                "at": reveal.at.to_rfc3339_opts(SecondsFormat::Micros, true),
                "operator": name,
                "host": host,
                "role": role,
                "database": trail.db.place(),
                "intent": INTENT,
                "targets": reveal.targets,
                "reason": reason,
            });
            let local = trail.local.clone();
            let path = local.path().to_owned();
            // Waits for the disk.
            let written = tokio::task::spawn_blocking(move || local.append(&line)).await;
            written.map_err(|error| Error::Local(error.to_string()))?.map_err(Error::Local)?;
            Ok(RevealRecord::Local(path))
        }
    }
}

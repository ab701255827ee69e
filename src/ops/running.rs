//! Work that is more than one transaction, as what is done with a broker is: what is meant goes on record before
//! anything is done, what became of it afterwards. Killed in between, the first entry stands alone.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::Connection;
use uuid::Uuid;

use super::{
    audit::Entry,
    plan::{Error, Writer},
};
use crate::db;

/// Work on record that has begun.
#[derive(Debug)]
pub struct Running<'a> {
    writer: &'a Writer,
    intent: &'static str,
    targets: Vec<String>,
    /// The operation.
    pub id: Uuid,
    /// Number of its audit record.
    pub audit: i64,
}

/// Whether this operator may do work of this name here.
pub fn permitted(writer: &Writer, intent: &str) -> Result<(), Error> {
    Ok(writer.policy.allows(intent, &writer.roles)?)
}

/// Records what is meant. Nothing has been done before this returned.
pub async fn begin<'a>(
    writer: &'a Writer,
    intent: &'static str,
    targets: Vec<String>,
    reason: &str,
    meant: &Value,
    at: DateTime<Utc>,
) -> Result<Running<'a>, Error> {
    permitted(writer, intent)?;
    let mut running = Running { writer, intent, targets, id: Uuid::now_v7(), audit: 0 };
    running.audit = running.record(running.id, Some(reason), meant, at).await?;
    Ok(running)
}

impl Running<'_> {
    /// Records what became of it, as an entry of its own that names the first.
    pub async fn end(&self, became: &Value, at: DateTime<Utc>) -> Result<i64, Error> {
        let after = json!({ "ended": self.id, "became": became });
        self.record(Uuid::now_v7(), None, &after, at).await
    }

    async fn record(
        &self,
        id: Uuid,
        reason: Option<&str>,
        after: &Value,
        at: DateTime<Utc>,
    ) -> Result<i64, Error> {
        let entry = Entry {
            id,
            at,
            intent: self.intent,
            targets: self.targets.clone(),
            reason,
            before: &Value::Null,
            after,
        };
        let mut session = self.writer.pool.session("record").await?;
        let recorded = async {
            let mut tx = session.begin().await?;
            let number = self.writer.chain.record(&mut tx, &entry).await?;
            tx.commit().await?;
            Ok::<_, db::Error>(number)
        }
        .await;
        let number = recorded?;
        session.finish();
        Ok(number)
    }
}

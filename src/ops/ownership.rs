//! Attaching to a service's database, and handing a managed one over to it; each with its audit entry in the
//! same transaction.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::{
    audit::{Chain, Entry},
    operator::Operator,
};
use crate::db::{self, migrate, ownership};

pub use crate::db::{ownership::Attached, settings::Publisher};

/// Why it was not done. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Migrate(#[from] migrate::Error),
    #[error("nothing was changed: {0}")]
    Database(#[from] db::Error),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

/// Who does it, when and why.
#[derive(Debug, Clone, Copy)]
pub struct By<'a> {
    pub operator: &'a Operator,
    pub at: DateTime<Utc>,
    pub reason: Option<&'a str>,
}

/// Makes schema `orderscope` in a service's database and records it as attached.
pub async fn attach(
    conn: &mut PgConnection,
    publisher: Option<Publisher>,
    by: By<'_>,
) -> Result<Attached, Error> {
    let mut tx = conn.begin().await?;
    let done = ownership::attach(&mut tx, publisher).await?;
    record(&mut tx, "Attach", by, publisher).await?;
    tx.commit().await?;
    Ok(done)
}

/// Gives a managed database to the service; its workers stop. Tells what other sessions of Orderscope were
/// there.
pub async fn hand_over(
    conn: &mut PgConnection,
    publisher: Option<Publisher>,
    by: By<'_>,
) -> Result<Vec<String>, Error> {
    let mut tx = conn.begin().await?;
    ownership::hand_over(&mut tx, publisher).await?;
    record(&mut tx, "HandOver", by, publisher).await?;
    let others = ownership::sessions(&mut tx).await?;
    tx.commit().await?;
    Ok(others)
}

async fn record(
    tx: &mut PgConnection,
    intent: &str,
    by: By<'_>,
    publisher: Option<Publisher>,
) -> Result<(), Error> {
    let publisher = match publisher {
        Some(Publisher::Service) => "service",
        Some(Publisher::Outbox) => "outbox",
        Some(Publisher::Unknown) | None => "not said",
    };
    let after = json!({ "kind": "attached", "publisher": publisher });
    let entry = Entry {
        id: Uuid::now_v7(),
        at: by.at,
        intent,
        targets: vec![],
        reason: by.reason,
        before: &Value::Null,
        after: &after,
    };
    Chain::open(by.operator).record(tx, &entry).await?;
    Ok(())
}

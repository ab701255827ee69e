//! What schema `orderscope` records about the database itself.

use sqlx::{FromRow, PgConnection, Row};

use super::{Error, OfTable};

/// Who keeps the order summary documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Projection {
    /// The transaction that writes the event.
    Inline,
    /// A projection runner, a moment later.
    Async,
}

/// Who publishes integration events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Publisher {
    /// The service's own subscription to its events: a message from us would be a second one.
    Service,
    /// The outbox tables.
    Outbox,
    /// Nobody has said it: no event is written before someone does.
    Unknown,
}

/// The record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub projection: Projection,
    pub publisher: Publisher,
    /// How destinations begin: `rabbitmq://rabbitmq/`. None: as in the newest message.
    pub broker: Option<String>,
    /// A snapshot is due after so many events of a stream.
    pub snapshot_every: Option<i64>,
}

#[derive(FromRow)]
struct SettingsRow {
    projection: String,
    publisher: Option<String>,
    broker: Option<String>,
    snapshot_every: Option<i32>,
}

/// Reads the record; none if this schema has none, or is older than this program. What is not recorded
/// has other defaults in a managed database than in an attached one.
pub async fn read(conn: &mut PgConnection, managed: bool) -> Result<Option<Settings>, Error> {
    let current = sqlx::query(
        "SELECT count(*) = 4 FROM pg_attribute WHERE attrelid = to_regclass('orderscope.database')
           AND attname IN ('projection', 'publisher', 'broker', 'snapshot_every')",
    );
    if !current.fetch_one(&mut *conn).await?.try_get::<bool, _>(0)? {
        return Ok(None);
    }
    let row: Option<SettingsRow> = sqlx::query_as(
        "SELECT projection, publisher, broker, snapshot_every FROM orderscope.database",
    )
    .fetch_optional(conn)
    .await
    .of("orderscope.database")?;
    Ok(row.map(|row| Settings {
        projection: match row.projection.as_str() {
            "inline" if managed => Projection::Inline,
            _ => Projection::Async,
        },
        publisher: match row.publisher.as_deref() {
            Some("service") => Publisher::Service,
            Some("outbox") => Publisher::Outbox,
            _ if managed => Publisher::Outbox,
            _ => Publisher::Unknown,
        },
        broker: row.broker,
        snapshot_every: row.snapshot_every.map(i64::from),
    }))
}

/// Records who keeps the summary documents.
pub async fn set_projection(tx: &mut PgConnection, projection: Projection) -> sqlx::Result<()> {
    let name = match projection {
        Projection::Inline => "inline",
        Projection::Async => "async",
    };
    sqlx::query("UPDATE orderscope.database SET projection = $1").bind(name).execute(tx).await?;
    Ok(())
}

/// The roles whose rights this session has, its own among them.
pub async fn roles(conn: &mut PgConnection) -> Result<Vec<String>, Error> {
    let names = "SELECT rolname::text FROM pg_roles WHERE pg_has_role(oid, 'MEMBER') ORDER BY 1";
    Ok(sqlx::query_scalar(names).fetch_all(conn).await?)
}

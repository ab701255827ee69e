//! Who owns the database, as schema `orderscope` records it: attaching to a service's database, and handing a managed
//! one over.

use sqlx::{AssertSqlSafe, FromRow, PgConnection, Row};

use super::{
    OfTable,
    migrate::{self, Error, Standing},
    settings::Publisher,
};

/// The longest wait for another process, and the longest statement, in a database that a service uses.
const GUEST: &str = "2s";

/// What attaching did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attached {
    /// The database was not recorded as attached before.
    pub new: bool,
    /// Why it is taken for a service's.
    pub evidence: Option<String>,
    /// Names of the steps of schema `orderscope` that were applied now.
    pub applied: Vec<String>,
}

/// Makes schema `orderscope` and records the database as attached, in the caller's transaction. Nothing outside
/// that schema is changed or locked. Where it is attached already, the schema is brought up to date.
pub async fn attach(
    tx: &mut PgConnection,
    publisher: Option<Publisher>,
) -> Result<Attached, Error> {
    migrate::prepare(tx, GUEST).await?;
    sqlx::query("SELECT set_config('statement_timeout', $1, true)")
        .bind(GUEST)
        .execute(&mut *tx)
        .await?;
    may_own(tx).await?;
    let evidence = match migrate::standing(tx).await? {
        Standing::Empty => return Err(Error::NothingThere),
        Standing::Managed { .. } => return Err(Error::Managed),
        Standing::Attached { .. } => None,
        Standing::Service { evidence } => Some(evidence),
    };
    let before = kind(tx).await?;
    let applied = migrate::run(&migrate::console(), tx).await?;
    sqlx::query!(
        "INSERT INTO orderscope.database AS known (kind, created_by, publisher)
         VALUES ('attached', $1, $2)
         ON CONFLICT (singleton) DO UPDATE
         SET kind = 'attached', publisher = coalesce(EXCLUDED.publisher, known.publisher),
             changed_at = CASE WHEN known.kind = 'attached' THEN known.changed_at ELSE now() END",
        env!("CARGO_PKG_VERSION"),
        publisher.and_then(name)
    )
    .execute(tx)
    .await?;
    Ok(Attached { new: before.as_deref() != Some("attached"), evidence, applied })
}

/// Records a managed database as attached, in the caller's transaction.
///
/// Whoever works in a managed database holds a shared lock on its record while it does, so this waits for a pass
/// that is under way, and the next one sees whose database it is and stops.
pub async fn hand_over(tx: &mut PgConnection, publisher: Option<Publisher>) -> Result<(), Error> {
    migrate::prepare(tx, migrate::PATIENCE).await?;
    may_own(tx).await?;
    let standing = migrate::standing(tx).await?;
    may_hand_over(tx, &standing).await?;
    migrate::run(&migrate::console(), tx).await?;
    sqlx::query!(
        "UPDATE orderscope.database SET kind = 'attached', publisher = $1, changed_at = now()
         WHERE kind = 'managed'",
        publisher.and_then(name)
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Checks that a database in this state can be handed over.
pub async fn may_hand_over(conn: &mut PgConnection, standing: &Standing) -> Result<(), Error> {
    match standing {
        Standing::Empty => Err(Error::NothingThere),
        Standing::Attached { since } => Err(Error::Attached { since: since.clone() }),
        Standing::Managed { .. } => Ok(()),
        // The service is there already; only the record says otherwise.
        Standing::Service { evidence } => match kind(conn).await?.as_deref() {
            Some("managed") => Ok(()),
            Some(_) => Err(Error::Attached { since: since(conn).await? }),
            None => Err(Error::BelongsToService { evidence: evidence.clone() }),
        },
    }
}

/// Whose a database is, as a worker has to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// Recorded as managed, and no sign of a service.
    Ours,
    /// Attached, handed over, or with Marten's functions in it.
    Service,
}

/// Whose the database is now. None where nothing records it.
pub async fn look(conn: &mut PgConnection) -> Result<Option<Owner>, super::Error> {
    let record = sqlx::query!(
        r#"SELECT kind, EXISTS (SELECT FROM pg_proc
               WHERE pronamespace <> 'pg_catalog'::regnamespace AND proname IN ('mt_quick_append_events', 'mt_archive_stream', 'mt_mark_event_progression'))
               AS "service!"
           FROM orderscope.database"#
    );
    let record = record.fetch_optional(conn).await.map_err(super::Error::from);
    owner(record.map(|record| record.map(|record| (record.kind, record.service))))
}

/// Whose the database is, and that it stays so until the caller's transaction ends: [`hand_over`] waits for
/// this lock. None where nothing records it; the transaction may then have failed.
pub async fn hold(tx: &mut PgConnection) -> Result<Option<Owner>, super::Error> {
    let record = sqlx::query!(
        r#"SELECT kind, EXISTS (SELECT FROM pg_proc
               WHERE pronamespace <> 'pg_catalog'::regnamespace AND proname IN ('mt_quick_append_events', 'mt_archive_stream', 'mt_mark_event_progression'))
               AS "service!"
           FROM orderscope.database FOR SHARE"#
    );
    let record = record.fetch_optional(tx).await.map_err(super::Error::from);
    owner(record.map(|record| record.map(|record| (record.kind, record.service))))
}

fn owner(
    record: Result<Option<(String, bool)>, super::Error>,
) -> Result<Option<Owner>, super::Error> {
    match record {
        Ok(record) => {
            Ok(record.map(
                |(kind, service)| {
                    if kind == "managed" && !service { Owner::Ours } else { Owner::Service }
                },
            ))
        }
        Err(super::Error::MissingTable(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Counting what a service would find stops here.
const MOST_FOUND: i64 = 10_000;

/// What a service finds in the outbox and inbox of a database of our own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromRow)]
pub struct Found {
    /// Pending messages, and those of them that cannot be delivered.
    pub pending: i64,
    pub undeliverable: i64,
    /// Inbox rows that are delivered and whose messages are still there: they stop the service's clean-up (23503).
    pub consumed: i64,
    /// Consumers whose messages are not recorded as delivered.
    pub half_done: i64,
    /// Outboxes that are delivered and kept: a service removes them with its next passes.
    pub kept: i64,
}

/// Looks at what a service would find, each counted up to ten thousand.
pub async fn found(conn: &mut PgConnection) -> Result<Found, super::Error> {
    let pending = "public.outbox_message m JOIN public.outbox_state s ON s.outbox_id = m.outbox_id \
                   WHERE s.delivered IS NULL AND m.sequence_number > coalesce(s.last_sequence_number, 0)";
    let up_to =
        |what: &str| format!("(SELECT count(*) FROM (SELECT FROM {what} LIMIT {MOST_FOUND}) x)");
    let undeliverable = super::outbox::UNDELIVERABLE;
    let sql = format!(
        "SELECT {} AS pending, {} AS undeliverable, {} AS consumed, {} AS half_done, {} AS kept",
        up_to(pending),
        up_to(&format!("{pending} AND {undeliverable}")),
        up_to(
            "public.inbox_state i WHERE i.delivered IS NOT NULL AND EXISTS (SELECT FROM public.outbox_message m \
             WHERE m.inbox_message_id = i.message_id AND m.inbox_consumer_id = i.consumer_id)"
        ),
        up_to("public.inbox_state WHERE delivered IS NULL AND consumed IS NOT NULL"),
        up_to("public.outbox_state WHERE delivered IS NOT NULL"),
    );
    Ok(sqlx::query_as(AssertSqlSafe(sql)).fetch_one(conn).await?)
}

/// How many other sessions of Orderscope there are: consoles and workers, by what they call themselves. The one in
/// which a program compared its clock is no worker, and may be our own.
pub async fn sessions(conn: &mut PgConnection) -> Result<Vec<String>, Error> {
    let names = "SELECT DISTINCT application_name FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid()
                   AND application_name LIKE 'orderscope/%' AND application_name <> 'orderscope/clock'
                 ORDER BY 1 LIMIT 20";
    Ok(sqlx::query_scalar(names).fetch_all(conn).await?)
}

/// The role this session acts as.
pub async fn role(conn: &mut PgConnection) -> Result<String, super::Error> {
    Ok(sqlx::query_scalar("SELECT current_user::text").fetch_one(conn).await?)
}

/// What the record says, if there is one.
async fn kind(conn: &mut PgConnection) -> Result<Option<String>, Error> {
    let known = sqlx::query_scalar("SELECT to_regclass('orderscope.database') IS NOT NULL");
    if !known.fetch_one(&mut *conn).await? {
        return Ok(None);
    }
    let kind = sqlx::query_scalar!("SELECT kind FROM orderscope.database");
    Ok(kind.fetch_optional(conn).await.of("orderscope.database")?)
}

async fn since(conn: &mut PgConnection) -> Result<String, Error> {
    let day = sqlx::query_scalar!(
        r#"SELECT changed_at::date::text AS "since!" FROM orderscope.database"#
    );
    Ok(day.fetch_one(conn).await.of("orderscope.database")?)
}

/// That schema `orderscope` is this login's, or may be made by it.
pub async fn may_own(conn: &mut PgConnection) -> Result<(), Error> {
    let found = sqlx::query(
        "SELECT n.oid IS NOT NULL AS there,
                coalesce(pg_has_role(n.nspowner, 'USAGE'), false) AS own,
                has_database_privilege(current_database(), 'CREATE') AS may
         FROM (SELECT) one LEFT JOIN pg_namespace n ON n.nspname = 'orderscope'",
    )
    .fetch_one(conn)
    .await?;
    match (found.try_get("there")?, found.try_get("own")?, found.try_get("may")?) {
        (true, false, _) => Err(Error::NotOwner),
        (false, _, false) => Err(Error::MayNotCreate),
        (_, _, _) => Ok(()),
    }
}

const fn name(publisher: Publisher) -> Option<&'static str> {
    match publisher {
        Publisher::Service => Some("service"),
        Publisher::Outbox => Some("outbox"),
        Publisher::Unknown => None,
    }
}

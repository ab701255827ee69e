//! The schema: what kind of database this is, and bringing a managed one to the state this program knows.
//!
//! Two sets with a table each, both in schema `orderscope`: `managed` is applied only to databases that are
//! ours, `console` (the program's own records) also to attached ones; so neither can number the other's
//! steps. Everything happens in one transaction: a migration either is there as a whole or is not.

use std::fmt;

use sqlx::{
    Connection, PgConnection, Row,
    migrate::{MigrateError, Migrator},
};

/// Key of the advisory lock that only one migrating process holds ("orderscp" in ASCII).
const LOCK: i64 = 0x6f72_6465_7273_6370;
/// How long one process waits for another that is migrating.
pub(super) const PATIENCE: &str = "60s";
const OLDEST: i32 = 15;

const MANAGED_TABLE: &str = "orderscope.managed_migrations";
const CONSOLE_TABLE: &str = "orderscope.console_migrations";

/// The document's tables, in the order in which they can be emptied.
pub const TABLES: [&str; 12] = [
    "__EFMigrationsHistory",
    "outbox_message",
    "outbox_state",
    "inbox_state",
    "mt_doc_deadletterevent",
    "mt_doc_ordersummaryview",
    "mt_event_progression",
    "mt_events",
    "mt_streams",
    "order_items",
    "orders",
    "buyers",
];

/// Why a database was not migrated, in words an operator can act on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "this database belongs to a running service ({evidence}), so Orderscope does not touch its schema. \
         To look at it, open it without migrating; to have a database of your own, name an empty one"
    )]
    BelongsToService { evidence: String },
    #[error(
        "this database was handed over to the service ({when}); Orderscope no longer changes its schema. \
         It can still be opened"
    )]
    HandedOver { when: String },
    #[error(
        "the schema is newer (step {found}) than this Orderscope knows (step {known}): \
         use the newer program, or another database"
    )]
    Newer { found: i64, known: i64 },
    #[error(
        "step {step} of the schema is not the one this Orderscope would have made: the database was made by \
         an unreleased or altered program. Make a new one, or use the program that made it"
    )]
    Altered { step: i64 },
    #[error("PostgreSQL {found} is too old: version {OLDEST} or newer is needed")]
    ServerTooOld { found: i32 },
    #[error(
        "the database stores text as {found}, which cannot hold every name: create one with ENCODING 'UTF8'"
    )]
    Encoding { found: String },
    #[error(
        "another process has been migrating this database for {PATIENCE}; try again when it is done"
    )]
    Busy,
    #[error(
        "there are no tables of the Ordering Service here to attach to; name the service's database, or \
         run `orderscope migrate` to make this one Orderscope's own"
    )]
    NothingThere,
    #[error(
        "this database is Orderscope's own, so there is nothing to attach; `orderscope hand-over` gives it \
         to the service"
    )]
    Managed,
    #[error("this database is attached already (since {since}); there is nothing to hand over")]
    Attached { since: String },
    #[error(
        "this login may not make a schema in this database; ask for GRANT CREATE ON DATABASE, or let the \
         database's owner run it once"
    )]
    MayNotCreate,
    #[error(
        "only the owner of schema orderscope changes what kind of database this is; run it with that login"
    )]
    NotOwner,
    #[error("step {step} of the schema failed, nothing was changed: {source}")]
    Step { step: i64, source: super::Error },
    #[error("the database could not be examined or migrated, nothing was changed: {0}")]
    Database(#[from] super::Error),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

/// What a database is to Orderscope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// None of the document's tables: may be made managed.
    Empty,
    /// Made by Orderscope.
    Managed { pending: usize },
    /// Recorded as attached: it belongs to a service, and schema `orderscope` is there.
    Attached { since: String },
    /// Tables of the document that Orderscope did not make, or signs that a service uses them.
    Service { evidence: String },
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("empty"),
            Self::Managed { pending: 0 } => f.write_str("Orderscope's own"),
            Self::Managed { pending } => {
                write!(f, "Orderscope's own, with {pending} steps to be applied")
            }
            Self::Attached { since } => write!(f, "attached since {since}"),
            Self::Service { evidence } => write!(f, "a service's: {evidence}"),
        }
    }
}

/// What `migrate` did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// The database was empty before.
    pub created: bool,
    /// Names of the steps that were applied now, in order.
    pub applied: Vec<String>,
}

/// Makes an empty database managed, or brings a managed one up to date; changes nothing when it is.
///
/// Waits up to a minute for another process that is doing the same. Refuses a database that belongs to a
/// service, one that is newer than this program, and servers before PostgreSQL 15.
pub async fn migrate(conn: &mut PgConnection) -> Result<Migrated, Error> {
    let mut tx = conn.begin().await?;
    let migrated = migrate_in(&mut tx).await?;
    tx.commit().await?;
    Ok(migrated)
}

/// Whether nobody else is making or changing the schema; then nobody will until the transaction ends.
pub async fn try_lock(tx: &mut PgConnection) -> Result<bool, Error> {
    let taken = sqlx::query_scalar("SELECT pg_try_advisory_xact_lock($1)").bind(LOCK);
    Ok(taken.fetch_one(tx).await?)
}

/// The same in the caller's transaction.
pub async fn migrate_in(tx: &mut PgConnection) -> Result<Migrated, Error> {
    prepare(tx, PATIENCE).await?;
    let standing = standing(tx).await?;
    may_migrate(&standing)?;
    let mut applied = run(&console(), tx).await?;
    applied.extend(run(&managed(), tx).await?);
    if standing == Standing::Empty {
        sqlx::query("INSERT INTO orderscope.database (kind, created_by) VALUES ('managed', $1)")
            .bind(env!("CARGO_PKG_VERSION"))
            .execute(tx)
            .await?;
    }
    Ok(Migrated { created: standing == Standing::Empty, applied })
}

/// Refuses a database that belongs to a service.
pub fn may_migrate(standing: &Standing) -> Result<(), Error> {
    match standing {
        Standing::Empty | Standing::Managed { .. } => Ok(()),
        Standing::Attached { since } => Err(Error::HandedOver { when: since.clone() }),
        Standing::Service { evidence } => {
            Err(Error::BelongsToService { evidence: evidence.clone() })
        }
    }
}

/// The steps that the database lacks, each with the schema it is about: those of schema `orderscope`, and for a
/// database of our own those of the document's tables. Reads only.
pub async fn missing(
    conn: &mut PgConnection,
    ours: bool,
) -> Result<Vec<(&'static str, String)>, Error> {
    let mut out = vec![];
    let sets = [("orderscope", console(), CONSOLE_TABLE), ("public", managed(), MANAGED_TABLE)];
    for (schema, set, table) in sets.iter().take(if ours { 2 } else { 1 }) {
        let applied = applied(conn, table).await?;
        let missing = set.iter().filter(|step| !applied.contains(&step.version));
        out.extend(missing.map(|step| (*schema, step.description.to_string())));
    }
    Ok(out)
}

/// What this database is. Reads only.
pub async fn standing(conn: &mut PgConnection) -> Result<Standing, Error> {
    let found = sqlx::query(
        "SELECT current_setting('server_version_num')::int / 10000 AS server,
                pg_encoding_to_char(encoding) AS encoding,
                to_regclass('orderscope.database') IS NOT NULL AS recorded
         FROM pg_database WHERE datname = current_database()",
    )
    .fetch_one(&mut *conn)
    .await?;
    let server: i32 = found.try_get("server")?;
    if server < OLDEST {
        return Err(Error::ServerTooOld { found: server });
    }
    let evidence = evidence(conn).await?;
    let record = if found.try_get("recorded")? {
        sqlx::query("SELECT kind, changed_at::date::text AS since FROM orderscope.database")
            .fetch_optional(&mut *conn)
            .await?
    } else {
        None
    };
    let Some(record) = record else {
        let encoding: String = found.try_get("encoding")?;
        return match evidence.or(tables(conn).await?) {
            Some(evidence) => Ok(Standing::Service { evidence }),
            None if encoding != "UTF8" => Err(Error::Encoding { found: encoding }),
            None => Ok(Standing::Empty),
        };
    };
    let kind: String = record.try_get("kind")?;
    match evidence {
        Some(evidence) => Ok(Standing::Service { evidence }),
        None if kind == "managed" => {
            let pending = pending(conn, &console(), CONSOLE_TABLE).await?
                + pending(conn, &managed(), MANAGED_TABLE).await?;
            Ok(Standing::Managed { pending })
        }
        None => Ok(Standing::Attached { since: record.try_get("since")? }),
    }
}

/// Signs that Marten or Entity Framework works here, whoever made the tables.
async fn evidence(conn: &mut PgConnection) -> Result<Option<String>, Error> {
    let signs = sqlx::query(
        r#"SELECT (SELECT string_agg(DISTINCT n.nspname || '.' || p.proname, ', ')
                   FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
                   WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND p.proname IN
                   ('mt_quick_append_events', 'mt_archive_stream', 'mt_mark_event_progression'))
                  AS functions,
                  EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                          WHERE c.relname = 'mt_events' AND c.relkind = 'p'
                          AND n.nspname NOT IN ('pg_catalog', 'information_schema')) AS partitioned,
                  to_regclass('public."__EFMigrationsHistory"') IS NOT NULL AS history"#,
    )
    .fetch_one(&mut *conn)
    .await?;
    if let Some(functions) = signs.try_get::<Option<String>, _>("functions")? {
        return Ok(Some(format!("Marten's functions are there: {functions}")));
    }
    if signs.try_get("partitioned")? {
        return Ok(Some("mt_events is partitioned, as Marten makes it".to_owned()));
    }
    if signs.try_get("history")? {
        let rows = r#"SELECT EXISTS (SELECT FROM public."__EFMigrationsHistory")"#;
        if sqlx::query_scalar::<_, bool>(rows).fetch_one(conn).await? {
            return Ok(Some("__EFMigrationsHistory lists its migrations".to_owned()));
        }
    }
    Ok(None)
}

/// Tables of the document in any schema and in any spelling, in a database that has no record of ours.
async fn tables(conn: &mut PgConnection) -> Result<Option<String>, Error> {
    let folded: Vec<_> = TABLES.iter().map(|name| name.to_lowercase().replace('_', "")).collect();
    let names: Option<String> = sqlx::query_scalar(
        "SELECT string_agg(format('%I.%I', n.nspname, c.relname), ', ' ORDER BY n.nspname, c.relname)
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
           AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'orderscope')
           AND NOT starts_with(n.nspname::text, 'pg_')
           AND lower(replace(c.relname, '_', '')) = ANY($1)",
    )
    .bind(folded)
    .fetch_one(conn)
    .await?;
    Ok(names.map(|names| format!("tables that Orderscope did not make: {names}")))
}

/// Takes the lock and settings that end with the transaction: whatever this connection was opened for,
/// building an index may take as long as it takes, and names mean those in `public`.
pub(super) async fn prepare(tx: &mut PgConnection, patience: &str) -> Result<(), Error> {
    sqlx::query(
        "SELECT set_config('search_path', 'public', true), set_config('lock_timeout', $1, true),
                set_config('statement_timeout', '0', true),
                set_config('idle_in_transaction_session_timeout', '0', true)",
    )
    .bind(patience)
    .execute(&mut *tx)
    .await?;
    let locked = sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(tx).await;
    match locked.map_err(super::Error::from) {
        Err(super::Error::Locked(_)) => Err(Error::Busy),
        other => Ok(other.map(drop)?),
    }
}

pub(super) async fn run(set: &Migrator, tx: &mut PgConnection) -> Result<Vec<String>, Error> {
    let before = applied(tx, &set.table_name).await?;
    set.run_direct(None, tx, false).await.map_err(|error| match error {
        MigrateError::VersionMissing(found) => Error::Newer { found, known: newest(set) },
        MigrateError::VersionMismatch(step) => Error::Altered { step },
        MigrateError::ExecuteMigration(source, step) => Error::Step { step, source: source.into() },
        MigrateError::Execute(source) => source.into(),
        other => sqlx::Error::from(other).into(),
    })?;
    let new = set.iter().filter(|step| !before.contains(&step.version));
    Ok(new.map(|step| step.description.to_string()).collect())
}

/// Steps of a set that the database lacks.
async fn pending(conn: &mut PgConnection, set: &Migrator, table: &str) -> Result<usize, Error> {
    let applied = applied(conn, table).await?;
    if let Some(&found) = applied.iter().find(|&&step| !set.version_exists(step)) {
        return Err(Error::Newer { found, known: newest(set) });
    }
    Ok(set.iter().count() - applied.len())
}

async fn applied(conn: &mut PgConnection, table: &str) -> Result<Vec<i64>, Error> {
    let known: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(table)
        .fetch_one(&mut *conn)
        .await?;
    if !known {
        return Ok(Vec::new());
    }
    // The name is one of the two constants above.
    let list = sqlx::AssertSqlSafe(format!("SELECT version FROM {table} ORDER BY version"));
    Ok(sqlx::query_scalar(list).fetch_all(conn).await?)
}

fn newest(set: &Migrator) -> i64 {
    set.iter().map(|step| step.version).max().unwrap_or_default()
}

fn managed() -> Migrator {
    ours(sqlx::migrate!("migrations/managed"), MANAGED_TABLE)
}

pub(super) fn console() -> Migrator {
    ours(sqlx::migrate!("migrations/console"), CONSOLE_TABLE)
}

/// sqlx's own lock outlives a failed run; ours ends with the transaction.
fn ours(mut set: Migrator, table: &'static str) -> Migrator {
    set.set_locking(false);
    set.dangerous_set_table_name(table);
    set.create_schema("orderscope");
    set
}

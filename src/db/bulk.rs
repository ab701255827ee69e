//! Filling the document's tables of a managed database at once: emptied, without indexes and constraints
//! while rows come in, and with all of them again at the end. Everything happens in the caller's
//! transaction, so that a load that fails leaves what was there before.

use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::migrate::TABLES;
use crate::domain::text::counted;

/// Definitions of what was dropped, to create it again.
#[derive(Debug)]
pub struct DroppedIndexes {
    statements: Vec<(String, String)>,
}

impl DroppedIndexes {
    /// How many indexes and constraints there are to make.
    pub fn len(&self) -> usize {
        self.statements.len()
    }

    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }
}

/// Settings for one large transaction, which end with it.
pub async fn prepare(tx: &mut PgConnection, memory_mb: u32) -> sqlx::Result<()> {
    sqlx::query(
        "SELECT set_config('search_path', 'public', true), set_config('lock_timeout', '10s', true),
                set_config('statement_timeout', '0', true),
                set_config('idle_in_transaction_session_timeout', '0', true),
                set_config('maintenance_work_mem', $1, true), set_config('work_mem', $1, true),
                set_config('TimeZone', 'UTC', true), set_config('DateStyle', 'ISO', true)",
    )
    .bind(format!("{memory_mb}MB"))
    .execute(tx)
    .await?;
    Ok(())
}

/// Whether any of the document's tables has a row.
pub async fn occupied(conn: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM public.orders) OR EXISTS (SELECT FROM public.buyers)
             OR EXISTS (SELECT FROM public.mt_streams) OR EXISTS (SELECT FROM public.mt_events)
             OR EXISTS (SELECT FROM public.outbox_message) OR EXISTS (SELECT FROM public.outbox_state)
             OR EXISTS (SELECT FROM public.inbox_state)
             OR EXISTS (SELECT FROM public.mt_doc_ordersummaryview)
             OR EXISTS (SELECT FROM public.mt_doc_deadletterevent)",
    )
    .fetch_one(conn)
    .await
}

/// Empties the document's tables and drops their indexes and constraints.
pub async fn drop_indexes(tx: &mut PgConnection) -> sqlx::Result<DroppedIndexes> {
    let names = filled().map(|name| format!("public.{name}")).collect::<Vec<_>>().join(", ");
    sqlx::query(AssertSqlSafe(format!("TRUNCATE {names}"))).execute(&mut *tx).await?;
    let found = sqlx::query(
        "SELECT format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname,
                       pg_get_constraintdef(oid)) AS make,
                format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) AS take,
                conname::text AS name, contype = 'f' AS refers
         FROM pg_constraint
         WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text = ANY($1)
           AND contype IN ('p', 'u', 'f', 'x')
         UNION ALL
         SELECT pg_get_indexdef(indexrelid), format('DROP INDEX %s', indexrelid::regclass),
                relname::text, false
         FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
         WHERE relnamespace = 'public'::regnamespace AND indrelid::regclass::text = ANY($1)
           AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid
                                                      AND contype IN ('p', 'u', 'x'))
         ORDER BY refers DESC, make",
    )
    .bind(filled().collect::<Vec<_>>())
    .fetch_all(&mut *tx)
    .await?;
    let mut statements = Vec::new();
    for row in &found {
        // Both come from the catalog, quoted by the server.
        let take: String = row.try_get("take")?;
        sqlx::query(AssertSqlSafe(take)).execute(&mut *tx).await?;
        statements.push((row.try_get("name")?, row.try_get("make")?));
    }
    // References last: they need the keys they refer to.
    statements.reverse();
    Ok(DroppedIndexes { statements })
}

/// Creates them again. `done` gets the number of finished ones and the name of the next.
pub async fn restore(
    tx: &mut PgConnection,
    dropped: DroppedIndexes,
    mut done: impl FnMut(usize, &str),
) -> sqlx::Result<()> {
    for (count, (name, make)) in dropped.statements.into_iter().enumerate() {
        done(count, &name);
        sqlx::query(AssertSqlSafe(make)).execute(&mut *tx).await?;
    }
    Ok(())
}

/// Where rows are copied to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The document's tables.
    Public,
    /// Tables beside them that end with the transaction, to compare with.
    Beside,
}

impl Place {
    fn of(self, table: &str) -> String {
        match self {
            Self::Public => format!("public.{table}"),
            Self::Beside => format!("pg_temp.made_{table}"),
        }
    }
}

/// Keeps everybody else away from the document's tables until the transaction ends.
pub async fn lock(tx: &mut PgConnection) -> sqlx::Result<()> {
    let names = filled().map(|name| format!("public.{name}")).collect::<Vec<_>>().join(", ");
    let lock = AssertSqlSafe(format!("LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE"));
    sqlx::query(lock).execute(tx).await?;
    Ok(())
}

/// Makes empty tables to compare with, for these tables with their columns.
pub async fn make_beside(tx: &mut PgConnection, tables: &[(&str, &str)]) -> sqlx::Result<()> {
    for (table, columns) in tables {
        let make = AssertSqlSafe(format!(
            "CREATE TEMP TABLE made_{table} ON COMMIT DROP AS SELECT {columns} FROM public.{table} WITH NO DATA"
        ));
        sqlx::query(make).execute(&mut *tx).await?;
    }
    Ok(())
}

/// What a row is called, its table, and by what it is known. Lines go with their orders.
const KEYS: [(&str, &str, &[&str]); 10] = [
    ("order", "orders", &["id"]),
    ("buyer", "buyers", &["id"]),
    ("stream", "mt_streams", &["id"]),
    ("event", "mt_events", &["seq_id", "id"]),
    ("summary document", "mt_doc_ordersummaryview", &["id"]),
    ("dead letter", "mt_doc_deadletterevent", &["id"]),
    ("projection", "mt_event_progression", &["name"]),
    ("outbox state", "outbox_state", &["outbox_id"]),
    ("outbox message", "outbox_message", &["message_id"]),
    ("inbox row", "inbox_state", &["message_id", "consumer_id"]),
];

/// How many rows are neither in the tables beside nor planted, as words, for each table that has any: `3 orders`.
pub async fn others(tx: &mut PgConnection) -> sqlx::Result<Vec<String>> {
    let mut told = vec![];
    for (noun, table, key) in KEYS {
        let same: Vec<_> = key.iter().map(|column| format!("m.{column} = t.{column}")).collect();
        let planted = match table {
            "outbox_state" => "p.kind = 'outbox' AND p.id = t.outbox_id",
            "outbox_message" => "p.kind = 'message' AND p.id = t.message_id",
            "inbox_state" => {
                "p.kind = 'inbox' AND p.id = t.message_id AND p.consumer_id = t.consumer_id"
            }
            _ => "false",
        };
        let count = AssertSqlSafe(format!(
            "SELECT count(*) FROM public.{table} t
             WHERE NOT EXISTS (SELECT FROM pg_temp.made_{table} m WHERE {})
               AND NOT EXISTS (SELECT FROM orderscope.demo_planted p WHERE {planted})",
            same.join(" AND ")
        ));
        let count: i64 = sqlx::query_scalar(count).fetch_one(&mut *tx).await?;
        if count > 0 {
            told.push(counted(count, noun));
        }
    }
    Ok(told)
}

/// Adds rows in the binary format of `COPY`. The table must have been made or emptied in this transaction: its rows
/// are written frozen, so that no vacuum has to visit them again.
pub async fn copy(
    tx: &mut PgConnection,
    place: Place,
    table: &str,
    columns: &str,
    rows: &[u8],
) -> sqlx::Result<u64> {
    let table = place.of(table);
    let statement = format!("COPY {table} ({columns}) FROM STDIN (FORMAT binary, FREEZE)");
    let mut copy = tx.copy_in_raw(&statement).await?;
    if let Err(error) = copy.send(rows).await {
        // The server's own answer says more than the broken pipe.
        return Err(copy.abort("could not be sent").await.err().unwrap_or(error));
    }
    copy.finish().await
}

/// Where the three sequences go on.
#[derive(Debug, Clone, Copy)]
pub struct Sequences {
    pub last_event: i64,
    pub last_message: i64,
    pub last_command: i64,
}

/// Sets the sequences past the loaded rows.
pub async fn set_sequences(tx: &mut PgConnection, last: Sequences) -> sqlx::Result<()> {
    sqlx::query(
        "SELECT setval('public.mt_events_sequence', $1),
                setval(pg_get_serial_sequence('public.outbox_message', 'sequence_number'), $2),
                setval(pg_get_serial_sequence('public.inbox_state', 'id'), $3)",
    )
    .bind(last.last_event)
    .bind(last.last_message)
    .bind(last.last_command)
    .execute(tx)
    .await?;
    Ok(())
}

/// Tells the planner about the new rows.
pub async fn analyze(tx: &mut PgConnection) -> sqlx::Result<()> {
    let names = filled().map(|name| format!("public.{name}")).collect::<Vec<_>>().join(", ");
    sqlx::query(AssertSqlSafe(format!("ANALYZE {names}"))).execute(tx).await?;
    Ok(())
}

/// Every table of the document but the list of the service's migrations, which is not ours to fill.
fn filled() -> impl Iterator<Item = &'static str> {
    TABLES.into_iter().filter(|name| *name != "__EFMigrationsHistory")
}

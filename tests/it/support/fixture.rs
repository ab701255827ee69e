//! Databases as the real service left them, stage by stage, in the schema of the document or in its own.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, postgres::PgConnectOptions};
use tokio::sync::{Mutex, OnceCell};

use super::postgres::Server;

/// Into whose tables the rows are loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Schema {
    /// The document's: no partitions, no index on streams.
    Document,
    /// The one that Marten 9 and MassTransit create.
    Marten9,
}

/// `1-backlog` to `7-bad-headers`.
pub const STAGES: [&str; 7] = [
    "1-backlog",
    "2-delivered",
    "3-paused",
    "4-broker-down",
    "5-gap-and-failure",
    "6-bad-destination",
    "7-bad-headers",
];

const UUIDV7: &str = include_str!("../../../migrations/managed/0000_uuidv7.sql");
const DOCUMENT: &str = include_str!("../../fixtures/document.sql");
const MARTEN9: &str = include_str!("../../fixtures/marten9.sql");

/// An empty database with this schema.
pub async fn empty(server: &Server, schema: Schema) -> PgConnectOptions {
    let options = server.empty().await;
    let mut conn = PgConnection::connect_with(&options).await.unwrap();
    match schema {
        Schema::Document => {
            conn.execute(UUIDV7).await.unwrap();
            conn.execute(DOCUMENT).await.unwrap();
        }
        Schema::Marten9 => {
            conn.execute(MARTEN9).await.unwrap();
        }
    }
    options
}

/// A database with this schema and the rows of a stage. All tests of a run share it: only read from it.
pub async fn stage(
    server: &'static Server,
    schema: Schema,
    stage: &'static str,
) -> PgConnectOptions {
    type Key = (usize, Schema, &'static str);
    static MADE: Mutex<BTreeMap<Key, Arc<OnceCell<PgConnectOptions>>>> =
        Mutex::const_new(BTreeMap::new());
    let key = (std::ptr::from_ref(server).addr(), schema, stage);
    let cell = Arc::clone(MADE.lock().await.entry(key).or_default());
    cell.get_or_init(|| own(server, schema, stage)).await.clone()
}

/// A new database with this schema and the rows of a stage, for one test alone.
pub async fn own(server: &Server, schema: Schema, stage: &str) -> PgConnectOptions {
    let options = empty(server, schema).await;
    let mut conn = PgConnection::connect_with(&options).await.unwrap();
    // The files are loaded in the order of their names, which the foreign keys would not allow.
    conn.execute("SET session_replication_role = replica").await.unwrap();
    let only_outbox = matches!(stage, "6-bad-destination" | "7-bad-headers");
    if only_outbox {
        for file in files("5-gap-and-failure") {
            if !file.file_stem().unwrap().to_str().unwrap().starts_with("outbox") {
                load(&mut conn, &file).await;
            }
        }
    }
    for file in files(stage) {
        load(&mut conn, &file).await;
    }
    conn.execute(
        "SELECT setval(pg_get_serial_sequence('outbox_message', 'sequence_number'),
                (SELECT coalesce(max(sequence_number), 0) + 1 FROM outbox_message), false);
         SELECT setval(pg_get_serial_sequence('inbox_state', 'id'),
                (SELECT coalesce(max(id), 0) + 1 FROM inbox_state), false)",
    )
    .await
    .unwrap();
    if schema == Schema::Marten9 {
        let past = "SELECT setval('mt_events_sequence', (SELECT max(seq_id) FROM mt_events))";
        conn.execute(past).await.unwrap();
    }
    conn.close().await.unwrap();
    options
}

fn files(stage: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(stage);
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Loads a file with the columns that both it and the table have, if the table exists.
async fn load(conn: &mut PgConnection, file: &Path) {
    let table = file.file_stem().unwrap().to_str().unwrap();
    let types: Vec<(String, String)> = sqlx::query_as(
        "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute
         WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped",
    )
    .bind(table)
    .fetch_all(&mut *conn)
    .await
    .unwrap();
    if types.is_empty() {
        return;
    }
    let text = std::fs::read(file).unwrap();
    let header = String::from_utf8_lossy(&text[..text.iter().position(|b| *b == b'\n').unwrap()]);
    let columns: Vec<&str> = header.trim().split(',').collect();
    let stage = format!("staged_{table}");
    let make = columns.iter().map(|c| format!("\"{c}\" text")).collect::<Vec<_>>().join(", ");
    run(conn, format!("CREATE TEMP TABLE {stage} ({make})")).await;
    let copy = format!("COPY {stage} FROM STDIN WITH (FORMAT csv, HEADER)");
    let mut copy = conn.copy_in_raw(&copy).await.unwrap();
    copy.send(text.as_slice()).await.unwrap();
    copy.finish().await.unwrap();
    let common: Vec<_> =
        types.iter().filter(|(name, _)| columns.contains(&name.as_str())).collect();
    let names = common.iter().map(|(c, _)| format!("\"{c}\"")).collect::<Vec<_>>().join(", ");
    let values = common.iter().map(|(c, t)| format!("\"{c}\"::{t}")).collect::<Vec<_>>().join(", ");
    run(conn, format!("INSERT INTO {table} ({names}) SELECT {values} FROM {stage}")).await;
    run(conn, format!("DROP TABLE {stage}")).await;
}

async fn run(conn: &mut PgConnection, sql: String) {
    conn.execute(AssertSqlSafe(sql)).await.unwrap();
}

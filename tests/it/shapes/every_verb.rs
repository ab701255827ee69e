//! Every verb that reads, on every shape of database: an answer, or unknown with its reason, or a refusal in words; never
//! a panic and never what the database or a driver says about it.

use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};

use super::{
    dialects::CONJOINED,
    sql,
    values::{BAD_VALUES, SAME_VALUES},
};
use crate::{
    support::{
        fixture::{self, Schema},
        pgbouncer::Pooler,
        postgres::pg18,
    },
    verbs::Home,
};

pub const VERBS: [&[&str]; 27] = [
    &["orders", "search"],
    &["orders", "search", "status:new"],
    &["orders", "search", "has:undelivered"],
    &["orders", "search", "has:letter"],
    &["orders", "search", "has:drift"],
    &["orders", "search", "total:>10", "--count"],
    &["orders", "search", "tenant:shop-a"],
    &["orders", "search", "placed:2026-11-22"],
    &["order", "show", "{id}"],
    &["order", "show", "{id}", "--version", "1"],
    &["order", "timeline", "{id}"],
    &["order", "events", "{id}"],
    &["order", "chain", "{id}"],
    &["order", "messages", "{id}"],
    &["order", "diff", "{id}", "0", "1"],
    &["messages", "status"],
    &["messages", "why"],
    &["messages", "list"],
    &["messages", "list", "--view", "orphan"],
    &["messages", "list", "--view", "undeliverable"],
    &["messages", "show", "1"],
    &["messages", "history"],
    &["inbox", "status"],
    &["inbox", "list"],
    &["inbox", "hours"],
    &["audit", "list"],
    &["op", "list"],
];

/// What no answer may say: words of the database, of the driver and of the program's insides.
const NEVER: [&str; 9] = [
    "panicked",
    "ERROR:",
    "error returned from database",
    "does not exist",
    "error occurred while decoding",
    "operator is not unique",
    "invalid input",
    "unwrap",
    "try decoding",
];

/// A database as a fixture has it, changed.
pub struct Shape {
    pub what: &'static str,
    pub schema: Schema,
    pub stage: &'static str,
    pub change: String,
}

/// All of them; single values are changed in the order of this id.
pub fn shapes(id: &str) -> Vec<Shape> {
    let document = |what, change: &str| Shape {
        what,
        schema: Schema::Document,
        stage: "1-backlog",
        change: change.replace("{id}", id),
    };
    let mut all = vec![
        document("as documented", "SELECT 1"),
        document("several tenants", CONJOINED),
        document(
            "streams named by text",
            "ALTER TABLE mt_events DROP CONSTRAINT fkey_mt_events_stream_id_is_archived;
             ALTER TABLE mt_events ALTER COLUMN stream_id TYPE varchar USING stream_id::text;
             ALTER TABLE mt_streams ALTER COLUMN id TYPE varchar USING id::text",
        ),
        document(
            "in three schemas",
            "CREATE SCHEMA ordering; CREATE SCHEMA events; CREATE SCHEMA messaging;
             ALTER TABLE orders SET SCHEMA ordering; ALTER TABLE order_items SET SCHEMA ordering;
             ALTER TABLE buyers SET SCHEMA ordering; ALTER TABLE mt_events SET SCHEMA events;
             ALTER TABLE mt_streams SET SCHEMA events; ALTER TABLE outbox_message SET SCHEMA messaging;
             ALTER TABLE outbox_state SET SCHEMA messaging; ALTER TABLE inbox_state SET SCHEMA messaging",
        ),
        document("empty", "TRUNCATE orders, order_items, mt_events, mt_streams, outbox_message, outbox_state CASCADE"),
        document("without times", "UPDATE orders SET created_at = 'infinity' WHERE id = '{id}'"),
        document(
            "without optional columns",
            "ALTER TABLE mt_events DROP COLUMN IF EXISTS headers, DROP COLUMN IF EXISTS correlation_id,
                 DROP COLUMN IF EXISTS causation_id, DROP COLUMN IF EXISTS mt_dotnet_type;
             ALTER TABLE outbox_message DROP COLUMN IF EXISTS headers, DROP COLUMN IF EXISTS properties",
        ),
    ];
    for stage in ["2-delivered", "5-gap-and-failure"] {
        all.push(Shape {
            what: "Marten 9",
            schema: Schema::Marten9,
            stage,
            change: "SELECT 1".into(),
        });
    }
    all.extend(SAME_VALUES.iter().map(|(what, change)| document(what, change)));
    all.extend(BAD_VALUES.iter().map(|(what, change, _)| document(what, change)));
    all
}

/// The id of the order that shapes change.
pub async fn first_order() -> String {
    an_order(&fixture::own(pg18(), Schema::Document, "1-backlog").await).await
}

async fn an_order(options: &PgConnectOptions) -> String {
    let mut conn = PgConnection::connect_with(options).await.unwrap();
    sqlx::query_scalar("SELECT min(id::text) FROM orders WHERE status = 0")
        .fetch_one(&mut conn)
        .await
        .unwrap()
}

/// What is wrong with the answers of all verbs.
fn asked(home: &Home, id: &str, what: &str) -> Vec<String> {
    let mut wrong = vec![];
    for verb in VERBS {
        let verb: Vec<_> = verb.iter().map(|word| word.replace("{id}", id)).collect();
        let done = home.run(&verb.iter().map(String::as_str).collect::<Vec<_>>());
        let told = format!("{}{}", done.out, done.err);
        let lie = NEVER.iter().find(|lie| told.contains(**lie));
        let code_known = [0, 1, 4, 5].contains(&done.code);
        // Unknown and refused say why.
        let silent = [4, 5].contains(&done.code) && done.err.trim().is_empty();
        if lie.is_some() || !code_known || silent {
            wrong.push(format!("{what}: {verb:?} {lie:?} {done:?}"));
        }
    }
    wrong
}

#[tokio::test]
async fn every_verb_answers_on_every_shape() {
    let id = first_order().await;
    let mut wrong = vec![];
    for Shape { what, schema, stage, change } in shapes(&id) {
        let options = fixture::own(pg18(), schema, stage).await;
        let id = if schema == Schema::Marten9 { an_order(&options).await } else { id.clone() };
        sql(&options, &change).await;
        wrong.extend(asked(&Home::on(&options), &id, what));
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_verb_answers_behind_a_pooler() {
    let options = fixture::own(pg18(), Schema::Document, "1-backlog").await;
    let id = an_order(&options).await;
    let pooler = Pooler::start(&options, 2, "");
    let through = pooler.through(&options);
    let home = Home::at(&format!(
        "host={} port={} user=postgres dbname={}",
        through.get_socket().unwrap().display(),
        through.get_port(),
        through.get_database().unwrap()
    ));
    let wrong = asked(&home, &id, "behind a pooler");
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

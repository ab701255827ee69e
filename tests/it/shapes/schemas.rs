//! Tables in other schemas than `public`: found, named by the context, or asked about.

use std::fs;

use orderscope::domain::event::EventKind;
use serde_json::{Value, json};
use sqlx::postgres::PgConnectOptions;
use uuid::Uuid;

use super::sql;
use crate::{
    consumer::{COMPLETE, NOTICES, QUEUE as COMMANDS, configured, envelope, publish, with_broker},
    pty::terminal::url,
    relay::{EXCHANGE, QUEUE, count, plant_in},
    support::{
        fixture::{self, Schema},
        postgres::{managed, pg18},
        rabbitmq::broker,
    },
    verbs::Home,
};

/// Moves each group of tables into a schema of its own, as services do.
const APART: &str = r#"
    CREATE SCHEMA ordering; CREATE SCHEMA events; CREATE SCHEMA "Messaging 2";
    ALTER TABLE orders SET SCHEMA ordering;
    ALTER TABLE order_items SET SCHEMA ordering;
    ALTER TABLE buyers SET SCHEMA ordering;
    ALTER TABLE mt_events SET SCHEMA events;
    ALTER TABLE mt_streams SET SCHEMA events;
    ALTER TABLE mt_doc_ordersummaryview SET SCHEMA events;
    ALTER TABLE mt_doc_deadletterevent SET SCHEMA events;
    ALTER TABLE mt_event_progression SET SCHEMA events;
    ALTER TABLE outbox_message SET SCHEMA "Messaging 2";
    ALTER TABLE outbox_state SET SCHEMA "Messaging 2";
    ALTER TABLE inbox_state SET SCHEMA "Messaging 2";"#;

const MIGRATE: [&str; 4] = ["migrate", "--reason", "INC-7", "--yes"];

async fn apart() -> PgConnectOptions {
    let options = fixture::own(pg18(), Schema::Marten9, "1-backlog").await;
    sql(&options, APART).await;
    options
}

fn new_order(home: &Home) -> String {
    let found = home.json(&["orders", "search", "status:new"], 0);
    found[0]["id"].as_str().unwrap().to_owned()
}

/// Without what differs between two looks at two databases.
fn steady(mut value: Value) -> Value {
    fn walk(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields
                    .retain(|name, _| !name.contains("age") && name != "at" && name != "database");
                fields.values_mut().for_each(walk);
            }
            Value::Array(items) => items.iter_mut().for_each(walk),
            _ => {}
        }
    }
    walk(&mut value);
    value
}

#[tokio::test]
async fn tables_in_three_schemas_answer_as_in_one() {
    let usual = Home::on(&fixture::own(pg18(), Schema::Marten9, "1-backlog").await);
    let home = Home::on(&apart().await);
    let id = new_order(&usual);
    for verb in [
        vec!["orders", "search"],
        vec!["order", "show", &id],
        vec!["order", "events", &id],
        vec!["order", "messages", &id],
        vec!["order", "chain", &id],
        vec!["messages", "list"],
        vec!["inbox", "list"],
    ] {
        let (one, other) = (usual.run(&verb), home.run(&verb));
        assert_eq!(one.code, other.code, "{verb:?}: {other:?}");
        let json = [verb.as_slice(), &["--output", "json"]].concat();
        let read = |home: &Home| serde_json::from_str::<Value>(&home.run(&json).out).ok();
        assert_eq!(read(&home).map(steady), read(&usual).map(steady), "{verb:?}");
    }
}

#[tokio::test]
async fn commands_and_actions_write_where_the_tables_are() {
    let options = apart().await;
    let home = Home::on(&options);
    let id = new_order(&home);
    let attach = ["attach", "--publisher", "outbox", "--yes", "--reason", "INC-7"];
    assert_eq!(home.run(&attach).code, 0);
    let cancel = ["order", "cancel", &id, "--reason", "INC-7"];
    let dry = home.run(&[&cancel[..], &["--dry-run"]].concat());
    assert_eq!(dry.code, 0, "{dry:?}");
    let done = home.json(&[&cancel[..], &["--yes"]].concat(), 0);
    assert!(done["audit"].is_i64(), "{done}");
    let shown = home.run(&["order", "show", &id]);
    assert!(shown.out.contains("Cancelled"), "{shown:?}");
    let taken = home.run(&["messages", "quarantine", "1", "--reason", "INC-7", "--yes"]);
    assert_eq!(taken.code, 0, "{taken:?}");
    let copies = home.json(&["messages", "list", "--view", "kept"], 0);
    assert_eq!(copies.as_array().unwrap().len(), 1, "{copies}");
}

const PENDING: &str = r#"SELECT count(*) FROM "Messaging 2".outbox_message"#;

/// With nothing pending, and owned by its service.
async fn attached() -> (PgConnectOptions, Home) {
    let options = apart().await;
    sql(&options, r#"TRUNCATE "Messaging 2".outbox_message, "Messaging 2".outbox_state"#).await;
    let home = Home::on(&options);
    let attach = ["attach", "--publisher", "outbox", "--yes", "--reason", "INC-7"];
    assert_eq!(home.run(&attach).code, 0);
    (options, home)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_are_delivered_from_the_schema_that_they_are_in() {
    let (broker, (options, home)) = (broker().await, attached().await);
    broker.bind(QUEUE, &[EXCHANGE]).await;
    plant_in("\"Messaging 2\"", &options, 3, 4).await;
    let drain = ["messages", "drain", "--reason", "INC-7", "--yes"];
    let second = "00000000-0000-4000-8000-000000000002";
    let one = with_broker(&home, &broker, &[&drain[..], &["--outbox", second]].concat());
    assert_eq!(one.code, 0, "{one:?}");
    assert_eq!((broker.take(QUEUE).await.len(), count(&options, PENDING).await), (4, 8));

    // The messages of another service: nothing is delivered until the context names one of both.
    let other = r#"CREATE SCHEMA other;
        CREATE TABLE other.outbox_message (LIKE "Messaging 2".outbox_message INCLUDING ALL);
        CREATE TABLE other.outbox_state (LIKE "Messaging 2".outbox_state INCLUDING ALL);
        CREATE TABLE other.inbox_state (LIKE "Messaging 2".inbox_state INCLUDING ALL)"#;
    sql(&options, other).await;
    plant_in("other", &options, 2, 3).await;
    let relay = ["relay", "--until-empty", "--beside-service"];
    let all = [&drain[..], &["--all"]].concat();
    for verb in [&relay[..], &all] {
        let asked = with_broker(&home, &broker, verb);
        assert!(asked.code == 4 && asked.err.contains("schemas.messages"), "{verb:?}: {asked:?}");
    }
    for (schema, verb, outboxes, messages) in
        [("other", &all[..], 2, 3), ("Messaging 2", &relay[..], 2, 4)]
    {
        let named = Home::new();
        let shop = format!(
            "default = \"shop\"\n[relay]\nkeep_days = 7\n[contexts.shop]\nurl = {:?}\n\
             schemas = {{ messages = {schema:?} }}\n",
            url(&options)
        );
        configured(&named, &shop);
        let done = with_broker(&named, &broker, verb);
        assert_eq!(done.code, 0, "{schema}: {done:?}");
        let taken = broker.take(QUEUE).await;
        assert_eq!(i64::try_from(taken.len()), Ok(i64::from(outboxes * messages)), "{schema}");
        let copies = named.json(&["messages", "list", "--view", "kept", "--limit", "50"], 0);
        let of = taken.iter().filter(|message| copies.to_string().contains(&message.id()));
        assert_eq!(of.count(), taken.len(), "{schema}: {copies}");
    }
    assert_eq!(count(&options, PENDING).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_command_produced_is_delivered_from_the_schema_that_it_is_in() {
    let (broker, (options, home)) = (broker().await, attached().await);
    let id = new_order(&home);
    let shop = format!("[commands]\nqueue = \"{COMMANDS}\"\n[relay]\nkeep_days = 7\n");
    configured(&home, &shop);
    broker.bind(NOTICES, &[EventKind::Completed.contract()]).await;
    let consume = ["consume", "--once", "--yes"];
    let declared = with_broker(&home, &broker, &consume);
    assert_eq!(declared.code, 0, "{declared:?}");
    let body = envelope(Uuid::now_v7(), COMPLETE, &json!({ "orderId": id }));
    publish(&broker, COMPLETE, &[body]).await;
    let done = with_broker(&home, &broker, &consume);
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!((broker.take(NOTICES).await.len(), count(&options, PENDING).await), (1, 0));
    let copies = home.json(&["messages", "list", "--view", "kept"], 0);
    assert_eq!(copies.as_array().unwrap().len(), 1, "{copies}");
}

#[tokio::test]
async fn several_stores_are_asked_about_until_the_context_names_one() {
    let options = apart().await;
    sql(
        &options,
        "CREATE SCHEMA archive; CREATE TABLE archive.mt_events (LIKE events.mt_events INCLUDING ALL)",
    )
    .await;
    let home = Home::on(&options);
    let told = ["several schemas have tables for events: archive, events", "schemas.events"];
    home.refused(&["orders", "search"], 4, &told);
    home.refused(&["messages", "status"], 4, &told);

    let named = Home::new();
    let folder = named.dir.path().join("config").join("orderscope");
    fs::create_dir_all(&folder).unwrap();
    let config = format!(
        "[contexts.shop]\nurl = {:?}\nschemas = {{ events = \"events\" }}\n",
        url(&options)
    );
    let file = named.dir.path().join("shop.toml");
    fs::write(&file, config).unwrap();
    let search = ["--config", file.to_str().unwrap(), "--context", "shop", "orders", "search"];
    let done = named.run(&search);
    assert_eq!(done.code, 0, "{done:?}");
}

#[tokio::test]
async fn nothing_is_migrated_into_a_database_that_has_such_tables_anywhere() {
    let options = apart().await;
    let home = Home::on(&options);
    home.refused(&MIGRATE, 4, &["belongs to a running service"]);
    sql(&options, "DROP SCHEMA events CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        .await;
    home.refused(&MIGRATE, 4, &["\"Messaging 2\".outbox_message", "ordering.orders"]);
    sql(&options, "DROP SCHEMA ordering CASCADE; DROP SCHEMA \"Messaging 2\" CASCADE").await;
    sql(
        &options,
        "CREATE SCHEMA store; CREATE FUNCTION store.mt_archive_stream() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    )
    .await;
    home.refused(&MIGRATE, 4, &["store.mt_archive_stream"]);
    sql(&options, "DROP SCHEMA store CASCADE").await;
    assert_eq!(home.run(&MIGRATE).code, 0, "an empty database is migrated");
}

#[tokio::test]
async fn a_schema_that_may_not_be_used_is_told_and_is_not_missing() {
    let options = apart().await;
    sql(
        &options,
        "DROP ROLE IF EXISTS shapes_reader; CREATE ROLE shapes_reader LOGIN;
         GRANT USAGE ON SCHEMA ordering, \"Messaging 2\" TO shapes_reader;
         GRANT SELECT ON ALL TABLES IN SCHEMA ordering, events, \"Messaging 2\" TO shapes_reader",
    )
    .await;
    let home = Home::on(&options.clone().username("shapes_reader"));
    let done = home.run(&["orders", "search"]);
    assert!(done.err.contains("no right to use schema events"), "{}", done.err);
    sql(&options, "DROP OWNED BY shapes_reader; DROP ROLE shapes_reader").await;
}

#[tokio::test]
async fn a_managed_database_keeps_its_own_tables_whatever_others_are_made() {
    let options = managed().await;
    sql(&options, "CREATE SCHEMA other; CREATE TABLE other.orders (LIKE public.orders)").await;
    let home = Home::on(&options);
    let done = home.run(&["orders", "search"]);
    assert!([0, 1].contains(&done.code), "{done:?}");
}

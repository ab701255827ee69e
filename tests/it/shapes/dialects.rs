//! Stores whose events are written in another form than the document's: tenants, spelling of keys, enums and decimals,
//! streams named by text. What is written is like what is there; where that cannot be told nothing is written.

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions, types::Json};
use uuid::Uuid;

use super::sql;
use crate::{
    pty::terminal::url,
    support::{
        fixture::{self, Schema},
        postgres::pg18,
    },
    verbs::{Done, Home},
};

/// Conjoined tenancy: the tenant is part of the streams' key.
pub const CONJOINED: &str = "
    ALTER TABLE mt_events DROP CONSTRAINT fkey_mt_events_stream_id_is_archived;
    ALTER TABLE mt_streams DROP CONSTRAINT pkey_mt_streams_id_is_archived;
    ALTER TABLE mt_streams ADD PRIMARY KEY (tenant_id, id, is_archived);
    UPDATE mt_streams SET tenant_id = 'shop-a';
    UPDATE mt_events SET tenant_id = 'shop-a'";

/// A console that looks at one tenant of the database alone.
fn of_tenant(options: &PgConnectOptions, tenant: &str) -> (Home, [String; 4]) {
    let home = Home::new();
    let file = home.dir.path().join("shop.toml");
    let context = format!("[contexts.shop]\nurl = {:?}\ntenant = {tenant:?}\n", url(options));
    std::fs::write(&file, context).unwrap();
    let file = file.to_str().unwrap();
    let flags = ["--config", file, "--context", "shop"].map(ToOwned::to_owned);
    (home, flags)
}

fn run(home: &Home, flags: &[String; 4], args: &[&str]) -> Done {
    let flags = flags.iter().map(String::as_str);
    home.run(&flags.chain(args.iter().copied()).collect::<Vec<_>>())
}

async fn store() -> PgConnectOptions {
    let options = fixture::own(pg18(), Schema::Document, "1-backlog").await;
    sql(&options, "CREATE SEQUENCE mt_events_sequence START 1000").await;
    options
}

fn attached(options: &PgConnectOptions) -> Home {
    let home = Home::on(options);
    let attach = ["attach", "--publisher", "service", "--yes", "--reason", "INC-7"];
    assert_eq!(home.run(&attach).code, 0);
    home
}

fn new_order(home: &Home) -> String {
    let found = home.json(&["orders", "search", "status:new"], 0);
    found[0]["id"].as_str().unwrap().to_owned()
}

/// Body, tenant and .NET type of the order's events, the oldest first.
async fn events(options: &PgConnectOptions, id: &str) -> Vec<(Value, String, String)> {
    let mut conn = PgConnection::connect_with(options).await.unwrap();
    let rows: Vec<(Json<Value>, String, String)> = sqlx::query_as(
        "SELECT data, tenant_id, mt_dotnet_type FROM mt_events WHERE stream_id::text = $1 ORDER BY seq_id",
    )
    .bind(id)
    .fetch_all(&mut conn)
    .await
    .unwrap();
    rows.into_iter().map(|(Json(data), tenant, dotnet)| (data, tenant, dotnet)).collect()
}

async fn versions(options: &PgConnectOptions, id: &str) -> Vec<(String, i64)> {
    let mut conn = PgConnection::connect_with(options).await.unwrap();
    sqlx::query_as(
        "SELECT tenant_id::text, version::bigint FROM mt_streams WHERE id::text = $1 ORDER BY tenant_id",
    )
    .bind(id)
    .fetch_all(&mut conn)
    .await
    .unwrap()
}

fn cancel(id: &str) -> [&str; 6] {
    ["order", "cancel", id, "--reason", "INC-7", "--yes"]
}

#[tokio::test]
async fn a_tenants_order_is_cancelled_in_its_tenant() {
    let options = store().await;
    sql(&options, CONJOINED).await;
    let home = attached(&options);
    let id = new_order(&home);
    let plan = home.run(&["order", "cancel", &id, "--reason", "INC-7", "--dry-run"]);
    assert!(plan.out.contains("writes as: tenant shop-a, PascalCase, enum as name"), "{plan:?}");
    let before = versions(&options, &id).await;
    home.json(&cancel(&id), 0);
    let (_, tenant, dotnet) = events(&options, &id).await.pop().unwrap();
    assert_eq!(tenant, "shop-a");
    assert_eq!(dotnet, "BookWorm.Ordering.Domain.Events.OrderCancelledEvent, BookWorm.Ordering");
    assert_eq!(versions(&options, &id).await, [("shop-a".to_owned(), before[0].1 + 1)]);
    let shown = home.run(&["order", "show", &id]);
    assert!(shown.out.contains("shop-a") && shown.out.contains("Cancelled"), "{shown:?}");
}

#[tokio::test]
async fn one_id_in_two_tenants_is_two_orders() {
    let options = store().await;
    sql(&options, CONJOINED).await;
    let home = attached(&options);
    let id = new_order(&home);
    let other = format!(
        "INSERT INTO mt_streams (id, type, version, tenant_id, is_archived)
             SELECT id, type, version, 'shop-b', is_archived FROM mt_streams WHERE id = '{id}';
         INSERT INTO mt_events (seq_id, id, stream_id, version, data, type, timestamp, tenant_id, mt_dotnet_type,
                                is_archived)
             SELECT nextval('mt_events_sequence'), gen_random_uuid(), stream_id, version, data, type, timestamp,
                 'shop-b', mt_dotnet_type, is_archived FROM mt_events WHERE stream_id = '{id}'"
    );
    sql(&options, &other).await;
    let told = ["several tenants (shop-a, shop-b)", "tenant = \"shop-a\""];
    home.refused(&["order", "show", &id], 4, &told);
    let refused = home.run(&cancel(&id));
    assert!(refused.code != 0 && refused.err.contains("several tenants"), "{refused:?}");
    let before = versions(&options, &id).await;

    let (named, flags) = of_tenant(&options, "shop-a");
    let done = run(&named, &flags, &cancel(&id));
    assert_eq!(done.code, 0, "{done:?}");
    let after = versions(&options, &id).await;
    assert_eq!(after, [("shop-a".to_owned(), before[0].1 + 1), before[1].clone()]);
    let tenants: Vec<_> = events(&options, &id).await.into_iter().map(|event| event.1).collect();
    assert_eq!(tenants.last().unwrap(), "shop-a");
}

/// Gives every order but one to another tenant, whose events are not the newest.
async fn shared(options: &PgConnectOptions, kept: &str) {
    let others = format!(
        "UPDATE mt_streams SET tenant_id = 'shop-b' WHERE id <> '{kept}';
         UPDATE mt_events SET tenant_id = 'shop-b' WHERE stream_id <> '{kept}';
         INSERT INTO mt_events (seq_id, id, stream_id, version, data, type, timestamp, tenant_id, mt_dotnet_type,
                                is_archived)
             SELECT nextval('mt_events_sequence'), gen_random_uuid(), gen_random_uuid(), 1, data, type, timestamp,
                 'shop-a', mt_dotnet_type, false
             FROM mt_events, generate_series(1, 60) WHERE stream_id = '{kept}' AND version = 1"
    );
    sql(options, &others).await;
}

#[tokio::test]
async fn another_tenants_order_is_not_written_to() {
    let options = store().await;
    sql(&options, CONJOINED).await;
    let home = attached(&options);
    let found = home.json(&["orders", "search", "status:new"], 0);
    let kept = found[0]["id"].as_str().unwrap();
    let other = found[1]["id"].as_str().unwrap();
    shared(&options, kept).await;
    let before = events(&options, other).await;
    let (named, flags) = of_tenant(&options, "shop-a");
    for verb in ["cancel", "complete", "delete"] {
        let refused = run(&named, &flags, &["order", verb, other, "--reason", "INC-7", "--yes"]);
        assert_ne!(refused.code, 0, "{refused:?}");
        assert!(refused.err.contains("it may be another's"), "{refused:?}");
    }
    let shown = run(&named, &flags, &["order", "show", other]);
    assert_eq!(shown.code, 5, "{shown:?}");
    let told = "only those of tenant shop-a are read, and it has none of this order";
    assert!(format!("{}{}", shown.out, shown.err).contains(told), "{shown:?}");
    assert_eq!(events(&options, other).await, before);
    let ids = |query: &str| -> Vec<(String, String)> {
        let found = home.json(&["orders", "search", query, "--limit", "100"], 0);
        let text = |value: &Value| value.as_str().unwrap_or("none").to_owned();
        let rows = found.as_array().unwrap().iter();
        rows.map(|row| (text(&row["id"]), text(&row["tenant"]))).collect()
    };
    let all = ids("");
    assert_eq!(ids("tenant:shop-a"), [(kept.to_owned(), "shop-a".to_owned())]);
    assert_eq!(ids("tenant:shop-b").len(), all.len() - 1);
    assert_eq!(all.iter().filter(|(_, tenant)| tenant == "shop-b").count(), all.len() - 1);
    assert_eq!(home.run(&["orders", "search", "tenant:shop-c"]).code, 1);
    // Without a tenant in the context the order's own is found.
    home.json(&cancel(other), 0);
    assert_eq!(events(&options, other).await.last().unwrap().1, "shop-b");
    assert_eq!(versions(&options, other).await.len(), 1);
}

#[tokio::test]
async fn a_new_order_of_several_tenants_asks_for_its_tenant() {
    let options = store().await;
    sql(&options, CONJOINED).await;
    let home = attached(&options);
    let kept = new_order(&home);
    // The newest sixty events are all of one tenant; the other is in mt_streams alone.
    shared(&options, &kept).await;
    let mut conn = PgConnection::connect_with(&options).await.unwrap();
    let (buyer, book): (Uuid, Uuid) = sqlx::query_as(
        "SELECT o.buyer_id, i.book_id FROM orders o JOIN order_items i ON i.order_id = o.id
         WHERE o.buyer_id IS NOT NULL LIMIT 1",
    )
    .fetch_one(&mut conn)
    .await
    .unwrap();
    let (buyer, line) = (buyer.to_string(), format!("{book}:2:9.50"));
    let create =
        ["order", "create", "--buyer", &buyer, "--line", &line, "--reason", "INC-7", "--yes"];
    let count = "SELECT count(*) FROM mt_events";
    let before: i64 = sqlx::query_scalar(count).fetch_one(&mut conn).await.unwrap();
    let refused = home.run(&create);
    assert_ne!(refused.code, 0, "{refused:?}");
    assert!(refused.err.contains("several tenants (shop-a, shop-b)"), "{refused:?}");
    assert_eq!(sqlx::query_scalar::<_, i64>(count).fetch_one(&mut conn).await.unwrap(), before);
    let (named, flags) = of_tenant(&options, "shop-b");
    let done = run(&named, &flags, &create);
    assert_eq!(done.code, 0, "{done:?}");
    let newest = "SELECT e.tenant_id || ' ' || s.tenant_id FROM mt_events e JOIN mt_streams s ON s.id = e.stream_id
                  ORDER BY seq_id DESC LIMIT 1";
    let tenants: String = sqlx::query_scalar(newest).fetch_one(&mut conn).await.unwrap();
    assert_eq!(tenants, "shop-b shop-b");
}

#[tokio::test]
async fn an_order_whose_events_were_not_all_searched_is_not_written_to() {
    let options = store().await;
    let home = attached(&options);
    let id = new_order(&home);
    // No index leads to its events, and they are outside of the days that are searched.
    sql(&options, "UPDATE mt_events SET timestamp = timestamp - interval '400 days'").await;
    let grow = "
        INSERT INTO mt_streams (id, type, version, is_archived)
        VALUES ('00000000-0000-7000-8000-000000000001', 'other', 9000, false);
        INSERT INTO mt_events (seq_id, id, stream_id, version, data, type, timestamp, is_archived)
        SELECT nextval('mt_events_sequence'), gen_random_uuid(), '00000000-0000-7000-8000-000000000001', n,
            jsonb_build_object('filler', (SELECT string_agg(md5((n * 100 + k)::text), '') FROM generate_series(1, 50) k)), 'other_event', now(), false
        FROM generate_series(1, 8000) n";
    sql(&options, grow).await;
    sql(&options, "ANALYZE mt_events").await;
    let refused = home.run(&cancel(&id));
    assert_ne!(refused.code, 0, "{refused:?}");
    let told = "no event of it was found, and not all were looked at";
    assert!(refused.err.contains(told), "{refused:?}");
    assert_eq!(events(&options, &id).await.len(), 1);
}

#[tokio::test]
async fn streams_that_are_named_by_text_are_read_and_written() {
    let options = store().await;
    let text = "
        ALTER TABLE mt_events DROP CONSTRAINT fkey_mt_events_stream_id_is_archived;
        ALTER TABLE mt_events ALTER COLUMN stream_id TYPE varchar USING stream_id::text;
        ALTER TABLE mt_streams ALTER COLUMN id TYPE varchar USING id::text;
        INSERT INTO mt_streams (id, type, version, is_archived) VALUES ('basket/7', 'basket', 1, false)";
    sql(&options, text).await;
    let home = attached(&options);
    let id = new_order(&home);
    let before = versions(&options, &id).await;
    home.json(&cancel(&id), 0);
    assert_eq!(versions(&options, &id).await[0].1, before[0].1 + 1);
    assert_eq!(events(&options, &id).await.len(), 2);
    let shown = home.run(&["order", "show", &id]);
    assert!(shown.code == 0 && shown.out.contains("Cancelled"), "{shown:?}");
}

/// A body with other keys, the status as a number and amounts as text.
fn respelt(value: Value, key: fn(&str) -> String) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| {
                let value = match (name.as_str(), value) {
                    ("Status", Value::String(status)) => {
                        json!(["New", "Cancelled", "Completed"].iter().position(|s| *s == status))
                    }
                    ("Price" | "TotalPrice", Value::Number(amount)) => json!(amount.to_string()),
                    (_, value) => respelt(value, key),
                };
                (key(&name), value)
            })
            .collect(),
        Value::Array(items) => items.into_iter().map(|item| respelt(item, key)).collect(),
        other => other,
    }
}

fn camel(name: &str) -> String {
    name[..1].to_lowercase() + &name[1..]
}

fn snake(name: &str) -> String {
    let words = name.char_indices().flat_map(|(at, c)| {
        let gap = (at > 0 && c.is_uppercase()).then_some('_');
        gap.into_iter().chain(c.to_lowercase())
    });
    words.collect()
}

/// The keys of an object and of the objects in it.
fn keys(value: &Value) -> Vec<String> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(key, value)| [vec![key.clone()], keys(value)].concat())
            .collect(),
        Value::Array(items) => items.iter().flat_map(keys).collect(),
        _ => vec![],
    }
}

#[tokio::test]
async fn events_are_read_and_written_as_the_store_spells_them() {
    for (spell, says) in [(camel as fn(&str) -> String, "camelCase"), (snake, "snake_case")] {
        let options = store().await;
        let usual = Home::on(&options);
        let id = new_order(&usual);
        let total = |home: &Home| {
            let shown = home.run(&["order", "show", &id]).out;
            let line = shown.lines().find(|line| line.trim_start().starts_with("total"));
            line.unwrap_or_else(|| panic!("{shown}")).split_whitespace().last().unwrap().to_owned()
        };
        let expected = total(&usual);
        let mut conn = PgConnection::connect_with(&options).await.unwrap();
        let all: Vec<(i64, Json<Value>)> = sqlx::query_as("SELECT seq_id, data FROM mt_events")
            .fetch_all(&mut conn)
            .await
            .unwrap();
        for (seq, Json(data)) in all {
            let update = sqlx::query("UPDATE mt_events SET data = $2 WHERE seq_id = $1").bind(seq);
            update.bind(Json(respelt(data, spell))).execute(&mut conn).await.unwrap();
        }
        let home = attached(&options);
        assert_eq!(total(&home), expected, "{says}");
        let plan = home.run(&["order", "cancel", &id, "--reason", "INC-7", "--dry-run"]);
        let told = format!("{says}, enum as integer, decimals as text");
        assert!(plan.out.contains(&told), "{plan:?}");
        home.json(&cancel(&id), 0);
        let (body, ..) = events(&options, &id).await.pop().unwrap();
        let strange: Vec<_> =
            keys(&body).into_iter().filter(|key| spell(key) != *key || key.contains(' ')).collect();
        assert_eq!(strange, Vec::<String>::new(), "{body}");
        assert_eq!(body["order"]["status"], json!(1), "{body}");
        assert_eq!(body["order"][spell("TotalPrice")], json!(expected), "{body}");
        assert_eq!(body["reason"], json!("INC-7"), "{body}");
    }
}

#[tokio::test]
async fn what_cannot_be_told_is_not_written() {
    let options = store().await;
    let home = attached(&options);
    let id = new_order(&home);
    let mixed = format!(
        "UPDATE mt_events SET data = jsonb_set(data #- '{{Order,TotalPrice}}', '{{Order,total_price}}', '1')
         WHERE stream_id = '{}'",
        Uuid::parse_str(&id).unwrap()
    );
    sql(&options, &mixed).await;
    let refused = home.run(&cancel(&id));
    assert_ne!(refused.code, 0, "{refused:?}");
    assert!(
        refused.err.contains("its keys are spelt in several ways (total_price)"),
        "{refused:?}"
    );
    assert_eq!(events(&options, &id).await.len(), 1);
}

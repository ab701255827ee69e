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
    verbs::Home,
};

/// Conjoined tenancy: the tenant is part of the streams' key.
const CONJOINED: &str = "
    ALTER TABLE mt_events DROP CONSTRAINT fkey_mt_events_stream_id_is_archived;
    ALTER TABLE mt_streams DROP CONSTRAINT pkey_mt_streams_id_is_archived;
    ALTER TABLE mt_streams ADD PRIMARY KEY (tenant_id, id, is_archived);
    UPDATE mt_streams SET tenant_id = 'shop-a';
    UPDATE mt_events SET tenant_id = 'shop-a'";

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

    let named = Home::new();
    let file = named.dir.path().join("shop.toml");
    let context = format!("[contexts.shop]\nurl = {:?}\ntenant = \"shop-a\"\n", url(&options));
    std::fs::write(&file, context).unwrap();
    let context = ["--config", file.to_str().unwrap(), "--context", "shop"];
    let done = named.run(&[&context[..], &cancel(&id)].concat());
    assert_eq!(done.code, 0, "{done:?}");
    let after = versions(&options, &id).await;
    assert_eq!(after, [("shop-a".to_owned(), before[0].1 + 1), before[1].clone()]);
    let tenants: Vec<_> = events(&options, &id).await.into_iter().map(|event| event.1).collect();
    assert_eq!(tenants.last().unwrap(), "shop-a");
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

//! Personal values under keys that nobody listed, wherever a document may have them: no verb shows one while personal
//! data is masked.

use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use serde_json::{Map, Value, json};
use sqlx::{Connection, PgConnection, types::Json};

use super::every_verb::VERBS;
use crate::{
    support::{
        fixture::{self, Schema},
        postgres::pg18,
    },
    verbs::Home,
};

/// In every value that must not be seen.
const MARK: &str = "Quyxzol";

/// A document of random keys with marked values, nested and as JSON inside text.
fn any_document() -> impl Strategy<Value = Value> {
    let key = "[A-Za-z_-]{1,12}";
    let text = prop_oneof![
        Just(format!("{MARK} Van Thi")),
        Just(format!("{MARK}@example.com")),
        Just(format!("+84 90 {MARK}")),
        Just(format!("{{\"Name\": \"{MARK}\"}}")),
        Just(format!("12 {MARK} Street, Hue")),
    ];
    let leaf = text.prop_map(Value::from);
    leaf.prop_recursive(3, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Value::from),
            prop::collection::btree_map(key, inner, 1..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

#[tokio::test]
async fn no_personal_value_comes_out_of_any_verb() {
    let mut runner = TestRunner::default();
    let mut some = || any_document().new_tree(&mut runner).unwrap().current();
    let options = fixture::own(pg18(), Schema::Document, "1-backlog").await;
    let mut conn = PgConnection::connect_with(&options).await.unwrap();
    let id: String = sqlx::query_scalar("SELECT min(id::text) FROM orders WHERE status = 0")
        .fetch_one(&mut conn)
        .await
        .unwrap();
    let plain = format!("{MARK} Van Thi");
    for change in [
        "UPDATE orders SET note = $1",
        "UPDATE buyers SET name = $1, address_street = $1, address_city = $1, address_province = $1",
    ] {
        sqlx::query(change).bind(&plain).execute(&mut conn).await.unwrap();
    }
    let events: Vec<(i64, Json<Value>)> =
        sqlx::query_as("SELECT seq_id, data FROM mt_events").fetch_all(&mut conn).await.unwrap();
    for (seq, Json(mut data)) in events {
        data["Order"]["Note"] = json!(plain);
        data["Order"]["Buyer"] =
            json!({ "Name": plain, "Address": { "City": plain, "More": some() } });
        data["Order"]["Extra"] = some();
        data["Anything"] = some();
        sqlx::query("UPDATE mt_events SET data = $2, headers = $3 WHERE seq_id = $1")
            .bind(seq)
            .bind(Json(data))
            .bind(Json(json!({ "whatever": some(), "traceparent": plain })))
            .execute(&mut conn)
            .await
            .unwrap();
    }
    let messages: Vec<(i64, String)> =
        sqlx::query_as("SELECT sequence_number, body FROM outbox_message")
            .fetch_all(&mut conn)
            .await
            .unwrap();
    for (sequence, body) in messages.into_iter().take(60) {
        let mut body: Value = serde_json::from_str(&body).unwrap();
        body["message"]["fullName"] = json!(plain);
        body["message"]["unlisted"] = some();
        body["headers"] = json!({ "Remark": plain, "More": some() });
        sqlx::query(
            "UPDATE outbox_message SET body = $2, headers = $3, properties = $4 WHERE sequence_number = $1",
        )
        .bind(sequence)
        .bind(body.to_string())
        .bind(json!({ "Remark": some() }).to_string())
        .bind(json!({ "Note": plain, "Other": some() }).to_string())
        .execute(&mut conn)
        .await
        .unwrap();
    }
    let home = Home::on(&options);
    let mut seen = vec![];
    for verb in VERBS {
        for form in ["table", "json", "csv"] {
            let verb: Vec<_> = verb.iter().map(|word| word.replace("{id}", &id)).collect();
            let words: Vec<_> = verb.iter().map(String::as_str).chain(["--output", form]).collect();
            let done = home.run(&words);
            let told = format!("{}{}", done.out, done.err);
            if let Some(at) = told.find(MARK) {
                let from = told.floor_char_boundary(at.saturating_sub(80));
                let to = told.floor_char_boundary((at + 60).min(told.len()));
                seen.push(format!("{words:?}: …{}…", &told[from..to]));
            }
        }
    }
    let events = home.run(&["order", "events", &id, "--output", "json"]).out;
    assert!(events.contains("********") && events.contains("Anything"), "{events}");
    assert!(seen.is_empty(), "{} leaks:\n{}", seen.len(), seen.join("\n"));
}

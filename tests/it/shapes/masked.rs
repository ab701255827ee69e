//! Personal values under keys that nobody listed, wherever a document may have them: no verb, screen or export shows one
//! while personal data is masked.

use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use serde_json::{Map, Value, json};
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions, types::Json};

use super::every_verb::VERBS;
use crate::{
    pty::terminal::{Start, Terminal, block_on},
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

/// A database full of marked values, and the ids of an order that is new and of one with two events.
async fn marked() -> (PgConnectOptions, String, String) {
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
    // What does not parse is shown by no part of it.
    for part in ["body", "headers", "properties"] {
        let change = format!(
            "UPDATE outbox_message SET {part} = $1 WHERE sequence_number =
                 (SELECT max(sequence_number) - length($2) % 5 FROM outbox_message)"
        );
        let broken = format!("{{\"Name\": \"{plain}\"");
        let change = sqlx::query(sqlx::AssertSqlSafe(change)).bind(broken).bind(part);
        change.execute(&mut conn).await.unwrap();
    }
    let numbers = "CREATE SEQUENCE IF NOT EXISTS mt_events_sequence START 1000";
    sqlx::query(numbers).execute(&mut conn).await.unwrap();
    let changed = "SELECT min(id::text) FROM mt_streams WHERE version = 2";
    let changed = sqlx::query_scalar(changed).fetch_one(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    (options, id, changed)
}

/// Where a mark stands, with what is around it. What a screen wraps may cut it, and never so short.
fn leak(told: &str) -> Option<String> {
    let at = told.find(&MARK[1..5])?;
    let from = told.floor_char_boundary(at.saturating_sub(120));
    let to = told.floor_char_boundary((at + 60).min(told.len()));
    Some(format!("…{}…", &told[from..to]))
}

/// Verbs that show what was done, and plans of what would be: only on a database that is attached.
const MORE: [&[&str]; 12] = [
    &["audit", "list"],
    &["audit", "show", "2"],
    &["audit", "show", "3"],
    &["messages", "list", "--view", "kept"],
    &["messages", "list", "--view", "delivered"],
    &["messages", "show", "--kept", "1"],
    &["messages", "show", "2"],
    &["order", "cancel", "{id}", "--reason", "INC-7", "--dry-run"],
    &["order", "complete", "{id}", "--reason", "INC-7", "--dry-run"],
    &["order", "delete", "{id}", "--reason", "INC-7", "--dry-run"],
    &["messages", "quarantine", "4", "--reason", "INC-7", "--dry-run"],
    &[
        "messages",
        "repair",
        "4",
        "--destination",
        "rabbitmq://localhost/x",
        "--reason",
        "INC-7",
        "--dry-run",
    ],
];

#[tokio::test]
async fn no_personal_value_comes_out_of_any_verb() {
    let (options, id, _) = marked().await;
    let home = Home::on(&options);
    let mut seen = vec![];
    let mut asks = |verbs: &[&[&str]]| {
        for verb in verbs {
            for form in ["table", "json", "csv"] {
                let verb: Vec<_> = verb.iter().map(|word| word.replace("{id}", &id)).collect();
                let words: Vec<_> =
                    verb.iter().map(String::as_str).chain(["--output", form]).collect();
                let done = home.run(&words);
                assert!([0, 1, 4, 5].contains(&done.code), "{words:?}: {done:?}");
                let leak = leak(&format!("{}{}", done.out, done.err));
                seen.extend(leak.map(|leak| format!("{words:?}: {leak}")));
            }
        }
    };
    asks(&VERBS);
    assert_eq!(
        home.run(&["attach", "--publisher", "outbox", "--yes", "--reason", "INC-7"]).code,
        0
    );
    let reason = format!("called {MARK} Van Thi");
    for done in [
        ["messages", "quarantine", "3", "--yes", "--reason", &reason].as_slice(),
        &["buyer", "create", "--name", &format!("{MARK} Thi"), "--yes", "--reason", &reason],
    ] {
        let done = home.run(done);
        assert_eq!(done.code, 0, "{done:?}");
    }
    asks(&MORE);
    // They would be found.
    let revealed = home.run(&["audit", "list", "--reveal", "INC-7"]);
    assert!(leak(&revealed.out).is_some(), "{revealed:?}");
    let events = home.run(&["order", "events", &id, "--output", "json"]).out;
    assert!(events.contains("********") && events.contains("Anything"), "{events}");
    assert!(seen.is_empty(), "{} leaks:\n{}", seen.len(), seen.join("\n"));
}

/// Presses keys and waits for what they lead to; remembers where a mark is seen.
struct Walk {
    terminal: Terminal,
    seen: Vec<String>,
}

impl Walk {
    fn step(&mut self, keys: &str, shows: &str) {
        self.terminal.send(keys);
        self.terminal.is_read();
        self.terminal
            .until(shows, |screen| screen.contains(shows) && !screen.contains("Loading …"));
        let leak = leak(&self.terminal.text());
        self.seen.extend(leak.map(|leak| format!("{keys:?} {shows:?}: {leak}")));
    }
}

#[test]
fn no_personal_value_comes_out_of_any_screen_or_export() {
    let (options, id, changed) = block_on(marked());
    let home = Home::on(&options);
    let attach = ["attach", "--publisher", "outbox", "--yes", "--reason", "INC-7"];
    assert_eq!(home.run(&attach).code, 0);
    let reason = format!("called {MARK} Van Thi");
    let done = home.run(&["messages", "quarantine", "3", "--yes", "--reason", &reason]);
    assert_eq!(done.code, 0, "{done:?}");
    let start = Start::new().on(&options).size(180, 50).arg("--operator").arg("mai");
    let mut walk = Walk { terminal: start.open(), seen: vec![] };
    walk.step("", "> …");
    walk.step("y", "copied");
    walk.step("e", " rows to ");
    walk.step("i", "close");
    walk.step("\x1b", "Preview");
    walk.step(&format!(":open ops://database/order/{changed}\r"), "State at v2");
    for (keys, shows) in [
        ("y", "copied"),
        ("e", " rows to "),
        ("D", "State at v2"),
        ("D", "State at v2"),
        ("D", "State at v2"),
        ("J", "as stored"),
        ("y", "copied"),
        ("\x1b", "State at v2"),
        ("x", "v2"),
        ("x", "State at v2"),
        ("h", "State at v1"),
        ("A", "A=v1"),
        ("l", "State at v2"),
        ("B", "B=v2"),
        ("=", "Diff A:B"),
        ("y", "copied"),
        // Within a second of the first one it is refused: nothing is overwritten.
        ("e", "/orderscope-"),
        ("D", "Diff A:B"),
        ("=", "State at v2"),
        ("C", "hain"),
        ("y", "copied"),
        ("C", "State at v2"),
    ] {
        walk.step(keys, shows);
    }
    for (place, shows) in [
        ("messages", "Diagnosis"),
        ("messages/1?pending", "pending"),
        ("messages/2?pending", "pending"),
        ("messages?inbox", "nbox"),
        ("messages?kept", "kept"),
    ] {
        walk.step(&format!(":open ops://database/{place}\r"), shows);
        walk.step("J", shows);
        walk.step("y", shows);
        walk.step("e", shows);
    }
    walk.step("@", "Operations log");
    walk.step("\r", "QuarantineMessage");
    walk.step("@", "TZ");
    walk.terminal.drops("Operations log");
    walk.step("w", "Unlock writes");
    walk.step("INC-7\r", "UNLOCKED");
    walk.step(&format!(":open ops://database/order/{id}\r"), "State at v1");
    walk.step("c", "cancel the order");
    walk.step("x", "Cancel order");
    walk.step("\r", "type CANCEL to run");
    walk.step("s", "UPDATE");
    walk.step("y", "copied");
    let Walk { mut terminal, mut seen } = walk;
    for file in terminal.files() {
        let text = std::fs::read(&file).unwrap();
        let leak = leak(&String::from_utf8_lossy(&text));
        seen.extend(leak.map(|leak| format!("{}: {leak}", file.display())));
    }
    let exported = terminal
        .files()
        .iter()
        .filter(|file| file.extension().is_some_and(|it| it == "md"))
        .count();
    assert!(exported >= 3, "{exported} exports");
    for copy in terminal.copied() {
        seen.extend(leak(&copy).map(|leak| format!("copied: {leak}")));
    }
    assert!(terminal.copied().len() > 5);
    assert!(seen.is_empty(), "{} leaks:\n{}", seen.len(), seen.join("\n"));
    terminal.signal(rustix::process::Signal::TERM);
    terminal.ends();
}

//! The verbs that write, run as a person or a script runs them.

use std::{io::Write, process::Stdio};

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, postgres::PgConnectOptions};
use unicode_width::UnicodeWidthStr;

use crate::{
    pty::terminal::Start,
    support::{
        fixture::{self, Schema},
        postgres::{managed, pg18},
    },
    verbs::{Done, Home},
};

const BOOK: &str = "0199a3f2-7c1e-7b40-9d2a-5e0c4b1f0001";
const BY: [&str; 4] = ["--operator", "mai", "--reason", "CB-91"];

fn with(verb: &[&str], more: &[&str]) -> Vec<String> {
    verb.iter().chain(&BY).chain(more).map(|&word| word.to_owned()).collect()
}

/// Runs a verb with a reason and `--yes`, which must succeed.
fn done(home: &Home, verb: &[&str]) -> Value {
    let words = with(verb, &["--yes"]);
    home.json(&words.iter().map(String::as_str).collect::<Vec<_>>(), 0)
}

/// A verb that must be refused with this code, saying all that.
fn refused(home: &Home, verb: &[&str], code: i32, told: &[&str]) {
    let words = with(verb, &["--yes"]);
    home.refused(&words.iter().map(String::as_str).collect::<Vec<_>>(), code, told);
}

fn buyer(home: &Home) -> String {
    let made = done(home, &["buyer", "create", "--name", "Le Thi", "--city", "Hue"]);
    made["target"].as_str().unwrap().to_owned()
}

fn order(home: &Home, buyer: &str) -> String {
    let line = format!("{BOOK}:2:14.20");
    let made =
        done(home, &["order", "create", "--buyer", buyer, "--line", &line, "--note", "ring"]);
    made["target"].as_str().unwrap().to_owned()
}

async fn open(options: &PgConnectOptions) -> PgConnection {
    PgConnection::connect_with(options).await.unwrap()
}

async fn count(options: &PgConnectOptions, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(&mut open(options).await).await.unwrap()
}

async fn status(options: &PgConnectOptions, id: &str) -> (i64, bool) {
    let row = sqlx::query_as("SELECT status::bigint, is_deleted FROM orders WHERE id = $1::uuid");
    row.bind(id).fetch_one(&mut open(options).await).await.unwrap()
}

/// Every row of every table, in short.
async fn everything(options: &PgConnectOptions) -> Vec<String> {
    let mut conn = open(options).await;
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
         WHERE schemaname IN ('public', 'orderscope') ORDER BY 1",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    let mut all = vec![];
    for table in tables {
        let sql = format!("SELECT '{table} ' || to_jsonb(t)::text FROM {table} t ORDER BY 1");
        let rows: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut conn).await.unwrap();
        all.extend(rows);
    }
    all.extend(
        sqlx::query_scalar::<_, String>(
            "SELECT concat_ws(' ', schemaname, sequencename, last_value) FROM pg_sequences
             WHERE schemaname = 'public' ORDER BY 1",
        )
        .fetch_all(&mut conn)
        .await
        .unwrap(),
    );
    all
}

/// A run that reads this on standard input.
fn fed(home: &Home, words: &[&str], input: &str) -> Done {
    let mut command = home.command();
    command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Done { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

#[tokio::test]
async fn every_verb_writes_what_it_says_and_is_recorded() {
    let options = managed().await;
    let home = Home::on(&options);
    let buyer = buyer(&home);
    let done_ = |verb: &[&str]| done(&home, verb);
    done_(&["buyer", "address", &buyer, "--city", "Da Nang"]);
    let json = json!({
        "buyer": buyer, "note": "leave at the door",
        "lines": [{ "book": BOOK, "quantity": 2, "price": 14.20 }, { "book": BOOK, "quantity": 1, "price": "33.00" }],
    });
    let made = fed(
        &home,
        &[
            "order",
            "create",
            "--json",
            "-",
            "--reason",
            "CB-91",
            "--yes",
            "-o",
            "json",
            "--operator",
            "mai",
        ],
        &json.to_string(),
    );
    assert_eq!(made.code, 0, "{made:?}");
    let made: Value = serde_json::from_str(&made.out).unwrap();
    let first = made["target"].as_str().unwrap();
    assert_eq!((&made["order_version"], &made["repeated"]), (&json!(1), &json!(false)));
    let completed = done_(&["order", "complete", first, "--expect-version", "1"]);
    assert_eq!(completed["order_version"], 2);
    assert_eq!(status(&options, first).await, (2, false));

    let second = order(&home, &buyer);
    // By the end of its id.
    done_(&["order", "cancel", &second[28..]]);
    assert_eq!(status(&options, &second).await, (1, false));
    done_(&["order", "delete", &second]);
    assert_eq!(status(&options, &second).await, (1, true));
    let csv = home
        .csv(&["order", "restore", &second, "--reason", "CB-91", "--operator", "tam", "--yes"], 0);
    assert_eq!((&csv[0][0], &csv[0][1]), ("RestoreOrder", second.as_str()));
    assert_eq!(status(&options, &second).await, (1, false));
    let shown = home.json(&["order", "show", first], 0);
    assert_eq!(shown["compared"]["row_agrees"], "same");

    let list = home.json(&["audit", "list", "--reveal", "the test"], 0);
    let intents: Vec<_> =
        list.as_array().unwrap().iter().rev().map(|e| e["intent"].as_str().unwrap()).collect();
    assert_eq!(
        intents,
        [
            "CreateBuyer",
            "UpdateBuyerAddress",
            "CreateOrder",
            "CompleteOrder",
            "CreateOrder",
            "CancelOrder",
            "DeleteOrder",
            "RestoreOrder"
        ]
    );
    assert!(list.as_array().unwrap().iter().all(|entry| entry["reason"] == "CB-91"), "{list}");
    let rows = |arguments: &[&str], code| {
        home.json(&[&["audit", "list"], arguments].concat(), code).as_array().unwrap().len()
    };
    assert_eq!(rows(&["--order", &second], 0), 4);
    assert_eq!(rows(&["--order", &second[28..]], 0), 4);
    assert_eq!(rows(&["--by", "tam"], 0), 1);
    assert_eq!(rows(&["--since", "1h ago", "--limit", "3"], 0), 3);
    assert_eq!(rows(&["--by", "nobody"], 1), 0);
    let verified = home.json(&["audit", "verify"], 0);
    assert_eq!((&verified["sound"], &verified["entries"]), (&json!(true), &json!(9)));
    assert!(verified["newest_anchor"]["hash"].as_str().unwrap().len() == 64);
    // A change behind the log's back is a finding.
    let tamper = "ALTER TABLE orderscope.audit DISABLE TRIGGER USER;
                  UPDATE orderscope.audit SET operator = 'lan' WHERE intent = 'DeleteOrder'";
    open(&options).await.execute(tamper).await.unwrap();
    let number = list[1]["audit"].as_i64().unwrap();
    let found = home.run(&["audit", "verify"]);
    assert_eq!(found.code, 1);
    assert!(found.out.contains(&format!("BROKEN at {number}: it was changed")), "{}", found.out);
}

#[tokio::test]
async fn a_dry_run_shows_the_plan_and_writes_nothing() {
    let options = managed().await;
    let home = Home::on(&options);
    let buyer = buyer(&home);
    let order = order(&home, &buyer);
    let before = everything(&options).await;
    let line = format!("{BOOK}:2:14.20");
    for verb in [
        &["order", "complete", &order][..],
        &["order", "cancel", &order, "--reason", "khách đổi ý"],
        &["order", "delete", &order],
        &["order", "create", "--buyer", &buyer, "--line", &line],
        &["buyer", "create", "--name", "Tran Van"],
        &["buyer", "address", &buyer, "--city", "Hanoi"],
    ] {
        let verb = [verb, &["--dry-run"]].concat();
        let card = home.run(&verb);
        assert_eq!(card.code, 0, "{verb:?}: {card:?}");
        assert!(card.out.starts_with("┌─ PLAN  "), "{}", card.out);
        for told in ["(nothing has run)", "preconditions", "would write", "undo ", "same as "] {
            assert!(card.out.contains(told), "{verb:?}: no {told:?} in\n{}", card.out);
        }
        for line in card.out.lines() {
            assert_eq!(line.width(), 80, "{verb:?}: {line}");
        }
        let plan = home.json(&verb, 0);
        assert_eq!(plan["blocked"], false, "{plan}");
        assert!(!plan["effects"].as_array().unwrap().is_empty());
        assert!(plan["cli_equivalent"].as_str().unwrap().starts_with("orderscope "));
        assert!(!plan.to_string().contains("Le Thi"), "names are covered: {plan}");
        assert!(home.csv(&verb, 0).len() > 2);
    }
    assert_eq!(everything(&options).await, before);
}

#[tokio::test]
async fn nobody_is_asked_where_there_is_no_terminal() {
    let options = managed().await;
    let home = Home::on(&options);
    let buyer = buyer(&home);
    let order = order(&home, &buyer);
    let before = everything(&options).await;
    let done = home.run(&["order", "complete", &order, "--reason", "CB-91"]);
    assert_eq!((done.code, done.out.as_str()), (4, ""), "{done:?}");
    assert!(
        done.err.contains("PLAN  complete order") && done.err.contains("say --yes"),
        "{done:?}"
    );
    // A reason goes on record.
    home.refused(&["order", "complete", &order, "--yes"], 2, &["--reason is needed"]);
    home.refused(&["order", "cancel", &order, "--dry-run"], 2, &["--reason is needed"]);
    assert_eq!(everything(&options).await, before);
}

#[tokio::test]
async fn on_a_terminal_the_word_is_typed() {
    let options = managed().await;
    let home = Home::on(&options);
    let buyer = buyer(&home);
    let id = order(&home, &buyer);
    for (typed, code, status_) in [("\r", 4, 0), ("complete\r", 4, 0), ("COMPLETE\r", 0, 2)] {
        let mut terminal = Start::new().on(&options).size(100, 60);
        for word in ["order", "complete", &id, "--reason", "CB-91"] {
            terminal = terminal.arg(word);
        }
        let mut terminal = terminal.open();
        terminal.shows("type COMPLETE to run:");
        terminal.shows("PLAN  complete order");
        terminal.send(typed);
        assert_eq!(terminal.ends(), code, "{typed:?}");
        assert_eq!(status(&options, &id).await.0, status_, "{typed:?}");
    }
}

#[tokio::test]
async fn the_same_key_does_it_once() {
    let options = managed().await;
    let home = Home::on(&options);
    let buyer = buyer(&home);
    let line = format!("{BOOK}:2:14.20");
    let create =
        ["order", "create", "--buyer", &buyer, "--line", &line, "--idempotency-key", "CB-91"];
    let first = done(&home, &create);
    let again = done(&home, &create);
    assert_eq!((&first["repeated"], &again["repeated"]), (&json!(false), &json!(true)));
    for same in ["target", "operation", "audit", "version", "told"] {
        assert_eq!(first[same], again[same], "{same}");
    }
    assert_eq!(count(&options, "SELECT count(*) FROM orders").await, 1);
    // The same key for something else.
    let id = first["target"].as_str().unwrap();
    refused(
        &home,
        &["order", "complete", id, "--idempotency-key", "CB-91"],
        4,
        &["was something else"],
    );
    // Cancelled twice by one key: the second answers, a third with a key of its own is refused.
    let key = "0199a3f2-7c1e-7b40-9d2a-5e0c4b1f8c41";
    let cancel = ["order", "cancel", id, "--idempotency-key", key];
    assert_eq!(done(&home, &cancel)["operation"], key);
    assert_eq!(done(&home, &cancel)["repeated"], true);
    refused(&home, &["order", "cancel", id], 4, &["only a New order", "Cancelled"]);
    // Submitted several times at once.
    let words = with(
        &["order", "create", "--buyer", &buyer, "--line", &line, "--idempotency-key", "double"],
        &["--yes", "-o", "json"],
    );
    let runs: Vec<_> = (0..4)
        .map(|_| {
            home.command()
                .args(&words)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let mut targets = vec![];
    for run in runs {
        let output = run.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        targets.push((told["audit"].clone(), told["operation"].clone()));
    }
    targets.dedup();
    assert_eq!(targets.len(), 1, "{targets:?}");
    assert_eq!(count(&options, "SELECT count(*) FROM orders").await, 2);
    assert_eq!(home.json(&["audit", "verify"], 0)["sound"], true);
}

#[tokio::test]
async fn what_is_wrong_is_told_and_nothing_is_written() {
    let options = managed().await;
    let home = Home::on(&options);
    let buyer = buyer(&home);
    let id = order(&home, &buyer);
    let before = everything(&options).await;
    let unknown = "0199a3f2-7c1e-7b40-9d2a-ffffffffffff";
    let line = format!("{BOOK}:2:14.20");
    let long = "x".repeat(501);
    let refused = |verb: &[&str], code, told: &[&str]| refused(&home, verb, code, told);
    refused(&["order", "complete", unknown], 1, &["no order is"]);
    refused(&["order", "complete", "zz"], 2, &["zz"]);
    refused(&["order", "complete", &id, "--expect-version", "7"], 4, &["version is 1, not 7"]);
    refused(&["order", "restore", &id], 4, &["only a deleted order"]);
    refused(&["order", "create", "--buyer", unknown, "--line", &line], 4, &["there is no buyer"]);
    refused(&["order", "create", "--buyer", &buyer], 4, &["at least one item"]);
    refused(
        &["order", "create", "--buyer", &buyer, "--line", &line, "--note", &long],
        4,
        &["at most 500"],
    );
    for (line, code, told) in [
        (format!("{BOOK}:0:1"), 4, "above 0"),
        (format!("{BOOK}:1:-1"), 4, "0 or more"),
        (format!("{BOOK}:99999999999:1"), 4, "at most"),
        (format!("{BOOK}:99999999999999999999:1"), 2, "whole number"),
        (format!("{BOOK}:1.5:1"), 2, "whole number"),
        (format!("{BOOK}:1:cheap"), 2, "decimal number"),
        (BOOK.to_owned(), 2, "BOOK:QUANTITY:PRICE"),
    ] {
        refused(&["order", "create", "--buyer", &buyer, "--line", &line], code, &[told]);
    }
    refused(&["buyer", "create", "--name", &"x".repeat(21)], 4, &["at most 20"]);
    refused(&["buyer", "address", unknown, "--city", "Hue"], 4, &["there is no buyer"]);
    refused(&["buyer", "address", "8c41", "--city", "Hue"], 2, &["whole id"]);
    refused(&["--read-only", "order", "complete", &id], 4, &["read-only"]);
    refused(&["order", "complete", &id, "--operator", "a\u{202e}b"], 2, &["operator"]);
    for (text, told) in [
        ("{", "EOF"),
        ("{\"buyer\": 1}", "--json -"),
        (&format!("{{\"buyer\": \"{buyer}\", \"lines\": [], \"notes\": 1}}"), "notes"),
    ] {
        let done = fed(&home, &["order", "create", "--json", "-", "--reason", "x", "--yes"], text);
        assert_eq!((done.code, done.out.as_str()), (2, ""), "{text}: {done:?}");
        assert!(done.err.contains(told), "{text}: {}", done.err);
    }
    assert_eq!(everything(&options).await, before);
}

#[tokio::test]
async fn the_policy_of_a_context_holds() {
    let options = managed().await;
    let home = Home::on(&options);
    let buyer = buyer(&home);
    let id = order(&home, &buyer);
    let context = |rules: &str| {
        let url = crate::pty::terminal::url(&options);
        let text = format!("[contexts.prod]\nurl = \"{url}\"\n{rules}\n");
        let path = home.dir.path().join("rules.toml");
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let before = everything(&options).await;
    let complete = |config: &str, more: &[&str]| {
        let verb =
            ["--config", config, "--context", "prod", "order", "complete", &id, "--reason", "x"];
        home.run(&[&verb[..], more].concat())
    };
    let refused = |done: Done, told: &str| {
        assert_eq!((done.code, done.out.as_str()), (4, ""), "{done:?}");
        assert!(done.err.contains(told), "no {told:?} in {}", done.err);
    };
    refused(complete(&context("read_only = true"), &["--yes"]), "read-only");
    let others =
        context("allow = { pg_monitor = [\"CancelOrder\"], nobody = [\"CompleteOrder\"] }");
    refused(complete(&others, &["--yes"]), "not allowed to your roles in prod, only to nobody");
    let production = context("production = true");
    refused(complete(&production, &["--yes"]), "say --confirm 'COMPLETE prod'");
    refused(complete(&production, &["--confirm", "COMPLETE"]), "not 'COMPLETE prod'");
    assert_eq!(everything(&options).await, before);
    let done = complete(&production, &["--confirm", "COMPLETE prod"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(status(&options, &id).await.0, 2);
}

#[tokio::test]
async fn without_the_schema_or_a_right_nothing_is_written() {
    let options = fixture::own(pg18(), Schema::Marten9, "1-backlog").await;
    let home = Home::on(&options);
    let id: String = sqlx::query_scalar("SELECT id::text FROM orders ORDER BY id LIMIT 1")
        .fetch_one(&mut open(&options).await)
        .await
        .unwrap();
    refused(&home, &["order", "delete", &id], 4, &["no command runs without", "orderscope attach"]);
    home.refused(&["audit", "list"], 4, &["orderscope attach"]);

    let options = managed().await;
    let admin = Home::on(&options);
    let buyer = buyer(&admin);
    let id = order(&admin, &buyer);
    let role = format!("reader_{}", options.get_database().unwrap());
    let mut conn = open(&options).await;
    let make = format!(
        "CREATE ROLE {role} LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role};
         GRANT USAGE ON SCHEMA orderscope TO {role}; GRANT SELECT ON ALL TABLES IN SCHEMA orderscope TO {role}"
    );
    conn.execute(AssertSqlSafe(make)).await.unwrap();
    let before = everything(&options).await;
    let reader = Home::on(&options.clone().username(&role));
    for verb in [
        &["order", "complete", &id][..],
        &["order", "delete", &id],
        &["buyer", "create", "--name", "x"],
    ] {
        refused(&reader, verb, 4, &[]);
        let words = with(verb, &["--yes"]);
        let told = reader.run(&words.iter().map(String::as_str).collect::<Vec<_>>()).err;
        assert!(told.contains("lacks") || told.contains("permi"), "{verb:?}: {told}");
    }
    assert_eq!(everything(&options).await, before);
    for sql in [format!("DROP OWNED BY {role}"), format!("DROP ROLE {role}")] {
        conn.execute(AssertSqlSafe(sql)).await.unwrap();
    }
}

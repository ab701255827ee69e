//! `orderscope op` and the verbs that begin bulk operations, run as a person or a script runs them.

use std::{
    io::Read,
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, postgres::PgConnectOptions};

use crate::{support::postgres::managed, verbs::Home};

const BY: [&str; 5] = ["--operator", "mai", "--reason", "INC-7", "--yes"];

async fn sql(options: &PgConnectOptions, text: &str) {
    let mut conn = PgConnection::connect_with(options).await.unwrap();
    conn.execute(AssertSqlSafe(text.to_owned())).await.unwrap();
}

pub async fn count(options: &PgConnectOptions, sql: &'static str) -> i64 {
    let mut conn = PgConnection::connect_with(options).await.unwrap();
    sqlx::query_scalar(sql).fetch_one(&mut conn).await.unwrap()
}

/// A database with so many inbox rows that are due.
pub async fn due(rows: i64) -> (PgConnectOptions, Home) {
    let options = managed().await;
    let text = format!(
        "INSERT INTO inbox_state (message_id, consumer_id, lock_id, received, receive_count, consumed, delivered)
             SELECT gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), now() - interval '40 days', 3, now(),
                 now() - interval '40 days' + n * interval '1 s' FROM generate_series(1, {rows}) n"
    );
    sql(&options, &text).await;
    let home = Home::on(&options);
    (options, home)
}

pub fn purge<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["inbox", "purge"], more, &BY].concat()
}

#[tokio::test]
async fn a_purge_goes_to_the_end_in_one_operation() {
    let (options, home) = due(1_150).await;
    let dry = home.run(&["inbox", "purge", "--dry-run"]);
    assert_eq!(dry.code, 0, "{dry:?}");
    assert!(
        dry.out.contains("PLAN  purge the inbox") && dry.out.contains("1,150 items"),
        "{dry:?}"
    );
    assert!(
        dry.out.lines().all(|line| unicode_width::UnicodeWidthStr::width(line) == 80),
        "{}",
        dry.out
    );
    let plan = home.json(&["inbox", "purge", "--dry-run"], 0);
    assert_eq!((&plan["command"], &plan["word"]), (&json!("PurgeInbox"), &json!("PURGE")));
    assert_eq!(plan["effects"][0]["change"], "- 1,150 rows");
    let rows = home.csv(&["inbox", "purge", "--dry-run"], 0);
    assert!(rows.iter().any(|row| &row[0] == "effect" && &row[2] == "'- 1,150 rows"), "{rows:?}");
    assert_eq!(count(&options, "SELECT count(*) FROM orderscope.operations").await, 0);
    // Nobody says why, or there is nobody to ask.
    home.refused(&["inbox", "purge", "--yes"], 2, &["--reason is needed"]);
    home.refused(&["inbox", "purge", "--reason", "x"], 4, &["no terminal"]);
    let nothing_open = home.run(&["op", "list"]);
    assert_eq!(nothing_open.code, 1, "{nothing_open:?}");

    let done = home.json(&purge(&["--idempotency-key", "INC-7"]), 0);
    let fact = |name: &str| done["items"][0][name].clone();
    assert_eq!(
        (fact("state"), fact("done"), fact("left")),
        (json!("done"), json!(1_150), json!(0))
    );
    assert_eq!((&done["partly"], fact("number")), (&json!(false), json!(1)));
    assert_eq!(count(&options, "SELECT count(*) FROM inbox_state").await, 0);
    let records = "SELECT count(*) FROM orderscope.audit WHERE intent = 'PurgeInbox'";
    assert_eq!(count(&options, records).await, 2);
    let again = home.json(&purge(&["--idempotency-key", "INC-7"]), 0);
    assert_eq!((&again["operation"], &again["repeated"]), (&done["operation"], &json!(true)));
    let other = [&["messages", "purge", "--idempotency-key", "INC-7"][..], &BY].concat();
    home.refused(&other, 4, &["was something else"]);
    home.refused(&purge(&[]), 1, &["nothing"]);
    home.refused(&[&["messages", "purge"][..], &BY].concat(), 1, &["nothing"]);
    let young = [&["inbox", "remove-failed", "--before", "1s ago"][..], &BY].concat();
    home.refused(&young, 4, &["older than"]);

    let listed = home.json(&["op", "list", "--all"], 0);
    assert_eq!(listed.as_array().map(Vec::len), Some(1));
    assert_eq!((&listed[0]["number"], &listed[0]["state"]), (&json!(1), &json!("done")));
    let shown = home.json(&["op", "show", "1"], 0);
    assert_eq!((&shown["items"], &shown["reason"]), (&json!(1_150), &json!("********")));
    let table = home.run(&["op", "show", "1"]);
    assert!(table.out.contains("audit_ended") && table.code == 0, "{table:?}");
    let items = home.csv(&["op", "show", "1", "--items", "--limit", "10", "--after", "1145"], 0);
    assert_eq!(items.len(), 5);
    assert!(items.iter().all(|item| &item[2] == "done" && item[1].starts_with("message ")));
    let trouble = home.run(&["op", "show", "1", "--items", "--only-troubles"]);
    assert_eq!(trouble.code, 1, "{trouble:?}");
    home.refused(&["op", "show", "7"], 1, &["there is no operation 7"]);
    home.refused(&["op", "resume", "1", "--reason", "x", "--yes"], 4, &["it is over (done)"]);
    home.refused(&["op", "pause", "1", "--reason", "x", "--yes"], 4, &["it is over (done)"]);
    home.refused(&["op", "cancel", "1", "--reason", "x", "--yes"], 4, &["it is over (done)"]);
    home.refused(&["op", "approve", "1", "--reason", "x", "--yes"], 4, &["it is over (done)"]);
}

#[tokio::test]
async fn what_others_hold_is_told() {
    let (options, home) = due(40).await;
    let mut worker = PgConnection::connect_with(&options).await.unwrap();
    worker
        .execute("BEGIN; SELECT * FROM inbox_state ORDER BY id LIMIT 3 FOR UPDATE")
        .await
        .unwrap();
    let done = home.run(&purge(&[]));
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.err.contains("37 done, 3 skipped"), "{done:?}");
    assert!(done.err.contains("3 skipped: another session works on it"), "{done:?}");
    // Where nothing of it could be done, that is no success.
    let none = home.run(&purge(&[]));
    assert!(none.code == 5 && none.err.contains("0 done, 3 skipped"), "{none:?}");
    let items = home.csv(&["op", "show", "2", "--items", "--only-troubles"], 0);
    assert_eq!(items.len(), 3);
}

#[tokio::test]
async fn a_signal_pauses_it_and_other_consoles_see_and_steer_it() {
    let (options, home) = due(400).await;
    let verb = purge(&["--rate", "20"]);
    let mut child = home.command().args(&verb).stderr(Stdio::piped()).spawn().unwrap();
    let running =
        "SELECT count(*) FROM orderscope.operations WHERE state = 'running' AND batches > 3";
    while count(&options, running).await == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let listed = home.json(&["op", "list"], 0);
    assert_eq!(listed[0]["state"], "running", "{listed}");
    assert!(listed[0]["per_minute"].as_i64().unwrap() > 0, "{listed}");
    assert!(listed[0]["time_left"].is_string(), "{listed}");
    home.refused(&["op", "resume", "1", "--reason", "x", "--yes"], 4, &["is being run by mai@"]);
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let code = child.wait().unwrap().code();
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert_eq!(code, Some(5), "{told}");
    assert!(told.contains("go on with `orderscope op resume 1`"), "{told}");
    let shown = home.json(&["op", "show", "1"], 0);
    assert_eq!((&shown["state"], &shown["arrived_since"]), (&json!("paused"), &json!(0)));
    home.refused(&["op", "pause", "1", "--reason", "x", "--yes"], 4, &["it is not running"]);
    home.refused(&["op", "resume", "1", "--yes"], 2, &["--reason is needed"]);
    home.refused(&["op", "resume", "1", "--reason", "x"], 4, &["no terminal", "--yes"]);

    // Another process goes on with it; a third one asks for a pause, then cancels it.
    let mut other = home
        .command()
        .args(["op", "resume", "1", "--reason", "x", "--yes"])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let more = "SELECT count(*) FROM orderscope.operations WHERE state = 'running' AND batches > 5";
    while count(&options, more).await == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let asked = home.run(&["op", "pause", "1", "--reason", "x", "--yes"]);
    assert!(asked.code == 0 && asked.err.contains("after the batch under way"), "{asked:?}");
    assert_eq!(other.wait().unwrap().code(), Some(5));
    home.refused(&["op", "cancel", "1", "--yes", "--reason", " "], 2, &["--reason is needed"]);
    let plan = home.json(&["op", "cancel", "1", "--dry-run"], 0);
    assert_eq!(plan["effects"][0]["change"], "operation 1, PurgeInbox: paused → cancelled");
    let cancelled = home.json(&["op", "cancel", "1", "--yes", "--reason", "enough"], 0);
    assert_eq!(cancelled["items"][0]["state"], "cancelled");
    let records = "SELECT count(DISTINCT intent) FROM orderscope.audit
                   WHERE intent IN ('ResumeOperation', 'PauseOperation', 'CancelOperation')";
    assert_eq!(count(&options, records).await, 3);
    let left = cancelled["items"][0]["left"].as_i64().unwrap();
    assert!(left > 0 && count(&options, "SELECT count(*) FROM inbox_state").await == left);
}

#[tokio::test]
async fn a_large_one_is_approved_with_another_login() {
    let (options, home) = due(30).await;
    let config = format!(
        "[contexts.shop]\nurl = \"{}\"\napprove_above = 10\n",
        crate::pty::terminal::url(&options)
    );
    let path = home.dir.path().join("shop.toml");
    std::fs::write(&path, config).unwrap();
    let at = ["--config", path.to_str().unwrap(), "--context", "shop"];
    let run = |words: &[&str]| home.run(&[&at, words].concat());
    let key = ["--idempotency-key", "INC-7"];
    let waits = run(&purge(&[&key[..], &["--output", "json"]].concat()));
    assert_eq!(waits.code, 5, "{waits:?}");
    let told: Value = serde_json::from_str(&waits.out).unwrap();
    assert_eq!(told["items"][0]["state"], "waiting");
    assert!(told["more"].to_string().contains("op approve 1"), "{told}");
    let early = run(&["op", "resume", "1", "--reason", "x", "--yes"]);
    assert!(early.code == 4 && early.err.contains("second person"), "{early:?}");
    let again = run(&purge(&key));
    assert!(again.code == 4 && again.err.contains("second person"), "{again:?}");
    let same = run(&["op", "approve", "1", "--yes", "--reason", "seen", "--operator", "huong"]);
    assert!(same.code == 4 && same.err.contains("which is yours"), "{same:?}");
    let role = format!("lead_{}", options.get_database().unwrap());
    sql(&options, &format!("CREATE ROLE {role} LOGIN SUPERUSER")).await;
    let lead = Home::on(&options.clone().username(&role));
    let approved = lead.json(&["op", "approve", "1", "--yes", "--reason", "seen"], 0);
    assert_eq!(approved["items"][0]["state"], "ready");
    // The same key goes on with it.
    let dry = run(&purge(&[&key[..], &["--dry-run"]].concat()));
    assert!(dry.out.contains("operation 1 goes on"), "{dry:?}");
    let done = run(&purge(&key));
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(count(&options, "SELECT count(*) FROM inbox_state").await, 0);
}

#[tokio::test]
async fn who_may_not_is_told_before_anything_starts() {
    let (options, _) = due(3).await;
    let role = format!("guest_{}", options.get_database().unwrap());
    let grants = format!(
        "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA public, orderscope TO {role};
         GRANT SELECT ON ALL TABLES IN SCHEMA public, orderscope TO {role}"
    );
    sql(&options, &grants).await;
    let guest = Home::on(&options.clone().username(&role));
    let lacks = ["this login lacks DELETE on inbox_state", "INSERT on orderscope.operations"];
    guest.refused(&purge(&[]), 4, &lacks);
    let dry = guest.run(&["inbox", "purge", "--dry-run"]);
    assert!(dry.code == 4 && dry.out.contains("BLOCK"), "{dry:?}");
    assert_eq!(count(&options, "SELECT count(*) FROM orderscope.operations").await, 0);
    let read_only = purge(&["--read-only"]);
    guest.refused(&read_only, 4, &["read-only"]);
}

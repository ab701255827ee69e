//! The real program, killed at random moments of a purge and gone on with by another process: every item once.

use std::{
    process::{Child, Stdio},
    time::Duration,
};

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, postgres::PgConnectOptions};
use uuid::Uuid;

use crate::{support::postgres::managed, verbs::Home};

const OUTBOXES: i64 = 3_000;
const MESSAGES: i64 = 2;

async fn count(options: &PgConnectOptions, sql: &'static str) -> i64 {
    let mut conn = PgConnection::connect_with(options).await.unwrap();
    sqlx::query_scalar(sql).fetch_one(&mut conn).await.unwrap()
}

/// A random number below `end`.
fn chance(end: u64) -> u64 {
    Uuid::new_v4().as_u64_pair().1 % end
}

fn spawn(home: &Home, arguments: &[&str]) -> Child {
    let mut command = home.command();
    command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

/// Waits until the server has noticed that nobody is there any more.
async fn quiet(options: &PgConnectOptions) {
    let others = "SELECT count(*) FROM pg_stat_activity
                  WHERE datname = current_database() AND application_name LIKE 'orderscope/%'";
    while count(options, others).await > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until a random piece more is done, or the child ended by itself; then a random moment.
async fn some_more(options: &PgConnectOptions, child: &mut Child) {
    let position =
        "SELECT coalesce(max(position), 0) FROM orderscope.operations WHERE state <> 'cancelled'";
    let wanted = count(options, position).await + i64::try_from(chance(250)).unwrap();
    // The first moments, while the list is written, are worth as much as the later ones.
    let early = chance(4) == 0;
    while !early && child.try_wait().unwrap().is_none() && count(options, position).await < wanted {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(chance(if early { 400 } else { 40 }))).await;
}

#[tokio::test]
async fn killed_at_random_it_goes_on_and_does_every_item_once() {
    let options = managed().await;
    let text = format!(
        "WITH o AS (INSERT INTO outbox_state (outbox_id, lock_id, created, delivered, last_sequence_number)
             SELECT gen_random_uuid(), gen_random_uuid(), at, at, 1 FROM generate_series(1, {OUTBOXES}) i,
                 LATERAL (SELECT now() - interval '40 days' + i * interval '1 s') t (at) RETURNING outbox_id)
         INSERT INTO outbox_message (sent_time, outbox_id, message_id, content_type, message_type, body)
             SELECT now(), outbox_id, gen_random_uuid(), 'x/y', 'urn:message:A:B', '{{}}'
             FROM o, generate_series(1, {MESSAGES})"
    );
    let mut conn = PgConnection::connect_with(&options).await.unwrap();
    conn.execute(AssertSqlSafe(text)).await.unwrap();
    let home = Home::on(&options);
    let start =
        ["messages", "purge", "--rate", "1500", "--operator", "mai", "--reason", "INC-7", "--yes"];
    let (mut kills, mut resumed) = (0, 0);
    loop {
        let open = home.run(&["op", "list", "--output", "json"]);
        let open = crate::verbs::facts(crate::verbs::parsed(&open.out));
        let mut child = match open.get(0) {
            None if count(&options, "SELECT count(*) FROM outbox_state").await == 0 => break,
            None => spawn(&home, &start),
            Some(one) if one["state"] == "freezing" => {
                let number = one["number"].to_string();
                let incomplete = ["op", "resume", &number, "--reason", "x", "--yes"];
                home.refused(&incomplete, 4, &["its list was never completed"]);
                let cancel = ["op", "cancel", &number, "--reason", "killed", "--yes"];
                assert_eq!(home.run(&cancel).code, 0);
                continue;
            }
            Some(one) => {
                assert!(
                    ["ready", "interrupted"].contains(&one["state"].as_str().unwrap()),
                    "{one}"
                );
                resumed += 1;
                spawn(
                    &home,
                    &["op", "resume", &one["number"].to_string(), "--reason", "x", "--yes"],
                )
            }
        };
        some_more(&options, &mut child).await;
        if child.try_wait().unwrap().is_none() {
            child.kill().unwrap();
            kills += 1;
        }
        child.wait().unwrap();
        quiet(&options).await;
    }
    assert!(kills > 3 && resumed > 1, "{kills} kills, resumed {resumed} times");
    // All of them went, each once: the list, the journal, the counts and the copies agree.
    for (all, sql) in [
        (0, "SELECT count(*) FROM outbox_message"),
        (OUTBOXES, "SELECT done FROM orderscope.operations WHERE state = 'done'"),
        (OUTBOXES, "SELECT items FROM orderscope.operations WHERE state = 'done'"),
        (OUTBOXES, "SELECT count(*) FROM orderscope.operation_items WHERE outcome = 'done'"),
        (OUTBOXES, "SELECT sum(done)::bigint FROM orderscope.operation_batches"),
        (OUTBOXES, "SELECT max(last) FROM orderscope.operation_batches"),
        (
            OUTBOXES,
            "SELECT sum((evidence ->> 'rows')::bigint)::bigint FROM orderscope.operation_batches",
        ),
        (OUTBOXES * MESSAGES, "SELECT count(*) FROM orderscope.kept_messages"),
        (OUTBOXES * MESSAGES, "SELECT count(DISTINCT message_id) FROM orderscope.kept_messages"),
        (
            0,
            "SELECT count(*) FROM orderscope.operations WHERE verified < batches AND state = 'done'",
        ),
        (
            1,
            "SELECT count(*) FROM orderscope.operations WHERE state = 'done' AND audit_ended IS NOT NULL",
        ),
        (
            0,
            "SELECT count(*) FROM (SELECT last, lead(first) OVER (ORDER BY batch) AS next
                 FROM orderscope.operation_batches) b WHERE next <> last + 1",
        ),
    ] {
        assert_eq!(count(&options, sql).await, all, "{sql}");
    }
    let verified = home.run(&["audit", "verify"]);
    assert_eq!(verified.code, 0, "{verified:?}");
}

//! `messages drain`: one outbox now, planned, reasoned and on record.

use std::{
    collections::BTreeSet,
    process::{Child, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use sqlx::{Connection, Executor, PgConnection};

use super::{
    EXCHANGE, PENDING, QUEUE, arrived, count,
    faults::{doubles, in_the_middle, twice},
    plant, recorded, settings, until_empty,
};
use crate::{
    support::{
        postgres::managed,
        rabbitmq::{Broker, broker},
    },
    verbs::{Done, Home},
};

const SECOND: &str = "00000000-0000-4000-8000-000000000002";

fn drain(home: &Home, broker: &Broker, arguments: &[&str]) -> Done {
    let mut command = home.command();
    command
        .env("ORDERSCOPE_AMQP_URL", broker.url_as("relay"))
        .env("ORDERSCOPE_AMQP_PASSWORD", "secret");
    let done = command.args(["messages", "drain"]).args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Done { code: done.status.code().unwrap(), out: text(done.stdout), err: text(done.stderr) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_outbox_is_delivered_and_no_other() {
    let (broker, database) = (broker().await, managed().await);
    broker.bind(QUEUE, &[EXCHANGE]).await;
    plant(&database, 3, 4).await;
    let home = Home::on(&database);
    let one = ["--outbox", SECOND, "--output", "json"];

    let planned = drain(&home, &broker, &[&one[..], &["--dry-run"]].concat());
    assert_eq!(planned.code, 0, "{planned:?}");
    let plan: Value = serde_json::from_str(&planned.out).unwrap();
    let effect = json!({ "place": "outbox", "change": "4 messages, in their order", "before": null, "after": null });
    assert_eq!(plan["effects"], json!([effect]), "{plan}");
    assert_eq!(drain(&home, &broker, &one).code, 2, "without a reason");
    let reasoned = [&one[..], &["--reason", "shop is closing"]].concat();
    let asked = drain(&home, &broker, &reasoned);
    assert_eq!(asked.code, 4, "{asked:?}");
    for told in
        ["DrainOutbox", "4 messages, in their order", "not recorded as delivered", "say --yes"]
    {
        assert!(asked.err.contains(told), "no {told:?} in {}", asked.err);
    }
    let refused = drain(&home, &broker, &[&reasoned[..], &["--yes", "--read-only"]].concat());
    assert_eq!(refused.code, 4, "{refused:?}");
    assert_eq!(count(&database, PENDING).await, 12);

    let done = drain(&home, &broker, &[&reasoned[..], &["--yes"]].concat());
    assert_eq!(done.code, 0, "{done:?}");
    let ids: Vec<_> =
        broker.take(QUEUE).await.iter().map(crate::support::rabbitmq::Taken::id).collect();
    assert_eq!(ids.len(), 4);
    assert!(ids.iter().all(|id| id.ends_with("000000000002")), "{ids:?}");
    assert_eq!(count(&database, PENDING).await, 8);
    let again = drain(&home, &broker, &[&reasoned[..], &["--yes"]].concat());
    assert_eq!(again.code, 1, "{again:?}");

    let list = home.json(&["audit", "list", "--reveal", "the test"], 0);
    let list = list.as_array().unwrap();
    assert_eq!(list.len(), 2, "what was meant, and what became of it: {list:?}");
    assert!(list.iter().all(|entry| entry["intent"] == "DrainOutbox"), "{list:?}");
    assert_eq!(list[1]["reason"], "shop is closing");
    assert_eq!(list[1]["targets"], SECOND);
    let after = "SELECT value::jsonb FROM orderscope.audit_values WHERE part = 'after'
                 ORDER BY number DESC LIMIT 1";
    let mut conn = PgConnection::connect_with(&database).await.unwrap();
    let after: Value = sqlx::query_scalar(after).fetch_one(&mut conn).await.unwrap();
    assert_eq!(after["ended"], list[1]["operation"]);
    let became = &after["became"];
    let both = became["delivered"].as_u64().unwrap() + became["recovered"].as_u64().unwrap();
    assert_eq!(both, 4, "{after}");
    assert_eq!(home.json(&["audit", "verify"], 0)["sound"], true);

    let all = drain(&home, &broker, &["--all", "--yes", "--reason", "all of it"]);
    assert_eq!(all.code, 0, "{all:?}");
    assert_eq!(broker.take(QUEUE).await.len(), 8);
    assert_eq!(count(&database, PENDING).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_delivered_is_told_and_kept() {
    let (broker, database) = (broker().await, managed().await);
    plant(&database, 2, 2).await;
    broker.bind(QUEUE, &[EXCHANGE]).await;
    let mut conn = PgConnection::connect_with(&database).await.unwrap();
    let poison = "UPDATE outbox_message SET destination_address = NULL WHERE sequence_number = 2";
    conn.execute(poison).await.unwrap();
    let home = Home::on(&database);
    let done = drain(&home, &broker, &["--all", "--yes", "--reason", "x"]);
    assert_eq!(done.code, 5, "{done:?}");
    assert!(done.err.contains("no destination address"), "{done:?}");
    assert_eq!(count(&database, PENDING).await, 2);
    assert_eq!(broker.take(QUEUE).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_operator_holds_stays_until_it_is_released() {
    let (broker, database) = (broker().await, managed().await);
    broker.bind(QUEUE, &[EXCHANGE]).await;
    plant(&database, 3, 2).await;
    let home = Home::on(&database);
    let by = ["--operator", "mai", "--reason", "CB-91", "--yes"];
    let run = |verb: &str| home.run(&[&["messages", verb, SECOND][..], &by].concat());
    let held = run("hold");
    assert_eq!(held.code, 0, "{held:?}");

    let mut relay = settings(&database, &broker);
    // One place in a pass: the held outbox may not take it from others.
    relay.most.outboxes = 1;
    let stats = until_empty(relay.clone()).await.unwrap();
    assert_eq!((recorded(&stats), stats.held.len()), (4, 0), "{stats:?}");
    let ids: Vec<_> =
        broker.take(QUEUE).await.iter().map(crate::support::rabbitmq::Taken::id).collect();
    assert!(ids.len() == 4 && ids.iter().all(|id| !id.ends_with("000000000002")), "{ids:?}");
    assert_eq!(count(&database, PENDING).await, 2);

    let reasoned = ["--yes", "--reason", "x"];
    let one = drain(&home, &broker, &[&["--outbox", SECOND][..], &reasoned].concat());
    assert_eq!(one.code, 4, "{one:?}");
    assert!(one.err.contains("it is held by mai"), "{one:?}");
    let all = drain(&home, &broker, &[&["--all"][..], &reasoned].concat());
    assert_eq!(all.code, 1, "{all:?}");
    assert!(all.err.contains("1 outboxes are held by operators"), "{all:?}");
    assert_eq!(count(&database, PENDING).await, 2);

    let released = run("release");
    assert_eq!(released.code, 0, "{released:?}");
    let stats = until_empty(relay).await.unwrap();
    assert_eq!(recorded(&stats), 2, "{stats:?}");
    assert_eq!(broker.take(QUEUE).await.len(), 2);
}

const OUTBOXES: u32 = 600;
const MESSAGES: u32 = 5;

/// A drain of everything that has begun, in small steps.
fn draining(home: &Home, broker: &Broker) -> Child {
    let text = "[relay]\nmessages = 20\noutboxes = 4\n";
    std::fs::write(home.dir.path().join("config.toml"), text).unwrap();
    let mut command = home.command();
    command
        .env("ORDERSCOPE_AMQP_URL", broker.url_as("relay"))
        .env("ORDERSCOPE_AMQP_PASSWORD", "secret")
        .args(["messages", "drain", "--all", "--yes", "--reason", "CB-7", "--output", "json"])
        .args(["--config", "config.toml"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_that_is_stopped_says_so_on_record_and_where() {
    let (broker, database) = (broker().await, managed().await);
    broker.bind(QUEUE, &[EXCHANGE]).await;
    plant(&database, OUTBOXES, MESSAGES).await;
    let home = Home::on(&database);
    let drain = draining(&home, &broker);
    in_the_middle(&database).await;
    kill_process(Pid::from_child(&drain), Signal::INT).unwrap();
    let ended = drain.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(5), "{told}");
    let left = count(&database, PENDING).await;
    assert!(left > 0, "it was stopped too late");
    assert!(told.contains(&format!(", {left} left where they are")), "{told}");
    let mut conn = PgConnection::connect_with(&database).await.unwrap();
    let after = "SELECT value::jsonb -> 'became' FROM orderscope.audit_values WHERE part = 'after'
                 ORDER BY number DESC LIMIT 1";
    let became: Value = sqlx::query_scalar(after).fetch_one(&mut conn).await.unwrap();
    assert_eq!(
        (&became["stopped"], &became["left"]["messages"]),
        (&json!("by the operator"), &json!(left))
    );
    let next = "SELECT jsonb_build_object('outbox', outbox_id, 'sequence', min(sequence_number))
        FROM outbox_message m JOIN outbox_state s USING (outbox_id)
        WHERE delivered IS NULL AND m.sequence_number > coalesce(last_sequence_number, 0)
        GROUP BY outbox_id, s.created ORDER BY s.created LIMIT 1";
    let next: Value = sqlx::query_scalar(next).fetch_one(&mut conn).await.unwrap();
    assert_eq!(became["left"]["next"], next);
    let counts = became["delivered"].as_i64().unwrap() + became["recovered"].as_i64().unwrap();
    assert_eq!(counts + left, i64::from(OUTBOXES * MESSAGES), "{became}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_drain_loses_nothing_and_the_next_goes_on() {
    let (broker, database) = (broker().await, managed().await);
    broker.bind(QUEUE, &[EXCHANGE]).await;
    plant(&database, OUTBOXES, MESSAGES).await;
    let home = Home::on(&database);
    let mut first = draining(&home, &broker);
    in_the_middle(&database).await;
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(count(&database, PENDING).await > 0, "it was killed too late");
    let second = draining(&home, &broker).wait_with_output().unwrap();
    assert_eq!(second.status.code(), Some(0), "{}", String::from_utf8_lossy(&second.stderr));
    let taken = broker.take(QUEUE).await;
    arrived(&taken, OUTBOXES, MESSAGES);
    let done: Value = serde_json::from_slice(&second.stdout).unwrap();
    let (counted, named) = twice(&done["items"], &second.stderr);
    assert_eq!(named.len() as u64, counted);
    assert!(doubles(&taken).is_subset(&named), "{:?} of {named:?}", doubles(&taken));
    assert_eq!(count(&database, PENDING).await, 0);
    // What was meant is on record; that nothing says how it ended tells that it did not.
    let list = home.json(&["audit", "list", "--reveal", "the test"], 0);
    let operations: BTreeSet<_> =
        list.as_array().unwrap().iter().map(|entry| entry["reason"].to_string()).collect();
    assert_eq!(list.as_array().unwrap().len(), 3, "{list}");
    assert!(operations.iter().any(|reason| reason.contains("CB-7")), "{list}");
    assert_eq!(home.json(&["audit", "verify"], 0)["sound"], true);
}

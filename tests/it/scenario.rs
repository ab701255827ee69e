//! Training scenarios on demo data: each makes the rule fire that it is for, and healing leaves the database as it was.

use std::collections::BTreeMap;

use lapin::{
    BasicProperties, Confirmation,
    options::{
        BasicConsumeOptions, BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions,
        QueueDeclareOptions, QueueDeleteOptions,
    },
    types::{AMQPValue, FieldTable},
};
use orderscope::{
    db::{Db, Limits, migrate},
    demo::scenario::{self, Healed, Planted, Refused, Scenario},
    domain::{
        backlog::Samples,
        diagnosis::{Finding, Rule, Severity, Subject},
    },
    ops::{
        error_queue::Broker,
        messages::{self, AsOf, Status, Watch},
    },
};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, postgres::PgConnectOptions};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    support::{
        clock,
        fixture::{self, Schema},
        postgres::{demo, managed, pg18},
        rabbitmq,
    },
    verbs::Home,
};

const ORDERS: u64 = 2_000;

/// As the operation plants: what goes to a broker is published after its record is committed.
pub async fn plant(
    conn: &mut PgConnection,
    name: Scenario,
    broker: Option<&Broker>,
) -> Result<Option<Planted>, Refused> {
    let mut tx = conn.begin().await.unwrap();
    let planted = scenario::plant(&mut tx, name, broker).await;
    if planted.is_ok() {
        tx.commit().await.unwrap();
    } else {
        tx.rollback().await.unwrap();
    }
    let planted = planted?;
    if let Some(planted) = &planted {
        scenario::publish(planted, broker).await?;
    }
    Ok(planted)
}

pub async fn heal(
    conn: &mut PgConnection,
    broker: Option<&Broker>,
) -> Result<Option<Healed>, Refused> {
    let mut tx = conn.begin().await.unwrap();
    let healed = scenario::heal(&mut tx, broker).await;
    if healed.is_ok() {
        tx.commit().await.unwrap();
    } else {
        tx.rollback().await.unwrap();
    }
    healed
}

async fn open(options: &PgConnectOptions) -> PgConnection {
    PgConnection::connect_with(options).await.unwrap()
}

async fn look(options: &PgConnectOptions) -> Status {
    let db = Db::new(options, &Limits::default());
    let layout = db.layout().await.unwrap();
    let (stop, watch, clock) = (CancellationToken::new(), Watch::default(), clock());
    let mut looks = Samples::default();
    let mut look = async |conn: &mut PgConnection| {
        let as_of = AsOf::Server(&clock);
        let before = looks.last().copied();
        let status = messages::status(conn, &layout, &watch, as_of, before.as_ref()).await?;
        looks.push(status.sample());
        Ok(status.with_movement(looks.movement()))
    };
    db.read("messages", &stop, &mut look).await.unwrap();
    let status = db.read("messages", &stop, &mut look).await.unwrap();
    db.close().await;
    status
}

/// Everything a report tells but ages and clocks.
fn told(status: &Status) -> impl PartialEq + std::fmt::Debug + use<> {
    let facts = &status.facts;
    (
        status
            .findings
            .iter()
            .map(|found| (found.rule, found.severity, found.about))
            .collect::<Vec<_>>(),
        (
            facts.pending(),
            facts.open,
            facts.oldest,
            facts.orphans,
            facts.expired,
            facts.undeliverable,
        ),
        facts.heads.iter().map(|head| (head.outbox, head.created, head.pass)).collect::<Vec<_>>(),
        (status.overview.by_type.clone(), status.overview.by_destination.clone()),
        (facts.inbox.rows, facts.inbox.failing, facts.inbox.half_done, facts.inbox.duplicates()),
    )
}

/// A hash of every row of every table of the document, whatever their order.
pub async fn fingerprints(conn: &mut PgConnection) -> Vec<Option<String>> {
    let mut all = vec![];
    for table in migrate::TABLES {
        let there = "SELECT to_regclass(format('public.%I', $1)) IS NOT NULL";
        if !sqlx::query_scalar::<_, bool>(there).bind(table).fetch_one(&mut *conn).await.unwrap() {
            continue;
        }
        let sql = format!(
            r#"SELECT md5(string_agg(md5(t::text), '' ORDER BY t::text)) FROM public."{table}" t"#
        );
        all.push(sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut *conn).await.unwrap());
    }
    all
}

fn finding(status: &Status, rule: Rule) -> &Finding {
    let found = status.findings.iter().find(|finding| finding.rule == rule);
    found.unwrap_or_else(|| panic!("{rule:?} did not fire: {:#?}", status.findings))
}

/// Plants, lets `check` look at the trouble, heals, and compares with what was before.
async fn round(name: Scenario, check: impl FnOnce(&Status, &Status)) {
    let options = demo(ORDERS).await;
    let mut conn = open(&options).await;
    let (before, rows) = (look(&options).await, fingerprints(&mut conn).await);
    let planted = plant(&mut conn, name, None).await.unwrap();
    assert!(planted.is_some(), "{planted:?}");
    let trouble = look(&options).await;
    assert!(trouble.is_alert());
    check(&before, &trouble);
    // The same again changes nothing, another one is refused.
    let in_trouble = fingerprints(&mut conn).await;
    assert_ne!(in_trouble, rows);
    assert_eq!(plant(&mut conn, name, None).await.unwrap(), None);
    let other = Scenario::ALL.into_iter().find(|other| *other != name).unwrap();
    let refused = plant(&mut conn, other, None).await.unwrap_err();
    assert!(matches!(&refused, Refused::Another(planted) if planted == name.name()), "{refused}");
    assert_eq!(fingerprints(&mut conn).await, in_trouble);
    let healed = heal(&mut conn, None).await.unwrap().unwrap();
    assert_eq!(healed.name, name.name());
    assert!(healed.rows > 0);
    assert_eq!(fingerprints(&mut conn).await, rows);
    assert_eq!(told(&look(&options).await), told(&before));
    assert_eq!(heal(&mut conn, None).await.unwrap(), None);
}

#[tokio::test]
async fn a_stalled_outbox_is_an_idle_worker() {
    round(Scenario::OutboxStall, |before, trouble| {
        // Nobody delivers demo data, and its oldest outbox is poisoned.
        assert_ne!(
            finding(before, Rule::WorkerIdle).about,
            finding(trouble, Rule::WorkerIdle).about
        );
        assert!(!trouble.findings.iter().any(|found| found.rule == Rule::PoisonHead));
        let idle = &trouble.findings[0];
        assert_eq!((idle.rule, idle.severity), (Rule::WorkerIdle, Severity::Alert), "{idle:?}");
        assert!(idle.evidence.iter().any(|line| line.contains("text is well-formed")), "{idle:?}");
        assert_eq!(finding(trouble, Rule::Backlog).severity, Severity::Alert);
        let new = trouble.facts.pending().number() - before.facts.pending().number();
        assert_eq!(new, 1_200);
    })
    .await;
}

#[tokio::test]
async fn poison_is_at_the_head_and_nobody_sends_the_rest() {
    round(Scenario::Poison, |before, trouble| {
        let poison = finding(trouble, Rule::PoisonHead);
        assert_eq!(poison.severity, Severity::Alert);
        assert!(poison.what.contains("headers cannot be read"), "{poison:?}");
        assert_ne!(poison.about, before.findings[0].about);
        assert!(matches!(poison.about, Some(Subject::Message(_))));
        // Our own relay would pass over it; none runs here.
        let idle = finding(trouble, Rule::WorkerIdle);
        let behind = trouble.facts.blast.unwrap();
        assert!(behind.orders.number() > 30);
        let told = format!("{} outboxes behind the oldest were looked at", behind.outboxes);
        assert!(idle.evidence.iter().any(|line| line.starts_with(&told)), "{idle:?}");
    })
    .await;
}

#[tokio::test]
async fn a_broker_that_is_down_refuses_the_head_alone() {
    round(Scenario::BrokerDown, |before, trouble| {
        let refused = &trouble.findings[0];
        assert_eq!((refused.rule, refused.severity), (Rule::BrokerRefused, Severity::Alert));
        assert!(refused.what.contains("a worker tries"), "{refused:?}");
        assert!(trouble.facts.pending().number() >= before.facts.pending().number() + 60);
        assert!(!before.findings.iter().any(|found| found.rule == Rule::BrokerRefused));
    })
    .await;
}

#[tokio::test]
async fn duplicates_of_the_last_hour_are_an_alert() {
    round(Scenario::Duplicates, |before, trouble| {
        let again = finding(trouble, Rule::Duplicates);
        assert_eq!(again.severity, Severity::Alert);
        assert!(!before.findings.iter().any(|found| found.rule == Rule::Duplicates));
        let (exact, estimated, _) = trouble.facts.inbox.duplicates();
        let (exact_before, estimated_before, _) = before.facts.inbox.duplicates();
        assert!(exact > exact_before && estimated > estimated_before);
        assert_eq!(trouble.facts.pending(), before.facts.pending());
    })
    .await;
}

#[tokio::test]
async fn half_done_consumers_wait_and_one_repeats() {
    round(Scenario::HalfDone, |before, trouble| {
        let half = finding(trouble, Rule::HalfDone);
        assert_eq!(half.severity, Severity::Alert);
        assert_eq!(finding(before, Rule::HalfDone).severity, Severity::Warning);
        assert!(half.what.contains("repeats without end: 2300 passes"), "{half:?}");
        let new = trouble.facts.consumer.number() - before.facts.consumer.number();
        assert_eq!(new, 9);
    })
    .await;
}

#[tokio::test]
async fn an_error_queue_needs_a_broker_and_says_so() {
    let options = demo(ORDERS).await;
    let mut conn = open(&options).await;
    let rows = fingerprints(&mut conn).await;
    let refused = plant(&mut conn, Scenario::ErrorQueue, None).await.unwrap_err();
    assert!(
        matches!(refused, Refused::NeedsBroker) && refused.to_string().contains("relay.broker")
    );
    // One that does not answer leaves the database as it was, too.
    let away = Broker::parse("amqp://u:p@127.0.0.1:1/", None).unwrap();
    let refused = plant(&mut conn, Scenario::ErrorQueue, Some(&away)).await.unwrap_err();
    assert!(matches!(refused, Refused::Broker(_)), "{refused}");
    assert_eq!(fingerprints(&mut conn).await, rows);
    assert_eq!(heal(&mut conn, None).await.unwrap(), None);
}

/// Message ids of what lies in a queue, sorted.
async fn ids(broker: &rabbitmq::Broker, queue: &str) -> Vec<String> {
    let (connection, channel) = broker.channel().await;
    let mut ids = vec![];
    while let Some(got) = channel.basic_get(queue.into(), BasicGetOptions::default()).await.unwrap()
    {
        ids.push(got.properties.message_id().as_ref().unwrap().to_string());
    }
    // Gives them back.
    connection.close(200, "".into()).await.unwrap();
    ids.sort();
    ids
}

async fn put(broker: &rabbitmq::Broker, queue: &str, id: &str) {
    let (connection, channel) = broker.channel().await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let properties = BasicProperties::default().with_message_id(id.into());
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let sent = channel.basic_publish("".into(), queue.into(), options, b"{}", properties);
    let sent = sent.await.unwrap().await.unwrap();
    assert!(matches!(sent, Confirmation::Ack(None)), "no such queue: {queue}");
    connection.close(200, "".into()).await.unwrap();
}

const COMPLETE: &str = "basket-checkout-complete";
const FAILED: &str = "basket-checkout-failed";

#[tokio::test(flavor = "multi_thread")]
async fn error_queues_get_every_verdict_and_healing_takes_out_what_was_put_there() {
    let (options, broker) = (demo(ORDERS).await, rabbitmq::broker().await);
    let mut conn = open(&options).await;
    let rows = fingerprints(&mut conn).await;
    let home = Home::on(&options);
    let url = broker.url_as("relay");
    let run = |args: &[&str]| {
        let mut command = home.command();
        command.env("ORDERSCOPE_AMQP_PASSWORD", "secret").args(args).args(["--amqp-url", &url]);
        let done = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (done.status.code().unwrap(), text(done.stdout), text(done.stderr))
    };
    let (code, out, err) = run(&["demo", "scenario", "error-queue", "--yes"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("planted 19 messages in error queues, 11 inbox rows"), "{out}");
    let (code, out, _) = run(&["demo", "scenario", "error-queue", "--yes"]);
    assert!(code == 0 && out.contains("planted already"), "{out}");
    assert_eq!(broker.depth("basket-checkout-complete_error").await, 12, "nothing twice");

    let queues =
        ["--queue", "basket-checkout-complete_error", "--queue", "basket-checkout-failed_error"];
    let list = || {
        let (code, out, err) =
            run(&[&["errors", "list", "--output", "json"], &queues[..]].concat());
        assert!(code <= 1, "{err}");
        crate::verbs::facts(crate::verbs::parsed(&out))
    };
    let verdicts = |list: &Value| {
        let mut count = BTreeMap::new();
        for row in list.as_array().unwrap() {
            *count.entry(row["verdict"].as_str().unwrap().to_owned()).or_insert(0) += 1;
        }
        count
    };
    let listed = list();
    let expected = [("done", 4), ("waiting", 7), ("unknown", 3), ("probable duplicate", 5)];
    let expected: BTreeMap<_, _> = expected.map(|(name, count)| (name.to_owned(), count)).into();
    assert_eq!(verdicts(&listed), expected, "{listed:#}");
    // They are about orders that are there.
    let orders: Vec<Uuid> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["order"].as_str().unwrap().parse().unwrap())
        .collect();
    let known = "SELECT count(DISTINCT id) FROM orders WHERE id = ANY($1)";
    let known: i64 = sqlx::query_scalar(known).bind(&orders).fetch_one(&mut conn).await.unwrap();
    assert!(known >= 15, "{known} of {orders:?}");

    // Somebody's own messages lie there too; one of ours was replayed, another discarded.
    put(&broker, "basket-checkout-failed_error", "mine").await;
    put(&broker, COMPLETE, "service's").await;
    let key = |verdict: &str| {
        let row = listed.as_array().unwrap().iter().find(|row| row["verdict"] == verdict);
        row.unwrap()["key"].as_str().unwrap().to_owned()
    };
    let write = ["--yes", "--reason", "practice"];
    for (action, verdict) in [("replay", "waiting"), ("discard", "done")] {
        let key = key(verdict);
        let (code, _, err) = run(&[&["errors", action, &key], &write[..], &queues[..]].concat());
        assert_eq!(code, 0, "{err}");
    }
    assert_eq!(ids(&broker, FAILED).await.len(), 1, "a replay has somewhere to go");
    // Not into other hands, and not half.
    let load = ["demo", "load", "--orders", "200", "--until", "2026-11-22", "--replace"];
    let refused = home.run(&load);
    assert!(refused.code == 4 && refused.err.contains("demo heal"), "{refused:?}");
    home.refused(&["demo", "heal"], 4, &["relay.broker"]);
    let elsewhere = rabbitmq::broker().await;
    let other = Broker::parse(&elsewhere.url(), None).unwrap();
    let refused = heal(&mut conn, Some(&other)).await.unwrap_err();
    assert!(refused.to_string().contains("not the one that was planted into"), "{refused}");

    let (code, out, err) = run(&["demo", "heal", "--yes"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("18 of its 19 messages taken out"), "{out}");
    assert_eq!(ids(&broker, "basket-checkout-failed_error").await, ["mine"]);
    assert_eq!(ids(&broker, COMPLETE).await, ["service's"]);
    for queue in [FAILED, "basket-checkout-complete_error"] {
        assert_eq!(broker.depth(queue).await, 0, "{queue}");
    }
    assert_eq!(fingerprints(&mut conn).await, rows);
    let (_, out, _) = run(&["demo", "heal", "--yes"]);
    assert!(out.contains("no scenario is planted"), "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_planted_beside_a_service_or_into_queues_of_other_making() {
    let (options, broker) = (demo(ORDERS).await, rabbitmq::broker().await);
    let mut conn = open(&options).await;
    let rows = fingerprints(&mut conn).await;
    let to = Broker::parse(&broker.url(), None).unwrap();
    let (connection, channel) = broker.channel().await;
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(COMPLETE.into(), durable, FieldTable::default()).await.unwrap();
    let consuming = channel.basic_consume(
        COMPLETE.into(),
        "service".into(),
        BasicConsumeOptions::default(),
        FieldTable::default(),
    );
    let consumer = consuming.await.unwrap();
    let refused = plant(&mut conn, Scenario::ErrorQueue, Some(&to)).await.unwrap_err();
    assert!(refused.to_string().contains("somebody consumes"), "{refused}");
    drop(consumer);
    connection.close(200, "".into()).await.unwrap();
    let (connection, channel) = broker.channel().await;
    let mut limited = FieldTable::default();
    limited.insert("x-max-length".into(), AMQPValue::LongInt(10));
    let error = "basket-checkout-failed_error";
    channel.queue_declare(error.into(), durable, limited).await.unwrap();
    connection.close(200, "".into()).await.unwrap();
    let refused = plant(&mut conn, Scenario::ErrorQueue, Some(&to)).await.unwrap_err();
    assert!(
        matches!(&refused, Refused::Broker(_)) && refused.to_string().contains("406"),
        "{refused}"
    );
    assert_eq!(broker.depth("basket-checkout-complete_error").await, 0);
    assert_eq!(fingerprints(&mut conn).await, rows);
    assert_eq!(heal(&mut conn, Some(&to)).await.unwrap(), None);
    // Killed between the record and the first message: there is nothing to take out, and healing knows.
    let (connection, channel) = broker.channel().await;
    channel.queue_delete(error.into(), QueueDeleteOptions::default()).await.unwrap();
    connection.close(200, "".into()).await.unwrap();
    plant(&mut conn, Scenario::ErrorQueue, Some(&to)).await.unwrap();
    for queue in ["basket-checkout-complete_error", error] {
        broker.take(queue).await;
    }
    let healed = heal(&mut conn, Some(&to)).await.unwrap().unwrap();
    assert_eq!((healed.rows, healed.messages, healed.planted), (11, 0, 19));
    assert_eq!(fingerprints(&mut conn).await, rows);
}

#[tokio::test]
async fn nothing_is_planted_where_there_is_anything_but_demo_data() {
    let options = fixture::stage(pg18(), Schema::Marten9, "1-backlog").await;
    let mut conn = open(&options).await;
    let rows = fingerprints(&mut conn).await;
    for refused in [
        plant(&mut conn, Scenario::Poison, None).await.map(drop).unwrap_err(),
        heal(&mut conn, None).await.map(drop).unwrap_err(),
    ] {
        assert!(refused.to_string().contains("not created by Orderscope"), "{refused}");
    }
    assert_eq!(fingerprints(&mut conn).await, rows);
    // Ours, but somebody's own orders.
    let mut conn = open(&managed().await).await;
    let refused = plant(&mut conn, Scenario::Poison, None).await.unwrap_err();
    assert!(matches!(refused, Refused::NoDemo), "{refused}");
}

#[tokio::test]
async fn healing_removes_only_what_was_planted_and_misses_nothing_that_left() {
    let options = demo(ORDERS).await;
    let mut conn = open(&options).await;
    let rows = fingerprints(&mut conn).await;
    plant(&mut conn, Scenario::Poison, None).await.unwrap();
    // One planted outbox was delivered and purged, and an operator put the message into another one.
    conn.execute(AssertSqlSafe(
        "DELETE FROM outbox_message WHERE outbox_id = (SELECT min(id::text)::uuid FROM orderscope.demo_planted
             WHERE kind = 'outbox');
         DELETE FROM outbox_state WHERE outbox_id = (SELECT min(id::text)::uuid FROM orderscope.demo_planted
             WHERE kind = 'outbox');
         INSERT INTO outbox_message (sent_time, outbox_id, message_id, content_type, message_type, body)
         SELECT now(), max(id::text)::uuid, gen_random_uuid(), 'a/b', 'urn:message:A:B', '{}'
         FROM orderscope.demo_planted WHERE kind = 'outbox'"
            .to_owned(),
    ))
    .await
    .unwrap();
    // What the operator put there is nobody's to remove.
    let refused = heal(&mut conn, None).await.unwrap_err();
    assert!(matches!(refused, Refused::Others(1)), "{refused}");
    assert!(refused.to_string().contains("hold 1 message of others"), "{refused}");
    conn.execute("DELETE FROM outbox_message WHERE content_type = 'a/b'").await.unwrap();
    // Somebody holds a row of it: healing does not wait for ever, and nothing is half healed.
    let mut holder = open(&options).await;
    let mut held = holder.begin().await.unwrap();
    held.execute(
        "SELECT FROM outbox_state WHERE outbox_id =
             (SELECT max(id::text)::uuid FROM orderscope.demo_planted WHERE kind = 'outbox') FOR UPDATE",
    )
    .await
    .unwrap();
    let refused = heal(&mut conn, None).await.unwrap_err();
    assert!(matches!(refused, Refused::InUse), "{refused}");
    held.rollback().await.unwrap();
    let healed = heal(&mut conn, None).await.unwrap();
    let name = "poison".to_owned();
    assert_eq!(healed, Some(Healed { name, rows: 118, messages: 0, planted: 0 }));
    assert_eq!(fingerprints(&mut conn).await, rows);
}

#[tokio::test]
async fn the_verbs_plant_tell_and_heal() {
    let home = Home::on(&demo(ORDERS).await);
    let done = home.run(&["demo", "scenario", "broker-down", "--yes"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.out.contains("planted") && done.out.contains("orderscope demo heal"), "{done:?}");
    let status = home.json(&["messages", "status"], 1);
    assert_eq!(status["findings"][0]["rule"], "broker-refused", "{status}");
    let again = home.run(&["demo", "scenario", "broker-down", "--yes"]);
    assert!(again.code == 0 && again.out.contains("planted already"), "{again:?}");
    home.refused(
        &["demo", "scenario", "poison"],
        4,
        &["broker-down is already planted", "demo heal"],
    );
    home.refused(&["demo", "scenario", "error-queue"], 4, &["needs a broker", "relay.broker"]);
    home.refused(&["--read-only", "demo", "scenario", "poison"], 4, &["read-only"]);
    home.refused(&["--read-only", "demo", "heal"], 4, &["read-only"]);
    let healed = home.run(&["demo", "heal", "--yes"]);
    assert!(healed.code == 0 && healed.out.contains("broker-down: healed"), "{healed:?}");
    let healed = home.run(&["demo", "heal", "--yes"]);
    assert!(healed.code == 0 && healed.out.contains("no scenario is planted"), "{healed:?}");
    let status = home.json(&["messages", "status"], 1);
    let rules: Vec<_> =
        status["findings"].as_array().unwrap().iter().map(|found| &found["rule"]).collect();
    assert_eq!(rules[..2], ["worker-idle", "poison-head"], "{status}");
    // New demo data has no scenario in it.
    home.run(&["demo", "scenario", "duplicates", "--yes"]);
    let inbox = home.run(&["inbox", "status"]);
    assert!(inbox.code == 1 && inbox.err.contains("alert duplicates"), "{inbox:?}");
    let load = ["demo", "load", "--orders", "200", "--until", "2026-11-22", "--replace", "--yes"];
    assert_eq!(home.run(&load).code, 0);
    let healed = home.run(&["demo", "heal", "--yes"]);
    assert!(healed.out.contains("no scenario is planted"), "{healed:?}");
    // What does not leave is no trouble of the inbox.
    assert_eq!(home.run(&["inbox", "status"]).code, 0);
    let service = fixture::stage(pg18(), Schema::Marten9, "1-backlog").await;
    Home::on(&service).refused(&["demo", "scenario", "poison"], 4, &["not created by Orderscope"]);
}

//! Training scenarios on demo data: each makes the rule fire that it is for, and healing leaves the database as it was.

use orderscope::{
    db::{Db, Limits, migrate},
    demo::scenario::{self, Healed, Planted, Refused, Scenario},
    domain::diagnosis::{Finding, Rule, Severity, Subject},
    ops::messages::{self, Status, Watch},
};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, postgres::PgConnectOptions};
use tokio_util::sync::CancellationToken;

use crate::{
    support::{
        fixture::{self, Schema},
        postgres::{demo, managed, pg18},
    },
    verbs::Home,
};

const ORDERS: u64 = 2_000;

async fn open(options: &PgConnectOptions) -> PgConnection {
    PgConnection::connect_with(options).await.unwrap()
}

async fn look(options: &PgConnectOptions) -> Status {
    let db = Db::new(options, &Limits::default());
    let layout = db.layout().await.unwrap();
    let (stop, watch) = (CancellationToken::new(), Watch::default());
    let status = db
        .read("messages", &stop, async |conn| messages::status(conn, &layout, &watch, None).await);
    let status = status.await.unwrap();
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
async fn fingerprints(conn: &mut PgConnection) -> Vec<Option<String>> {
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
    let planted = scenario::plant(&mut conn, name).await.unwrap();
    assert!(matches!(planted, Planted::Now { .. }), "{planted:?}");
    let trouble = look(&options).await;
    assert!(trouble.is_alert());
    check(&before, &trouble);
    // The same again changes nothing, another one is refused.
    let in_trouble = fingerprints(&mut conn).await;
    assert_ne!(in_trouble, rows);
    assert_eq!(scenario::plant(&mut conn, name).await.unwrap(), Planted::Already);
    let other = Scenario::ALL.into_iter().find(|other| *other != name).unwrap();
    let refused = scenario::plant(&mut conn, other).await.unwrap_err();
    assert!(matches!(&refused, Refused::Another(planted) if planted == name.name()), "{refused}");
    assert_eq!(fingerprints(&mut conn).await, in_trouble);
    let healed = scenario::heal(&mut conn).await.unwrap().unwrap();
    assert_eq!(healed.name, name.name());
    assert!(healed.rows > 0);
    assert_eq!(fingerprints(&mut conn).await, rows);
    assert_eq!(told(&look(&options).await), told(&before));
    assert_eq!(scenario::heal(&mut conn).await.unwrap(), None);
}

#[tokio::test]
async fn a_stalled_outbox_is_an_idle_worker() {
    round(Scenario::OutboxStall, |before, trouble| {
        assert!(!before.findings.iter().any(|found| found.rule == Rule::WorkerIdle));
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
async fn poison_is_at_the_head_and_holds_up_the_rest() {
    round(Scenario::Poison, |before, trouble| {
        let poison = &trouble.findings[0];
        assert_eq!((poison.rule, poison.severity), (Rule::PoisonHead, Severity::Alert));
        assert!(poison.what.contains("headers cannot be read"), "{poison:?}");
        assert_ne!(poison.about, before.findings[0].about);
        assert!(matches!(poison.about, Some(Subject::Message(_))));
        let behind = finding(trouble, Rule::HeadBlocks);
        let open = trouble.facts.open.number();
        assert!(behind.what.starts_with(&format!("{} outboxes wait behind", open - 1)));
        assert!(trouble.facts.blast.unwrap().orders.number() > 30);
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
    let refused = scenario::plant(&mut conn, Scenario::ErrorQueue).await.unwrap_err();
    assert!(matches!(refused, Refused::NeedsBroker) && refused.to_string().contains("[relay]"));
    assert_eq!(fingerprints(&mut conn).await, rows);
    assert_eq!(scenario::heal(&mut conn).await.unwrap(), None);
}

#[tokio::test]
async fn nothing_is_planted_where_there_is_anything_but_demo_data() {
    let options = fixture::stage(pg18(), Schema::Marten9, "1-backlog").await;
    let mut conn = open(&options).await;
    let rows = fingerprints(&mut conn).await;
    for refused in [
        scenario::plant(&mut conn, Scenario::Poison).await.map(drop).unwrap_err(),
        scenario::heal(&mut conn).await.map(drop).unwrap_err(),
    ] {
        assert!(refused.to_string().contains("not one that Orderscope made"), "{refused}");
    }
    assert_eq!(fingerprints(&mut conn).await, rows);
    // Ours, but somebody's own orders.
    let mut conn = open(&managed().await).await;
    let refused = scenario::plant(&mut conn, Scenario::Poison).await.unwrap_err();
    assert!(matches!(refused, Refused::NoDemo), "{refused}");
}

#[tokio::test]
async fn healing_removes_what_was_put_into_planted_outboxes_and_misses_nothing_that_left() {
    let options = demo(ORDERS).await;
    let mut conn = open(&options).await;
    let rows = fingerprints(&mut conn).await;
    scenario::plant(&mut conn, Scenario::Poison).await.unwrap();
    // One planted outbox was delivered and purged, into another an operator put the message anew.
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
    // Somebody holds a row of it: healing does not wait for ever, and nothing is half healed.
    let mut holder = open(&options).await;
    let mut held = holder.begin().await.unwrap();
    held.execute(
        "SELECT FROM outbox_state WHERE outbox_id =
             (SELECT max(id::text)::uuid FROM orderscope.demo_planted WHERE kind = 'outbox') FOR UPDATE",
    )
    .await
    .unwrap();
    let refused = scenario::heal(&mut conn).await.unwrap_err();
    assert!(matches!(refused, Refused::InUse), "{refused}");
    held.rollback().await.unwrap();
    let healed = scenario::heal(&mut conn).await.unwrap();
    assert_eq!(healed, Some(Healed { name: "poison".to_owned(), rows: 119 }));
    assert_eq!(fingerprints(&mut conn).await, rows);
}

#[tokio::test]
async fn the_verbs_plant_tell_and_heal() {
    let home = Home::on(&demo(ORDERS).await);
    let done = home.run(&["demo", "scenario", "broker-down"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.out.contains("planted") && done.out.contains("orderscope demo heal"), "{done:?}");
    let status = home.json(&["messages", "status"], 1);
    assert_eq!(status["findings"][0]["rule"], "broker-refused", "{status}");
    let again = home.run(&["demo", "scenario", "broker-down"]);
    assert!(again.code == 0 && again.out.contains("planted already"), "{again:?}");
    home.refused(&["demo", "scenario", "poison"], 4, &["broker-down is planted", "demo heal"]);
    home.refused(&["demo", "scenario", "error-queue"], 4, &["needs a broker", "[relay]"]);
    home.refused(&["--read-only", "demo", "scenario", "poison"], 4, &["read-only"]);
    home.refused(&["--read-only", "demo", "heal"], 4, &["read-only"]);
    let healed = home.run(&["demo", "heal"]);
    assert!(healed.code == 0 && healed.out.contains("broker-down: healed"), "{healed:?}");
    let healed = home.run(&["demo", "heal"]);
    assert!(healed.code == 0 && healed.out.contains("no scenario is planted"), "{healed:?}");
    let status = home.json(&["messages", "status"], 1);
    assert_eq!(status["findings"][0]["rule"], "poison-head", "{status}");
    // New demo data has no scenario in it.
    home.run(&["demo", "scenario", "duplicates"]);
    let inbox = home.run(&["inbox", "status"]);
    assert!(inbox.code == 1 && inbox.err.contains("alert duplicates"), "{inbox:?}");
    let load = ["demo", "load", "--orders", "200", "--until", "2026-11-22", "--replace"];
    assert_eq!(home.run(&load).code, 0);
    let healed = home.run(&["demo", "heal"]);
    assert!(healed.out.contains("no scenario is planted"), "{healed:?}");
    // What does not leave is no trouble of the inbox.
    assert_eq!(home.run(&["inbox", "status"]).code, 0);
    let service = fixture::stage(pg18(), Schema::Marten9, "1-backlog").await;
    Home::on(&service).refused(
        &["demo", "scenario", "poison"],
        4,
        &["not one that Orderscope made"],
    );
}

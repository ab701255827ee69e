//! The incidents that a diagnosis once got wrong, planted with real sessions, a broker that refuses, and the product's
//! own verbs.

use orderscope::{
    domain::backlog::Drain,
    ops::error_queue::{Broker, Scope, Source},
};
use tokio::net::TcpListener;

use super::*;
use crate::verbs::Home;

/// A service's database, with its relay idle: so many outboxes, old and pending.
async fn service(count: i64, minutes: i64) -> (PgConnectOptions, PgConnection) {
    let options = fixture::empty(pg18(), Schema::Marten9).await;
    let mut conn = open(&options).await;
    plant(&mut conn, count, minutes).await;
    (options, conn)
}

/// As the service does: what it delivered is deleted; the oldest first.
async fn take(conn: &mut PgConnection, count: i64) {
    let sql = format!(
        "WITH oldest AS (SELECT outbox_id FROM outbox_state ORDER BY created, outbox_id LIMIT {count}),
              gone AS (DELETE FROM outbox_message WHERE outbox_id IN (SELECT outbox_id FROM oldest))
         DELETE FROM outbox_state WHERE outbox_id IN (SELECT outbox_id FROM oldest)"
    );
    run(conn, &sql).await;
}

fn alerts(status: &Status) -> Vec<Rule> {
    let alerts = status.findings.iter().filter(|finding| finding.severity == Severity::Alert);
    alerts.map(|finding| finding.rule).collect()
}

#[tokio::test]
async fn delivery_that_is_dead_while_orders_come_in_is_named() {
    let (options, mut conn) = service(2_300, 19).await;
    let (start, mut looks) = (Utc::now(), Samples::default());
    let mut status = look_again(&options, Some(start), &mut looks).await;
    assert_eq!(alerts(&status), [Rule::Backlog], "{:#?}", status.findings);
    for step in 1..=5 {
        // Some of the service's transactions are rolled back: their numbers are drawn, and nothing was sent.
        run(&mut conn, "BEGIN").await;
        plant(&mut conn, 9, 0).await;
        run(&mut conn, "ROLLBACK").await;
        plant(&mut conn, 25, 0).await;
        let now = start + TimeDelta::seconds(5 * step);
        status = look_again(&options, Some(now), &mut looks).await;
        let movement = status.facts.movement.unwrap();
        assert_eq!((movement.last_leaving, movement.leaving), (None, Some(0.0)), "{movement:?}");
        assert!(movement.coming.is_some_and(|coming| (coming - 300.0).abs() < 1.0), "{movement:?}");
        assert_eq!(alerts(&status), [Rule::WorkerIdle, Rule::Backlog], "{:#?}", status.findings);
    }
    // The broker is asked as well, and nobody is there.
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let broker = Broker::parse(&format!("amqp://u:p@{closed}/"), None).unwrap();
    let source = Source { broker, scope: Scope::default() };
    let told = messages::broker::ask(&source, &status.question()).await;
    let status = status.with_broker(&told);
    assert_eq!(alerts(&status), [Rule::BrokerRefused, Rule::Backlog], "{:#?}", status.findings);
    let away = finding(&status, Rule::BrokerRefused);
    assert!(away.what.contains("cannot be reached"), "{away:?}");
}

#[tokio::test]
async fn a_broker_that_is_away_ends_the_verb_with_1_at_once() {
    let options = managed().await;
    let mut conn = open(&options).await;
    plant(&mut conn, 3, 0).await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    std::fs::write(&path, format!("[relay]\nbroker = \"amqp://u:p@{closed}/\"\n")).unwrap();
    let home = Home::on(&options);
    let done = home.run(&["--config", path.to_str().unwrap(), "messages", "why"]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.out.contains("the broker cannot be reached"), "{done:?}");
}

#[tokio::test]
async fn what_operators_take_out_silences_no_alert() {
    let options = managed().await;
    let mut conn = open(&options).await;
    plant(&mut conn, 40, 30).await;
    let home = Home::on(&options);
    let mut looks = Samples::default();
    look_again(&options, None, &mut looks).await;
    let by = ["--operator", "mai", "--reason", "INC-7", "--yes"];
    for seq in ["1", "2"] {
        let done = home.run(&[&["messages", "quarantine", seq][..], &by].concat());
        assert_eq!(done.code, 0, "{done:?}");
        let status = look_again(&options, None, &mut looks).await;
        let movement = status.facts.movement.unwrap();
        assert_eq!((movement.last_leaving, movement.leaving), (None, None), "{movement:?}");
        assert!(!matches!(movement.drain, Drain::In { .. }), "{movement:?}");
        assert!(alerts(&status).contains(&Rule::WorkerIdle), "{:#?}", status.findings);
    }
    // What is put back has not come either.
    let copies = home.json(&["messages", "list", "--view", "kept"], 0);
    let copy = copies[0]["copy"].to_string();
    let done = home.run(&[&["messages", "requeue", &copy][..], &by].concat());
    assert_eq!(done.code, 0, "{done:?}");
    let status = look_again(&options, None, &mut looks).await;
    assert_eq!(status.facts.movement.unwrap().coming, None);
}

#[tokio::test]
async fn a_frozen_process_is_named_behind_its_savepoints() {
    let (options, _conn) = service(3, 30).await;
    let mut frozen = open(&options).await;
    // As Entity Framework does: the row is locked, and changed after a savepoint. Both are in its xmax.
    run(
        &mut frozen,
        "SET application_name = 'ordering-frozen'; BEGIN;
         SELECT * FROM outbox_state ORDER BY created LIMIT 1 FOR UPDATE;
         SAVEPOINT s;
         UPDATE outbox_state SET lock_id = gen_random_uuid()
             WHERE outbox_id = (SELECT outbox_id FROM outbox_state ORDER BY created LIMIT 1)",
    )
    .await;
    let pid: i32 =
        sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut frozen).await.unwrap();
    let later = Utc::now() + TimeDelta::minutes(2);
    let status = look(&options, Some(later)).await;
    let held = finding(&status, Rule::LockHolder);
    assert_eq!(held.severity, Severity::Alert);
    assert!(held.what.contains(&format!("backend {pid} (ordering-frozen")), "{held:?}");
    assert!(held.next.starts_with("stop that process first"), "{held:?}");
}

#[tokio::test]
async fn where_the_holder_cannot_be_told_who_is_idle_for_long_is() {
    let (options, mut conn) = service(3, 30).await;
    // A row that somebody locked and that others insert beside: its xmax is of a transaction that is over.
    run(&mut conn, "BEGIN; SELECT * FROM outbox_state FOR UPDATE; ROLLBACK").await;
    let mut idle = open(&options).await;
    run(
        &mut idle,
        "SET application_name = 'ordering-idle'; BEGIN;
         INSERT INTO outbox_state (outbox_id, lock_id, created) VALUES (gen_random_uuid(), gen_random_uuid(), now())",
    )
    .await;
    let later = Utc::now() + TimeDelta::minutes(2);
    let status = look(&options, Some(later)).await;
    let held = finding(&status, Rule::LockHolder);
    assert!(held.what.contains("who holds its row is unknown"), "{held:?}");
    assert!(held.evidence[0].contains("ordering-idle, idle in transaction"), "{held:?}");
    assert!(held.next.starts_with("stop that process first"), "{held:?}");
}

#[tokio::test]
async fn a_healthy_drain_is_called_stalled_by_no_look() {
    let (options, mut conn) = service(500, 40).await;
    for _ in 0..44 {
        let first = look_again(&options, None, &mut Samples::default()).await;
        assert_eq!(alerts(&first), [], "{:#?}", first.findings);
        take(&mut conn, 3).await;
    }
    let mut looks = Samples::default();
    look_again(&options, None, &mut looks).await;
    take(&mut conn, 3).await;
    let status = look_again(&options, None, &mut looks).await;
    assert_eq!(rules(&status), [], "{:#?}", status.findings);
    assert!(status.facts.movement.unwrap().last_leaving.is_some());
}

#[tokio::test]
async fn what_comes_and_leaves_between_two_looks_is_counted_once_the_server_has() {
    let (options, mut conn) = service(1, 0).await;
    let (start, mut looks) = (Utc::now(), Samples::default());
    look_again(&options, Some(start), &mut looks).await;
    plant(&mut conn, 7, 0).await;
    take(&mut conn, 8).await;
    run(&mut conn, "SELECT pg_stat_force_next_flush()").await;
    run(&mut conn, "SELECT 1").await;
    let later = start + TimeDelta::minutes(1);
    let status = look_again(&options, Some(later), &mut looks).await;
    let movement = status.facts.movement.unwrap();
    assert_eq!((movement.coming, movement.leaving), (Some(7.0), Some(8.0)), "{movement:?}");
}

#[tokio::test]
async fn a_bypassed_outbox_is_found_after_a_requeue() {
    let options = managed().await;
    let mut conn = open(&options).await;
    plant(&mut conn, 2, 60).await;
    let home = Home::on(&options);
    let by = ["--operator", "mai", "--reason", "INC-7", "--yes"];
    let done = home.run(&[&["messages", "quarantine", "1"][..], &by].concat());
    assert_eq!(done.code, 0, "{done:?}");
    // Only events are written since; then the copy goes back.
    rules::events(&mut conn, &[300, 120]).await;
    let copies = home.json(&["messages", "list", "--view", "kept"], 0);
    let copy = copies[0]["copy"].to_string();
    let done = home.run(&[&["messages", "requeue", &copy][..], &by].concat());
    assert_eq!(done.code, 0, "{done:?}");
    let status = look(&options, None).await;
    let bypassed = finding(&status, Rule::Bypassed);
    assert!(bypassed.evidence[0].contains("operators put back"), "{bypassed:?}");
}

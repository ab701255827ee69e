//! Whose database it is decides whether the relay delivers there, and is asked again in every pass.

use std::{sync::Arc, time::Duration};

use orderscope::{
    db::ownership,
    workers::relay::{self, Error, Stats, Until},
};
use sqlx::{Connection, Executor, PgConnection};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{EXCHANGE, PENDING, QUEUE, attach, count, plant, settings, until_empty};
use crate::{
    support::{
        fixture::{self, Schema},
        postgres::{managed, pg18},
        rabbitmq::broker,
    },
    verbs::Home,
};

#[tokio::test]
async fn a_services_database_is_delivered_from_only_when_told_to() {
    let broker = broker().await;
    let database = fixture::own(pg18(), Schema::Marten9, "4-broker-down").await;
    let mut told = settings(&database, &broker);
    told.beside_service = true;
    // Without a record nobody knows whose it is, whatever was told.
    assert_eq!(until_empty(told).await, Err(Error::Unrecorded));
    attach(&database).await;
    assert_eq!(until_empty(settings(&database, &broker)).await, Err(Error::OfService));
    assert_eq!(count(&database, PENDING).await, 137);
}

#[tokio::test]
async fn marten_in_a_database_of_ours_makes_it_a_services() {
    let (broker, database) = (broker().await, managed().await);
    plant(&database, 2, 1).await;
    let mut conn = PgConnection::connect_with(&database).await.unwrap();
    let seen =
        "CREATE FUNCTION public.mt_quick_append_events() RETURNS int LANGUAGE sql AS 'SELECT 1'";
    conn.execute(seen).await.unwrap();
    assert_eq!(until_empty(settings(&database, &broker)).await, Err(Error::OfService));
    assert_eq!(count(&database, PENDING).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_at_work_ends_when_the_database_is_handed_over() {
    let (broker, database) = (broker().await, managed().await);
    broker.bind(QUEUE, &[EXCHANGE]).await;
    plant(&database, 2_000, 2).await;
    let mut settings = settings(&database, &broker);
    (settings.most.messages, settings.most.outboxes) = (10, 4);
    let (sender, mut stats) = watch::channel(Stats::default());
    let clock = Arc::new(chrono::Utc::now);
    // To run for ever, were it not forbidden.
    let work = relay::run(settings, Until::Told, clock, CancellationToken::new(), sender);
    let work = tokio::spawn(work);
    stats.wait_for(|stats| stats.delivered > 0).await.unwrap();
    let mut conn = PgConnection::connect_with(&database).await.unwrap();
    let mut tx = conn.begin().await.unwrap();
    ownership::hand_over(&mut tx, None).await.unwrap();
    // Here it waited for the passes under way, and no other can begin before the commit.
    let delivered = count(&database, DELIVERED).await;
    tx.commit().await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(60), work).await.unwrap().unwrap();
    assert_eq!(ended, Err(Error::OfService));
    assert!(delivered < 4_000, "it was too fast to be disturbed");
    assert_eq!(count(&database, DELIVERED).await, delivered);
    assert_eq!(count(&database, PENDING).await, 4_000 - delivered);
}

const DELIVERED: &str = "SELECT count(*) FROM public.outbox_message m JOIN public.outbox_state s
    USING (outbox_id) WHERE m.sequence_number <= coalesce(s.last_sequence_number, 0)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_that_are_spelt_differently_are_refused_with_their_names() {
    let (broker, database) = (broker().await, managed().await);
    let mut conn = PgConnection::connect_with(&database).await.unwrap();
    conn.execute(r#"ALTER TABLE outbox_message RENAME TO "OutboxMessage""#).await.unwrap();
    let home = Home::on(&database);
    let run = |arguments: &[&str]| {
        let mut command = home.command();
        command
            .env("ORDERSCOPE_AMQP_URL", broker.url_as("relay"))
            .env("ORDERSCOPE_AMQP_PASSWORD", "secret");
        let done = command.args(arguments).output().unwrap();
        (done.status.code(), String::from_utf8(done.stderr).unwrap())
    };
    // Also one that is to run until it is stopped: no time heals it.
    let drain = ["messages", "drain", "--all", "--yes", "--reason", "x"];
    for arguments in [&["relay"][..], &["relay", "--until-empty"], &drain] {
        let (code, told) = run(arguments);
        assert_eq!(code, Some(4), "{arguments:?}: {told}");
        let expected = r#"public.outbox_message is spelt public."OutboxMessage" here"#;
        assert!(told.contains(expected), "{arguments:?}: {told}");
    }
    conn.execute(
        r#"ALTER TABLE "OutboxMessage" RENAME TO outbox_message;
           ALTER TABLE outbox_message RENAME sequence_number TO "SequenceNumber""#,
    )
    .await
    .unwrap();
    let (code, told) = run(&["relay"]);
    assert_eq!(code, Some(4), "{told}");
    assert!(told.contains("outbox_message is spelt with columns of other names"), "{told}");
}

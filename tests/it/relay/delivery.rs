//! Without a fault: everything arrives once and in order, and the tables say so.

use std::time::Duration;

use orderscope::workers::relay::NobodyListens;
use sqlx::{Connection, PgConnection};

use super::{
    EXCHANGE, PENDING, QUEUE, arrived, attach, count, plant, recorded, settings, until_empty,
};
use crate::support::{
    fixture::{self, Schema},
    postgres::{managed, pg18},
    rabbitmq::broker,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_thousand_messages_arrive_once_and_in_order() {
    let (broker, database) = (broker().await, managed().await);
    broker.bind(QUEUE, &[EXCHANGE]).await;
    plant(&database, 2_000, 10).await;
    let stats = until_empty(settings(&database, &broker)).await.unwrap();
    assert_eq!((recorded(&stats), stats.returned, stats.unknown), (20_000, 0, 0));
    assert_eq!(arrived(&broker.take(QUEUE).await, 2_000, 10), 0);
    assert_eq!(count(&database, PENDING).await, 0);
    // They stay, and the tables say how far the relay came and when.
    let kept = "SELECT count(*) FROM outbox_state s WHERE delivered IS NOT NULL AND lock_id <> \
        '00000000-0000-0000-0000-000000000000' AND last_sequence_number = \
        (SELECT max(sequence_number) FROM outbox_message m WHERE m.outbox_id = s.outbox_id)";
    assert_eq!(count(&database, kept).await, 2_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_relays_share_the_work_without_doubling() {
    let (broker, database) = (broker().await, managed().await);
    broker.bind(QUEUE, &[EXCHANGE]).await;
    plant(&database, 1_000, 5).await;
    let dir = tempfile::tempdir().unwrap();
    let mut one = settings(&database, &broker);
    one.most.outboxes = 20;
    one.send_log = Some(super::send_log(dir.path()));
    let two = one.clone();
    let (one, two) = tokio::join!(until_empty(one), until_empty(two));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(recorded(&one) + recorded(&two), 5_000);
    assert!(one.delivered > 0 && two.delivered > 0, "{one:?} {two:?}");
    assert_eq!(arrived(&broker.take(QUEUE).await, 1_000, 5), 0);
}

#[tokio::test]
async fn in_a_services_database_delivered_rows_go_as_they_do_with_the_service() {
    let broker = broker().await;
    let database = fixture::own(pg18(), Schema::Marten9, "4-broker-down").await;
    let exchanges = [
        "BookWorm.Contracts:UserCheckedOutIntegrationEvent",
        "BookWorm.Contracts:OrderStatusChangedToCompleteIntegrationEvent",
        "BookWorm.Contracts:OrderStatusChangedToCancelIntegrationEvent",
    ];
    broker.bind(QUEUE, &exchanges).await;
    let inbox = count(&database, "SELECT count(*) FROM inbox_state").await;
    attach(&database).await;
    let mut settings = settings(&database, &broker);
    settings.beside_service = true;
    // Meant for databases of our own: here the rows go all the same.
    settings.keep = Some(Duration::from_secs(86_400));
    settings.copies = Some(Duration::from_secs(86_400));
    let before: Vec<(uuid::Uuid, String)> = messages(&database).await;
    let stats = until_empty(settings.clone()).await.unwrap();
    assert_eq!((recorded(&stats), stats.returned), (137, 0));
    assert_eq!(broker.take(QUEUE).await.len(), 137);
    let left = "SELECT (SELECT count(*) FROM outbox_message) + (SELECT count(*) FROM outbox_state)";
    assert_eq!(count(&database, left).await, 0);
    assert_eq!(count(&database, "SELECT count(*) FROM inbox_state").await, inbox);
    let mut conn = PgConnection::connect_with(&database).await.unwrap();
    let kept = "SELECT message_id, convert_from(body, 'UTF8') FROM orderscope.kept_messages \
        WHERE cause = 'delivered' AND rest ->> 'outbox_id' = place ORDER BY message_id";
    let kept: Vec<(uuid::Uuid, String)> = sqlx::query_as(kept).fetch_all(&mut conn).await.unwrap();
    assert_eq!(kept, before);
    // Copies go after their time, what an operator took out does not.
    let aged = "UPDATE orderscope.kept_messages SET kept_at = now() - interval '2 days', \
        cause = CASE WHEN number % 2 = 0 THEN 'quarantined' ELSE cause END";
    sqlx::query(aged).execute(&mut conn).await.unwrap();
    let stats = until_empty(settings).await.unwrap();
    let left = count(&database, "SELECT count(*) FROM orderscope.kept_messages").await;
    assert_eq!((stats.purged, left), (137 - 68, 68));
}

/// Every message's id and body.
async fn messages(database: &sqlx::postgres::PgConnectOptions) -> Vec<(uuid::Uuid, String)> {
    let mut conn = PgConnection::connect_with(database).await.unwrap();
    let sql = "SELECT message_id, body FROM outbox_message ORDER BY message_id";
    sqlx::query_as(sql).fetch_all(&mut conn).await.unwrap()
}

#[tokio::test]
async fn a_large_outbox_is_taken_in_parts() {
    let (broker, database) = (broker().await, managed().await);
    broker.bind(QUEUE, &[EXCHANGE]).await;
    plant(&database, 2, 500).await;
    let mut settings = settings(&database, &broker);
    settings.most.messages = 70;
    settings.keep = None;
    let stats = until_empty(settings).await.unwrap();
    assert!(stats.passes >= 15, "{stats:?}");
    assert_eq!(arrived(&broker.take(QUEUE).await, 2, 500), 0);
    assert_eq!(count(&database, "SELECT count(*) FROM outbox_state").await, 0);
}

#[tokio::test]
async fn what_nobody_listens_to_is_counted_or_held() {
    let (broker, database) = (broker().await, managed().await);
    plant(&database, 3, 2).await;
    let mut hold = settings(&database, &broker);
    hold.nobody_listens = NobodyListens::Hold;
    let stats = until_empty(hold).await.unwrap();
    assert_eq!((recorded(&stats), stats.held.len()), (0, 3));
    assert!(stats.held[0].why.contains("no queue is bound"), "{:?}", stats.held);
    assert_eq!(count(&database, PENDING).await, 6);
    let stats = until_empty(settings(&database, &broker)).await.unwrap();
    assert_eq!((recorded(&stats), stats.returned, stats.held.len()), (6, 6, 0));
}

#[tokio::test]
async fn old_delivered_rows_are_removed_and_pending_ones_never() {
    let (broker, database) = (broker().await, managed().await);
    plant(&database, 4, 2).await;
    let mut conn = PgConnection::connect_with(&database).await.unwrap();
    let old = "UPDATE outbox_state s SET delivered = now() - interval '8 days', last_sequence_number = 8 \
        WHERE outbox_id < '00000000-0000-4000-8000-000000000003'";
    sqlx::query(old).execute(&mut conn).await.unwrap();
    sqlx::query("UPDATE outbox_message SET sent_time = now() - interval '1 year', \
        destination_address = CASE WHEN outbox_id = '00000000-0000-4000-8000-000000000004' THEN NULL \
        ELSE destination_address END")
        .execute(&mut conn)
        .await
        .unwrap();
    let mut settings = settings(&database, &broker);
    settings.keep = Some(Duration::from_secs(7 * 86_400));
    let stats = until_empty(settings).await.unwrap();
    assert_eq!((recorded(&stats), stats.purged, stats.held.len()), (2, 2, 1), "{stats:?}");
    assert_eq!(count(&database, "SELECT count(*) FROM outbox_message").await, 4);
    assert_eq!(count(&database, PENDING).await, 2);
}

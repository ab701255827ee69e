//! A broker that takes nothing, and a database that does not let the relay write: it says so, and nothing is lost.

use std::sync::Arc;

use orderscope::{
    db,
    workers::relay::{self, Error, Settings, Stats, Until},
};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{EXCHANGE, PENDING, QUEUE, arrived, count, plant, settings, until_empty};
use crate::support::{
    postgres::managed,
    rabbitmq::{broker, exclusive},
};

const OUTBOXES: u32 = 300;
const MESSAGES: u32 = 5;

pub(super) type Work = JoinHandle<Result<Stats, Error>>;

pub(super) fn started(
    settings: &Settings,
    until: Until,
) -> (Work, watch::Receiver<Stats>, CancellationToken) {
    let (sender, receiver) = watch::channel(Stats::default());
    let (clock, stop) = (Arc::new(chrono::Utc::now), CancellationToken::new());
    let work = relay::run(settings.clone(), until, clock, stop.clone(), sender);
    (tokio::spawn(work), receiver, stop)
}

async fn told(stats: &mut watch::Receiver<Stats>, what: &str) {
    let tells = |stats: &Stats| stats.trouble.as_deref().is_some_and(|why| why.contains(what));
    let waiting = stats.wait_for(tells);
    let waited = tokio::time::timeout(std::time::Duration::from_mins(1), waiting).await;
    waited.unwrap_or_else(|_| panic!("it never said: {what}")).unwrap();
}

const SHORT: &str = "its memory or disk is short";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_short_of_memory_is_waited_for() {
    let (broker, database) = (exclusive().await, managed().await);
    broker.bind(QUEUE, &[EXCHANGE]).await;
    plant(&database, OUTBOXES, MESSAGES).await;
    let mut settings = settings(&database, &broker);
    settings.keep = None;
    broker.alarm(true);
    let (work, mut stats, _) = started(&settings, Until::Empty);
    told(&mut stats, SHORT).await;
    assert_eq!(broker.depth(QUEUE).await, 0);
    assert_eq!(count(&database, PENDING).await, i64::from(OUTBOXES * MESSAGES));
    broker.alarm(false);
    let stats = work.await.unwrap().unwrap();
    assert_eq!(arrived(&broker.take(QUEUE).await, OUTBOXES, MESSAGES), 0, "{stats:?}");
    assert_eq!((stats.unknown, stats.failed, stats.trouble), (0, 0, None));
    assert_eq!(count(&database, PENDING).await, 0);

    // One that is told to end meanwhile need not wait for the broker.
    plant(&database, OUTBOXES, MESSAGES).await;
    broker.alarm(true);
    let (work, mut stats, stop) = started(&settings, Until::Told);
    told(&mut stats, SHORT).await;
    stop.cancel();
    let ended = tokio::time::timeout(std::time::Duration::from_mins(1), work).await;
    ended.expect("it did not end").unwrap().unwrap();
    assert_eq!(count(&database, PENDING).await, i64::from(OUTBOXES * MESSAGES));
    broker.alarm(false);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_frozen_is_told_and_nothing_more_is_sent() {
    let (broker, database) = (exclusive().await, managed().await);
    broker.bind(QUEUE, &[EXCHANGE]).await;
    let mut settings = settings(&database, &broker);
    settings.keep = None;
    let (work, mut stats, stop) = started(&settings, Until::Told);
    plant(&database, 2, 1).await;
    let delivered = stats.wait_for(|stats| stats.recorded() == 2);
    tokio::time::timeout(std::time::Duration::from_mins(1), delivered).await.unwrap().unwrap();
    let frozen = broker.freeze();
    plant(&database, 4, 1).await;
    told(&mut stats, "it is frozen or overloaded").await;
    let sent = stats.borrow().delivered;
    assert_eq!((sent, count(&database, PENDING).await), (2, 4));
    drop(frozen);
    let goes_on = stats.wait_for(|stats| stats.recorded() == 6 && stats.trouble.is_none());
    tokio::time::timeout(std::time::Duration::from_mins(1), goes_on).await.unwrap().unwrap();
    stop.cancel();
    let stats = work.await.unwrap().unwrap();
    assert_eq!((stats.unknown, count(&database, PENDING).await), (0, 0), "{stats:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_may_not_write_is_told_and_delivers_nothing() {
    let (broker, database) = (broker().await, managed().await);
    broker.bind(QUEUE, &[EXCHANGE]).await;
    plant(&database, 2, 2).await;
    let role = format!("reader_{}", Uuid::new_v4().simple());
    let mut conn = PgConnection::connect_with(&database).await.unwrap();
    let sql = format!(
        "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA public, orderscope TO {role};
         GRANT SELECT ON ALL TABLES IN SCHEMA public, orderscope TO {role}"
    );
    conn.execute(AssertSqlSafe(sql)).await.unwrap();
    let mut settings = settings(&database, &broker);
    settings.database = database.clone().username(&role).into();
    let ended = until_empty(settings).await;
    assert!(matches!(&ended, Err(Error::Database(db::Error::NotPermitted(_)))), "{ended:?}");
    assert_eq!(broker.depth(QUEUE).await, 0);
    assert_eq!(count(&database, PENDING).await, 4);
    let drop = format!("DROP OWNED BY {role}; DROP ROLE {role}");
    conn.execute(AssertSqlSafe(drop)).await.unwrap();
    conn.close().await.unwrap();
}

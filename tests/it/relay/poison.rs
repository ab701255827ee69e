//! Messages that cannot be sent hold their own outbox and no other, and say why.

use std::time::Duration;

use lapin::{ExchangeKind, options::ExchangeDeclareOptions, types::FieldTable};
use orderscope::relay::{self, Publisher};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use super::{EXCHANGE, PENDING, QUEUE, count, plant, recorded, settings, until_empty};
use crate::{
    support::{postgres::managed, rabbitmq::broker},
    verbs::Home,
};

/// What is done to the first message of an outbox, and what is told of it.
const KINDS: [(&str, &str); 12] = [
    ("headers = '{not json'", "headers cannot be read"),
    ("properties = '[1]'", "properties cannot be read"),
    ("destination_address = NULL", "no destination address"),
    ("destination_address = 'rabbitmq://h/bad exchange?type=nonsense'", "characters other than"),
    ("destination_address = 'loopback://h/x'", "the scheme \"loopback\""),
    ("body = repeat('x', 20000)", "20000 bytes"),
    ("body = 'no json'", "the body cannot be read"),
    ("content_type = 'application/json'", "content type"),
    ("properties = '{\"Delay\": \"00:00:01\"}'", "delay"),
    ("destination_address = 'exchange:Tests:Direct', properties = NULL", "406"),
    ("properties = '{\"RMQ-Exchange\": \"Tests:Nowhere\"}'", "404"),
    // The broker closes the channel on it, and does not say for which message.
    ("properties = '{\"RMQ-UserId\": \"somebody\"}'", "user_id"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_poison_is_told_and_delays_nobody() {
    let (broker, database) = (broker().await, managed().await);
    broker.bind(QUEUE, &[EXCHANGE]).await;
    let (connection, channel) = broker.channel().await;
    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let (name, none) = ("Tests:Direct".into(), FieldTable::default());
    channel.exchange_declare(name, ExchangeKind::Direct, durable, none).await.unwrap();
    connection.close(200, "".into()).await.unwrap();
    plant(&database, 212, 2).await;
    let mut conn = PgConnection::connect_with(&database).await.unwrap();
    for (number, (change, _)) in KINDS.iter().enumerate() {
        // The oldest outboxes: whatever stands in order of age stands behind them.
        let outbox = format!("00000000-0000-4000-8000-{:012x}", number + 1);
        let first = format!("11111111-0001-4000-8000-{:012x}", number + 1);
        let sql = format!(
            "UPDATE public.outbox_message SET {change} \
             WHERE outbox_id = '{outbox}' AND message_id = '{first}'"
        );
        let done = conn.execute(AssertSqlSafe(sql)).await.unwrap();
        assert_eq!(done.rows_affected(), 1);
    }
    let mut settings = settings(&database, &broker);
    settings.most.message_bytes = 10_000;
    // They stay held for as long as the test runs.
    settings.retry = (Duration::from_secs(300), Duration::from_secs(300));
    let stats = until_empty(settings.clone()).await.unwrap();
    assert_eq!(stats.held.len(), KINDS.len(), "{:?}", stats.held);
    for (held, (change, told)) in stats.held.iter().zip(KINDS) {
        assert!(held.why.contains(told), "{change}: {}", held.why);
    }
    let taken = broker.take(QUEUE).await;
    let mut ids: Vec<String> = taken.iter().map(super::Taken::id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 400, "others were delayed or a second message overtook its first");
    // Only what was in flight when the channel was closed can be there twice, and it is counted.
    assert!(taken.len() - ids.len() <= usize::try_from(stats.unknown).unwrap(), "{stats:?}");
    assert_eq!(count(&database, PENDING).await, 24);
    // Every attempt leaves its trace.
    let tried = "SELECT count(*) FROM outbox_state WHERE delivered IS NULL \
        AND lock_id <> '00000000-0000-0000-0000-000000000000'";
    assert_eq!(count(&database, tried).await, 12);

    // Repaired, it leaves at the next attempt, in order.
    let repair = "UPDATE outbox_message SET destination_address = 'rabbitmq://h/Tests:Planted' \
        WHERE destination_address IS NULL";
    conn.execute(repair).await.unwrap();
    let stats = until_empty(settings).await.unwrap();
    assert_eq!((recorded(&stats), stats.held.len()), (2, 11), "{stats:?}");
    let sent: Vec<String> = broker.take(QUEUE).await.iter().map(super::Taken::id).collect();
    let mut ids: Vec<&String> = vec![];
    for id in &sent {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    // The one that closes the channel was tried again too: both may have been on their way then, and come twice.
    assert!(sent.len() - ids.len() <= usize::try_from(stats.unknown).unwrap(), "{stats:?}");
    let [first, second] = ids.as_slice() else { panic!("{sent:?}") };
    assert!(first.starts_with("11111111-0001") && second.starts_with("11111111-0002"));
}

#[tokio::test]
async fn logins_and_addresses_that_are_wrong_are_told() {
    let (broker, database) = (broker().await, managed().await);
    let limit = Duration::from_secs(10);
    let connect = async |url: &str| {
        let broker = relay::Broker::parse(url, None).unwrap();
        Publisher::connect(&broker, "tests", limit).await.unwrap_err()
    };
    let wrong = connect(&broker.url_as("relay:wrong")).await;
    assert!(matches!(wrong, relay::Error::Login { .. }), "{wrong:?}");
    assert!(!wrong.to_string().contains("wrong@"), "{wrong}");
    let host = connect(&broker.url().replace("/t", "/nowhere")).await;
    assert!(matches!(host, relay::Error::Login { .. }), "{host:?}");
    let gone = connect("amqp://relay:secret@127.0.0.1:1/").await;
    assert!(matches!(gone, relay::Error::Unreachable { .. }), "{gone:?}");
    // Nothing is locked or written for a broker that lets nobody in.
    plant(&database, 1, 1).await;
    let mut settings = settings(&database, &broker);
    settings.broker = relay::Broker::parse(&broker.url_as("relay:wrong"), None).unwrap();
    let error = until_empty(settings).await.unwrap_err();
    assert!(error.to_string().contains("refused the login of relay"), "{error}");
    assert_eq!(count(&database, PENDING).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_largest_message_is_as_it_is_configured() {
    let (broker, database) = (broker().await, managed().await);
    broker.bind(QUEUE, &[EXCHANGE]).await;
    plant(&database, 2, 1).await;
    let mut conn = PgConnection::connect_with(&database).await.unwrap();
    let long = "UPDATE outbox_message SET body = body || repeat(' ', 20000) \
        WHERE outbox_id = '00000000-0000-4000-8000-000000000001'";
    conn.execute(long).await.unwrap();
    let home = Home::on(&database);
    let relay = |largest: u32| {
        let text = format!("[messages]\nlargest = {largest}\n");
        std::fs::write(home.dir.path().join("config.toml"), text).unwrap();
        let mut command = home.command();
        command.env("ORDERSCOPE_AMQP_URL", broker.url_as("relay"));
        command.env("ORDERSCOPE_AMQP_PASSWORD", "secret");
        command.args(["relay", "--until-empty", "--config", "config.toml"]).output().unwrap()
    };
    let ended = relay(10_000);
    let told = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(5), "{told}");
    assert!(told.contains("the broker takes 10000"), "{told}");
    assert_eq!(count(&database, PENDING).await, 1);
    let ended = relay(30_000);
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
    assert_eq!(broker.take(QUEUE).await.len(), 2);
}

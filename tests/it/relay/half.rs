//! Half-done consumers: only those whose message can come from nowhere any more are delivered for.

use std::collections::BTreeSet;

use lapin::{
    BasicProperties,
    options::{
        BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions,
    },
    types::{AMQPValue, FieldTable},
};
use orderscope::{
    domain::{consumer::Consumer, diagnosis::Inbound, id::MessageId},
    ops::messages::inbound::{Search, Unnamed},
    relay::{Limits, Management, QueueInspector},
    workers::relay::{Settings, Stats},
};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, postgres::PgConnectOptions};

use super::{EXCHANGE, QUEUE, count, plant, settings, until_empty};
use crate::{
    asked::says,
    support::{
        postgres::managed,
        rabbitmq::{Broker, Taken, broker},
    },
    verbs::Home,
};

const NAME: &str = "Shop.Handler:Shop.Command:work";
const PENDING: &str = "SELECT count(*) FROM outbox_message WHERE inbox_message_id IS NOT NULL";
const DONE: &str = "SELECT count(*) FROM inbox_state WHERE delivered IS NOT NULL AND last_sequence_number IS NOT NULL";

fn inbound(number: u32) -> String {
    format!("22222222-0000-4000-8000-{number:012}")
}

fn consumer() -> Consumer {
    NAME.parse().unwrap()
}

/// A consumer that handled message `number` so many seconds ago, and two messages that it produced.
async fn half_done(database: &PgConnectOptions, number: u32, consumer: &str, seconds: u32) {
    let mut conn = PgConnection::connect_with(database).await.unwrap();
    let message = inbound(number);
    let sql = format!(
        "INSERT INTO inbox_state (message_id, consumer_id, lock_id, received, receive_count, consumed)
         VALUES ('{message}', '{consumer}', gen_random_uuid(), now() - interval '1 hour', 1,
                 now() - interval '{seconds} s');
         INSERT INTO outbox_message (sent_time, properties, inbox_message_id, inbox_consumer_id, message_id,
             content_type, message_type, body, destination_address)
         SELECT now(), '{{\"RMQ-Exchange\": \"{EXCHANGE}\"}}', '{message}', '{consumer}', id,
             'application/vnd.masstransit+json', 'urn:message:{EXCHANGE}',
             '{{\"messageId\": \"' || id || '\", \"destinationAddress\": \"rabbitmq://h/{EXCHANGE}\", '
             || '\"messageType\": [\"urn:message:{EXCHANGE}\"], \"message\": {{}}, \"headers\": {{}}}}',
             'rabbitmq://h/{EXCHANGE}'
         FROM generate_series(1, 2) i,
              LATERAL (SELECT ('33333333-' || lpad(i::text, 4, '0') || '-4000-8000-'
                       || lpad('{number}', 12, '0'))::uuid AS id) made ORDER BY i"
    );
    conn.execute(AssertSqlSafe(sql)).await.unwrap();
}

/// Puts a message with the id of that inbound one into a queue, which is made.
async fn waits_in(broker: &Broker, queue: &str, number: Option<u32>) {
    let (connection, channel) = broker.channel().await;
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(queue.into(), durable, FieldTable::default()).await.unwrap();
    if let Some(number) = number {
        let body = format!("{{\"messageId\": \"{}\"}}", inbound(number));
        let properties = BasicProperties::default()
            .with_message_id(inbound(number).as_str().into())
            .with_content_type("application/vnd.masstransit+json".into());
        let options = BasicPublishOptions::default();
        let sent =
            channel.basic_publish("".into(), queue.into(), options, body.as_bytes(), properties);
        sent.await.unwrap().await.unwrap();
    }
    connection.close(200, "".into()).await.unwrap();
}

async fn quorum(broker: &Broker, queue: &str, number: u32) {
    let (connection, channel) = broker.channel().await;
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let mut kind = FieldTable::default();
    kind.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    channel.queue_declare(queue.into(), durable, kind).await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let body = format!("{{\"messageId\": \"{}\"}}", inbound(number));
    let options = BasicPublishOptions::default();
    let properties = BasicProperties::default();
    let sent = channel.basic_publish("".into(), queue.into(), options, body.as_bytes(), properties);
    sent.await.unwrap().await.unwrap();
    connection.close(200, "".into()).await.unwrap();
}

fn knowing(database: &PgConnectOptions, broker: &Broker) -> Settings {
    Settings { consumers: vec![consumer()], ..settings(database, broker) }
}

fn ids(taken: &[Taken]) -> Vec<String> {
    taken.iter().map(Taken::id).collect()
}

async fn ran(settings: Settings) -> Stats {
    until_empty(settings).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nothing_else_will_finish_is_delivered_in_order_and_recorded() {
    let (broker, database) = (broker().await, managed().await);
    broker.bind(QUEUE, &[EXCHANGE]).await;
    let id = consumer().id().to_string();
    half_done(&database, 1, &id, 120).await;
    // So short ago it may still be at work.
    half_done(&database, 2, &id, 5).await;
    // Nobody knows its queue.
    half_done(&database, 3, "44444444-0000-4000-8000-000000000000", 120).await;
    // The queue is there and holds others.
    waits_in(&broker, "work", Some(99)).await;
    waits_in(&broker, "work_error", None).await;
    let stats = ran(knowing(&database, &broker)).await;
    assert_eq!((stats.delivered + stats.recovered, stats.unknown), (2, 0));
    let taken = broker.take(QUEUE).await;
    let expected = ["33333333-0001-4000-8000-000000000001", "33333333-0002-4000-8000-000000000001"];
    assert_eq!(ids(&taken), expected);
    broker.rests(&["work"], 1).await;
    assert_eq!((count(&database, PENDING).await, count(&database, DONE).await), (4, 1));
    let kept = "SELECT count(*) FROM orderscope.kept_messages WHERE cause = 'delivered' \
        AND place LIKE '22222222-%000000000001 %'";
    assert_eq!(count(&database, kept).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_come_again_is_left() {
    let (broker, database) = (broker().await, managed().await);
    broker.bind(QUEUE, &[EXCHANGE]).await;
    let id = consumer().id().to_string();
    half_done(&database, 1, &id, 120).await;
    half_done(&database, 2, &id, 120).await;
    waits_in(&broker, "work", Some(1)).await;
    waits_in(&broker, "work_error", Some(2)).await;
    assert_eq!(ran(knowing(&database, &broker)).await.delivered, 0);

    // Handed out, and in no list: nobody can tell what it is.
    broker.take("work").await;
    broker.take("work_error").await;
    waits_in(&broker, "work", Some(1)).await;
    let (connection, channel) = broker.channel().await;
    let consuming = channel.basic_consume(
        "work".into(),
        "service".into(),
        BasicConsumeOptions::default(),
        FieldTable::default(),
    );
    let mut handed = consuming.await.unwrap();
    let delivery = futures::StreamExt::next(&mut handed).await.unwrap().unwrap();
    assert_eq!(broker.depth("work").await, 0);
    assert_eq!(ran(knowing(&database, &broker)).await.delivered, 0);
    delivery.ack(lapin::options::BasicAckOptions::default()).await.unwrap();
    connection.close(200, "".into()).await.unwrap();

    // Now it is gone for good.
    let stats = ran(knowing(&database, &broker)).await;
    assert_eq!(stats.delivered + stats.recovered, 4);
    assert_eq!((count(&database, PENDING).await, count(&database, DONE).await), (0, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_management_interface_tells_holds_for_the_relay_too() {
    let (broker, database) = (broker().await, managed().await);
    broker.bind(QUEUE, &[EXCHANGE]).await;
    half_done(&database, 1, &consumer().id().to_string(), 120).await;
    waits_in(&broker, "work", Some(99)).await;
    let pending = async |kind, held| {
        let says = says(kind, held).await;
        let management = Some(says.management());
        ran(Settings { management, ..knowing(&database, &broker) }).await;
        count(&database, PENDING).await
    };
    // A look would count as a delivery; somebody who is no consumer holds a message, perhaps this one.
    assert_eq!((pending("quorum", 0).await, pending("classic", 1).await), (2, 2));
    let away = Some(Management::parse("http://127.0.0.1:1").unwrap());
    ran(Settings { management: away, ..knowing(&database, &broker) }).await;
    assert_eq!(count(&database, PENDING).await, 2, "named, and does not answer");
    assert_eq!(pending("classic", 0).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_counts_looks_is_left_alone_once_that_was_seen() {
    let (broker, database) = (broker().await, managed().await);
    broker.bind(QUEUE, &[EXCHANGE]).await;
    quorum(&broker, "work", 99).await;
    let settings = knowing(&database, &broker);
    let id = consumer().id().to_string();
    let find = async |search: &mut Search<'_>, number: u32| {
        search.find(MessageId(inbound(number).parse().unwrap()), &consumer()).await
    };
    half_done(&database, 1, &id, 120).await;
    let limits = Limits::default();
    let inspector = QueueInspector::connect(&settings.broker, "test", limits.wait).await.unwrap();
    let mut counting = BTreeSet::new();
    let mut found = vec![];
    for _ in 0..6 {
        let unnamed = Unnamed::Look(counting.clone());
        let mut search = Search::begin(&inspector, &settings.broker, None, unnamed, limits).await;
        found.push((find(&mut search, 1).await, find(&mut search, 99).await));
        counting.clone_from(search.counting());
    }
    // The first look tells, and at the latest the second one shows that they count.
    assert_eq!(found[0], (Inbound::Gone, Inbound::Waits));
    assert!(
        found[2..].iter().all(|found| *found == (Inbound::Unknown, Inbound::Unknown)),
        "{found:?}"
    );
    assert_eq!(counting, BTreeSet::from(["work".to_owned()]));
    inspector.close().await;
    broker.rests(&["work"], 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_half_done_consumer_is_drained_by_hand_under_the_same_rule() {
    let (broker, database) = (broker().await, managed().await);
    broker.bind(QUEUE, &[EXCHANGE]).await;
    half_done(&database, 1, &consumer().id().to_string(), 120).await;
    let home = Home::on(&database);
    let pair = format!("{}:{}", inbound(1), consumer().id());
    let url = broker.url_as("relay");
    let bare = ["messages", "drain", "--consumer", &pair, "--reason", "stuck", "--amqp-url", &url];
    std::fs::write(
        home.dir.path().join("config.toml"),
        format!("[messages]\nconsumers = [\"{NAME}\"]\n"),
    )
    .unwrap();
    let drain = |more: &[&str]| {
        let mut command = home.command();
        command.env("ORDERSCOPE_AMQP_PASSWORD", "secret").args(bare).args(more);
        let done = command.args(["--output", "json"]).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (done.status.code().unwrap(), text(done.stdout), text(done.stderr))
    };
    // Whose queue it is is not known without the name.
    let (code, _, err) = drain(&["--yes"]);
    assert_eq!(code, 4, "{err}");
    assert!(err.contains("messages.consumers"), "{err}");
    let named = ["--config", "config.toml", "--yes"];
    waits_in(&broker, "work_error", Some(1)).await;
    let (code, _, err) = drain(&named);
    assert_eq!(code, 4, "{err}");
    assert!(err.contains("replay it"), "{err}");
    broker.take("work_error").await;
    let (code, out, err) = drain(&named);
    assert_eq!(code, 0, "{err}");
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(told["items"][0]["delivered"], 2, "{out}");
    assert_eq!(broker.take(QUEUE).await.len(), 2);
    assert_eq!((count(&database, PENDING).await, count(&database, DONE).await), (0, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_that_does_not_end_starves_neither_half_done_consumers_nor_the_purge() {
    const OUTBOXES: u32 = 3_000;
    let (broker, database) = (broker().await, managed().await);
    broker.bind(QUEUE, &[EXCHANGE]).await;
    waits_in(&broker, "work", None).await;
    waits_in(&broker, "work_error", None).await;
    half_done(&database, 1, &consumer().id().to_string(), 120).await;
    plant(&database, OUTBOXES, 1).await;
    let mut conn = PgConnection::connect_with(&database).await.unwrap();
    let old = "INSERT INTO outbox_state (outbox_id, lock_id, created, delivered, last_sequence_number)
        SELECT gen_random_uuid(), gen_random_uuid(), now() - interval '9 d', now() - interval '8 d', 1
        FROM generate_series(1, 10)";
    sqlx::query(old).execute(&mut conn).await.unwrap();
    let mut settings = knowing(&database, &broker);
    // As many passes as messages: there is no idle one before the last.
    (settings.most.outboxes, settings.most.messages) = (1, 1);
    let work = tokio::spawn(ran(settings));
    let done = "SELECT (SELECT count(*) FROM inbox_state WHERE delivered IS NOT NULL),
        (SELECT count(*) FROM outbox_state WHERE delivered < now() - interval '7 d'),
        (SELECT count(*) FROM outbox_state WHERE delivered IS NULL)";
    let end = std::time::Instant::now() + std::time::Duration::from_mins(1);
    let pending = loop {
        let (halves, old, pending): (i64, i64, i64) =
            sqlx::query_as(done).fetch_one(&mut conn).await.unwrap();
        if (halves, old) == (1, 0) {
            break pending;
        }
        assert!(pending > 0, "they had to wait for the end of the load: {halves}, {old}");
        assert!(std::time::Instant::now() < end, "{halves} {old} {pending}");
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    };
    assert!(pending > 0, "they had to wait for the end of the load");
    let stats = work.await.unwrap();
    assert_eq!(stats.delivered + stats.recovered, u64::from(OUTBOXES) + 2, "{stats:?}");
    assert_eq!(stats.purged, 10);
}

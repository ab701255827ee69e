//! What a real broker adds to the diagnosis: whether it answers, and where the messages of half-done consumers are.

use std::{collections::BTreeMap, time::Duration};

use chrono::{TimeDelta, Utc};
use lapin::{
    BasicProperties, ExchangeKind,
    options::{BasicPublishOptions, ExchangeDeclareOptions, QueueDeclareOptions},
    types::FieldTable,
};
use orderscope::{
    domain::{
        consumer::Consumer,
        diagnosis::{HalfDone, Inbound, Lock, Reached, WrongExchange},
        id::{ConsumerId, MessageId},
    },
    ops::{
        error_queue::{Broker as Address, Management, Scope, Source},
        messages::broker::{BrokerReport, Question, ask},
    },
};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};
use uuid::Uuid;

use crate::{
    pty::terminal::Start,
    support::{
        postgres::managed,
        rabbitmq::{self, Broker},
    },
    verbs::Home,
};

const NAME: &str = "Shop.Handler:Shop.Command:work";

fn consumer() -> Consumer {
    NAME.parse().unwrap()
}

fn message(number: u128) -> MessageId {
    MessageId(Uuid::from_u128(0x2222_0000 + number))
}

fn half(number: u128, consumer: ConsumerId) -> HalfDone {
    HalfDone {
        message: message(number),
        consumer,
        consumed: Utc::now() - TimeDelta::minutes(5),
        passes: 1,
        pending: 1,
        without_destination: false,
        destinations: vec![],
        lock: Lock::Free,
        inbound: Inbound::Unknown,
    }
}

/// Makes the queue, and puts a message with that id into it.
async fn waits_in(broker: &Broker, queue: &str, number: Option<u128>) {
    let (connection, channel) = broker.channel().await;
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(queue.into(), durable, FieldTable::default()).await.unwrap();
    if let Some(number) = number {
        let body = json!({ "messageId": message(number).0 }).to_string();
        let options = BasicPublishOptions::default();
        let properties = BasicProperties::default();
        let sent =
            channel.basic_publish("".into(), queue.into(), options, body.as_bytes(), properties);
        sent.await.unwrap().await.unwrap();
    }
    connection.close(200, "".into()).await.unwrap();
}

/// A management interface that says this of `work`, `work_error`, `work_delay` and `busy_skipped`, for as long as it is held.
pub(crate) struct Says(JoinHandle<()>, u16);

impl Says {
    pub(crate) fn management(&self) -> Management {
        Management::parse(&format!("http://127.0.0.1:{}", self.1)).unwrap()
    }
}

impl Drop for Says {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub(crate) async fn says(kind: &'static str, held: u32) -> Says {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let row = |name: &str| json!({ "name": name, "type": kind, "messages_unacknowledged": held });
    let queues =
        json!([row("work"), row("work_error"), row("work_delay"), row("busy_skipped")]).to_string();
    let exchange = |name: &str, kind: &str| json!({ "name": name, "type": kind });
    let exchanges =
        json!([exchange("", "direct"), exchange("A:Old", "topic"), exchange("A:B", "fanout")]);
    let exchanges = exchanges.to_string();
    let serve = async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 4_096];
            let _ = stream.read(&mut request).await;
            let is_exchanges = request.starts_with(b"GET /api/exchanges/");
            let body = if is_exchanges { &exchanges } else { &queues };
            let _ = stream.write_all(format!("HTTP/1.0 200 OK\r\n\r\n{body}").as_bytes()).await;
        }
    };
    Says(tokio::spawn(serve), port)
}

fn source(url: &str, management: Option<&Says>) -> Source {
    let management = management.map(Says::management);
    let scope = Scope { consumers: vec![consumer()], management, ..Scope::default() };
    Source { broker: Address::parse(url, None).unwrap(), scope }
}

async fn asked(source: &Source, halves: &[HalfDone]) -> BrokerReport {
    let question = Question {
        halves: halves.to_vec(),
        destinations: vec![],
        held: TimeDelta::minutes(1),
        now: Utc::now(),
    };
    ask(source, &question).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_in_a_queue_waits_and_one_in_neither_is_gone() {
    let broker = rabbitmq::broker().await;
    waits_in(&broker, "work", Some(1)).await;
    waits_in(&broker, "work_error", Some(2)).await;
    let id = consumer().id();
    let nobody = ConsumerId(Uuid::from_u128(4));
    let young = HalfDone { consumed: Utc::now(), ..half(5, id) };
    let halves = [half(1, id), half(2, id), half(3, id), half(4, nobody), young];
    let classic = says("classic", 0).await;
    let told = asked(&source(&broker.url(), Some(&classic)), &halves).await;
    assert_eq!(told.reached, Reached::Answers);
    let expected = BTreeMap::from([
        ((message(1), id), Inbound::Waits),
        ((message(2), id), Inbound::Waits),
        ((message(3), id), Inbound::Gone),
    ]);
    assert_eq!(told.inbound, expected);
    assert!(matches!(&told.notes[..], [note] if note.contains("messages.consumers")), "{told:?}");
    let depths = (broker.depth("work").await, broker.depth("work_error").await);
    assert_eq!(depths, (1, 1), "what was looked at is back");
    // Where a look would count, or somebody holds messages, nothing is called gone.
    for (kind, held, why) in
        [("quorum", 0, "counts as a delivery"), ("classic", 1, "hold 1 of its messages")]
    {
        let management = says(kind, held).await;
        let told = asked(&source(&broker.url(), Some(&management)), &halves[2..3]).await;
        assert_eq!(told.inbound.get(&(message(3), id)), Some(&Inbound::Unknown), "{told:?}");
        assert!(told.notes.iter().any(|note| note.contains(why)), "{told:?}");
    }
    let told = asked(&source(&broker.url(), None), &halves).await;
    assert_eq!((told.reached, told.inbound.len()), (Reached::Answers, 0));
    assert!(told.notes[0].contains("errors.management"), "{:?}", told.notes);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_of_another_type_than_messages_ask_for_is_found() {
    let broker = rabbitmq::broker().await;
    let management = says("classic", 0).await;
    let source = source(&broker.url(), Some(&management));
    let to = |name: &str| format!("rabbitmq://h/{name}");
    let row = HalfDone { destinations: vec![to("A:Old")], ..half(1, consumer().id()) };
    let question = Question {
        halves: vec![row],
        // One that is well, one that asks for what is there, one that is not there yet, one that is no address.
        destinations: vec![to("A:B"), to("A:Old?type=topic"), to("A:New"), "nowhere".to_owned()],
        held: TimeDelta::minutes(1),
        now: Utc::now(),
    };
    let told = ask(&source, &question).await;
    let wrong: Vec<_> = told.wrong_exchanges.iter().map(WrongExchange::describe).collect();
    assert_eq!(
        wrong,
        [
            "exchange A:Old is of type topic, its messages ask for fanout: the broker refuses them (406)"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_redelivered_with_a_delay_is_not_gone() {
    let broker = rabbitmq::broker().await;
    waits_in(&broker, "work", None).await;
    waits_in(&broker, "work_delay", Some(1)).await;
    let id = consumer().id();
    let classic = says("classic", 0).await;
    let source = source(&broker.url(), Some(&classic));
    let halves = [half(1, id), half(2, id)];
    let told = asked(&source, &halves).await;
    let expected =
        BTreeMap::from([((message(1), id), Inbound::Waits), ((message(2), id), Inbound::Gone)]);
    assert_eq!(told.inbound, expected, "{told:?}");
    // With the plugin it is an exchange that keeps them.
    let (connection, channel) = broker.channel().await;
    let (kind, options) = (ExchangeKind::Fanout, ExchangeDeclareOptions::default());
    let declared =
        channel.exchange_declare("work_delay".into(), kind, options, FieldTable::default());
    declared.await.unwrap();
    connection.close(200, "".into()).await.unwrap();
    let told = asked(&source, &halves).await;
    let expected =
        BTreeMap::from([((message(1), id), Inbound::Waits), ((message(2), id), Inbound::Unknown)]);
    assert_eq!(told.inbound, expected, "{told:?}");
    let notes = told.notes.iter().filter(|note| note.contains("work_delay: an exchange"));
    assert_eq!(notes.count(), 1, "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_away_is_told_from_one_that_refuses_us() {
    let broker = rabbitmq::broker().await;
    let told = asked(&source(&broker.url_as("nobody:wrong"), None), &[]).await;
    assert!(matches!(&told.reached, Reached::Refused(why) if why.contains("nobody")), "{told:?}");
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let told = asked(&source(&format!("amqp://u:p@{closed}/"), None), &[]).await;
    assert!(matches!(told.reached, Reached::Unreachable(_)), "{told:?}");
    // One that takes the connection and says nothing is given up too.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("amqp://u:p@{}/", silent.local_addr().unwrap());
    let told = tokio::time::timeout(Duration::from_secs(60), asked(&source(&url, None), &[])).await;
    assert!(matches!(told.unwrap().reached, Reached::Unreachable(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_verb_tells_what_the_broker_says_and_when_it_was_not_asked() {
    let (broker, database) = (rabbitmq::broker().await, managed().await);
    waits_in(&broker, "work", None).await;
    let mut conn = PgConnection::connect_with(&database).await.unwrap();
    let sql = format!(
        "INSERT INTO inbox_state (message_id, consumer_id, lock_id, received, receive_count, consumed)
         VALUES ('{message}', '{consumer}', gen_random_uuid(), now() - interval '1 hour', 1,
                 now() - interval '5 min');
         INSERT INTO outbox_message (sent_time, inbox_message_id, inbox_consumer_id, message_id, content_type,
             message_type, body, destination_address)
         VALUES (now(), '{message}', '{consumer}', gen_random_uuid(), 'x/y', 'urn:message:A:B', '{{}}', 'queue:q')",
        message = message(3).0,
        consumer = consumer().id().0,
    );
    conn.execute(AssertSqlSafe(sql)).await.unwrap();
    let classic = says("classic", 0).await;
    let why = |config: String| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        std::fs::write(&path, config).unwrap();
        let home = Home::on(&database);
        home.run(&["--config", path.to_str().unwrap(), "messages", "why", "--output", "json"]).out
    };
    let told = why(String::new());
    assert!(told.contains("the broker was not asked"), "{told}");
    let config = format!(
        "[relay]\nbroker = \"{}\"\n[messages]\nconsumers = [\"{NAME}\"]\n[errors]\nmanagement = \
         \"http://127.0.0.1:{}\"\n",
        broker.url(),
        classic.1
    );
    let told = why(config);
    assert!(told.contains("1 of them will never be redelivered"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_removes_failed_rows_is_told_that_their_messages_come_again() {
    let (broker, database) = (rabbitmq::broker().await, managed().await);
    waits_in(&broker, "work", None).await;
    waits_in(&broker, "work_error", Some(1)).await;
    let mut conn = PgConnection::connect_with(&database).await.unwrap();
    let config =
        format!("[relay]\nbroker = \"{}\"\n[messages]\nconsumers = [\"{NAME}\"]\n", broker.url());
    let home = Home::on(&database);
    let path = home.dir.path().join("named.toml");
    std::fs::write(&path, config).unwrap();
    let bare = ["inbox", "remove-failed", "--dry-run", "--output", "json"];
    let named = [&["--config", path.to_str().unwrap()], &bare[..]].concat();
    let mut add = async |number: u128| {
        let sql = format!(
            "INSERT INTO inbox_state (message_id, consumer_id, lock_id, received, receive_count)
             VALUES ('{}', '{}', gen_random_uuid(), now() - interval '3 days', 0)",
            message(number).0,
            consumer().id().0
        );
        conn.execute(AssertSqlSafe(sql)).await.unwrap();
    };
    add(3).await;
    let told = home.run(&bare).out;
    assert!(told.contains("whether the messages still wait"), "{told}");
    let told = home.run(&named).out;
    assert!(told.contains("none of the messages lies in its queue"), "{told}");
    add(1).await;
    let told = home.run(&named).out;
    assert!(told.contains("1 of the messages still lie in their queue"), "{told}");
    assert!(told.contains(&message(1).0.to_string()), "{told}");
    assert_eq!(broker.depth("work_error").await, 1, "what was looked at is back");

    // The console tells the same on its card.
    let config = format!("[messages]\nconsumers = [\"{NAME}\"]\n");
    let start = Start::new().on(&database).config(&config);
    let start = start.env("ORDERSCOPE_AMQP_URL", &broker.url()).arg("--operator").arg("mai");
    let mut terminal = start.arg("open").arg("ops://database/messages?inbox").open();
    terminal.shows("Diagnosis (");
    terminal.send("w");
    terminal.shows("Unlock writes");
    terminal.send("INC-7\r");
    terminal.shows("UNLOCKED");
    terminal.send("xf");
    terminal.shows("Remove failed inbox rows");
    terminal.send("\r\r");
    terminal.shows("1 of the messages still lie in their queue");
    terminal.send("\x1b");
    terminal.drops("unlock left");
    terminal.send("\x1b");
    terminal.drops("Remove failed inbox rows");
    terminal.send("q");
    terminal.ends_clean(0);
}

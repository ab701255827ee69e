//! Error queues of a real broker, filled with what the real service left in its own: looked into, replayed
//! and discarded by the real binary, killed in the middle too.

use std::{
    collections::BTreeSet,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use lapin::{
    BasicProperties,
    options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions, QueueDeleteOptions},
    types::{AMQPValue, FieldTable},
};
use orderscope::{
    domain::fault::{Fault, Judgement, Verdict, Why},
    ops::error_queue::{self, Choice, Chosen, ErrorAction, FaultCopy, Keep, Work},
    relay::{Confirmed, Limits, QueueInspector},
};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::{
    asked::says,
    pty::terminal::{environment, url},
    support::{
        fixture::{self, Schema},
        postgres::pg18,
        rabbitmq::{self, Broker},
    },
    verbs::Home,
};

const REAL: &str = include_str!("../fixtures/error-queues.jsonl");
const COMPLETE: &str = "basket-checkout-complete";
const FAILED: &str = "basket-checkout-failed";
const BOTH: [&str; 4] =
    ["--queue", "basket-checkout-complete_error", "--queue", "basket-checkout-failed_error"];

/// What lies in a queue.
pub struct Planted {
    queue: String,
    pub id: String,
    headers: Vec<(String, AMQPValue)>,
    pub body: String,
}

pub fn real() -> Vec<Planted> {
    REAL.lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            let headers = line["properties"]["headers"].as_object().unwrap();
            let value = |value: &Value| match value {
                Value::String(text) => AMQPValue::LongString(text.as_str().into()),
                other => AMQPValue::LongLongInt(other.as_i64().unwrap()),
            };
            Planted {
                queue: line["queue"].as_str().unwrap().to_owned(),
                id: line["properties"]["message_id"].as_str().unwrap().to_owned(),
                headers: headers.iter().map(|(name, held)| (name.clone(), value(held))).collect(),
                body: line["payload"].as_str().unwrap().to_owned(),
            }
        })
        .collect()
}

/// So many messages that no consumer of `busy` took: they wait, whatever the inbox says.
pub fn skipped(count: u32) -> Vec<Planted> {
    (0..count)
        .map(|number| Planted {
            queue: "busy_skipped".to_owned(),
            id: format!("00000000-0000-4000-8000-{number:012}"),
            headers: vec![("MT-Reason".into(), AMQPValue::LongString("dead-letter".into()))],
            body: json!({ "messageId": format!("00000000-0000-4000-8000-{number:012}") })
                .to_string(),
        })
        .collect()
}

pub async fn plant(broker: &Broker, messages: &[Planted], homes: &[&str]) {
    let (connection, channel) = broker.channel().await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let queues: BTreeSet<_> = messages.iter().map(|message| message.queue.as_str()).collect();
    for queue in queues.into_iter().chain(homes.iter().copied()) {
        let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        channel.queue_declare(queue.into(), durable, FieldTable::default()).await.unwrap();
    }
    for message in messages {
        let mut headers = FieldTable::default();
        for (name, value) in &message.headers {
            headers.insert(name.as_str().into(), value.clone());
        }
        let properties = BasicProperties::default()
            .with_message_id(message.id.as_str().into())
            .with_content_type("application/vnd.masstransit+json".into())
            .with_delivery_mode(2)
            .with_headers(headers);
        let options = BasicPublishOptions::default();
        let queue = message.queue.as_str().into();
        let body = message.body.as_bytes();
        let sent = channel.basic_publish("".into(), queue, options, body, properties).await;
        assert!(sent.unwrap().await.unwrap().is_ack());
    }
    connection.close(200, "".into()).await.unwrap();
}

/// Someone with a database and a broker.
struct Person {
    dir: TempDir,
    database: String,
    broker: String,
}

struct Done {
    code: i32,
    out: String,
    err: String,
}

impl Person {
    fn new(database: &PgConnectOptions, broker: &Broker) -> Self {
        let dir = tempfile::Builder::new().prefix("orderscope-test-").tempdir().unwrap();
        Self { dir, database: url(database), broker: broker.url() }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orderscope"));
        command.env_clear().envs(environment(self.dir.path())).current_dir(self.dir.path());
        command.env("DATABASE_URL", &self.database).env("ORDERSCOPE_AMQP_URL", &self.broker);
        command.env("ORDERSCOPE_PG_BIN", "/nonexistent");
        command.arg("errors").args(arguments).stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Done {
        let Output { status, stdout, stderr } = self.command(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Done { code: status.code().unwrap(), out: text(stdout), err: text(stderr) }
    }

    fn json(&self, arguments: &[&str], code: i32) -> Vec<Value> {
        serde_json::from_value(self.object(arguments, code)).unwrap()
    }

    fn object(&self, arguments: &[&str], code: i32) -> Value {
        let done = self.run(&[arguments, &["--output", "json"]].concat());
        assert_eq!(done.code, code, "{arguments:?}: {} {}", done.out, done.err);
        crate::verbs::facts(crate::verbs::parsed(&done.out))
    }

    /// What became of each message.
    fn items(&self, arguments: &[&str], code: i32) -> Vec<Value> {
        let mut done = self.object(arguments, code);
        assert_eq!(done["partly"], code == 5, "{done}");
        serde_json::from_value(done["items"].take()).unwrap()
    }
}

/// The copies that were kept, oldest first.
async fn copies(database: &PgConnectOptions) -> Vec<Value> {
    let mut conn = PgConnection::connect_with(database).await.unwrap();
    let sql = "SELECT to_jsonb(k) - 'body' || jsonb_build_object('text', convert_from(body, 'UTF8')) \
        FROM orderscope.kept_messages k ORDER BY number";
    sqlx::query_scalar(sql).fetch_all(&mut conn).await.unwrap()
}

/// A stage of one's own, recorded as its service's.
pub async fn attached(stage: &'static str) -> PgConnectOptions {
    let options = fixture::own(pg18(), Schema::Document, stage).await;
    let mut conn = PgConnection::connect_with(&options).await.unwrap();
    let mut tx = conn.begin().await.unwrap();
    orderscope::db::ownership::attach(&mut tx, None).await.unwrap();
    tx.commit().await.unwrap();
    options
}

/// How many rows say so.
fn count(rows: &[Value], field: &str, value: &str) -> usize {
    rows.iter().filter(|row| row[field] == value).count()
}

async fn handled() -> PgConnectOptions {
    attached("2-delivered").await
}

async fn untouched(broker: &Broker) {
    let real = real();
    for (queue, expected) in [(COMPLETE, &real[..5]), (FAILED, &real[5..])] {
        let left = broker.take(&format!("{queue}_error")).await;
        let ids: Vec<_> = left.iter().map(rabbitmq::Taken::id).collect();
        let expected: Vec<_> = expected.iter().map(|message| message.id.clone()).collect();
        assert_eq!(ids, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_tells_duplicates_from_failures_and_leaves_everything_in_its_place() {
    let broker = rabbitmq::broker().await;
    plant(&broker, &real(), &[]).await;
    for schema in [Schema::Document, Schema::Marten9] {
        let database = fixture::stage(pg18(), schema, "2-delivered").await;
        let person = Person::new(&database, &broker);
        let listed = person.json(&[&["list"], &BOTH[..]].concat(), 0);
        assert_eq!(listed.len(), 8);
        assert_eq!(
            (count(&listed, "verdict", "done"), count(&listed, "verdict", "waiting")),
            (5, 3)
        );
        let groups = person.json(&[&["groups"], &BOTH[..]].concat(), 0);
        let counts: Vec<_> = groups.iter().map(|group| group["count"].as_i64().unwrap()).collect();
        assert_eq!(counts, [3, 3, 2]);

        let failed = listed.iter().find(|row| row["verdict"] == "waiting").unwrap();
        let key = failed["key"].as_str().unwrap();
        let shown = person.run(&[&["show", &key[..8]], &BOTH[..]].concat());
        assert_eq!(shown.code, 0, "{}", shown.err);
        let shown = crate::verbs::facts(crate::verbs::parsed(&shown.out));
        assert_eq!(shown[0]["home"], FAILED);
        assert_eq!(shown[0]["order"], failed["order"]);
        assert_eq!(shown[0]["envelope"]["message"]["email"], "********");
        assert_eq!(shown[0]["headers"]["MT-Host-ProcessName"], "BookWorm.Ordering");

        let first = person.json(&[&["list", "--limit", "2"], &BOTH[..]].concat(), 5);
        assert_eq!(first.len(), 4, "two of each queue, and exit code 5: there are more");
        let none = person.json(&["list", "--queue", "nobody_error"], 1);
        assert!(none.is_empty());
    }
    untouched(&broker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_bulk_what_waits_is_replayed_as_it_was_and_what_is_done_discarded() {
    let broker = rabbitmq::broker().await;
    plant(&broker, &real(), &[COMPLETE, FAILED]).await;
    let database = handled().await;
    let person = Person::new(&database, &broker);
    let replay = [&["replay", "--all"], &BOTH[..]].concat();

    let planned = person.object(&[&replay[..], &["--dry-run"]].concat(), 0);
    let listed = |text: &str| {
        let listed = planned["listed"].as_array().unwrap().iter();
        listed.filter(|one| one["text"].as_str().unwrap().contains(text)).count()
    };
    assert_eq!((listed(&format!("→ {FAILED}\n")), listed("left where it is")), (3, 5));
    assert_eq!(person.run(&[&replay[..], &["--yes"]].concat()).code, 2, "a reason is needed");
    let replay = [&replay[..], &["--reason", "the service is back"]].concat();
    let asked = person.run(&replay);
    assert_eq!(asked.code, 4, "without --yes nothing is done: {}", asked.err);
    for told in [
        "ReplayErrors",
        "the service is back",
        "to basket-checkout-failed",
        "5 messages: done",
        "say --yes",
    ] {
        assert!(asked.err.contains(told), "no {told:?} in {}", asked.err);
    }
    let refused = person.run(&[&replay[..], &["--yes", "--read-only"]].concat());
    assert_eq!(refused.code, 4, "{}", refused.err);
    broker.rests(&["basket-checkout-failed_error"], 3).await;

    let replay = [&replay[..], &["--yes"]].concat();
    let done = person.items(&replay, 5);
    assert_eq!((count(&done, "what", "replayed"), count(&done, "what", "left")), (3, 5));
    assert_eq!(broker.depth("basket-checkout-failed_error").await, 0);
    let back = broker.take(FAILED).await;
    for (message, was) in back.iter().zip(&real()[5..]) {
        assert_eq!((message.id(), &message.body), (was.id.clone(), &was.body));
        let headers = message.properties.headers().as_ref().unwrap();
        let names: Vec<_> = headers.into_iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["x-dotnet-pub-seq-no"]);
        assert_eq!(*message.properties.delivery_mode(), Some(2));
        assert_eq!(message.exchange, "", "to this queue only, not to every subscriber");
    }
    assert_eq!(back.len(), 3);

    let discard = [&["discard", "--all", "--yes", "--reason", "duplicates"], &BOTH[..]].concat();
    let done = person.items(&discard, 0);
    assert_eq!(count(&done, "what", "discarded"), 5);
    assert_eq!(broker.depth("basket-checkout-complete_error").await, 0);
    assert_eq!(broker.depth(COMPLETE).await, 0);
    let copies = copies(&database).await;
    assert_eq!(copies.len(), 5, "what was replayed is in its queue");
    for (copy, was) in copies.iter().zip(&real()) {
        assert_eq!(
            (&copy["cause"], &copy["message_id"]),
            (&"discarded".into(), &was.id.as_str().into())
        );
        assert_eq!(copy["place"], "basket-checkout-complete_error");
        assert_eq!(copy["rest"]["properties"]["message_id"], was.id);
        assert_eq!(copy["text"], was.body);
        assert_eq!(copy["rest"]["headers"]["MT-Reason"], "fault");
    }
    let home = Home::on(&database);
    let list = home.json(&["audit", "list", "--reveal", "the test"], 0);
    let list = list.as_array().unwrap();
    let intents: Vec<_> = list.iter().map(|entry| entry["intent"].as_str().unwrap()).collect();
    assert_eq!(intents, ["DiscardErrors", "DiscardErrors", "ReplayErrors", "ReplayErrors"]);
    let meant = &list[1];
    assert_eq!(
        (&meant["reason"], &copies[0]["operation"]),
        (&"duplicates".into(), &meant["operation"])
    );
    let mut conn = PgConnection::connect_with(&database).await.unwrap();
    let after = "SELECT value::jsonb FROM orderscope.audit_values WHERE part = 'after' ORDER BY number DESC LIMIT 1";
    let after: Value = sqlx::query_scalar(after).fetch_one(&mut conn).await.unwrap();
    assert_eq!(after["became"]["done"].as_array().unwrap().len(), 5);
    assert_eq!(after["ended"], meant["operation"]);
    assert_eq!(list[3]["targets"].as_str().unwrap().split(' ').count(), 3);
    assert_eq!(home.json(&["audit", "verify"], 0)["sound"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_discarded_message_is_read_and_put_back_once_as_it_was() {
    let broker = rabbitmq::broker().await;
    plant(&broker, &real()[..1], &[]).await;
    let database = handled().await;
    let person = Person::new(&database, &broker);
    let listed = person.json(&["list", "--queue", "basket-checkout-complete_error"], 0);
    let key = listed[0]["key"].as_str().unwrap();
    let queue = ["--queue", "basket-checkout-complete_error"];
    let discard = ["discard", key, "--yes", "--reason", "too early"];
    person.object(&[&discard[..], &queue[..]].concat(), 0);
    assert_eq!(broker.depth("basket-checkout-complete_error").await, 0);

    let home = Home::on(&database);
    let copies = home.json(&["messages", "list", "--view", "kept"], 0);
    let number = copies[0]["copy"].to_string();
    let shown = home.json(&["messages", "show", "--kept", &number], 0);
    assert_eq!((&shown["cause"], &shown["key"]), (&"discarded".into(), &key.into()));
    assert_eq!(shown["headers"]["MT-Reason"], "fault");
    assert_eq!(shown["properties"]["message_id"], real()[0].id);
    assert_eq!(shown["body"]["messageId"], real()[0].id);
    let text = shown.to_string();
    assert!(!text.contains("@example") && !text.contains("@gmail"), "{text}");
    home.refused(&["messages", "show", "--kept", "999"], 1, &["no message is kept under"]);

    // Into the outbox it never belonged.
    let requeue = ["messages", "requeue", &number, "--yes", "--reason", "x"];
    home.refused(&requeue, 4, &["`orderscope errors restore"]);
    let restore = ["restore", &number, "--reason", "it was needed"];
    let planned = person.run(&[&restore[..], &["--dry-run"]].concat());
    assert!(planned.code == 0 && planned.out.contains("basket-checkout-complete_error"));
    assert_eq!(person.run(&restore).code, 4, "without --yes nothing is done");
    assert_eq!(broker.depth("basket-checkout-complete_error").await, 0);
    let done = person.run(&[&restore[..], &["--yes"]].concat());
    assert_eq!(done.code, 0, "{}", done.err);
    // It is told from others by the same key, and judged by the same headers.
    let again = person.json(&[&["list"], &queue[..]].concat(), 0);
    assert_eq!(again, listed);
    let back = broker.take("basket-checkout-complete_error").await;
    let (was, now) = (&real()[0], &back[0]);
    assert_eq!((now.id(), &now.body), (was.id.clone(), &was.body));
    assert_eq!(*now.properties.delivery_mode(), Some(2));
    let headers = now.properties.headers().as_ref().unwrap().into_iter();
    let names: BTreeSet<_> = headers.map(|(name, _)| name.as_str().to_owned()).collect();
    assert_eq!(names, was.headers.iter().map(|(name, _)| name.clone()).collect());

    let twice = person.run(&[&restore[..], &["--yes"]].concat());
    assert!(twice.code == 4 && twice.err.contains("put back already"), "{}", twice.err);
    let list = home.json(&["audit", "list"], 0);
    let list = list.as_array().unwrap();
    let intents: Vec<_> = list.iter().map(|entry| entry["intent"].as_str().unwrap()).collect();
    assert_eq!(intents[..2], ["RestoreErrors"; 2], "what was meant, and what it came to");
    let copies = home.json(&["messages", "list", "--view", "kept"], 0);
    assert!(copies[0]["returned"].is_string(), "{copies}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_discarded_message_stays_kept_where_its_queue_is_gone() {
    let broker = rabbitmq::broker().await;
    plant(&broker, &real()[..1], &[]).await;
    let database = handled().await;
    let person = Person::new(&database, &broker);
    let queue = "basket-checkout-complete_error";
    person.object(&["discard", "--all", "--yes", "--reason", "x", "--queue", queue], 0);
    let (connection, channel) = broker.channel().await;
    channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.unwrap();
    connection.close(200, "".into()).await.unwrap();
    let home = Home::on(&database);
    let number = home.json(&["messages", "list", "--view", "kept"], 0)[0]["copy"].to_string();
    let refused = person.run(&["restore", &number, "--yes", "--reason", "x"]);
    assert!(refused.code == 4 && refused.err.contains("there is no queue"), "{}", refused.err);
    let copies = home.json(&["messages", "list", "--view", "kept"], 0);
    assert!(copies[0]["returned"].is_null(), "{copies}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_taken_that_cannot_be_recorded_or_is_not_allowed() {
    let broker = rabbitmq::broker().await;
    plant(&broker, &real(), &[COMPLETE, FAILED]).await;
    let database = fixture::stage(pg18(), Schema::Document, "2-delivered").await;
    let bare = Person::new(&database, &broker);
    let allowed = Person::new(&handled().await, &broker);
    let config = format!(
        "[contexts.shop]\nurl = \"{}\"\nallow = {{ nobody = [\"ReplayErrors\"] }}\n",
        allowed.database
    );
    std::fs::write(allowed.dir.path().join("shop.toml"), config).unwrap();
    for verb in ["replay", "discard"] {
        let bulk = [&[verb, "--all", "--yes", "--reason", "x"], &BOTH[..]].concat();
        let done = bare.run(&bulk);
        assert_eq!(done.code, 4, "{}", done.err);
        assert!(done.err.contains("orderscope attach"), "{}", done.err);
        let other = [&bulk[..], &["--config", "shop.toml", "--context", "shop"]].concat();
        let done = allowed.run(&other);
        assert_eq!(done.code, 4, "{}", done.err);
        assert!(done.err.contains("not allowed to your roles in shop"), "{}", done.err);
    }
    untouched(&broker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_have_been_done_is_replayed_only_by_name_and_on_demand() {
    let broker = rabbitmq::broker().await;
    plant(&broker, &real(), &[COMPLETE, FAILED]).await;
    // An inbox without rows tells nothing.
    let person = Person::new(&attached("1-backlog").await, &broker);
    let listed = person.json(&[&["list"], &BOTH[..]].concat(), 0);
    let verdicts =
        (count(&listed, "verdict", "probable duplicate"), count(&listed, "verdict", "unknown"));
    assert_eq!(verdicts, (5, 3));
    for verb in ["replay", "discard"] {
        let bulk = [&[verb, "--all", "--yes", "--reason", "x"], &BOTH[..]].concat();
        let refused = person.run(&bulk);
        assert_eq!((refused.code, refused.out.as_str()), (4, ""), "{}", refused.err);
        assert!(refused.err.contains("blocked: none of these may be"), "{}", refused.err);
    }
    let key = listed[6]["key"].as_str().unwrap();
    let one = [&["replay", key, "--yes", "--reason", "checked by hand"], &BOTH[..]].concat();
    let refused = person.run(&one);
    assert_eq!(refused.code, 4, "{}", refused.err);
    assert!(refused.err.contains("--run-again"), "{}", refused.err);
    broker.rests(&["basket-checkout-failed_error"], 3).await;

    let again = [&one[..], &["--run-again"]].concat();
    let asked = person.run(&again);
    assert_eq!(asked.code, 4, "--yes is not enough: {}", asked.err);
    assert!(asked.err.contains("--confirm 'REPLAY database'"), "{}", asked.err);
    let done = person.items(&[&again[..], &["--confirm", "REPLAY database"]].concat(), 0);
    assert_eq!(done[0]["what"], "replayed");
    let back = broker.take(FAILED).await;
    assert_eq!(back.iter().map(rabbitmq::Taken::id).collect::<Vec<_>>(), [real()[6].id.clone()]);
    // The others kept their places around the gap.
    let left = broker.take("basket-checkout-failed_error").await;
    let ids: Vec<_> = left.iter().map(rabbitmq::Taken::id).collect();
    assert_eq!(ids, [real()[5].id.clone(), real()[7].id.clone()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_queue_it_came_from_nothing_moves() {
    let broker = rabbitmq::broker().await;
    plant(&broker, &real(), &[]).await;
    let person = Person::new(&handled().await, &broker);
    let replay = [&["replay", "--all", "--yes", "--reason", "x"], &BOTH[..]].concat();
    let done = person.run(&replay);
    assert_eq!(done.code, 5, "{}", done.err);
    assert!(done.err.contains("there is no queue basket-checkout-failed"), "{}", done.err);
    untouched(&broker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_returned_message_stays_where_it_is() {
    let broker = rabbitmq::broker().await;
    plant(&broker, &skipped(3), &[]).await;
    let to = orderscope::relay::Broker::parse(&broker.url(), None).unwrap();
    let inspector = QueueInspector::connect(&to, "tests", Limits::default().wait).await.unwrap();
    let walk = inspector.walk("busy_skipped").await.unwrap().unwrap();
    let taken = walk.next().await.unwrap().unwrap();
    assert_eq!(walk.send_home(&taken, "nowhere").await, Ok(Confirmed::Returned));
    walk.close().await.unwrap();
    assert!(inspector.walk("nowhere").await.unwrap().is_none());
    inspector.close().await;
    let ids: Vec<_> = broker.take("busy_skipped").await.iter().map(rabbitmq::Taken::id).collect();
    assert_eq!(ids, skipped(3).into_iter().map(|message| message.id).collect::<Vec<_>>());
}

/// A disk that is full after so many copies.
struct Full(usize);

impl Keep for Full {
    async fn keep(&mut self, _copy: &FaultCopy) -> Result<(), String> {
        self.0 = self.0.checked_sub(1).ok_or("the disk is full")?;
        Ok(())
    }
}

/// Everything in `busy_skipped`, as a plan has it.
async fn everything(broker: &orderscope::relay::Broker, action: ErrorAction) -> Work {
    let inspector = QueueInspector::connect(broker, "tests", Limits::default().wait).await.unwrap();
    let look = inspector.look("busy_skipped", &Limits::default()).await.unwrap();
    inspector.close().await;
    let chosen = look.messages.iter().map(|raw| Chosen {
        key: Fault::read(raw).key,
        queue: raw.queue.clone(),
        home: Some("busy".to_owned()),
        verdict: Verdict::Waiting,
        why: String::new(),
        message: None,
    });
    Work {
        action,
        choice: Choice { chosen: chosen.collect(), left: vec![] },
        pause: Duration::ZERO,
        limits: Limits::default(),
        management: None,
    }
}

fn waiting() -> Judgement {
    Judgement { verdict: Verdict::Waiting, why: Why::NoConsumer }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_copied_is_not_taken() {
    let broker = rabbitmq::broker().await;
    plant(&broker, &skipped(5), &["busy"]).await;
    let to = orderscope::relay::Broker::parse(&broker.url(), None).unwrap();
    let work = everything(&to, ErrorAction::Discard).await;
    let judge = |_: &Fault| waiting();
    let stop = CancellationToken::new();
    let outcome = error_queue::run(&to, &work, &mut Full(2), judge, &stop).await.unwrap();
    assert_eq!((outcome.done.len(), outcome.left.len()), (2, 3));
    assert!(outcome.stopped.unwrap().contains("the disk is full"));
    broker.rests(&["busy_skipped"], 3).await;
    assert_eq!(broker.depth("busy").await, 0);
}

/// Whoever looks next must see all of it, however busy the broker is.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_looked_at_is_in_its_queue_again_when_the_look_ends() {
    const MANY: u32 = 300;
    let broker = rabbitmq::broker().await;
    plant(&broker, &skipped(MANY), &["busy"]).await;
    let to = orderscope::relay::Broker::parse(&broker.url(), None).unwrap();
    let limits = Limits::default();
    for _ in 0..10 {
        let inspector = QueueInspector::connect(&to, "tests", limits.wait).await.unwrap();
        let look = inspector.look("busy_skipped", &limits).await.unwrap();
        assert_eq!(look.messages.len(), MANY as usize);
        let walk = inspector.walk("busy_skipped").await.unwrap().unwrap();
        for _ in 0..MANY {
            walk.next().await.unwrap().expect("the look gave all of it back");
        }
        walk.close().await.unwrap();
        let status = inspector.status("busy_skipped").await.unwrap().unwrap();
        assert_eq!(status.ready, MANY, "the walk gave all of it back");
        inspector.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_since_the_plan_is_left_and_what_is_gone_is_told() {
    let broker = rabbitmq::broker().await;
    plant(&broker, &skipped(4), &["busy"]).await;
    let to = orderscope::relay::Broker::parse(&broker.url(), None).unwrap();
    let mut work = everything(&to, ErrorAction::Replay).await;
    let nobody = says("classic", 0).await;
    work.management = Some(nobody.management());
    let first = work.choice.chosen[0].key.clone();
    // Someone else takes the second.
    let inspector = QueueInspector::connect(&to, "tests", Limits::default().wait).await.unwrap();
    let walk = inspector.walk("busy_skipped").await.unwrap().unwrap();
    let _first = walk.next().await.unwrap().unwrap();
    walk.settle(walk.next().await.unwrap().unwrap()).await.unwrap();
    walk.close().await.unwrap();
    inspector.close().await;
    let judge = |fault: &Fault| {
        if fault.key == first {
            return Judgement { verdict: Verdict::Done, why: Why::NoConsumer };
        }
        waiting()
    };
    let (mut keep, stop) = (Full(usize::MAX), CancellationToken::new());
    let outcome = error_queue::run(&to, &work, &mut keep, judge, &stop).await.unwrap();
    assert_eq!(outcome.left, [(first, "it was waiting, now it is done".to_owned())]);
    assert_eq!(outcome.gone, [work.choice.chosen[1].key.clone()]);
    assert_eq!((outcome.done.len(), outcome.stopped), (2, None));
    stop.cancel();
    let outcome = error_queue::run(&to, &work, &mut keep, |_: &Fault| waiting(), &stop);
    assert_eq!(outcome.await.unwrap().stopped.as_deref(), Some("stopped by the operator"));
    broker.rests(&["busy_skipped"], 1).await;
    assert_eq!(broker.depth("busy").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_operator_holds_is_not_called_gone() {
    let broker = rabbitmq::broker().await;
    plant(&broker, &skipped(3), &["busy"]).await;
    let to = orderscope::relay::Broker::parse(&broker.url(), None).unwrap();
    let mut work = everything(&to, ErrorAction::Replay).await;
    // Another look holds the first two and has not given them back.
    let inspector = QueueInspector::connect(&to, "tests", Limits::default().wait).await.unwrap();
    let walk = inspector.walk("busy_skipped").await.unwrap().unwrap();
    let taken = [walk.next().await.unwrap().unwrap(), walk.next().await.unwrap().unwrap()];
    let (mut keep, stop) = (Full(usize::MAX), CancellationToken::new());
    let outcome = error_queue::run(&to, &work, &mut keep, |_: &Fault| waiting(), &stop).await;
    let outcome = outcome.unwrap();
    assert_eq!((outcome.done.len(), outcome.gone.len()), (1, 0), "{outcome:?}");
    let told =
        "not met in busy_skipped: held by another consumer, or gone; errors.management would tell";
    assert!(
        outcome.left.len() == 2 && outcome.left.iter().all(|(_, why)| why == told),
        "{outcome:?}"
    );
    // The management interface knows that they are held.
    let held = says("classic", 2).await;
    work.management = Some(held.management());
    let outcome = error_queue::run(&to, &work, &mut keep, |_: &Fault| waiting(), &stop).await;
    let outcome = outcome.unwrap();
    let told = "held by another consumer: 2 messages of busy_skipped not acknowledged";
    assert!(
        outcome.left.len() == 3 && outcome.left.iter().all(|(_, why)| why == told),
        "{outcome:?}"
    );
    drop(taken);
    walk.close().await.unwrap();
    inspector.close().await;
    broker.rests(&["busy_skipped"], 2).await;
}

/// Until `met` is true of the depths of `busy_skipped` and `busy`.
async fn until(broker: &Broker, met: impl Fn(u32, u32) -> bool) {
    let end = Instant::now() + Duration::from_secs(120);
    loop {
        let depths = (broker.depth("busy_skipped").await, broker.depth("busy").await);
        if met(depths.0, depths.1) {
            return;
        }
        assert!(Instant::now() < end, "still {depths:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_of_a_replay_nothing_is_lost() {
    const ALL: u32 = 200;
    let broker = rabbitmq::broker().await;
    plant(&broker, &skipped(ALL), &["busy"]).await;
    let person = Person::new(&handled().await, &broker);
    let replay = ["replay", "--all", "--yes", "--reason", "x", "--queue", "busy_skipped"];
    let slowly = [&replay[..], &["--rate", "50"]].concat();
    let mut child = person.command(&slowly).stdout(Stdio::null()).spawn().unwrap();
    until(&broker, |_, home| home >= 5).await;
    child.kill().unwrap();
    child.wait().unwrap();
    // What it had taken comes back when the broker sees that it is gone.
    until(&broker, |failed, home| failed + home >= ALL).await;
    let (failed, home) = (broker.depth("busy_skipped").await, broker.depth("busy").await);
    assert!(failed > 0, "it was killed too late");
    assert!(failed + home <= ALL + 1, "{failed} and {home}: at most one may be in both");

    let done = person.run(&[&replay[..], &["--rate", "1000"]].concat());
    assert_eq!(done.code, 0, "{}", done.err);
    let back = broker.take("busy").await;
    let ids: BTreeSet<_> = back.iter().map(rabbitmq::Taken::id).collect();
    assert_eq!(ids, skipped(ALL).into_iter().map(|message| message.id).collect());
    assert!(back.len() <= ALL as usize + 1, "{} for {ALL}", back.len());
    assert_eq!(broker.depth("busy_skipped").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_cannot_be_used_is_told_with_its_cause() {
    let broker = rabbitmq::broker().await;
    let mut person = Person::new(&handled().await, &broker);
    person.broker = "amqp://relay:secret@127.0.0.1:1/".to_owned();
    let done = person.run(&[&["list"], &BOTH[..]].concat());
    assert_eq!(done.code, 3, "{}", done.err);
    assert!(done.err.contains("cannot reach RabbitMQ at 127.0.0.1:1"), "{}", done.err);
    person.broker = broker.url_as("relay:wrong");
    let done = person.run(&[&["list"], &BOTH[..]].concat());
    assert_eq!(done.code, 4, "{}", done.err);
    assert!(!done.err.contains("wrong"), "{}", done.err);
    assert_eq!(person.run(&["list"]).code, 2, "no queue is named");
    let none = ["replay", "--queue", "a_error", "--reason", "x"];
    assert_eq!(person.run(&none).code, 2, "no message is named");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_of_a_discard_nothing_is_lost() {
    const ALL: u32 = 200;
    let broker = rabbitmq::broker().await;
    plant(&broker, &skipped(ALL), &["busy"]).await;
    let database = handled().await;
    let person = Person::new(&database, &broker);
    let queue = ["--queue", "busy_skipped"];
    let listed = person.json(&[&["list"], &queue[..]].concat(), 0);
    let keys: Vec<String> =
        listed.iter().map(|row| row["key"].as_str().unwrap().to_owned()).collect();
    assert_eq!(keys.len(), ALL as usize);
    let discard = |keys: &[String]| {
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let how = ["--yes", "--reason", "x", "--queue", "busy_skipped"];
        person.command(&[&["discard"], &keys[..], &how[..]].concat())
    };
    let mut child = discard(&keys).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let kept = async || -> BTreeSet<String> {
        let copies = copies(&database).await;
        copies.iter().map(|copy| copy["text"].as_str().unwrap().to_owned()).collect()
    };
    let end = Instant::now() + Duration::from_secs(120);
    while kept().await.len() < 5 {
        assert!(Instant::now() < end, "nothing was discarded");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // What it had taken comes back when the broker sees that it is gone; a copy is there before a message goes.
    let bodies: BTreeSet<String> = skipped(ALL).into_iter().map(|message| message.body).collect();
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let (left, kept) = (broker.depth("busy_skipped").await as usize, kept().await.len());
        if left + kept >= ALL as usize {
            assert!(left > 0, "it was killed too late");
            assert!(left + kept <= ALL as usize + 1, "{left} and {kept}: at most one is in both");
            break;
        }
        assert!(Instant::now() < end, "{left} left and {kept} copies of {ALL}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let left = person.json(&[&["list"], &queue[..]].concat(), 0);
    let keys: Vec<String> =
        left.iter().map(|row| row["key"].as_str().unwrap().to_owned()).collect();
    let done = discard(&keys).output().unwrap();
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(kept().await, bodies);
    assert_eq!(broker.depth("busy_skipped").await, 0);
}

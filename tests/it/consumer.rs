//! Commands that come as messages, over a real RabbitMQ: once, however often they come; what cannot be done lies
//! in the error queue with its cause.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use lapin::{
    BasicProperties,
    options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions},
    types::FieldTable,
};
use orderscope::{
    domain::{
        decide::Command,
        event::EventKind,
        fault::{Fault, Kind, Raw},
        id::OrderId,
        inbound::Commands,
        order::Status,
    },
    ops::operation::Writer,
    workers::consumer::{self, Settings, Stats, Until},
};
use serde_json::{Value, json};
use sqlx::Executor;
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    commands::world::{World, limited, writer},
    support::rabbitmq::{Broker, broker, exclusive},
    verbs::{Done, Home},
};

pub const QUEUE: &str = "orderscope-commands";
pub const COMPLETE: &str = "Orderscope.Contracts:CompleteOrder";
const CANCEL: &str = "Orderscope.Contracts:CancelOrder";
/// Gets what the commands produce.
pub const NOTICES: &str = "notices";

fn commands() -> Commands {
    Commands {
        queue: QUEUE.to_owned(),
        complete: Commands::COMPLETE.to_owned(),
        cancel: Commands::CANCEL.to_owned(),
    }
}

pub fn envelope(message: Uuid, exchange: &str, said: &Value) -> String {
    json!({
        "messageId": message,
        "conversationId": Uuid::from_u128(77),
        "messageType": [format!("urn:message:{exchange}")],
        "message": said,
        "headers": {},
    })
    .to_string()
}

/// Sends bodies to an exchange, each confirmed and on disk.
pub async fn publish(broker: &Broker, exchange: &str, bodies: &[String]) {
    let (connection, channel) = broker.channel().await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    for body in bodies {
        let properties = BasicProperties::default()
            .with_delivery_mode(2)
            .with_expiration("3600000".into())
            .with_content_type("application/vnd.masstransit+json".into());
        let options = BasicPublishOptions { mandatory: true, ..Default::default() };
        let (to, body) = (exchange.into(), body.as_bytes());
        let sent = channel.basic_publish(to, "".into(), options, body, properties).await.unwrap();
        assert!(matches!(sent.await.unwrap(), lapin::Confirmation::Ack(None)), "no queue took it");
    }
    connection.close(200, "".into()).await.unwrap();
}

struct Running {
    stop: CancellationToken,
    stats: watch::Receiver<Stats>,
    task: JoinHandle<Result<Stats, consumer::Error>>,
}

impl Running {
    /// A consumer of its own, with its own sessions.
    async fn start(world: &World, broker: &Broker, until: Until) -> Self {
        Self::trying(world, broker, until, Settings::ATTEMPTS).await
    }

    /// One that gives a message up after so many attempts.
    async fn trying(world: &World, broker: &Broker, until: Until, attempts: u32) -> Self {
        let writer = writer(&world.options, "robot").await.unwrap();
        Self::with(writer, broker, until, attempts)
    }

    fn with(writer: Writer, broker: &Broker, until: Until, attempts: u32) -> Self {
        let to = orderscope::relay::Broker::parse(&broker.url(), None).unwrap();
        let settings = Settings {
            retry: (Duration::from_millis(50), Duration::from_millis(400)),
            attempts,
            limits: orderscope::db::Limits {
                statement: Duration::from_secs(60),
                ..Default::default()
            },
            ..Settings::new(to, commands())
        };
        let stop = CancellationToken::new();
        let (sender, stats) = watch::channel(Stats::default());
        let told = stop.clone();
        let task = tokio::spawn(async move {
            let clock = Arc::new(chrono::Utc::now);
            let ended = consumer::run(&settings, &writer, until, clock, told, sender).await;
            writer.close().await;
            ended
        });
        Self { stop, stats, task }
    }

    async fn end(self) -> Stats {
        self.stop.cancel();
        self.task.await.unwrap().unwrap()
    }

    fn settled(&self) -> u64 {
        let stats = self.stats.borrow();
        stats.handled + stats.duplicates + stats.refused + stats.skipped
    }
}

/// Declares everything, by a run over an empty queue; and a queue for what is produced.
async fn prepared(world: &World, broker: &Broker) {
    let run = Running::start(world, broker, Until::Empty).await;
    assert_eq!(run.task.await.unwrap().unwrap(), Stats::default());
    broker.bind(NOTICES, &[EventKind::Completed.contract(), EventKind::Cancelled.contract()]).await;
}

/// So many orders, and for each a message that completes it.
async fn to_complete(world: &World, broker: &Broker, orders: usize) -> Vec<OrderId> {
    let buyer = world.buyer().await;
    let (mut ids, mut bodies) = (vec![], vec![]);
    for _ in 0..orders {
        let id = world.order(buyer).await;
        bodies.push(envelope(Uuid::now_v7(), COMPLETE, &json!({ "orderId": id })));
        ids.push(id);
    }
    publish(broker, COMPLETE, &bodies).await;
    ids
}

async fn wait(what: &str, holds: impl AsyncFn() -> bool) {
    let end = Instant::now() + Duration::from_secs(120);
    while !holds().await {
        assert!(Instant::now() < end, "never {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

const OPEN: &str = "SELECT count(*) FROM inbox_state WHERE consumed IS NULL OR delivered IS NULL";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_are_done_once_however_often_they_come() {
    let (broker, world) = (broker().await, World::managed().await);
    prepared(&world, &broker).await;
    let buyer = world.buyer().await;
    let (mut completing, mut cancelling) = (vec![], vec![]);
    let (mut completes, mut cancels) = (vec![], vec![]);
    for _ in 0..5 {
        let (first, second) = (world.order(buyer).await, world.order(buyer).await);
        let body = envelope(Uuid::now_v7(), COMPLETE, &json!({ "orderId": first }));
        completes.extend(vec![body; 3]);
        let said = json!({ "orderId": second, "reason": "sold out" });
        cancels.extend(vec![envelope(Uuid::now_v7(), CANCEL, &said); 3]);
        completing.push(first);
        cancelling.push(second);
    }
    let both = [
        Running::start(&world, &broker, Until::Told).await,
        Running::start(&world, &broker, Until::Told).await,
    ];
    publish(&broker, COMPLETE, &completes).await;
    publish(&broker, CANCEL, &cancels).await;
    wait("settled", async || both.iter().map(Running::settled).sum::<u64>() == 30).await;
    let mut sum = (0, 0, 0);
    for run in both {
        let stats = run.end().await;
        sum = (sum.0 + stats.handled, sum.1 + stats.duplicates, sum.2 + stats.refused);
    }
    assert_eq!(sum, (10, 20, 0));
    assert_eq!(broker.depth(QUEUE).await, 0);
    for (ids, status) in [(completing, Status::Completed), (cancelling, Status::Cancelled)] {
        for id in ids {
            assert_eq!(world.agrees(id, 2).await.row_status(), Some(status));
        }
    }
    let notices = broker.take(NOTICES).await;
    let ids: BTreeSet<_> = notices.iter().map(crate::support::rabbitmq::Taken::id).collect();
    assert_eq!((notices.len(), ids.len()), (10, 10), "each notice left once");
    assert_eq!(world.count(OPEN).await, 0);
    let recorded =
        "SELECT count(*) FROM orderscope.audit a JOIN orderscope.audit_values v USING (number)
        WHERE a.operator = 'robot' AND v.part = 'reason' AND v.value LIKE '%message %: sold out%'";
    assert_eq!(world.count(recorded).await, 5);
}

pub fn with_broker(home: &Home, broker: &Broker, more: &[&str]) -> Done {
    let mut command = home.command();
    command
        .env("ORDERSCOPE_AMQP_URL", broker.url_as("relay"))
        .env("ORDERSCOPE_AMQP_PASSWORD", "secret");
    let done = command.args(more).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Done { code: done.status.code().unwrap(), out: text(done.stdout), err: text(done.stderr) }
}

pub fn configured(home: &Home, text: &str) {
    let dir = home.dir.path().join("config/orderscope");
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("config.toml"), text).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_done_lies_in_the_error_queue_with_its_cause() {
    let (broker, world) = (broker().await, World::managed().await);
    prepared(&world, &broker).await;
    let done = world.order(world.buyer().await).await;
    world.run(Command::CompleteOrder { id: done }).await.unwrap();
    let unknown = OrderId(Uuid::from_u128(404));
    let refused = Uuid::now_v7();
    let said = |id: OrderId| json!({ "orderId": id, "reason": "x" });
    let bodies = [
        envelope(refused, COMPLETE, &said(done)),
        envelope(Uuid::now_v7(), CANCEL, &said(unknown)),
        envelope(Uuid::now_v7(), COMPLETE, &json!({ "orderId": "7" })),
        "{ not json".to_owned(),
        envelope(Uuid::now_v7(), "Shop.Contracts:Other", &said(done)),
    ];
    publish(&broker, COMPLETE, &bodies).await;

    let home = Home::on(&world.options);
    let once = ["consume", "--once", "--output", "json", "--operator", "robot"];
    let off = with_broker(&home, &broker, &[&once[..], &["--yes"]].concat());
    assert_eq!(off.code, 2, "{off:?}");
    assert!(off.err.contains("commands.queue"), "{off:?}");
    configured(&home, &format!("[commands]\nqueue = \"{QUEUE}\"\n"));
    assert_eq!(with_broker(&home, &broker, &once).code, 4, "nobody said yes");
    let locked = with_broker(&home, &broker, &[&once[..], &["--yes", "--read-only"]].concat());
    assert_eq!(locked.code, 4, "{locked:?}");
    broker.rests(&[QUEUE], 5).await;
    let ran = with_broker(&home, &broker, &[&once[..], &["--yes"]].concat());
    assert_eq!(ran.code, 5, "{ran:?}");
    let ran = crate::verbs::facts(crate::verbs::parsed(&ran.out));
    assert_eq!((&ran[0]["refused"], &ran[0]["skipped"]), (&json!(4), &json!(1)), "{ran}");
    assert_eq!(broker.depth(QUEUE).await, 0);

    // The error queue is known by the configuration alone.
    let listed = with_broker(&home, &broker, &["errors", "list", "--output", "json"]);
    let list = crate::verbs::parsed(&listed.out);
    let text = list.to_string();
    for told in ["Orderscope.Refused", "Orderscope.Malformed", "only a New order completes"] {
        assert!(text.contains(told), "no {told} in {list:#}");
    }
    let moved = broker.take(&format!("{QUEUE}_error")).await;
    assert_eq!(moved.len(), 4);
    let faults: Vec<Fault> = moved.iter().map(|taken| fault(taken, "_error")).collect();
    let first = &faults[0];
    assert_eq!((first.kind, first.message.unwrap().0), (Kind::Failed, refused));
    assert_eq!(first.exception.as_deref(), Some("Orderscope.Refused"));
    assert_eq!(first.consumer.as_deref(), Some("Orderscope.Handlers.CompleteOrderHandler"));
    assert_eq!(first.message_type.as_deref(), Some("Orderscope.Contracts.CompleteOrder"));
    assert_eq!((first.origin(), first.order), (Ok(QUEUE), Some(done)));
    assert!(first.failed.is_some() && first.host.machine.is_some(), "{first:?}");
    assert!(moved.iter().zip(&bodies).all(|(taken, body)| &taken.body == body), "unchanged");
    assert!(moved.iter().all(|taken| taken.properties.expiration().is_none()));
    let malformed = |fault: &Fault| fault.exception.as_deref() == Some("Orderscope.Malformed");
    assert_eq!(faults.iter().filter(|fault| malformed(fault)).count(), 2);
    let skipped = broker.take(&format!("{QUEUE}_skipped")).await;
    assert_eq!(fault(&skipped[0], "_skipped").kind, Kind::Skipped);
    world.agrees(done, 2).await;
}

fn fault(taken: &crate::support::rabbitmq::Taken, ending: &str) -> Fault {
    let headers = taken.properties.headers().as_ref().unwrap();
    let text = |value: &lapin::types::AMQPValue| match value {
        lapin::types::AMQPValue::LongString(text) => json!(text.to_string()),
        lapin::types::AMQPValue::LongLongInt(number) => json!(number),
        other => panic!("{other:?} is no text"),
    };
    Fault::read(&Raw {
        queue: format!("{QUEUE}{ending}"),
        headers: headers.into_iter().map(|(k, v)| (k.to_string(), text(v))).collect(),
        body: taken.body.clone().into_bytes(),
        ..Raw::default()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_connections_lose_nothing_and_do_nothing_twice() {
    const ORDERS: usize = 40;
    let (broker, world) = (exclusive().await, World::managed().await);
    prepared(&world, &broker).await;
    let ids = to_complete(&world, &broker, ORDERS).await;
    // A server that is away is no attempt, or the first break would fill the error queue.
    let run = Running::trying(&world, &broker, Until::Told, 1).await;
    let settled = |least: usize| {
        let run = &run;
        async move || run.settled() >= least as u64
    };
    wait("begun", settled(3)).await;
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    world.conn().await.execute(end).await.unwrap();
    wait("gone on", settled(8)).await;
    assert!(run.settled() < ORDERS as u64, "it was too fast to be disturbed");
    broker.kill();
    broker.start().await;
    let completed = "SELECT count(*) FROM orders WHERE status = 2";
    wait("all done", async || {
        let all = i64::try_from(ORDERS).unwrap();
        world.count(completed).await == all && world.count(OPEN).await == 0
    })
    .await;
    wait("all acknowledged", async || broker.depth(QUEUE).await == 0).await;
    let stats = run.end().await;
    assert_eq!(stats.refused, 0, "{stats:?}");
    for id in ids {
        world.agrees(id, 2).await;
    }
    let notices = broker.take(NOTICES).await;
    let sent: BTreeSet<_> = notices.iter().map(crate::support::rabbitmq::Taken::id).collect();
    assert_eq!(sent.len(), ORDERS, "every notice left");
    // One at a time: each break can at most repeat the notice that was under way.
    assert!(notices.len() <= ORDERS + 2, "{} notices", notices.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_again_and_again_is_given_up_and_the_others_go_on() {
    let (broker, world) = (broker().await, World::managed().await);
    prepared(&world, &broker).await;
    let buyer = world.buyer().await;
    let (held, free) = (world.order(buyer).await, world.order(buyer).await);
    let ids = [Uuid::now_v7(), Uuid::now_v7()];
    let body = |id: Uuid, order: OrderId| envelope(id, COMPLETE, &json!({ "orderId": order }));
    publish(&broker, COMPLETE, &[body(ids[0], held), body(ids[1], free)]).await;
    let mut other = world.conn().await;
    other.execute("BEGIN").await.unwrap();
    sqlx::query("SELECT FROM orders WHERE id = $1 FOR UPDATE")
        .bind(held)
        .execute(&mut other)
        .await
        .unwrap();
    // Until the queue is empty: what may pass is tried again then too, as often and not for ever.
    let long = Duration::from_mins(1);
    let limits = orderscope::db::Limits {
        // Locks are waited for three quarters of it.
        statement: Duration::from_secs(8),
        planning: long,
        connect: long,
        acquire: long,
        ..Default::default()
    };
    let patient = limited(&world.options, "robot", &limits).await.unwrap();
    let run = Running::with(patient, &broker, Until::Empty, 3);
    let stats = run.task.await.unwrap().unwrap();
    assert_eq!((stats.handled, stats.refused, stats.again), (1, 1, 2), "{stats:?}");
    assert_eq!(broker.depth(QUEUE).await, 0);
    world.agrees(free, 2).await;
    let moved = broker.take(&format!("{QUEUE}_error")).await;
    assert_eq!(moved.len(), 1);
    let given_up = fault(&moved[0], "_error");
    assert_eq!((given_up.kind, given_up.message.unwrap().0), (Kind::Failed, ids[0]));
    assert_eq!(given_up.exception.as_deref(), Some("Orderscope.RowLocked"));
    assert_eq!(given_up.retries, Some(2));
    let retries =
        moved[0].properties.headers().as_ref().unwrap().inner().get("MT-Fault-RetryCount");
    assert_eq!(retries, Some(&lapin::types::AMQPValue::LongLongInt(2)), "a number");
    // Nothing was done; put back, it runs for the first time.
    other.execute("ROLLBACK").await.unwrap();
    assert_eq!(world.agrees(held, 1).await.row_status(), Some(Status::New));
    publish(&broker, COMPLETE, &[moved[0].body.clone()]).await;
    let run = Running::start(&world, &broker, Until::Empty).await;
    assert_eq!(run.task.await.unwrap().unwrap().handled, 1);
    assert_eq!(world.agrees(held, 2).await.row_status(), Some(Status::Completed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_was_given_up_is_tried_again_when_it_returns() {
    let (broker, world) = (broker().await, World::managed().await);
    prepared(&world, &broker).await;
    let held = world.order(world.buyer().await).await;
    let body = envelope(Uuid::now_v7(), COMPLETE, &json!({ "orderId": held }));
    let mut other = world.conn().await;
    other.execute("BEGIN").await.unwrap();
    let lock = sqlx::query("SELECT FROM orders WHERE id = $1 FOR UPDATE").bind(held);
    lock.execute(&mut other).await.unwrap();
    let limits = orderscope::db::Limits {
        statement: Duration::from_secs(2),
        connect: Duration::from_mins(1),
        acquire: Duration::from_mins(1),
        ..Default::default()
    };
    let impatient = limited(&world.options, "robot", &limits).await.unwrap();
    let run = Running::with(impatient, &broker, Until::Told, 2);
    for times in 1..=2 {
        publish(&broker, COMPLETE, std::slice::from_ref(&body)).await;
        wait("it is given up", async || run.settled() == times).await;
        assert_eq!(run.stats.borrow().again, times, "once more each time before it is given up");
    }
    assert_eq!(broker.depth(&format!("{QUEUE}_error")).await, 2);
    assert_eq!(run.end().await.refused, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_product_that_cannot_be_sent_is_told_and_kept() {
    let (broker, world) = (broker().await, World::managed().await);
    prepared(&world, &broker).await;
    let order = world.order(world.buyer().await).await;
    // Whatever spoils it on its way into the table.
    let spoil = "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN NEW.headers := '{\"MT-'; RETURN NEW; END $$;
        CREATE TRIGGER spoil BEFORE INSERT ON outbox_message FOR EACH ROW EXECUTE FUNCTION spoil()";
    world.conn().await.execute(spoil).await.unwrap();
    let id = Uuid::now_v7();
    publish(&broker, COMPLETE, &[envelope(id, COMPLETE, &json!({ "orderId": order }))]).await;
    let run = Running::start(&world, &broker, Until::Empty).await;
    let stats = run.task.await.unwrap().unwrap();
    assert_eq!((stats.handled, stats.refused), (0, 1), "{stats:?}");
    // The command is done, its news waits in the outbox, its message says so in the error queue.
    assert_eq!(world.known(order).await.row_status(), Some(Status::Completed));
    let waits = "SELECT count(*) FROM outbox_message m JOIN inbox_state i ON i.message_id = m.inbox_message_id
        WHERE i.consumed IS NOT NULL AND i.delivered IS NULL";
    assert_eq!(world.count(waits).await, 1);
    let moved = broker.take(&format!("{QUEUE}_error")).await;
    let told = fault(&moved[0], "_error");
    assert_eq!(told.exception.as_deref(), Some("Orderscope.Undeliverable"));
    assert!(
        told.text.as_deref().is_some_and(|text| text.contains("the command is done")),
        "{told:?}"
    );
    // Repaired and sent again, only the news leaves.
    world.conn().await.execute("UPDATE outbox_message SET headers = NULL").await.unwrap();
    publish(&broker, COMPLETE, &[moved[0].body.clone()]).await;
    let run = Running::start(&world, &broker, Until::Empty).await;
    assert_eq!(run.task.await.unwrap().unwrap().duplicates, 1);
    assert_eq!(broker.take(NOTICES).await.len(), 1);
    assert_eq!(world.count(OPEN).await, 0);
    world.agrees(order, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_queue_of_other_making_is_told_and_nothing_is_lost() {
    let (broker, world) = (broker().await, World::managed().await);
    prepared(&world, &broker).await;
    let error = format!("{QUEUE}_error");
    let (connection, channel) = broker.channel().await;
    let mut limited = lapin::types::FieldTable::default();
    limited.insert("x-max-length".into(), lapin::types::AMQPValue::LongInt(10));
    let durable = lapin::options::QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare(error.as_str().into(), durable, limited).await.unwrap();
    let buyer = world.buyer().await;
    let (done, open) = (world.order(buyer).await, world.order(buyer).await);
    world.run(Command::CompleteOrder { id: done }).await.unwrap();
    let body = |order: OrderId| envelope(Uuid::now_v7(), COMPLETE, &json!({ "orderId": order }));
    publish(&broker, COMPLETE, &[body(done)]).await;
    // Once: the trouble is the answer, and the message is back.
    let once = Running::start(&world, &broker, Until::Empty).await.task.await.unwrap();
    let told = once.unwrap_err().to_string();
    assert!(told.contains(&error) && told.contains("406"), "{told}");
    broker.rests(&[QUEUE], 1).await;
    assert_eq!(broker.depth(&error).await, 0);
    // Until told: it goes on trying, says why, and keeps the message; then somebody removes the queue.
    let run = Running::start(&world, &broker, Until::Told).await;
    wait("told", async || {
        run.stats.borrow().trouble.as_ref().is_some_and(|trouble| trouble.contains("406"))
    })
    .await;
    wait("tried again", async || run.stats.borrow().again >= 3).await;
    channel
        .queue_delete(error.as_str().into(), lapin::options::QueueDeleteOptions::default())
        .await
        .unwrap();
    connection.close(200, "".into()).await.unwrap();
    publish(&broker, COMPLETE, &[body(open)]).await;
    wait("settled", async || run.settled() == 2).await;
    let stats = run.end().await;
    assert_eq!((stats.handled, stats.refused), (1, 1), "{stats:?}");
    let moved = broker.take(&error).await;
    assert_eq!(fault(&moved[0], "_error").exception.as_deref(), Some("Orderscope.Refused"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_command_produced_may_be_as_large_as_is_configured() {
    let (broker, world) = (broker().await, World::managed().await);
    prepared(&world, &broker).await;
    let id = world.order(world.buyer().await).await;
    let body = envelope(Uuid::now_v7(), COMPLETE, &json!({ "orderId": id }));
    let home = Home::on(&world.options);
    let once = ["consume", "--once", "--yes", "--output", "json", "--operator", "robot"];
    let configure = |largest: u32| {
        let text = format!("[commands]\nqueue = \"{QUEUE}\"\n[messages]\nlargest = {largest}\n");
        configured(&home, &text);
    };
    configure(100);
    publish(&broker, COMPLETE, std::slice::from_ref(&body)).await;
    assert_eq!(with_broker(&home, &broker, &once).code, 5);
    let moved = broker.take(&format!("{QUEUE}_error")).await;
    let fault = fault(&moved[0], "_error");
    assert_eq!(fault.exception.as_deref(), Some("Orderscope.Undeliverable"), "{fault:?}");
    // Done once; only its notice was left.
    configure(100_000);
    publish(&broker, COMPLETE, &[body]).await;
    assert_eq!(with_broker(&home, &broker, &once).code, 0);
    assert_eq!(broker.take(NOTICES).await.len(), 1);
    assert_eq!(world.count(OPEN).await, 0);
    world.agrees(id, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_consumer_loses_no_command_and_runs_none_twice() {
    const ORDERS: usize = 60;
    let (broker, world) = (broker().await, World::managed().await);
    prepared(&world, &broker).await;
    let ids = to_complete(&world, &broker, ORDERS).await;
    let home = Home::on(&world.options);
    configured(&home, &format!("[commands]\nqueue = \"{QUEUE}\"\n"));
    let completed = "SELECT count(*) FROM orders WHERE status = 2";
    let mut before = 0;
    for least in [5, 25] {
        let mut command = home.command();
        command
            .env("ORDERSCOPE_AMQP_URL", broker.url_as("relay"))
            .env("ORDERSCOPE_AMQP_PASSWORD", "secret")
            .args(["consume", "--yes", "--operator", "robot"])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        let mut child = command.spawn().unwrap();
        wait("begun", async || world.count(completed).await >= least).await;
        child.kill().unwrap();
        child.wait().unwrap();
        let done = world.count(completed).await;
        assert!(done > before && done < i64::try_from(ORDERS).unwrap(), "it was too fast: {done}");
        before = done;
    }
    // What was handed out comes back when the broker sees that nobody is there.
    wait("all are done", async || {
        let once = ["consume", "--once", "--yes", "--output", "json", "--operator", "robot"];
        assert_eq!(with_broker(&home, &broker, &once).code, 0);
        world.count(completed).await == i64::try_from(ORDERS).unwrap()
            && world.count(OPEN).await == 0
            && broker.depth(QUEUE).await == 0
    })
    .await;
    for id in ids {
        // Two events each: no command ran twice.
        world.agrees(id, 2).await;
    }
    // It is made when the first message is given up.
    let (_connection, channel) = broker.channel().await;
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let errors = format!("{QUEUE}_error").as_str().into();
    let found = channel.queue_declare(errors, passive, FieldTable::default()).await;
    assert!(found.is_err(), "a command was given up: {found:?}");
    let notices = broker.take(NOTICES).await;
    let sent: BTreeSet<_> = notices.iter().map(crate::support::rabbitmq::Taken::id).collect();
    assert_eq!(sent.len(), ORDERS, "every notice left");
    assert!(
        notices.len() <= ORDERS + 2,
        "a kill repeats at most the notice under way: {}",
        notices.len()
    );
}

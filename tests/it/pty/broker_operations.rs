//! Work with a real broker as a person does it: keys, plan, typed word, result; what failed is back in its queue,
//! what waited is out, and both are on record.

use sqlx::postgres::PgConnectOptions;

use super::terminal::{Start, Terminal};
use crate::{
    error_queues, relay,
    support::{
        postgres::managed,
        rabbitmq::{self, Broker},
    },
    verbs::Home,
};

const QUEUE: &str = "basket-checkout-failed";

/// A console at one list of messages, unlocked.
fn unlocked(database: &PgConnectOptions, broker: &Broker, list: &str) -> Terminal {
    let queues = format!("[errors]\nqueues = [\"{QUEUE}_error\", \"busy_skipped\"]\n");
    let start = Start::new().on(database).config(&queues).env("ORDERSCOPE_AMQP_URL", &broker.url());
    let start = start.arg("--operator").arg("mai").arg("open");
    let mut terminal = start.arg(&format!("ops://database/messages?{list}")).open();
    terminal.shows("Diagnosis (");
    terminal.send("w");
    terminal.shows("Unlock writes");
    terminal.send("INC-7\r");
    terminal.shows("UNLOCKED");
    terminal
}

/// What is on record, newest first: intents, and the reason of the oldest; what the console was unlocked for is before.
fn recorded(database: &PgConnectOptions) -> (Vec<String>, String) {
    let list = Home::on(database).json(&["audit", "list", "--reveal", "the test"], 0);
    let (unlock, list) = list.as_array().unwrap().split_last().unwrap();
    assert_eq!((&unlock["intent"], &unlock["reason"]), (&"UnlockWrites".into(), &"INC-7".into()));
    let text = |entry: &serde_json::Value, field: &str| entry[field].as_str().unwrap().to_owned();
    let intents = list.iter().map(|entry| text(entry, "intent")).collect();
    (intents, text(list.last().unwrap(), "reason"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_is_replayed_through_the_card() {
    let broker = rabbitmq::broker().await;
    let failed = error_queues::real().split_off(5);
    error_queues::plant(&broker, &failed, &[QUEUE]).await;
    let database = error_queues::attached("2-delivered").await;
    let mut terminal = unlocked(&database, &broker, "errors");
    terminal.shows("basket service down");
    terminal.shows("3: not done");
    terminal.send("x");
    terminal.shows("replay what waits in this group");
    terminal.send("g");
    terminal.shows("Replay group");
    // A reason is needed; the rate stands there.
    terminal.send("\r\x15\r");
    terminal.shows("the reason is needed");
    terminal.send("INC-7 the basket is back\r");
    terminal.shows("type REPLAY to run");
    terminal.shows("3 messages to basket-checkout-failed, at most 20 a second");
    assert_eq!(broker.depth(QUEUE).await, 0, "a plan sends nothing");
    terminal.send("REPLAY\r");
    terminal.shows("3 messages replayed");
    terminal.send("\x1b");
    terminal.drops("DONE");
    // The queues were looked into again.
    terminal.shows("nothing lies in these queues");
    terminal.send("q");
    terminal.ends_clean(0);

    let back = broker.take(QUEUE).await;
    assert_eq!(back.len(), failed.len());
    for (message, was) in back.iter().zip(&failed) {
        assert_eq!((message.id(), &message.body), (was.id.clone(), &was.body));
    }
    assert_eq!(broker.depth(&format!("{QUEUE}_error")).await, 0);
    let (intents, reason) = recorded(&database);
    assert_eq!(intents, ["ReplayErrors", "ReplayErrors"], "what was meant, and what it came to");
    assert_eq!(reason, "INC-7 the basket is back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_runs_is_stopped_by_a_key_or_by_leaving_and_nothing_is_lost() {
    const MANY: u32 = 40;
    let broker = rabbitmq::broker().await;
    error_queues::plant(&broker, &error_queues::skipped(MANY), &["busy"]).await;
    let database = error_queues::attached("2-delivered").await;
    let mut terminal = unlocked(&database, &broker, "errors");
    terminal.shows("40: not done");
    // One a second: far from done when it is stopped.
    let begin = |terminal: &mut Terminal| {
        terminal.send("xg");
        terminal.shows("Replay group");
        terminal.send("\x151\r");
        terminal.send("INC-8\r");
        terminal.shows("type REPLAY to run");
        terminal.send("REPLAY\r");
        terminal.shows("running … 1 of ");
    };
    begin(&mut terminal);
    terminal.send("\x1b");
    terminal.shows("stopped: ");
    terminal.shows("not tried: stopped by the operator");
    let back = broker.depth("busy").await;
    assert!((1..MANY).contains(&back), "{back}");
    terminal.send("\x1b");
    terminal.drops("ENDED");
    terminal.shows(&format!("{}: not done", MANY - back));

    begin(&mut terminal);
    terminal.send("q");
    terminal.shows("it runs on");
    terminal.send("q");
    terminal.shows("is still running; once more leaves all the same");
    terminal.send("q");
    terminal.ends_clean(0);
    let more = broker.depth("busy").await;
    assert!((back + 1..MANY).contains(&more), "{more}");
    broker.rests(&["busy", "busy_skipped"], MANY).await;
    assert_eq!(recorded(&database).0, ["ReplayErrors"; 4], "both ends are on record too");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_outbox_is_drained_through_the_card() {
    let (broker, database) = (rabbitmq::broker().await, managed().await);
    broker.bind(relay::QUEUE, &[relay::EXCHANGE]).await;
    relay::plant(&database, 2, 3).await;
    let mut terminal = unlocked(&database, &broker, "pending");
    terminal.shows("Message seq 1");
    terminal.send("x");
    terminal.shows("drain its outbox");
    terminal.send("o");
    terminal.shows("Drain outbox …0001");
    terminal.send("the shop is closing\r");
    terminal.shows("type DRAIN to run");
    terminal.shows("3 messages, in their order");
    assert_eq!(relay::count(&database, relay::PENDING).await, 6, "a plan delivers nothing");
    terminal.send("DRAIN\r");
    terminal.shows("3 messages delivered");
    terminal.send("\x1b");
    terminal.drops("DONE");
    terminal.send("q");
    terminal.ends_clean(0);

    let ids: Vec<_> = broker.take(relay::QUEUE).await.iter().map(rabbitmq::Taken::id).collect();
    assert_eq!(ids.len(), 3);
    assert!(ids.iter().all(|id| id.ends_with("000000000001")), "{ids:?}");
    assert_eq!(relay::count(&database, relay::PENDING).await, 3);
    let (intents, reason) = recorded(&database);
    assert_eq!(intents, ["DrainOutbox", "DrainOutbox"]);
    assert_eq!(reason, "the shop is closing");
}

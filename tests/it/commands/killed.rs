//! The process killed at random moments, over and over: no half order is left.

use std::{
    io::{BufRead, BufReader},
    process::{Command as Process, Stdio},
};

use orderscope::domain::id::BuyerId;
use sqlx::postgres::PgConnectOptions;
use uuid::Uuid;

use super::world::{World, create, execute, now, request, writer};

/// Names the database for the child; this process is the parent where it is not set.
const CHILD: &str = "ORDERSCOPE_TEST_CREATE_IN";
/// The folder of the server's socket, the database and the buyer.
const SEPARATOR: char = '|';
/// Orders altogether.
const ENOUGH: i64 = 1_000;

/// The child: creates orders until it is killed, printing each. Does nothing in the parent's run.
#[tokio::test]
async fn creates_until_killed() {
    let Ok(place) = std::env::var(CHILD) else { return };
    let mut parts = place.split(SEPARATOR);
    let (socket, database) = (parts.next().unwrap(), parts.next().unwrap());
    let buyer = BuyerId(parts.next().unwrap().parse().unwrap());
    let options = PgConnectOptions::new_without_pgpass()
        .socket(socket)
        .port(5432)
        .username("postgres")
        .database(database);
    let writer = writer(&options, "child").await.unwrap();
    // Two at a time, as many as a console has sessions for.
    let creating = async || {
        while execute(&writer, &request(create(buyer)), now()).await.is_ok() {
            eprintln!("created");
        }
    };
    tokio::join!(creating(), creating());
}

#[tokio::test]
async fn a_killed_process_leaves_no_half_order() {
    let world = World::managed().await;
    let buyer = world.buyer().await;
    let place = format!(
        "{}{SEPARATOR}{}{SEPARATOR}{buyer}",
        world.options.get_socket().unwrap().display(),
        world.options.get_database().unwrap()
    );
    let mut told = 0;
    let mut kills = 0;
    while world.count("SELECT count(*) FROM orders").await < ENOUGH {
        let mut child = Process::new(std::env::current_exe().unwrap())
            .args(["--exact", "commands::killed::creates_until_killed", "--nocapture"])
            .env(CHILD, &place)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A random number of orders, then in the middle of whatever comes next.
        let wanted = usize::try_from(chance(120)).unwrap() + 1;
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        told += i64::try_from(
            lines.map_while(Result::ok).filter(|line| line == "created").take(wanted).count(),
        )
        .unwrap();
        let pause = std::time::Duration::from_micros(chance(6_000));
        tokio::time::sleep(pause).await;
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
    }
    assert!(kills > 5, "{kills}");
    // Our own sessions have the same name.
    world.writer.close().await;
    quiet(&world).await;
    let orders = world.count("SELECT count(*) FROM orders").await;
    assert!(orders >= told, "{told} were answered, {orders} are there");
    // Every order has all its parts, and there is no part without its order.
    let parts = [
        "SELECT count(DISTINCT order_id) FROM order_items",
        "SELECT count(*) / 2 FROM order_items",
        "SELECT count(*) FROM orders o JOIN mt_streams s ON s.id = o.id AND s.version = 1",
        "SELECT count(*) FROM mt_streams",
        "SELECT count(*) FROM orders o JOIN mt_events e ON e.stream_id = o.id AND e.version = 1
         AND e.data -> 'Order' ->> 'Id' = o.id::text",
        "SELECT count(*) FROM mt_events",
        "SELECT count(*) FROM orders o JOIN mt_doc_ordersummaryview d ON d.id = o.id
         AND d.data ->> 'Status' = 'New'",
        "SELECT count(*) FROM mt_doc_ordersummaryview",
        "SELECT count(*) FROM outbox_state",
        "SELECT count(*) FROM outbox_state JOIN outbox_message USING (outbox_id)",
        "SELECT count(DISTINCT o.id) FROM orders o JOIN outbox_message m
         ON m.body::jsonb -> 'message' ->> 'orderId' = o.id::text",
        "SELECT count(*) FROM orderscope.audit WHERE intent = 'CreateOrder'",
        "SELECT count(*) FROM orders o JOIN orderscope.audit a ON a.targets[1] = o.id::text",
    ];
    for part in parts {
        assert_eq!(world.count(part).await, orders, "{part}");
    }
}

/// A random number below `end`.
fn chance(end: u64) -> u64 {
    Uuid::new_v4().as_u64_pair().1 % end
}

/// Waits until the server has noticed that nobody is there any more.
async fn quiet(world: &World) {
    let others = "SELECT count(*) FROM pg_stat_activity
                  WHERE datname = current_database() AND application_name = 'orderscope/command'";
    while world.count(others).await > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

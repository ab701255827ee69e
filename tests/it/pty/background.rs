//! The relay beside a console on its own private database, where a broker is configured.

use std::time::{Duration, Instant};

use orderscope::{
    db::migrate::migrate,
    demo::scenario::Scenario,
    embedded::{self, Lease, State},
};
use sqlx::{Connection, PgConnection};

use super::{
    private::Private,
    terminal::{Start, block_on},
};
use crate::{
    relay::{EXCHANGE, PENDING, QUEUE, arrived, count, plant},
    scenario,
    support::{
        postgres::demo_options,
        rabbitmq::{Broker, broker},
    },
};

const OUTBOXES: u32 = 5;
const MESSAGES: u32 = 3;
const RELAYS: &str =
    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'orderscope/console relay'";

/// The private database with orders to look at and messages to deliver.
async fn filled(private: &Private) -> Lease {
    let lease = embedded::join(&private.config, &|_| ()).await.unwrap();
    let mut conn = PgConnection::connect_with(lease.options()).await.unwrap();
    migrate(&mut conn).await.unwrap();
    orderscope::demo::load(&mut conn, demo_options(100), false, |_| ()).await.unwrap();
    // The demo has planted messages of its own, not all of which can leave.
    let sql = "TRUNCATE public.outbox_message, public.outbox_state, public.inbox_state";
    sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    plant(lease.options(), OUTBOXES, MESSAGES).await;
    lease
}

fn with(broker: &Broker, start: Start) -> Start {
    let url = broker.url_as("relay");
    start.env("ORDERSCOPE_AMQP_URL", &url).env("ORDERSCOPE_AMQP_PASSWORD", "secret")
}

#[test]
fn a_console_with_a_broker_delivers_and_leaves_nothing_running() {
    let private = Private::new();
    block_on(async {
        let broker = broker().await;
        broker.bind(QUEUE, &[EXCHANGE]).await;
        let lease = filled(&private).await;
        let all = i64::from(OUTBOXES * MESSAGES);

        let mut looking = with(&broker, private.start()).arg("--read-only").open();
        looking.until("first rows", |screen| screen.contains("> …"));
        assert_eq!(count(lease.options(), RELAYS).await, 0);
        looking.send("q");
        looking.ends_clean(0);
        assert_eq!(count(lease.options(), PENDING).await, all);
        assert_eq!(broker.depth(QUEUE).await, 0);

        let mut console = with(&broker, private.start()).open();
        console.until("first rows", |screen| screen.contains("> …"));
        let end = Instant::now() + Duration::from_mins(1);
        while count(lease.options(), PENDING).await > 0 {
            assert!(Instant::now() < end, "nothing was delivered");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(count(lease.options(), RELAYS).await > 0, "somebody else delivered");
        // The console has its server to itself: nobody but it and its relay keeps it running.
        lease.leave().await.unwrap();
        assert_eq!(private.state().await, State::Running);
        console.send("q");
        console.ends_clean(0);
        assert_eq!(private.state().await, State::Stopped);
        assert_eq!(arrived(&broker.take(QUEUE).await, OUTBOXES, MESSAGES), 0);

        let lease = embedded::join(&private.config, &|_| ()).await.unwrap();
        assert_eq!(count(lease.options(), PENDING).await, 0);
        let kept = "SELECT count(*) FROM public.outbox_state WHERE delivered IS NOT NULL";
        assert_eq!(count(lease.options(), kept).await, i64::from(OUTBOXES));
        lease.leave().await.unwrap();
    });
}

#[test]
fn what_is_planted_to_practise_on_is_left_alone_until_it_is_healed() {
    let private = Private::new();
    block_on(async {
        let broker = broker().await;
        broker.bind(QUEUE, &[EXCHANGE]).await;
        let lease = filled(&private).await;
        let mut conn = PgConnection::connect_with(lease.options()).await.unwrap();
        scenario::plant(&mut conn, Scenario::OutboxStall, None).await.unwrap();
        let all = count(lease.options(), PENDING).await;
        assert!(all > i64::from(OUTBOXES * MESSAGES));

        let mut console = with(&broker, private.start()).open();
        console.until("first rows", |screen| screen.contains("> …"));
        console.send("4");
        console.shows("relay outbox-stall is planted: left alone until demo heal");
        let lanes = "SELECT count(*) FROM pg_stat_activity
                     WHERE application_name = 'orderscope/console relay' AND state = 'idle'";
        let idle = async || count(lease.options(), lanes).await == 2;
        let end = Instant::now() + Duration::from_mins(1);
        while !idle().await {
            assert!(Instant::now() < end, "its lanes are not at rest");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(count(lease.options(), PENDING).await, all);
        assert_eq!(broker.depth(QUEUE).await, 0);

        // It goes on by itself, and stops again for another one that is planted meanwhile.
        scenario::heal(&mut conn, None).await.unwrap().unwrap();
        console.shows(&format!("relay {} delivered", OUTBOXES * MESSAGES));
        assert_eq!(count(lease.options(), PENDING).await, 0);
        let planted = scenario::plant(&mut conn, Scenario::Poison, None).await.unwrap();
        assert!(planted.is_some(), "{planted:?}");
        console.shows("relay poison is planted: left alone until demo heal");
        console.until("what is planted", |screen| screen.contains("pending 60"));
        assert_eq!(count(lease.options(), PENDING).await, 60);
        console.send("q");
        console.ends_clean(0);
        assert_eq!(arrived(&broker.take(QUEUE).await, OUTBOXES, MESSAGES), 0);
        conn.close().await.unwrap();
        lease.leave().await.unwrap();
    });
}

//! What bounds a pass: locks of others, messages, bytes, and the time that a transaction may stay open.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use orderscope::{
    db::{
        Db, Limits,
        relay::{self as table, Most, OutboxTables},
    },
    workers::relay::{Settings, Until},
};
use sqlx::{Connection, Executor, PgConnection, postgres::PgConnectOptions};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use super::{
    EXCHANGE, PENDING, QUEUE, arrived, blocked::started, count, plant, recorded, settings,
    until_empty,
};
use crate::support::{
    postgres::managed,
    rabbitmq::{Broker, Taken, broker},
};

const SECOND: &str = "00000000-0000-4000-8000-000000000002";

async fn wait(what: &str, holds: impl AsyncFn() -> bool) {
    let end = Instant::now() + Duration::from_mins(1);
    while !holds().await {
        assert!(Instant::now() < end, "never {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outbox_that_somebody_else_holds_is_left_and_the_others_flow() {
    let (broker, database) = (broker().await, managed().await);
    broker.bind(QUEUE, &[EXCHANGE]).await;
    plant(&database, 4, 3).await;
    let mut other = PgConnection::connect_with(&database).await.unwrap();
    // As a worker of the service holds the one it sends from.
    other.execute("BEGIN").await.unwrap();
    let lock = format!("SELECT FROM outbox_state WHERE outbox_id = '{SECOND}' FOR UPDATE");
    other.execute(sqlx::AssertSqlSafe(lock)).await.unwrap();
    let mut one_by_one = settings(&database, &broker);
    // It is not even the head of a page that waits for it.
    one_by_one.most.outboxes = 1;
    let (work, _, _) = started(&one_by_one, Until::Empty);
    wait("the others delivered", async || count(&database, PENDING).await == 3).await;
    let ids: Vec<_> = broker.take(QUEUE).await.iter().map(Taken::id).collect();
    assert!(ids.len() == 9 && ids.iter().all(|id| !id.ends_with("000000000002")), "{ids:?}");
    assert!(!work.is_finished(), "something is pending");
    other.execute("ROLLBACK").await.unwrap();
    let stats = work.await.unwrap().unwrap();
    assert_eq!((recorded(&stats), stats.unknown, stats.failed), (12, 0, 0), "{stats:?}");
    let ids: Vec<_> = broker.take(QUEUE).await.iter().map(Taken::id).collect();
    assert!(ids.len() == 3 && ids.iter().all(|id| id.ends_with("000000000002")), "{ids:?}");
}

#[tokio::test]
async fn a_pass_takes_so_many_messages_and_bytes() {
    let database = managed().await;
    plant(&database, 3, 4).await;
    let mut conn = PgConnection::connect_with(&database).await.unwrap();
    let pad = "UPDATE outbox_message SET body = rpad(body, 1000)";
    conn.execute(pad).await.unwrap();
    let layout = Db::new(&database, &Limits::default()).layout().await.unwrap();
    let tables = OutboxTables::of(&layout).unwrap();
    let mut tx = conn.begin().await.unwrap();
    let open = table::lock(&mut tx, &tables, &[], None, 2).await.unwrap();
    assert_eq!(open.len(), 2, "so many outboxes");
    let enough = Most { outboxes: 2, messages: 100, bytes: 1 << 20, message_bytes: 1 << 20 };
    let mut taken = async |most: Most| {
        let rows = table::load(&mut tx, &tables, &open, None, &most).await.unwrap();
        assert!(rows.iter().all(|row| row.stored.is_some() && row.bytes == 1_000));
        rows.into_iter().map(|row| row.outbox).collect::<Vec<_>>()
    };
    assert_eq!(taken(enough).await.len(), 8, "nothing of the third outbox");
    assert_eq!(taken(Most { messages: 5, ..enough }).await.len(), 5);
    let by_bytes = taken(Most { bytes: 5_500, ..enough }).await;
    assert_eq!(by_bytes.len(), 6, "the one that goes beyond is the last");
    assert!(
        by_bytes[..4].iter().all(|outbox| *outbox == by_bytes[0]),
        "one outbox after the other"
    );
    assert_eq!(taken(Most { bytes: 1, ..enough }).await.len(), 1, "a large one goes alone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_leaves_in_order_whatever_bounds_a_pass() {
    let (broker, database) = (broker().await, managed().await);
    broker.bind(QUEUE, &[EXCHANGE]).await;
    plant(&database, 5, 8).await;
    let mut small = settings(&database, &broker);
    small.most.bytes = 1;
    let stats = until_empty(small).await.unwrap();
    assert!(stats.passes >= 40, "a message a pass: {stats:?}");
    assert_eq!(arrived(&broker.take(QUEUE).await, 5, 8), 0);
}

/// Stands before the broker. Of the first connection on which a message is published, it keeps the broker's answers
/// from then on, until it is let go.
struct Slow {
    url: String,
    free: Arc<AtomicBool>,
}

impl Slow {
    async fn before(broker: &Broker) -> Self {
        let to = broker.place().split('/').next().unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap().to_string();
        let (free, taken) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let url = broker.url().replace(&to, &here);
        let is_free = Arc::clone(&free);
        tokio::spawn(async move {
            while let Ok((from, _)) = listener.accept().await {
                let there = TcpStream::connect(&to).await.unwrap();
                let kept = Arc::new(AtomicBool::new(false));
                let ((from, back), (answers, to)) = (from.into_split(), there.into_split());
                tokio::spawn(asks(from, to, Arc::clone(&kept), Arc::clone(&taken)));
                tokio::spawn(answered(answers, back, kept, Arc::clone(&is_free)));
            }
        });
        Self { url, free }
    }
}

async fn asks(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    kept: Arc<AtomicBool>,
    taken: Arc<AtomicBool>,
) {
    let mut bytes = vec![0; 65_536];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        // An envelope; what was declared before it is answered.
        let publishes = bytes[..read].windows(11).any(|part| part == b"messageType");
        if publishes && !taken.swap(true, Ordering::SeqCst) {
            kept.store(true, Ordering::SeqCst);
        }
        if to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}

async fn answered(
    mut from: OwnedReadHalf,
    mut back: OwnedWriteHalf,
    kept: Arc<AtomicBool>,
    free: Arc<AtomicBool>,
) {
    let mut bytes = vec![0; 65_536];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        while kept.load(Ordering::SeqCst) && !free.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if back.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}

/// The relay's sessions that are in a transaction.
async fn at_work(database: &PgConnectOptions) -> i64 {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
        AND application_name = 'orderscope/relay' AND xact_start IS NOT NULL";
    count(database, sql).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_is_sent_without_a_confirm_than_one_kill_may_double() {
    let (broker, database) = (broker().await, managed().await);
    broker.bind(QUEUE, &[EXCHANGE]).await;
    plant(&database, 50, 4).await;
    let slow = Slow::before(&broker).await;
    let to = orderscope::relay::Broker::parse(&slow.url, None).unwrap();
    let budget = Duration::from_millis(500);
    let mut settings = Settings { broker: to, budget, ..settings(&database, &broker) };
    (settings.workers, settings.unconfirmed) = (1, 20);
    let (work, mut stats, stop) = started(&settings, Until::Told);
    // Passes go by, and the broker has confirmed nothing: what is noted and what is sent stay below the bound.
    let silent = stats.wait_for(|stats| {
        stats.trouble.as_deref().is_some_and(|why| why.contains("has confirmed none of"))
    });
    tokio::time::timeout(Duration::from_mins(1), silent).await.unwrap().unwrap();
    let sent = broker.depth(QUEUE).await;
    assert!((1..=20).contains(&sent), "{sent}");
    slow.free.store(true, Ordering::SeqCst);
    wait("all recorded", async || count(&database, PENDING).await == 0).await;
    stop.cancel();
    let ended = work.await.unwrap().unwrap();
    assert_eq!((recorded(&ended), ended.unknown, ended.failed), (200, 0, 0), "{ended:?}");
    assert_eq!(arrived(&broker.take(QUEUE).await, 50, 4), 0);
}

#[tokio::test]
async fn a_sudden_backlog_is_not_read_whole_for_every_outbox() {
    let database = managed().await;
    let layout = Db::new(&database, &Limits::default()).layout().await.unwrap();
    let tables = OutboxTables::of(&layout).unwrap();
    let servers = database.clone().into();
    let open = Duration::from_secs(2);
    let mut conn = table::connect(&servers, "relay", &Limits::default(), open).await.unwrap();
    // Whatever a server would keep as a plan, each pass is planned by what is there.
    let mode: String =
        sqlx::query_scalar("SHOW plan_cache_mode").fetch_one(&mut conn).await.unwrap();
    assert_eq!(mode, "force_custom_plan");
    // As autovacuum leaves tables that are empty again: PostgreSQL would keep a plan for those.
    let mut other = PgConnection::connect_with(&database).await.unwrap();
    other.execute("VACUUM (ANALYZE) outbox_message, outbox_state").await.unwrap();
    for _ in 0..10 {
        assert_eq!(table::lock(&mut conn, &tables, &[], None, 100).await.unwrap(), []);
    }
    plant(&database, 3_400, 4).await;
    let mut tx = conn.begin().await.unwrap();
    let open = table::lock(&mut tx, &tables, &[], None, 100).await.unwrap();
    assert_eq!(open.len(), 100);
    let most = Settings::new(database.clone(), broker_nowhere()).most;
    let rows = table::load(&mut tx, &tables, &open, None, &most).await.unwrap();
    assert_eq!(rows.len(), 400);
    let read = "SELECT coalesce(sum(seq_tup_read), 0)::bigint FROM pg_stat_xact_user_tables
        WHERE relname = 'outbox_message'";
    let read: i64 = sqlx::query_scalar(read).fetch_one(&mut *tx).await.unwrap();
    assert!(read <= 2 * 13_600, "{read} messages were read");
}

fn broker_nowhere() -> orderscope::relay::Broker {
    orderscope::relay::Broker::parse("amqp://u:p@127.0.0.1:1/", None).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_confirm_that_comes_late_keeps_no_transaction_open_and_makes_no_double() {
    let (broker, database) = (broker().await, managed().await);
    broker.bind(QUEUE, &[EXCHANGE]).await;
    plant(&database, 1, 3).await;
    let slow = Slow::before(&broker).await;
    let to = orderscope::relay::Broker::parse(&slow.url, None).unwrap();
    let budget = Duration::from_millis(500);
    let mut settings = Settings { broker: to, budget, ..settings(&database, &broker) };
    settings.most.outboxes = 1;
    let (work, stats, stop) = started(&settings, Until::Told);
    wait("sent", async || broker.depth(QUEUE).await == 3).await;
    // Nothing has answered, and the transaction has ended all the same.
    wait("its transaction over", async || at_work(&database).await == 0).await;
    assert_eq!(count(&database, PENDING).await, 3);
    // The other lane goes on with what comes meanwhile, and that outbox is left alone.
    let mut conn = PgConnection::connect_with(&database).await.unwrap();
    let more = "WITH made AS (INSERT INTO outbox_state (outbox_id, lock_id, created)
            SELECT ('00000000-0000-4000-8000-' || lpad(to_hex(o), 12, '0'))::uuid,
                '00000000-0000-0000-0000-000000000000', now() + o * interval '1 ms'
            FROM generate_series(2, 31) o RETURNING outbox_id)
        INSERT INTO outbox_message (sent_time, properties, outbox_id, message_id, content_type, message_type, body,
            destination_address)
        SELECT now(), m.properties, made.outbox_id, id, m.content_type, m.message_type,
            replace(m.body, m.message_id::text, id::text), m.destination_address
        FROM made, outbox_message m, LATERAL (SELECT (left(m.message_id::text, 24)
            || right(made.outbox_id::text, 12))::uuid AS id) renamed ORDER BY m.sequence_number, made.outbox_id";
    conn.execute(more).await.unwrap();
    // A few may be taken by the lane that waits.
    wait("others recorded", async || count(&database, PENDING).await <= 48).await;
    let first = "SELECT count(*) FROM outbox_state WHERE delivered IS NULL
        AND outbox_id = '00000000-0000-4000-8000-000000000001'";
    assert_eq!(count(&database, first).await, 1);
    slow.free.store(true, Ordering::SeqCst);
    wait("all recorded", async || count(&database, PENDING).await == 0).await;
    stop.cancel();
    let ended = work.await.unwrap().unwrap();
    assert_eq!((recorded(&ended), ended.unknown, ended.failed), (93, 0, 0), "{ended:?}");
    assert!(ended.recovered >= 3, "{:?}", stats.borrow());
    assert_eq!(arrived(&broker.take(QUEUE).await, 31, 3), 0);
}

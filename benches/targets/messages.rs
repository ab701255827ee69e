//! The queries of the Messages screen and of its lists, with 100,000 rows in each of the
//! outbox's and the inbox's tables, on a private PostgreSQL of its own.

use std::time::Instant;

use orderscope::{
    db::{
        Db, Limits,
        inbox::{self, InboxView},
        migrate,
        outbox::{self, View},
        ownership,
    },
    embedded,
    ops::{
        Clock,
        messages::{self, AsOf, Watch},
    },
    session,
};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tokio_util::sync::CancellationToken;

use super::row;

const RUNS: usize = 60;
const ROWS: u32 = 100_000;
/// Inbox rows that the screen shows below its list.
const GLANCE: i64 = 4;
/// Rows per page of the screen's lists.
const PAGE: i64 = 100;

/// Indexes that Orderscope adds; the service's own database has none of them.
const OURS: &str = "ix_outbox_message_order, ix_outbox_message_message_id, ix_outbox_message_conversation_id, \
    ix_outbox_message_correlation_id, ix_outbox_state_open, ix_inbox_state_open, ix_outbox_state_delivered, \
    ix_outbox_message_orphan, ix_outbox_message_undeliverable";

pub async fn run() {
    let mut config = embedded::Config::from_env();
    config.home = config.home.join("bench-messages");
    if config.home.exists() {
        embedded::reset(&config, true, &|step| eprintln!("{step}")).await.unwrap();
    }
    let lease = embedded::join(&config, &|step| eprintln!("{step}")).await.unwrap();
    let mut conn = session::connect(&lease.options().into()).await.unwrap();
    migrate::migrate(&mut conn).await.unwrap();
    println!();
    println!("| {ROWS} rows in each table | runs | p50 ms | p95 ms | max ms |");
    println!("|---|---|---|---|---|");
    for (name, pending) in [("2,000 pending", 2_000), ("all pending", ROWS)] {
        plant(&mut conn, pending).await;
        let db = Db::new(lease.options(), &Limits::default());
        Box::pin(measure(&db, &format!("own database, {name}"))).await;
        db.close().await;
    }
    let mut tx = conn.begin().await.unwrap();
    ownership::hand_over(&mut tx, None).await.unwrap();
    tx.execute(AssertSqlSafe(format!("DROP INDEX {OURS}"))).await.unwrap();
    tx.commit().await.unwrap();
    for (name, pending) in [("2,000 pending", 2_000), ("all pending", ROWS)] {
        plant(&mut conn, pending).await;
        let db = Db::new(lease.options(), &Limits::default());
        Box::pin(measure(&db, &format!("a service's database, {name}"))).await;
        db.close().await;
    }
    conn.close().await.unwrap();
    lease.leave().await.unwrap();
}

async fn measure(db: &Db, name: &str) {
    let layout = db.layout().await.unwrap();
    let (watch, stop) = (Watch::default(), CancellationToken::new());
    let clock: Clock = std::sync::Arc::new(chrono::Utc::now);
    let mut times = vec![];
    for _ in 0..RUNS {
        let began = Instant::now();
        // On two sessions at once, as the screen does.
        let outboxes = db.read("bench", &stop, async |conn| {
            messages::outboxes(conn, &layout, &watch, AsOf::Server(&clock), None).await
        });
        let inbox = db.read("bench", &stop, async |conn| {
            let facts = messages::inbox_facts(conn, &layout, &watch, None).await?;
            inbox::glance(conn, &layout, GLANCE).await?;
            Ok(facts)
        });
        let (outboxes, inbox) = tokio::join!(outboxes, inbox);
        let status = outboxes.unwrap().with(inbox.unwrap());
        times.push(began.elapsed());
        assert!(status.facts.open.number() > 0 && !status.facts.inbox.consumers.is_empty());
    }
    row(&format!("{name}: look"), times);
    for view in View::ALL {
        let mut times = vec![];
        for _ in 0..RUNS {
            let (began, now) = (Instant::now(), chrono::Utc::now());
            let listed = db.read("bench", &stop, async |conn| {
                outbox::list(conn, &layout, view, &[], None, PAGE, now).await
            });
            listed.await.unwrap();
            times.push(began.elapsed());
        }
        row(&format!("{name}: list {}", view.name()), times);
    }
    for view in InboxView::ALL {
        let mut times = vec![];
        for _ in 0..RUNS {
            let began = Instant::now();
            let listed = db.read("bench", &stop, async |conn| {
                let view = (view, chrono::TimeDelta::minutes(1));
                inbox::list(conn, &layout, view, None, PAGE).await
            });
            listed.await.unwrap();
            times.push(began.elapsed());
        }
        row(&format!("{name}: inbox {}", view.name()), times);
    }
}

/// Fills the tables: one message per outbox, the newest ones pending; an inbox of four consumers, with some that
/// fail and some that are half-done, and the messages of those.
async fn plant(conn: &mut PgConnection, pending: u32) {
    let sql = format!(
        "TRUNCATE public.outbox_message, public.outbox_state, public.inbox_state;
         INSERT INTO public.outbox_state (outbox_id, lock_id, created, delivered, last_sequence_number)
         SELECT ('00000000-0000-4000-8000-' || lpad(to_hex(o), 12, '0'))::uuid,
                '00000000-0000-0000-0000-000000000000', now() - o * interval '1 s',
                CASE WHEN o > {pending} THEN now() - o * interval '1 s' + interval '300 ms' END,
                CASE WHEN o > {pending} THEN 1000000000 END
         FROM generate_series({ROWS}, 1, -1) o;
         INSERT INTO public.inbox_state (message_id, consumer_id, lock_id, received, receive_count, consumed,
                delivered)
         SELECT gen_random_uuid(), ('00000000-0000-4000-9000-' || lpad((i % 4)::text, 12, '0'))::uuid,
                '00000000-0000-0000-0000-000000000000', at, 3 + (i % 50 = 0)::int,
                CASE WHEN i % 1000 <> 0 THEN at + interval '20 ms' END,
                CASE WHEN i % 1000 > 1 THEN at + (10 + i % 90) * interval '1 ms' END
         FROM generate_series({ROWS}, 1, -1) i, LATERAL (SELECT now() - i * interval '1 s' AS at) times;
         INSERT INTO public.outbox_message (sent_time, properties, outbox_id, inbox_message_id, inbox_consumer_id,
             message_id, content_type, message_type, body, destination_address)
         SELECT now() - i * interval '1 s', '{{\"RMQ-Exchange\": \"Bench:Planted\"}}',
             CASE WHEN half.message_id IS NULL
                  THEN ('00000000-0000-4000-8000-' || lpad(to_hex(i), 12, '0'))::uuid END,
             half.message_id, half.consumer_id, id, 'application/vnd.masstransit+json',
             'urn:message:Bench:Planted' || i % 5 || ';urn:message:Bench:Base',
             '{{\"messageId\": \"' || id || '\", \"messageType\": [\"urn:message:Bench:Planted\"], \"message\": '
             || '{{\"orderId\": \"' || gen_random_uuid() || '\", \"text\": \"' || repeat('x', 700) || '\"}}}}',
             CASE WHEN i % 20000 <> 0 THEN 'rabbitmq://h/Bench:Planted' || i % 5 END
         FROM generate_series({ROWS}, 1, -1) i
         LEFT JOIN (SELECT message_id, consumer_id, row_number() OVER () AS n FROM public.inbox_state
                    WHERE consumed IS NOT NULL AND delivered IS NULL) half ON half.n * 1000 = i,
         LATERAL (SELECT gen_random_uuid() AS id OFFSET i * 0) made"
    );
    conn.execute(AssertSqlSafe(sql)).await.unwrap();
    for table in ["outbox_state", "outbox_message", "inbox_state"] {
        conn.execute(AssertSqlSafe(format!("VACUUM ANALYZE public.{table}"))).await.unwrap();
    }
}

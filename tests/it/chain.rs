//! The causal chain on databases that the real service wrote, on planted trouble, and what it costs.

use orderscope::{
    db::{Db, Limits},
    demo::troubles,
    domain::{
        chain::{Node, Proof},
        id::{OrderId, Version},
        outbox::Owner,
    },
    ops::{analysis::OrderAnalysis, history::history},
};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, postgres::PgConnectOptions};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::{
    fixture::{self, Schema},
    postgres::{demo, demo_options, managed, pg18},
};

const ORDERS: u64 = 5_000;
/// Placed and completed in stage 1, each with its message.
const COMPLETED: &str = "01a20479-7aad-7aff-b700-480b61eb0820";

async fn known(options: &PgConnectOptions, id: OrderId) -> OrderAnalysis {
    let db = Db::new(options, &Limits::default());
    let layout = db.layout().await.unwrap();
    let stop = CancellationToken::new();
    let found =
        db.read("timeline", &stop, async |conn| history(conn, &layout, id).await).await.unwrap();
    OrderAnalysis::new(found.unwrap(), layout.is_managed())
}

async fn orders(options: &PgConnectOptions) -> Vec<OrderId> {
    let mut conn = PgConnection::connect_with(options).await.unwrap();
    sqlx::query_scalar("SELECT id FROM orders ORDER BY id").fetch_all(&mut conn).await.unwrap()
}

/// `v1 OrderPlaced inferred 2 UserCheckedOut`, a line for each hop of an event.
fn told(known: &OrderAnalysis, version: i64) -> Vec<String> {
    let chain = &known.chain;
    let path = chain.of_version(Version(version)).unwrap();
    let hops = chain.hops_of(path).iter().map(|hop| {
        let (from, to) = (chain.node(hop.from).label(), chain.node(hop.to).label());
        format!("{from} {} {to}", hop.proof.word())
    });
    hops.collect()
}

fn every_event_once(known: &OrderAnalysis) {
    let events = known.chain.nodes().iter().filter(|node| matches!(node, Node::Event { .. }));
    assert_eq!(events.count(), known.history.events.len());
}

#[tokio::test]
async fn what_the_service_wrote_is_followed_from_event_to_outbox() {
    let id = OrderId(COMPLETED.parse().unwrap());
    for schema in [Schema::Marten9, Schema::Document] {
        let waiting = known(&fixture::stage(pg18(), schema, "1-backlog").await, id).await;
        every_event_once(&waiting);
        let first = told(&waiting, 1);
        // The service shares no id between event and message here: order, contract and time lead to it.
        assert_eq!(first[0], "caller inferred v1 OrderPlaced");
        assert_eq!(first[1], "v1 OrderPlaced inferred 2 UserCheckedOut");
        assert!(first[2].starts_with("2 UserCheckedOut proven outbox …"), "{first:?}");
        assert!(first[3].ends_with("absent broker"), "{first:?}");
        assert_eq!(first[4], "broker unknown other services");
        let second = told(&waiting, 2);
        assert_eq!(second[1], "v2 OrderCompleted inferred 3 OrderStatusChangedToComplete");
        // It waits behind the first message of all.
        let path = waiting.chain.of_version(Version(1)).unwrap();
        let states = waiting.chain.hops_of(path).iter();
        let mut states = states.filter_map(|hop| waiting.chain.node(hop.to).state());
        assert!(states.any(|state| state == "pending, behind 1"));

        let gone = known(&fixture::stage(pg18(), schema, "2-delivered").await, id).await;
        for (version, contract) in [(1, "UserCheckedOut"), (2, "OrderStatusChangedToComplete")] {
            let lines = told(&gone, version);
            assert!(lines[1].ends_with(&format!("absent {contract}: no row")), "{lines:?}");
        }
        let path = gone.chain.of_version(Version(1)).unwrap();
        let whys: Vec<_> = gone.chain.hops_of(path).iter().map(|hop| hop.proof.why()).collect();
        assert!(whys[1].contains("delivered or purged"), "{whys:?}");
    }
}

#[tokio::test]
async fn every_message_of_every_stage_belongs_to_an_event() {
    for stage in ["1-backlog", "3-paused", "4-broker-down", "7-bad-headers"] {
        let options = fixture::stage(pg18(), Schema::Marten9, stage).await;
        let (mut messages, mut tied) = (0, 0);
        for id in orders(&options).await {
            let known = known(&options, id).await;
            every_event_once(&known);
            messages += known.history.messages.len();
            let of_event = |sequence| known.chain.of_message(sequence).unwrap().version.is_some();
            tied += known.history.messages.iter().filter(|m| of_event(m.sequence)).count();
        }
        assert!(messages > 50, "{stage}: {messages}");
        assert_eq!(tied, messages, "{stage}");
    }
}

async fn trouble(options: &PgConnectOptions, name: &str) -> OrderAnalysis {
    let list = troubles(&demo_options(ORDERS)).unwrap();
    let id = list.iter().find(|trouble| trouble.name == name).unwrap().order.unwrap();
    known(options, id).await
}

#[tokio::test]
async fn planted_trouble_has_the_chain_that_was_planted() {
    let options = demo(ORDERS).await;

    // Consumed, its message never sent: trace and consumer outbox prove the whole way.
    let half = trouble(&options, "half-delivered").await;
    // The command is behind the last event.
    let path = half.chain.paths().iter().rfind(|path| !path.messages.is_empty()).unwrap();
    let hops = half.chain.hops_of(path);
    let cause =
        hops.iter().find(|hop| matches!(half.chain.node(hop.from), Node::Inbox(_))).unwrap();
    assert!(matches!(half.chain.node(cause.to), Node::Event { .. }));
    let Proof::Proven(matches) = &cause.proof else { panic!("{:?}", cause.proof) };
    assert!(matches.len() == 2 && matches[1].columns.contains("traceparent"), "{matches:?}");
    let Node::Inbox(row) = half.chain.node(cause.from) else { unreachable!() };
    assert!(row.consumed.is_some() && row.delivered.is_none());
    let parent = hops.iter().find_map(|hop| match half.chain.node(hop.to) {
        Node::Parent(owner) => Some(*owner),
        _ => None,
    });
    assert_eq!(parent, Some(Owner::Consumer { message: row.message, consumer: row.consumer }));
    assert!(hops.iter().any(|hop| matches!(&hop.proof, Proof::Absent(why)
        if why.contains("not recorded as delivered"))));

    // The head of the line waits behind nothing; what is younger waits behind it.
    let head = trouble(&options, "stalled-head").await;
    let waiting = trouble(&options, "no-destination").await;
    let behind = |known: &OrderAnalysis| {
        known.chain.nodes().iter().find_map(|node| match node {
            Node::Broker { behind, .. } => Some(*behind),
            _ => None,
        })
    };
    assert_eq!(behind(&head), Some(None));
    let first = head.history.messages[0].sequence;
    assert_eq!(behind(&waiting), Some(Some(first)));

    // Events alone in their streams, and hundreds that no contract is for.
    every_event_once(&trouble(&options, "foreign-streams").await);
    let long = trouble(&options, "long-stream").await;
    every_event_once(&long);
    assert_eq!(long.chain.paths().len(), 500);
    let frozen = trouble(&options, "frozen-timestamp").await;
    every_event_once(&frozen);
}

/// Sequential scans and rows read of the messaging tables, as the server counted them.
async fn read_so_far(conn: &mut PgConnection) -> Vec<(String, i64, i64)> {
    conn.execute("SELECT pg_stat_clear_snapshot()").await.unwrap();
    sqlx::query_as(
        "SELECT relname::text, seq_scan, coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)
         FROM pg_stat_user_tables WHERE schemaname = 'public'
         AND relname IN ('inbox_state', 'outbox_message', 'outbox_state') ORDER BY 1",
    )
    .fetch_all(conn)
    .await
    .unwrap()
}

/// 30,000 rows in every table, one order among them: the chain costs what it shows.
#[tokio::test]
async fn the_chain_reads_no_messaging_table_from_end_to_end() {
    let options = managed().await;
    let mut conn = PgConnection::connect_with(&options).await.unwrap();
    let (order, event) = (Uuid::now_v7(), Uuid::now_v7());
    conn.execute(AssertSqlSafe(format!(
        "INSERT INTO buyers (id, name) VALUES ('{order}', 'Only');
         INSERT INTO orders (id, status, buyer_id, is_deleted, created_at)
         VALUES ('{order}', 1, '{order}', false, '2026-06-01Z');
         INSERT INTO mt_streams (id, version) VALUES ('{order}', 2);
         INSERT INTO mt_events (seq_id, id, stream_id, version, data, type, timestamp, causation_id)
         SELECT n, gen_random_uuid(), '{order}', n,
                jsonb_build_object('Order', jsonb_build_object('Id', '{order}')),
                CASE n WHEN 1 THEN 'order_placed_event' ELSE 'order_completed_event' END,
                timestamptz '2026-06-01Z' + n * interval '1 hour', '{event}'
         FROM generate_series(1, 2) n;
         INSERT INTO inbox_state (message_id, consumer_id, lock_id, received, receive_count, consumed, delivered)
         SELECT CASE n WHEN 1 THEN '{event}' ELSE gen_random_uuid() END, gen_random_uuid(), gen_random_uuid(), t, 3, t, t
         FROM generate_series(1, 30000) n, LATERAL (SELECT timestamptz '2026-06-01Z' + n * interval '1 min' AS t) x;
         INSERT INTO outbox_state (outbox_id, lock_id, created, delivered)
         SELECT md5(n::text)::uuid, md5('')::uuid, t, CASE WHEN n < 29000 THEN t END
         FROM generate_series(1, 30000) n, LATERAL (SELECT timestamptz '2026-06-01Z' + n * interval '1 min' AS t) x;
         INSERT INTO outbox_message (sent_time, headers, outbox_id, message_id, content_type, message_type, body, conversation_id)
         SELECT '2026-06-01Z', '{{not json', md5(n::text)::uuid, gen_random_uuid(), 'application/json',
                'urn:message:BookWorm.Contracts:UserCheckedOutIntegrationEvent',
                '{{\"orderId\": \"' || CASE WHEN n = 29990 THEN '{order}' ELSE gen_random_uuid()::text END || '\"}}',
                gen_random_uuid()
         FROM generate_series(1, 30000) n;
         ANALYZE"
    )))
    .await
    .unwrap();
    let db = Db::new(&options, &Limits::default());
    let layout = db.layout().await.unwrap();
    let stop = CancellationToken::new();
    conn.execute("SELECT pg_stat_force_next_flush()").await.unwrap();
    let before = read_so_far(&mut conn).await;
    let found = db.read("timeline", &stop, async |conn| {
        let found = history(conn, &layout, OrderId(order)).await?;
        conn.execute("SELECT pg_stat_force_next_flush()").await?;
        Ok(found)
    });
    let found = OrderAnalysis::new(found.await.unwrap().unwrap(), true);
    let after = read_so_far(&mut conn).await;
    assert_eq!(before.len(), 3);
    for ((table, scans, rows), (_, scans_now, rows_now)) in before.iter().zip(&after) {
        assert_eq!(scans_now, scans, "{table} was read from end to end");
        assert!(rows_now - rows < 200, "{}: {} rows read", table, rows_now - rows);
    }
    // And it found what there is: the command by causation, the message, and the head before it.
    assert!(told(&found, 1)[0].ends_with("proven v1 OrderPlaced"), "{:?}", told(&found, 1));
    assert_eq!(told(&found, 1)[1], "v1 OrderPlaced inferred 29990 UserCheckedOut");
    let behind = found
        .chain
        .nodes()
        .iter()
        .any(|node| matches!(node, Node::Broker { behind: Some(head), .. } if *head == 29_000));
    assert!(behind, "{:?}", found.chain.nodes());
}

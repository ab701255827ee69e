//! Demo data: the same for the same arguments, consistent in itself but for what is planted, and loaded as
//! one operation.

use chrono::NaiveDate;
use orderscope::{
    db::{expressions, migrate},
    demo::{self, Error, Options, Stage, load, troubles},
    domain::id::OrderId,
};
use sqlx::{Connection, Executor, PgConnection, postgres::PgConnectOptions};

use crate::support::{
    catalog,
    postgres::{demo as demo_database, demo_options, managed, pg15, pg18},
};

const ORDERS: u64 = 5000;

async fn open(options: &PgConnectOptions) -> PgConnection {
    PgConnection::connect_with(options).await.unwrap()
}

async fn number(conn: &mut PgConnection, sql: &str) -> i64 {
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned()))
        .fetch_one(conn)
        .await
        .unwrap_or_else(|error| panic!("{error}\n{sql}"))
}

fn order(name: &str) -> OrderId {
    let list = troubles(&demo_options(ORDERS)).unwrap();
    list.iter().find(|trouble| trouble.name == name).and_then(|trouble| trouble.order).unwrap()
}

/// A hash of every row of every table of the document, in physical order.
async fn fingerprints(conn: &mut PgConnection) -> Vec<(String, Option<String>)> {
    let mut all = Vec::new();
    for table in migrate::TABLES {
        let sql =
            format!(r#"SELECT md5(string_agg(md5(t::text), '' ORDER BY ctid)) FROM "{table}" t"#);
        let hash =
            sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&mut *conn).await.unwrap();
        all.push((table.to_owned(), hash));
    }
    all
}

/// Events with their order, status and sequence, as the union of both ways to belong to one.
fn history() -> String {
    format!(
        "(SELECT seq_id, o.id AS order_id, e.type, e.data, e.stream_id, e.version, e.timestamp,
                 CASE e.type WHEN 'order_placed_event' THEN 0 WHEN 'order_cancelled_event' THEN 1
                             WHEN 'order_completed_event' THEN 2 END AS status
          FROM mt_events e JOIN orders o ON o.id = e.stream_id OR o.id = {}) history",
        expressions::EVENT_ORDER.replace("data", "e.data")
    )
}

async fn ids(conn: &mut PgConnection, sql: &str) -> Vec<OrderId> {
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned()))
        .fetch_all(conn)
        .await
        .unwrap_or_else(|error| panic!("{error}\n{sql}"))
}

/// The orders of these troubles, in the order of their ids.
fn sorted<const N: usize>(names: [&str; N]) -> Vec<OrderId> {
    let mut orders = names.map(order).to_vec();
    orders.sort();
    orders
}

#[tokio::test]
async fn there_is_as_much_as_asked_for() {
    let mut conn = open(&demo_database(ORDERS).await).await;
    assert_eq!(number(&mut conn, "SELECT count(*) FROM orders").await, 5000);
    let lines = number(&mut conn, "SELECT count(*) FROM order_items").await;
    assert!((14_500..15_500).contains(&lines), "{lines}");
    assert_eq!(number(&mut conn, "SELECT count(*) FROM buyers").await, 782);
    let (open_orders, cancelled, completed): (i64, i64, i64) = sqlx::query_as(
        "SELECT count(*) FILTER (WHERE status = 0), count(*) FILTER (WHERE status = 1),
                count(*) FILTER (WHERE status = 2) FROM orders",
    )
    .fetch_one(&mut conn)
    .await
    .unwrap();
    assert!(open_orders > 50 && cancelled > 300 && completed > 4000);
    let recent = "SELECT count(*) FROM orders WHERE status = 0 AND created_at > '2026-10-15'";
    assert!(number(&mut conn, recent).await * 2 > open_orders, "most open orders are recent");
    let noted = number(&mut conn, "SELECT count(*) FROM orders WHERE note IS NOT NULL").await;
    assert!((600..900).contains(&noted), "{noted}");
    let biggest = number(
        &mut conn,
        "SELECT max(n) FROM (SELECT count(*) AS n FROM orders GROUP BY buyer_id) b",
    )
    .await;
    assert!(biggest > 40, "the biggest buyer has {biggest} orders");
    for (sql, what) in [
        (
            "SELECT count(*) FROM orders WHERE created_at < '2024-11-22' OR created_at >= '2026-11-22'",
            "placed outside the period",
        ),
        (
            "SELECT count(*) FROM mt_events WHERE timestamp >= '2026-11-22' OR timestamp < '2024-11-22'",
            "happened outside the period",
        ),
        (
            "SELECT count(*) FROM orders WHERE ('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint
             <> floor(extract(epoch FROM created_at) * 1000)",
            "ids with another clock than created_at",
        ),
        (
            "SELECT count(*) FROM orders o WHERE NOT EXISTS (SELECT FROM order_items WHERE order_id = o.id)",
            "orders without a line",
        ),
        (
            "SELECT count(*) FROM order_items WHERE quantity < 1 OR price < 5 OR scale(price) <> 2",
            "lines that no rule allows",
        ),
    ] {
        assert_eq!(number(&mut conn, sql).await, 0, "{what}");
    }
    let books: Vec<uuid::Uuid> = sqlx::query_scalar("SELECT DISTINCT book_id FROM order_items")
        .fetch_all(&mut conn)
        .await
        .unwrap();
    assert!(books.len() > 250);
    assert!(
        books.iter().all(|&id| demo::catalogue::book(orderscope::domain::id::BookId(id)).is_some())
    );
}

#[tokio::test]
async fn rows_events_and_summaries_agree_but_where_they_must_not() {
    let mut conn = open(&demo_database(ORDERS).await).await;
    let history = history();
    let last = format!(
        "(SELECT DISTINCT ON (order_id) * FROM {history} WHERE status IS NOT NULL
          ORDER BY order_id, seq_id DESC) last"
    );
    let differ = format!(
        "SELECT o.id FROM orders o LEFT JOIN {last} ON order_id = o.id
         WHERE last.status IS DISTINCT FROM o.status ORDER BY 1"
    );
    assert_eq!(ids(&mut conn, &differ).await, sorted(["sources-disagree"]));

    let body = "coalesce(data -> 'Order', data -> 'order')";
    let totals = format!(
        "SELECT order_id FROM {history} JOIN
             (SELECT order_id, sum(price * quantity) AS total FROM order_items GROUP BY 1) l USING (order_id)
         WHERE status IS NOT NULL
           AND coalesce({body} ->> 'TotalPrice', {body} ->> 'totalPrice') <> total::text ORDER BY 1"
    );
    assert_eq!(ids(&mut conn, &totals).await, sorted(["unreadable-total"]));

    let times = format!(
        "SELECT o.id FROM orders o JOIN {last} ON order_id = o.id
         WHERE NOT is_deleted AND (
             coalesce({body} ->> 'LastModifiedAt', {body} ->> 'lastModifiedAt')::timestamptz
                 IS DISTINCT FROM last_modified_at
             OR coalesce({body} ->> 'CreatedAt', {body} ->> 'createdAt')::timestamptz <> created_at)"
    );
    assert_eq!(ids(&mut conn, &times).await, []);

    let projected = format!(
        "(SELECT DISTINCT ON (order_id) * FROM {history}
          WHERE status IS NOT NULL
            AND seq_id <= (SELECT last_seq_id FROM mt_event_progression WHERE name = 'OrderSummaryView:All')
          ORDER BY order_id, seq_id DESC) projected"
    );
    let drift = format!(
        "SELECT coalesce(order_id, d.id) FROM {projected}
         FULL JOIN mt_doc_ordersummaryview d ON d.id = order_id
         WHERE d.id IS NULL OR order_id IS NULL OR mt_version <> seq_id
            OR d.data ->> 'Status' <> (ARRAY['New', 'Cancelled', 'Completed'])[status + 1]
            OR d.data ->> 'TotalPrice' <> coalesce({0} ->> 'TotalPrice', {0} ->> 'totalPrice') ORDER BY 1",
        body.replace("data", "projected.data")
    );
    assert_eq!(ids(&mut conn, &drift).await, sorted(["sources-disagree", "unreadable-total"]));

    let streams = "SELECT count(*) FROM
        (SELECT stream_id, count(*) AS n, min(version) AS low, max(version) AS high, min(seq_id) <> (array_agg(seq_id ORDER BY version))[1] AS crossed
         FROM mt_events GROUP BY 1) e FULL JOIN mt_streams s ON s.id = stream_id
        WHERE low <> 1 OR n <> high OR high <> version OR s.id IS NULL OR stream_id IS NULL OR crossed";
    assert_eq!(number(&mut conn, streams).await, 0);
    let requests = "SELECT count(*) FROM mt_events
        WHERE headers ->> 'traceparent' <> format('00-%s-%s-01', correlation_id, causation_id)
           OR length(correlation_id) <> 32 OR length(causation_id) <> 16";
    assert_eq!(number(&mut conn, requests).await, 0);
}

#[tokio::test]
async fn messages_and_commands_agree_with_the_events() {
    let mut conn = open(&demo_database(ORDERS).await).await;
    let state = "(SELECT m.*, CASE
            WHEN s.outbox_id IS NOT NULL THEN s.delivered IS NULL AND m.sequence_number > coalesce(s.last_sequence_number, 0)
            WHEN i.id IS NOT NULL THEN i.delivered IS NULL AND m.sequence_number > coalesce(i.last_sequence_number, 0)
        END AS pending, s.created, s.lock_id, s.delivered AS bus_delivered, i.delivered AS consumer_delivered
        FROM outbox_message m LEFT JOIN outbox_state s USING (outbox_id)
        LEFT JOIN inbox_state i ON i.message_id = m.inbox_message_id AND i.consumer_id = m.inbox_consumer_id) message";
    let message_order = expressions::MESSAGE_ORDER;
    let head = order("stalled-head");
    let placed = format!("(SELECT created_at FROM orders WHERE id = '{head}')");
    for (sql, what) in [
        (format!("SELECT count(*) FROM {state} WHERE pending IS NULL"), "orphans"),
        (
            format!("SELECT count(*) FROM {state} WHERE outbox_id IS NOT NULL AND pending <> (created >= {placed})"),
            "bus messages on the wrong side of the stall",
        ),
        (
            format!(
                "SELECT count(*) FROM {state} WHERE NOT pending AND
                 coalesce(bus_delivered, consumer_delivered) < timestamptz '2026-11-22' - interval '7 days'"
            ),
            "delivered messages that a purge would have taken",
        ),
        (
            format!(
                "SELECT count(*) FROM outbox_message m LEFT JOIN orders o ON o.id = {message_order}
                 WHERE o.id IS NULL OR m.message_id::text <> body::jsonb ->> 'messageId'
                    OR m.conversation_id::text <> body::jsonb ->> 'conversationId'
                    OR body::jsonb #>> '{{message,email}}' IS NOT NULL
                    OR jsonb_typeof(body::jsonb #> '{{message,totalMoney}}') <> 'string'
                    OR body::jsonb #>> '{{message,totalMoney}}' <>
                       (SELECT sum(price * quantity)::text FROM order_items WHERE order_id = o.id)"
            ),
            "bodies that say something else than the tables",
        ),
        (
            "SELECT abs((SELECT count(*) FROM mt_events
                         WHERE type IN ('order_placed_event', 'order_completed_event', 'order_cancelled_event'))
                        - (SELECT max(sequence_number) FROM outbox_message))"
                .to_owned(),
            "as many messages as events that are told to others",
        ),
        (
            "SELECT count(*) FROM inbox_state WHERE delivered < consumed OR consumed < received
                OR (delivered IS NULL AND consumed IS NOT NULL AND receive_count <> 1)
                OR (consumed IS NULL AND receive_count <> 0)
                OR (delivered IS NOT NULL AND receive_count < CASE WHEN last_sequence_number IS NULL THEN 3 ELSE 4 END)
                OR coalesce(delivered, now()) < timestamptz '2026-11-22' - interval '30 days'"
                .to_owned(),
            "commands in a state that cannot be",
        ),
        (
            "SELECT count(*) FROM outbox_message WHERE message_id IN
                (SELECT message_id FROM outbox_message GROUP BY 1 HAVING count(*) > 1)"
                .to_owned(),
            "message ids that are used twice",
        ),
    ] {
        assert_eq!(number(&mut conn, &sql).await, 0, "{what}");
    }
    let waiting = number(&mut conn, &format!("SELECT count(*) FROM {state} WHERE pending")).await;
    assert!(waiting > 12, "{waiting}");
    let never = format!(
        "SELECT count(*) FROM {state} WHERE pending AND lock_id = '00000000-0000-0000-0000-000000000000'"
    );
    assert_eq!(
        number(&mut conn, &never).await,
        waiting - 2,
        "all but the head and the half-done one"
    );
    let commands = number(&mut conn, "SELECT count(*) FROM inbox_state").await;
    assert!(commands > 50, "{commands}");

    for (sequence, column) in [
        ("mt_events_sequence", "SELECT max(seq_id) FROM mt_events"),
        ("outbox_message_sequence_number_seq", "SELECT max(sequence_number) FROM outbox_message"),
        ("inbox_state_id_seq", "SELECT max(id) FROM inbox_state"),
    ] {
        let used = number(&mut conn, column).await;
        let next = number(&mut conn, &format!("SELECT nextval('{sequence}')")).await;
        assert_eq!(next, used + 1, "{sequence}");
    }
}

/// What must hold of the order `o` of each trouble in the events.
fn signs_in_events() -> Vec<(&'static str, String)> {
    let letters = format!(
        "(SELECT count(*) FROM mt_doc_deadletterevent l JOIN mt_events e ON e.seq_id::text = {} WHERE e.stream_id = o.id)",
        expressions::LETTER_SEQUENCE.replace("data", "l.data")
    );
    let kinds =
        "(SELECT array_agg(type::text ORDER BY seq_id) FROM mt_events e WHERE stream_id = o.id)";
    let body = "(SELECT data FROM mt_events e WHERE stream_id = o.id AND version = {})";
    let placed = body.replace("{}", "1");
    let second = body.replace("{}", "2");
    vec![
        (
            "sources-disagree",
            "status = 1 AND (SELECT data ->> 'Status' FROM mt_doc_ordersummaryview d WHERE d.id = o.id) = 'New'".to_owned(),
        ),
        (
            "cancelled-after-completion",
            format!("{kinds} = '{{order_placed_event,order_completed_event,order_cancelled_event}}'"),
        ),
        (
            "foreign-streams",
            format!(
                "{kinds} IS NULL AND (SELECT count(*) = 2 AND min(version) = 1 AND max(version) = 1 AND count(DISTINCT stream_id) = 2
                   AND bool_and(data #> '{{Order,Buyer}}' = 'null') FROM mt_events WHERE {} = o.id)",
                expressions::EVENT_ORDER
            ),
        ),
        (
            "unknown-event",
            format!("{kinds} = '{{order_placed_event,order_gift_wrapped_event,order_completed_event}}'"),
        ),
        (
            "unreadable-total",
            format!("{letters} = 2 AND {second} #>> '{{Order,TotalPrice}}' LIKE '%,__'"),
        ),
        (
            "unreadable-items",
            format!("{letters} = 1 AND jsonb_typeof({placed} #> '{{Order,OrderItems}}') = 'string'"),
        ),
        (
            "long-stream",
            "(SELECT version = 500 AND snapshot_version = 480 AND snapshot ->> 'Status' = 'Completed'
                 AND snapshot ->> 'Id' = o.id::text FROM mt_streams s WHERE s.id = o.id)
             AND (SELECT count(*) FROM mt_events WHERE stream_id = o.id
                  AND type NOT IN ('order_placed_event', 'order_completed_event')) = 498"
                .to_owned(),
        ),
        ("deleted", "is_deleted AND status = 2 AND last_modified_at > created_at".to_owned()),
        (
            "hostile-note",
            format!(
                r"length(note) = 500 AND note LIKE '=%' AND strpos(note, E'\u001b]0;') > 0 AND strpos(note, E'\u202e') > 0
                  AND note = {placed} #>> '{{Order,Note}}'"
            ),
        ),
        (
            "camel-case",
            format!(
                "{placed} #>> '{{order,id}}' = o.id::text AND NOT {placed} ? 'Order'
                 AND {second} #>> '{{order,orderItems,0,orderId}}' = o.id::text AND {second} ? 'dateOccurred'"
            ),
        ),
        (
            "frozen-timestamp",
            "(SELECT timestamp FROM mt_events WHERE stream_id = o.id AND version = 2) = '2025-09-28 17:03:19.743016+00'"
                .to_owned(),
        ),
        ("letter-elsewhere", format!("{letters} = 1")),
    ]
}

/// The same in the messages.
fn signs_in_messages() -> Vec<(&'static str, String)> {
    vec![
        (
            "half-delivered",
            format!(
                "EXISTS (SELECT FROM inbox_state i JOIN outbox_message m ON m.inbox_message_id = i.message_id
                    WHERE i.consumed IS NOT NULL AND i.delivered IS NULL AND {} = o.id)",
                expressions::MESSAGE_ORDER
            ),
        ),
        (
            "stalled-head",
            format!(
                "(SELECT outbox_id FROM outbox_state WHERE delivered IS NULL ORDER BY created LIMIT 1) =
                 (SELECT outbox_id FROM outbox_message WHERE {} = o.id AND destination_address LIKE '%bad exchange%')
                 AND (SELECT lock_id <> '00000000-0000-0000-0000-000000000000' FROM outbox_state
                      WHERE delivered IS NULL ORDER BY created LIMIT 1)",
                expressions::MESSAGE_ORDER
            ),
        ),
        (
            "no-destination",
            format!(
                "EXISTS (SELECT FROM outbox_message WHERE {} = o.id AND destination_address IS NULL)",
                expressions::MESSAGE_ORDER
            ),
        ),
    ]
}

#[tokio::test]
async fn every_trouble_is_where_the_list_says() {
    let mut conn = open(&demo_database(ORDERS).await).await;
    let signs = signs_in_events().into_iter().chain(signs_in_messages());
    let signs: Vec<_> = signs.collect();
    let listed = troubles(&demo_options(ORDERS)).unwrap();
    assert_eq!(listed.iter().filter(|trouble| trouble.order.is_some()).count(), signs.len());
    for (name, holds) in signs {
        let found =
            format!("SELECT count(*) FROM orders o WHERE o.id = '{}' AND {holds}", order(name));
        assert_eq!(number(&mut conn, &found).await, 1, "{name}");
    }
}

#[tokio::test]
async fn gaps_and_letters_are_of_every_kind() {
    let mut conn = open(&demo_database(ORDERS).await).await;
    let mark = number(
        &mut conn,
        "SELECT last_seq_id FROM mt_event_progression WHERE name = 'HighWaterMark'",
    )
    .await;
    let gaps: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT seq_id + 1, next - 1 FROM (SELECT seq_id, lead(seq_id) OVER (ORDER BY seq_id) AS next FROM mt_events) e
         WHERE next > seq_id + 1 ORDER BY 1",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    assert_eq!(gaps.len(), 2);
    assert!(gaps[0].1 < mark && gaps[0].1 - gaps[0].0 == 2);
    assert_eq!(gaps[1], (mark + 1, mark + 3));
    assert_eq!(number(&mut conn, "SELECT min(seq_id) FROM mt_events").await, 1);
    let gone = format!(
        "SELECT {}::bigint FROM mt_doc_deadletterevent l
         WHERE NOT EXISTS (SELECT FROM mt_events WHERE seq_id::text = {0})",
        expressions::LETTER_SEQUENCE.replace("data", "l.data")
    );
    let gone = number(&mut conn, &gone).await;
    assert!(gaps[0].0 <= gone && gone <= gaps[0].1);
    for (sql, count) in [
        (
            "SELECT count(*) FROM mt_doc_deadletterevent WHERE data ->> 'ExceptionType' LIKE '%.%' AND data ->> 'TenantId' IS NULL AND data ->> 'Timestamp' LIKE '0001-%'",
            1,
        ),
        (
            "SELECT count(*) FROM mt_doc_deadletterevent WHERE data ->> 'ProjectionName' LIKE 'SignalR%<%>'",
            1,
        ),
        (
            "SELECT count(*) FROM mt_doc_deadletterevent WHERE data ->> 'ExceptionMessage' LIKE 'Failure to apply event #%'",
            4,
        ),
        ("SELECT count(*) FROM inbox_state WHERE consumed IS NULL AND receive_count = 0", 2),
    ] {
        assert_eq!(number(&mut conn, sql).await, count, "{sql}");
    }
}

#[tokio::test]
async fn the_same_arguments_give_the_same_bytes() {
    let options = Options { orders: 700, seed: 9, ..demo_options(0) };
    let mut first = open(&managed().await).await;
    let counted = load(&mut first, options, false, |_| ()).await.unwrap();
    let expected = fingerprints(&mut first).await;
    assert!(expected.iter().filter(|(_, hash)| hash.is_some()).count() == 11, "{expected:?}");

    let mut second = open(&managed().await).await;
    load(&mut second, Options { seed: 10, ..options }, false, |_| ()).await.unwrap();
    let other = fingerprints(&mut second).await;
    assert!(
        other.iter().zip(&expected).filter(|(a, b)| a == b).count() <= 1,
        "another seed, other data"
    );
    assert_eq!(load(&mut second, options, true, |_| ()).await.unwrap(), counted);
    assert_eq!(fingerprints(&mut second).await, expected);
    assert_eq!(demo::loaded(&mut second).await.unwrap(), Some(options));

    let mut oldest = open(&pg15().empty().await).await;
    migrate::migrate(&mut oldest).await.unwrap();
    assert_eq!(demo::loaded(&mut oldest).await.unwrap(), None);
    load(&mut oldest, options, false, |_| ()).await.unwrap();
    assert_eq!(fingerprints(&mut oldest).await, expected, "on every server");
}

#[tokio::test]
async fn loading_leaves_the_schema_as_it_was() {
    let mut conn = open(&managed().await).await;
    let before = catalog::public(&mut conn).await;
    let mut stages = Vec::new();
    let mut last = (Stage::Rows, 0);
    let mut seen = 0;
    load(&mut conn, demo_options(200), false, |progress| {
        seen += 1;
        assert!(progress.done <= progress.total);
        if progress.stage == last.0 {
            assert!(progress.done >= last.1, "progress goes on");
        } else {
            stages.push(progress.stage);
        }
        last = (progress.stage, progress.done);
    })
    .await
    .unwrap();
    assert_eq!(stages, [Stage::Indexes, Stage::Statistics]);
    assert!(seen > 20);
    assert_eq!(catalog::public(&mut conn).await, before);
    assert!(migrate::migrate(&mut conn).await.unwrap().applied.is_empty());
    let unanalyzed = "SELECT count(*) FROM pg_class WHERE relname = ANY('{orders,mt_events,outbox_message}') AND reltuples <= 0";
    assert_eq!(number(&mut conn, unanalyzed).await, 0);
}

#[tokio::test]
async fn a_load_that_ends_early_leaves_what_was_there() {
    let options = demo_database(ORDERS).await;
    let mut conn = open(&options).await;
    let before = (fingerprints(&mut conn).await, catalog::public(&mut conn).await);
    let (begun, stop) = tokio::sync::oneshot::channel();
    let mut begun = Some(begun);
    tokio::select! {
        done = load(&mut conn, demo_options(40_000), true, |progress| {
            if progress.done > 5_000 && let Some(begun) = begun.take() {
                begun.send(()).unwrap();
            }
        }) => panic!("ended by itself: {done:?}"),
        () = async { stop.await.unwrap() } => {}
    }
    drop(conn);
    let mut conn = open(&options).await;
    assert_eq!((fingerprints(&mut conn).await, catalog::public(&mut conn).await), before);
}

#[tokio::test]
async fn data_that_nobody_asked_to_replace_is_kept() {
    let mut conn = open(&managed().await).await;
    conn.execute("INSERT INTO buyers (name) VALUES ('somebody')").await.unwrap();
    let refused = load(&mut conn, demo_options(100), false, |_| ()).await.unwrap_err();
    assert!(matches!(refused, Error::Occupied), "{refused}");
    let refused = load(&mut conn, demo_options(100), true, |_| ()).await.unwrap_err();
    assert!(matches!(&refused, Error::Others(told) if told == "1 buyer"), "{refused}");
    assert_eq!(number(&mut conn, "SELECT count(*) FROM orders").await, 0);

    let mut empty = open(&pg18().empty().await).await;
    let refused = load(&mut empty, demo_options(100), true, |_| ()).await.unwrap_err();
    assert!(refused.to_string().contains("migrate it first"), "{refused}");
    empty.execute(include_str!("../fixtures/document.sql")).await.unwrap();
    let refused = load(&mut empty, demo_options(100), true, |_| ()).await.unwrap_err();
    assert!(refused.to_string().contains("tables that Orderscope did not make"), "{refused}");

    let until = NaiveDate::from_ymd_opt(2026, 11, 22).unwrap();
    let few = Options { orders: 99, ..Options::until(until) };
    let refused = load(&mut conn, few, true, |_| ()).await.unwrap_err();
    assert_eq!(refused.to_string(), "--orders 99 is out of range: choose 100 to 20000000");
}

//! The migrated schema is the document's, differs only where it is meant to, and takes any data.

use std::collections::BTreeSet;

use orderscope::db::{
    expressions,
    migrate::{self, Error, Standing, migrate},
};
use sqlx::{Connection, Executor, PgConnection, postgres::PgConnectOptions};

use crate::support::{
    catalog,
    postgres::{Server, managed, pg15, pg18},
};

const DOCUMENT: &str = include_str!("../fixtures/document.sql");

async fn open(options: &PgConnectOptions) -> PgConnection {
    PgConnection::connect_with(options).await.unwrap()
}

async fn document(server: &Server) -> PgConnection {
    let mut conn = open(&server.empty().await).await;
    conn.execute(DOCUMENT).await.unwrap();
    conn
}

async fn scalar<T>(conn: &mut PgConnection, sql: &str) -> T
where
    T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
{
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned())).fetch_one(conn).await.unwrap()
}

async fn refusal(conn: &mut PgConnection) -> String {
    migrate(conn).await.unwrap_err().to_string()
}

/// Names in the lines of `catalog` that only one of two databases has.
fn only<'a>(left: &'a BTreeSet<String>, right: &'a BTreeSet<String>) -> Vec<&'a str> {
    left.difference(right).map(String::as_str).collect()
}

#[tokio::test]
async fn only_the_listed_things_differ_from_the_document() {
    let theirs = catalog::public(&mut document(pg18()).await).await;
    let mut conn = open(&pg18().empty().await).await;
    migrate(&mut conn).await.unwrap();
    let ours = catalog::public(&mut conn).await;

    assert!(theirs.len() > 130, "the catalog query sees {} things", theirs.len());
    let column = r"column mt_events 7 timestamp timestamp with time zone not null";
    assert_eq!(
        only(&theirs, &ours),
        [format!("{column} default '2025-09-28 17:03:19.743016+00'::timestamp with time zone")]
    );
    let mut expected = vec![format!("{column} default now()")];
    expected.extend(
        [
            "ix_buyers_city",
            "ix_buyers_id_tail",
            "ix_buyers_name",
            "ix_buyers_name_trigrams",
            "ix_buyers_province",
            "ix_inbox_state_delivered",
            "ix_inbox_state_open",
            "ix_mt_doc_deadletterevent_sequence",
            "ix_mt_doc_ordersummaryview_total",
            "ix_mt_doc_ordersummaryview_total_bucket",
            "ix_mt_events_correlation_id",
            "ix_mt_events_correlation_tail",
            "ix_mt_events_id",
            "ix_mt_events_order",
            "ix_mt_events_timestamp",
            "ix_mt_events_type",
            "ix_order_items_book_id",
            "ix_orders_buyer_id_created_at",
            "ix_orders_created_at",
            "ix_orders_deleted",
            "ix_orders_id_tail",
            "ix_orders_note_trigrams",
            "ix_orders_note_words",
            "ix_orders_status",
            "ix_outbox_message_conversation_id",
            "ix_outbox_message_correlation_id",
            "ix_outbox_message_enqueue_time",
            "ix_outbox_message_expiration_time",
            "ix_outbox_message_inbox_message_id_inbox_consumer_id_sequence_",
            "ix_outbox_message_message_id",
            "ix_outbox_message_order",
            "ix_outbox_message_orphan",
            "ix_outbox_message_outbox_id_sequence_number",
            "ix_outbox_message_undeliverable",
            "ix_outbox_state_created",
            "ix_outbox_state_delivered",
            "ix_outbox_state_open",
            "pk_mt_events_stream_and_version",
        ]
        .map(|name| format!("index {name}")),
    );
    expected.push("sequence mt_events_sequence owned by nothing".to_owned());
    expected.push("statistics st_buyers_place".to_owned());
    let more: Vec<String> = only(&ours, &theirs)
        .into_iter()
        // An index by its name: its definition is compared where it is used.
        .map(|line| match line.strip_prefix("index ") {
            Some(rest) => format!("index {}", rest.split(' ').next().unwrap()),
            None => line.to_owned(),
        })
        .collect();
    assert_eq!(more, expected);
}

#[tokio::test]
async fn guards_and_borrowed_names_are_what_their_owners_made() {
    let mut conn = open(&managed().await).await;
    let lines = catalog::public(&mut conn).await;
    for line in [
        "index pk_mt_events_stream_and_version CREATE UNIQUE INDEX pk_mt_events_stream_and_version ON public.mt_events USING btree (stream_id, version)",
        "index ix_outbox_message_outbox_id_sequence_number CREATE UNIQUE INDEX ix_outbox_message_outbox_id_sequence_number ON public.outbox_message USING btree (outbox_id, sequence_number)",
        "index ix_outbox_message_inbox_message_id_inbox_consumer_id_sequence_ CREATE UNIQUE INDEX ix_outbox_message_inbox_message_id_inbox_consumer_id_sequence_ ON public.outbox_message USING btree (inbox_message_id, inbox_consumer_id, sequence_number)",
        "index ix_outbox_state_created CREATE INDEX ix_outbox_state_created ON public.outbox_state USING btree (created)",
        "index ix_inbox_state_delivered CREATE INDEX ix_inbox_state_delivered ON public.inbox_state USING btree (delivered)",
    ] {
        assert!(lines.contains(line), "missing: {line}");
    }
    let in_public: i64 =
        scalar(&mut conn, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").await;
    assert_eq!(in_public, i64::try_from(migrate::TABLES.len()).unwrap());
}

#[tokio::test]
async fn migrating_again_changes_nothing() {
    let mut conn = open(&pg18().empty().await).await;
    assert_eq!(migrate::standing(&mut conn).await.unwrap(), Standing::Empty);
    let first = migrate(&mut conn).await.unwrap();
    assert!(first.created);
    assert!(first.applied.len() > 4, "{:?}", first.applied);
    let before = catalog::public(&mut conn).await;
    let second = migrate(&mut conn).await.unwrap();
    assert!(!second.created);
    assert!(second.applied.is_empty());
    assert_eq!(catalog::public(&mut conn).await, before);
    assert_eq!(migrate::standing(&mut conn).await.unwrap(), Standing::Managed { pending: 0 });
    let kind: String = scalar(&mut conn, "SELECT kind FROM orderscope.database").await;
    assert_eq!(kind, "managed");
}

#[tokio::test]
async fn two_processes_may_migrate_at_once() {
    for _ in 0..4 {
        let options = pg18().empty().await;
        let mut conns = Vec::new();
        for _ in 0..3 {
            conns.push(open(&options).await);
        }
        let done = futures::future::join_all(conns.iter_mut().map(migrate)).await;
        let created = done.iter().filter(|done| done.as_ref().unwrap().created).count();
        assert_eq!(created, 1, "{done:?}");
    }
}

#[tokio::test]
async fn the_oldest_server_gets_the_schema_and_its_ids() {
    let mut conn = open(&pg15().empty().await).await;
    migrate(&mut conn).await.unwrap();
    let mut other = open(&managed().await).await;
    let names = |lines: BTreeSet<String>| -> BTreeSet<String> {
        let indexes = lines.into_iter().filter(|line| line.starts_with("index "));
        indexes.map(|line| line.split(' ').nth(1).unwrap().to_owned()).collect()
    };
    assert_eq!(names(catalog::public(&mut conn).await), names(catalog::public(&mut other).await));
    conn.execute("CREATE TABLE made AS SELECT n, uuidv7() AS id, clock_timestamp() AS at FROM generate_series(1, 2000) n")
        .await
        .unwrap();
    let wrong: i64 = scalar(
        &mut conn,
        "SELECT count(*) FROM made WHERE substr(id::text, 15, 1) <> '7' OR substr(id::text, 20, 1) NOT IN ('8', '9', 'a', 'b')
            OR abs(('x' || lpad(substr(replace(id::text, '-', ''), 1, 12), 16, '0'))::bit(64)::bigint - extract(epoch FROM at) * 1000) > 50",
    )
    .await;
    assert_eq!(wrong, 0);
    let (distinct, unsorted): (i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(DISTINCT id) FROM made),
                (SELECT count(*) FROM (SELECT left(id::text, 18) < lag(left(id::text, 18)) OVER (ORDER BY n) AS back FROM made) x WHERE back)",
    )
    .fetch_one(&mut conn)
    .await
    .unwrap();
    assert_eq!((distinct, unsorted), (2000, 0));
    let mine: i64 = scalar(
        &mut other,
        "SELECT count(*) FROM pg_proc WHERE proname = 'uuidv7' AND pronamespace = 'public'::regnamespace",
    )
    .await;
    assert_eq!(mine, 0, "PostgreSQL 18 has its own");
}

#[tokio::test]
async fn a_database_of_the_service_is_refused() {
    let mut made = document(pg18()).await;
    let text = refusal(&mut made).await;
    assert!(
        text.contains(
            "tables that Orderscope did not make: public.\"__EFMigrationsHistory\", public.buyers"
        ),
        "{text}"
    );
    assert!(text.contains("open it without migrating"), "{text}");
    let schemas: i64 =
        scalar(&mut made, "SELECT count(*) FROM pg_namespace WHERE nspname = 'orderscope'").await;
    assert_eq!(schemas, 0, "a refusal leaves nothing behind");

    for (sign, expected) in [
        (
            "CREATE FUNCTION public.mt_archive_stream(uuid) RETURNS void LANGUAGE sql AS ''",
            "Marten's functions are there: public.mt_archive_stream",
        ),
        (
            r#"INSERT INTO "__EFMigrationsHistory" VALUES ('20250304080143_Initial', '10.0.0')"#,
            "__EFMigrationsHistory lists its migrations",
        ),
    ] {
        let mut ours = open(&managed().await).await;
        ours.execute(sign).await.unwrap();
        let text = refusal(&mut ours).await;
        assert!(text.contains(expected), "{text}");
        let standing = migrate::standing(&mut ours).await.unwrap();
        assert!(matches!(standing, Standing::Service { .. }), "{standing:?}");
    }

    let mut partitioned = open(&pg18().empty().await).await;
    partitioned
        .execute("CREATE TABLE mt_events (seq_id bigint, is_archived boolean) PARTITION BY LIST (is_archived)")
        .await
        .unwrap();
    assert!(refusal(&mut partitioned).await.contains("mt_events is partitioned"));
}

#[tokio::test]
async fn a_handed_over_or_newer_database_is_refused() {
    let mut conn = open(&managed().await).await;
    conn.execute("UPDATE orderscope.database SET kind = 'attached', changed_at = '2026-11-22'")
        .await
        .unwrap();
    assert!(refusal(&mut conn).await.contains("handed over to the service (2026-11-22)"));

    let mut conn = open(&managed().await).await;
    conn.execute(
        "INSERT INTO orderscope.managed_migrations VALUES (999, 'future', now(), true, '', 1)",
    )
    .await
    .unwrap();
    assert!(matches!(migrate(&mut conn).await, Err(Error::Newer { found: 999, .. })));
    assert!(matches!(migrate::standing(&mut conn).await, Err(Error::Newer { found: 999, .. })));

    let mut conn = open(&managed().await).await;
    conn.execute("UPDATE orderscope.managed_migrations SET checksum = 'x' WHERE version = 2")
        .await
        .unwrap();
    assert!(matches!(migrate(&mut conn).await, Err(Error::Altered { step: 2 })));
}

/// Bodies and texts that nobody should write and somebody will.
#[tokio::test]
async fn anything_can_still_be_written() {
    let mut conn = open(&managed().await).await;
    let long = "x".repeat(20_000);
    let digits = "9".repeat(9_000);
    let id = "0199A3F2-7C1E-7B40-9D2A-5E0C4B1F8C41";
    let bodies = [
        "null".to_owned(),
        "1".to_owned(),
        "[]".to_owned(),
        "\"text\"".to_owned(),
        "{}".to_owned(),
        r#"{"Order": 5}"#.to_owned(),
        r#"{"Order": []}"#.to_owned(),
        r#"{"Order": null, "order": {"id": 7}}"#.to_owned(),
        r#"{"Order": {"Id": {"Id": 1}}, "TotalPrice": "44,00", "EventSequence": [1]}"#.to_owned(),
        format!(
            r#"{{"Order": {{"Id": "{long}"}}, "TotalPrice": {digits}, "EventSequence": "{long}"}}"#
        ),
        format!(r#"{{"TotalPrice": 1e{}, "EventSequence": {digits}}}"#, 6_000),
        format!(r#"{{"order": {{"id": "{id}"}}, "TotalPrice": 12.50, "eventSequence": 67}}"#),
    ];
    conn.execute("INSERT INTO mt_streams (id) VALUES (uuidv7())").await.unwrap();
    for body in &bodies {
        sqlx::query(
            "WITH stream AS (SELECT id FROM mt_streams), n AS (SELECT nextval('mt_events_sequence') AS n),
                  doc AS (INSERT INTO mt_doc_ordersummaryview (id, data) VALUES (uuidv7(), $1::jsonb)),
                  letter AS (INSERT INTO mt_doc_deadletterevent (id, data) VALUES (uuidv7(), $1::jsonb)),
                  state AS (INSERT INTO outbox_state (outbox_id, lock_id, created) VALUES (uuidv7(), uuidv7(), now()) RETURNING outbox_id),
                  message AS (INSERT INTO outbox_message (outbox_id, sent_time, message_id, content_type, message_type, body)
                              SELECT outbox_id, now(), uuidv7(), '', '', $1 FROM state)
             INSERT INTO mt_events (seq_id, id, stream_id, version, data, type, correlation_id)
             SELECT n, uuidv7(), stream.id, n, $1::jsonb, 'odd', $2 FROM stream, n",
        )
        .bind(body)
        .bind(&long)
        .execute(&mut conn)
        .await
        .unwrap_or_else(|error| panic!("{}: {error}", &body[..body.len().min(80)]));
    }
    for body in ["", "not json", "{\"orderId\": \"", "\u{202e}\u{1}\"OrderID\" : \"none\"", &long] {
        sqlx::query("INSERT INTO outbox_message (sent_time, message_id, content_type, message_type, body) VALUES (now(), uuidv7(), '', '', $1)")
            .bind(body)
            .execute(&mut conn)
            .await
            .unwrap();
    }
    let found: i64 = scalar(
        &mut conn,
        &format!("SELECT count(*) FROM mt_events WHERE {} = '{id}'", expressions::EVENT_ORDER),
    )
    .await;
    assert_eq!(found, 1);
    let total: String = scalar(
        &mut conn,
        &format!(
            "SELECT string_agg({0}::text, ' ') FROM mt_doc_ordersummaryview WHERE {0} IS NOT NULL",
            expressions::SUMMARY_TOTAL
        ),
    )
    .await;
    assert_eq!(total, "12.50");
}

#[tokio::test]
async fn the_planner_knows_the_expressions() {
    let mut conn = open(&managed().await).await;
    conn.execute("SET enable_seqscan = off").await.unwrap();
    let id = "'0199a3f2-7c1e-7b40-9d2a-5e0c4b1f8c41'";
    for (table, condition, index) in [
        ("mt_events", format!("{} = {id}", expressions::EVENT_ORDER), "ix_mt_events_order"),
        ("mt_events", "correlation_id = 'abc'".to_owned(), "ix_mt_events_correlation_id"),
        (
            "mt_events",
            format!("{} LIKE 'f72d%'", expressions::EVENT_CORRELATION_TAIL),
            "ix_mt_events_correlation_tail",
        ),
        (
            "outbox_message",
            format!("{} = {id}", expressions::MESSAGE_ORDER),
            "ix_outbox_message_order",
        ),
        (
            "mt_doc_deadletterevent",
            format!("{} = '67'", expressions::LETTER_SEQUENCE),
            "ix_mt_doc_deadletterevent_sequence",
        ),
        (
            "mt_doc_ordersummaryview",
            format!("{} > 100", expressions::SUMMARY_TOTAL),
            "ix_mt_doc_ordersummaryview_total",
        ),
        (
            "mt_doc_ordersummaryview",
            format!("{} = 60", expressions::SUMMARY_TOTAL_BUCKET),
            "ix_mt_doc_ordersummaryview_total_bucket",
        ),
        ("orders", "is_deleted".to_owned(), "ix_orders_deleted"),
        ("orders", format!("{} LIKE '14c8%'", expressions::ID_TAIL), "ix_orders_id_tail"),
        ("buyers", format!("{} LIKE '14c8%'", expressions::ID_TAIL), "ix_buyers_id_tail"),
        (
            "orders",
            format!("{} @@ plainto_tsquery('simple', 'gift')", expressions::NOTE_WORDS),
            "ix_orders_note_words",
        ),
        ("orders", format!("{} LIKE '%gift%'", expressions::NOTE_TEXT), "ix_orders_note_trigrams"),
        ("buyers", format!("{} LIKE '%anh%'", expressions::BUYER_NAME), "ix_buyers_name_trigrams"),
        ("buyers", format!("{} LIKE 'anh%'", expressions::BUYER_NAME), "ix_buyers_name"),
        ("buyers", format!("{} = 'huế'", expressions::BUYER_CITY), "ix_buyers_city"),
        ("buyers", format!("{} = 'huế'", expressions::BUYER_PROVINCE), "ix_buyers_province"),
    ] {
        let plan: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
            "EXPLAIN SELECT 1 FROM {table} WHERE {condition}"
        )))
        .fetch_all(&mut conn)
        .await
        .unwrap();
        assert!(plan.iter().any(|line| line.contains(index)), "{index} unused: {plan:#?}");
    }
}

#[tokio::test]
async fn a_message_names_its_order_in_any_spelling() {
    let mut conn = open(&managed().await).await;
    let id = "0199a3f2-7c1e-7b40-9d2a-5e0c4b1f8c41";
    for body in [
        format!("{{\n  \"message\": {{\n    \"orderId\": \"{id}\"\n  }}\n}}"),
        format!(r#"{{"OrderId":"{}"}}"#, id.to_uppercase()),
        format!(r#"garbage "orderID" : "{id}" garbage"#),
    ] {
        let sql = format!("SELECT {}::text FROM (SELECT $1 AS body) m", expressions::MESSAGE_ORDER);
        let found: Option<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .bind(&body)
            .fetch_one(&mut conn)
            .await
            .unwrap();
        assert_eq!(found.as_deref(), Some(id), "{body}");
    }
}

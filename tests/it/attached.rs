//! Databases of the real service, stage by stage, in its own schema and in the document's: everything that is
//! there is found, nothing else, and what is missing is said.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use orderscope::{
    db::{Db, Index, Kind, Layout, Limits, Table},
    domain::outbox::Delivery,
    domain::{
        id::OrderId,
        order::Status,
        order_ref::IdMatch,
        search::{Query, Span, Term, Test, Trait},
        timeline::Timeline,
    },
    ops::{
        history::{History, history, resolve},
        search::{self, OrderBy, OrderLine, Start},
    },
};
use rust_decimal::Decimal;
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use tokio::sync::{Mutex, OnceCell};
use uuid::Uuid;

use crate::support::{
    fixture::{self, STAGES, Schema},
    postgres::{Server, pg15, pg18},
};

/// Every server and schema that a service's database may come with.
fn homes() -> [(&'static Server, Schema); 3] {
    [(pg18(), Schema::Marten9), (pg18(), Schema::Document), (pg15(), Schema::Document)]
}

struct Attached {
    options: PgConnectOptions,
    db: Db,
}

impl Attached {
    async fn at(stage: &'static str, (server, schema): (&'static Server, Schema)) -> Self {
        let options = fixture::stage(server, schema, stage).await;
        let db = Db::new(&options, &Limits::default());
        Self { options, db }
    }

    /// As it is, and as if its tables were too large to be read whole where an index is missing.
    async fn both(stage: &'static str, home: (&'static Server, Schema)) -> [Self; 2] {
        let small = Self::at(stage, home).await;
        let limits = Limits { small_table_pages: -1, ..Limits::default() };
        let large = Self { options: small.options.clone(), db: Db::new(&small.options, &limits) };
        [small, large]
    }

    async fn search(&self, tests: Vec<Test>) -> search::Page {
        let terms = tests.into_iter().map(|test| Term { test, negated: false, at: 0..0 }).collect();
        let query = Query { terms, notes: vec![] };
        let layout = self.db.layout().await.unwrap();
        let stop = stop();
        let page = self.db.read("orders", &stop, async |conn| {
            search::page(conn, &layout, &query, Start::Newest, 500).await
        });
        page.await.unwrap()
    }

    async fn found(&self, test: Test) -> BTreeSet<OrderId> {
        self.search(vec![test]).await.rows.into_iter().map(|row| row.id).collect()
    }

    async fn history(&self, id: OrderId) -> Option<History> {
        let layout = self.db.layout().await.unwrap();
        self.db
            .read("timeline", &stop(), async |conn| history(conn, &layout, id).await)
            .await
            .unwrap()
    }

    /// Every order of the list with its history. All tests of a run share what was read.
    async fn read(stage: &'static str, home: (&'static Server, Schema)) -> Arc<Vec<OrderAnalysis>> {
        type Key = (usize, Schema, &'static str);
        type Once = Arc<OnceCell<Arc<Vec<OrderAnalysis>>>>;
        static READ: Mutex<BTreeMap<Key, Once>> = Mutex::const_new(BTreeMap::new());
        let key = (std::ptr::from_ref(home.0).addr(), home.1, stage);
        let cell = Arc::clone(READ.lock().await.entry(key).or_default());
        let known = cell.get_or_init(|| async {
            let at = Self::at(stage, home).await;
            let mut all = Vec::new();
            for row in at.search(everything()).await.rows {
                let known = at.history(row.id).await.unwrap();
                all.push((row, known));
            }
            Arc::new(all)
        });
        Arc::clone(known.await)
    }

    /// What the tables themselves say, for comparison.
    async fn ids(&self, sql: &'static str) -> BTreeSet<OrderId> {
        let mut conn = PgConnection::connect_with(&self.options).await.unwrap();
        sqlx::query_scalar(sql).fetch_all(&mut conn).await.unwrap().into_iter().collect()
    }
}

type OrderAnalysis = (OrderLine, History);

fn stop() -> tokio_util::sync::CancellationToken {
    tokio_util::sync::CancellationToken::new()
}

fn everything() -> Vec<Test> {
    Vec::new()
}

#[tokio::test]
async fn every_stage_lists_all_its_orders() {
    for stage in STAGES {
        for home in homes() {
            let at = Attached::at(stage, home).await;
            let page = at.search(everything()).await;
            let listed: BTreeSet<_> = page.rows.iter().map(|row| row.id).collect();
            assert_eq!(listed, at.ids("SELECT id FROM orders").await, "{stage} {:?}", home.1);
            assert!(page.complete && page.older.is_none() && page.newer.is_none());
            assert!(page.rows.is_sorted_by_key(|row| std::cmp::Reverse((row.placed, row.id))));
            assert!(page.rows.iter().all(|row| row.buyer_name.is_some() && row.items > Some(0)));
        }
    }
}

#[tokio::test]
async fn pending_messages_are_those_not_recorded_as_delivered() {
    let expected = [73, 0, 68, 137, 213, 208, 208];
    for (stage, expected) in STAGES.into_iter().zip(expected) {
        for home in homes() {
            let at = Attached::at(stage, home).await;
            let mut pending = BTreeSet::new();
            let mut flagged = BTreeSet::new();
            for (row, known) in &*Attached::read(stage, home).await {
                let mine: Vec<_> =
                    known.messages.iter().filter(|m| m.delivery == Delivery::Pending).collect();
                assert_eq!(row.undelivered, Some(!mine.is_empty()), "{stage} {}", row.id);
                if !mine.is_empty() {
                    flagged.insert(row.id);
                }
                pending.extend(mine.iter().map(|message| message.sequence));
            }
            assert_eq!(pending.len(), expected, "{stage} {:?}", home.1);
            assert_eq!(at.found(Test::Has(Trait::Undelivered)).await, flagged, "{stage}");
        }
    }
}

#[tokio::test]
async fn the_histories_of_a_stage_hold_every_event_once() {
    for stage in STAGES {
        for home in homes() {
            let at = Attached::at(stage, home).await;
            let mut conn = PgConnection::connect_with(&at.options).await.unwrap();
            let all: Vec<i64> = sqlx::query_scalar("SELECT seq_id FROM mt_events ORDER BY seq_id")
                .fetch_all(&mut conn)
                .await
                .unwrap();
            let mut seen = Vec::new();
            for (_, known) in &*Attached::read(stage, home).await {
                assert!(known.events.is_sorted_by_key(|event| event.seq));
                seen.extend(known.events.iter().map(|event| event.seq.0));
            }
            seen.sort_unstable();
            assert_eq!(seen, all, "{stage} {:?}", home.1);
        }
    }
}

#[tokio::test]
async fn from_stage_three_each_event_has_a_stream_of_its_own() {
    for home in homes() {
        let mut scattered = 0;
        for (row, known) in &*Attached::read("3-paused", home).await {
            let own =
                known.events.iter().filter(|event| event.stream.map(|s| s.0) == Some(row.id.0));
            match own.count() {
                0 => {
                    scattered += 1;
                    assert!(known.stream.is_none());
                    let mut streams: Vec<_> =
                        known.events.iter().map(|event| event.stream).collect();
                    streams.dedup();
                    assert_eq!(streams.len(), known.events.len(), "one stream per event");
                    assert!(known.events.iter().all(|event| event.version.0 == 1));
                }
                own => assert_eq!(own, known.events.len()),
            }
        }
        assert_eq!(scattered, 40);
    }
}

#[tokio::test]
async fn archived_events_show() {
    for stage in STAGES.into_iter().skip(4) {
        for home in homes() {
            let all = Attached::read(stage, home).await;
            let events = all.iter().flat_map(|(_, known)| &known.events);
            assert_eq!(events.filter(|event| event.archived).count(), 10, "{stage} {:?}", home.1);
        }
    }
}

#[tokio::test]
async fn row_events_and_summary_agree_where_the_projection_has_come() {
    for stage in STAGES {
        for home in homes() {
            let mut compared = 0;
            for (row, known) in &*Attached::read(stage, home).await {
                let stored = known.row.as_ref().unwrap();
                let timeline = Timeline::new(row.id, known.events.clone());
                let folded = timeline.latest().order().expect("an order from its events");
                assert_eq!(folded.status, stored.status, "{stage} {}", row.id);
                assert_eq!(folded.total, stored.total, "{stage} {}", row.id);
                assert_eq!(row.total, Some(stored.total));
                let last = timeline.steps().last().unwrap().event.seq;
                let Some(summary) = &known.summary else { continue };
                if known.position.summary.is_some_and(|position| position >= last)
                    && summary.version == Some(last.0)
                {
                    let name = match stored.status {
                        Status::New => "New",
                        Status::Cancelled => "Cancelled",
                        Status::Completed => "Completed",
                        Status::Other(_) => "?",
                    };
                    assert_eq!(summary.data["Status"], name, "{stage} {}", row.id);
                    let total: Decimal = summary.data["TotalPrice"].to_string().parse().unwrap();
                    assert_eq!(total, stored.total, "{stage} {}", row.id);
                    assert_eq!(row.drift, Some(false), "{stage} {}", row.id);
                    compared += 1;
                }
            }
            assert!(compared >= 38, "{stage}: only {compared} summaries compared");
        }
    }
}

#[tokio::test]
async fn every_scrap_finds_its_order() {
    for home in homes() {
        for at in Attached::both("5-gap-and-failure", home).await {
            let mut conn = PgConnection::connect_with(&at.options).await.unwrap();
            let (message, conversation, order): (Uuid, Uuid, String) = sqlx::query_as(
                r#"SELECT message_id, conversation_id, substring(body FROM '"orderId": "([^"]*)"')
               FROM outbox_message ORDER BY sequence_number DESC LIMIT 1"#,
            )
            .fetch_one(&mut conn)
            .await
            .unwrap();
            let order = OrderId(order.parse().unwrap());
            let (event, stream, trace): (Uuid, Uuid, String) = sqlx::query_as(
                "SELECT id, stream_id, correlation_id FROM mt_events
             WHERE data -> 'Order' ->> 'Id' = $1 ORDER BY seq_id LIMIT 1",
            )
            .bind(order.to_string())
            .fetch_one(&mut conn)
            .await
            .unwrap();
            let digits = order.0.simple().to_string();
            for test in [
                Test::AnyId(order.0),
                Test::AnyId(message),
                Test::AnyId(conversation),
                Test::AnyId(event),
                Test::AnyId(stream),
                Test::AnyId(trace.parse().unwrap()),
                Test::Order(IdMatch::Full(order.0)),
                Test::Order(IdMatch::Tail(digits[20..].to_owned())),
                Test::AnyTail(digits[20..].to_owned()),
                Test::Correlation(trace.clone()),
                Test::Correlation(trace[20..].to_owned()),
                Test::Correlation(conversation.to_string()),
                Test::Correlation(conversation.simple().to_string()[20..].to_owned()),
            ] {
                let found = at.found(test.clone()).await;
                assert_eq!(found, BTreeSet::from([order]), "{test:?} in {:?}", home.1);
            }
            let layout = at.db.layout().await.unwrap();
            let tail = IdMatch::Tail(digits[20..].to_owned());
            let stop = stop();
            let ids = at.db.read("test", &stop, async |conn| resolve(conn, &layout, &tail).await);
            assert_eq!(ids.await.unwrap(), [order]);
        }
    }
}

#[tokio::test]
async fn questions_get_the_same_answer_as_plain_sql() {
    for home in homes() {
        for at in Attached::both("5-gap-and-failure", home).await {
            let mut conn = PgConnection::connect_with(&at.options).await.unwrap();
            let (book, buyer, name): (Uuid, Uuid, String) = sqlx::query_as(
            "SELECT i.book_id, b.id, b.name FROM order_items i JOIN orders o ON o.id = i.order_id
             JOIN buyers b ON b.id = o.buyer_id ORDER BY i.id LIMIT 1",
        )
        .fetch_one(&mut conn)
        .await
        .unwrap();
            let ids = async |sql: &'static str, value: String| -> BTreeSet<OrderId> {
                let mut conn = PgConnection::connect_with(&at.options).await.unwrap();
                let found: Vec<OrderId> =
                    sqlx::query_scalar(sql).bind(value).fetch_all(&mut conn).await.unwrap();
                assert!(!found.is_empty(), "nothing to look for: {sql}");
                found.into_iter().collect()
            };
            let part = name[1..4].to_uppercase();
            let span = Span { from: Some(Decimal::from(100)), to: Some(Decimal::from(200)) };
            let cases = [
            (
                Test::Book(IdMatch::Full(book)),
                ids("SELECT order_id FROM order_items WHERE book_id = $1::uuid", book.to_string()).await,
            ),
            (
                Test::Buyer(IdMatch::Full(buyer)),
                ids("SELECT id FROM orders WHERE buyer_id = $1::uuid", buyer.to_string()).await,
            ),
            (
                Test::BuyerName(part.clone()),
                ids(
                    "SELECT o.id FROM orders o JOIN buyers b ON b.id = buyer_id WHERE name ILIKE '%' || $1 || '%'",
                    part,
                )
                .await,
            ),
            (
                Test::Note("poison".to_owned()),
                ids("SELECT id FROM orders WHERE note LIKE $1 || ' %'", "poison".to_owned()).await,
            ),
            (
                Test::Status(Status::Completed),
                ids("SELECT id FROM orders WHERE status = $1::int", "2".to_owned()).await,
            ),
            (
                Test::Total(span),
                ids(
                    "SELECT order_id FROM order_items GROUP BY 1
                     HAVING sum(price * quantity) BETWEEN $1::numeric AND 200",
                    "100".to_owned(),
                )
                .await,
            ),
            (
                Test::Items(Span { from: Some(3), to: None }),
                ids(
                    "SELECT order_id FROM order_items GROUP BY 1 HAVING count(*) >= $1::int",
                    "3".to_owned(),
                )
                .await,
            ),
            (
                Test::Has(Trait::Letter),
                ids(
                    "SELECT (e.data -> 'Order' ->> 'Id')::uuid FROM mt_doc_deadletterevent l
                     JOIN mt_events e ON e.seq_id = (l.data ->> 'EventSequence')::bigint WHERE $1 = ''",
                    String::new(),
                )
                .await,
            ),
        ];
            for (test, expected) in cases {
                assert_eq!(at.found(test.clone()).await, expected, "{test:?} in {:?}", home.1);
            }
        }
    }
}

#[tokio::test]
async fn a_history_without_indexes_is_the_same_and_says_where_it_looked() {
    for home in homes() {
        let [small, large] = Attached::both("5-gap-and-failure", home).await;
        let layout = large.db.layout().await.unwrap();
        for row in small.search(everything()).await.rows.iter().step_by(9) {
            let whole = small.history(row.id).await.unwrap();
            let mut bounded = large.history(row.id).await.unwrap();
            assert!(whole.coverage.is_empty(), "{:?}", whole.coverage);
            assert_eq!(bounded.coverage.len(), 3, "{:?}", bounded.coverage);
            assert!(bounded.coverage[0].to_string().contains("within 30 days of placing only"));
            assert!(whole.whole && !bounded.whole);
            // Of the chain only that is left out which no index leads to.
            let unsearched = std::mem::take(&mut bounded.chain.unsearched);
            assert!(
                bounded.coverage.iter().any(|one| Some(one.to_string()) == unsearched.messages)
            );
            if unsearched.inbox.is_some() || unsearched.commands.is_some() {
                let received = std::mem::take(&mut bounded.chain.received);
                assert!(received.iter().all(|row| whole.chain.received.contains(row)));
                bounded.chain.received.clone_from(&whole.chain.received);
            }
            if !layout.has(Index::OutboxCreated) {
                assert_eq!(bounded.chain.head, None);
                bounded.chain.head.clone_from(&whole.chain.head);
            }
            assert_eq!(History { coverage: Vec::new(), whole: true, ..bounded }, whole);
        }
    }
}

#[tokio::test]
async fn letters_are_told_with_their_order() {
    for home in homes() {
        let mut letters = Vec::new();
        for (row, known) in &*Attached::read("1-backlog", home).await {
            assert_eq!(row.letter, Some(!known.letters.is_empty()), "{}", row.id);
            letters.extend(known.letters.clone());
        }
        assert_eq!(letters.len(), 2);
        assert!(letters.iter().all(|letter| {
            letter.projection.as_deref() == Some("RevenueDaily")
                && letter.exception_type.as_deref() == Some("InvalidOperationException")
        }));
    }
}

#[tokio::test]
async fn the_layout_is_what_the_schema_made() {
    let layout = async |home: (&'static Server, Schema)| -> Layout {
        let at = Attached::at("5-gap-and-failure", home).await;
        (*at.db.layout().await.unwrap()).clone()
    };
    let marten = layout((pg18(), Schema::Marten9)).await;
    assert_eq!(marten.kind(), Kind::Attached);
    assert!(marten.is_partitioned(Table::Events) && marten.is_partitioned(Table::Streams));
    assert!(marten.has_column(Table::Events, "bdata"));
    assert!(marten.has_column(Table::Progression, "agent_status"));
    assert!(!marten.has_column(Table::Streams, "snapshot"));
    assert_eq!(marten.column_type(Table::Summaries, "mt_version"), Some("bigint"));
    assert!(marten.has(Index::EventStream) && !marten.has(Index::EventBody));
    assert!(!marten.has_console_schema() && !marten.has_trigrams());

    for server in [pg18(), pg15()] {
        let document = layout((server, Schema::Document)).await;
        assert_eq!(document.kind(), Kind::Attached);
        assert!(!document.is_partitioned(Table::Events));
        assert!(document.has_column(Table::Streams, "snapshot"));
        assert_eq!(document.column_type(Table::Summaries, "mt_version"), Some("integer"));
        assert!(!document.has(Index::EventStream) && document.has(Index::OrdersByBuyer));
        assert!(Table::ALL.into_iter().all(|table| document.reads(table)));
    }
}

#[tokio::test]
async fn a_list_of_a_small_database_is_sorted_by_placing() {
    let at = Attached::at("4-broker-down", (pg15(), Schema::Document)).await;
    let page = at.search(everything()).await;
    assert_eq!(page.order_by, OrderBy::Placed);
    assert!(page.coverage.is_empty(), "{:?}", page.coverage);
}

//! The database layer and the read-side use cases on databases of our own: sessions, cancelling, layouts, searches
//! and their cost, histories.

use std::{collections::BTreeSet, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use orderscope::{
    db::{Db, Error, Kind, Limits, Table},
    demo::troubles,
    domain::{
        compare::Agreement,
        id::OrderId,
        order::Status,
        order_ref::IdMatch,
        search::{Query, Span, Term, Test, Trait},
    },
    ops::{
        analysis::OrderAnalysis,
        history::{History, history, resolve},
        search::{self, Access, Count, Cursor, OrderBy, Page, Start},
    },
};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, postgres::PgConnectOptions};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::{
    fixture::{self, Schema},
    nap,
    postgres::{GUARDED, demo, demo_options, managed, pg15, pg18},
};

const ORDERS: u64 = 5_000;

fn db(options: &PgConnectOptions) -> Db {
    Db::new(options, &Limits::default())
}

async fn open(options: &PgConnectOptions) -> PgConnection {
    PgConnection::connect_with(options).await.unwrap()
}

/// A number in JSON with these digits.
fn number(amount: Decimal) -> Value {
    serde_json::from_str(&amount.to_string()).unwrap()
}

fn term(test: Test) -> Term {
    Term { test, negated: false, at: 0..0 }
}

fn not(test: Test) -> Term {
    Term { test, negated: true, at: 0..0 }
}

async fn page(db: &Db, terms: Vec<Term>, start: Start, limit: usize) -> Page {
    let layout = db.layout().await.unwrap();
    let (query, stop) = (Query { terms, notes: vec![] }, CancellationToken::new());
    let page = db.read("orders", &stop, async |conn| {
        search::page(conn, &layout, &query, start, limit).await
    });
    page.await.unwrap()
}

async fn count(db: &Db, terms: Vec<Term>) -> Count {
    let layout = db.layout().await.unwrap();
    let (query, stop) = (Query { terms, notes: vec![] }, CancellationToken::new());
    let counted = db.read("orders", &stop, async |conn| {
        let plan = search::plan(conn, &layout, &query).await?;
        search::count(conn, &layout, &plan).await
    });
    counted.await.unwrap()
}

async fn story(db: &Db, id: OrderId) -> Option<History> {
    let layout = db.layout().await.unwrap();
    let stop = CancellationToken::new();
    db.read("timeline", &stop, async |conn| history(conn, &layout, id).await).await.unwrap()
}

async fn say(db: &Db, sql: &'static str) -> Result<String, Error> {
    let stop = CancellationToken::new();
    db.read("test", &stop, async |conn| Ok(sqlx::query_scalar(sql).fetch_one(conn).await?)).await
}

mod sessions {
    use super::*;

    #[tokio::test]
    async fn a_session_is_read_only_named_and_limited() {
        let db = db(&pg18().empty().await);
        assert_eq!(say(&db, "SHOW application_name").await.unwrap(), "orderscope/test");
        assert_eq!(say(&db, "SHOW default_transaction_read_only").await.unwrap(), "on");
        assert_eq!(say(&db, "SHOW statement_timeout").await.unwrap(), "2s");
        assert_eq!(say(&db, "SHOW lock_timeout").await.unwrap(), "500ms");
        assert_eq!(say(&db, "SHOW idle_in_transaction_session_timeout").await.unwrap(), "5s");
        assert_eq!(say(&db, "SHOW TimeZone").await.unwrap(), "UTC");
        assert_eq!(say(&db, "SHOW search_path").await.unwrap(), "pg_catalog, public, pg_temp");
        let written = say(&db, "CREATE TABLE t ()").await;
        assert!(matches!(written, Err(Error::ReadOnly(_))), "{written:?}");
    }

    #[tokio::test]
    async fn a_name_in_public_cannot_stand_in_for_a_built_in_one() {
        let options = pg18().empty().await;
        let trap =
            "CREATE FUNCTION public.lower(text) RETURNS text LANGUAGE sql AS $$ SELECT 'caught' $$";
        open(&options).await.execute(trap).await.unwrap();
        assert_eq!(say(&db(&options), "SELECT lower('Free')").await.unwrap(), "free");
    }

    #[tokio::test]
    async fn a_session_is_kept_and_renamed() {
        let db = db(&pg18().empty().await);
        let stop = CancellationToken::new();
        let mut seen = BTreeSet::new();
        for who in ["orders", "timeline", "orders"] {
            let sql = "SELECT current_setting('application_name'), pg_backend_pid()";
            let (name, pid): (String, i32) = db
                .read(who, &stop, async |conn| Ok(sqlx::query_as(sql).fetch_one(conn).await?))
                .await
                .unwrap();
            assert_eq!(name, format!("orderscope/{who}"));
            seen.insert(pid);
        }
        assert_eq!(seen.len(), 1);
    }

    #[tokio::test]
    async fn a_session_that_died_while_idle_is_replaced() {
        let options = pg18().empty().await;
        let db = db(&options);
        let pid: i32 = say(&db, "SELECT pg_backend_pid()::text").await.unwrap().parse().unwrap();
        let mut admin = open(&options).await;
        sqlx::query("SELECT pg_terminate_backend($1, 5000)")
            .bind(pid)
            .execute(&mut admin)
            .await
            .unwrap();
        // The first question may meet the closed connection, unless it was idle long enough to be asked first.
        match say(&db, "SELECT 'alive'").await {
            Ok(answer) => assert_eq!(answer, "alive"),
            Err(error) => {
                assert!(matches!(error, Error::Lost(_)), "{error}");
            }
        }
        assert_eq!(say(&db, "SELECT 'alive'").await.unwrap(), "alive");
    }

    #[tokio::test]
    async fn a_statement_ends_at_its_limit() {
        let limits = Limits { statement: Duration::from_millis(50), ..Limits::default() };
        let db = Db::new(&pg18().empty().await, &limits);
        let error = say(&db, "SELECT pg_sleep(30)::text").await.unwrap_err();
        assert_eq!(error, Error::TimedOut(Duration::from_millis(50)));
        assert!(error.to_string().contains("50 ms"), "{error}");
        assert_eq!(say(&db, "SELECT 'still there'").await.unwrap(), "still there");
    }

    #[tokio::test]
    async fn a_cancel_reaches_the_server() {
        let options = pg18().empty().await;
        let limits = Limits { statement: Duration::from_mins(1), ..Limits::default() };
        let db = Db::new(&options, &limits);
        let mut admin = open(&options).await;
        nap::cancelled(&db, &mut admin).await;
        nap::over(&mut admin).await;
        // The session that the cancel was for is gone: a late cancel can hit nobody.
        let left: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity
             WHERE datname = current_database() AND application_name = 'orderscope/test'",
        )
        .fetch_one(&mut admin)
        .await
        .unwrap();
        assert!(left <= 1, "{left} sessions left");
        assert_eq!(say(&db, "SELECT 'free'").await.unwrap(), "free");
    }

    #[tokio::test]
    async fn what_is_cancelled_before_it_starts_never_starts() {
        let db = db(&pg18().empty().await);
        let stop = CancellationToken::new();
        stop.cancel();
        let asked = db.read("test", &stop, async |_| -> Result<(), Error> { panic!("it started") });
        assert_eq!(asked.await, Err(Error::Cancelled));
    }

    #[tokio::test]
    async fn the_last_session_is_waited_for_and_then_refused() {
        let limits = Limits { readers: 1, acquire: Duration::from_millis(20), ..Limits::default() };
        let db = Db::new(&pg18().empty().await, &limits);
        let stop = CancellationToken::new();
        let inner = db.clone();
        let refused = db.read("test", &stop, async |_| Ok(say(&inner, "SELECT 'never'").await));
        assert_eq!(refused.await.unwrap(), Err(Error::Exhausted(1)));
    }

    #[tokio::test]
    async fn a_wrong_password_is_told_and_the_right_one_opens() {
        let options = pg18().empty().await;
        let database = options.get_database().unwrap();
        // The server asks members of this role for a password.
        let role = format!("{GUARDED}_{database}");
        let made = format!(
            "SET password_encryption = 'scram-sha-256'; CREATE ROLE {GUARDED}; CREATE ROLE {role} LOGIN PASSWORD 'right' IN ROLE {GUARDED}"
        );
        open(&options).await.execute(AssertSqlSafe(made)).await.unwrap();
        let guarded = options.username(&role);
        assert_eq!(
            say(&db(&guarded.clone().password("right")), "SELECT 'in'").await.unwrap(),
            "in"
        );
        let error = db(&guarded.password("wrong")).layout().await.unwrap_err();
        assert!(matches!(&error, Error::Login(_)), "{error}");
        assert!(!error.to_string().contains("wrong"), "{error}");
    }

    #[tokio::test]
    async fn each_way_of_failing_has_its_words() {
        let server = pg18().empty().await;
        let nowhere = server.clone().socket("/nonexistent");
        let error = db(&nowhere).layout().await.unwrap_err();
        assert!(
            matches!(&error, Error::Unreachable { place, .. } if place.contains("/nonexistent"))
        );
        let refused =
            PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(1).username("x");
        let error = db(&refused).layout().await.unwrap_err();
        assert!(matches!(error, Error::Unreachable { .. }), "{error}");

        let error = db(&server.clone().database("nothing_here")).layout().await.unwrap_err();
        assert!(matches!(&error, Error::NoDatabase(why) if why.contains("nothing_here")));
        let error = db(&server.clone().username("nobody_here")).layout().await.unwrap_err();
        assert!(matches!(error, Error::Login(_)), "{error}");
        let error = say(&db(&server), "SELECT 'x' FROM orders").await.unwrap_err();
        assert!(matches!(&error, Error::MissingTable(what) if what.contains("orders")), "{error}");
        let error = say(&db(&server), "SELECT (1/0)::text").await.unwrap_err();
        assert!(matches!(&error, Error::Server { code, .. } if code == "22012"), "{error}");
    }
}

mod layouts {
    use super::*;

    #[tokio::test]
    async fn a_managed_database_lacks_nothing() {
        let options = managed().await;
        let layout = db(&options).layout().await.unwrap();
        assert_eq!(layout.kind(), Kind::Managed);
        assert_eq!(layout.major_version(), 18);
        assert!(layout.has_console_schema() && layout.has_trigrams());
        assert_eq!(layout.missing(), []);
    }

    #[tokio::test]
    async fn every_index_of_a_managed_database_is_recognised() {
        use orderscope::db::Index;
        let layout = db(&managed().await).layout().await.unwrap();
        // A managed store has no tenants.
        let of_tenants = [Index::EventTenantStream, Index::StreamTenant];
        for index in Index::ALL.into_iter().filter(|index| !of_tenants.contains(index)) {
            // Only the trigram index and the ordered one are asked for by the search itself.
            assert!(layout.has(index), "{index:?}");
        }
    }

    #[tokio::test]
    async fn a_service_that_moves_in_makes_it_attached() {
        let options = managed().await;
        let marten =
            "CREATE FUNCTION public.mt_archive_stream(uuid) RETURNS void LANGUAGE sql AS ''";
        open(&options).await.execute(marten).await.unwrap();
        let db = db(&options);
        assert_eq!(db.layout().await.unwrap().kind(), Kind::TakenOver);
        assert!(!db.layout().await.unwrap().is_managed());
        open(&options).await.execute("DROP FUNCTION public.mt_archive_stream").await.unwrap();
        assert_eq!(db.probe_again().await.unwrap().kind(), Kind::Managed);
    }

    #[tokio::test]
    async fn an_empty_database_is_no_service() {
        let db = db(&pg15().empty().await);
        let layout = db.layout().await.unwrap();
        assert_eq!(layout.major_version(), 15);
        let told = "no table orders in any schema that this login sees";
        assert_eq!(layout.missing()[0].what, told);
        let stop = CancellationToken::new();
        let answer = db.read("orders", &stop, async |conn| {
            search::page(conn, &layout, &Query::default(), Start::Newest, 10).await
        });
        assert!(matches!(answer.await, Err(Error::MissingTable(_))));
    }

    /// EF Core without the snake case convention: `"OrderItems"."BookId"`.
    #[tokio::test]
    async fn pascal_case_reads_the_same() {
        let snake = fixture::stage(pg18(), Schema::Document, "4-broker-down").await;
        let pascal = fixture::own(pg18(), Schema::Document, "4-broker-down").await;
        let mut conn = open(&pascal).await;
        let renames: Vec<String> = sqlx::query_scalar(
            "WITH t AS (
                 SELECT oid, relname FROM pg_class WHERE relname IN
                 ('orders', 'order_items', 'buyers', 'outbox_message', 'outbox_state', 'inbox_state'))
             SELECT format('ALTER TABLE %I RENAME COLUMN %I TO %I', relname, attname,
                    replace(initcap(replace(attname, '_', ' ')), ' ', ''))
             FROM t JOIN pg_attribute ON attrelid = t.oid AND attnum > 0
             UNION ALL
             SELECT format('ALTER TABLE %I RENAME TO %I', relname,
                    replace(initcap(replace(relname, '_', ' ')), ' ', ''))
             FROM t ORDER BY 1",
        )
        .fetch_all(&mut conn)
        .await
        .unwrap();
        assert!(renames.contains(&"ALTER TABLE order_items RENAME TO \"OrderItems\"".to_owned()));
        for rename in renames {
            conn.execute(AssertSqlSafe(rename)).await.unwrap();
        }
        let (snake, pascal) = (db(&snake), db(&pascal));
        assert!(
            Table::ALL.into_iter().all(|table| table.name() != "orders" || table == Table::Orders)
        );
        let all = page(&snake, vec![], Start::Newest, 500).await;
        assert_eq!(page(&pascal, vec![], Start::Newest, 500).await.rows, all.rows);
        assert_eq!(all.rows.len(), 120);
        for row in all.rows.iter().step_by(30) {
            assert_eq!(story(&pascal, row.id).await, story(&snake, row.id).await);
        }
        let buyer = term(Test::BuyerName(all.rows[0].buyer_name.clone().unwrap()));
        let found = page(&snake, vec![buyer.clone()], Start::Newest, 500).await.rows;
        assert_eq!(page(&pascal, vec![buyer], Start::Newest, 500).await.rows, found);
    }

    #[tokio::test]
    async fn what_may_not_be_read_is_left_out_and_said() {
        let options = fixture::own(pg18(), Schema::Marten9, "5-gap-and-failure").await;
        let mut conn = open(&options).await;
        let role = format!("reader_{}", options.get_database().unwrap());
        let grants = format!(
            "CREATE ROLE {role} LOGIN; GRANT SELECT ON orders, order_items, mt_events, mt_streams TO {role}"
        );
        conn.execute(AssertSqlSafe(grants)).await.unwrap();
        let db = db(&options.username(&role));
        let layout = db.layout().await.unwrap();
        let missing: Vec<_> = layout.missing().into_iter().map(|missing| missing.what).collect();
        assert!(missing.contains(&"no right to read buyers".to_owned()), "{missing:?}");
        let page = page(&db, vec![], Start::Newest, 500).await;
        assert_eq!(page.rows.len(), 162);
        assert!(page.rows.iter().all(|row| row.buyer_name.is_none() && row.undelivered.is_none()));
        assert!(page.coverage.iter().any(|note| note.what == "flag U"));
        let known = story(&db, page.rows[0].id).await.unwrap();
        assert!(!known.events.is_empty() && known.messages.is_empty());
        assert!(known.coverage.iter().any(|one| one.what == "outbox_message" && one.is_unknown));
    }
}

mod variants {
    use super::*;

    /// Every kind of test there is; the compiler sees to it that none is forgotten.
    fn tests() -> Vec<Test> {
        let id = Uuid::now_v7();
        let now = Some(Utc::now());
        let tests = vec![
            Test::AnyId(id),
            Test::AnyTail("8c41".to_owned()),
            Test::Text("gift".to_owned()),
            Test::Text("gift wrap".to_owned()),
            Test::Order(IdMatch::Full(id)),
            Test::Order(IdMatch::Tail("8c41".to_owned())),
            Test::Buyer(IdMatch::Full(id)),
            Test::Buyer(IdMatch::Tail("8c41".to_owned())),
            Test::BuyerName("le".to_owned()),
            Test::BuyerName("long".to_owned()),
            Test::Book(IdMatch::Full(id)),
            Test::Book(IdMatch::Tail("8c41".to_owned())),
            Test::Correlation(id.to_string()),
            Test::Correlation("8c41".to_owned()),
            Test::Note("poison".to_owned()),
            Test::City("Hue".to_owned()),
            Test::Province("Hue".to_owned()),
            Test::Status(Status::Other(7)),
            Test::Tenant("shop-a".to_owned()),
            Test::Placed(Span { from: now, to: now }),
            Test::Placed(Span { from: None, to: now }),
            Test::Modified(Span { from: now, to: None }),
            Test::Modified(Span { from: None, to: now }),
            Test::Total(Span { from: Some(Decimal::ONE), to: None }),
            Test::Total(Span { from: Some(Decimal::MAX), to: Some(Decimal::MAX) }),
            Test::Items(Span { from: None, to: Some(2) }),
            Test::Has(Trait::Undelivered),
            Test::Has(Trait::Letter),
            Test::Has(Trait::Drift),
            Test::Has(Trait::Deleted),
            Test::Has(Trait::Note),
        ];
        for test in &tests {
            match test {
                Test::AnyId(_)
                | Test::AnyTail(_)
                | Test::Text(_)
                | Test::Order(_)
                | Test::Buyer(_)
                | Test::BuyerName(_)
                | Test::Book(_)
                | Test::Correlation(_)
                | Test::Note(_)
                | Test::City(_)
                | Test::Province(_)
                | Test::Status(_)
                | Test::Tenant(_)
                | Test::Placed(_)
                | Test::Modified(_)
                | Test::Total(_)
                | Test::Items(_)
                | Test::Has(
                    Trait::Undelivered
                    | Trait::Letter
                    | Trait::Drift
                    | Trait::Deleted
                    | Trait::Note,
                ) => {}
            }
        }
        tests
    }

    #[tokio::test]
    async fn every_statement_runs_on_every_layout() {
        // A small table is read whole, so each layout is asked twice: as it is, and as if it were large.
        let as_large = Limits { small_table_pages: -1, ..Limits::default() };
        let stage = "5-gap-and-failure";
        let mut homes = vec![db(&managed().await), db(&demo(ORDERS).await)];
        for (server, schema) in
            [(pg15(), Schema::Document), (pg18(), Schema::Document), (pg18(), Schema::Marten9)]
        {
            let options = fixture::stage(server, schema, stage).await;
            homes.extend([db(&options), Db::new(&options, &as_large)]);
        }
        homes.push(Db::new(&fixture::empty(pg18(), Schema::Marten9).await, &as_large));
        for db in homes {
            let cursor = Cursor { placed: Utc::now(), id: OrderId(Uuid::now_v7()) };
            let plain = tests().into_iter().map(|test| vec![term(test)]);
            let negated = tests().into_iter().map(|test| vec![not(test)]);
            for terms in plain.chain(negated).chain([vec![]]) {
                page(&db, terms.clone(), Start::Newest, 5).await;
                page(&db, terms.clone(), Start::NewerThan(cursor), 5).await;
                count(&db, terms).await;
            }
            page(&db, vec![], Start::OlderThan(cursor), 5).await;
            page(&db, vec![], Start::Oldest, 5).await;
            let known = page(&db, vec![], Start::Newest, 1).await.rows;
            for id in known.iter().map(|row| row.id).chain([cursor.id]) {
                assert_eq!(story(&db, id).await.is_some(), !known.is_empty() && id == known[0].id);
            }
            let layout = db.layout().await.unwrap();
            let stop = CancellationToken::new();
            for wanted in [IdMatch::Full(cursor.id.0), IdMatch::Tail("0123456789abcdef".to_owned())]
            {
                let found =
                    db.read("test", &stop, async |conn| resolve(conn, &layout, &wanted).await);
                assert_eq!(found.await.unwrap(), []);
            }
        }
    }
}

mod searches {
    use super::*;

    /// Ids by plain SQL, the newest first.
    async fn ids(options: &PgConnectOptions, condition: &str) -> Vec<OrderId> {
        let sql = format!(
            "SELECT o.id FROM orders o JOIN buyers b ON b.id = o.buyer_id WHERE {condition}
             ORDER BY o.created_at DESC, o.id DESC"
        );
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut open(options).await).await.unwrap()
    }

    /// Every page from one end to the other.
    async fn walk(db: &Db, terms: &[Term], mut start: Start, limit: usize) -> Vec<OrderId> {
        let mut all = Vec::new();
        loop {
            let page = page(db, terms.to_vec(), start, limit).await;
            assert!(page.complete && page.rows.len() <= limit);
            let ids = page.rows.iter().map(|row| row.id);
            let next = if start.is_upwards() {
                all.extend(ids.rev());
                page.newer.map(Start::NewerThan)
            } else {
                all.extend(ids);
                page.older.map(Start::OlderThan)
            };
            match next {
                Some(next) => start = next,
                None => return all,
            }
        }
    }

    fn span<T>(from: impl Into<Option<T>>, to: impl Into<Option<T>>) -> Span<T> {
        Span { from: from.into(), to: to.into() }
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn pages_show_every_order_once_in_both_directions() {
        let options = demo(ORDERS).await;
        let db = db(&options);
        let mut all = ids(&options, "true").await;
        assert_eq!(all.len(), 5_000);
        assert_eq!(walk(&db, &[], Start::Newest, 700).await, all);
        all.reverse();
        assert_eq!(walk(&db, &[], Start::Oldest, 700).await, all);
    }

    #[tokio::test]
    async fn every_kind_of_question_is_answered_as_by_plain_sql() {
        let options = demo(ORDERS).await;
        let db = db(&options);
        let mut conn = open(&options).await;
        let (order, buyer, name, city, province): (Uuid, Uuid, String, String, String) =
            sqlx::query_as(
                "SELECT o.id, b.id, b.name, b.address_city, b.address_province
                 FROM orders o JOIN buyers b ON b.id = o.buyer_id
                 WHERE b.address_city IS NOT NULL ORDER BY o.id OFFSET 2500 LIMIT 1",
            )
            .fetch_one(&mut conn)
            .await
            .unwrap();
        let book: Uuid = sqlx::query_scalar(
            "SELECT book_id FROM order_items GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1",
        )
        .fetch_one(&mut conn)
        .await
        .unwrap();
        let word: String = sqlx::query_scalar(
            "SELECT word FROM ts_stat('SELECT to_tsvector(''simple'', note) FROM orders')
             WHERE word ~ '^[g-z][a-z]{4,}$' ORDER BY ndoc DESC, 1 OFFSET 3 LIMIT 1",
        )
        .fetch_one(&mut conn)
        .await
        .unwrap();
        let digits = |id: Uuid| id.simple().to_string();
        let part = name.split(' ').next().unwrap().to_uppercase();
        let total = "(SELECT sum(price * quantity) FROM order_items i WHERE i.order_id = o.id)";
        let has_book = |test: String| {
            format!("EXISTS (SELECT FROM order_items i WHERE i.order_id = o.id AND {test})")
        };
        let named = format!("b.name ILIKE '%{part}%'");
        let noted = format!("to_tsvector('simple', o.note) @@ to_tsquery('simple', '{word}')");
        let cases: Vec<(Vec<Term>, String)> = vec![
            (vec![term(Test::AnyId(order))], format!("o.id = '{order}'")),
            (vec![term(Test::AnyId(buyer))], format!("b.id = '{buyer}'")),
            (vec![term(Test::AnyId(book))], has_book(format!("i.book_id = '{book}'"))),
            (
                vec![term(Test::Order(IdMatch::Tail(digits(order)[28..].to_owned())))],
                format!("o.id::text LIKE '%{}'", &digits(order)[28..]),
            ),
            (
                vec![term(Test::Buyer(IdMatch::Tail(digits(buyer)[27..].to_owned())))],
                format!("b.id::text LIKE '%{}'", &digits(buyer)[27..]),
            ),
            (
                vec![term(Test::Book(IdMatch::Tail(digits(book)[27..].to_owned())))],
                has_book(format!("i.book_id::text LIKE '%{}'", &digits(book)[27..])),
            ),
            (vec![term(Test::BuyerName(part.clone()))], named.clone()),
            (vec![term(Test::Note(word.clone()))], noted.clone()),
            (vec![term(Test::Text(part.clone()))], format!("{named} OR to_tsvector('simple', o.note) @@ phraseto_tsquery('simple', '{part}')")),
            (vec![term(Test::Text(word.clone()))], format!("{noted} OR b.name ILIKE '%{word}%'")),
            (vec![term(Test::City(city.to_uppercase()))], format!("lower(b.address_city) = lower('{city}')")),
            (vec![term(Test::Province(province.clone()))], format!("b.address_province = '{province}'")),
            (vec![term(Test::Status(Status::Cancelled))], "o.status = 1".to_owned()),
            (vec![not(Test::Status(Status::Completed))], "o.status <> 2".to_owned()),
            (
                vec![term(Test::Placed(span(at("2026-03-01T00:00:00Z"), at("2026-04-01T00:00:00Z"))))],
                "o.created_at BETWEEN '2026-03-01Z' AND '2026-04-01Z'".to_owned(),
            ),
            (
                vec![term(Test::Modified(span(at("2026-03-01T00:00:00Z"), at("2026-03-08T00:00:00Z"))))],
                "o.last_modified_at BETWEEN '2026-03-01Z' AND '2026-03-08Z'".to_owned(),
            ),
            (vec![term(Test::Total(span(Decimal::from(150), None)))], format!("{total} >= 150")),
            (
                vec![term(Test::Items(span(5, 6)))],
                "(SELECT count(*) FROM order_items i WHERE i.order_id = o.id) BETWEEN 5 AND 6".to_owned(),
            ),
            (vec![term(Test::Has(Trait::Deleted))], "o.is_deleted".to_owned()),
            (vec![not(Test::Has(Trait::Note))], "coalesce(o.note, '') = ''".to_owned()),
            (
                vec![term(Test::Has(Trait::Undelivered))],
                "o.id IN (SELECT substring(body FROM '\"orderId\": ?\"([^\"]*)\"')::uuid
                          FROM outbox_message m LEFT JOIN outbox_state s ON s.outbox_id = m.outbox_id
                          LEFT JOIN inbox_state i ON i.message_id = m.inbox_message_id
                               AND i.consumer_id = m.inbox_consumer_id
                          WHERE s.delivered IS NULL AND i.delivered IS NULL
                            AND m.sequence_number > coalesce(s.last_sequence_number, i.last_sequence_number, 0))"
                    .to_owned(),
            ),
            (
                vec![term(Test::Book(IdMatch::Full(book))), term(Test::Status(Status::New))],
                format!("{} AND o.status = 0", has_book(format!("i.book_id = '{book}'"))),
            ),
            (
                vec![term(Test::BuyerName(part)), not(Test::Note(word))],
                format!("{named} AND ({noted}) IS NOT TRUE"),
            ),
        ];
        for (terms, condition) in cases {
            let mut expected = ids(&options, &condition).await;
            assert!(!expected.is_empty(), "nothing to find: {condition}");
            let mut found = walk(&db, &terms, Start::Newest, 200).await;
            let by_id = page(&db, terms.clone(), Start::Newest, 1).await.order_by == OrderBy::Id;
            if by_id {
                assert!(found.is_sorted_by(|a, b| a > b), "{condition}");
                expected.sort_by(|a, b| b.cmp(a));
            }
            assert_eq!(found, expected, "{condition}");
            found.reverse();
            assert_eq!(walk(&db, &terms, Start::Oldest, 300).await, found, "{condition}");
            let counted = i64::try_from(expected.len()).unwrap();
            assert_eq!(count(&db, terms).await, Count::Exact(counted), "{condition}");
        }
    }

    #[tokio::test]
    async fn what_does_not_occur_is_not_found() {
        let db = db(&demo(ORDERS).await);
        let id = Uuid::from_u128(7);
        for test in [
            Test::AnyId(id),
            Test::Order(IdMatch::Tail("00000007".to_owned())),
            Test::Buyer(IdMatch::Full(id)),
            Test::Book(IdMatch::Tail("00000007".to_owned())),
            Test::Correlation("nothing".to_owned()),
            Test::Text("zyzzyva".to_owned()),
            Test::Note("!!!".to_owned()),
            Test::Total(span(Decimal::from(1_000_000), None)),
        ] {
            let page = page(&db, vec![term(test.clone())], Start::Newest, 10).await;
            assert!(page.rows.is_empty() && page.complete, "{test:?}");
            assert!(page.older.is_none() && page.newer.is_none(), "{test:?}");
        }
    }

    #[tokio::test]
    async fn wildcards_and_quotes_are_only_letters() {
        let db = db(&demo(ORDERS).await);
        for text in ["%", "_", "\\", "'; DROP TABLE orders; --", "' | !", "\u{202e}", "*"] {
            for test in [Test::Text(text.to_owned()), Test::BuyerName(text.to_owned())] {
                let page = page(&db, vec![term(test.clone())], Start::Newest, 10).await;
                assert!(
                    page.rows.iter().all(|row| row.buyer_name.as_ref().unwrap().contains(text)),
                    "{test:?}"
                );
            }
        }
    }

    #[tokio::test]
    async fn flags_tell_the_planted_trouble() {
        let options = demo(ORDERS).await;
        let db = db(&options);
        let list = troubles(&demo_options(ORDERS)).unwrap();
        let row = async |name: &str| {
            let id = list.iter().find(|trouble| trouble.name == name).unwrap().order.unwrap();
            let page = page(&db, vec![term(Test::AnyId(id.0))], Start::Newest, 10).await;
            assert_eq!(page.rows.len(), 1, "{name}");
            page.rows[0].clone()
        };
        assert_eq!(row("sources-disagree").await.drift, Some(true));
        assert!(row("deleted").await.deleted);
        assert_eq!(row("stalled-head").await.undelivered, Some(true));
        assert_eq!(row("unreadable-total").await.letter, Some(true));
        assert_eq!(row("unreadable-items").await.letter, Some(true));
        assert_eq!(row("letter-elsewhere").await.letter, Some(true));
        let sound = row("camel-case").await;
        assert_eq!(
            (sound.letter, sound.undelivered, sound.drift),
            (Some(false), Some(false), Some(false))
        );
        assert!(row("hostile-note").await.has_note);

        let found = page(&db, vec![term(Test::Has(Trait::Drift))], Start::Newest, 500).await;
        assert!(found.rows.iter().all(|row| row.drift == Some(true)));
        assert!(found.rows.iter().any(|row| row.id
            == list.iter().find(|t| t.name == "sources-disagree").unwrap().order.unwrap()));
        let found = page(&db, vec![term(Test::Has(Trait::Letter))], Start::Newest, 500).await;
        assert!(found.rows.len() >= 3 && found.rows.iter().all(|row| row.letter == Some(true)));
        // Stale is New for a day by the server's clock.
        let fresh = page(&db, vec![term(Test::Status(Status::New))], Start::Newest, 500).await;
        let day_old = Utc::now() - TimeDelta::hours(24);
        assert!(fresh.rows.iter().all(|row| row.stale == (row.placed < day_old)));
        assert!(fresh.rows.iter().any(|row| row.stale));
    }

    /// The mark in the list and the search for it are one comparison, however the documents are written.
    #[tokio::test]
    async fn orders_found_by_drift_are_those_with_the_mark() {
        let options = demo(ORDERS).await;
        let mut conn = open(&options).await;
        let newest: Vec<(Uuid, i16, Decimal)> = sqlx::query_as(
            "SELECT o.id, o.status, (SELECT sum(price * quantity) FROM order_items i WHERE i.order_id = o.id)
             FROM orders o JOIN mt_doc_ordersummaryview s USING (id) ORDER BY o.created_at DESC LIMIT 16",
        )
        .fetch_all(&mut conn)
        .await
        .unwrap();
        let name =
            |status: i16| ["New", "Cancelled", "Completed"][usize::try_from(status).unwrap()];
        for (nth, (id, status, total)) in newest.iter().enumerate() {
            let (other, more) = ((status + 1) % 3, total + Decimal::ONE);
            let data = match nth {
                // Right, in every way of writing it.
                0 => json!({ "Status": status, "TotalPrice": total.to_string() }),
                1 => json!({ "Status": status.to_string(), "TotalPrice": number(*total) }),
                2 => {
                    json!({ "status": name(*status).to_lowercase(), "totalPrice": number(*total) })
                }
                3 => json!({ "status": status, "totalPrice": format!(" {total} ") }),
                4 => {
                    json!({ "Status": format!(" {} ", name(*status)), "TotalPrice": number(*total) })
                }
                // Wrong, or not to be read.
                5 => json!({ "Status": other, "TotalPrice": number(*total) }),
                6 => json!({ "Status": name(other), "TotalPrice": number(*total) }),
                7 => json!({ "Status": status, "TotalPrice": more.to_string() }),
                8 => json!({ "status": name(*status), "totalPrice": number(more) }),
                9 => json!({ "Status": status }),
                10 => json!({ "TotalPrice": number(*total) }),
                11 => json!({ "Status": 9, "TotalPrice": number(*total) }),
                12 => json!({ "Status": status, "TotalPrice": "9".repeat(200) }),
                13 => json!({ "Status": status, "TotalPrice": "NaN" }),
                14 => json!([]),
                _ => json!({ "Status": null, "TotalPrice": null }),
            };
            sqlx::query("UPDATE mt_doc_ordersummaryview SET data = $1 WHERE id = $2")
                .bind(data)
                .bind(id)
                .execute(&mut conn)
                .await
                .unwrap();
        }
        let db = db(&options);
        let marked = |rows: &[search::OrderLine], mark| -> Vec<Uuid> {
            rows.iter().filter(|row| row.drift == mark).map(|row| row.id.0).collect()
        };
        // No document, no verdict.
        let alone = newest[0].0;
        let all = page(&db, vec![], Start::Newest, usize::try_from(ORDERS).unwrap()).await;
        let found = page(&db, vec![term(Test::Has(Trait::Drift))], Start::Newest, 500).await;
        assert_eq!(marked(&found.rows, Some(true)), marked(&all.rows, Some(true)));
        assert_eq!(found.rows.len(), marked(&found.rows, Some(true)).len());
        let found: Vec<_> = found.rows.iter().map(|row| row.id.0).collect();
        for (nth, (id, ..)) in newest.iter().enumerate() {
            assert_eq!(found.contains(id), nth >= 5, "{nth}");
        }
        conn.execute(AssertSqlSafe(format!(
            "DELETE FROM mt_doc_ordersummaryview WHERE id = '{alone}'"
        )))
        .await
        .unwrap();
        let without = page(&db, vec![term(Test::AnyId(alone))], Start::Newest, 1).await;
        assert_eq!(without.rows[0].drift, None);
    }

    /// The look-ups of a search are done once: its count needs nothing of what they read.
    #[tokio::test]
    async fn a_count_goes_by_the_plan_of_its_page() {
        let options = demo(ORDERS).await;
        let (db, mut conn) = (db(&options), open(&options).await);
        let trace: String = sqlx::query_scalar(
            "SELECT correlation_id FROM mt_events WHERE correlation_id IS NOT NULL ORDER BY seq_id LIMIT 1",
        )
        .fetch_one(&mut conn)
        .await
        .unwrap();
        let found = page(&db, vec![term(Test::Correlation(trace))], Start::Newest, 1).await;
        assert_eq!(found.rows.len(), 1);
        let (layout, stop) = (db.layout().await.unwrap(), CancellationToken::new());
        conn.execute("ALTER TABLE mt_events RENAME TO gone").await.unwrap();
        let counted =
            db.read("orders", &stop, async |conn| search::count(conn, &layout, &found.plan).await);
        assert!(matches!(counted.await.unwrap(), Count::Exact(rows) if rows >= 1));
    }

    #[tokio::test]
    async fn a_page_goes_on_where_the_last_one_ended_though_orders_come_in() {
        let options = demo(ORDERS).await;
        let db = db(&options);
        let first = page(&db, vec![], Start::Newest, 50).await;
        assert!(first.newer.is_none());
        let newest: Cursor = Cursor { placed: first.rows[0].placed, id: first.rows[0].id };
        let come = "INSERT INTO orders (id, status, buyer_id, is_deleted, created_at)
                    SELECT uuidv7(), 0, buyer_id, false, '2026-11-24Z' FROM orders LIMIT 3";
        open(&options).await.execute(come).await.unwrap();
        let second = page(&db, vec![], Start::OlderThan(first.older.unwrap()), 50).await;
        assert_eq!(second.rows.len(), 50);
        assert!(
            second.rows[0].placed <= first.rows[49].placed
                && second.rows[0].id != first.rows[49].id
        );
        let back = page(&db, vec![], Start::NewerThan(second.newer.unwrap()), 50).await;
        let ids = |page: &Page| page.rows.iter().map(|row| row.id).collect::<Vec<_>>();
        assert_eq!(ids(&back), ids(&first));
        let new = page(&db, vec![], Start::NewerThan(newest), 50).await;
        assert_eq!(new.rows.len(), 3);
        assert!(new.newer.is_none() && new.older.is_some());
    }

    /// A database with the document's indexes only, too large to be read whole at every question.
    #[tokio::test]
    async fn without_indexes_lists_go_by_the_id_and_say_so() {
        let options = fixture::empty(pg18(), Schema::Document).await;
        let mut conn = open(&options).await;
        conn.execute(
            "INSERT INTO buyers (id, name)
             SELECT uuidv7(interval '-1 year' + n * interval '1 min'), 'Buyer ' || n
             FROM generate_series(1, 500) n;
             INSERT INTO orders (id, status, note, buyer_id, is_deleted, created_at)
             SELECT uuidv7(t - now()), n % 3, CASE WHEN n = 77 THEN 'needle in it' ELSE repeat('x', 400) END, b.id, false, t
             FROM generate_series(1, 20000) n
             CROSS JOIN LATERAL (SELECT timestamptz '2026-01-01Z' + n * interval '1 min' AS t) t
             JOIN buyers b ON b.name = 'Buyer ' || (n % 500 + 1);
             ANALYZE",
        )
        .await
        .unwrap();
        let db = db(&options);
        let layout = db.layout().await.unwrap();
        assert!(!layout.is_small(Table::Orders));
        assert!(
            layout
                .missing()
                .iter()
                .any(|missing| missing.what == "no index on orders(created_at, id)")
        );
        let range = span(at("2026-01-03T00:00:00Z"), at("2026-01-03T01:00:00Z"));
        let page = page(&db, vec![term(Test::Placed(range))], Start::Newest, 100).await;
        assert_eq!((page.order_by, page.rows.len(), page.complete), (OrderBy::Id, 61, true));
        assert!(page.coverage[0].what.starts_with("sorted by the clock in the order's id"));
        assert!(page.coverage[1].what.starts_with("dates found by the clock in the id"));
        let rare =
            super::page(&db, vec![term(Test::Note("needle".to_owned()))], Start::Newest, 10).await;
        assert_eq!((rare.access, rare.rows.len(), rare.complete), (Access::NewestFirst, 1, true));
        let tail = rare.rows[0].id.0.simple().to_string()[24..].to_owned();
        let found =
            super::page(&db, vec![term(Test::Order(IdMatch::Tail(tail)))], Start::Newest, 10);
        assert_eq!(found.await.rows[0].id, rare.rows[0].id);
    }
}

mod costs {
    use super::*;

    const MANY: u64 = 200_000;
    /// No question may read more rows of a table than this, of 200,000 and more.
    const MOST_ROWS: i64 = 30_000;
    /// Nor more than this where an index has the page as it is shown: lines, events and letters of each row.
    const FEW_ROWS: i64 = 2_500;

    /// Sequential scans and rows read of the large tables, as the server counted them.
    async fn read_so_far(conn: &mut PgConnection) -> Vec<(String, i64, i64)> {
        conn.execute("SELECT pg_stat_clear_snapshot()").await.unwrap();
        sqlx::query_as(
            "SELECT relname::text, seq_scan, coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)
             FROM pg_stat_user_tables WHERE schemaname = 'public' AND relname IN
             ('orders', 'order_items', 'buyers', 'mt_events', 'mt_streams', 'mt_doc_ordersummaryview')
             ORDER BY 1",
        )
        .fetch_all(conn)
        .await
        .unwrap()
    }

    /// What a use case does is counted by the server itself: look-ups and flags included.
    #[tokio::test]
    async fn no_question_scans_a_large_table() {
        let options = demo(MANY).await;
        let mut conn = open(&options).await;
        conn.execute("ANALYZE").await.unwrap();
        let (order, buyer, name, city): (Uuid, Uuid, String, String) = sqlx::query_as(
            "SELECT o.id, b.id, b.name, b.address_city FROM orders o JOIN buyers b ON b.id = o.buyer_id
             WHERE b.address_city IS NOT NULL ORDER BY o.id DESC OFFSET 777 LIMIT 1",
        )
        .fetch_one(&mut conn)
        .await
        .unwrap();
        let (event, stream, trace): (Uuid, Uuid, Option<String>) = sqlx::query_as(
            "SELECT id, stream_id, correlation_id FROM mt_events WHERE correlation_id IS NOT NULL
             ORDER BY seq_id DESC LIMIT 1",
        )
        .fetch_one(&mut conn)
        .await
        .unwrap();
        let trace = trace.unwrap();
        let message: Uuid = sqlx::query_scalar(
            "SELECT message_id FROM outbox_message ORDER BY sequence_number DESC LIMIT 1",
        )
        .fetch_one(&mut conn)
        .await
        .unwrap();
        let books: Vec<Uuid> = sqlx::query_scalar(
            "(SELECT book_id FROM order_items GROUP BY 1 ORDER BY count(*) DESC LIMIT 1)
             UNION ALL (SELECT book_id FROM order_items GROUP BY 1 ORDER BY count(*) LIMIT 1)",
        )
        .fetch_all(&mut conn)
        .await
        .unwrap();
        let words: Vec<String> = sqlx::query_scalar(
            "WITH w AS (SELECT word, ndoc FROM ts_stat('SELECT to_tsvector(''simple'', note) FROM orders'))
             (SELECT word FROM w ORDER BY ndoc DESC LIMIT 1) UNION ALL (SELECT word FROM w ORDER BY ndoc LIMIT 1)",
        )
        .fetch_all(&mut conn)
        .await
        .unwrap();
        // This session's own counts are sent now, not in the middle of a question.
        conn.execute("SELECT pg_stat_force_next_flush()").await.unwrap();
        let tail = |id: Uuid, digits: usize| id.simple().to_string()[32 - digits..].to_owned();
        let since = |days| Utc::now() - TimeDelta::days(days);
        let (given, family) = name.split_once(' ').unwrap_or((&name, &name));
        let mut questions = vec![
            vec![],
            vec![term(Test::AnyId(order))],
            vec![term(Test::AnyId(buyer))],
            vec![term(Test::AnyId(books[0]))],
            vec![term(Test::AnyId(message))],
            vec![term(Test::AnyId(event))],
            vec![term(Test::AnyId(stream))],
            vec![term(Test::AnyId(Uuid::from_u128(1)))],
            vec![term(Test::AnyTail(tail(order, 4)))],
            vec![term(Test::Order(IdMatch::Tail(tail(order, 6))))],
            vec![term(Test::Buyer(IdMatch::Full(buyer)))],
            vec![term(Test::Buyer(IdMatch::Tail(tail(buyer, 4))))],
            vec![term(Test::BuyerName(given.to_owned()))],
            vec![term(Test::BuyerName(family.to_owned()))],
            vec![term(Test::BuyerName(name.clone()))],
            vec![term(Test::BuyerName("a".to_owned()))],
            vec![term(Test::Text(given.to_owned()))],
            vec![term(Test::Text(name.clone()))],
            vec![term(Test::Text("zyzzyva".to_owned()))],
            vec![term(Test::Text(family.to_owned())), term(Test::Status(Status::Completed))],
            vec![term(Test::Book(IdMatch::Full(books[0])))],
            vec![term(Test::Book(IdMatch::Full(books[1])))],
            vec![term(Test::Book(IdMatch::Tail(tail(books[0], 5))))],
            vec![term(Test::Book(IdMatch::Full(books[0]))), not(Test::Status(Status::New))],
            vec![term(Test::Correlation(trace.clone()))],
            vec![term(Test::Correlation(trace[trace.len() - 6..].to_owned()))],
            vec![term(Test::Status(Status::New))],
            vec![
                term(Test::Status(Status::Cancelled)),
                term(Test::Placed(Span { from: Some(since(400)), to: Some(since(300)) })),
            ],
            vec![term(Test::Placed(Span { from: None, to: Some(since(500)) }))],
            vec![term(Test::Modified(Span { from: Some(since(300)), to: Some(since(299)) }))],
            vec![term(Test::Total(Span { from: Some(Decimal::from(20)), to: None }))],
            vec![term(Test::Total(Span { from: Some(Decimal::from(100_000)), to: None }))],
            vec![term(Test::Items(Span { from: Some(3), to: None }))],
            vec![term(Test::City(city))],
            vec![term(Test::Has(Trait::Undelivered))],
            vec![term(Test::Has(Trait::Letter))],
            vec![term(Test::Has(Trait::Note))],
        ];
        questions.extend(words.into_iter().map(|word| vec![term(Test::Note(word))]));
        let total = |from, to| {
            Test::Total(Span { from: Some(Decimal::from(from)), to: Some(Decimal::from(to)) })
        };
        let narrow = vec![
            vec![term(Test::Has(Trait::Deleted))],
            vec![term(Test::Has(Trait::Deleted)), term(Test::Status(Status::New))],
            vec![term(total(20, 21))],
            vec![term(total(30, 33))],
            vec![
                term(Test::Status(Status::New)),
                term(Test::Placed(Span { from: Some(since(400)), to: Some(since(370)) })),
            ],
        ];
        let questions = questions.into_iter().map(|terms| (terms, MOST_ROWS));
        let questions = questions.chain(narrow.into_iter().map(|terms| (terms, FEW_ROWS)));
        let db = db(&options);
        let layout = db.layout().await.unwrap();
        let stop = CancellationToken::new();
        for (terms, most) in questions {
            for start in [Start::Newest, Start::Oldest] {
                // Nothing tells where the orders modified on a day begin, seen from the oldest.
                let modified = |term: &Term| matches!(term.test, Test::Modified(_));
                if start == Start::Oldest && terms.iter().any(modified) {
                    continue;
                }
                let before = read_so_far(&mut conn).await;
                let query = Query { terms: terms.clone(), notes: vec![] };
                db.read("orders", &stop, async |conn| {
                    let page = search::page(conn, &layout, &query, start, 50).await?;
                    assert!(page.complete, "{query:?}");
                    conn.execute("SELECT pg_stat_force_next_flush()").await?;
                    Ok(())
                })
                .await
                .unwrap();
                cheap(
                    &before,
                    &read_so_far(&mut conn).await,
                    most,
                    &format!("{terms:?} {start:?}"),
                );
            }
        }
        let list = troubles(&demo_options(MANY)).unwrap();
        let mut orders: Vec<OrderId> =
            list.into_iter().filter_map(|trouble| trouble.order).collect();
        orders.push(OrderId(order));
        for id in orders {
            let before = read_so_far(&mut conn).await;
            db.read("timeline", &stop, async |conn| {
                assert!(history(conn, &layout, id).await?.is_some());
                conn.execute("SELECT pg_stat_force_next_flush()").await?;
                Ok(())
            })
            .await
            .unwrap();
            let after = read_so_far(&mut conn).await;
            cheap(&before, &after, FEW_ROWS, &format!("history of {id}"));
        }
    }

    /// Totals of about the same size are read bucket by bucket; each order once, newest first, and no other.
    #[tokio::test]
    async fn a_narrow_range_of_totals_is_read_whole_page_by_page() {
        let options = demo(MANY).await;
        let mut conn = open(&options).await;
        conn.execute("ANALYZE mt_doc_ordersummaryview").await.unwrap();
        let db = db(&options);
        let (from, to) = (Decimal::from(30), Decimal::from(33));
        let terms = vec![term(Test::Total(Span { from: Some(from), to: Some(to) }))];
        let expected: Vec<OrderId> = sqlx::query_scalar(
            "SELECT order_id FROM order_items JOIN mt_doc_ordersummaryview s ON s.id = order_id
             GROUP BY 1 HAVING sum(price * quantity) BETWEEN 30 AND 33 ORDER BY 1 DESC LIMIT 500",
        )
        .fetch_all(&mut conn)
        .await
        .unwrap();
        let (mut found, mut start) = (vec![], Start::Newest);
        while found.len() < expected.len() {
            let page = page(&db, terms.clone(), start, 100).await;
            assert_eq!((page.order_by, page.access), (OrderBy::Id, Access::Index));
            found.extend(page.rows.iter().map(|row| row.id));
            start = Start::OlderThan(page.older.unwrap());
        }
        assert_eq!(found, expected);
    }

    fn cheap(before: &[(String, i64, i64)], after: &[(String, i64, i64)], most: i64, what: &str) {
        for ((table, scans, rows), (_, scans_now, rows_now)) in before.iter().zip(after) {
            assert_eq!(scans_now - scans, 0, "{what}: {table} was read from end to end");
            let read = rows_now - rows;
            assert!(read <= most, "{what}: {read} rows of {table} were read");
        }
        assert_eq!(before.len(), 6);
    }
}

mod histories {
    use super::*;

    async fn trouble(db: &Db, name: &str) -> History {
        let list = troubles(&demo_options(ORDERS)).unwrap();
        let id = list.iter().find(|trouble| trouble.name == name).unwrap().order.unwrap();
        story(db, id).await.unwrap()
    }

    #[tokio::test]
    async fn the_planted_histories_are_whole() {
        let db = db(&demo(ORDERS).await);
        let long = trouble(&db, "long-stream").await;
        assert_eq!(long.events.len(), 500);
        assert!(
            long.events
                .windows(2)
                .all(|pair| pair[0].seq < pair[1].seq && pair[0].version < pair[1].version)
        );
        let snapshot = long.stream.unwrap().snapshot.unwrap();
        assert_eq!(snapshot.version, 480);

        let foreign = trouble(&db, "foreign-streams").await;
        assert!(foreign.events.len() >= 2 && foreign.coverage.is_empty());
        assert!(
            foreign
                .events
                .iter()
                .all(|event| event.stream.map(|stream| stream.0) != Some(foreign.id.0))
        );

        let camel = trouble(&db, "camel-case").await;
        assert!(camel.events.len() >= 2 && camel.events[0].body.get("order").is_some());

        let lettered = trouble(&db, "unreadable-total").await;
        assert_eq!(lettered.letters.len(), 2);
        assert!(
            lettered
                .letters
                .iter()
                .all(|letter| lettered.events.iter().any(|event| event.seq == letter.event))
        );

        let stalled = trouble(&db, "stalled-head").await;
        assert!(stalled.messages.iter().any(|message| {
            message.delivery == orderscope::domain::outbox::Delivery::Pending
                && message.last_pass.is_some()
        }));
        assert!(stalled.position.high_water.is_some() && stalled.position.head.is_some());

        let deleted = trouble(&db, "deleted").await;
        assert!(deleted.row.unwrap().is_deleted && deleted.summary.is_some());
    }

    #[tokio::test]
    async fn an_order_that_nobody_knows_has_none() {
        let db = db(&demo(ORDERS).await);
        assert_eq!(story(&db, OrderId(Uuid::from_u128(7))).await, None);
    }

    /// A database without indexes whose events come every ten minutes from day -100 to day 100 of its only order;
    /// the order's own on days -40, 0, 20 and 40.
    async fn a_long_log() -> (PgConnectOptions, OrderId) {
        let options = fixture::empty(pg18(), Schema::Document).await;
        let mut conn = open(&options).await;
        let order = Uuid::now_v7();
        conn.execute(AssertSqlSafe(format!(
            "INSERT INTO buyers (id, name) VALUES ('{order}', 'Only');
             INSERT INTO orders (id, status, buyer_id, is_deleted, created_at)
             VALUES ('{order}', 0, '{order}', false, '2026-06-01Z');
             INSERT INTO mt_streams (id, version) SELECT gen_random_uuid(), 1 FROM generate_series(-14400, 14400);
             INSERT INTO mt_events (seq_id, id, stream_id, version, data, type, timestamp)
             SELECT 20000 + 2 * n, gen_random_uuid(), s.id, 1,
                    jsonb_build_object('Order', jsonb_build_object('Id', CASE WHEN n / 144.0 IN (-40, 0, 20, 40)
                        THEN '{order}'::text ELSE s.id::text END), 'Pad', repeat(md5(n::text), 20)),
                    'order_placed_event', timestamptz '2026-06-01Z' + n * interval '10 min'
             FROM generate_series(-14400, 14400) n
             JOIN (SELECT id, row_number() OVER () - 14401 AS n FROM mt_streams) s USING (n);
             ANALYZE"
        )))
        .await
        .unwrap();
        (options, OrderId(order))
    }

    /// No index leads from a body to its order: only the events of a month are looked through.
    #[tokio::test]
    async fn without_an_index_events_are_looked_for_around_the_order() {
        let (options, order) = a_long_log().await;
        let db = db(&options);
        assert!(!db.layout().await.unwrap().is_small(Table::Events));
        let known = story(&db, order).await.unwrap();
        let seqs: Vec<i64> = known.events.iter().map(|event| event.seq.0).collect();
        assert_eq!(seqs, [20_000, 20_000 + 2 * 144 * 20]);
        assert!(
            known
                .coverage
                .iter()
                .any(|note| note.to_string().contains("within 30 days of placing only"))
        );
    }

    /// Where even a month takes too long, a few days are looked through.
    #[tokio::test]
    async fn what_takes_too_long_is_looked_for_in_fewer_days() {
        let (options, order) = a_long_log().await;
        let role = format!("slow_{}", options.get_database().unwrap());
        // For this role each event between a few days and a month from the order takes its time.
        let slow = format!(
            "CREATE ROLE {role} LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role};
             ALTER TABLE mt_events ENABLE ROW LEVEL SECURITY;
             CREATE POLICY slow ON mt_events USING (CASE
                 WHEN abs(extract(epoch FROM timestamp - timestamptz '2026-06-01Z')) / 86400 BETWEEN 5 AND 28
                 THEN pg_sleep(0.02)::text IS NOT NULL ELSE true END)"
        );
        open(&options).await.execute(AssertSqlSafe(slow)).await.unwrap();
        let limits = Limits { statement: Duration::from_millis(1_500), ..Limits::default() };
        let db = Db::new(options.username(&role), &limits);
        let known = story(&db, order).await.unwrap();
        let seqs: Vec<i64> = known.events.iter().map(|event| event.seq.0).collect();
        assert_eq!(seqs, [20_000], "{:?}", known.coverage);
        assert!(
            known
                .coverage
                .iter()
                .any(|note| note.to_string().contains("within 3 days of placing only"))
        );
        assert!(!known.whole);
    }

    #[tokio::test]
    async fn a_row_whose_event_is_still_to_come_is_being_written() {
        let options = managed().await;
        let mut conn = open(&options).await;
        let order = Uuid::now_v7();
        let write = format!(
            "INSERT INTO buyers (id, name) VALUES ('{order}', 'Only');
             INSERT INTO orders (id, status, buyer_id, is_deleted, created_at, last_modified_at)
             VALUES ('{order}', 0, '{order}', false, now(), now())"
        );
        conn.execute(AssertSqlSafe(write)).await.unwrap();
        let db = db(&options);
        let known = OrderAnalysis::new(story(&db, OrderId(order)).await.unwrap(), true);
        assert_eq!(known.comparison.row, Agreement::Unknown("being written".to_owned()));
        assert!(!known.comparison.is_drift());
        let aged = format!(
            "UPDATE orders SET created_at = now() - interval '1 min', last_modified_at = NULL
             WHERE id = '{order}'"
        );
        conn.execute(AssertSqlSafe(aged)).await.unwrap();
        let known = OrderAnalysis::new(story(&db, OrderId(order)).await.unwrap(), true);
        assert_eq!(known.comparison.row, Agreement::Alone);
    }
}

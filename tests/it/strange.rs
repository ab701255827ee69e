//! Databases that change, hide rows or hold values that no clock shows: every row is answered, and what cannot be known
//! is said to be unknown.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use orderscope::{
    db::{Db, Limits},
    domain::{compare::Agreement, id::OrderId, search::Query},
    ops::{
        analysis::OrderAnalysis,
        history::history,
        search::{self, Start},
    },
};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, postgres::PgConnectOptions};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    support::{
        fixture::{self, Schema},
        postgres::{pg15, pg18},
    },
    verbs::Home,
};

async fn open(options: &PgConnectOptions) -> PgConnection {
    PgConnection::connect_with(options).await.unwrap()
}

async fn run(conn: &mut PgConnection, sql: &str) {
    conn.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
}

#[tokio::test]
async fn a_probe_survives_indexes_that_come_and_go() {
    const ROUNDS: usize = 150;
    let options = fixture::own(pg18(), Schema::Marten9, "1-backlog").await;
    let over = Arc::new(AtomicBool::new(false));
    let makers = (0..3).map(|number| {
        let (over, options) = (Arc::clone(&over), options.clone());
        tokio::spawn(async move {
            let mut conn = open(&options).await;
            let mut rounds = 0;
            while !over.load(Ordering::SeqCst) {
                let made = format!("CREATE INDEX come_and_go_{number} ON buyers (name)");
                run(&mut conn, &made).await;
                run(&mut conn, &format!("DROP INDEX come_and_go_{number}")).await;
                rounds += 1;
            }
            rounds
        })
    });
    let makers: Vec<_> = makers.collect();
    let db = Db::new(&options, &Limits::default());
    for round in 0..ROUNDS {
        let answer = db.probe_again().await;
        assert!(answer.is_ok(), "round {round}: {answer:?}");
    }
    over.store(true, Ordering::SeqCst);
    for maker in makers {
        assert!(maker.await.unwrap() > 0);
    }
    db.close().await;
}

/// The order whose stream has the most events, and a database in which `role` sees only some rows of `table`.
async fn policed(table: &str, role: &str) -> (PgConnectOptions, OrderId) {
    let options = fixture::own(pg18(), Schema::Marten9, "2-delivered").await;
    let mut conn = open(&options).await;
    let stream: Uuid = sqlx::query_scalar(
        "SELECT stream_id FROM mt_events GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1",
    )
    .fetch_one(&mut conn)
    .await
    .unwrap();
    run(
        &mut conn,
        &format!(
            "DO $$ BEGIN CREATE ROLE {role} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
             GRANT USAGE ON SCHEMA public TO {role};
             GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role};
             ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
             CREATE POLICY nothing ON {table} FOR SELECT TO {role} USING (false)"
        ),
    )
    .await;
    (options, OrderId(stream))
}

async fn analysis(db: &Db, id: OrderId) -> OrderAnalysis {
    let layout = db.layout().await.unwrap();
    let stop = CancellationToken::new();
    let read = async |conn: &mut PgConnection| history(conn, &layout, id).await;
    let found = db.read("test", &stop, read).await.unwrap().unwrap();
    OrderAnalysis::new(found, layout.projects_inline())
}

#[tokio::test]
async fn a_row_that_is_hidden_is_not_called_missing() {
    let role = "orderscope_hidden";
    let why = |agreement: &Agreement| match agreement {
        Agreement::Unknown(why) => why.clone(),
        other => panic!("{other:?}"),
    };
    let (options, id) = policed("orders", role).await;
    let db = Db::new(options.clone().username(role), &Limits::default());
    let known = analysis(&db, id).await;
    let told = why(&known.comparison.row);
    assert!(told.starts_with("hidden or missing: row level security on orders"), "{told}");
    assert!(!known.comparison.is_drift() && known.comparison.divergence.is_none());
    assert!(
        known.history.coverage.iter().any(|line| line.to_string().contains("row level security"))
    );
    let layout = db.layout().await.unwrap();
    let stop = CancellationToken::new();
    let page = async |conn: &mut PgConnection| {
        search::page(conn, &layout, &Query::default(), Start::Newest, 5).await
    };
    let page = db.read("test", &stop, page).await.unwrap();
    assert!(page.rows.is_empty() && page.coverage[0].to_string().contains("on orders"), "{page:?}");
    db.close().await;
    // The verb says the same, as a table and as JSON.
    let id = id.to_string();
    let home = Home::on(&options.clone().username(role));
    let shown = home.json(&["order", "show", &id], 5);
    let told = shown["compared"]["row_agrees"]["unknown"].as_str().unwrap();
    assert!(told.starts_with("hidden or missing"), "{shown}");
    let table = home.run(&["order", "show", &id]);
    assert!(table.out.contains("hidden or missing") && !table.out.contains("MISSING"), "{table:?}");
    home.refused(&["order", "show", "ffffffffffff"], 5, &["row level security on orders"]);
    // Who is exempt sees that it is there.
    let db = Db::new(&options, &Limits::default());
    let known = analysis(&db, id.parse().map(OrderId).unwrap()).await;
    assert_eq!(known.comparison.row, Agreement::Match);
    assert!(
        !known.history.coverage.iter().any(|line| line.to_string().contains("row level security"))
    );
    db.close().await;
}

#[tokio::test]
async fn what_an_order_is_made_of_may_be_hidden_too() {
    let role = "orderscope_hidden_parts";
    for (table, certain) in
        [("order_items", true), ("mt_events", false), ("mt_doc_ordersummaryview", true)]
    {
        let (options, id) = policed(table, role).await;
        let db = Db::new(options.username(role), &Limits::default());
        let known = analysis(&db, id).await;
        assert!(!known.comparison.is_drift(), "{table}: {:?}", known.comparison);
        assert_eq!(known.comparison.certain, certain, "{table}: {:?}", known.comparison);
        let told =
            known.history.coverage.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        assert!(told.contains(&format!("row level security on {table}")), "{told}");
        let layout = db.layout().await.unwrap();
        let stop = CancellationToken::new();
        let page = async |conn: &mut PgConnection| {
            search::page(conn, &layout, &Query::default(), Start::Newest, 50).await
        };
        let page = db.read("test", &stop, page).await.unwrap();
        let line = page.rows.iter().find(|line| line.id == id).unwrap();
        assert_ne!(line.drift, Some(true), "{table}: {line:?}");
        assert_eq!(line.total.is_none(), table == "order_items");
        assert!(page.coverage.iter().any(|line| line.to_string().contains(table)), "{page:?}");
        db.close().await;
    }
}

/// Every column of the service with a moment, and its table.
async fn moments(conn: &mut PgConnection) -> Vec<(String, String)> {
    sqlx::query_as(
        "SELECT c.relname::text, a.attname::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
           AND a.atttypid = 'timestamptz'::regtype AND a.attnum > 0 ORDER BY 1, 2",
    )
    .fetch_all(conn)
    .await
    .unwrap()
}

#[tokio::test]
async fn moments_that_no_calendar_shows_are_told_as_such() {
    for (server, schema) in [(pg18(), Schema::Marten9), (pg15(), Schema::Document)] {
        let options = fixture::own(server, schema, "1-backlog").await;
        let mut conn = open(&options).await;
        run(&mut conn, "SET session_replication_role = replica").await;
        let columns = moments(&mut conn).await;
        assert!(columns.len() > 12, "{columns:?}");
        let home = Home::on(&options);
        for told in ["infinity", "-infinity", "280000-01-01", "20000-01-01", "0044-03-15 BC"] {
            // All of a table at once, where a column may be null: it stays so in half of the rows.
            for (table, column) in &columns {
                let sql = format!(
                    "UPDATE {table} SET {column} = '{told}' WHERE {column} IS NOT NULL AND hashtext(ctid::text) % 2 = 0"
                );
                run(&mut conn, &sql).await;
            }
            every_verb(&home, &mut conn, told).await;
        }
    }
}

/// Asks each verb that reads, and reads what it says.
async fn every_verb(home: &Home, conn: &mut PgConnection, told: &str) {
    let one = |sql: &'static str| sqlx::query_scalar::<_, String>(sql);
    let order = one("SELECT id::text FROM orders ORDER BY created_at DESC, id LIMIT 1");
    let order = order.fetch_one(&mut *conn).await.unwrap();
    let message = one("SELECT sequence_number::text FROM outbox_message
                       ORDER BY hashtext(ctid::text) % 2 = 0 DESC, 1 LIMIT 1");
    let message = message.fetch_one(&mut *conn).await.unwrap();
    let verbs: [&[&str]; 13] = [
        &["orders", "search"],
        &["orders", "search", "placed:..2030"],
        &["orders", "search", "has:undelivered", "--count"],
        &["order", "show", &order],
        &["order", "timeline", &order],
        &["order", "events", &order],
        &["order", "messages", &order],
        &["order", "chain", &order],
        &["messages", "status"],
        &["messages", "list"],
        &["messages", "show", &message],
        &["inbox", "status"],
        &["inbox", "list"],
    ];
    let mut all = String::new();
    for verb in verbs {
        for form in ["table", "json"] {
            let done = home.run(&[verb, &["--output", form]].concat());
            assert!(matches!(done.code, 0 | 1 | 5), "{told}: {verb:?}: {done:?}");
            let said = format!("{}{}", done.out, done.err);
            for wrong in ["9999-12-31", "262100", "262000-", "-4713"] {
                assert!(!said.contains(wrong), "{told}: {verb:?}: {said}");
            }
            all.push_str(&said);
        }
    }
    let shown = match told {
        "280000-01-01" => "after the year 262000",
        "20000-01-01" => "+20000-01-01",
        "0044-03-15 BC" => "-0043-03-15",
        infinite => infinite,
    };
    assert!(all.contains(shown), "{told}: {all}");
    let rows = home.json(&["orders", "search", "--limit", "500"], 0);
    let orders: i64 =
        sqlx::query_scalar("SELECT count(*) FROM orders").fetch_one(conn).await.unwrap();
    assert_eq!(rows.as_array().map(Vec::len), usize::try_from(orders).ok(), "{told}");
}

//! Searches, counts and histories, each with values drawn from the data.

use std::time::{Duration, Instant};

use orderscope::{
    db::Db,
    domain::{
        id::OrderId,
        search as language,
        zone::{Clock, Zone},
    },
    ops::{
        analysis::OrderAnalysis,
        history,
        search::{self, OrderLine, Start},
    },
};
use tokio_util::sync::CancellationToken;

use super::{data::Database, row};

const RUNS: usize = 40;

/// Returns the text of the nth search.
type Ask<'a> = Box<dyn Fn(usize) -> String + 'a>;

pub async fn run(database: &Database) {
    let db = &database.db;
    let sample = sample(db).await;
    let nth = |n: usize| &sample[n % sample.len()];
    let books = texts(
        db,
        "SELECT DISTINCT book_id::text FROM order_items TABLESAMPLE SYSTEM (0.01) REPEATABLE (1) LIMIT 40",
    )
    .await;
    let correlations = texts(
        db,
        "SELECT correlation_id::text FROM mt_events TABLESAMPLE SYSTEM (0.1) REPEATABLE (1) \
         WHERE length(correlation_id) >= 8 LIMIT 40",
    )
    .await;
    let tail = |n: usize| nth(n).id.to_string()[28..].to_owned();
    // From one buyer in three to one in four hundred; the demo's names have their original spelling.
    let names = ["nguyễn", "trang", "linh", "đặng", "liam", "müller"];
    let words = ["gift", "door", "call", "birthday", "leave"];
    let kinds: Vec<(&str, Ask<'_>)> = vec![
        ("newest orders", Box::new(|_| String::new())),
        ("order by whole id", Box::new(|n| nth(n).id.to_string())),
        ("order by id tail (8 digits)", Box::new(tail)),
        (
            "book by id tail (4 digits)",
            Box::new(|n| format!("book:{}", &books[n % books.len()][28..])),
        ),
        (
            "correlation by tail (8 digits)",
            Box::new(|n| {
                let whole = &correlations[n % correlations.len()];
                format!("corr:{}", &whole[whole.len() - 8..])
            }),
        ),
        ("order by id tail (4 digits)", Box::new(|n| tail(n)[4..].to_owned())),
        ("buyer by whole id", Box::new(|n| format!("buyer:{}", nth(n).buyer))),
        ("buyer by part of the name", Box::new(|n| format!("buyer:{}", names[n % names.len()]))),
        ("bare word", Box::new(|n| names[n % names.len()].to_owned())),
        ("note word", Box::new(|n| format!("note:{}", words[n % words.len()]))),
        ("status", Box::new(|n| format!("status:{}", ["new", "cancelled", "completed"][n % 3]))),
        ("one day", Box::new(|n| format!("placed:{}", nth(n).placed.format("%Y-%m-%d")))),
        (
            "month and status",
            Box::new(|n| format!("placed:{} status:new", nth(n).placed.format("%Y-%m"))),
        ),
        ("total above 500", Box::new(|_| "total:>500".to_owned())),
        ("total between 20 and 21", Box::new(|_| "total:20..21".to_owned())),
        ("total between 150 and 155", Box::new(|_| "total:150..155".to_owned())),
        ("total between 20 and 100", Box::new(|_| "total:20..100".to_owned())),
        ("deleted", Box::new(|_| "is:deleted".to_owned())),
        (
            "deleted, month and status",
            Box::new(|n| {
                format!("is:deleted placed:{} status:completed", nth(n).placed.format("%Y-%m"))
            }),
        ),
        ("undelivered", Box::new(|_| "has:undelivered".to_owned())),
        ("dead letter", Box::new(|_| "has:letter".to_owned())),
        ("new for more than a day", Box::new(|_| "status:new age:>24h".to_owned())),
        ("nothing matches", Box::new(|_| "note:xyzzyplugh".to_owned())),
    ];
    for (name, ask) in kinds {
        let mut times = vec![];
        for n in 0..RUNS {
            times.push(page(db, &ask(n)).await);
        }
        row(&format!("search: {name}"), times);
    }
    let mut times = vec![];
    for n in 0..RUNS {
        times.push(order_history(db, nth(n * 7).id).await);
    }
    row("timeline of an order, folded and compared", times);
    let mut times = vec![];
    for _ in 0..RUNS {
        times.push(count(db, "status:completed").await);
    }
    row("count, beside the rows: status:completed", times);
}

fn parsed(text: &str) -> language::Query {
    let clock = Clock { now: chrono::Utc::now(), zone: Zone::UTC };
    language::parse(text, &clock).unwrap()
}

async fn page(db: &Db, text: &str) -> Duration {
    let query = parsed(text);
    let layout = db.layout().await.unwrap();
    let began = Instant::now();
    db.read("bench", &CancellationToken::new(), async |conn| {
        search::page(conn, &layout, &query, Start::Newest, 100).await
    })
    .await
    .unwrap();
    began.elapsed()
}

async fn count(db: &Db, text: &str) -> Duration {
    let query = parsed(text);
    let layout = db.layout().await.unwrap();
    let began = Instant::now();
    db.read("bench", &CancellationToken::new(), async |conn| {
        let plan = search::plan(conn, &layout, &query).await?;
        search::count(conn, &layout, &plan).await
    })
    .await
    .unwrap();
    began.elapsed()
}

async fn order_history(db: &Db, id: OrderId) -> Duration {
    let layout = db.layout().await.unwrap();
    let began = Instant::now();
    let found = db
        .read("bench", &CancellationToken::new(), async |conn| {
            history::history(conn, &layout, id).await
        })
        .await
        .unwrap();
    assert!(OrderAnalysis::new(found.unwrap(), true).timeline.last_version().0 > 0);
    began.elapsed()
}

/// Values from the data to search for.
async fn texts(db: &Db, sql: &'static str) -> Vec<String> {
    let found: Vec<String> = db
        .read("bench", &CancellationToken::new(), async |conn| {
            Ok(sqlx::query_scalar(sql).fetch_all(conn).await?)
        })
        .await
        .unwrap();
    assert!(!found.is_empty(), "nothing to search for: {sql}");
    found
}

/// Orders from all seven years.
async fn sample(db: &Db) -> Vec<OrderLine> {
    let mut out = vec![];
    let layout = db.layout().await.unwrap();
    for year in 0..7 {
        for month in [1, 4, 7, 10] {
            let newest = chrono::Utc::now() - chrono::TimeDelta::days(year * 365 + month * 20);
            let query = parsed(&format!("placed:..{}", newest.format("%Y-%m-%d")));
            let page = db
                .read("bench", &CancellationToken::new(), async |conn| {
                    search::page(conn, &layout, &query, Start::Newest, 20).await
                })
                .await
                .unwrap();
            out.extend(page.rows);
        }
    }
    assert!(!out.is_empty(), "no orders to search for");
    out
}

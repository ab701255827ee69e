//! Behind PgBouncer in transaction mode: right answers, nothing left on sessions that others use, and no
//! writing but past it.

use std::time::Duration;

use orderscope::{
    db::{Db, Error, Limits, connect, unless_late},
    domain::search::{Query, Term, Test},
    ops::search::{self, Start},
};
use sqlx::{AssertSqlSafe, Connection, PgConnection, postgres::PgConnectOptions};
use tokio_util::sync::CancellationToken;

use crate::support::{
    nap,
    pgbouncer::Pooler,
    postgres::{demo, managed, pg18},
};

async fn text(db: &Db, sql: String) -> Result<String, Error> {
    db.read("test", &CancellationToken::new(), async |conn| {
        Ok(sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(conn).await?)
    })
    .await
}

/// What a session of another program sees, asked without preparing anything.
async fn seen(options: &PgConnectOptions, sql: &'static str) -> String {
    let options = options.clone().extra_float_digits(None);
    let mut conn = PgConnection::connect_with(&options).await.unwrap();
    let row = sqlx::raw_sql(sql).fetch_one(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    sqlx::Row::get(&row, 0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_answer_goes_to_the_wrong_question() {
    let direct = demo(300).await;
    let pooler = Pooler::start(&direct, 2, "");
    let options = pooler.through(&direct);
    let mut ids: Vec<uuid::Uuid> = {
        let mut conn = PgConnection::connect_with(&direct).await.unwrap();
        sqlx::query_scalar("SELECT id FROM orders ORDER BY id").fetch_all(&mut conn).await.unwrap()
    };
    ids.truncate(240);
    let clients = (0..24).map(|client| {
        let (db, ids) = (Db::new(&options, &Limits::default()), ids.clone());
        tokio::spawn(async move {
            let layout = db.layout().await.unwrap();
            for round in 0..40 {
                // Every client prepares other statements under the names that all of them use.
                let want = format!("client {client} round {round}");
                let sql = format!(
                    "SELECT 'client {client} ' || 'round {round}' FROM generate_series(1, 1)"
                );
                assert_eq!(text(&db, sql).await.unwrap(), want);
                let id = ids[(client * 40 + round) % ids.len()];
                let query = Query {
                    terms: vec![Term { test: Test::AnyId(id), negated: false, at: 0..0 }],
                    notes: vec![],
                };
                let page = db
                    .read("orders", &CancellationToken::new(), async |conn| {
                        search::page(conn, &layout, &query, Start::Newest, 5).await
                    })
                    .await
                    .unwrap();
                let found: Vec<_> = page.rows.iter().map(|row| row.id.0).collect();
                assert_eq!(found, [id]);
            }
            db.close().await;
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    for _ in 0..4 {
        assert_eq!(seen(&options, "SHOW default_transaction_read_only").await, "off");
        assert_eq!(seen(&options, "SHOW statement_timeout").await, "0");
        assert_eq!(seen(&options, "SHOW search_path").await, "\"$user\", public");
        assert_eq!(seen(&options, "SELECT count(*)::text FROM pg_prepared_statements").await, "0");
    }
}

#[tokio::test]
async fn what_needs_a_session_of_its_own_is_refused_without_the_direct_address() {
    let direct = managed().await;
    // Refused, or swallowed: a pooler gives itself away either way.
    for ignored in ["", "options"] {
        let pooler = Pooler::start(&direct, 1, ignored);
        let options = pooler.through(&direct);
        let db = Db::new(&options, &Limits::default());
        assert_eq!(text(&db, "SELECT 'read'".to_owned()).await.unwrap(), "read");
        let writing = db.writing().session("test").await.unwrap_err();
        assert!(
            matches!(&writing, Error::Pooled(place) if place.contains("orderscope-pooler-")),
            "{writing}"
        );
        assert!(writing.to_string().contains("`direct`"), "{writing}");
        let refused = db.record("test", async |_| Ok(())).await.unwrap_err();
        assert!(matches!(refused, Error::Pooled(_)), "{refused}");
        assert!(matches!(connect(&options, "test").await, Err(Error::Pooled(_))));
        db.close().await;

        let both = Db::through(&options, Some((&direct).into()), false, &Limits::default());
        assert_eq!(text(&both, "SELECT 'read'".to_owned()).await.unwrap(), "read");
        both.record("test", async |_| Ok(())).await.unwrap();
        both.writing().session("test").await.unwrap().finish();
        let with_settings = options.clone().options([("geqo", "off")]);
        let refused =
            text(&Db::new(&with_settings, &Limits::default()), "SELECT ''".to_owned()).await;
        if ignored.is_empty() {
            assert!(matches!(&refused, Err(Error::SettingsRefused(_))), "{refused:?}");
        }
        let wrong = Db::through(&options, Some((&options).into()), true, &Limits::default());
        let wrong = wrong.writing().session("test").await.unwrap_err();
        assert!(matches!(&wrong, Error::PooledToo(_)), "{wrong}");
    }
}

#[tokio::test]
async fn what_takes_too_long_spoils_nothing_after_it() {
    let direct = pg18().empty().await;
    let pooler = Pooler::start(&direct, 1, "");
    let limits = Limits { statement: Duration::from_millis(50), ..Limits::default() };
    let db = Db::through(pooler.through(&direct), None, true, &limits);
    let found = db
        .read("test", &CancellationToken::new(), async |conn| {
            let slow = async |conn: &mut PgConnection| {
                sqlx::query("SELECT pg_sleep(30)").execute(conn).await?;
                Ok(())
            };
            let late = unless_late(conn, slow).await?.is_none();
            let whole: bool = sqlx::query_scalar("SELECT true").fetch_one(conn).await?;
            Ok((late, whole))
        })
        .await;
    assert_eq!(found, Ok((true, true)));
    let error = text(&db, "SELECT pg_sleep(30)::text".to_owned()).await.unwrap_err();
    assert_eq!(error, Error::TimedOut(Duration::from_millis(50)));
    assert_eq!(text(&db, "SELECT 'whole'".to_owned()).await.unwrap(), "whole");
}

#[tokio::test]
async fn a_cancel_goes_past_the_pooler() {
    let direct = pg18().empty().await;
    let pooler = Pooler::start(&direct, 1, "");
    let limits = Limits { statement: Duration::from_mins(1), ..Limits::default() };
    for way in [Some(&direct), None] {
        let db = Db::through(pooler.through(&direct), way.map(Into::into), false, &limits);
        let mut admin = PgConnection::connect_with(&direct).await.unwrap();
        nap::cancelled(&db, &mut admin).await;
        if way.is_some() {
            // Else only its time limit, or the pooler, ends it.
            nap::over(&mut admin).await;
        }
    }
}

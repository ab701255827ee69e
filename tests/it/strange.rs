//! Databases that change, hide rows or hold values that no clock shows: every row is answered, and what cannot be known
//! is said to be unknown.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use orderscope::db::{Db, Limits};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, postgres::PgConnectOptions};

use crate::support::{
    fixture::{self, Schema},
    postgres::pg18,
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

//! A statement that would run for a minute, to be cancelled.

use std::time::{Duration, Instant};

use orderscope::db::{Db, Error};
use sqlx::PgConnection;
use tokio::task::yield_now;
use tokio_util::sync::CancellationToken;

/// Starts one, waits until the server runs it, cancels it, and checks that the caller learns of it at once.
pub async fn cancelled(db: &Db, admin: &mut PgConnection) {
    let stop = CancellationToken::new();
    let asked = {
        let (db, stop) = (db.clone(), stop.clone());
        tokio::spawn(async move {
            let sleep = async |conn: &mut PgConnection| {
                sqlx::query("SELECT pg_sleep(60)").execute(conn).await?;
                Ok(())
            };
            db.read("test", &stop, sleep).await
        })
    };
    while running(admin).await == 0 {
        yield_now().await;
    }
    stop.cancel();
    assert_eq!(asked.await.unwrap(), Err(Error::Cancelled));
}

/// Waits until the server no longer runs it. The server answers first and reports itself idle a moment later;
/// without the cancelling this would wait for the whole minute.
pub async fn over(admin: &mut PgConnection) {
    let since = Instant::now();
    while running(admin).await > 0 {
        assert!(since.elapsed() < Duration::from_secs(30), "the server went on");
        yield_now().await;
    }
}

async fn running(admin: &mut PgConnection) -> i64 {
    sqlx::query_scalar(
        "SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND state = 'active' AND query LIKE '%pg_sleep%'
           AND pid <> pg_backend_pid()",
    )
    .fetch_one(admin)
    .await
    .unwrap()
}

//! The private servers answer.

use sqlx::{Connection, PgConnection};

use crate::support::postgres::{Server, pg15, pg18};

async fn version(server: &Server) -> i32 {
    let mut conn = PgConnection::connect_with(&server.empty().await).await.unwrap();
    sqlx::query_scalar("SELECT current_setting('server_version_num')::int / 10000")
        .fetch_one(&mut conn)
        .await
        .unwrap()
}

#[tokio::test]
async fn both_versions_run() {
    assert_eq!(version(pg18()).await, 18);
    assert_eq!(version(pg15()).await, 15);
}

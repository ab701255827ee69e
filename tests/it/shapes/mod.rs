//! Databases that look different from the document's: the right answer, or unknown with its reason, or a
//! refusal.

mod dialects;
pub mod every_verb;
mod json;
mod large;
mod long_streams;
mod masked;
mod schemas;
mod unseen;
mod values;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, postgres::PgConnectOptions};

/// Runs statements that change a database's shape.
pub async fn sql(options: &PgConnectOptions, text: &str) {
    let mut conn = PgConnection::connect_with(options).await.unwrap();
    conn.execute(AssertSqlSafe(text.to_owned())).await.unwrap();
    conn.close().await.unwrap();
}

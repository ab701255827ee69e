//! The record of the demo data in a database.

use chrono::NaiveDate;
use sqlx::{PgConnection, Row};

/// What the demo data in a database was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub orders: i64,
    pub seed: i64,
    pub years: i32,
    pub until: NaiveDate,
    /// Version of the program that made it: another one may make other data from the same arguments.
    pub made_by: String,
}

/// The record, if demo data was loaded into this database.
pub async fn record(conn: &mut PgConnection) -> sqlx::Result<Option<Record>> {
    let known: bool = sqlx::query_scalar("SELECT to_regclass('orderscope.demo_load') IS NOT NULL")
        .fetch_one(&mut *conn)
        .await?;
    if !known {
        return Ok(None);
    }
    let row = sqlx::query("SELECT orders, seed, years, until, made_by FROM orderscope.demo_load")
        .fetch_optional(conn)
        .await?;
    row.map(|row| {
        Ok(Record {
            orders: row.try_get("orders")?,
            seed: row.try_get("seed")?,
            years: row.try_get("years")?,
            until: row.try_get("until")?,
            made_by: row.try_get("made_by")?,
        })
    })
    .transpose()
}

/// Replaces the record.
pub async fn set_record(tx: &mut PgConnection, record: &Record) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO orderscope.demo_load (orders, seed, years, until, made_by)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (singleton) DO UPDATE
         SET (orders, seed, years, until, made_by, loaded_at) =
             (EXCLUDED.orders, EXCLUDED.seed, EXCLUDED.years, EXCLUDED.until, EXCLUDED.made_by, now())",
    )
    .bind(record.orders)
    .bind(record.seed)
    .bind(record.years)
    .bind(record.until)
    .bind(&record.made_by)
    .execute(tx)
    .await?;
    Ok(())
}

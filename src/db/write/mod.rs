//! Writing: a transaction that spells tables and columns as the database does, binds every value, and keeps
//! the text of what it said.

mod bound;
mod direct;
mod due;
mod kept;
mod messages;
mod orders;
mod probe;
mod streams;

use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::{AssertSqlSafe, Executor, PgConnection, Postgres, QueryBuilder, Row, types::Json};
use uuid::Uuid;

pub use bound::{Bound, Field, may, must};
pub use direct::Grip;
pub use due::{Due, Old};
pub use kept::Keep;
pub use messages::{Inbox, NewMessage};
pub use probe::{Need, Surroundings, lacking, last_operator, newest_destination, surroundings};
pub use streams::{NewStored, Number, newest_style};

use super::{Error, Layout, Table};

/// A row as it is now, and the transaction that left it so.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    pub row: Value,
    /// `xmin`: every change of the row moves it.
    pub xmin: String,
}

/// How a row is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// Nobody else changes it before this transaction ends.
    Lock,
    Look,
}

/// An open transaction.
#[derive(Debug)]
pub struct Tx<'a> {
    conn: &'a mut PgConnection,
    layout: &'a Layout,
    said: Vec<String>,
    until: Option<(Instant, Duration)>,
}

impl<'a> Tx<'a> {
    /// Begins, and waits until no other transaction of the same operation is open: what such a one did, or did
    /// not do, can be seen from then on.
    pub async fn begin(
        conn: &'a mut PgConnection,
        layout: &'a Layout,
        operation: Uuid,
    ) -> Result<Self, Error> {
        let (high, low) = operation.as_u64_pair();
        let key = (high ^ low.rotate_left(17)).cast_signed();
        let tx = Self { conn, layout, said: Vec::new(), until: None };
        // By the simple protocol: one round trip.
        let begin = format!("BEGIN; SELECT pg_advisory_xact_lock({key})");
        match tx.conn.execute(AssertSqlSafe(begin)).await {
            Ok(_) => Ok(tx),
            Err(error) => {
                tx.rollback().await;
                Err(error.into())
            }
        }
    }

    /// Lets nothing take longer than that from now on, for a transaction that will be rolled back.
    pub async fn hurry(&mut self, limit: Duration) -> Result<(), Error> {
        let half = (limit / 2).as_millis();
        let set = format!("SET LOCAL statement_timeout = {half}; SET LOCAL lock_timeout = {half}");
        self.conn.execute(AssertSqlSafe(set)).await?;
        self.until = Some((Instant::now() + limit / 2, limit));
        Ok(())
    }

    /// Commits. An error does not say whether it was done.
    pub async fn commit(self) -> Result<(), Error> {
        self.conn.execute("COMMIT").await?;
        Ok(())
    }

    /// Undoes everything. Where the connection is gone the server has done so by itself.
    pub async fn rollback(self) {
        let _ = self.conn.execute("ROLLBACK").await;
    }

    /// For reads inside the transaction.
    pub const fn conn(&mut self) -> &mut PgConnection {
        self.conn
    }

    pub const fn layout(&self) -> &'a Layout {
        self.layout
    }

    /// What was written so far, values filled in.
    pub fn said(&self) -> &[String] {
        &self.said
    }

    /// The row with these key columns.
    pub async fn see(
        &mut self,
        table: Table,
        key: &[Field<'_>],
        hold: Hold,
    ) -> Result<Option<Seen>, Error> {
        self.in_time()?;
        let target = self.target(table)?;
        let mut sql = QueryBuilder::<Postgres>::new(format!(
            "SELECT to_jsonb(t) AS row, t.xmin::text AS xmin FROM {target} t WHERE "
        ));
        self.push_key(&mut sql, &mut String::new(), table, key)?;
        if hold == Hold::Lock {
            sql.push(" FOR UPDATE");
        }
        let found = sql.build().fetch_optional(&mut *self.conn).await?;
        let Some(found) = found else { return Ok(None) };
        let Json(row) = found.try_get("row")?;
        Ok(Some(Seen { row, xmin: found.try_get("xmin")? }))
    }

    /// Adds rows of the same columns and tells how they are stored.
    pub async fn insert(
        &mut self,
        table: Table,
        rows: &[Vec<Field<'_>>],
    ) -> Result<Vec<Value>, Error> {
        self.in_time()?;
        let target = self.target(table)?;
        let Some(first) = rows.first() else { return Ok(Vec::new()) };
        let names = self.names(table, first)?;
        let mut sql = QueryBuilder::<Postgres>::new("");
        let mut said = String::new();
        both(&mut sql, &mut said, &format!("INSERT INTO {target} AS t ({})", names.join(", ")));
        for (place, row) in rows.iter().enumerate() {
            both(&mut sql, &mut said, if place == 0 { " VALUES (" } else { ", (" });
            let kept = row.iter().filter(|field| self.layout.has_column(table, field.name));
            for (place, field) in kept.enumerate() {
                both(&mut sql, &mut said, if place == 0 { "" } else { ", " });
                field.value.push(&mut sql, &mut said);
            }
            both(&mut sql, &mut said, ")");
        }
        self.said.push(said);
        self.returning(sql).await
    }

    /// Changes the rows with these key columns and tells how they are stored now.
    pub async fn update(
        &mut self,
        table: Table,
        key: &[Field<'_>],
        changes: &[Field<'_>],
    ) -> Result<Vec<Value>, Error> {
        self.in_time()?;
        let target = self.target(table)?;
        let mut sql = QueryBuilder::<Postgres>::new("");
        let mut said = String::new();
        both(&mut sql, &mut said, &format!("UPDATE {target} AS t SET "));
        self.names(table, changes)?;
        let kept = changes.iter().filter(|field| self.layout.has_column(table, field.name));
        for (place, field) in kept.enumerate() {
            let name = self.layout.column(table, field.name).unwrap_or(field.name);
            let comma = if place == 0 { "" } else { ", " };
            both(&mut sql, &mut said, &format!("{comma}\"{name}\" = "));
            field.value.push(&mut sql, &mut said);
        }
        both(&mut sql, &mut said, " WHERE ");
        self.push_key(&mut sql, &mut said, table, key)?;
        self.said.push(said);
        self.returning(sql).await
    }

    async fn returning(&mut self, mut sql: QueryBuilder<Postgres>) -> Result<Vec<Value>, Error> {
        sql.push(" RETURNING to_jsonb(t)");
        let rows: Vec<Json<Value>> = sql.build_query_scalar().fetch_all(&mut *self.conn).await?;
        Ok(rows.into_iter().map(|Json(row)| row).collect())
    }

    fn push_key(
        &self,
        sql: &mut QueryBuilder<Postgres>,
        said: &mut String,
        table: Table,
        key: &[Field<'_>],
    ) -> Result<(), Error> {
        let names = self.names(table, key)?;
        for (place, (field, name)) in key.iter().zip(names).enumerate() {
            let and = if place == 0 { "" } else { " AND " };
            both(sql, said, &format!("{and}t.{name} = "));
            field.value.push(sql, said);
        }
        Ok(())
    }

    /// The columns' own names, quoted; those that may be missing and are, left out.
    fn names(&self, table: Table, fields: &[Field<'_>]) -> Result<Vec<String>, Error> {
        let mut names = Vec::with_capacity(fields.len());
        for field in fields {
            match self.layout.column(table, field.name) {
                Some(name) => names.push(format!("\"{name}\"")),
                None if field.needed => {
                    let what = format!("{} has no column {}", table.name(), field.name);
                    return Err(Error::MissingTable(what));
                }
                None => {}
            }
        }
        Ok(names)
    }

    fn target(&self, table: Table) -> Result<&'a str, Error> {
        self.layout
            .relation(table)
            .ok_or_else(|| Error::MissingTable(format!("there is no table {}", table.name())))
    }

    fn in_time(&self) -> Result<(), Error> {
        match self.until {
            Some((until, limit)) if Instant::now() > until => Err(Error::TimedOut(limit)),
            _ => Ok(()),
        }
    }
}

fn both(sql: &mut QueryBuilder<Postgres>, said: &mut String, text: &str) {
    sql.push(text);
    said.push_str(text);
}

//! Writing: a transaction that spells tables and columns as the database does, binds every value, and keeps a readable
//! text of its statements.

mod batch;
mod bound;
mod direct;
mod due;
mod kept;
mod look;
mod messages;
mod orders;
mod probe;
mod streams;

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Executor, PgConnection};
use tokio::time::Instant;
use uuid::Uuid;

use batch::Batch;
pub use batch::{Place, Rows};
pub use bound::{Bound, Field, may, must};
pub use direct::Grip;
pub use due::{DueKey, Listed, Old};
pub use kept::Keep;
pub use look::{Lookup, OrderRows};
pub use messages::{Inbox, NewMessage};
pub use probe::{Need, Surroundings, lacking, last_operator, surroundings};
pub use streams::{NewStored, Number};

use super::{Error, Layout, Table};

/// A row as it is now, and the transaction that left it so.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Seen {
    pub row: Value,
    /// `xmin`: every change of the row moves it.
    pub xmin: String,
}

/// How a transaction begins.
#[derive(Debug, Clone, Copy)]
pub struct Opening {
    /// Once it has begun, no other transaction of the same operation is open: what such a one did, or did not
    /// do, can be seen from then on.
    pub operation: Uuid,
    /// The row that nobody else changes before it ends.
    pub hold: Option<LockedRow>,
    /// Nothing may take longer: planning, and batches, which are undone and made smaller then.
    pub within: Option<Duration>,
}

impl Opening {
    /// Of an operation, without locks and time limits.
    pub const fn of(operation: Uuid) -> Self {
        Self { operation, hold: None, within: None }
    }
}

/// A row by its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockedRow(pub Table, pub Uuid);

/// An open transaction.
#[derive(Debug)]
pub struct Tx<'a> {
    conn: &'a mut PgConnection,
    layout: &'a Layout,
    said: Vec<String>,
    batch: Batch,
    until: Option<(Instant, Duration)>,
}

impl<'a> Tx<'a> {
    /// Begins, in one round trip.
    pub async fn begin(
        conn: &'a mut PgConnection,
        layout: &'a Layout,
        opening: &Opening,
    ) -> Result<Self, Error> {
        let mut begin = vec!["BEGIN".to_owned()];
        let mut until = None;
        if let Some(limit) = opening.within {
            // As in every session that writes, a lock is given up first: its message says more.
            let half = (limit / 2).as_millis();
            begin.push(format!("SET LOCAL statement_timeout = {half}"));
            begin.push(format!("SET LOCAL lock_timeout = {}", half * 3 / 4));
            until = Some((Instant::now() + limit / 2, limit));
        }
        let (high, low) = opening.operation.as_u64_pair();
        let key = (high ^ low.rotate_left(17)).cast_signed();
        begin.push(format!("SELECT pg_advisory_xact_lock({key})"));
        let tx = Self { conn, layout, said: Vec::new(), batch: Batch::default(), until };
        if let Some(held) = opening.hold {
            begin.push(tx.holding(held)?);
        }
        match tx.conn.execute(AssertSqlSafe(begin.join("; "))).await {
            Ok(_) => Ok(tx),
            Err(error) => {
                tx.rollback().await;
                Err(error.into())
            }
        }
    }

    /// Holds a row, if it is there, until the transaction ends.
    pub async fn hold(&mut self, held: LockedRow) -> Result<(), Error> {
        let hold = self.holding(held)?;
        self.conn.execute(AssertSqlSafe(hold)).await?;
        Ok(())
    }

    fn holding(&self, LockedRow(table, id): LockedRow) -> Result<String, Error> {
        let (target, key) = (self.target(table)?, self.name(table, "id")?);
        Ok(format!("SELECT 1 FROM {target} t WHERE t.{key} = '{id}' FOR UPDATE"))
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

    /// The columns' own names, quoted; those that may be missing and are, left out.
    fn names(&self, table: Table, fields: &[Field<'_>]) -> Result<Vec<String>, Error> {
        let mut names = Vec::with_capacity(fields.len());
        for field in fields {
            if field.needed || self.layout.has_column(table, field.name) {
                names.push(self.name(table, field.name)?);
            }
        }
        Ok(names)
    }

    fn name(&self, table: Table, column: &str) -> Result<String, Error> {
        match self.layout.column(table, column) {
            Some(name) => Ok(format!("\"{name}\"")),
            None => {
                let what = format!("{} has no column {column}", table.name());
                Err(Error::MissingTable(what))
            }
        }
    }

    fn target(&self, table: Table) -> Result<&'a str, Error> {
        self.layout
            .relation(table)
            .ok_or_else(|| Error::MissingTable(format!("there is no table {}", table.name())))
    }

    /// That it has not taken longer than it may.
    pub fn in_time(&self) -> Result<(), Error> {
        match self.until {
            Some((until, limit)) if Instant::now() > until => Err(Error::TimedOut(limit)),
            _ => Ok(()),
        }
    }
}

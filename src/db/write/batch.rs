//! Writes that go to the server as one statement: one round trip, and what they refer to may be another of
//! them. None of them sees what the others write.

use std::{collections::VecDeque, fmt};

use serde_json::Value;
use sqlx::{Postgres, QueryBuilder, types::Json};

use super::{Field, Tx};
use crate::db::{Error, Table};

/// Where the rows of a write are among those of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place(usize);

/// How the rows are stored that a batch wrote.
#[derive(Debug)]
pub struct Rows(Vec<VecDeque<Value>>);

impl Rows {
    /// The next row of a write, if it wrote one.
    pub fn next(&mut self, Place(place): Place) -> Option<Value> {
        self.0.get_mut(place)?.pop_front()
    }
}

/// Writes that were not sent yet.
pub(super) struct Batch {
    sql: QueryBuilder<Postgres>,
    writes: usize,
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("writes", &self.writes).finish_non_exhaustive()
    }
}

impl Default for Batch {
    fn default() -> Self {
        Self { sql: QueryBuilder::new(""), writes: 0 }
    }
}

impl Batch {
    fn start(&mut self) -> Place {
        let place = self.writes;
        self.writes += 1;
        self.sql.push(if place == 0 { "WITH" } else { "," }).push(format!(" w{place} AS ("));
        Place(place)
    }

    fn end(&mut self) {
        self.sql.push(" RETURNING to_jsonb(t) AS stored)");
    }
}

impl Tx<'_> {
    /// Adds rows of the same columns.
    pub fn insert(&mut self, table: Table, rows: &[Vec<Field<'_>>]) -> Result<Place, Error> {
        let mut said = String::new();
        let place = self.batch.start();
        self.push_insert(&mut said, table, rows)?;
        self.batch.end();
        self.said.push(said);
        Ok(place)
    }

    /// Adds a row, or changes the one with the same key.
    pub fn put(
        &mut self,
        table: Table,
        key: Field<'_>,
        changes: Vec<Field<'_>>,
    ) -> Result<Place, Error> {
        let mut said = String::new();
        let key_name = self.name(table, key.name)?;
        let names = self.names(table, &changes)?;
        let place = self.batch.start();
        let row: Vec<_> = std::iter::once(key).chain(changes).collect();
        self.push_insert(&mut said, table, &[row])?;
        let set: Vec<_> = names.iter().map(|name| format!("{name} = EXCLUDED.{name}")).collect();
        let or = format!(" ON CONFLICT ({key_name}) DO UPDATE SET {}", set.join(", "));
        both(&mut self.batch.sql, &mut said, &or);
        self.batch.end();
        self.said.push(said);
        Ok(place)
    }

    /// Changes the row with these key columns.
    pub fn update(
        &mut self,
        table: Table,
        key: &[Field<'_>],
        changes: &[Field<'_>],
    ) -> Result<Place, Error> {
        let target = self.target(table)?;
        let (names, keys) = (self.names(table, changes)?, self.names(table, key)?);
        let kept = changes.iter().filter(|field| self.layout.has_column(table, field.name));
        let mut said = String::new();
        let place = self.batch.start();
        let sql = &mut self.batch.sql;
        both(sql, &mut said, &format!("UPDATE {target} AS t SET "));
        for (place, (field, name)) in kept.zip(names).enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            both(sql, &mut said, &format!("{comma}{name} = "));
            field.value.push(sql, &mut said);
        }
        for (place, (field, name)) in key.iter().zip(keys).enumerate() {
            let and = if place == 0 { "WHERE" } else { "AND" };
            both(sql, &mut said, &format!(" {and} t.{name} = "));
            field.value.push(sql, &mut said);
        }
        self.batch.end();
        self.said.push(said);
        Ok(place)
    }

    /// Sends what was written since the last time, and tells how it is stored.
    pub async fn send(&mut self) -> Result<Rows, Error> {
        self.in_time()?;
        let Batch { mut sql, writes } = std::mem::take(&mut self.batch);
        let mut rows = Rows((0..writes).map(|_| VecDeque::new()).collect());
        if writes == 0 {
            return Ok(rows);
        }
        for place in 0..writes {
            sql.push(if place == 0 { "" } else { " UNION ALL" });
            sql.push(format!(" SELECT {place} AS place, stored FROM w{place}"));
        }
        let stored: Vec<(i32, Json<Value>)> =
            sql.build_query_as().fetch_all(&mut *self.conn).await?;
        for (place, Json(row)) in stored {
            if let Some(of_write) = usize::try_from(place).ok().and_then(|n| rows.0.get_mut(n)) {
                of_write.push_back(row);
            }
        }
        Ok(rows)
    }

    fn push_insert(
        &mut self,
        said: &mut String,
        table: Table,
        rows: &[Vec<Field<'_>>],
    ) -> Result<(), Error> {
        let target = self.target(table)?;
        let names = self.names(table, rows.first().map_or(&[], Vec::as_slice))?;
        let (layout, sql) = (self.layout, &mut self.batch.sql);
        both(sql, said, &format!("INSERT INTO {target} AS t ({})", names.join(", ")));
        for (place, row) in rows.iter().enumerate() {
            both(sql, said, if place == 0 { " VALUES (" } else { ", (" });
            let kept = row.iter().filter(|field| layout.has_column(table, field.name));
            for (place, field) in kept.enumerate() {
                both(sql, said, if place == 0 { "" } else { ", " });
                field.value.push(sql, said);
            }
            both(sql, said, ")");
        }
        Ok(())
    }
}

fn both(sql: &mut QueryBuilder<Postgres>, said: &mut String, text: &str) {
    sql.push(text);
    said.push_str(text);
}

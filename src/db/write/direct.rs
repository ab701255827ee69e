//! Single rows, read and written at once: for what is decided row by row, not in one batch.

use serde_json::Value;
use sqlx::{Postgres, QueryBuilder, Row, types::Json};

use super::{Field, Seen, Tx};
use crate::db::{Error, Table};

/// How a row is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grip {
    /// Nobody else changes it before this transaction ends.
    Lock,
    /// The same, but a row that somebody else holds is as if it were not there.
    Free,
    Look,
}

impl Tx<'_> {
    /// The row with these key columns.
    pub async fn row(
        &mut self,
        table: Table,
        key: &[Field<'_>],
        grip: Grip,
    ) -> Result<Option<Seen>, Error> {
        self.in_time()?;
        let target = self.target(table)?;
        let mut sql = QueryBuilder::<Postgres>::new(format!(
            "SELECT to_jsonb(t) AS row, t.xmin::text AS xmin FROM {target} t WHERE "
        ));
        self.push_where(&mut sql, &mut String::new(), table, key)?;
        match grip {
            Grip::Lock => sql.push(" FOR UPDATE"),
            Grip::Free => sql.push(" FOR UPDATE SKIP LOCKED"),
            Grip::Look => &mut sql,
        };
        let found = sql.build().fetch_optional(self.conn()).await?;
        let Some(found) = found else { return Ok(None) };
        let Json(row) = found.try_get("row")?;
        Ok(Some(Seen { row, xmin: found.try_get("xmin")? }))
    }

    /// Adds a row and tells how it is stored.
    pub async fn store(&mut self, table: Table, row: &[Field<'_>]) -> Result<Option<Value>, Error> {
        self.in_time()?;
        let target = self.target(table)?;
        let names = self.names(table, row)?;
        let mut sql = QueryBuilder::<Postgres>::new("");
        let mut said = String::new();
        both(
            &mut sql,
            &mut said,
            &format!("INSERT INTO {target} AS t ({}) VALUES (", names.join(", ")),
        );
        let kept = row.iter().filter(|field| self.layout().has_column(table, field.name));
        for (place, field) in kept.enumerate() {
            both(&mut sql, &mut said, if place == 0 { "" } else { ", " });
            field.value.push(&mut sql, &mut said);
        }
        both(&mut sql, &mut said, ")");
        self.said.push(said);
        self.stored(sql).await
    }

    /// Changes the row with these key columns and tells how it is stored now.
    pub async fn change(
        &mut self,
        table: Table,
        key: &[Field<'_>],
        changes: &[Field<'_>],
    ) -> Result<Option<Value>, Error> {
        self.in_time()?;
        let target = self.target(table)?;
        let names = self.names(table, changes)?;
        let mut sql = QueryBuilder::<Postgres>::new("");
        let mut said = String::new();
        both(&mut sql, &mut said, &format!("UPDATE {target} AS t SET "));
        let kept = changes.iter().filter(|field| self.layout().has_column(table, field.name));
        for (place, (field, name)) in kept.zip(names).enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            both(&mut sql, &mut said, &format!("{comma}{name} = "));
            field.value.push(&mut sql, &mut said);
        }
        both(&mut sql, &mut said, " WHERE ");
        self.push_where(&mut sql, &mut said, table, key)?;
        self.said.push(said);
        self.stored(sql).await
    }

    async fn stored(&mut self, mut sql: QueryBuilder<Postgres>) -> Result<Option<Value>, Error> {
        sql.push(" RETURNING to_jsonb(t)");
        let row: Option<Json<Value>> = sql.build_query_scalar().fetch_optional(self.conn()).await?;
        Ok(row.map(|Json(row)| row))
    }

    pub(super) fn push_where(
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
}

/// Appends to the statement and to its readable text.
pub(super) fn both(sql: &mut QueryBuilder<Postgres>, said: &mut String, text: &str) {
    sql.push(text);
    said.push_str(text);
}

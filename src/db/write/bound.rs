//! Values of a statement: bound for the server, literal in the readable text.

use chrono::{DateTime, SecondsFormat, Utc};
use rust_decimal::Decimal;
use serde_json::Value;
use sqlx::{Postgres, QueryBuilder, types::Json};
use uuid::Uuid;

use crate::domain::endless;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Bound<'a> {
    Id(Option<Uuid>),
    Text(Option<&'a str>),
    /// The name of a value of this type of the database, an enum say.
    Named(String, &'a str),
    Big(Option<i64>),
    Int(i32),
    Small(i16),
    Flag(bool),
    At(Option<DateTime<Utc>>),
    Json(Option<&'a Value>),
    Amount(Decimal),
    /// The next number of this sequence. Drawn when the statement runs; a rollback leaves a gap.
    Next(&'a str),
}

/// A value for a column, by the document's name.
#[derive(Debug, Clone, PartialEq)]
pub struct Field<'a> {
    pub(super) name: &'static str,
    pub(super) value: Bound<'a>,
    pub(super) needed: bool,
}

/// The column has to be there.
pub const fn must<'a>(name: &'static str, value: Bound<'a>) -> Field<'a> {
    Field { name, value, needed: true }
}

/// Written where the column is there.
pub const fn may<'a>(name: &'static str, value: Bound<'a>) -> Field<'a> {
    Field { name, value, needed: false }
}

impl Bound<'_> {
    /// Appends it to a statement and to its readable text.
    pub(super) fn push(&self, sql: &mut QueryBuilder<Postgres>, said: &mut String) {
        match self {
            Self::Id(id) => {
                sql.push_bind(*id);
                say(said, id.map(|id| id.to_string()), "");
            }
            Self::Text(text) => {
                sql.push_bind(text.map(ToOwned::to_owned));
                say(said, text.map(ToOwned::to_owned), "");
            }
            Self::Named(name, kind) => {
                sql.push_bind(name.clone()).push(format!("::text::{kind}"));
                say(said, Some(name.clone()), &format!("::{kind}"));
            }
            Self::Big(number) => {
                sql.push_bind(*number);
                said.push_str(&number.map_or_else(|| "NULL".to_owned(), |n| n.to_string()));
            }
            Self::Int(number) => {
                sql.push_bind(*number);
                said.push_str(&number.to_string());
            }
            Self::Small(number) => {
                sql.push_bind(*number);
                said.push_str(&number.to_string());
            }
            Self::Flag(flag) => {
                sql.push_bind(*flag);
                said.push_str(if *flag { "true" } else { "false" });
            }
            Self::At(at) => {
                match at.and_then(endless::literal) {
                    Some(name) => sql.push_bind(name).push("::text::timestamptz"),
                    None => sql.push_bind(*at),
                };
                say(said, at.map(|at| endless::iso(at, SecondsFormat::Micros)), "");
            }
            Self::Json(value) => {
                sql.push_bind(value.map(|value| Json(value.clone())));
                say(said, value.map(ToString::to_string), "::jsonb");
            }
            Self::Amount(amount) => {
                sql.push_bind(*amount);
                said.push_str(&amount.to_string());
            }
            Self::Next(sequence) => {
                sql.push("nextval(").push_bind((*sequence).to_owned()).push("::text::regclass)");
                said.push_str("nextval(");
                say(said, Some((*sequence).to_owned()), ")");
            }
        }
    }
}

fn say(said: &mut String, text: Option<String>, cast: &str) {
    match text {
        Some(text) => {
            said.push('\'');
            said.push_str(&text.replace('\'', "''"));
            said.push('\'');
            said.push_str(cast);
        }
        None => said.push_str("NULL"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readable_text_is_quoted_and_the_statement_binds() {
        let mut sql = QueryBuilder::<Postgres>::new("");
        let mut said = String::new();
        Bound::Text(Some("it's")).push(&mut sql, &mut said);
        Bound::Big(None).push(&mut sql, &mut said);
        assert_eq!(said, "'it''s'NULL");
        assert_eq!(sql.sql(), "$1$2");
    }
}

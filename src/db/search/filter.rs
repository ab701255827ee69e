//! What one order must be like, as a condition on its row.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::drift::drift;
use crate::{
    db::{
        Layout, Table,
        buyers::name_pattern,
        expressions::{BUYER_CITY, BUYER_NAME, BUYER_PROVINCE, ID_TAIL, LINES_TOTAL, NOTE_WORDS},
    },
    domain::search::Span,
};

/// A condition on an order. Look-ups are done: words may still have to be compared, ids are known.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// One of these orders.
    Orders(Vec<Uuid>),
    OrderTail(String),
    /// Of one of these buyers.
    Buyers(Vec<Uuid>),
    /// Of a buyer whose id ends so.
    BuyerTail(String),
    /// Of a buyer with this part in the name: each order's buyer is looked at.
    BuyerName(String),
    /// The same for a name rare enough that all its buyers are found first, once.
    RareBuyerName(String),
    City(String),
    Province(String),
    /// With one of these books.
    Books(Vec<Uuid>),
    /// With a book whose id ends so.
    BookTail(String),
    /// With these words, in this order, in the note.
    Note(String),
    Status(i16),
    /// With a stream of this tenant.
    Tenant(String),
    Placed(Span<DateTime<Utc>>),
    Modified(Span<DateTime<Utc>>),
    Total(Span<Decimal>),
    Items(Span<i64>),
    Deleted,
    HasNote,
    /// The summary document says something else than the rows.
    Drift,
    Any(Vec<Filter>),
    Not(Box<Filter>),
}

impl Filter {
    /// Appends the condition on the order row `o`. Never null where it matters: `NOT` takes unknown for no.
    pub(super) fn push(&self, sql: &mut QueryBuilder<Postgres>, layout: &Layout) {
        match self {
            Self::Orders(ids) => {
                sql.push("o.id = ANY(").push_bind(ids.clone()).push(")");
            }
            Self::OrderTail(tail) => {
                sql.push(format!("{ID_TAIL} LIKE ")).push_bind(reversed(tail));
            }
            Self::Buyers(ids) => {
                sql.push("o.buyer_id = ANY(").push_bind(ids.clone()).push(")");
            }
            Self::BuyerTail(tail) => of_buyer(sql, layout, ID_TAIL, " LIKE ", reversed(tail)),
            Self::BuyerName(part) => {
                of_buyer(sql, layout, BUYER_NAME, " LIKE ", name_pattern(part));
            }
            Self::RareBuyerName(part) => {
                // IS TRUE keeps it a hashed list: the planner would make a join of a bare IN.
                let buyers = layout.from(Table::Buyers);
                sql.push(format!(
                    "(o.buyer_id IN (SELECT b.id FROM {buyers} b WHERE {BUYER_NAME} LIKE "
                ));
                sql.push_bind(name_pattern(part)).push(")) IS TRUE");
            }
            Self::City(city) => of_buyer(sql, layout, BUYER_CITY, " = ", city.to_lowercase()),
            Self::Province(name) => {
                of_buyer(sql, layout, BUYER_PROVINCE, " = ", name.to_lowercase());
            }
            Self::Books(ids) => {
                sql.push(one_line(layout, "i.book_id = ANY("));
                sql.push_bind(ids.clone()).push(") LIMIT 1)");
            }
            Self::BookTail(tail) => {
                sql.push(one_line(layout, "reverse(replace(i.book_id::text, '-', '')) LIKE "));
                sql.push_bind(reversed(tail)).push(" LIMIT 1)");
            }
            Self::Note(words) => {
                sql.push("o.note IS NOT NULL AND ");
                // Cutting a note into words takes ten times as long as seeing that it has not even the letters.
                if let Some(letters) = letters(words) {
                    sql.push("strpos(lower(o.note), ").push_bind(letters).push(") > 0 AND ");
                }
                sql.push(format!("{NOTE_WORDS} @@ "));
                sql.push("phraseto_tsquery('simple', ").push_bind(phrase(words)).push(")");
            }
            Self::Status(status) => {
                sql.push("o.status = ").push_bind(*status);
            }
            Self::Tenant(tenant) => {
                let streams = layout.from(Table::Streams);
                sql.push(format!(
                    "(SELECT true FROM {streams} s WHERE s.id = o.id AND s.tenant_id = "
                ));
                sql.push_bind(tenant.clone()).push(" LIMIT 1)");
            }
            Self::Placed(span) => between(sql, "o.created_at", span),
            Self::Modified(span) => between(sql, "o.last_modified_at", span),
            Self::Total(span) => {
                lines_between(sql, layout, LINES_TOTAL, span);
            }
            Self::Items(span) => lines_between(sql, layout, "count(*)", span),
            Self::Deleted => {
                sql.push("o.is_deleted");
            }
            Self::HasNote => {
                sql.push("o.note <> ''");
            }
            Self::Drift => {
                sql.push(drifts(layout));
            }
            Self::Any(filters) => {
                for (nth, filter) in filters.iter().enumerate() {
                    sql.push(if nth == 0 { "((" } else { ") OR (" });
                    filter.push(sql, layout);
                }
                sql.push(if filters.is_empty() { "false" } else { "))" });
            }
            Self::Not(filter) => {
                sql.push("((");
                filter.push(sql, layout);
                sql.push(") IS NOT TRUE)");
            }
        }
    }
}

/// Appends ` AND (…)` for each filter.
pub(super) fn push_all<'a>(
    sql: &mut QueryBuilder<Postgres>,
    layout: &Layout,
    filters: impl IntoIterator<Item = &'a Filter>,
) {
    for filter in filters {
        sql.push(" AND (");
        filter.push(sql, layout);
        sql.push(")");
    }
}

/// A tail of an id as the pattern for an id written backwards.
pub(super) fn reversed(tail: &str) -> String {
    tail.chars().rev().chain(['%']).collect()
}

/// The words of a phrase, those on both sides of a hyphen as two: so they are found whichever dash a note has between
/// them, which the parser of the database keeps together for the hyphen alone.
pub(super) fn phrase(words: &str) -> String {
    let mut before = ' ';
    let mut chars = words.chars().peekable();
    let mut out = String::with_capacity(words.len());
    while let Some(c) = chars.next() {
        let joins = before.is_alphabetic() && chars.peek().is_some_and(|next| next.is_alphabetic());
        out.push(if c == '-' && joins { ' ' } else { c });
        before = c;
    }
    out
}

/// The longest run of plain letters and digits: a note with these words has it too, whatever the parser makes
/// of the characters around it.
fn letters(words: &str) -> Option<String> {
    let runs = words.split(|c: char| !c.is_ascii_alphanumeric()).filter(|run| run.len() > 1);
    runs.max_by_key(|run| run.len()).map(str::to_ascii_lowercase)
}

/// Appends the tests of both ends of a span.
pub(super) fn between<T>(sql: &mut QueryBuilder<Postgres>, value: &str, span: &Span<T>)
where
    T: Clone + for<'q> sqlx::Encode<'q, Postgres> + sqlx::Type<Postgres> + Send + 'static,
{
    match (&span.from, &span.to) {
        (Some(from), Some(to)) => {
            sql.push(value).push(" BETWEEN ").push_bind(from.clone());
            sql.push(" AND ").push_bind(to.clone());
        }
        (Some(from), None) => {
            sql.push(value).push(" >= ").push_bind(from.clone());
        }
        (None, Some(to)) => {
            sql.push(value).push(" <= ").push_bind(to.clone());
        }
        (None, None) => {
            sql.push("true");
        }
    }
}

// The look-ups below are scalar subqueries, not EXISTS: the planner would make joins or hashed subplans of
// those, and read a whole table to fill one page.

fn of_buyer(
    sql: &mut QueryBuilder<Postgres>,
    layout: &Layout,
    expression: &str,
    operator: &str,
    value: String,
) {
    let buyers = layout.from(Table::Buyers);
    sql.push(format!("(SELECT {expression}{operator}")).push_bind(value);
    sql.push(format!(" FROM {buyers} b WHERE b.id = o.buyer_id LIMIT 1)"));
}

/// The beginning of a test that a line of the order passes the condition.
fn one_line(layout: &Layout, condition: &str) -> String {
    let lines = layout.from(Table::OrderItems);
    format!("(SELECT true FROM {lines} i WHERE i.order_id = o.id AND {condition}")
}

/// Appends the test of an aggregate of the order's lines, which are read once for both ends of the span.
fn lines_between<T>(
    sql: &mut QueryBuilder<Postgres>,
    layout: &Layout,
    aggregate: &str,
    span: &Span<T>,
) where
    T: Clone + for<'q> sqlx::Encode<'q, Postgres> + sqlx::Type<Postgres> + Send + 'static,
{
    sql.push("(SELECT ");
    between(sql, aggregate, span);
    sql.push(format!(" FROM {} i WHERE i.order_id = o.id)", layout.from(Table::OrderItems)));
}

fn of_lines(layout: &Layout, aggregate: &str) -> String {
    let lines = layout.from(Table::OrderItems);
    format!("(SELECT {aggregate} FROM {lines} i WHERE i.order_id = o.id)")
}

/// Null, and so no hit, where there is no document.
fn drifts(layout: &Layout) -> String {
    let summaries = layout.from(Table::Summaries);
    let drift = drift(layout, &of_lines(layout, LINES_TOTAL));
    format!("(SELECT {drift} FROM {summaries} s WHERE s.id = o.id LIMIT 1)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hyphen_between_words_is_a_space_and_no_other() {
        assert_eq!(phrase("well-known -5 a- x-1"), "well known -5 a- x-1");
    }

    #[test]
    fn the_letters_of_words_are_without_what_a_parser_may_cut() {
        assert_eq!(letters("leave at the Front-Door!").as_deref(), Some("front"));
        assert_eq!(letters("at the door 24").as_deref(), Some("door"));
        assert_eq!(letters("giữ hộ").as_deref(), Some("gi"));
        assert_eq!(letters("x"), None);
    }
}

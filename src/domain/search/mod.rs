//! The query language of the order search: text in, a list of tests out, errors with their place.
//!
//! Terms stand side by side and must all hold: `status:new buyer:"le t" -has:note age:>24h`.

use std::ops::Range;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::{order::Status, order_ref::IdMatch};

mod complete;
mod describe;
mod field;
mod guess;
mod number;
mod parse;
mod range;
mod time;
mod token;
mod words;

pub use complete::{Completion, complete};
pub use describe::describe;
pub use field::{FIELDS, Field, FieldHelp, nearest};
pub use parse::parse;
pub use words::{STATUSES, TRAITS};

/// A parsed query. All terms must hold (AND).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    pub terms: Vec<Term>,
    /// How the text was read where that may surprise; a line each.
    pub notes: Vec<String>,
}

/// One test, its negation, and where in the text it stood (bytes).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    pub test: Test,
    pub negated: bool,
    pub at: Range<usize>,
}

/// Half-open on neither side: `None` is unbounded, both ends count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span<T> {
    pub from: Option<T>,
    pub to: Option<T>,
}

/// What one term asks of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// A bare full id of any kind: order, buyer, book, correlation, message, event or stream.
    AnyId(Uuid),
    /// A bare run of four or more hexadecimal digits: an order's or buyer's tail, or a word.
    AnyTail(String),
    /// Any other bare word or quoted phrase: part of the buyer's name, or a word of the note.
    Text(String),
    Order(IdMatch),
    /// `buyer:4e10`
    Buyer(IdMatch),
    /// `buyer:"le t"`: part of the name, without case.
    BuyerName(String),
    Book(IdMatch),
    /// `corr:` event correlation id or a message's conversation or correlation id; full or tail.
    Correlation(String),
    Note(String),
    City(String),
    Province(String),
    Status(Status),
    /// `tenant:` as written, in full.
    Tenant(String),
    /// `placed:` on `created_at`.
    Placed(Span<DateTime<Utc>>),
    /// `modified:` on `last_modified_at`.
    Modified(Span<DateTime<Utc>>),
    /// `total:` the sum of the lines.
    Total(Span<Decimal>),
    /// `items:` the number of lines.
    Items(Span<i64>),
    Has(Trait),
}

/// What `has:` and `is:` ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trait {
    /// A pending outbox message.
    Undelivered,
    /// A dead letter on one of its events.
    Letter,
    /// Row, events and summary differ.
    Drift,
    Deleted,
    Note,
}

/// Why a query cannot be run, and which bytes of it are to blame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}{}", hint.as_ref().map(|hint| format!(": {hint}")).unwrap_or_default())]
pub struct SearchError {
    /// Always within the text and on character boundaries.
    pub at: Range<usize>,
    pub what: String,
    /// What to write instead.
    pub hint: Option<String>,
}

impl SearchError {
    fn new(at: Range<usize>, what: impl Into<String>) -> Self {
        Self { at, what: what.into(), hint: None }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

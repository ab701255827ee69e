//! A query in words, for titles, saved searches and reports.

use std::fmt::Display;

use chrono::{DateTime, Timelike, Utc};
use rust_decimal::Decimal;

use super::{Query, Span, Term, Test, words::TRAITS};
use crate::domain::{id::short, order::Status, order_ref::IdMatch, zone::Zone};

/// The query in words, times in that zone: `status new, not city "lyon"`.
#[must_use]
pub fn describe(query: &Query, zone: Zone) -> String {
    if query.terms.is_empty() {
        return "all orders".to_owned();
    }
    let terms = query.terms.iter().map(|term| in_words(term, zone)).collect::<Vec<_>>().join(", ");
    if query.notes.is_empty() { terms } else { format!("{terms} ({})", query.notes.join("; ")) }
}

fn in_words(term: &Term, zone: Zone) -> String {
    let not = if term.negated { "not " } else { "" };
    let time = |at: &DateTime<Utc>| {
        let local = zone.local(*at);
        // The last microsecond of a minute or day reads as the minute it ends in.
        let whole = local.second() == 0 || local.second() == 59;
        local.format(if whole { "%F %H:%M" } else { "%F %T" }).to_string()
    };
    let words = match &term.test {
        Test::AnyId(id) => format!("anything with id {id}"),
        Test::AnyTail(tail) => format!("id or text …{tail}"),
        Test::Text(text) => format!("text {text:?}"),
        Test::Order(id) => format!("order {}", reference(id)),
        Test::Buyer(id) => format!("buyer {}", reference(id)),
        Test::BuyerName(name) => format!("buyer {name:?}"),
        Test::Book(id) => format!("book {}", reference(id)),
        Test::Correlation(text) => format!("correlation {text}"),
        Test::Note(text) => format!("note {text:?}"),
        Test::City(text) => format!("city {text:?}"),
        Test::Province(text) => format!("province {text:?}"),
        Test::Status(status) => format!("status {}", status_word(*status)),
        Test::Tenant(name) => format!("tenant {name}"),
        Test::Placed(times) => format!("placed {}", stretch(times, time)),
        Test::Modified(times) => format!("modified {}", stretch(times, time)),
        Test::Total(sums) => format!("total {}", stretch(sums, plain)),
        Test::Items(counts) => format!("items {}", stretch(counts, ToString::to_string)),
        Test::Has(found) => TRAITS
            .iter()
            .find(|(_, known, _)| known == found)
            .map_or_else(String::new, |(name, ..)| format!("has {name}")),
    };
    format!("{not}{words}")
}

fn reference(id: &IdMatch) -> String {
    match id {
        IdMatch::Full(id) => short(*id),
        IdMatch::Tail(tail) => format!("…{tail}"),
    }
}

fn status_word(status: Status) -> String {
    match status {
        Status::New => "new".to_owned(),
        Status::Cancelled => "cancelled".to_owned(),
        Status::Completed => "completed".to_owned(),
        Status::Other(number) => number.to_string(),
    }
}

/// A strict end is kept as the nearest number inside it; say the number that was written.
fn plain(number: &Decimal) -> String {
    let written = number.round_dp(12);
    if &written == number {
        written.normalize().to_string()
    } else {
        format!("{} (not itself)", written.normalize())
    }
}

fn stretch<T: PartialEq>(span: &Span<T>, write: impl Fn(&T) -> String) -> String {
    fn join(one: impl Display, two: impl Display) -> String {
        format!("{one} to {two}")
    }
    match (&span.from, &span.to) {
        (Some(from), Some(to)) if from == to => write(from),
        (Some(from), Some(to)) => join(write(from), write(to)),
        (Some(from), None) => format!("from {}", write(from)),
        (None, Some(to)) => format!("up to {}", write(to)),
        (None, None) => "any".to_owned(),
    }
}

//! Turns the text of a query into tests.

use std::ops::Range;

use uuid::Uuid;

use super::{
    Query, SearchError, Term, Test,
    field::{FIELDS, Field, FieldHelp, nearest},
    number, time,
    token::{Token, Value, tokens},
    words,
};
use crate::domain::{
    order_ref::{self, IdMatch, NotAnId},
    typed::Typed,
    zone::Clock,
};

/// More terms than anyone writes; a bound on the statement the database has to plan.
const MOST_TERMS: usize = 32;
/// Bytes; far beyond any search, below what makes reading it slow.
const LONGEST: usize = 4096;

/// Reads a query. Dates and clock times are meant in the clock's zone; no text at all is the
/// query that every order answers.
pub fn parse(text: &str, clock: &Clock) -> Result<Query, SearchError> {
    if text.len() > LONGEST {
        let start = text.floor_char_boundary(LONGEST);
        return Err(SearchError::new(start..text.len(), "the search is too long")
            .hint(format!("{LONGEST} bytes are the most")));
    }
    let typed = Typed::new(text);
    let placed = |at: &Range<usize>| typed.place(at);
    let mut query = plain(&typed.text, clock)
        .map_err(|error| SearchError { at: placed(&error.at), ..error })?;
    for term in &mut query.terms {
        term.at = placed(&term.at);
    }
    query.notes.splice(0..0, typed.notes());
    Ok(query)
}

/// Reads a query without typographic marks.
fn plain(text: &str, clock: &Clock) -> Result<Query, SearchError> {
    let mut terms = Vec::new();
    let mut notes = Vec::new();
    for token in tokens(text)? {
        if terms.len() == MOST_TERMS {
            return Err(SearchError::new(token.at.start..text.len(), "too many terms")
                .hint(format!("{MOST_TERMS} are the most")));
        }
        if let Some(test) = test(&token, clock, &mut notes)? {
            terms.push(Term { test, negated: token.negated, at: token.at });
        }
    }
    notes.dedup();
    Ok(Query { terms, notes })
}

/// The term's test; a clock time over which clocks were moved adds to `notes`.
fn test(
    token: &Token,
    clock: &Clock,
    notes: &mut Vec<String>,
) -> Result<Option<Test>, SearchError> {
    let value = &token.value;
    let Some((name, at)) = &token.field else { return bare(token) };
    let Some(field) = Field::named(name) else {
        let hint = match nearest(name, FIELDS.iter().flat_map(FieldHelp::names)) {
            Some(near) => format!("did you mean {near}:? To search for the text, quote it"),
            None => format!("fields are {}; to search for the text, quote it", names()),
        };
        return Err(SearchError::new(at.clone(), format!("no field is called {name}")).hint(hint));
    };
    if value.text.trim().is_empty() {
        let row = field.row();
        let place = if value.at.is_empty() { at.clone() } else { value.at.clone() };
        return Err(SearchError::new(place, format!("nothing follows {name}"))
            .hint(format!("{}, such as {}", row.help, row.example)));
    }
    let words = || value.text.trim().to_owned();
    Ok(Some(match field {
        Field::Id => Test::Order(id(value)?),
        Field::Book => Test::Book(id(value)?),
        Field::Buyer => buyer(value)?,
        Field::Corr => correlation(value)?,
        Field::Note => Test::Note(words()),
        Field::City => Test::City(words()),
        Field::Province => Test::Province(words()),
        Field::Status => Test::Status(words::status(value)?),
        Field::Tenant => Test::Tenant(words()),
        Field::Placed => Test::Placed(time::times(value, clock, notes)?),
        Field::Modified => Test::Modified(time::times(value, clock, notes)?),
        Field::Age => Test::Placed(time::age(value, clock)?),
        Field::Total => Test::Total(number::money(value)?),
        Field::Items => Test::Items(number::count(value)?),
        Field::Has => Test::Has(words::has(value)?),
    }))
}

fn names() -> String {
    FIELDS.iter().map(|row| row.name).collect::<Vec<_>>().join(", ")
}

/// A word without a field. `None` for AND, which says what holds anyway.
fn bare(token: &Token) -> Result<Option<Test>, SearchError> {
    let value = &token.value;
    if value.text.trim().is_empty() {
        return Err(SearchError::new(value.at.clone(), "nothing stands between the quotes"));
    }
    let phrase = Test::Text(value.text.trim().to_owned());
    if value.quoted {
        return Ok(Some(phrase));
    }
    match value.text.as_str() {
        "AND" if !token.negated => return Ok(None),
        "OR" | "|" | "||" => {
            return Err(SearchError::new(value.at.clone(), "all terms must hold; there is no or")
                .hint("search twice, or quote it to search for the word"));
        }
        _ => {}
    }
    Ok(Some(match order_ref::parse(&value.text) {
        Ok(IdMatch::Full(id)) => Test::AnyId(id),
        Ok(IdMatch::Tail(tail)) => Test::AnyTail(tail),
        Err(why) if order_ref::is_marked_tail(&value.text) => return Err(not_an_id(value, &why)),
        Err(why @ NotAnId::Cut(_)) if value.text.contains('…') => {
            return Err(not_an_id(value, &why));
        }
        Err(_) => phrase,
    }))
}

fn not_an_id(value: &Value, why: &NotAnId) -> SearchError {
    SearchError::new(value.at.clone(), why.to_string())
}

fn id(value: &Value) -> Result<IdMatch, SearchError> {
    order_ref::parse(&value.text).map_err(|why| not_an_id(value, &why))
}

/// An id where it can be one, else part of the name; quotes make it the name.
fn buyer(value: &Value) -> Result<Test, SearchError> {
    if !value.quoted {
        match order_ref::parse(&value.text) {
            Ok(id) => return Ok(Test::Buyer(id)),
            Err(why) if order_ref::is_marked_tail(&value.text) => {
                return Err(not_an_id(value, &why));
            }
            Err(_) => {}
        }
    }
    Ok(Test::BuyerName(value.text.trim().to_owned()))
}

/// Trace ids and uuids are compared by their digits alone; other correlation ids as written.
fn correlation(value: &Value) -> Result<Test, SearchError> {
    let text = value.text.trim();
    Ok(Test::Correlation(match order_ref::parse(text) {
        Ok(IdMatch::Full(id)) => Uuid::simple(id).to_string(),
        Ok(IdMatch::Tail(tail)) => tail,
        Err(why @ NotAnId::TooShort(_)) => return Err(not_an_id(value, &why)),
        Err(why) if order_ref::is_marked_tail(text) => return Err(not_an_id(value, &why)),
        Err(_) => text.to_owned(),
    }))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

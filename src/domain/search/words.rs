//! The words a value can be: statuses and traits, each with its other spellings.

use super::{SearchError, Trait, field::nearest, token::Value};
use crate::domain::order::Status;

/// Every status by its name.
pub const STATUSES: &[(&str, Status)] =
    &[("new", Status::New), ("cancelled", Status::Cancelled), ("completed", Status::Completed)];

/// What `has:` takes, and what it finds.
pub const TRAITS: &[(&str, Trait, &str)] = &[
    ("undelivered", Trait::Undelivered, "a message not recorded as delivered"),
    ("letter", Trait::Letter, "a dead letter on one of its events"),
    ("drift", Trait::Drift, "row, events and summary differ"),
    ("deleted", Trait::Deleted, "softly deleted"),
    ("note", Trait::Note, "a note"),
];

/// A name, or the number in `orders.status`, known or not.
pub(super) fn status(value: &Value) -> Result<Status, SearchError> {
    let word = value.text.to_lowercase();
    if let Some((_, status)) = STATUSES.iter().find(|(name, _)| *name == word) {
        return Ok(*status);
    }
    match word.as_str() {
        "canceled" => return Ok(Status::Cancelled),
        "complete" => return Ok(Status::Completed),
        "deleted" => {
            return Err(
                SearchError::new(value.at.clone(), "deleted is no status").hint("write is:deleted")
            );
        }
        _ => {}
    }
    if let Ok(number) = word.parse::<i16>() {
        return Ok(Status::from_number(number));
    }
    let names = || STATUSES.iter().map(|(name, _)| *name);
    Err(unknown(value, "status", names()))
}

pub(super) fn has(value: &Value) -> Result<Trait, SearchError> {
    let word = value.text.to_lowercase();
    TRAITS
        .iter()
        .find(|(name, ..)| *name == word)
        .map(|(_, found, _)| *found)
        .ok_or_else(|| unknown(value, "trait", TRAITS.iter().map(|(name, ..)| *name)))
}

fn unknown<'a>(
    value: &Value,
    kind: &str,
    names: impl Iterator<Item = &'a str> + Clone,
) -> SearchError {
    let what = format!("{:?} is no {kind}", value.text);
    let hint = match nearest(&value.text, names.clone()) {
        Some(name) => format!("did you mean {name}?"),
        None => format!("one of {}", names.collect::<Vec<_>>().join(", ")),
    };
    SearchError::new(value.at.clone(), what).hint(hint)
}

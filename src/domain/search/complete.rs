//! What Tab offers in the search box.

use std::ops::Range;

use super::{
    field::{FIELDS, Field, FieldHelp},
    words::{STATUSES, TRAITS},
};

/// One completion: `with` replaces the range `replace`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// Bytes of the text; ends at the cursor.
    pub replace: Range<usize>,
    pub with: String,
    pub help: &'static str,
}

/// Offers for the word that ends at `cursor` (a byte; the nearest boundary before it counts).
/// Nothing inside quotes.
#[must_use]
pub fn complete(text: &str, cursor: usize) -> Vec<Completion> {
    let cursor = text.floor_char_boundary(cursor.min(text.len()));
    let before = text.get(..cursor).unwrap_or_default();
    if before.matches('"').count() % 2 == 1 {
        return Vec::new();
    }
    let word_start = before
        .char_indices()
        .rev()
        .find(|(_, c)| c.is_whitespace())
        .map_or(0, |(at, c)| at + c.len_utf8());
    let word = before.get(word_start..).unwrap_or_default();
    let plain = word.strip_prefix(['-', '!']).unwrap_or(word);
    let start = cursor - plain.len();
    match plain.split_once(':') {
        None => fields(plain, start..cursor),
        Some((name, value)) => match Field::named(name) {
            Some(field) => values(field, value, cursor - value.len()..cursor),
            None => Vec::new(),
        },
    }
}

fn fields(prefix: &str, replace: Range<usize>) -> Vec<Completion> {
    let by_name = |row: &'static FieldHelp| {
        row.names().find(|name| begins(name, prefix)).map(|name| Completion {
            replace: replace.clone(),
            with: format!("{name}:"),
            help: row.help,
        })
    };
    FIELDS.iter().filter_map(by_name).collect()
}

fn values(field: Field, prefix: &str, replace: Range<usize>) -> Vec<Completion> {
    let offers: Vec<(&str, &'static str)> = match field {
        Field::Status => STATUSES.iter().map(|(name, _)| (*name, "status")).collect(),
        Field::Has => TRAITS.iter().map(|(name, _, help)| (*name, *help)).collect(),
        Field::Placed | Field::Modified => vec![
            ("today", "since midnight"),
            ("yesterday", "the day before"),
            ("1h", "the last hour"),
            ("24h", "the last day and night"),
            ("7d", "the last seven days"),
        ],
        Field::Age => vec![(">24h", "older than a day"), ("<1h", "younger than an hour")],
        Field::Total => vec![(">100", "over a hundred"), ("<=10", "ten or less")],
        Field::Items => vec![(">1", "more than one line")],
        _ => Vec::new(),
    };
    offers
        .into_iter()
        .filter(|(with, _)| begins(with, prefix))
        .map(|(with, help)| Completion { replace: replace.clone(), with: with.to_owned(), help })
        .collect()
}

fn begins(name: &str, prefix: &str) -> bool {
    name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn offers(text: &str) -> Vec<String> {
        complete(text, text.len()).into_iter().map(|offer| offer.with).collect()
    }

    #[test]
    fn fields_then_their_values() {
        assert_eq!(offers("pl"), ["placed:"]);
        assert_eq!(offers("tanaka -st"), ["status:"]);
        assert_eq!(offers("status:"), ["new", "cancelled", "completed"]);
        assert_eq!(offers("-has:d"), ["drift", "deleted"]);
        assert_eq!(offers("i"), ["id:", "items:", "is:"]);
        assert_eq!(offers("").len(), FIELDS.len());
        assert_eq!(offers("foo:"), Vec::<String>::new());
        assert_eq!(offers("\"pl"), Vec::<String>::new());
    }

    #[test]
    fn the_word_before_the_cursor_is_replaced() {
        let offer = complete("é -sta new", 6).remove(0);
        assert_eq!((offer.replace, offer.with.as_str()), (4..6, "status:"));
    }

    proptest! {
        #[test]
        fn places_can_be_cut(text in "\\PC{0,20}|[a-z:\" -]{0,20}", cursor in 0usize..80) {
            for offer in complete(&text, cursor) {
                prop_assert!(text.get(offer.replace).is_some());
            }
        }
    }
}

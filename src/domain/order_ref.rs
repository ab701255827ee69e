//! Ids as people write them: whole, or the end of one, as a screen or a letter quotes it.

use uuid::Uuid;

use super::typed;

/// Fewer digits than this match too many ids to be a reference.
pub const SHORTEST_TAIL: usize = 4;

/// Digits in a whole id.
const WHOLE: usize = 32;
/// Where, counted from the end in digits, the dashes of an id stand.
const DASHES: [usize; 4] = [12, 16, 20, 24];

/// A whole id, or the end of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdMatch {
    Full(Uuid),
    /// At least four hexadecimal digits, lower case, dashes removed.
    Tail(String),
}

/// The text names no id. Each says what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAnId {
    #[error("an id is needed: the whole one, or its last four digits or more")]
    Empty,
    #[error("{0:?} is too short: give at least the last four digits of the id")]
    TooShort(String),
    #[error("{0:?} is longer than an id")]
    TooLong(String),
    #[error("{0:?} is cut in the middle: give the whole id, or only its end")]
    Cut(String),
    #[error("{0:?} is not an id: ids have the digits 0-9 and a-f only")]
    NotHexadecimal(String),
}

/// Reads a whole id (dashed, undashed, in braces, as `urn:uuid:`) or the end of one, with or
/// without a leading ellipsis. What pasting adds (invisible characters, typographic dashes) does not matter.
pub fn parse(text: &str) -> Result<IdMatch, NotAnId> {
    let plain = typed::plain(text);
    let text = plain.trim();
    if text.is_empty() {
        return Err(NotAnId::Empty);
    }
    if let Ok(id) = Uuid::try_parse(text) {
        return Ok(IdMatch::Full(id));
    }
    let tail = after_ellipsis(text);
    if tail.contains(['…', '.']) {
        return Err(NotAnId::Cut(text.to_owned()));
    }
    let digits = tail.bytes().filter(u8::is_ascii_hexdigit).count();
    let others = tail.chars().any(|c| !c.is_ascii_hexdigit() && c != '-');
    if others || digits == 0 || !dashes_fit(tail) {
        return Err(NotAnId::NotHexadecimal(text.to_owned()));
    }
    if digits < SHORTEST_TAIL {
        return Err(NotAnId::TooShort(text.to_owned()));
    }
    if digits > WHOLE {
        return Err(NotAnId::TooLong(text.to_owned()));
    }
    let plain: String =
        tail.chars().filter(|&c| c != '-').map(|c| c.to_ascii_lowercase()).collect();
    match Uuid::try_parse(&plain) {
        Ok(id) => Ok(IdMatch::Full(id)),
        Err(_) => Ok(IdMatch::Tail(plain)),
    }
}

/// Whether the text begins with an ellipsis, which marks it as the end of an id.
#[must_use]
pub fn is_marked_tail(text: &str) -> bool {
    after_ellipsis(text).len() < text.len()
}

fn after_ellipsis(text: &str) -> &str {
    text.strip_prefix('…').or_else(|| text.strip_prefix("...")).unwrap_or(text)
}

/// Dashes stand where an id has them, so that `2026-11-22` is not mistaken for the end of one.
fn dashes_fit(tail: &str) -> bool {
    let mut digits = 0;
    for c in tail.chars().rev() {
        if c == '-' {
            if !DASHES.contains(&digits) {
                return false;
            }
        } else {
            digits += 1;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "0199a3f2-7c1e-7b40-9d2a-5e0c4b1f8c41";

    fn tail(text: &str) -> IdMatch {
        IdMatch::Tail(text.to_owned())
    }

    #[test]
    fn whole_ids_in_any_spelling() {
        let whole = Ok(IdMatch::Full(ID.parse().unwrap()));
        for text in [
            ID.to_owned(),
            ID.replace('-', ""),
            ID.to_uppercase(),
            format!("{{{ID}}}"),
            format!("urn:uuid:{ID}"),
            format!(" …{ID} "),
            format!("\u{FEFF}{}\u{200B}\u{A0}", ID.replace('-', "\u{2011}")),
        ] {
            assert_eq!(parse(&text), whole, "{text}");
        }
    }

    #[test]
    fn ends_of_ids() {
        assert_eq!(parse("8c41"), Ok(tail("8c41")));
        assert_eq!(parse("…8C41"), Ok(tail("8c41")));
        assert_eq!(parse("...8c41"), Ok(tail("8c41")));
        assert_eq!(parse("9d2a-5e0c4b1f8c41"), Ok(tail("9d2a5e0c4b1f8c41")));
        assert_eq!(parse("-5e0c4b1f8c41"), Ok(tail("5e0c4b1f8c41")));
    }

    #[test]
    fn what_is_no_id_says_why() {
        assert_eq!(parse(" "), Err(NotAnId::Empty));
        assert_eq!(parse("c41"), Err(NotAnId::TooShort("c41".to_owned())));
        assert_eq!(parse("0199…8c41"), Err(NotAnId::Cut("0199…8c41".to_owned())));
        assert_eq!(parse("2026-11-22"), Err(NotAnId::NotHexadecimal("2026-11-22".to_owned())));
        assert_eq!(parse("…"), Err(NotAnId::NotHexadecimal("…".to_owned())));
        assert!(matches!(parse(&"a".repeat(33)), Err(NotAnId::TooLong(_))));
    }

    proptest! {
        #[test]
        fn every_end_of_an_id_is_its_tail(id in any::<u128>(), keep in SHORTEST_TAIL..WHOLE) {
            let plain = Uuid::from_u128(id).simple().to_string();
            let end = &plain[WHOLE - keep..];
            prop_assert_eq!(parse(end), Ok(tail(end)));
        }

        #[test]
        fn any_text_is_an_id_or_refused(text in "\\PC*") {
            let _ = parse(&text);
        }
    }
}

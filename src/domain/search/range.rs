//! Comparisons and ranges in a value: `x`, `>x`, `>=x`, `<x`, `<=x`, `a..b`, `..b`, `a..`.

use std::ops::Range;

use super::{SearchError, token::Value};

/// A part of a value and its byte range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    pub text: &'a str,
    pub at: Range<usize>,
}

/// A range whose ends are still text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Bounds<'a> {
    Exactly(Piece<'a>),
    Over(Piece<'a>),
    AtLeast(Piece<'a>),
    Under(Piece<'a>),
    AtMost(Piece<'a>),
    /// At least one end is there.
    Between(Option<Piece<'a>>, Option<Piece<'a>>),
}

type Wrap<'a> = fn(Piece<'a>) -> Bounds<'a>;

/// Reads a value.
pub(super) fn bounds(value: &Value) -> Result<Bounds<'_>, SearchError> {
    let text = value.text.as_str();
    let signs: [(&str, Wrap<'_>); 5] = [
        (">=", Bounds::AtLeast),
        ("<=", Bounds::AtMost),
        (">", Bounds::Over),
        ("<", Bounds::Under),
        ("=", Bounds::Exactly),
    ];
    let range = text.split_once("..");
    let compared = signs.into_iter().find(|(sign, _)| text.starts_with(sign));
    match (compared, range) {
        (Some(_), Some(_)) => {
            Err(SearchError::new(value.at.clone(), "a comparison and a range do not go together")
                .hint("write 10..20, >10 or <20"))
        }
        (Some((sign, wrap)), None) => {
            let piece = Piece { text: &text[sign.len()..], at: sign.len()..text.len() };
            if piece.text.trim().is_empty() {
                let what = format!("nothing follows {sign}");
                return Err(SearchError::new(value.at.clone(), what)
                    .hint("write it without a space in between"));
            }
            Ok(wrap(piece))
        }
        (None, Some((from, to))) => {
            let end = |text, at| Some(Piece { text, at }).filter(|p| !p.text.trim().is_empty());
            let from_end = from.len();
            let to_start = text.len() - to.len();
            match (end(from, 0..from_end), end(to, to_start..text.len())) {
                (None, None) => Err(SearchError::new(value.at.clone(), "a range needs an end")
                    .hint("write a..b, a.. or ..b")),
                (from, to) => Ok(Bounds::Between(from, to)),
            }
        }
        (None, None) => Ok(Bounds::Exactly(Piece { text, at: 0..text.len() })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        Value { text: text.to_owned(), at: 0..text.len(), quoted: false }
    }

    fn piece(text: &str, at: Range<usize>) -> Piece<'_> {
        Piece { text, at }
    }

    #[test]
    fn every_form() {
        assert_eq!(bounds(&value("5")), Ok(Bounds::Exactly(piece("5", 0..1))));
        assert_eq!(bounds(&value("=5")), Ok(Bounds::Exactly(piece("5", 1..2))));
        assert_eq!(bounds(&value(">=5")), Ok(Bounds::AtLeast(piece("5", 2..3))));
        assert_eq!(bounds(&value(">5")), Ok(Bounds::Over(piece("5", 1..2))));
        assert_eq!(bounds(&value("<=5")), Ok(Bounds::AtMost(piece("5", 2..3))));
        assert_eq!(bounds(&value("<5")), Ok(Bounds::Under(piece("5", 1..2))));
        let both = Bounds::Between(Some(piece("a", 0..1)), Some(piece("b", 3..4)));
        assert_eq!(bounds(&value("a..b")), Ok(both));
        assert_eq!(bounds(&value("a..")), Ok(Bounds::Between(Some(piece("a", 0..1)), None)));
        assert_eq!(bounds(&value("..b")), Ok(Bounds::Between(None, Some(piece("b", 2..3)))));
        for wrong in ["..", ">", "<=", ">1..2"] {
            assert!(bounds(&value(wrong)).is_err(), "{wrong}");
        }
    }
}

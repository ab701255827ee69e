//! Text as people type and paste it: what nobody sees is left out, typographic marks are read as the plain ones of a
//! keyboard.
//!
//! For searches and ids only. Text of the database is never changed by this; [`text`](super::text) shows that.

use std::{borrow::Cow, ops::Range};

/// Text with plain marks, where each byte stood before, and what was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typed {
    pub text: String,
    /// For each byte and for the end: its place in what was typed.
    places: Vec<usize>,
    /// Characters left out because nobody sees them.
    dropped: usize,
    /// Quotes, apostrophes, dashes or spaces were replaced.
    replaced: bool,
}

enum Reading {
    Keep,
    Drop,
    As(char),
}

impl Typed {
    /// Reads what was typed.
    #[must_use]
    pub fn new(typed: &str) -> Self {
        let mut read = Self {
            text: String::with_capacity(typed.len()),
            places: Vec::with_capacity(typed.len() + 1),
            dropped: 0,
            replaced: false,
        };
        let mut before = None;
        let mut chars = typed.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            let joins = |c: Option<char>| c.is_some_and(|c| !c.is_ascii() && !c.is_whitespace());
            let joined = joins(before) && joins(chars.peek().map(|(_, next)| *next));
            before = Some(c);
            let kept = match reading(c, joined) {
                Reading::Keep => c,
                Reading::As(plain) => {
                    read.replaced = true;
                    plain
                }
                Reading::Drop => {
                    read.dropped += 1;
                    continue;
                }
            };
            read.text.push(kept);
            let bytes = if kept == c { c.len_utf8() } else { 1 };
            read.places.extend(at..at + bytes);
        }
        read.places.push(typed.len());
        read
    }

    /// Where these bytes of the text stood in what was typed.
    #[must_use]
    pub fn place(&self, range: &Range<usize>) -> Range<usize> {
        let end = self.places.last().copied().unwrap_or_default();
        let place = |at: usize| self.places.get(at).copied().unwrap_or(end);
        place(range.start)..place(range.end)
    }

    /// What was changed, a line each.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let dropped = match self.dropped {
            0 => None,
            1 => Some("one invisible character was left out of the search".to_owned()),
            many => Some(format!("{many} invisible characters were left out of the search")),
        };
        let replaced = self
            .replaced
            .then(|| "typographic quotes, dashes and spaces were read as plain ones".to_owned());
        dropped.into_iter().chain(replaced).collect()
    }
}

/// The text with plain marks, without its notes.
#[must_use]
pub fn plain(typed: &str) -> Cow<'_, str> {
    if typed.is_ascii() {
        return Cow::Borrowed(typed);
    }
    Cow::Owned(Typed::new(typed).text)
}

/// `joined`: it stands between two letters that are not ASCII, where joiners shape words and pictures.
const fn reading(c: char, joined: bool) -> Reading {
    match c {
        '\u{200C}' | '\u{200D}' if joined => Reading::Keep,
        '\u{AD}'
        | '\u{61C}'
        | '\u{180E}'
        | '\u{200B}'..='\u{200F}'
        | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{2064}'
        | '\u{2066}'..='\u{206F}'
        | '\u{FEFF}' => Reading::Drop,
        '\u{A0}' | '\u{2000}'..='\u{200A}' | '\u{202F}' | '\u{205F}' | '\u{3000}' => {
            Reading::As(' ')
        }
        '\u{201C}'..='\u{201F}' | '\u{AB}' | '\u{BB}' | '\u{FF02}' => Reading::As('"'),
        '\u{2018}'..='\u{201B}' | '\u{2BC}' | '\u{FF07}' => Reading::As('\''),
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{FE58}' | '\u{FE63}' | '\u{FF0D}' => {
            Reading::As('-')
        }
        _ => Reading::Keep,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_nobody_sees_goes_and_marks_become_plain() {
        let typed = Typed::new("\u{FEFF}note:“a\u{A0}b” \u{2013}city:l\u{200B}yon O’Hara");
        assert_eq!(typed.text, "note:\"a b\" -city:lyon O'Hara");
        assert_eq!(
            typed.notes(),
            [
                "2 invisible characters were left out of the search",
                "typographic quotes, dashes and spaces were read as plain ones"
            ]
        );
        assert!(Typed::new("Lê Thị 田中").notes().is_empty());
    }

    #[test]
    fn joiners_inside_words_of_other_scripts_stay() {
        for text in ["می\u{200C}خواهم", "👩\u{200D}🚀"] {
            assert_eq!(plain(text), text);
        }
        assert_eq!(plain("8c\u{200D}41"), "8c41");
    }

    #[test]
    fn places_are_those_of_what_was_typed() {
        let typed = "\u{FEFF}“é” ab";
        let read = Typed::new(typed);
        let at = read.text.find("ab").unwrap();
        assert_eq!(&typed[read.place(&(at..at + 2))], "ab");
        assert_eq!(&typed[read.place(&(0..4))], "“é”");
    }

    proptest! {
        #[test]
        fn places_are_always_characters_of_what_was_typed(text in any::<String>()) {
            let read = Typed::new(&text);
            for (at, _) in read.text.char_indices().chain([(read.text.len(), ' ')]) {
                prop_assert!(text.is_char_boundary(read.place(&(at..at)).start));
            }
            prop_assert_eq!(plain(&read.text).into_owned(), read.text.clone());
        }
    }
}

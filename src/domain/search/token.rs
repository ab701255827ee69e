//! Cuts a query into terms: `-field:"a value"`, words and quoted phrases, each with its place.

use std::ops::Range;

use super::SearchError;

/// One term as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub at: Range<usize>,
    pub negated: bool,
    /// The name before the colon, and its place.
    pub field: Option<(String, Range<usize>)>,
    pub value: Value,
}

/// What a term looks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Value {
    /// Without its quotes.
    pub text: String,
    /// With its quotes.
    pub at: Range<usize>,
    /// It began with a quote, so it is text whatever it looks like.
    pub quoted: bool,
}

impl Value {
    /// Where a piece of the value stands, given its bytes in `text`; all of it when quotes or
    /// escapes moved things.
    pub fn place(&self, piece: Range<usize>) -> Range<usize> {
        if self.at.len() == self.text.len() && piece.end <= self.text.len() {
            self.at.start + piece.start..self.at.start + piece.end
        } else {
            self.at.clone()
        }
    }
}

const fn is_quote(c: char) -> bool {
    matches!(c, '"' | '“' | '”' | '„')
}

/// Cuts the whole text.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, SearchError> {
    let mut reader = Reader { text, at: 0 };
    let mut tokens = Vec::new();
    while reader.skip_space() {
        tokens.push(reader.token()?);
    }
    Ok(tokens)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    /// Whether anything but space is left.
    fn skip_space(&mut self) -> bool {
        self.at += self.rest().len() - self.rest().trim_start().len();
        self.at < self.text.len()
    }

    fn at_end_of_word(&self) -> bool {
        self.peek().is_none_or(char::is_whitespace)
    }

    fn token(&mut self) -> Result<Token, SearchError> {
        let start = self.at;
        let negated = matches!(self.peek(), Some('-' | '!'));
        if negated {
            self.take();
            if self.at_end_of_word() {
                let what = "nothing follows the minus to leave out";
                return Err(SearchError::new(start..self.at, what)
                    .hint("write it against its word, or quote it: \"-\""));
            }
            if let Some(again @ ('-' | '!')) = self.peek() {
                let end = self.at + again.len_utf8();
                return Err(SearchError::new(start..end, "one minus is enough")
                    .hint("a word that begins with a minus needs quotes"));
            }
        }
        let field = self.field();
        let value = self.value(field.is_some())?;
        Ok(Token { at: start..self.at, negated, field, value })
    }

    /// A name of letters and its colon, unless the word is an id that looks like one.
    fn field(&mut self) -> Option<(String, Range<usize>)> {
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_ascii_alphabetic() || c == '_' || c == '-'))?;
        let is_field = end > 0 && rest[end..].starts_with(':') && !rest.starts_with("urn:uuid:");
        if !is_field {
            return None;
        }
        let name = rest[..end].to_owned();
        let at = self.at..self.at + end;
        self.at += end + 1;
        Some((name, at))
    }

    /// The value of a field reads quotes wherever a value begins; a bare phrase is all quoted.
    fn value(&mut self, of_field: bool) -> Result<Value, SearchError> {
        let start = self.at;
        let quoted = self.peek().is_some_and(is_quote);
        let mut text = String::new();
        while let Some(c) = self.peek().filter(|c| !c.is_whitespace()) {
            let opens = text.is_empty() || text.ends_with(['<', '>', '=']) || text.ends_with("..");
            if is_quote(c) && (self.at == start || (of_field && opens)) {
                self.quote(&mut text)?;
                if !of_field {
                    break;
                }
                continue;
            }
            self.take();
            text.push(c);
        }
        if let Some(nul) = text.find('\0') {
            let value = Value { text, at: start..self.at, quoted };
            let what = "a NUL character is in no text of the database";
            return Err(SearchError::new(value.place(nul..nul + 1), what));
        }
        Ok(Value { text, at: start..self.at, quoted })
    }

    fn quote(&mut self, text: &mut String) -> Result<(), SearchError> {
        let start = self.at;
        self.take();
        while let Some(c) = self.take() {
            match c {
                '\\' => match self.peek() {
                    Some(next) if is_quote(next) || next == '\\' => {
                        self.take();
                        text.push(next);
                    }
                    _ => text.push(c),
                },
                c if is_quote(c) => return Ok(()),
                c => text.push(c),
            }
        }
        Err(SearchError::new(start..self.at, "the quote is not closed")
            .hint("end it with another \""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Negated, field, text, quoted.
    type Cut = (bool, Option<String>, String, bool);

    fn cut(text: &str) -> Vec<Cut> {
        tokens(text)
            .unwrap()
            .into_iter()
            .map(|t| (t.negated, t.field.map(|(name, _)| name), t.value.text, t.value.quoted))
            .collect()
    }

    fn one(text: &str) -> Cut {
        let mut all = cut(text);
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    #[test]
    fn words_phrases_and_fields() {
        assert_eq!(one("tanaka"), (false, None, "tanaka".to_owned(), false));
        assert_eq!(one("\"le t\""), (false, None, "le t".to_owned(), true));
        assert_eq!(one("“le t”"), (false, None, "le t".to_owned(), true));
        assert_eq!(one("-status:new"), (true, Some("status".to_owned()), "new".to_owned(), false));
        assert_eq!(
            one("!note:\"a \\\" b\""),
            (true, Some("note".to_owned()), "a \" b".to_owned(), true)
        );
        assert_eq!(one("16:30"), (false, None, "16:30".to_owned(), false));
        assert_eq!(one("6\""), (false, None, "6\"".to_owned(), false));
        assert_eq!(one("placed:"), (false, Some("placed".to_owned()), String::new(), false));
        let range = one("placed:\"2026-11-22 16:30\"..\"2026-11-23 17:00\"");
        assert_eq!(range.2, "2026-11-22 16:30..2026-11-23 17:00");
        assert_eq!(cut("a  b").len(), 2);
        assert_eq!(cut(" \u{3000}").len(), 0);
    }

    #[test]
    fn places_are_bytes() {
        let tokens = tokens("é -city:lyon").unwrap();
        assert_eq!(tokens[1].at, 3..13);
        assert_eq!(tokens[1].field.as_ref().unwrap().1, 4..8);
        assert_eq!(tokens[1].value.at, 9..13);
        assert_eq!(tokens[1].value.place(1..2), 10..11);
    }

    #[test]
    fn what_cannot_be_cut_says_where() {
        let error = |text: &str| tokens(text).unwrap_err();
        assert_eq!(error("a \"b c").at, 2..6);
        assert_eq!(error("a -").at, 2..3);
        assert_eq!(error("--a").at, 0..2);
        assert_eq!(error("a\0b").at, 1..2);
    }
}

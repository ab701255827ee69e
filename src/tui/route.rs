//! Places in the console as `ops://` links that people paste to each other. What a link means is known to the
//! screen whose word it begins with.

use std::fmt::{self, Write};

use crate::domain::id::OrderId;

/// The word of places that show one order.
pub const ORDER: &str = "order";

/// A place to go to, as links write it after the context: `WORD/REST?QUERY`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    word: String,
    rest: Option<String>,
    query: Option<String>,
}

/// A place on a screen, between its own form and that of links.
pub trait Place: Sized {
    /// Reads what follows the screen's word; nothing where it means nothing there.
    fn read(route: &Route) -> Option<Self>;

    /// The link's part for this place.
    fn route(&self) -> Route;
}

/// Why a text is no link.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a link of the form {forms}")]
pub struct NoLink {
    /// What links look like.
    pub forms: String,
}

impl Route {
    /// The first place of the screen with this word.
    #[must_use]
    pub fn new(word: &str) -> Self {
        Self { word: word.to_owned(), rest: None, query: None }
    }

    /// One order as it is now.
    #[must_use]
    pub fn order(order: OrderId) -> Self {
        Self::new(ORDER).at(order)
    }

    /// The same with what stands after the word.
    #[must_use]
    pub fn at(mut self, rest: impl fmt::Display) -> Self {
        self.rest = Some(rest.to_string());
        self
    }

    /// The same with what stands after the question mark, escaped where it has to be.
    #[must_use]
    pub fn with(mut self, query: impl fmt::Display) -> Self {
        self.query = Some(query.to_string());
        self
    }

    /// Which screen it leads to.
    #[must_use]
    pub fn word(&self) -> &str {
        &self.word
    }

    /// What stands after the word.
    #[must_use]
    pub fn rest(&self) -> Option<&str> {
        self.rest.as_deref()
    }

    /// What stands after the question mark.
    #[must_use]
    pub fn query(&self) -> &str {
        self.query.as_deref().unwrap_or_default()
    }

    /// The link to this place in the context (database name) `context`.
    #[must_use]
    pub fn link(&self, context: &str) -> String {
        format!("ops://{}/{self}", escape(context))
    }

    /// Takes a link apart: the context it names, and the place.
    #[must_use]
    pub fn of_link(link: &str) -> Option<(String, Self)> {
        let (context, place) = link.trim().strip_prefix("ops://")?.split_once('/')?;
        Some((unescape(context), Self::of(place)))
    }

    /// Takes apart what stands after the context.
    #[must_use]
    pub fn of(place: &str) -> Self {
        let (path, query) = match place.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (place, None),
        };
        let (word, rest) = match path.split_once('/') {
            Some((word, rest)) => (word, Some(rest.to_owned())),
            None => (path, None),
        };
        Self { word: word.to_owned(), rest, query }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.word)?;
        if let Some(rest) = &self.rest {
            write!(f, "/{rest}")?;
        }
        match &self.query {
            Some(query) => write!(f, "?{query}"),
            None => Ok(()),
        }
    }
}

/// A text as a part of a link.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b':' | b'~' => {
                out.push(char::from(byte));
            }
            // Writing to a String cannot fail.
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
    out
}

/// The text that a part of a link stands for.
#[must_use]
pub fn unescape(text: &str) -> String {
    let hex = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (mut out, mut rest) = (vec![], text.as_bytes());
    while let [first, after @ ..] = rest {
        match (first, after) {
            (b'%', [high, low, after @ ..]) if hex(*high).is_some() && hex(*low).is_some() => {
                out.push(hex(*high).unwrap_or(0) * 16 + hex(*low).unwrap_or(0));
                rest = after;
            }
            _ => {
                out.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_link_is_taken_apart_as_it_was_put_together(
            (word, rest) in ("[a-z]+", proptest::option::of("[^/?]+")),
            (query, context) in (proptest::option::of(".*"), "[^/]+"),
        ) {
            let mut route = Route::new(&word);
            route.rest = rest.map(|rest| escape(&rest));
            route.query = query.map(|query| escape(&query));
            let link = route.link(&context);
            prop_assert_eq!(Route::of_link(&link), Some((context, route)));
        }

        #[test]
        fn what_is_escaped_comes_back(text in ".*") {
            prop_assert_eq!(unescape(&escape(&text)), text);
        }
    }
}

//! Places in the console, as values and as `ops://` links that people paste to each other.

use std::{
    fmt::{self, Write},
    str::FromStr,
};

use uuid::Uuid;

use crate::domain::id::{OrderId, Version};

/// A place to go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// The order search, with a query.
    Orders { query: String },
    /// One order's history, at a version, comparing two.
    Timeline { order: OrderId, at: Option<Version>, diff: Option<(Version, Version)> },
    /// A list of integration messages, perhaps at one of them by its sequence number.
    Messages { view: String, at: Option<i64> },
}

/// Why a text is no link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a link of the form ops://CONTEXT/order/ID@VERSION?diff=A:B, ops://CONTEXT/orders?q=QUERY or \
     ops://CONTEXT/messages/SEQ?LIST"
)]
pub struct NoLink;

impl Route {
    /// The link to this place in the context (database name) `context`.
    #[must_use]
    pub fn link(&self, context: &str) -> String {
        format!("ops://{}/{self}", escape(context))
    }

    /// Reads a link; yields the context it names and the place.
    ///
    /// # Errors
    /// When it is not of the form that `link` writes.
    pub fn parse(link: &str) -> Result<(String, Self), NoLink> {
        let rest = link.trim().strip_prefix("ops://").ok_or(NoLink)?;
        let (context, place) = rest.split_once('/').ok_or(NoLink)?;
        Ok((unescape(context), place.parse()?))
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Orders { query } if query.is_empty() => f.write_str("orders"),
            Self::Orders { query } => write!(f, "orders?q={}", escape(query)),
            Self::Messages { view, at } => {
                f.write_str("messages")?;
                if let Some(sequence) = at {
                    write!(f, "/{sequence}")?;
                }
                if view.is_empty() { Ok(()) } else { write!(f, "?{}", escape(view)) }
            }
            Self::Timeline { order, at, diff } => {
                write!(f, "order/{order}")?;
                if let Some(version) = at {
                    write!(f, "@{version}")?;
                }
                match diff {
                    Some((a, b)) => write!(f, "?diff={a}:{b}"),
                    None => Ok(()),
                }
            }
        }
    }
}

impl FromStr for Route {
    type Err = NoLink;

    fn from_str(text: &str) -> Result<Self, NoLink> {
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        if path == "orders" {
            let query = query.strip_prefix("q=").map(unescape).unwrap_or_default();
            return Ok(Self::Orders { query });
        }
        if let Some(rest) = path.strip_prefix("messages") {
            let at = match rest.strip_prefix('/') {
                Some(sequence) => Some(sequence.parse().map_err(|_| NoLink)?),
                None if rest.is_empty() => None,
                None => return Err(NoLink),
            };
            return Ok(Self::Messages { view: unescape(query), at });
        }
        let order = path.strip_prefix("order/").ok_or(NoLink)?;
        let (id, at) = order.split_once('@').map_or((order, None), |(id, at)| (id, Some(at)));
        let version = |text: &str| text.parse().map(Version).map_err(|_| NoLink);
        let diff = match query.strip_prefix("diff=").and_then(|diff| diff.split_once(':')) {
            Some((a, b)) => Some((version(a)?, version(b)?)),
            None => None,
        };
        let order = OrderId(Uuid::parse_str(id).map_err(|_| NoLink)?);
        Ok(Self::Timeline { order, at: at.map(version).transpose()?, diff })
    }
}

fn escape(text: &str) -> String {
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

fn unescape(text: &str) -> String {
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
        fn a_link_leads_back(query in ".*", at in proptest::option::of(1_i64..99), context in "[^/]+") {
            let orders = Route::Orders { query };
            prop_assert_eq!(Route::parse(&orders.link(&context)), Ok((context, orders)));
            let messages = Route::Messages { view: "half-done".to_owned(), at };
            prop_assert_eq!(Route::parse(&messages.link("prod")), Ok(("prod".to_owned(), messages)));
            let at = at.map(Version);
            let order = Route::Timeline { order: OrderId(Uuid::max()), at, diff: at.zip(at) };
            prop_assert_eq!(Route::parse(&order.link("prod")), Ok(("prod".to_owned(), order)));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = Route::parse(&text);
            let _ = Route::parse(&format!("ops://x/order/{text}"));
        }
    }
}

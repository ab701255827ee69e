//! An order as its events and its row describe it.

use std::fmt;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::id::{BookId, BuyerId, LineId, OrderId};

/// `orders.status`. Anything but the three known numbers is kept, never guessed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    New,
    Cancelled,
    Completed,
    /// A number (from the row) that no version of the service is known to write.
    Other(i16),
}

impl Status {
    /// What `orders.status` holds is neither a number of 16 bits nor a known name.
    pub const UNREADABLE: Self = Self::Other(i16::MIN);

    /// The status behind `orders.status` of any whole type.
    #[must_use]
    pub fn from_wide(number: i64) -> Self {
        i16::try_from(number).map_or(Self::UNREADABLE, Self::from_number)
    }

    /// The status behind `orders.status`.
    #[must_use]
    pub const fn from_number(number: i16) -> Self {
        match number {
            0 => Self::New,
            1 => Self::Cancelled,
            2 => Self::Completed,
            other => Self::Other(other),
        }
    }

    /// What `orders.status` holds for it.
    #[must_use]
    pub const fn number(self) -> i16 {
        match self {
            Self::New => 0,
            Self::Cancelled => 1,
            Self::Completed => 2,
            Self::Other(other) => other,
        }
    }

    /// The name in event bodies and documents; none for a number we do not know.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::New => Some("New"),
            Self::Cancelled => Some("Cancelled"),
            Self::Completed => Some("Completed"),
            Self::Other(_) => None,
        }
    }

    /// Its name, or its number, in the letters of another status of the same column; none where that is neither a name
    /// nor a number, or this one has no name.
    #[must_use]
    pub fn written_like(self, other: &str) -> Option<String> {
        let name = self.name()?;
        if other.trim().parse::<i16>().is_ok() {
            return Some(self.number().to_string());
        }
        let capitalised = Self::from_name(other).map(|_| name.to_owned());
        let all = [Self::New, Self::Cancelled, Self::Completed]
            .map(|known| known.name().unwrap_or_default());
        let lower = all.iter().any(|known| known.to_lowercase() == other);
        let upper = all.iter().any(|known| known.to_uppercase() == other);
        capitalised
            .or_else(|| lower.then(|| name.to_lowercase()))
            .or_else(|| upper.then(|| name.to_uppercase()))
    }

    /// The status of that name, spelt as .NET spells it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::New, Self::Cancelled, Self::Completed]
            .into_iter()
            .find(|status| status.name() == Some(name))
    }
}

impl fmt::Display for Status {
    /// `New`, or `status 7` for a number we do not know.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None if *self == Self::UNREADABLE => f.pad("unreadable"),
            None => f.pad(&format!("status {}", self.number())),
        }
    }
}

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub id: LineId,
    pub book: BookId,
    pub quantity: i64,
    pub price: Decimal,
}

/// A buyer as an event or the row names them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Buyer {
    pub name: Option<String>,
    pub street: Option<String>,
    pub city: Option<String>,
    pub province: Option<String>,
}

/// An order at one moment, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub id: OrderId,
    pub status: Status,
    pub note: Option<String>,
    pub buyer_id: Option<BuyerId>,
    pub buyer: Option<Buyer>,
    pub lines: Vec<Line>,
    /// As the source states it; equals the sum of the lines unless the source is wrong.
    pub total: Decimal,
    pub is_deleted: bool,
    pub created_at: Option<DateTime<Utc>>,
    pub last_modified_at: Option<DateTime<Utc>>,
    /// From the cancelling event; no row carries it.
    pub cancel_reason: Option<String>,
    /// What of it cannot be read: a price that is no amount, say. Its lines are not all there then and its total is
    /// not known.
    pub unread: Option<String>,
}

//! Why a command is refused.

use std::fmt;

use crate::domain::{
    id::{BuyerId, LineId, OrderId},
    order::Status,
};

/// The form field that a refusal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Input {
    Name,
    Street,
    City,
    Province,
    Note,
    Reason,
    /// Of that line, from 0.
    Quantity(usize),
    Price(usize),
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.pad("name"),
            Self::Street => f.pad("street"),
            Self::City => f.pad("city"),
            Self::Province => f.pad("province"),
            Self::Note => f.pad("note"),
            Self::Reason => f.pad("reason"),
            Self::Quantity(line) => f.pad(&format!("quantity of item {}", line + 1)),
            Self::Price(line) => f.pad(&format!("price of item {}", line + 1)),
        }
    }
}

/// The rule a command would break. Nothing is written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("there is no order {0}")]
    UnknownOrder(OrderId),
    #[error("there is an order {0} already")]
    OrderExists(OrderId),
    #[error("only a New order completes or cancels: {} is {status}", id.short())]
    NotNew { id: OrderId, status: Status },
    #[error("a deleted order takes no command but restore: {} is deleted", .0.short())]
    Deleted(OrderId),
    #[error("only a deleted order is restored: {} is not deleted", .0.short())]
    NotDeleted(OrderId),
    #[error("there is no buyer {0}: create the buyer first")]
    UnknownBuyer(BuyerId),
    #[error("there is a buyer {0} already")]
    BuyerExists(BuyerId),
    #[error("an order has at least one item")]
    NoLines,
    #[error("two items have the id {0}")]
    LineTwice(LineId),
    #[error("the {} is above 0, not {quantity}", Input::Quantity(*line))]
    QuantityNotPositive { line: usize, quantity: i64 },
    #[error("the {} is at most {most}, not {quantity}", Input::Quantity(*line))]
    QuantityTooLarge { line: usize, quantity: i64, most: i64 },
    #[error("the {} is 0 or more", Input::Price(*line))]
    PriceNegative { line: usize },
    #[error("the total has more digits than the service can hold: split the order")]
    TotalTooLarge,
    #[error("the {0} is needed")]
    Empty(Input),
    #[error("the {input} has at most {most} characters, not {length}")]
    TooLong { input: Input, length: usize, most: usize },
    #[error("the {0} has a NUL character, which the database cannot hold")]
    Unstorable(Input),
}

impl Refusal {
    /// The rule's name. It never changes: scripts distinguish refusals by it.
    #[must_use]
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::UnknownOrder(_) => "order-exists",
            Self::OrderExists(_) => "order-is-new",
            Self::NotNew { .. } => "only-new-orders-end",
            Self::Deleted(_) => "deleted-takes-restore-only",
            Self::NotDeleted(_) => "only-deleted-is-restored",
            Self::UnknownBuyer(_) => "buyer-exists",
            Self::BuyerExists(_) => "buyer-is-new",
            Self::NoLines => "at-least-one-item",
            Self::LineTwice(_) => "item-ids-differ",
            Self::QuantityNotPositive { .. } => "quantity-above-zero",
            Self::QuantityTooLarge { .. } => "quantity-fits",
            Self::PriceNegative { .. } => "price-not-negative",
            Self::TotalTooLarge => "total-fits",
            Self::Empty(_) => "text-needed",
            Self::TooLong { .. } => "text-length",
            Self::Unstorable(_) => "text-storable",
        }
    }
}

//! What differs between two states of an order, field by field.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::endless;
use super::id::LineId;
use super::order::{Line, Order, Status};

mod apply;
mod patch;

pub use apply::{OtherState, apply};
pub use patch::patch;

/// A field of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    /// The order itself: it is added or removed with its id.
    Id,
    Status,
    Note,
    BuyerId,
    BuyerName,
    BuyerStreet,
    BuyerCity,
    BuyerProvince,
    /// A whole line, added or removed.
    Line(LineId),
    LineBook(LineId),
    LineQuantity(LineId),
    LinePrice(LineId),
    Total,
    IsDeleted,
    CreatedAt,
    LastModifiedAt,
    CancelReason,
}

/// A field's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Datum {
    Id(Uuid),
    Status(Status),
    Text(String),
    Line(Line),
    Count(i64),
    Amount(Decimal),
    Flag(bool),
    Time(DateTime<Utc>),
}

/// One field in both states. Fields that do not differ are there too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub field: Field,
    pub before: Option<Datum>,
    pub after: Option<Datum>,
}

/// How a field differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Same,
    Changed,
    Added,
    Removed,
}

impl Change {
    #[must_use]
    pub fn kind(&self) -> Kind {
        match (&self.before, &self.after) {
            (before, after) if before == after => Kind::Same,
            (None, _) => Kind::Added,
            (_, None) => Kind::Removed,
            _ => Kind::Changed,
        }
    }

    #[must_use]
    pub fn is_same(&self) -> bool {
        self.kind() == Kind::Same
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Same => "same",
            Self::Changed => "changed",
            Self::Added => "added",
            Self::Removed => "removed",
        })
    }
}

impl Field {
    /// Its value in an order.
    #[must_use]
    pub fn of(self, order: &Order) -> Option<Datum> {
        let text = |text: &Option<String>| text.clone().map(Datum::Text);
        let buyer = order.buyer.as_ref();
        let line = |id: LineId| order.lines.iter().find(|line| line.id == id);
        match self {
            Self::Id => Some(Datum::Id(order.id.0)),
            Self::Status => Some(Datum::Status(order.status)),
            Self::Note => text(&order.note),
            Self::BuyerId => order.buyer_id.map(|id| Datum::Id(id.0)),
            Self::BuyerName => buyer.and_then(|buyer| text(&buyer.name)),
            Self::BuyerStreet => buyer.and_then(|buyer| text(&buyer.street)),
            Self::BuyerCity => buyer.and_then(|buyer| text(&buyer.city)),
            Self::BuyerProvince => buyer.and_then(|buyer| text(&buyer.province)),
            Self::Line(id) => line(id).cloned().map(Datum::Line),
            Self::LineBook(id) => line(id).map(|line| Datum::Id(line.book.0)),
            Self::LineQuantity(id) => line(id).map(|line| Datum::Count(line.quantity)),
            Self::LinePrice(id) => line(id).map(|line| Datum::Amount(line.price)),
            Self::Total => order.unread.is_none().then_some(Datum::Amount(order.total)),
            Self::IsDeleted => Some(Datum::Flag(order.is_deleted)),
            Self::CreatedAt => order.created_at.map(Datum::Time),
            Self::LastModifiedAt => order.last_modified_at.map(Datum::Time),
            Self::CancelReason => text(&order.cancel_reason),
        }
    }

    /// Whether its values are personal and masked until revealed.
    #[must_use]
    pub const fn is_personal(self) -> bool {
        matches!(
            self,
            Self::Note
                | Self::BuyerName
                | Self::BuyerStreet
                | Self::BuyerCity
                | Self::BuyerProvince
                | Self::CancelReason
        )
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Id => "id",
            Self::Status => "status",
            Self::Note => "note",
            Self::BuyerId => "buyer.id",
            Self::BuyerName => "buyer.name",
            Self::BuyerStreet => "buyer.street",
            Self::BuyerCity => "buyer.city",
            Self::BuyerProvince => "buyer.province",
            Self::Line(id) => return f.pad(&format!("items[{}]", id.short())),
            Self::LineBook(id) => return f.pad(&format!("items[{}].book", id.short())),
            Self::LineQuantity(id) => return f.pad(&format!("items[{}].quantity", id.short())),
            Self::LinePrice(id) => return f.pad(&format!("items[{}].price", id.short())),
            Self::Total => "total",
            Self::IsDeleted => "deleted",
            Self::CreatedAt => "created",
            Self::LastModifiedAt => "last_modified",
            Self::CancelReason => "cancel.reason",
        };
        f.pad(name)
    }
}

impl fmt::Display for Datum {
    /// In full and unmasked; text as it is stored (clean it before showing it).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Status(status) => status.fmt(f),
            Self::Text(text) => f.pad(text),
            Self::Line(line) => {
                f.pad(&format!("{} × {} @ {}", line.quantity, line.book.short(), line.price))
            }
            Self::Count(count) => count.fmt(f),
            Self::Amount(amount) => amount.fmt(f),
            Self::Flag(flag) => f.pad(if *flag { "yes" } else { "no" }),
            Self::Time(at) => f.pad(&endless::iso(*at, SecondsFormat::AutoSi)),
        }
    }
}

/// The fields every order has, in the order in which they are shown.
const FIELDS: [Field; 13] = [
    Field::Id,
    Field::Status,
    Field::CancelReason,
    Field::Note,
    Field::BuyerId,
    Field::BuyerName,
    Field::BuyerStreet,
    Field::BuyerCity,
    Field::BuyerProvince,
    Field::Total,
    Field::IsDeleted,
    Field::CreatedAt,
    Field::LastModifiedAt,
];

/// Every field of both states, in a fixed order; lines by their ids, wherever they stand.
#[must_use]
pub fn diff(before: Option<&Order>, after: Option<&Order>) -> Vec<Change> {
    if before.is_none() && after.is_none() {
        return Vec::new();
    }
    let change = |field: Field| Change {
        field,
        before: before.and_then(|order| field.of(order)),
        after: after.and_then(|order| field.of(order)),
    };
    let old = lines_of(before);
    let new = lines_of(after);
    let has = |lines: &[Line], id| lines.iter().any(|line| line.id == id);
    let mut changes: Vec<Change> = FIELDS.into_iter().map(change).collect();
    for line in old {
        if has(new, line.id) {
            changes.extend(
                [Field::LineBook, Field::LineQuantity, Field::LinePrice]
                    .map(|f| change(f(line.id))),
            );
        } else {
            changes.push(change(Field::Line(line.id)));
        }
    }
    let added = new.iter().filter(|line| !has(old, line.id));
    changes.extend(added.map(|line| change(Field::Line(line.id))));
    changes
}

fn lines_of(order: Option<&Order>) -> &[Line] {
    order.map_or(&[], |order| &order.lines)
}

#[cfg(test)]
mod tests;

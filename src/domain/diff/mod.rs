//! What differs between two states of an order, field by field.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::id::LineId;
use super::order::{Buyer, Line, Order, Status};

mod apply;
mod patch;

pub use apply::{Misfit, apply};
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
            Self::Time(at) => f.pad(&at.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
        }
    }
}

/// Every field of both states, in a fixed order; lines by their ids, wherever they stand.
#[must_use]
pub fn diff(before: Option<&Order>, after: Option<&Order>) -> Vec<Change> {
    if before.is_none() && after.is_none() {
        return Vec::new();
    }
    let mut changes = Vec::new();
    let mut field = |field: Field, read: &dyn Fn(&Order) -> Option<Datum>| {
        changes.push(Change { field, before: before.and_then(read), after: after.and_then(read) });
    };
    let text = |text: &Option<String>| text.clone().map(Datum::Text);
    let of_buyer = |order: &Order, read: fn(&Buyer) -> &Option<String>| {
        order.buyer.as_ref().and_then(|buyer| text(read(buyer)))
    };
    field(Field::Id, &|order| Some(Datum::Id(order.id.0)));
    field(Field::Status, &|order| Some(Datum::Status(order.status)));
    field(Field::CancelReason, &|order| text(&order.cancel_reason));
    field(Field::Note, &|order| text(&order.note));
    field(Field::BuyerId, &|order| order.buyer_id.map(|id| Datum::Id(id.0)));
    field(Field::BuyerName, &|order| of_buyer(order, |buyer| &buyer.name));
    field(Field::BuyerStreet, &|order| of_buyer(order, |buyer| &buyer.street));
    field(Field::BuyerCity, &|order| of_buyer(order, |buyer| &buyer.city));
    field(Field::BuyerProvince, &|order| of_buyer(order, |buyer| &buyer.province));
    field(Field::Total, &|order| Some(Datum::Amount(order.total)));
    field(Field::IsDeleted, &|order| Some(Datum::Flag(order.is_deleted)));
    field(Field::CreatedAt, &|order| order.created_at.map(Datum::Time));
    field(Field::LastModifiedAt, &|order| order.last_modified_at.map(Datum::Time));
    lines(lines_of(before), lines_of(after), &mut changes);
    changes
}

fn lines_of(order: Option<&Order>) -> &[Line] {
    order.map_or(&[], |order| &order.lines)
}

fn lines(before: &[Line], after: &[Line], changes: &mut Vec<Change>) {
    let find = |lines: &'_ [Line], id| lines.iter().find(|line| line.id == id).cloned();
    let whole = |field, before: Option<Line>, after: Option<Line>| Change {
        field,
        before: before.map(Datum::Line),
        after: after.map(Datum::Line),
    };
    for line in before {
        let Some(later) = find(after, line.id) else {
            changes.push(whole(Field::Line(line.id), Some(line.clone()), None));
            continue;
        };
        let mut part = |field, before, after| {
            changes.push(Change { field, before: Some(before), after: Some(after) });
        };
        part(Field::LineBook(line.id), Datum::Id(line.book.0), Datum::Id(later.book.0));
        part(
            Field::LineQuantity(line.id),
            Datum::Count(line.quantity),
            Datum::Count(later.quantity),
        );
        part(Field::LinePrice(line.id), Datum::Amount(line.price), Datum::Amount(later.price));
    }
    for line in after {
        if find(before, line.id).is_none() {
            changes.push(whole(Field::Line(line.id), None, Some(line.clone())));
        }
    }
}

#[cfg(test)]
mod tests;

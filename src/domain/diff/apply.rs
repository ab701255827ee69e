//! Applies a difference to the state it was taken from.

use chrono::{DateTime, Utc};

use super::{Change, Datum, Field};
use crate::domain::{
    id::{BookId, BuyerId, OrderId},
    order::{Buyer, Line, Order},
};

/// The difference was taken from another state: this field has another value here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} is not what the difference starts from")]
pub struct OtherState {
    pub field: Field,
}

/// The later state. Lines keep their place, new ones come last.
pub fn apply(state: Option<Order>, changes: &[Change]) -> Result<Option<Order>, OtherState> {
    let mut order = state;
    for change in changes.iter().filter(|change| !change.is_same()) {
        let other = OtherState { field: change.field };
        if change.field == Field::Id {
            order = match (&change.after, order) {
                (Some(Datum::Id(id)), None) => Some(Order::empty(OrderId(*id))),
                (None, Some(_)) => return Ok(None),
                _ => return Err(other),
            };
        } else {
            let order = order.as_mut().ok_or_else(|| other.clone())?;
            set(order, change).ok_or(other)?;
        }
    }
    Ok(order)
}

/// `None` when the change does not fit.
fn set(order: &mut Order, change: &Change) -> Option<()> {
    match change.field {
        Field::Id => {}
        Field::Status => match change.after {
            Some(Datum::Status(status)) => order.status = status,
            _ => return None,
        },
        Field::Total => match change.after {
            Some(Datum::Amount(total)) => order.total = total,
            _ => return None,
        },
        Field::IsDeleted => match change.after {
            Some(Datum::Flag(flag)) => order.is_deleted = flag,
            _ => return None,
        },
        Field::Note => text(change, &mut order.note)?,
        Field::CancelReason => text(change, &mut order.cancel_reason)?,
        Field::BuyerId => {
            order.buyer_id = match change.after {
                Some(Datum::Id(id)) => Some(BuyerId(id)),
                None => None,
                _ => return None,
            };
        }
        Field::BuyerName | Field::BuyerStreet | Field::BuyerCity | Field::BuyerProvince => {
            set_buyer(order, change)?;
        }
        Field::CreatedAt => time(change, &mut order.created_at)?,
        Field::LastModifiedAt => time(change, &mut order.last_modified_at)?,
        Field::Line(id) => {
            let place = order.lines.iter().position(|line| line.id == id);
            match (&change.after, place) {
                (Some(Datum::Line(line)), None) => order.lines.push(line.clone()),
                (None, Some(place)) => drop(order.lines.remove(place)),
                _ => return None,
            }
        }
        Field::LineBook(id) | Field::LineQuantity(id) | Field::LinePrice(id) => {
            let line = order.lines.iter_mut().find(|line| line.id == id)?;
            set_line(line, change)?;
        }
    }
    Some(())
}

fn set_line(line: &mut Line, change: &Change) -> Option<()> {
    match (change.field, change.after.as_ref()?) {
        (Field::LineBook(_), Datum::Id(book)) => line.book = BookId(*book),
        (Field::LineQuantity(_), Datum::Count(quantity)) => line.quantity = *quantity,
        (Field::LinePrice(_), Datum::Amount(price)) => line.price = *price,
        _ => return None,
    }
    Some(())
}

/// A buyer of whom nothing is known is no buyer.
fn set_buyer(order: &mut Order, change: &Change) -> Option<()> {
    let mut buyer = order.buyer.take().unwrap_or_default();
    let part = match change.field {
        Field::BuyerName => &mut buyer.name,
        Field::BuyerStreet => &mut buyer.street,
        Field::BuyerCity => &mut buyer.city,
        Field::BuyerProvince => &mut buyer.province,
        _ => return None,
    };
    text(change, part)?;
    order.buyer = (buyer != Buyer::default()).then_some(buyer);
    Some(())
}

fn text(change: &Change, into: &mut Option<String>) -> Option<()> {
    *into = match &change.after {
        None => None,
        Some(Datum::Text(text)) => Some(text.clone()),
        Some(_) => return None,
    };
    Some(())
}

fn time(change: &Change, into: &mut Option<DateTime<Utc>>) -> Option<()> {
    *into = match change.after {
        None => None,
        Some(Datum::Time(at)) => Some(at),
        Some(_) => return None,
    };
    Some(())
}

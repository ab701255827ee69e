//! What a command does to an order or a buyer, or why it is refused.
//!
//! This and `fold` are the only places that know order rules.

use chrono::{DateTime, SubsecRound, Utc};
use rust_decimal::Decimal;

use super::event::{EventKind, NewEvent};
use super::id::{BookId, BuyerId, LineId, OrderId};
use super::money;
use super::order::{Buyer, Line, Order, Status};

mod refusal;
pub mod rules;

pub use refusal::{Input, Refusal};

/// What an operator asks for. The caller draws the ids of new rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    CreateOrder { id: OrderId, buyer: BuyerId, note: Option<String>, lines: Vec<NewLine> },
    CompleteOrder { id: OrderId },
    CancelOrder { id: OrderId, reason: String },
    DeleteOrder { id: OrderId },
    RestoreOrder { id: OrderId },
    CreateBuyer { id: BuyerId, name: String, address: Address },
    UpdateBuyerAddress { id: BuyerId, address: Address },
}

/// A line of a new order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLine {
    pub id: LineId,
    pub book: BookId,
    pub quantity: i64,
    pub price: Decimal,
}

/// Where a buyer lives; every part may be unknown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Address {
    pub street: Option<String>,
    pub city: Option<String>,
    pub province: Option<String>,
}

/// What is known when a command is decided.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The order the command names: the fold of its events with the row's facts
    /// (`fold::with_row_facts`).
    pub order: Option<&'a Order>,
    /// The buyer the command names, if there is one.
    pub buyer: Option<&'a Buyer>,
    pub now: DateTime<Utc>,
}

/// What is to be written. Instants are cut to the microsecond, so that rows and events agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// An event, and the row as the order in it says.
    Event(NewEvent),
    /// Only the row: no event carries it. The order as it is afterwards.
    Deleted(Order),
    Restored(Order),
    BuyerCreated {
        id: BuyerId,
        buyer: Buyer,
    },
    /// The buyer as they are afterwards.
    AddressUpdated {
        id: BuyerId,
        buyer: Buyer,
    },
}

impl Command {
    /// The order it is about.
    #[must_use]
    pub const fn order(&self) -> Option<OrderId> {
        match self {
            Self::CreateOrder { id, .. }
            | Self::CompleteOrder { id }
            | Self::CancelOrder { id, .. }
            | Self::DeleteOrder { id }
            | Self::RestoreOrder { id } => Some(*id),
            Self::CreateBuyer { .. } | Self::UpdateBuyerAddress { .. } => None,
        }
    }

    /// The buyer it is about or needs.
    #[must_use]
    pub const fn buyer(&self) -> Option<BuyerId> {
        match self {
            Self::CreateOrder { buyer: id, .. }
            | Self::CreateBuyer { id, .. }
            | Self::UpdateBuyerAddress { id, .. } => Some(*id),
            _ => None,
        }
    }
}

impl Change {
    /// The event to write, if there is one.
    #[must_use]
    pub const fn event(&self) -> Option<&NewEvent> {
        match self {
            Self::Event(event) => Some(event),
            _ => None,
        }
    }

    /// The order as it is afterwards.
    #[must_use]
    pub const fn order(&self) -> Option<&Order> {
        match self {
            Self::Event(event) => Some(&event.order),
            Self::Deleted(order) | Self::Restored(order) => Some(order),
            Self::BuyerCreated { .. } | Self::AddressUpdated { .. } => None,
        }
    }
}

/// Decides a command. The first rule that is broken is named; nothing is to be written then.
pub fn decide(facts: &Facts<'_>, command: &Command) -> Result<Change, Refusal> {
    let now = facts.now.trunc_subsecs(6);
    match command {
        Command::CreateOrder { id, buyer, note, lines } => {
            if facts.order.is_some() {
                return Err(Refusal::OrderExists(*id));
            }
            let order = new_order(facts, *id, *buyer, note.as_deref(), lines, now)?;
            Ok(Change::Event(NewEvent { kind: EventKind::Placed, order, occurred_at: now }))
        }
        Command::CompleteOrder { id } => ending(facts, *id, EventKind::Completed, None, now),
        Command::CancelOrder { id, reason } => {
            rules::reason(reason)?;
            ending(facts, *id, EventKind::Cancelled, Some(reason.clone()), now)
        }
        Command::DeleteOrder { id } => {
            let order = living(facts, *id)?;
            Ok(Change::Deleted(Order {
                is_deleted: true,
                last_modified_at: Some(now),
                ..order.clone()
            }))
        }
        Command::RestoreOrder { id } => {
            let order = known(facts, *id)?;
            if !order.is_deleted {
                return Err(Refusal::NotDeleted(*id));
            }
            Ok(Change::Restored(Order {
                is_deleted: false,
                last_modified_at: Some(now),
                ..order.clone()
            }))
        }
        Command::CreateBuyer { id, name, address } => {
            if facts.buyer.is_some() {
                return Err(Refusal::BuyerExists(*id));
            }
            rules::name(name)?;
            let buyer = Buyer { name: Some(name.clone()), ..addressed(address)? };
            Ok(Change::BuyerCreated { id: *id, buyer })
        }
        Command::UpdateBuyerAddress { id, address } => {
            let buyer = facts.buyer.ok_or(Refusal::UnknownBuyer(*id))?;
            let buyer = Buyer { name: buyer.name.clone(), ..addressed(address)? };
            Ok(Change::AddressUpdated { id: *id, buyer })
        }
    }
}

fn new_order(
    facts: &Facts<'_>,
    id: OrderId,
    buyer_id: BuyerId,
    note: Option<&str>,
    lines: &[NewLine],
    now: DateTime<Utc>,
) -> Result<Order, Refusal> {
    let buyer = facts.buyer.ok_or(Refusal::UnknownBuyer(buyer_id))?;
    note.map_or(Ok(()), rules::note)?;
    rules::lines(lines)?;
    let lines: Vec<Line> = lines
        .iter()
        .map(|line| Line {
            id: line.id,
            book: line.book,
            quantity: line.quantity,
            // A negative nothing is nothing.
            price: if line.price.is_zero() { line.price.abs() } else { line.price },
        })
        .collect();
    Ok(Order {
        note: note.map(ToOwned::to_owned),
        buyer_id: Some(buyer_id),
        buyer: Some(buyer.clone()),
        total: money::total(&lines).ok_or(Refusal::TotalTooLarge)?,
        lines,
        created_at: Some(now),
        ..Order::empty(id)
    })
}

fn ending(
    facts: &Facts<'_>,
    id: OrderId,
    kind: EventKind,
    cancel_reason: Option<String>,
    now: DateTime<Utc>,
) -> Result<Change, Refusal> {
    let order = living(facts, id)?;
    if order.status != Status::New {
        return Err(Refusal::NotNew { id, status: order.status });
    }
    let order = Order {
        status: kind.status(),
        last_modified_at: Some(now),
        cancel_reason,
        ..order.clone()
    };
    Ok(Change::Event(NewEvent { kind, order, occurred_at: now }))
}

fn known<'a>(facts: &Facts<'a>, id: OrderId) -> Result<&'a Order, Refusal> {
    facts.order.filter(|order| order.id == id).ok_or(Refusal::UnknownOrder(id))
}

fn living<'a>(facts: &Facts<'a>, id: OrderId) -> Result<&'a Order, Refusal> {
    let order = known(facts, id)?;
    if order.is_deleted { Err(Refusal::Deleted(id)) } else { Ok(order) }
}

fn addressed(address: &Address) -> Result<Buyer, Refusal> {
    let parts = [
        (Input::Street, &address.street),
        (Input::City, &address.city),
        (Input::Province, &address.province),
    ];
    for (input, part) in parts {
        part.as_deref().map_or(Ok(()), |part| rules::address_part(input, part))?;
    }
    Ok(Buyer {
        name: None,
        street: address.street.clone(),
        city: address.city.clone(),
        province: address.province.clone(),
    })
}

#[cfg(test)]
mod tests;

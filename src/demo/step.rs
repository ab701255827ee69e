//! What happens to an order, step by step: each step is an event, or a change of the row without one.

use uuid::Uuid;

use super::{
    moment::{MILLI, Moment},
    order::{Fate, Order},
    people::Person,
    trouble::Kind,
};

/// Versions of the long stream, the version that completed the order, and that of its snapshot.
const LONG: u64 = 500;
const LONG_COMPLETED: u64 = 120;
pub const SNAPSHOT: u64 = 480;

/// What happens in one step of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    Placed,
    Completed,
    Cancelled,
    /// Of a type that the fold does not know; the number selects which.
    Unknown(u64),
    /// No event: a command changed the row only.
    Deleted,
}

/// One step of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    pub at: Moment,
    /// From 1: the position in the order's history.
    pub version: u64,
    pub event: Event,
}

/// An order with its buyer and everything that happens to it.
#[derive(Debug)]
pub struct PlacedOrder {
    pub order: Order,
    pub buyer: Uuid,
    pub person: Person,
    pub steps: Vec<Step>,
}

/// Numbers of rows; also where the sequences continue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub orders: u64,
    pub lines: u64,
    pub buyers: u64,
    pub events: u64,
    /// The last event number drawn, including those left out.
    pub last_event: u64,
    /// Messages ever published; the outbox keeps those of the last week.
    pub last_message: u64,
    /// Commands ever received; the inbox keeps those of the last month.
    pub last_command: u64,
    /// The event number at which the projections stopped; 0 before that.
    pub high_water: u64,
}

/// All steps of an order, starting with placing it.
pub fn steps(order: &Order) -> Vec<Step> {
    let mut events = vec![(order.created, Event::Placed)];
    let ended = match order.fate {
        Fate::Open => None,
        Fate::Completed { at, .. } => Some((at, Event::Completed)),
        Fate::Cancelled { at, .. } => Some((at, Event::Cancelled)),
    };
    let between = |part: i64, of: i64| {
        let end = order.fate.at().unwrap_or(order.created);
        order.created.plus((end.0 - order.created.0) * part / of)
    };
    match order.trouble {
        Some(Kind::CancelledAfterCompletion) => events.push((between(4, 5), Event::Completed)),
        Some(Kind::UnknownEvent) => events.push((between(1, 2), Event::Unknown(0))),
        Some(Kind::LongStream) => return long(order, ended),
        _ => {}
    }
    events.extend(ended);
    let numbered = (1..).zip(events);
    let mut steps: Vec<Step> =
        numbered.map(|(version, (at, event))| Step { at, version, event }).collect();
    if let Some(at) = order.deleted {
        steps.push(Step { at, version: 0, event: Event::Deleted });
    }
    steps
}

/// A very long stream: hundreds of versions of types that the fold does not know.
fn long(order: &Order, ended: Option<(Moment, Event)>) -> Vec<Step> {
    let Some((end, event)) = ended else { return Vec::new() };
    let pace = (end.0 - order.created.0) / i64::try_from(LONG_COMPLETED).unwrap_or(1);
    let mut at = order.created;
    let step = |version: u64| {
        let event = match version {
            1 => Event::Placed,
            LONG_COMPLETED => event,
            other => Event::Unknown(other),
        };
        let this = if version == LONG_COMPLETED { end } else { at };
        at = this.plus(if version < LONG_COMPLETED { pace } else { pace / 50 + MILLI });
        Step { at: this, version, event }
    };
    (1..=LONG).map(step).collect()
}

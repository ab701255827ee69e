//! Rows of the plain tables: buyers, orders with their lines, streams, summaries, progression.

use uuid::Uuid;

use super::{
    copy::{Chunk, Table, TableWriter},
    event::{self, EventMetadata},
    json::{self, push_money},
};
use crate::demo::{
    catalogue,
    moment::{MILLI, Moment},
    order::Fate,
    people::Person,
    step::{Event, PlacedOrder, SNAPSHOT, Step},
    trouble::Kind,
};

pub fn buyer<S: FnMut(Chunk)>(tables: &mut TableWriter<S>, id: Uuid, person: &Person) {
    tables.row(Table::Buyers, |row| {
        row.id(id).text(&person.name);
        match &person.address {
            Some(address) => {
                row.text(&address.street).text(address.city).text(address.province);
            }
            None => {
                row.null().null().null();
            }
        }
    });
}

/// The order's row in its final state, and its lines.
pub fn order<S: FnMut(Chunk)>(tables: &mut TableWriter<S>, placed: &PlacedOrder) {
    let order = &placed.order;
    let status = match (order.trouble, order.fate) {
        (Some(Kind::SourcesDisagree), _) | (_, Fate::Cancelled { .. }) => 1,
        (_, Fate::Completed { .. }) => 2,
        (_, Fate::Open) => 0,
    };
    tables.row(Table::Orders, |row| {
        row.id(order.id).small(status).optional(order.note.as_deref()).id(placed.buyer);
        row.flag(order.deleted.is_some()).at(Some(order.created)).at(order.modified());
    });
    for line in &order.lines {
        tables.row(Table::Lines, |row| {
            row.id(line.id).integer(line.quantity).money(line.cents);
            row.id(catalogue::id(line.book)).id(order.id);
        });
    }
}

pub fn stream<S: FnMut(Chunk)>(
    tables: &mut TableWriter<S>,
    placed: &PlacedOrder,
    id: Uuid,
    version: u64,
    last: &EventMetadata,
    created: Moment,
) {
    tables.row(Table::Streams, |row| {
        row.id(id).text("order_summary").big(version).at(Some(last.written));
        if placed.order.trouble == Some(Kind::LongStream) {
            row.json(&event::snapshot(placed)).integer(SNAPSHOT);
        } else {
            row.null().null();
        }
        row.at(Some(created));
    });
}

/// The summary document after the event with this number.
pub fn summary<S: FnMut(Chunk)>(
    tables: &mut TableWriter<S>,
    placed: &PlacedOrder,
    step: Step,
    metadata: &EventMetadata,
    number: u64,
) {
    let order = &placed.order;
    // A wrong total on purpose, to show drift.
    let wrong = if order.trouble == Some(Kind::SourcesDisagree) { 1000 } else { 0 };
    let mut document = String::from("{\"Id\":");
    json::push_uuid(&mut document, order.id);
    document.push_str(",\"Status\":");
    json::push_text(&mut document, event::status(step.event));
    document.push_str(",\"TotalPrice\":");
    push_money(&mut document, order.total() + wrong);
    document.push('}');
    tables.row(Table::Summaries, |row| {
        row.id(order.id).json(&document).at(Some(projected(step, metadata)));
        row.text("BookWorm.Ordering.Domain.Projections.OrderSummaryView").integer(number);
    });
}

/// When the projection had processed an event.
pub fn projected(step: Step, metadata: &EventMetadata) -> Moment {
    debug_assert!(step.event != Event::Deleted);
    let delay = 120 + i64::try_from(metadata.seed % 700).unwrap_or_default();
    metadata.occurred.plus(delay * MILLI)
}

pub fn progression<S: FnMut(Chunk)>(tables: &mut TableWriter<S>, high_water: u64, checked: Moment) {
    for name in ["HighWaterMark", "OrderSummaryView:All"] {
        tables.row(Table::Progression, |row| {
            row.text(name).big(high_water).at(Some(checked));
        });
    }
}

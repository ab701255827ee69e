//! Rows of the plain tables: buyers, orders with their lines, streams, summaries, progression.

use uuid::Uuid;

use super::{
    copy::{Piece, Table, Tables},
    event::{self, EventMetadata},
    json::{self, push_money},
};
use crate::demo::{
    catalogue,
    moment::{MILLI, Moment},
    order::Fate,
    people::Person,
    step::{Event, Open, SNAPSHOT, Step},
    trouble::Kind,
};

pub fn buyer<S: FnMut(Piece)>(tables: &mut Tables<S>, id: Uuid, person: &Person) {
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

/// The order's row as it is in the end, and its lines.
pub fn order<S: FnMut(Piece)>(tables: &mut Tables<S>, open: &Open) {
    let order = &open.order;
    let status = match (order.trouble, order.fate) {
        (Some(Kind::SourcesDisagree), _) | (_, Fate::Cancelled { .. }) => 1,
        (_, Fate::Completed { .. }) => 2,
        (_, Fate::Open) => 0,
    };
    tables.row(Table::Orders, |row| {
        row.id(order.id).small(status).optional(order.note.as_deref()).id(open.buyer);
        row.flag(order.deleted.is_some()).at(Some(order.created)).at(order.modified());
    });
    for line in &order.lines {
        tables.row(Table::Lines, |row| {
            row.id(line.id).integer(line.quantity).money(line.cents);
            row.id(catalogue::id(line.book)).id(order.id);
        });
    }
}

pub fn stream<S: FnMut(Piece)>(
    tables: &mut Tables<S>,
    open: &Open,
    id: Uuid,
    version: u64,
    last: &EventMetadata,
    created: Moment,
) {
    tables.row(Table::Streams, |row| {
        row.id(id).text("order_summary").big(version).at(Some(last.written));
        if open.order.trouble == Some(Kind::LongStream) {
            row.json(&event::snapshot(open)).integer(SNAPSHOT);
        } else {
            row.null().null();
        }
        row.at(Some(created));
    });
}

/// The summary document after the event with this number.
pub fn summary<S: FnMut(Piece)>(
    tables: &mut Tables<S>,
    open: &Open,
    step: Step,
    stamp: &EventMetadata,
    number: u64,
) {
    let order = &open.order;
    // Nobody knows how that happened; it is what drift is for.
    let wrong = if order.trouble == Some(Kind::SourcesDisagree) { 1000 } else { 0 };
    let mut document = String::from("{\"Id\":");
    json::push_uuid(&mut document, order.id);
    document.push_str(",\"Status\":");
    json::push_text(&mut document, event::status(step.event));
    document.push_str(",\"TotalPrice\":");
    push_money(&mut document, order.total() + wrong);
    document.push('}');
    tables.row(Table::Summaries, |row| {
        row.id(order.id).json(&document).at(Some(projected(step, stamp)));
        row.text("BookWorm.Ordering.Domain.Projections.OrderSummaryView").integer(number);
    });
}

/// When the projection had worked an event.
pub fn projected(step: Step, stamp: &EventMetadata) -> Moment {
    debug_assert!(step.event != Event::Deleted);
    let delay = 120 + i64::try_from(stamp.seed % 700).unwrap_or_default();
    stamp.occurred.plus(delay * MILLI)
}

pub fn progression<S: FnMut(Piece)>(tables: &mut Tables<S>, high_water: u64, checked: Moment) {
    for name in ["HighWaterMark", "OrderSummaryView:All"] {
        tables.row(Table::Progression, |row| {
            row.text(name).big(high_water).at(Some(checked));
        });
    }
}

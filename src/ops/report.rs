//! Answers as tables: the same rows for headless verbs and for exports from the screen.

use super::{known::Known, search::OrderLine};
use crate::domain::{
    diff::{Change, Datum},
    mask,
    report::{Cell, Table},
};

/// A page of orders. Masked, names are covered.
#[must_use]
pub fn orders(rows: &[OrderLine], masked: bool) -> Table {
    let name = |row: &OrderLine| {
        row.buyer_name
            .as_ref()
            .map(|name| if masked { mask::mask_name(name) } else { name.clone() })
    };
    let known = |flag: Option<bool>| flag.map_or(Cell::None, Cell::Flag);
    Table {
        columns: vec![
            "id",
            "placed",
            "status",
            "buyer_id",
            "buyer",
            "items",
            "total",
            "deleted",
            "undelivered",
            "letter",
            "drift",
            "stale",
        ],
        rows: rows
            .iter()
            .map(|row| {
                vec![
                    Cell::Text(row.id.to_string()),
                    Cell::Text(time(row.placed)),
                    Cell::Text(row.status.to_string()),
                    Cell::Text(row.buyer.to_string()),
                    Cell::maybe(name(row)),
                    Cell::number(row.items),
                    row.total.map_or(Cell::None, Cell::number),
                    Cell::Flag(row.deleted),
                    known(row.undelivered),
                    known(row.letter),
                    known(row.drift),
                    Cell::Flag(row.stale),
                ]
            })
            .collect(),
    }
}

/// Every event of an order with the state after it.
#[must_use]
pub fn timeline(known: &Known) -> Table {
    let points = known.timeline.steps().iter();
    Table {
        columns: vec![
            "version",
            "seq",
            "at",
            "type",
            "status",
            "total",
            "stream",
            "event_id",
            "correlation",
            "causation",
            "archived",
            "frozen_time",
            "uncertain",
        ],
        rows: points
            .map(|point| {
                let event = &point.event;
                let order = point.state.order();
                vec![
                    Cell::number(point.version),
                    Cell::number(event.seq),
                    Cell::Text(time(event.at)),
                    Cell::Text(point.meaning.title().to_owned()),
                    Cell::maybe(order.map(|order| order.status.to_string())),
                    order.map_or(Cell::None, |order| Cell::number(order.total)),
                    Cell::maybe(event.stream.map(|id| id.to_string())),
                    Cell::Text(event.id.to_string()),
                    Cell::maybe(event.correlation_id.clone()),
                    Cell::maybe(event.causation_id.clone()),
                    Cell::Flag(event.archived),
                    Cell::Flag(point.frozen),
                    Cell::maybe(point.state.uncertain.as_ref().map(|doubt| doubt.why.clone())),
                ]
            })
            .collect(),
    }
}

/// The fields that differ; personal ones covered when masked.
#[must_use]
pub fn diff(changes: &[Change], masked: bool) -> Table {
    let shown = |change: &Change, value: &Option<Datum>| {
        let text = value.as_ref().map(ToString::to_string);
        let hidden = masked && change.field.is_personal();
        if hidden { text.map(|text| mask::mask(&text).to_owned()) } else { text }
    };
    let row = |change: &Change| {
        vec![
            Cell::Text(change.field.to_string()),
            Cell::maybe(shown(change, &change.before)),
            Cell::maybe(shown(change, &change.after)),
            Cell::Text(change.kind().to_string()),
        ]
    };
    Table { columns: vec!["field", "a", "b", "kind"], rows: changes.iter().map(row).collect() }
}

fn time(at: chrono::DateTime<chrono::Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

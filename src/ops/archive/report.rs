//! Archived messages and paused outboxes as tables, for verbs and exports.

use crate::{
    db::{archive::ArchivedMessage, paused::PausedOutbox},
    domain::{
        contract,
        report::{Cell, Table},
    },
};

/// Kept messages.
#[must_use]
pub fn copies(rows: &[ArchivedMessage]) -> Table {
    let row = |kept: &ArchivedMessage| {
        let kind = kept.kinds.as_deref().map(contract::first);
        vec![
            Cell::number(kept.number),
            Cell::time(kept.at),
            Cell::Text(kept.cause.clone()),
            Cell::Text(kept.place.clone()),
            Cell::maybe(kept.message.map(|id| id.to_string())),
            Cell::maybe(kind.map(ToOwned::to_owned)),
            Cell::maybe(kept.destination.clone()),
            Cell::number(kept.bytes),
            Cell::maybe(kept.operation.map(|id| id.to_string())),
            kept.returned.map_or(Cell::None, Cell::time),
        ]
    };
    Table {
        columns: vec![
            "copy",
            "kept",
            "cause",
            "place",
            "message_id",
            "type",
            "destination",
            "bytes",
            "operation",
            "returned",
        ],
        rows: rows.iter().map(row).collect(),
    }
}

/// What is known of a copy without reading it, a row a field.
#[must_use]
pub fn fields(kept: &ArchivedMessage) -> Table {
    let fields = [
        ("copy", Cell::number(kept.number)),
        ("kept", Cell::time(kept.at)),
        ("cause", Cell::Text(kept.cause.clone())),
        ("of", Cell::Text(kept.place.clone())),
        ("message", Cell::maybe(kept.message.map(|id| id.to_string()))),
        ("type", Cell::maybe(kept.kinds.clone())),
        ("destination", Cell::maybe(kept.destination.clone())),
        ("bytes", Cell::number(kept.bytes)),
        ("operation", Cell::maybe(kept.operation.map(|id| id.to_string()))),
        ("put back", kept.returned.map_or(Cell::None, Cell::time)),
    ];
    let known = fields.into_iter().filter(|(_, cell)| *cell != Cell::None);
    let rows = known.map(|(name, cell)| vec![Cell::Text(name.to_owned()), cell]).collect();
    Table { columns: vec!["field", "value"], rows }
}

/// Held outboxes.
#[must_use]
pub fn held(rows: &[PausedOutbox]) -> Table {
    let row = |held: &PausedOutbox| {
        vec![Cell::Text(held.outbox.to_string()), Cell::time(held.at), Cell::Text(held.by.clone())]
    };
    Table { columns: vec!["outbox", "held", "by"], rows: rows.iter().map(row).collect() }
}

//! Operations as tables, for verbs, screens and exports.

use serde_json::Value;

use super::{Estimate, Operation, Settled, Shown};
use crate::domain::{
    age,
    report::{Cell, Table},
};

/// The state, told apart from that of one whose process was killed.
#[must_use]
pub fn state(operation: &Operation) -> &'static str {
    if operation.is_interrupted() { "interrupted" } else { operation.state.name() }
}

/// `1m 40s`
#[must_use]
pub fn time_left(estimate: Option<Estimate>) -> Option<String> {
    estimate.map(|estimate| age::length(estimate.left))
}

/// A row an operation.
#[must_use]
pub fn list(rows: &[(Operation, Option<Estimate>)]) -> Table {
    let row = |(operation, estimate): &(Operation, Option<Estimate>)| {
        vec![
            Cell::number(operation.number),
            Cell::Text(operation.name.clone()),
            Cell::Text(state(operation).to_owned()),
            Cell::number(operation.items),
            Cell::number(operation.counts.done),
            Cell::number(operation.counts.skipped),
            Cell::number(operation.counts.failed),
            Cell::number(operation.left()),
            estimate.map_or(Cell::None, |estimate| Cell::number(estimate.per_minute)),
            Cell::maybe(time_left(*estimate)),
            Cell::Text(operation.operator.clone()),
            Cell::maybe(operation.runner.clone()),
            Cell::time(operation.created_at),
            Cell::maybe(operation.told.clone()),
        ]
    };
    Table {
        columns: vec![
            "number",
            "operation",
            "state",
            "items",
            "done",
            "skipped",
            "failed",
            "left",
            "per_minute",
            "time_left",
            "operator",
            "runner",
            "created",
            "told",
        ],
        rows: rows.iter().map(row).collect(),
    }
}

/// All that is known of one, field by field.
#[must_use]
pub fn fields(shown: &Shown) -> Vec<(&'static str, Cell)> {
    let Shown { operation, estimate, arrived, troubles } = shown;
    let number = |number: u64| Cell::number(number);
    let time = |at: Option<_>| at.map_or(Cell::None, Cell::time);
    let reasons = troubles.iter().map(|(outcome, why, count)| format!("{count} {outcome}: {why}"));
    let reasons: Vec<_> = reasons.collect();
    vec![
        ("number", Cell::number(operation.number)),
        ("operation", Cell::Text(operation.name.clone())),
        ("id", Cell::Text(operation.id.to_string())),
        ("state", Cell::Text(state(operation).to_owned())),
        ("told", Cell::maybe(operation.told.clone())),
        ("wanted", Cell::maybe(operation.wanted.map(|wanted| wanted.name().to_owned()))),
        ("parameters", Cell::Text(operation.parameters.to_string())),
        ("reason", Cell::maybe(operation.reason.clone())),
        ("items", number(operation.items)),
        ("done", number(operation.counts.done)),
        ("skipped", number(operation.counts.skipped)),
        ("failed", number(operation.counts.failed)),
        ("left", number(operation.left())),
        ("arrived_since", arrived.map_or(Cell::None, number)),
        ("batches", Cell::number(operation.batches)),
        ("verified", Cell::number(operation.verified)),
        ("rate", operation.rate.map_or(Cell::None, Cell::number)),
        ("per_minute", estimate.map_or(Cell::None, |known| Cell::number(known.per_minute))),
        ("time_left", Cell::maybe(time_left(*estimate))),
        ("operator", Cell::Text(operation.operator.clone())),
        ("host", Cell::Text(operation.host.clone())),
        ("login", Cell::Text(operation.login.clone())),
        ("created", Cell::time(operation.created_at)),
        ("needs_approval", Cell::Flag(operation.needs_approval)),
        ("approver", Cell::maybe(operation.approver.clone())),
        ("approver_login", Cell::maybe(operation.approver_login.clone())),
        ("approved", time(operation.approved_at)),
        ("runner", Cell::maybe(operation.runner.clone())),
        ("runs_since", time(operation.runner_since)),
        ("started", time(operation.started_at)),
        ("ended", time(operation.ended_at)),
        ("audit_begun", operation.audit_begun.map_or(Cell::None, Cell::number)),
        ("audit_ended", operation.audit_ended.map_or(Cell::None, Cell::number)),
        ("troubles", Cell::maybe((!reasons.is_empty()).then(|| reasons.join("; ")))),
    ]
}

/// Why items were skipped or failed.
#[must_use]
pub fn troubles(rows: &[(String, String, u64)]) -> Table {
    let row = |(outcome, told, count): &(String, String, u64)| {
        vec![Cell::Text(outcome.clone()), Cell::number(count), Cell::Text(told.clone())]
    };
    Table { columns: vec!["outcome", "items", "told"], rows: rows.iter().map(row).collect() }
}

/// Items with what became of them.
#[must_use]
pub fn items(rows: &[Settled]) -> Table {
    let row = |item: &Settled| {
        vec![
            Cell::number(item.ordinal),
            Cell::Text(key(&item.key)),
            Cell::maybe(item.outcome.clone()),
            Cell::maybe(item.told.clone()),
        ]
    };
    Table {
        columns: vec!["ordinal", "item", "outcome", "told"],
        rows: rows.iter().map(row).collect(),
    }
}

/// `outbox 0199…`; `message 0199…, consumer 019a…`
#[must_use]
pub fn key(key: &Value) -> String {
    let Some(fields) = key.as_object() else { return key.to_string() };
    let shown = fields.iter().map(|(name, value)| match value.as_str() {
        Some(text) => format!("{name} {text}"),
        None => format!("{name} {value}"),
    });
    shown.collect::<Vec<_>>().join(", ")
}

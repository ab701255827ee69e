//! Operations as tables, for verbs, screens and exports.

use serde_json::Value;

use super::{Counts, Estimate, OperationDetails, Record, Settled, State};
use crate::domain::{
    age, mask,
    report::{Cell, Table},
    text::thousands,
};

/// The state, told apart from that of one whose process was killed.
#[must_use]
pub fn state(record: &Record) -> &'static str {
    if record.is_interrupted() { "interrupted" } else { record.state.name() }
}

/// `1m 40s`
#[must_use]
pub fn time_left(estimate: Option<Estimate>) -> Option<String> {
    estimate.map(|estimate| age::length(estimate.left))
}

/// A row an record.
#[must_use]
pub fn list(rows: &[(Record, Option<Estimate>)]) -> Table {
    let row = |(record, estimate): &(Record, Option<Estimate>)| {
        vec![
            Cell::number(record.number),
            Cell::Text(record.name.clone()),
            Cell::Text(state(record).to_owned()),
            Cell::number(record.items),
            Cell::number(record.counts.done),
            Cell::number(record.counts.skipped),
            Cell::number(record.counts.failed),
            Cell::number(record.left()),
            estimate.map_or(Cell::None, |estimate| Cell::number(estimate.per_minute)),
            Cell::maybe(time_left(*estimate)),
            Cell::Text(record.operator.clone()),
            Cell::maybe(record.runner.clone()),
            Cell::time(record.created_at),
            Cell::maybe(record.told.clone()),
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
pub fn fields(shown: &OperationDetails) -> Vec<(&'static str, Cell)> {
    let OperationDetails { record, estimate, arrived, troubles } = shown;
    let number = |number: u64| Cell::number(number);
    let time = |at: Option<_>| at.map_or(Cell::None, Cell::time);
    let reasons = troubles.iter().map(|(outcome, why, count)| format!("{count} {outcome}: {why}"));
    let reasons: Vec<_> = reasons.collect();
    vec![
        ("number", Cell::number(record.number)),
        ("operation", Cell::Text(record.name.clone())),
        ("id", Cell::Text(record.id.to_string())),
        ("state", Cell::Text(state(record).to_owned())),
        ("told", Cell::maybe(record.told.clone())),
        ("wanted", Cell::maybe(record.wanted.map(|wanted| wanted.name().to_owned()))),
        ("parameters", Cell::Text(record.parameters.to_string())),
        (
            "reason",
            Cell::maybe(record.reason.as_deref().map(|why| mask::veil(why, false).into_owned())),
        ),
        ("items", number(record.items)),
        ("done", number(record.counts.done)),
        ("skipped", number(record.counts.skipped)),
        ("failed", number(record.counts.failed)),
        ("left", number(record.left())),
        ("arrived_since", arrived.map_or(Cell::None, number)),
        ("batches", Cell::number(record.batches)),
        ("verified", Cell::number(record.verified)),
        ("rate", record.rate.map_or(Cell::None, Cell::number)),
        ("per_minute", estimate.map_or(Cell::None, |known| Cell::number(known.per_minute))),
        ("time_left", Cell::maybe(time_left(*estimate))),
        ("operator", Cell::Text(record.operator.clone())),
        ("host", Cell::Text(record.host.clone())),
        ("login", Cell::Text(record.login.clone())),
        ("created", Cell::time(record.created_at)),
        ("needs_approval", Cell::Flag(record.needs_approval)),
        ("approver", Cell::maybe(record.approver.clone())),
        ("approver_login", Cell::maybe(record.approver_login.clone())),
        ("approved", time(record.approved_at)),
        ("runner", Cell::maybe(record.runner.clone())),
        ("runs_since", time(record.runner_since)),
        ("started", time(record.started_at)),
        ("ended", time(record.ended_at)),
        ("audit_begun", record.audit_begun.map_or(Cell::None, Cell::number)),
        ("audit_ended", record.audit_ended.map_or(Cell::None, Cell::number)),
        ("troubles", Cell::maybe((!reasons.is_empty()).then(|| reasons.join("; ")))),
    ]
}

/// `1,150 items: 37 done, 3 skipped, 0 failed, 1,110 left`
#[must_use]
pub fn counted(record: &Record) -> String {
    let number = |count: u64| thousands(i64::try_from(count).unwrap_or(i64::MAX));
    let Counts { done, skipped, failed } = record.counts;
    format!(
        "{} items: {} done, {} skipped, {} failed, {} left",
        number(record.items),
        number(done),
        number(skipped),
        number(failed),
        number(record.left())
    )
}

/// Whether something is left, something failed, or nothing of it could be done.
#[must_use]
pub const fn is_partly(record: &Record) -> bool {
    let counts = record.counts;
    let nothing = counts.done == 0 && record.items > 0;
    !matches!(record.state, State::Done) || counts.failed > 0 || nothing
}

/// What has to be done that it goes on.
#[must_use]
pub fn next_step(record: &Record) -> Option<String> {
    let number = record.number;
    match record.state {
        State::Waiting => Some(format!(
            "it waits for a second person: `orderscope op approve {number}` with another database login, then \
             `orderscope op resume {number}`"
        )),
        state if state.is_over() => None,
        _ => Some(format!("go on with `orderscope op resume {number}`")),
    }
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

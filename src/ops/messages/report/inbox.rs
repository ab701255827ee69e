//! The inbox as tables.

use serde_json::{Value, json};

use crate::{
    db::inbox::{Hour, InboxRow},
    domain::{
        consumer,
        diagnosis::{ConsumerFacts, Inbox},
        report::{Cell, Table},
    },
    ops::messages::{Day, Watch},
};

use super::text;

/// What the inbox adds up to, for programs; null where it is not known.
#[must_use]
pub fn value(inbox: &Inbox) -> Value {
    let (exact, estimated, share) = inbox.duplicates();
    let (deliveries, again) = inbox.recent();
    let known = |number: i64| inbox.is_known().then_some(number);
    json!({
        "rows": inbox.rows.known(),
        "last_hour": inbox.last_hour.known(),
        "failing": inbox.failing.known(),
        "half_done": inbox.half_done.known(),
        "duplicates_exact": known(exact),
        "duplicates_estimated": known(estimated),
        "duplicates_percent": share,
        "deliveries_last_hour": known(deliveries),
        "duplicates_last_hour": known(again),
    })
}

/// Sums per consumer.
#[must_use]
pub fn consumers(inbox: &Inbox) -> Table {
    let millis = |time: Option<chrono::TimeDelta>| {
        time.map_or(Cell::None, |time| Cell::number(time.num_milliseconds()))
    };
    let row = |one: &ConsumerFacts| {
        vec![
            text(one.name.clone()),
            text(one.consumer.to_string()),
            Cell::number(one.rows),
            Cell::number(one.done),
            Cell::number(one.failing),
            Cell::number(one.half_done),
            Cell::number(one.duplicates_exact),
            Cell::number(one.duplicates_estimated),
            millis(one.latency.map(|latency| latency.p50)),
            millis(one.latency.map(|latency| latency.p95)),
            millis(one.latency.map(|latency| latency.p99)),
        ]
    };
    Table {
        columns: vec![
            "consumer",
            "consumer_id",
            "rows",
            "done",
            "failing",
            "half_done",
            "duplicates_exact",
            "duplicates_estimated",
            "p50_ms",
            "p95_ms",
            "p99_ms",
        ],
        rows: inbox.consumers.iter().map(row).collect(),
    }
}

/// What consumers received, one row a consumer and hour.
#[must_use]
pub fn hours(day: &Day, watch: &Watch) -> Table {
    let row = |hour: &Hour| {
        vec![
            Cell::time(hour.at),
            text(consumer::named(hour.consumer, &watch.consumers)),
            text(hour.consumer.to_string()),
            Cell::number(hour.received),
            Cell::number(hour.again),
            Cell::number(hour.open),
        ]
    };
    Table {
        columns: vec!["hour", "consumer", "consumer_id", "received", "again", "open"],
        rows: day.hours.iter().map(row).collect(),
    }
}

/// A page of inbox rows.
#[must_use]
pub fn inbox(rows: &[InboxRow], watch: &Watch) -> Table {
    let row = |row: &InboxRow| {
        vec![
            Cell::number(row.id),
            text(row.message.to_string()),
            text(consumer::named(row.consumer, &watch.consumers)),
            text(row.consumer.to_string()),
            Cell::time(row.received),
            Cell::number(row.passes),
            row.consumed.map_or(Cell::None, Cell::time),
            row.delivered.map_or(Cell::None, Cell::time),
            text(inbox_note(row)),
        ]
    };
    Table {
        columns: vec![
            "id",
            "message_id",
            "consumer",
            "consumer_id",
            "received",
            "passes",
            "consumed",
            "delivered",
            "note",
        ],
        rows: rows.iter().map(row).collect(),
    }
}

/// What a row means, in a few words.
#[must_use]
pub fn inbox_note(row: &InboxRow) -> &'static str {
    match (row.consumed, row.delivered, row.cursor) {
        (None, None, _) => "not handled yet, or every attempt failed",
        (Some(_), None, _) => "half-done: handled, its messages not recorded as delivered",
        (_, Some(_), None) if row.passes > 3 => "duplicate, nothing changed",
        (_, Some(_), Some(_)) if row.passes > 4 => {
            "more passes than one message needs: several messages, or duplicates"
        }
        _ => "done",
    }
}

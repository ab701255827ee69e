//! Messages as tables and values: the same rows for verbs and for exports from the screen.

mod inbox;
mod leaving;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{Message, Status, history::Past};
use crate::{
    db::outbox::{Group, Row},
    domain::{
        age::{self, Age},
        backlog::Drain,
        contract,
        coverage::{self, NotLookedAt},
        diagnosis::{Facts, Finding, Latency, Published, Subject},
        endless,
        id_timestamp::{LastPass, last_pass},
        mask,
        outbox::Owner,
        poison::Poison,
        report::{Cell, Table},
        text::thousands,
        trend::Slice,
    },
};

pub use self::{
    inbox::{consumers, hours, inbox, inbox_note, value as inbox_value},
    leaving::facts_value,
};

fn text(text: impl Into<String>) -> Cell {
    Cell::Text(text.into())
}

/// When the backlog would be gone, in words.
#[must_use]
pub fn drained(drain: Drain) -> String {
    match drain {
        Drain::Empty => "nothing pending".to_owned(),
        Drain::Unknown => "not known yet".to_owned(),
        Drain::Never => "won't drain".to_owned(),
        Drain::In { likely, soonest, latest } => {
            let latest = latest.map_or_else(|| "open".to_owned(), age::length);
            format!("drained in {} [{}-{latest}]", age::length(likely), age::length(soonest))
        }
    }
}

/// What is said where no rule fired.
#[must_use]
pub fn no_fault(unseen: &[NotLookedAt]) -> &'static str {
    if coverage::leaves_unknown(unseen) { NOT_KNOWN } else { "No fault found: no rule fired" }
}

/// What is said in place of nothing, where not everything could be looked at.
pub const NOT_KNOWN: &str = "Not known: not everything could be looked at";

/// Why there are no rates.
#[must_use]
pub fn unmeasured(facts: &Facts) -> &'static str {
    if facts.bus.known().is_some() && facts.consumer.known().is_some() {
        "unknown: more is pending than is counted"
    } else {
        "unknown: not all that is pending can be looked at"
    }
}

/// Figures and findings, for a person.
#[must_use]
pub fn status(status: &Status) -> Table {
    let (facts, mut rows) = (&status.facts, vec![]);
    let mut say = |field: &str, cell: Cell| rows.push(vec![text(field), cell]);
    let aged =
        |at: Option<DateTime<Utc>>| Cell::maybe(at.map(|at| Age::of(at, facts.now).to_string()));
    say("not recorded as delivered", text(facts.pending().to_string()));
    say("of the bus", text(facts.bus.to_string()));
    say("of consumers", text(facts.consumer.to_string()));
    say("open outboxes", text(facts.open.to_string()));
    say("oldest", aged(facts.oldest));
    say("last delivery recorded", aged(facts.last_delivered));
    say("publish latency", text(published(facts.published)));
    say("orphans", text(facts.orphans.to_string()));
    say("expired", text(facts.expired.to_string()));
    say("undeliverable", text(facts.undeliverable.to_string()));
    for (name, told) in leaving::rows(status).into_iter().chain(history(status)) {
        say(name, text(told));
    }
    let (exact, estimated, share) = facts.inbox.duplicates();
    say("inbox rows", text(facts.inbox.rows.to_string()));
    say("inbox failing", text(facts.inbox.failing.to_string()));
    say("inbox half-done", text(facts.inbox.half_done.to_string()));
    let share = share.map_or_else(String::new, |share| format!(" ({share:.1}%)"));
    let duplicates = if facts.inbox.is_known() {
        format!("{exact} exact, {estimated} estimated{share}")
    } else {
        facts.inbox.rows.to_string()
    };
    say("inbox duplicates", text(duplicates));
    for finding in &status.findings {
        say(
            &finding.severity.to_string(),
            text(format!("{}: {}", finding.rule.name(), finding.what)),
        );
    }
    if status.findings.is_empty() {
        say("findings", text(no_fault(&status.coverage)));
    }
    for one in status.coverage.iter().filter(|one| one.is_unknown) {
        say("not looked at", text(one.to_string()));
    }
    Table { columns: vec!["field", "value"], rows }
}

/// How long messages took to leave, in words.
#[must_use]
pub fn published(published: Published) -> String {
    match published {
        Published::Took(took) => {
            let of = if took.rows == 1 { "outbox" } else { "outboxes" };
            format!("{} of {} {of}", percentiles(took), thousands(took.rows))
        }
        Published::Unknown(why) => format!("unknown: {why}"),
    }
}

/// `p50 2s  p95 14s  p99 1m 02s`
#[must_use]
pub fn percentiles(latency: Latency) -> String {
    let [p50, p95, p99] = [latency.p50, latency.p95, latency.p99].map(age::length);
    format!("p50 {p50}  p95 {p95}  p99 {p99}")
}

/// What the stored history says, or why there is none.
fn history(status: &Status) -> Vec<(&'static str, String)> {
    let history = match &status.kept {
        None => return vec![],
        Some(Past::Memory(why)) => return vec![("history", why.to_string())],
        Some(Past::Stored(history)) => history,
    };
    let mut out = vec![("history", format!("since {}", history.since.format("%F %TZ")))];
    if let Some(day) = history.day {
        out.push(("last day", day_told(&day)));
        if day.repeated > 0 {
            let told = format!("{} after the service had forgotten them", day.repeated);
            out.push(("handled again", told));
        }
    }
    out
}

/// A slice's sums in a line: `in 1,204, out 1,190, most 73 pending`.
#[must_use]
pub fn day_told(day: &Slice) -> String {
    let [came, gone, most] = [day.came, day.gone, day.most].map(thousands);
    format!("in {came}, out {gone}, most {most} pending")
}

/// What samplers stored, a row a slice of time.
#[must_use]
pub fn slices(slices: &[Slice]) -> Table {
    let row = |slice: &Slice| {
        vec![
            Cell::time(slice.begins),
            Cell::number(slice.grain.seconds()),
            Cell::number(slice.pending),
            Cell::number(slice.most),
            Cell::number(slice.came),
            Cell::number(slice.gone),
            Cell::number(slice.failing),
            Cell::number(slice.half_done),
            Cell::number(slice.duplicates),
            Cell::number(slice.received),
            Cell::number(slice.repeated),
        ]
    };
    Table {
        columns: vec![
            "begins",
            "seconds",
            "pending",
            "most_pending",
            "in",
            "out",
            "failing",
            "half_done",
            "duplicates",
            "received",
            "handled_again",
        ],
        rows: slices.iter().map(row).collect(),
    }
}

fn history_value(status: &Status) -> Value {
    match &status.kept {
        None => Value::Null,
        Some(Past::Memory(why)) => json!({ "since": null, "why": why.to_string() }),
        Some(Past::Stored(history)) => {
            let seen = status.facts.movement;
            json!({
                "since": history.since,
                "in_per_minute": seen.and_then(|seen| seen.coming),
                "out_per_minute": seen.and_then(|seen| seen.leaving),
                "last_leaving": seen.and_then(|seen| seen.last_leaving),
                "drained": seen.map(|seen| drained(seen.drain)),
                "last_day": history.day.map(|day| json!({
                    "looks": day.looks,
                    "in": day.came,
                    "out": day.gone,
                    "known_seconds": day.known_ms / 1_000,
                    "most_pending": day.most,
                    "received": day.received,
                    "handled_again": day.repeated,
                })),
            })
        }
    }
}

/// The same for programs. A number that is not known is null.
#[must_use]
pub fn status_value(status: &Status) -> Value {
    let facts = &status.facts;
    let groups = |groups: &[Group]| -> Vec<Value> {
        let of = groups.iter();
        of.map(
            |group| json!({ "key": group.key, "messages": group.messages, "oldest": iso(group.oldest) }),
        )
        .collect()
    };
    json!({
        "at": facts.now,
        "alert": status.is_alert(),
        "pending": facts.pending().known(),
        "pending_bus": facts.bus.known(),
        "pending_consumer": facts.consumer.known(),
        "pending_counted": facts.pending().worth(),
        "pending_told": facts.pending().to_string(),
        "open_outboxes": facts.open.known(),
        "oldest": iso(facts.oldest),
        "last_delivered": iso(facts.last_delivered),
        "publish_latency": published_value(facts.published),
        "orphans": facts.orphans.known(),
        "expired": facts.expired.known(),
        "undeliverable": facts.undeliverable.known(),
        "by_type": groups(&status.overview.by_type),
        "by_destination": groups(&status.overview.by_destination),
        "by_outbox": groups(&status.overview.by_outbox),
        "heads": leaving::heads_value(facts),
        "drain": leaving::drain_value(facts),
        "history": history_value(status),
        "inbox": inbox::value(&facts.inbox),
        "findings": findings_value(&status.findings),
    })
}

fn iso(at: Option<DateTime<Utc>>) -> Option<String> {
    at.map(endless::json)
}

fn published_value(published: Published) -> Value {
    match published {
        Published::Took(took) => json!({
            "outboxes": took.rows,
            "p50_ms": took.p50.num_milliseconds(),
            "p95_ms": took.p95.num_milliseconds(),
            "p99_ms": took.p99.num_milliseconds(),
        }),
        Published::Unknown(why) => json!({ "outboxes": 0, "why": why }),
    }
}

/// Findings for programs, each with the ids that it is about.
#[must_use]
pub fn findings_value(findings: &[Finding]) -> Value {
    let value = |finding: &Finding| {
        json!({
            "rule": finding.rule.name(),
            "severity": finding.severity.to_string(),
            "about": finding.about.map(subject_value),
            "what": finding.what,
            "evidence": finding.evidence,
            "next": finding.next,
        })
    };
    findings.iter().map(value).collect()
}

fn subject_value(subject: Subject) -> Value {
    match subject {
        Subject::Message(sequence) => json!({ "kind": "message", "sequence": sequence }),
        Subject::Outbox(outbox) => json!({ "kind": "outbox", "outbox": outbox }),
        Subject::Inbox(message) => json!({ "kind": "inbox", "message_id": message }),
        Subject::Orphans => json!({ "kind": "orphans" }),
        Subject::Expired => json!({ "kind": "expired" }),
        Subject::Undeliverable => json!({ "kind": "undeliverable" }),
        Subject::InboxList => json!({ "kind": "inbox_rows" }),
    }
}

/// Findings with their evidence, one a row.
#[must_use]
pub fn findings(findings: &[Finding]) -> Table {
    let row = |(number, finding): (usize, &Finding)| {
        vec![
            Cell::number(number + 1),
            text(finding.severity.to_string()),
            text(finding.rule.name()),
            text(finding.what.clone()),
            text(finding.evidence.join("; ")),
            text(finding.next.clone()),
        ]
    };
    Table {
        columns: vec!["nr", "severity", "rule", "what", "evidence", "next"],
        rows: findings.iter().enumerate().map(row).collect(),
    }
}

/// A page of messages.
#[must_use]
pub fn messages(rows: &[Row]) -> Table {
    let row = |row: &Row| {
        let (outbox, consumed) = match row.owner {
            Owner::Bus(id) => (Some(id.to_string()), None),
            Owner::Consumer { message, .. } => (None, Some(message.to_string())),
            Owner::Nobody => (None, None),
        };
        vec![
            Cell::number(row.sequence),
            text(row.message.to_string()),
            text(row.kind.clone()),
            Cell::maybe(row.destination.clone()),
            Cell::time(row.published),
            row.expires.map_or(Cell::None, Cell::time),
            text(row.delivery.to_string()),
            Cell::maybe(outbox),
            Cell::maybe(consumed),
            Cell::maybe(row.conversation.map(|id| id.to_string())),
            Cell::maybe(row.correlation.map(|id| id.to_string())),
        ]
    };
    Table {
        columns: vec![
            "seq",
            "message_id",
            "type",
            "destination",
            "published",
            "expires",
            "state",
            "outbox",
            "consumed_message",
            "conversation",
            "correlation",
        ],
        rows: rows.iter().map(row).collect(),
    }
}

/// The body with personal data covered; a body that is no JSON is not shown while masked.
#[must_use]
pub fn body(message: &Message, masked: bool) -> Value {
    mask::json_text(&message.shown.content.body, !masked)
}

/// Headers and properties the same way.
#[must_use]
pub fn parts(message: &Message, masked: bool) -> [(&'static str, Value); 2] {
    let content = &message.shown.content;
    [("headers", &content.headers), ("properties", &content.properties)].map(|(name, text)| {
        (name, text.as_deref().map_or(Value::Null, |text| mask::json_text(text, !masked)))
    })
}

/// Every column of a message but its body.
#[must_use]
pub fn envelope(message: &Message, now: DateTime<Utc>) -> Table {
    let shown = &message.shown;
    let mut rows = vec![];
    let mut say = |field: &str, cell: Cell| {
        if cell != Cell::None {
            rows.push(vec![text(field), cell]);
        }
    };
    say("seq", Cell::number(shown.sequence));
    say("message_id", text(shown.content.message.to_string()));
    say("type", text(contract::first(&shown.content.kinds)));
    let others: Vec<_> = contract::others(&shown.content.kinds).collect();
    say("also of type", Cell::maybe((!others.is_empty()).then(|| others.join(", "))));
    say("state", text(format!("{}: {}", shown.delivery, shown.delivery.meaning())));
    say("delivered", shown.delivered.map_or(Cell::None, Cell::time));
    for bad in &message.poison {
        say("poison", text(format!("{bad}; {}", bad.effect(message.managed))));
    }
    let is_lost = message
        .poison
        .iter()
        .any(|bad| matches!(bad, Poison::NoDestination | Poison::Destination { .. }));
    say("names itself", Cell::maybe(is_lost.then(|| shown.content.own_destination()).flatten()));
    say("published", Cell::time(shown.content.sent));
    say("ahead", Cell::maybe(message.ahead.map(|ahead| format!("{ahead} older open outboxes"))));
    match shown.owner {
        Owner::Bus(id) => say("outbox", text(id.to_string())),
        Owner::Consumer { message, consumer } => {
            say("consumed_message", text(message.to_string()));
            say("consumer", text(consumer.to_string()));
        }
        Owner::Nobody => say("owner", text("none")),
    }
    say(
        "last_pass",
        Cell::maybe(shown.lock_id.map(|lock| match last_pass(lock, now) {
            LastPass::NoneCommitted => "none committed (all zeros)".to_owned(),
            LastPass::At(at) => format!("{} ({} ago)", at.format("%F %TZ"), Age::of(at, now)),
            LastPass::Unreadable => format!("{lock}, which has no timestamp"),
        })),
    );
    say("held by", Cell::maybe(message.lock.as_ref().map(|lock| lock.describe(now))));
    say("cursor", shown.cursor.map_or(Cell::None, Cell::number));
    say(
        "destination",
        text(shown.content.destination.clone().unwrap_or_else(|| "(none)".to_owned())),
    );
    say("source", Cell::maybe(shown.content.source.clone()));
    say("response", Cell::maybe(shown.content.response.clone()));
    say("fault", Cell::maybe(shown.content.fault.clone()));
    say("content_type", text(shown.content.content_type.clone()));
    say("bytes", Cell::number(shown.bytes));
    say("expires", shown.content.expires.map_or(Cell::None, Cell::time));
    say("enqueue_time", shown.content.enqueue.map_or(Cell::None, Cell::time));
    for (name, id) in [
        ("conversation", shown.content.conversation),
        ("correlation", shown.content.correlation),
        ("initiator", shown.content.initiator),
        ("request", shown.content.request),
    ] {
        say(name, Cell::maybe(id.map(|id| id.to_string())));
    }
    say("order", Cell::maybe(shown.order.map(|order| order.to_string())));
    for one in message.coverage.iter().filter(|one| one.is_unknown) {
        say("not looked at", text(one.to_string()));
    }
    say(
        "received here",
        Cell::maybe(
            (!message.received.is_empty())
                .then(|| format!("by {} consumers of this database", message.received.len())),
        ),
    );
    Table { columns: vec!["field", "value"], rows }
}

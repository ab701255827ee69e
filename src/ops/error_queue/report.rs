//! Error queues as tables.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::{ErrorAction, FoundFault, Listing, Outcome};
use crate::domain::{
    fault::{Group, Verdict, group},
    mask,
    report::{Cell, Table},
};

/// Stack frames shown before the rest is folded.
const FRAMES: usize = 5;

/// Every message, from the head of the first queue on.
#[must_use]
pub fn messages(found: &[FoundFault]) -> Table {
    let rows = found.iter().map(|found| {
        let fault = &found.fault;
        vec![
            Cell::Text(fault.key.to_string()),
            Cell::Text(fault.queue.clone()),
            Cell::Text(found.judgement.verdict.to_string()),
            fault.failed.map_or(Cell::None, Cell::time),
            Cell::maybe(fault.message_type.clone()),
            Cell::maybe(fault.consumer.clone()),
            Cell::maybe(fault.exception.clone()),
            Cell::maybe(fault.text.as_deref().map(first_line)),
            Cell::maybe(fault.order.map(|order| order.to_string())),
            Cell::maybe(fault.message.map(|message| message.to_string())),
            Cell::Text(found.fingerprint.to_string()),
            Cell::Text(found.judgement.why.to_string()),
        ]
    });
    Table {
        columns: vec![
            "key",
            "queue",
            "verdict",
            "failed",
            "type",
            "consumer",
            "exception",
            "message",
            "order",
            "message_id",
            "group",
            "why",
        ],
        rows: rows.collect(),
    }
}

/// Every group, the largest first.
#[must_use]
pub fn groups(listing: &Listing) -> Table {
    let judged = listing.found.iter().map(|found| (&found.fault, found.judgement.verdict));
    let count = |group: &Group, verdict| {
        Cell::number(group.verdicts.get(&verdict).copied().unwrap_or_default())
    };
    let all = |names: &std::collections::BTreeSet<String>| {
        Cell::Text(names.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
    };
    let rows = group(judged).into_iter().map(|group| {
        vec![
            Cell::Text(group.fingerprint.to_string()),
            Cell::number(group.count),
            count(&group, Verdict::Done),
            count(&group, Verdict::Waiting),
            count(&group, Verdict::Unknown),
            count(&group, Verdict::ProbableDuplicate),
            group.first.map_or(Cell::None, Cell::time),
            group.last.map_or(Cell::None, Cell::time),
            Cell::Text(group.kind.to_string()),
            Cell::maybe(group.consumer.clone()),
            Cell::maybe(group.exception.clone()),
            Cell::Text(group_text(&group, true).into_owned()),
            all(&group.types),
            all(&group.queues),
        ]
    });
    Table {
        columns: vec![
            "group",
            "count",
            "done",
            "waiting",
            "unknown",
            "duplicate",
            "first",
            "last",
            "kind",
            "consumer",
            "exception",
            "message",
            "types",
            "queues",
        ],
        rows: rows.collect(),
    }
}

/// What the messages of a group have in common.
#[must_use]
pub fn group_text(group: &Group, masked: bool) -> Cow<'_, str> {
    if masked { mask::mask_text(&group.text).into() } else { group.text.as_str().into() }
}

/// The parts of a message that may hold personal data or be long.
#[derive(Debug, Clone, PartialEq)]
pub struct MaskedFault {
    pub text: Option<String>,
    /// The first frames, or all.
    pub stack: Vec<String>,
    /// So many frames are not among them.
    pub folded: usize,
    /// All but the stack trace.
    pub headers: Map<String, Value>,
    /// Or why it is none.
    pub envelope: Result<Value, String>,
}

/// These parts, personal data covered unless it was revealed. The stack trace is folded unless it is asked for.
#[must_use]
pub fn shown(found: &FoundFault, whole_stack: bool, masked: bool) -> MaskedFault {
    let fault = &found.fault;
    let told = |text: &str| if masked { mask::mask_text(text) } else { text.to_owned() };
    let framed = |frame: &str| if masked { mask::mask_frame(frame) } else { frame.to_owned() };
    let mut envelope = fault.envelope.clone();
    if let (Ok(body), true) = (&mut envelope, masked) {
        mask::mask_json(body);
    }
    let mut headers = found.headers.clone();
    headers.remove("MT-Fault-StackTrace");
    let frames: Vec<_> =
        fault.stack.as_deref().unwrap_or_default().lines().map(str::trim).collect();
    let shown = if whole_stack { frames.len() } else { FRAMES.min(frames.len()) };
    MaskedFault {
        text: fault.text.as_deref().map(told),
        stack: frames[..shown].iter().map(|frame| framed(frame)).collect(),
        folded: frames.len() - shown,
        headers: if masked { covered(headers) } else { headers },
        envelope,
    }
}

/// One message in full, personal data masked. The stack trace is folded unless it is asked for.
#[must_use]
pub fn detail(found: &FoundFault, whole_stack: bool) -> Value {
    let fault = &found.fault;
    let shown = shown(found, whole_stack, true);
    json!({
        "key": fault.key.as_str(),
        "queue": fault.queue,
        "home": fault.origin().ok(),
        "verdict": found.judgement.verdict.to_string(),
        "why": found.judgement.why.to_string(),
        "group": found.fingerprint.as_str(),
        "failed": fault.failed,
        "type": fault.message_type,
        "types": fault.types,
        "consumer": fault.consumer,
        "exception": fault.exception,
        "message": shown.text,
        "order": fault.order,
        "message_id": fault.message,
        "retries": fault.retries,
        "redeliveries": fault.redeliveries,
        "stack": shown.stack,
        "stack_folded": shown.folded,
        "headers": shown.headers,
        "bytes": fault.bytes,
        "envelope": shown.envelope.as_ref().ok(),
        "no_envelope": shown.envelope.as_ref().err(),
    })
}

/// What was done, and what was left.
#[must_use]
pub fn outcome(outcome: &Outcome, action: ErrorAction) -> Table {
    let done =
        outcome.done.iter().map(|key| row(key.as_str(), action.past().to_owned(), String::new()));
    let gone = outcome
        .gone
        .iter()
        .map(|key| row(key.as_str(), "gone".to_owned(), "it is no longer in its queue".to_owned()));
    let left =
        outcome.left.iter().map(|(key, why)| row(key.as_str(), "left".to_owned(), why.clone()));
    Table { columns: vec!["key", "what", "why"], rows: done.chain(gone).chain(left).collect() }
}

/// The same for the record.
#[must_use]
pub fn outcome_value(outcome: &Outcome) -> Value {
    let keys = |keys: &[crate::domain::fault::Key]| -> Value {
        keys.iter().map(|key| Value::from(key.as_str())).collect()
    };
    let left = outcome.left.iter().map(|(key, why)| json!({ "key": key.as_str(), "why": why }));
    json!({
        "done": keys(&outcome.done),
        "left": left.collect::<Vec<_>>(),
        "gone": keys(&outcome.gone),
        "stopped": outcome.stopped,
    })
}

fn row(key: &str, what: String, why: String) -> Vec<Cell> {
    let why = if why.is_empty() { Cell::None } else { Cell::Text(why) };
    vec![Cell::Text(key.to_owned()), Cell::Text(what), why]
}

fn first_line(text: &str) -> String {
    mask::mask_text(text.lines().next().unwrap_or_default())
}

fn covered(headers: Map<String, Value>) -> Map<String, Value> {
    let mut headers = Value::Object(headers);
    mask::mask_json(&mut headers);
    match headers {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

//! Which event a message was published for.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{Proof, Sent};
use crate::domain::{
    age, contract,
    event::{EventKind, RecordedEvent},
    timeline::Step,
};

/// A header may hold anything; so many of its values are looked at.
const MOST_HEADERS: usize = 32;

/// The event that a message was published for, by its index among the steps, and how that is known.
#[derive(Debug, Clone)]
pub(super) struct Correlation {
    pub step: usize,
    pub proof: Proof,
}

/// A W3C trace context: `00-<trace>-<span>-01`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trace {
    pub trace: String,
    pub span: Option<String>,
}

impl Trace {
    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('-').skip(1);
        let (trace, span) = (parts.next()?, parts.next()?);
        (is_hex(trace, 32) && is_hex(span, 16)).then(|| Self {
            trace: trace.to_ascii_lowercase(),
            span: Some(span.to_ascii_lowercase()),
        })
    }

    /// The header first; else the columns, where the service writes trace and span apart.
    pub(super) fn of(event: &RecordedEvent) -> Option<Self> {
        let header =
            event.headers.as_ref().and_then(|headers| headers.get("traceparent")?.as_str());
        let causation = event.causation_id.as_deref();
        if let Some(whole) = header.and_then(Self::read).or_else(|| causation.and_then(Self::read))
        {
            return Some(whole);
        }
        let trace = event.correlation_id.as_deref().filter(|text| is_hex(text, 32))?;
        let span = causation.filter(|text| is_hex(text, 16));
        Some(Self { trace: trace.to_ascii_lowercase(), span: span.map(str::to_ascii_lowercase) })
    }
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length
        && text.bytes().all(|byte| byte.is_ascii_hexdigit())
        && text.bytes().any(|byte| byte != b'0')
}

/// The ids that an event names besides its own, and the column of each.
pub(super) fn named_ids(event: &RecordedEvent) -> Vec<(&'static str, Uuid)> {
    let column =
        |name, text: &Option<String>| Some((name, Uuid::try_parse(text.as_deref()?).ok()?));
    let headers = event.headers.as_ref().and_then(serde_json::Value::as_object);
    let values = headers.into_iter().flat_map(|headers| headers.values().take(MOST_HEADERS));
    let mut out: Vec<_> = [
        column("mt_events.causation_id", &event.causation_id),
        column("mt_events.correlation_id", &event.correlation_id),
    ]
    .into_iter()
    .flatten()
    .collect();
    out.extend(
        values.filter_map(|value| {
            Some(("mt_events.headers", Uuid::try_parse(value.as_str()?).ok()?))
        }),
    );
    out.retain(|(_, id)| !id.is_nil());
    out
}

/// The kind of event that a message is published for, where the contract is one of ours.
pub(super) fn kind_of(message: &Sent) -> Option<EventKind> {
    let name = contract::name(&message.kind);
    EventKind::ALL.into_iter().find(|kind| contract::name(kind.contract()) == name)
}

/// Events by the ids and traces that a message may share with them.
#[derive(Debug, Default)]
pub(super) struct Events {
    ids: HashMap<Uuid, Vec<(usize, &'static str)>>,
    traces: HashMap<String, Vec<usize>>,
    kinds: HashMap<EventKind, Vec<usize>>,
}

impl Events {
    pub(super) fn new(steps: &[Step]) -> Self {
        let mut out = Self::default();
        for (index, step) in steps.iter().enumerate() {
            out.ids.entry(step.event.id.0).or_default().push((index, "mt_events.id"));
            for (column, id) in named_ids(&step.event) {
                out.ids.entry(id).or_default().push((index, column));
            }
            if let Some(trace) = Trace::of(&step.event) {
                out.traces.entry(trace.trace).or_default().push(index);
            }
            if let Some(kind) = step.meaning.kind() {
                out.kinds.entry(kind).or_default().push(index);
            }
        }
        out
    }

    /// The event that this message was published for, if one can be told.
    pub(super) fn correlate(&self, steps: &[Step], message: &Sent) -> Option<Correlation> {
        let kind = kind_of(message);
        // A message of a known contract belongs to an event of that kind, whatever else shares its trace.
        let fits = |index: &usize| match (kind, steps.get(*index)) {
            (Some(kind), Some(step)) => step.meaning.kind() == Some(kind),
            (None, Some(step)) => step.meaning.kind().is_none(),
            (_, None) => false,
        };
        let shared = self.by_ids(message).or_else(|| self.by_trace(steps, message));
        if let Some((columns, value, found)) = shared {
            let mut found: Vec<usize> = found.into_iter().filter(fits).collect();
            found.sort_unstable();
            found.dedup();
            match found.as_slice() {
                [] => {}
                [step] => {
                    return Some(Correlation { step: *step, proof: Proof::proven(columns, value) });
                }
                several => {
                    let step = nearest(steps, several, message.published)?;
                    let distance = distance(steps, step, message.published);
                    let why = format!(
                        "{} events share it ({columns} {value}); published {distance} the nearest",
                        several.len()
                    );
                    return Some(Correlation { step, proof: Proof::Inferred(why) });
                }
            }
        }
        let of_kind = self.kinds.get(&kind?).filter(|_| message.names_order)?;
        let step = nearest(steps, of_kind, message.published)?;
        let (title, distance) = (kind?.title(), distance(steps, step, message.published));
        let which = if of_kind.len() > 1 {
            format!("; the nearest of {}", of_kind.len())
        } else {
            String::new()
        };
        let why = format!(
            "its body names the order, {} is the contract of {title}, published {distance} it{which}",
            contract::short(&message.kind)
        );
        Some(Correlation { step, proof: Proof::Inferred(why) })
    }

    fn by_ids(&self, message: &Sent) -> Option<(&'static str, String, Vec<usize>)> {
        let keys = [
            ("message_id", Some(message.id.0)),
            ("correlation_id", message.correlation),
            ("initiator_id", message.initiator),
            ("conversation_id", message.conversation),
        ];
        keys.into_iter().find_map(|(ours, id)| {
            let id = id.filter(|id| !id.is_nil())?;
            let found = self.ids.get(&id)?;
            let (_, theirs) = found.first()?;
            let columns = joined(ours, theirs);
            Some((columns, id.to_string(), found.iter().map(|(index, _)| *index).collect()))
        })
    }

    fn by_trace(
        &self,
        steps: &[Step],
        message: &Sent,
    ) -> Option<(&'static str, String, Vec<usize>)> {
        let activity = Trace::read(message.activity.as_deref()?)?;
        let found = self.traces.get(&activity.trace)?;
        let same = |index: &&usize| {
            let trace = steps.get(**index).and_then(|step| Trace::of(&step.event));
            trace.as_ref() == Some(&activity)
        };
        let exact: Vec<usize> = found.iter().filter(same).copied().collect();
        if exact.is_empty() {
            let columns = "trace of outbox_message.headers MT-Activity-Id = mt_events trace";
            return Some((columns, activity.trace, found.clone()));
        }
        let columns = "outbox_message.headers MT-Activity-Id = mt_events.headers traceparent";
        Some((columns, message.activity.clone()?, exact))
    }
}

/// Which columns are equal, for the pairs that can occur.
fn joined(ours: &str, theirs: &str) -> &'static str {
    match (ours, theirs) {
        ("message_id", "mt_events.id") => "outbox_message.message_id = mt_events.id",
        ("message_id", _) => "outbox_message.message_id = an id in mt_events metadata",
        ("correlation_id", "mt_events.id") => "outbox_message.correlation_id = mt_events.id",
        ("correlation_id", "mt_events.correlation_id") => {
            "outbox_message.correlation_id = mt_events.correlation_id"
        }
        ("correlation_id", "mt_events.causation_id") => {
            "outbox_message.correlation_id = mt_events.causation_id"
        }
        ("correlation_id", _) => "outbox_message.correlation_id = an id in mt_events.headers",
        ("initiator_id", "mt_events.causation_id") => {
            "outbox_message.initiator_id = mt_events.causation_id"
        }
        ("initiator_id", "mt_events.correlation_id") => {
            "outbox_message.initiator_id = mt_events.correlation_id"
        }
        ("initiator_id", _) => "outbox_message.initiator_id = an id in mt_events metadata",
        ("conversation_id", "mt_events.correlation_id") => {
            "outbox_message.conversation_id = mt_events.correlation_id"
        }
        _ => "outbox_message.conversation_id = an id in mt_events metadata",
    }
}

fn nearest(steps: &[Step], among: &[usize], time: DateTime<Utc>) -> Option<usize> {
    let distance = |index: &usize| steps.get(*index).map(|step| (step.when - time).abs());
    among.iter().copied().min_by_key(|index| distance(index).unwrap_or(TimeDelta::MAX))
}

/// `4ms after`, `at the time of`.
fn distance(steps: &[Step], step: usize, time: DateTime<Utc>) -> String {
    let Some(step) = steps.get(step) else { return String::new() };
    let by = time - step.when;
    match by {
        by if by.abs() < TimeDelta::milliseconds(1) => "at the time of".to_owned(),
        by if by < TimeDelta::zero() => format!("{} before", age::length(by)),
        by => format!("{} after", age::length(by)),
    }
}

//! What leaves: the groups that wait, the head of the line and the drain, as rows and as values.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{Status, drained, unmeasured};
use crate::{
    db::outbox::Group,
    domain::{
        address::short_destination,
        age::{self, Age},
        backlog::{Drain, Movement},
        contract,
        diagnosis::{Facts, Head, Lock},
        endless,
        id_timestamp::LastPass,
        text::thousands,
    },
};

/// So many outboxes and heads are told to a person; programs get all that were looked at.
const SHOWN: usize = 5;

/// Groups, heads and the drain, for a person.
pub(super) fn rows(status: &Status) -> Vec<(&'static str, String)> {
    let (facts, overview) = (&status.facts, &status.overview);
    let mut out = vec![];
    for group in &overview.by_type {
        out.push(("type", counted(group.key.as_deref().map_or("(none)", contract::name), group)));
    }
    for group in &overview.by_destination {
        out.push(("to", counted(short_destination(group.key.as_deref()), group)));
    }
    // Most outboxes have one message: those tell nothing that the number of outboxes does not.
    let several = overview.by_outbox.iter().filter(|group| group.messages > 1);
    for group in several.take(SHOWN) {
        out.push(("outbox", counted(group.key.as_deref().unwrap_or("(none)"), group)));
    }
    if let Some(head) = facts.heads.first() {
        head_rows(head, facts, &mut out);
    }
    out.extend(facts.heads.iter().take(SHOWN).skip(1).map(|head| ("then", standing(head, facts))));
    if let Some(movement) = facts.movement {
        let rate = |rate: Option<f64>| {
            rate.map_or_else(|| "?".to_owned(), |rate| format!("{rate:.1}/min"))
        };
        let (coming, leaving) = (rate(movement.coming), rate(movement.leaving));
        out.push(("rates", format!("in {coming}, out {leaving}")));
    } else if facts.pending().measured().is_none() {
        out.push(("rates", unmeasured(facts).to_owned()));
    }
    out.push(("drain", drained(drain(facts))));
    out
}

fn counted(name: &str, group: &Group) -> String {
    format!("{name} {}", thousands(group.messages))
}

/// `outbox 019a…, created 4h 22m ago, 4 pending`
fn standing(head: &Head, facts: &Facts) -> String {
    format!(
        "outbox {}, created {} ago, {} pending",
        head.outbox,
        Age::of(head.created, facts.now),
        thousands(head.pending)
    )
}

/// The one that a worker takes first, with its next message and who works on it.
fn head_rows(head: &Head, facts: &Facts, out: &mut Vec<(&'static str, String)>) {
    out.push(("head of the line", standing(head, facts)));
    if let Some(next) = &head.next {
        let (kind, to) =
            (contract::name(&next.kind), short_destination(next.destination.as_deref()));
        out.push(("its next", format!("seq {}, {kind} to {to}", next.sequence)));
        let poison = next.poison.iter().flatten();
        out.extend(poison.map(|bad| ("its next", bad.to_string())));
    }
    out.push(("its holder", head.lock.describe(facts.now)));
    let pass = match head.pass {
        LastPass::NoneCommitted => "none committed yet".to_owned(),
        LastPass::At(at) => format!("{} ago", Age::of(at, facts.now)),
        LastPass::Unreadable => "not known: its lock_id has no timestamp".to_owned(),
    };
    out.push(("its last pass", pass));
}

/// When the backlog is gone, as far as that is known.
fn drain(facts: &Facts) -> Drain {
    match facts.movement {
        _ if facts.pending().known() == Some(0) => Drain::Empty,
        Some(movement) => movement.drain,
        None => Drain::Unknown,
    }
}

/// The facts that findings rest on, for programs: how much waits, since when, and what is first in line. A number that
/// is not known is null.
#[must_use]
pub fn facts_value(facts: &Facts) -> Value {
    let seconds = |at: Option<DateTime<Utc>>| at.map(|at| (facts.now - at).num_seconds().max(0));
    let blast = facts.blast.map(|blast| {
        json!({
            "outboxes": blast.outboxes.known(),
            "orders": blast.orders.known(),
            "value": blast.value,
        })
    });
    json!({
        "at": facts.now,
        "pending": facts.pending().known(),
        "pending_counted": facts.pending().worth(),
        "open_outboxes": facts.open.known(),
        "oldest_seconds": seconds(facts.oldest),
        "last_delivered_seconds": seconds(facts.last_delivered),
        "orphans": facts.orphans.known(),
        "expired": facts.expired.known(),
        "undeliverable": facts.undeliverable.known(),
        "head": facts.heads.first().map(|head| head_value(head, facts)),
        "behind_the_head": blast,
        "paused_outboxes": facts.paused.iter().map(|paused| paused.outbox).collect::<Vec<_>>(),
        "inbox": super::inbox::value(&facts.inbox),
    })
}

/// The outboxes that come next, for programs.
pub(super) fn heads_value(facts: &Facts) -> Value {
    facts.heads.iter().map(|head| head_value(head, facts)).collect()
}

fn head_value(head: &Head, facts: &Facts) -> Value {
    let pass = match head.pass {
        LastPass::At(at) => Some(at),
        LastPass::NoneCommitted | LastPass::Unreadable => None,
    };
    let backend = match &head.lock {
        Lock::Held(backend) => Some(backend.pid),
        Lock::Free | Lock::Unknown => None,
    };
    json!({
        "outbox": head.outbox,
        "created": endless::json(head.created),
        "age_seconds": (facts.now - head.created).num_seconds().max(0),
        "cursor": head.cursor,
        "pending": head.pending,
        "last_pass": pass,
        "held_by": head.lock.describe(facts.now),
        "held_by_pid": backend,
        "next": head.next.as_ref().map(|next| json!({
            "seq": next.sequence,
            "message_id": next.message,
            "type": next.kind,
            "destination": next.destination,
            "poison": next.poison.as_ref().map(|poison| {
                poison.iter().map(ToString::to_string).collect::<Vec<_>>()
            }),
        })),
    })
}

/// Rates and the drain, for programs. Seconds; what is not known is null.
pub(super) fn drain_value(facts: &Facts) -> Value {
    let drain = drain(facts);
    let (state, likely, soonest, latest) = match drain {
        Drain::Empty => ("empty", None, None, None),
        Drain::Unknown => ("unknown", None, None, None),
        Drain::Never => ("never", None, None, None),
        Drain::In { likely, soonest, latest } => ("shrinks", Some(likely), Some(soonest), latest),
    };
    let seconds = |length: Option<chrono::TimeDelta>| length.map(|length| length.num_seconds());
    let rate = |of: fn(&Movement) -> Option<f64>| facts.movement.as_ref().and_then(of);
    json!({
        "state": state,
        "told": drained(drain),
        "likely_seconds": seconds(likely),
        "soonest_seconds": seconds(soonest),
        "latest_seconds": seconds(latest),
        "in_per_minute": rate(|seen| seen.coming),
        "out_per_minute": rate(|seen| seen.leaving),
        "looked_for": facts.movement.map(|seen| age::length(facts.now - seen.since)),
    })
}

//! Failed attempts of the relay in this process, as evidence of the cause: unlike the tables, it knows how
//! often and why.

use super::{Facts, Finding, Rule, Subject, Tried};
use crate::domain::outbox::OutboxKey;

/// Adds it to the finding about the head.
pub(super) fn add(found: &mut [Finding], facts: &Facts) {
    let of_head = |finding: &Finding| {
        matches!(
            finding.rule,
            Rule::PoisonHead | Rule::HeldHead | Rule::BrokerRefused | Rule::WorkerIdle
        )
    };
    let is_about = |finding: &Finding, tried: &Tried| match finding.about {
        Some(Subject::Message(sequence)) => tried.sequence == sequence,
        Some(Subject::Outbox(outbox)) => tried.outbox == OutboxKey::Bus(outbox),
        _ => false,
    };
    let tried = |finding: &Finding| facts.tried.iter().any(|tried| is_about(finding, tried));
    let at = found.iter().position(|finding| of_head(finding) && tried(finding));
    let at = at.or_else(|| found.iter().position(of_head));
    let Some(finding) = at.and_then(|at| found.get_mut(at)) else { return };
    let is_head = |tried: &&Tried| is_about(finding, tried);
    let (head, others): (Vec<&Tried>, Vec<&Tried>) = facts.tried.iter().partition(is_head);
    finding.evidence.extend(head.into_iter().map(|tried| {
        let times = if tried.attempts == 1 { "once" } else { &format!("{} times", tried.attempts) };
        format!(
            "the relay beside this console tried it {times} since {}: {}",
            tried.since.format("%F %TZ"),
            tried.why
        )
    }));
    if let Some(first) = others.first() {
        let (count, outbox) = (others.len(), first.outbox.short());
        finding.evidence.push(format!("the relay holds {count} more, {outbox}: {}", first.why));
    }
}

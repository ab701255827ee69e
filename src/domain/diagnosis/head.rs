//! What an open outbox tells of the attempts at it, and the lines of evidence about it.

use chrono::TimeDelta;

use super::{Facts, Head, Lock, Subject, moment};
use crate::domain::{age::Age, contract, id_timestamp::LastPass, poison::Poison};

/// A pass younger than this means that somebody tries right now: MassTransit gives up a send after 10 s.
pub const TRYING: TimeDelta = TimeDelta::minutes(2);

/// What is known of attempts at an outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempts {
    Ongoing,
    Ended,
    Never,
    /// Attempts would leave no trace, or one without a time.
    Unknown,
}

pub(super) fn attempts(facts: &Facts, head: &Head) -> Attempts {
    let untraced = |poison: &Poison| !poison.leaves_trace();
    match head.pass {
        _ if head.poison().iter().any(untraced) => Attempts::Unknown,
        LastPass::At(at) if facts.now - at < TRYING => Attempts::Ongoing,
        LastPass::At(_) => Attempts::Ended,
        LastPass::NoneCommitted => Attempts::Never,
        LastPass::Unreadable => Attempts::Unknown,
    }
}

pub(super) fn age_of(facts: &Facts, head: &Head) -> String {
    let is_first = facts.heads.first().is_some_and(|first| first.outbox == head.outbox);
    let which = if is_first { "the oldest open outbox" } else { "open outbox" };
    format!(
        "{which} {} was created {} ({} ago)",
        head.outbox.short(),
        moment(head.created),
        Age::of(head.created, facts.now)
    )
}

pub(super) fn next_line(head: &Head) -> Option<String> {
    let next = head.next.as_ref()?;
    let kind = contract::name(&next.kind);
    Some(format!("its next message is seq {}, {kind}", next.sequence))
}

pub(super) fn pass_line(facts: &Facts, head: &Head) -> String {
    match head.pass {
        LastPass::NoneCommitted => {
            "no pass over it was ever committed (lock_id is all zeros)".to_owned()
        }
        LastPass::At(at) => format!(
            "the last pass over it was committed {} ({} ago, decoded from lock_id)",
            moment(at),
            Age::of(at, facts.now)
        ),
        LastPass::Unreadable => "its lock_id is not of the kind that tells a time".to_owned(),
    }
}

pub(super) fn about(head: &Head) -> Subject {
    head.next.as_ref().map_or(Subject::Outbox(head.outbox), |next| Subject::Message(next.sequence))
}

pub(super) fn lock_line(head: &Head) -> String {
    match &head.lock {
        Lock::Free => "nobody holds its row".to_owned(),
        Lock::Held(holder) => format!("backend {} holds its row", holder.pid),
        Lock::Unknown => "lock state unknown".to_owned(),
    }
}

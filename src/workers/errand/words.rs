//! What is said of errands: before they run, on the command line, and at their end.

use std::{cmp::Reverse, collections::BTreeMap, fmt::Write};

use super::{
    Ended, Errand, Errors, Recorded, Restoring, Sheet, Waiting, drain,
    errors::{self as queues, Chosen, RATE},
    restore,
};
use crate::{
    domain::{
        fault::{Key, Verdict},
        id,
        text::thousands,
    },
    ops::{
        command::quoted,
        error_queue::{self, ErrorAction, Outcome, Pick, Work},
        plan::{self, Check},
        policy::Policy,
    },
    workers::relay::{Scope, Stats},
};

/// So many messages that may do work again are named in the checks.
const NAMED: usize = 3;

/// A few words for an errand, where no plan has named it yet.
#[must_use]
pub fn named(errand: &Errand) -> String {
    match errand {
        Errand::Errors(Errors { deed, pick, .. }) => match pick {
            Pick::Keys { keys, .. } if keys.len() > NAMED => {
                format!("{deed} {}", counted(keys.len(), "message"))
            }
            Pick::Keys { keys, .. } => {
                let keys: Vec<_> = keys.iter().map(|key| brief(key)).collect();
                format!("{deed} message {}", keys.join(", "))
            }
            Pick::Group(group) => format!("{deed} group {group}"),
            Pick::All => format!("{deed} everything that is safe"),
        },
        Errand::Restore(number) => format!("put copy {} back", thousands(*number)),
        Errand::Drain(Scope::All) => "deliver everything that is pending".to_owned(),
        Errand::Drain(Scope::Outbox(outbox)) => format!("deliver outbox {}", id::short(*outbox)),
        Errand::Drain(Scope::ConsumerOutbox(half)) => {
            format!("deliver for consumer {}", id::short(half.consumer_id))
        }
    }
}

fn brief(key: &str) -> String {
    key.chars().take(10).collect()
}

const fn check(verdict: plan::Verdict, text: String) -> Check {
    Check { verdict, text }
}

/// `1 message`, `2,000 messages`
fn counted(count: usize, what: &str) -> String {
    let number = thousands(i64::try_from(count).unwrap_or(i64::MAX));
    let more = if count == 1 { "" } else { "s" };
    format!("{number} {what}{more}")
}

/// A replay or a discard before it runs.
pub(super) fn errors(errors: &Errors, chosen: &Chosen, reason: &str, policy: &Policy) -> Sheet {
    let Chosen { work, notes } = chosen;
    let Work { deed, choice, .. } = work;
    let count = choice.chosen.len();
    let again = queues::may_repeat(work);
    let word = deed.word();
    let title = match choice.chosen.as_slice() {
        [one] => format!("{deed} message {} of {}", brief(one.key.as_str()), one.queue),
        _ => format!("{deed} {} of error queues", counted(count, "message")),
    };
    Sheet {
        title,
        checks: checks(work, notes),
        effects: effects(errors, work),
        listed: listed(work),
        undo: undo(*deed),
        cli_equivalent: queues_twin(errors, again, reason, policy),
        word,
        again,
    }
}

/// How it is taken back.
#[must_use]
pub const fn undo(deed: ErrorAction) -> &'static str {
    match deed {
        ErrorAction::Replay => {
            "none: its consumer takes it; what fails again comes back to the error queue"
        }
        ErrorAction::Discard => {
            "copies can be put back into their queue: kept, x, b; errors restore"
        }
    }
}

fn checks(work: &Work, notes: &[String]) -> Vec<Check> {
    use plan::Verdict as V;
    let Work { deed, choice, .. } = work;
    let mut out = vec![];
    if choice.chosen.is_empty() {
        out.push(check(V::Blocking, format!("none of these may be {}", deed.past())));
    } else {
        let judged =
            "each is judged by the inbox again just before; one whose verdict changed is left";
        out.push(check(V::Ok, judged.to_owned()));
    }
    if *deed == ErrorAction::Replay {
        let repeats: Vec<_> = choice.chosen.iter().filter(|one| one.verdict.may_repeat()).collect();
        for one in repeats.iter().take(NAMED) {
            let told = format!(
                "{} may do its work again: {}: {}",
                brief(one.key.as_str()),
                one.verdict,
                one.why
            );
            out.push(check(V::Warn, told));
        }
        if repeats.len() > NAMED {
            let told = format!("{} more may do their work again", repeats.len() - NAMED);
            out.push(check(V::Warn, told));
        }
        let done = choice.chosen.iter().filter(|one| one.verdict == Verdict::Done).count();
        if done > 0 {
            let told = format!("{} done already: a replay is needless", counted(done, "message"));
            out.push(check(V::Warn, told));
        }
    }
    out.extend(notes.iter().map(|note| check(V::Warn, note.clone())));
    out
}

/// Queue by queue, then what is left where it is.
fn effects(errors: &Errors, work: &Work) -> Vec<(String, String)> {
    let mut ways: BTreeMap<(&str, Option<&str>), usize> = BTreeMap::new();
    for one in &work.choice.chosen {
        *ways.entry((&one.queue, one.home.as_deref())).or_default() += 1;
    }
    let way = |((queue, home), count): ((&str, Option<&str>), usize)| {
        let messages = counted(count, "message");
        let told = match (work.deed, home) {
            (ErrorAction::Replay, Some(home)) => {
                format!("{messages} to {home}, at most {} a second", errors.rate)
            }
            _ => format!("{messages} out, a copy of each kept first"),
        };
        (queue.to_owned(), told)
    };
    let mut out: Vec<_> = ways.into_iter().map(way).collect();
    out.extend(reasons(&work.choice.left).map(|told| ("left".to_owned(), told)));
    out
}

/// `2 messages: done: there is nothing left to replay; discard it`, the most frequent first.
fn reasons<'a>(left: impl IntoIterator<Item = &'a (Key, String)>) -> impl Iterator<Item = String> {
    let mut whys: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, why) in left {
        *whys.entry(why).or_default() += 1;
    }
    let mut whys: Vec<_> = whys.into_iter().map(|(why, count)| (count, why.to_owned())).collect();
    whys.sort_by_key(|(count, _)| Reverse(*count));
    whys.into_iter().map(|(count, why)| format!("{}: {why}", counted(count, "message")))
}

fn listed(work: &Work) -> Vec<String> {
    let chosen = work.choice.chosen.iter().map(|one| {
        let key = brief(one.key.as_str());
        let way = match (work.deed, &one.home) {
            (ErrorAction::Replay, Some(home)) => format!("{} → {home}", one.queue),
            _ => format!("{} → kept", one.queue),
        };
        format!("{key}  {way}\n{}: {}", one.verdict, one.why)
    });
    let left = work
        .choice
        .left
        .iter()
        .map(|(key, why)| format!("{}  left where it is\n{why}", brief(key.as_str())));
    chosen.chain(left).collect()
}

fn queues_twin(errors: &Errors, again: bool, reason: &str, policy: &Policy) -> String {
    let Errors { deed, pick, rate } = errors;
    let mut line = format!("orderscope errors {deed}");
    // Writing to a string cannot fail.
    let _ = match pick {
        Pick::Keys { keys, .. } => write!(line, " {}", keys.join(" ")),
        Pick::Group(group) => write!(line, " --group {group}"),
        Pick::All => write!(line, " --all"),
    };
    if again {
        line += " --run-again";
    }
    if *deed == ErrorAction::Replay && *rate != RATE {
        let _ = write!(line, " --rate {rate}");
    }
    let policy = Policy { typed: policy.typed || again, ..policy.clone() };
    agreed(line, deed.word(), reason, &policy)
}

fn agreed(mut line: String, word: &str, reason: &str, policy: &Policy) -> String {
    let _ = write!(line, " --reason {}", quoted(reason));
    if policy.typed {
        return line + " --confirm " + &quoted(&policy.phrase(word));
    }
    line + " --yes"
}

/// A discarded message before it is put back.
pub(super) fn restore(restoring: &Restoring, reason: &str, policy: &Policy) -> Sheet {
    use plan::Verdict as V;
    let Restoring { number, queue, bytes, .. } = restoring;
    let mut checks: Vec<_> =
        restoring.blocked.iter().map(|why| check(V::Blocking, why.clone())).collect();
    if checks.is_empty() {
        let told = "its queue is there; nothing handles it until it is replayed from there";
        checks.push(check(V::Ok, told.to_owned()));
    }
    checks.extend(restoring.notes.iter().map(|note| check(V::Warn, note.clone())));
    let what = format!("the message as it was kept, {} bytes", thousands(*bytes));
    let copy = format!("copy {}: put back", thousands(*number));
    Sheet {
        title: format!("put copy {} back into {queue}", thousands(*number)),
        checks,
        effects: vec![(queue.clone(), what), ("kept_messages".to_owned(), copy)],
        listed: restoring.message.iter().map(|id| format!("message {id} → {queue}")).collect(),
        undo: restore::UNDO,
        cli_equivalent: agreed(
            format!("orderscope errors restore {number}"),
            restore::WORD,
            reason,
            policy,
        ),
        word: restore::WORD,
        again: false,
    }
}

/// A drain before it runs.
pub(super) fn drain(waiting: &Waiting, reason: &str, policy: &Policy) -> Sheet {
    use plan::Verdict as V;
    let mut checks: Vec<_> =
        waiting.blocked.iter().map(|why| check(V::Blocking, why.clone())).collect();
    if waiting.messages == 0 {
        checks.push(check(V::Blocking, "nothing waits there".to_owned()));
    }
    checks.extend(waiting.notes.iter().map(|note| check(V::Warn, note.clone())));
    let number = |number: i64| usize::try_from(number).unwrap_or_default();
    let messages = counted(number(waiting.messages), "message");
    let (place, what) = match waiting.scope {
        Scope::All => {
            let outboxes = number(waiting.outboxes);
            let boxes = if outboxes == 1 { "outbox" } else { "outboxes" };
            let outboxes = thousands(waiting.outboxes);
            ("outboxes", format!("{messages} of {outboxes} {boxes}, in order inside each"))
        }
        Scope::Outbox(_) => ("outbox", format!("{messages}, in their order")),
        Scope::ConsumerOutbox(_) => {
            ("inbox row", format!("{messages} of its consumer, in their order"))
        }
    };
    let mut cli_equivalent = String::from("orderscope messages drain");
    let _ = match waiting.scope {
        Scope::All => write!(cli_equivalent, " --all"),
        Scope::Outbox(outbox) => write!(cli_equivalent, " --outbox {outbox}"),
        Scope::ConsumerOutbox(half) => {
            write!(cli_equivalent, " --consumer {}:{}", half.message_id, half.consumer_id)
        }
    };
    Sheet {
        title: waiting.title.clone(),
        checks,
        effects: vec![(place.to_owned(), what)],
        listed: vec![],
        undo: drain::UNDO,
        cli_equivalent: agreed(cli_equivalent, drain::WORD, reason, policy),
        word: drain::WORD,
        again: false,
    }
}

/// A discarded message that was put back.
pub(super) fn restored(restoring: &Restoring, ended: &Recorded<()>) -> Ended {
    let told = format!("copy {} lies in {} again", thousands(restoring.number), restoring.queue);
    let more = unrecorded(ended.unrecorded.as_deref()).into_iter().collect();
    Ended { audit: ended.audit, told, more, partly: false }
}

/// A replay or a discard that has ended.
pub(super) fn replayed(work: &Work, ended: &Recorded<Outcome>) -> Ended {
    let error_queue::Outcome { done, left, gone, stopped } = &ended.outcome;
    // What was refused when it was planned is no news.
    let left: Vec<_> = left.iter().filter(|one| !work.choice.left.contains(one)).collect();
    let mut told = format!("{} {}", counted(done.len(), "message"), work.deed.past());
    if stopped.is_some() {
        told = format!("stopped: {told}");
    }
    if !left.is_empty() {
        let _ = write!(told, ", {} left where they are", left.len());
    }
    let mut more: Vec<_> = reasons(left.iter().copied()).collect();
    if !gone.is_empty() {
        more.push(format!("{} no longer in its queue", counted(gone.len(), "message")));
    }
    // Among the reasons already where anything was left for it.
    let known = |why: &String| more.iter().any(|line| line.ends_with(why.as_str()));
    let why = stopped.clone().filter(|why| !known(why));
    more.extend(why);
    more.extend(unrecorded(ended.unrecorded.as_deref()));
    Ended { audit: ended.audit, told, more, partly: stopped.is_some() || !left.is_empty() }
}

/// A drain that has ended, or was ended.
pub(super) fn delivered(waiting: &Waiting, ended: &Recorded<Stats>, stopped: bool) -> Ended {
    let stats = &ended.outcome;
    let went = stats.recorded();
    let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let mut told = format!("{} delivered", counted(number(went), "message"));
    let left = waiting.left(stats);
    let stopped = stopped && left > 0;
    if stopped {
        told = format!("stopped: {told}, {left} left where they are");
    }
    let mut more: Vec<_> = stats.warnings().iter().map(ToString::to_string).collect();
    let held = stats
        .held
        .iter()
        .map(|held| format!("{} is held at {}: {}", held.outbox.short(), held.sequence, held.why));
    more.extend(held);
    more.extend(unrecorded(ended.unrecorded.as_deref()));
    let partly = stopped || !stats.held.is_empty();
    Ended { audit: ended.audit, told, more, partly }
}

fn unrecorded(why: Option<&str>) -> Option<String> {
    Some(format!("what became of it is not on record: {}", why?))
}

//! The rules about an oldest open outbox that should have left long ago: its own text, and the worker that should
//! send it.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Backend, Facts, Finding, Head, Lock, Reached, Rule, Severity, Tally, Thresholds, blocker,
    broker::{refused, unreachable, wrong_exchange},
    head::{Attempts, TRYING, about, age_of, attempts, lock_line, next_line, pass_line},
    is_old, moment,
};
use crate::domain::{age, id_timestamp::LastPass, outbox::OutboxKey, poison::Poison, text};

/// A worker sends for seconds, and gives up a send after 10: who holds an outbox for less is at work.
const AT_WORK: TimeDelta = TimeDelta::seconds(10);

pub(super) fn findings(facts: &Facts, limits: &Thresholds) -> Vec<Finding> {
    let mut out: Vec<_> = unreachable(facts, limits).into_iter().collect();
    let Some(head) = blocker(facts, limits) else { return out };
    let poison = head.poison();
    if let Some(worst) = poison.first() {
        out.push(poisoned(facts, head, worst, poison));
    }
    let wrong = wrong_exchange(facts, head);
    // A head that the broker refuses explains what a worker's attempts look like.
    let worker = judged(facts, limits, head)
        .filter(|_| wrong.is_none())
        .and_then(|head| worker(facts, limits, head));
    let blocked = match &worker {
        Some(found) => found.blocks,
        None => {
            let stays = wrong.is_some() || poison.iter().any(Poison::blocks);
            stays && leaving(facts, head) != Leaving::Younger
        }
    };
    out.extend(wrong);
    let mut worker = worker.map(|found| found.finding);
    // Our own relay passes over what it cannot send now.
    if blocked && !facts.managed && facts.open.number() > 1 {
        out.push(blocks(facts, head));
    } else if let Some(found) = &mut worker {
        found.evidence.extend(behind(facts));
    }
    out.extend(worker);
    out
}

/// What was found of the worker.
struct Found {
    finding: Finding,
    /// What is behind the outbox waits for it.
    blocks: bool,
}

/// The outbox by which a worker is judged: the head, but where our own relay delivers, it passes over a head that it
/// cannot send, and only one with a sound text tells whether it runs.
fn judged<'a>(facts: &'a Facts, limits: &Thresholds, head: &'a Head) -> Option<&'a Head> {
    if !facts.managed || head.poison().is_empty() {
        return Some(head);
    }
    let old = facts.heads.iter().skip(1).take_while(|other| is_old(facts, limits, other));
    old.into_iter().find(|other| other.is_sound())
}

/// Findings about the worker, whatever the text is like: poison explains why a message stays, not why nobody tries.
fn worker(facts: &Facts, limits: &Thresholds, head: &Head) -> Option<Found> {
    let explained = head.poison().iter().any(Poison::blocks);
    let leaving = leaving(facts, head);
    let younger = leaving == Leaving::Younger;
    let severity =
        if is_stalled(facts, limits, head) { Severity::Alert } else { Severity::Warning };
    let found = |finding, blocks| Some(Found { finding, blocks });
    match &head.lock {
        Lock::Held(holder) if holds_for(facts, holder, AT_WORK) => {
            // A worker that sends it, or fails at it, locks it briefly again and again.
            let usual = explained || leaving == Leaving::Something;
            if usual && !is_long(facts, holder) {
                return None;
            }
            let still = leaving == Leaving::Nothing
                || (leaving == Leaving::NotKnownYet && is_long(facts, holder));
            return found(held_by(facts, head, holder, younger), still || (explained && !younger));
        }
        Lock::Unknown if !facts.idle_sessions.is_empty() && leaving != Leaving::Something => {
            return found(perhaps_held(facts, head, younger), !younger);
        }
        Lock::Held(_) | Lock::Unknown | Lock::Free => {}
    }
    let is_away = matches!(facts.broker, Reached::Unreachable(_));
    match leaving {
        Leaving::Younger if !explained => return found(held(facts, head, severity), false),
        // The backlog drains and reaches the head soon, or just now.
        Leaving::Younger | Leaving::Something => return None,
        Leaving::NotKnownYet if !explained && facts.tried.is_empty() && !is_away => {
            return found(not_known_yet(facts, head), false);
        }
        Leaving::Nothing | Leaving::NotKnownYet => {}
    }
    if facts.tried.iter().any(|tried| tried.outbox == OutboxKey::Bus(head.outbox)) {
        // The relay of this console is running: it fails to deliver the message; it is not idle.
        return if explained { None } else { found(held(facts, head, severity), false) };
    }
    if is_away {
        // That is told once, and explains all the rest.
        return None;
    }
    let tries = attempts(facts, head);
    match head.pass {
        LastPass::At(pass) if !explained && head.cursor.is_none() => {
            found(refused(facts, head, pass, severity), true)
        }
        // Somebody works on it at this moment: that it fails is known only after a while.
        _ if matches!(head.lock, Lock::Held(_)) => (!explained && severity == Severity::Alert)
            .then(|| Found { finding: held(facts, head, severity), blocks: false }),
        // The text alone explains that nothing leaves, and nothing shows that nobody tries.
        _ if explained && matches!(tries, Attempts::Ongoing | Attempts::Unknown) => None,
        _ => found(idle(facts, limits, head, severity), explained),
    }
}

/// Backlog, an old head, and in our own samples nothing moved for as long; without such samples it is only
/// suspected.
fn is_stalled(facts: &Facts, limits: &Thresholds, head: &Head) -> bool {
    facts.now - head.created >= limits.stalled && !moves(facts, limits)
}

fn moves(facts: &Facts, limits: &Thresholds) -> bool {
    let moved = facts.movement.and_then(|seen| seen.last_leaving);
    moved.is_some_and(|at| facts.now - at < limits.stalled)
}

/// Whether the samples reach back far enough to be sure, in words.
fn certainty(facts: &Facts, limits: &Thresholds) -> String {
    match facts.movement {
        Some(seen) if facts.now - seen.since >= limits.stalled => {
            format!("our own samples show no delivery for {}", age::length(limits.stalled))
        }
        Some(seen) => {
            format!("suspected: our samples go back {} only", age::length(facts.now - seen.since))
        }
        None if facts.pending() == Tally::Unknown => {
            "suspected: judged by ages alone, not all tables can be looked at".to_owned()
        }
        None if facts.pending().measured().is_none() => {
            "suspected: judged by ages alone, more is pending than is counted".to_owned()
        }
        None => "suspected: judged by ages alone, no samples yet".to_owned(),
    }
}

/// What left a short while ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leaving {
    Nothing,
    /// Only one look was taken, and nothing but time tells.
    NotKnownYet,
    /// Perhaps what was older than the head: a backlog that drains in its order.
    Something,
    /// What is younger than the head, which stays.
    Younger,
}

fn leaving(facts: &Facts, head: &Head) -> Leaving {
    let is_recent = |at: &DateTime<Utc>| facts.now - *at < TRYING && *at > head.created;
    let sampled = facts.movement.and_then(|seen| seen.last_leaving).filter(is_recent);
    let advances = head.cursor.is_some() && attempts(facts, head) == Attempts::Ongoing;
    // It was tried or held before the last one left, and is still there.
    let passed = sampled.is_some_and(|left| match (&head.lock, head.pass) {
        _ if advances => false,
        (Lock::Held(holder), _) => holder.since.is_some_and(|since| since < left),
        (_, LastPass::At(pass)) => pass < left,
        _ => false,
    });
    // One whose numbers were drawn after those that left was not there to be passed over, whatever its date says.
    let recorded = facts.youngest_left.is_some_and(|left| {
        let numbers = left.sequence.zip(head.next.as_ref().map(|next| next.sequence));
        left.created > head.created && numbers.is_none_or(|(left, next)| next < left)
    });
    let begun = facts.heads.iter().any(|other| {
        let younger = other.outbox != head.outbox && other.created >= head.created;
        let pass = matches!(other.pass, LastPass::At(at) if is_recent(&at));
        younger && other.cursor.is_some() && pass
    });
    if passed || recorded || begun {
        Leaving::Younger
    } else if sampled.is_some() || facts.last_delivered.as_ref().is_some_and(is_recent) || advances
    {
        Leaving::Something
    } else if facts.movement.is_none() {
        Leaving::NotKnownYet
    } else {
        Leaving::Nothing
    }
}

fn poisoned(facts: &Facts, head: &Head, worst: &Poison, all: &[Poison]) -> Finding {
    let seq = head.next.as_ref().map_or(0, |next| next.sequence);
    let stays = facts.managed || all.iter().any(Poison::blocks);
    let severity = if stays && head.pending > 0 { Severity::Alert } else { Severity::Warning };
    let next = match (facts.managed, worst) {
        (true, _) => {
            "repair the message, or quarantine it with a copy; the relay reads it again at its next attempt"
        }
        (false, Poison::NoDestination) => "give it a destination before the worker comes to it",
        (false, _) => {
            "repair the message, or quarantine it with a copy; the service reads it again at every attempt"
        }
    };
    let unknown = !facts.managed && attempts(facts, head) == Attempts::Unknown;
    Finding::new(
        Rule::PoisonHead,
        severity,
        format!(
            "outbox {}: its next message, seq {seq}, cannot be delivered: {worst}",
            head.outbox.short()
        ),
        next,
    )
    .because_all(all.iter().skip(1).map(|other| format!("also: {other}")))
    .because(worst.effect(facts.managed))
    .because_all(
        (leaving(facts, head) == Leaving::Younger)
            .then(|| "younger outboxes leave meanwhile".to_owned()),
    )
    .because_all(match &head.lock {
        Lock::Held(holder) => Some(format!("backend {} holds its row at this moment", holder.pid)),
        Lock::Free | Lock::Unknown => None,
    })
    .because(pass_line(facts, head))
    .because_all(
        unknown.then(|| "whether a worker tries cannot be told from the tables".to_owned()),
    )
    .because(age_of(facts, head))
    .about(about(head))
}

fn is_long(facts: &Facts, holder: &Backend) -> bool {
    holds_for(facts, holder, TimeDelta::minutes(1))
}

/// Whether it has held something for so long at least; where our role may not see since when, it has.
fn holds_for(facts: &Facts, holder: &Backend, time: TimeDelta) -> bool {
    holder.since.is_none_or(|at| facts.now - at >= time)
}

fn held_by(facts: &Facts, head: &Head, holder: &Backend, younger: bool) -> Finding {
    let rule = if younger { Rule::HeldHead } else { Rule::LockHolder };
    let severity = if is_long(facts, holder) { Severity::Alert } else { Severity::Warning };
    Finding::new(
        rule,
        severity,
        format!("outbox {} is held by {}", head.outbox.short(), holder.describe(facts.now)),
        "stop that process first: ending its backend alone would make it send again when it wakes",
    )
    .because("`idle in transaction` is MassTransit sending, or a frozen process")
    .because_all(holder.client.iter().map(|client| format!("it comes from {client}")))
    .because_all(younger.then(|| "younger outboxes leave meanwhile".to_owned()))
    .because(pass_line(facts, head))
    .because(age_of(facts, head))
    .about(about(head))
}

/// Who holds the row cannot be told, but these sessions may.
fn perhaps_held(facts: &Facts, head: &Head, younger: bool) -> Finding {
    let rule = if younger { Rule::HeldHead } else { Rule::LockHolder };
    Finding::new(
        rule,
        Severity::Alert,
        format!(
            "outbox {} stays, and who holds its row is unknown; idle in a transaction for long: {}",
            head.outbox.short(),
            text::counted(facts.idle_sessions.len(), "session")
        ),
        "stop that process first: ending its backend alone would make it send again when it wakes",
    )
    .because_all(facts.idle_sessions.iter().map(|one| match &one.client {
        Some(client) => format!("{}, from {client}", one.describe(facts.now)),
        None => one.describe(facts.now),
    }))
    .because(lock_line(head))
    .because_all(younger.then(|| "younger outboxes leave meanwhile".to_owned()))
    .because(pass_line(facts, head))
    .because(age_of(facts, head))
    .about(about(head))
}

/// An old outbox is open, and this is the first look.
fn not_known_yet(facts: &Facts, head: &Head) -> Finding {
    Finding::new(
        Rule::WorkerIdle,
        Severity::Warning,
        format!("outbox {} is old: whether anything leaves is not known yet", head.outbox.short()),
        "look again in a few seconds: only two looks can tell what moves",
    )
    .because(pass_line(facts, head))
    .because(lock_line(head))
    .because(age_of(facts, head))
    .about(about(head))
}

fn held(facts: &Facts, head: &Head, severity: Severity) -> Finding {
    let next = if head.is_sound() {
        "look into the service's log for \"Outbox Send Fault\" of this message; its text is well-formed"
    } else {
        "look into the service's log for \"Outbox Send Fault\" of this message"
    };
    Finding::new(
        Rule::HeldHead,
        severity,
        format!(
            "outbox {} stays{}: its delivery fails",
            head.outbox.short(),
            if leaving(facts, head) == Leaving::Younger { " while younger ones leave" } else { "" }
        ),
        next,
    )
    .because(lock_line(head))
    .because(pass_line(facts, head))
    .because_all(next_line(head))
    .because(age_of(facts, head))
    .about(about(head))
}

fn idle(facts: &Facts, limits: &Thresholds, head: &Head, severity: Severity) -> Finding {
    let last = facts.heads.iter().filter_map(|one| match one.pass {
        LastPass::At(at) => Some(at),
        LastPass::NoneCommitted | LastPass::Unreadable => None,
    });
    let last = last.max();
    let since = last.max(facts.last_delivered).map_or_else(
        || format!("no pass has committed on any of {} open outboxes", facts.open),
        |at| format!("no delivery on any of {} open outboxes since {}", facts.open, moment(at)),
    );
    let suspected = facts.movement.is_none_or(|seen| facts.now - seen.since < limits.stalled)
        || attempts(facts, head) == Attempts::Unknown;
    let guess =
        if suspected { "a stalled worker is suspected" } else { "the delivery worker is idle" };
    let body = if head.is_sound() {
        Some("its text is well-formed, so no message stands in the way")
    } else if head.poison().iter().any(Poison::blocks) {
        Some("it cannot leave as it is, but an attempt at it would have left its time in lock_id")
    } else if !head.poison().is_empty() {
        Some("its message would be passed over, so it does not stand in the way")
    } else {
        None
    };
    Finding::new(
        Rule::WorkerIdle,
        severity,
        format!("{since}: {guess}"),
        "start the service (or the relay), or look at why its bus is not healthy",
    )
    .because(certainty(facts, limits))
    .because(pass_line(facts, head))
    .because(lock_line(head))
    .because_all(body.map(str::to_owned))
    .because(match &facts.broker {
        Reached::Answers => "the broker answers us: it is the worker that does nothing".to_owned(),
        Reached::NotAsked => {
            "the broker was not asked by us: one that is away looks the same from here".to_owned()
        }
        other => other.evidence(),
    })
    .because(age_of(facts, head))
    .about(about(head))
}

/// What waits with the head, as far as it was looked at.
fn behind(facts: &Facts) -> Option<String> {
    let blast = facts.blast.filter(|blast| blast.outboxes.number() > 0)?;
    let value = blast.value.map_or_else(String::new, |value| format!(", worth {value} together"));
    let orders = if blast.orders == Tally::Exact(1) {
        "1 order".to_owned()
    } else {
        format!("{} orders", blast.orders)
    };
    Some(format!("{} outboxes behind the oldest were looked at: {orders}{value}", blast.outboxes))
}

fn blocks(facts: &Facts, head: &Head) -> Finding {
    let behind_it = match facts.open {
        Tally::Exact(open) => Tally::Exact(open - 1),
        other => other,
    };
    Finding::new(
        Rule::HeadBlocks,
        Severity::Alert,
        if behind_it == Tally::Exact(1) {
            format!("1 outbox waits behind outbox {}, the oldest", head.outbox.short())
        } else {
            format!("{behind_it} outboxes wait behind outbox {}, the oldest", head.outbox.short())
        },
        "clear the head; the rest follows in order by itself",
    )
    .because("a single worker takes the oldest outbox first, every time")
    .because_all(behind(facts))
    .about(about(head))
}

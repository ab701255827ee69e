//! The rules about bus outboxes: who should send, what stands in the way, what waits behind it.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Facts, Finding, Head, Held, Lock, Poison, Reached, Rule, Severity, Subject, Tally, Thresholds,
    blocker,
};
use crate::domain::{
    age::{self, Age},
    burn::Drain,
    id_clock::LastPass,
};

/// A pass younger than this means that somebody tries right now: MassTransit gives up a send after 10 s.
const TRYING: TimeDelta = TimeDelta::minutes(2);
/// Clocks of the same machine room that differ by more than this are told.
const SKEW: TimeDelta = TimeDelta::seconds(2);

/// What somebody holds on purpose, so that nobody looks for another cause.
fn by_hand(facts: &Facts) -> Option<Finding> {
    let first = facts.held.first()?;
    let count = facts.held.len();
    let outboxes =
        if count == 1 { "1 outbox is".to_owned() } else { format!("{count} outboxes are") };
    let since = |held: &Held| {
        let age = Age::of(held.since, facts.now);
        format!("outbox {} by {} for {age}", held.outbox.short(), held.by)
    };
    let finding = Finding::new(
        Rule::Held,
        Severity::Note,
        format!("{outboxes} held by hand: the relay leaves them alone"),
        format!("`orderscope messages release {}` lets the oldest go", first.outbox),
    );
    Some(
        finding
            .because_all(facts.held.iter().take(10).map(since))
            .about(Subject::Outbox(first.outbox)),
    )
}

pub(super) fn findings(facts: &Facts, limits: &Thresholds) -> Vec<Finding> {
    let mut out = vec![];
    if let Some(head) = blocker(facts, limits) {
        out.extend(standstill(facts, limits, head));
    }
    out.extend(by_hand(facts));
    out.extend(backlog(facts, limits));
    out.extend(undeliverable(facts));
    if facts.orphans.number() > 0 {
        out.push(
            Finding::new(
                Rule::Orphans,
                Severity::Warning,
                format!(
                    "{} without an owner: nothing will ever send them",
                    messages(facts.orphans)
                ),
                "archive them, or publish them again as new messages of the service",
            )
            .because("neither outbox_state nor inbox_state has a row for them")
            .about(Subject::Orphans),
        );
    }
    if !facts.missing_indexes.is_empty() {
        let list = facts.missing_indexes.join(", ");
        out.push(
            Finding::new(
                Rule::MissingIndexes,
                Severity::Warning,
                format!("the service's own queries lack an index on {list}"),
                "let the service create the indexes that MassTransit's model names",
            )
            .because(
                "every poll reads the whole table; figures here cover the oldest messages only",
            ),
        );
    }
    out.extend(skew(facts));
    out.extend(bypassed(facts));
    if facts.expired.number() > 0 {
        out.push(
            Finding::new(
                Rule::Expired,
                Severity::Warning,
                format!("{} pending past the expiration time", messages(facts.expired)),
                "decide whether the receivers still need them before the worker runs again",
            )
            .because("they would still be sent, with one second to live: consumers would rarely see them")
            .about(Subject::Expired),
        );
    }
    if facts.movement.is_some_and(|seen| seen.stutters) && facts.bus.number() > 0 {
        out.push(
            Finding::new(
                Rule::Stuttering,
                Severity::Note,
                "the drain comes in bursts with pauses of seconds: no fault",
                "nothing; MassTransit's own workers collide and back off",
            )
            .because("the backlog shrinks in bursts, no pause lasted a minute"),
        );
    }
    out
}

/// `1 message`, `~2,000 messages`
pub(super) fn messages(count: Tally) -> String {
    if count == Tally::Exact(1) { "1 message".to_owned() } else { format!("{count} messages") }
}

fn moment(at: DateTime<Utc>) -> String {
    at.format("%F %TZ").to_string()
}

/// The oldest open outbox should have left long ago: why has it not?
fn standstill(facts: &Facts, limits: &Thresholds, head: &Head) -> Vec<Finding> {
    let poison: &[Poison] =
        head.next.as_ref().and_then(|next| next.poison.as_deref()).unwrap_or_default();
    let mut out = vec![];
    let severity =
        if is_stalled(facts, limits, head) { Severity::Alert } else { Severity::Warning };
    let younger = younger_leave(facts, head);
    let blocked = if let Some(worst) = poison.first() {
        out.push(poisoned(facts, head, worst, poison));
        poison.iter().any(Poison::blocks)
    } else if let Lock::Held(holder) = &head.lock {
        out.push(held_by(facts, head, holder, younger));
        true
    } else if younger {
        out.push(held(facts, head, severity));
        false
    } else if let (LastPass::At(pass), None) = (head.pass, head.cursor) {
        out.push(refused(facts, head, pass, severity));
        true
    } else if let Reached::Unreachable(why) = &facts.broker {
        out.push(away(facts, limits, head, why, severity));
        false
    } else {
        out.push(idle(facts, limits, head, severity));
        false
    };
    if blocked && facts.open.number() > 1 {
        out.push(blocks(facts, head));
    }
    out
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
        None => "suspected: judged by ages alone, no samples yet".to_owned(),
    }
}

/// Whether something younger than the head was delivered.
fn younger_leave(facts: &Facts, head: &Head) -> bool {
    let left = facts.movement.and_then(|seen| seen.last_leaving);
    let sampled = left.is_some_and(|at| facts.now - at < TRYING && at > head.created);
    let recorded =
        facts.last_delivered.is_some_and(|at| facts.now - at < TRYING && at > head.created);
    let started = facts.heads.iter().skip(1).any(|other| other.cursor.is_some());
    sampled || recorded || started
}

fn age_of(facts: &Facts, head: &Head) -> String {
    format!(
        "the oldest open outbox {} was created {} ({} ago)",
        head.outbox.short(),
        moment(head.created),
        Age::of(head.created, facts.now)
    )
}

fn next_line(head: &Head) -> Option<String> {
    let next = head.next.as_ref()?;
    let kind = next.kind.rsplit(':').next().unwrap_or(&next.kind);
    Some(format!("its next message is seq {}, {kind}", next.sequence))
}

fn pass_line(facts: &Facts, head: &Head) -> String {
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

fn about(head: &Head) -> Subject {
    head.next.as_ref().map_or(Subject::Outbox(head.outbox), |next| Subject::Message(next.sequence))
}

fn poisoned(facts: &Facts, head: &Head, worst: &Poison, all: &[Poison]) -> Finding {
    let seq = head.next.as_ref().map_or(0, |next| next.sequence);
    let severity =
        if worst.blocks() && head.pending > 0 { Severity::Alert } else { Severity::Warning };
    let next = match worst {
        Poison::NoDestination => "give it a destination before the worker comes to it",
        _ => {
            "repair the message, or quarantine it with a copy; the service reads it again at every attempt"
        }
    };
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
    .because(worst.effect())
    .because(pass_line(facts, head))
    .because(age_of(facts, head))
    .about(about(head))
}

fn held_by(facts: &Facts, head: &Head, holder: &super::Backend, younger: bool) -> Finding {
    let rule = if younger { Rule::HeldHead } else { Rule::LockHolder };
    let long = holder.since.is_some_and(|at| facts.now - at >= TimeDelta::minutes(1));
    let severity = if long { Severity::Alert } else { Severity::Warning };
    Finding::new(
        rule,
        severity,
        format!("outbox {} is held by {}", head.outbox.short(), holder.told(facts.now)),
        "stop that process first: ending its backend alone would make it send again when it wakes",
    )
    .because("`idle in transaction` is MassTransit sending, or a frozen process")
    .because_all(holder.client.iter().map(|client| format!("it comes from {client}")))
    .because_all(younger.then(|| "younger outboxes leave meanwhile".to_owned()))
    .because(pass_line(facts, head))
    .because(age_of(facts, head))
    .about(about(head))
}

fn lock_line(head: &Head) -> String {
    match &head.lock {
        Lock::Free => "nobody holds its row".to_owned(),
        Lock::Held(holder) => format!("backend {} holds its row", holder.pid),
        Lock::Unknown => "lock state unknown".to_owned(),
    }
}

fn held(facts: &Facts, head: &Head, severity: Severity) -> Finding {
    Finding::new(
        Rule::HeldHead,
        severity,
        format!("outbox {} stays while younger ones leave: its delivery fails", head.outbox.short()),
        "look into the service's log for \"Outbox Send Fault\" of this message; its text is well-formed",
    )
    .because(lock_line(head))
    .because(pass_line(facts, head))
    .because_all(next_line(head))
    .because(age_of(facts, head))
    .about(about(head))
}

fn refused(facts: &Facts, head: &Head, pass: DateTime<Utc>, severity: Severity) -> Finding {
    let tries = facts.now - pass < TRYING;
    let what = if tries {
        "a worker tries, but the broker does not take the head's message"
    } else {
        "the last attempt sent nothing, and nobody has tried since: the broker refused or was away"
    };
    let untried =
        facts.heads.iter().skip(1).filter(|one| one.pass == LastPass::NoneCommitted).count();
    let looked = facts.heads.len().saturating_sub(1);
    Finding::new(
        Rule::BrokerRefused,
        severity,
        format!("outbox {}: {what}", head.outbox.short()),
        "look at the broker (running, reachable, permissions, exchange of the same type) and at the \
         service's log; while the bus is unhealthy the service waits without a trace",
    )
    .because(pass_line(facts, head))
    .because("that pass moved no cursor: nothing was recorded as sent")
    .because(format!("{untried} of the {looked} next outboxes were never tried: the head comes first"))
    .because("the head's text is well-formed: headers, properties, destination and body can be read")
    .because(facts.broker.evidence())
    .because_all(next_line(head))
    .because(age_of(facts, head))
    .about(about(head))
}

/// Nothing tries, and the broker answers nobody: a service whose bus is not connected waits without a trace, so
/// it is not the worker that has to be looked at.
fn away(facts: &Facts, limits: &Thresholds, head: &Head, why: &str, severity: Severity) -> Finding {
    Finding::new(
        Rule::BrokerRefused,
        severity,
        "no worker tries, and the broker cannot be reached: nothing leaves before it is back",
        "bring the broker back, or correct relay.broker if the service uses another one; then everything leaves \
         by itself",
    )
    .because(format!("asked by us: {why}"))
    .because("a service whose bus is not connected waits without a trace: its worker may be well")
    .because(certainty(facts, limits))
    .because(pass_line(facts, head))
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
    let suspected = facts.movement.is_none_or(|seen| facts.now - seen.since < limits.stalled);
    let guess =
        if suspected { "a stalled worker is suspected" } else { "the delivery worker is idle" };
    let text = head.next.as_ref().is_some_and(|next| next.poison.is_some());
    Finding::new(
        Rule::WorkerIdle,
        severity,
        format!("{since}: {guess}"),
        "start the service (or the relay), or look at why its bus is not healthy",
    )
    .because(certainty(facts, limits))
    .because(pass_line(facts, head))
    .because(lock_line(head))
    .because_all(
        text.then(|| "the head's text is well-formed, so no message stands in the way".to_owned()),
    )
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

fn blocks(facts: &Facts, head: &Head) -> Finding {
    let behind = match facts.open {
        Tally::Exact(open) => Tally::Exact(open - 1),
        other => other,
    };
    let mut finding = Finding::new(
        Rule::HeadBlocks,
        Severity::Alert,
        if behind == Tally::Exact(1) {
            format!("1 outbox waits behind outbox {}, the oldest", head.outbox.short())
        } else {
            format!("{behind} outboxes wait behind outbox {}, the oldest", head.outbox.short())
        },
        "clear the head; the rest follows in order by itself",
    )
    .because("a single worker takes the oldest outbox first, every time")
    .about(about(head));
    if let Some(blast) = facts.blast {
        let value =
            blast.value.map_or_else(String::new, |value| format!(", worth {value} together"));
        let orders = if blast.orders == Tally::Exact(1) {
            "1 order".to_owned()
        } else {
            format!("{} orders", blast.orders)
        };
        finding = finding.because(format!(
            "{} outboxes behind it were looked at: {orders}{value}",
            blast.outboxes
        ));
    }
    finding
}

fn backlog(facts: &Facts, limits: &Thresholds) -> Option<Finding> {
    let pending = facts.pending();
    (pending.number() > limits.backlog).then(|| {
        let drain = match facts.movement.map(|seen| seen.drain) {
            Some(Drain::In { likely, .. }) => {
                format!("at the present rate it is gone in {}", age::length(likely))
            }
            Some(Drain::Never) => "it does not shrink".to_owned(),
            Some(Drain::Empty | Drain::Unknown) | None => "its rate is not known yet".to_owned(),
        };
        Finding::new(
            Rule::Backlog,
            Severity::Alert,
            format!(
                "{} not recorded as delivered, the limit is {}",
                messages(pending),
                super::thousands(limits.backlog)
            ),
            "find the cause above; after a crash up to 100 messages a worker may be out already",
        )
        .because(drain)
    })
}

fn undeliverable(facts: &Facts) -> Option<Finding> {
    (facts.undeliverable.number() > 0).then(|| {
        Finding::new(
            Rule::Undeliverable,
            Severity::Warning,
            format!("{} pending with no destination, or one that cannot be used", messages(facts.undeliverable)),
            "repair them before they come to the head of the line: without a destination they would be \
             lost, with a wrong one they would block",
        )
        .about(Subject::Undeliverable)
    })
}

fn skew(facts: &Facts) -> Option<Finding> {
    let application = facts.newest.map(|at| at - facts.now).filter(|ahead| *ahead > SKEW);
    let console = facts.our_clock.map(|at| (at - facts.now).abs()).filter(|apart| *apart > SKEW);
    let what = match (application, console) {
        (Some(ahead), _) => {
            format!("the application's clock is {} ahead of the database's", age::length(ahead))
        }
        (None, Some(apart)) => {
            format!("this machine's clock and the database's are {} apart", age::length(apart))
        }
        (None, None) => return None,
    };
    let next =
        "bring the clocks together; ages here go by the database's clock and are never negative";
    Some(
        Finding::new(Rule::ClockSkew, Severity::Warning, what, next)
            .because("messages are stamped by the application, ages are taken from the server"),
    )
}

/// Orders go on, but the outbox never saw a message.
fn bypassed(facts: &Facts) -> Option<Finding> {
    let never = facts.written.inserted == Some(0) && facts.written.numbered != Some(true);
    let event = facts.written.newest_event?;
    let empty = facts.pending().number() == 0 && facts.newest.is_none();
    (never && empty).then(|| {
        Finding::new(
            Rule::Bypassed,
            Severity::Warning,
            "the outbox is bypassed: events are written, but never a message",
            "let the service publish through the scoped IPublishEndpoint and call SaveChanges after it; \
             IBus sends at once, without the outbox",
        )
        .because("outbox_message has had no insert since its statistics began and has drawn no number")
        .because(format!("the newest event is of {}", moment(event)))
    })
}

//! The rules about outboxes as a whole: how much waits, what is held, lost or never written.

use chrono::TimeDelta;

use super::{Facts, Finding, Paused, Rule, Severity, Subject, Tally, Thresholds, bypass, stalled};
use crate::domain::{
    age::{self, Age},
    backlog::Drain,
    text::thousands,
};

/// Clocks that differ by more than this are reported.
const SKEW: TimeDelta = TimeDelta::seconds(2);

/// Outboxes that operators paused, so that nobody looks for another cause.
fn by_hand(facts: &Facts) -> Option<Finding> {
    let first = facts.paused.first()?;
    let count = facts.paused.len();
    let outboxes =
        if count == 1 { "1 outbox is".to_owned() } else { format!("{count} outboxes are") };
    let since = |held: &Paused| {
        let age = Age::of(held.since, facts.now);
        format!("outbox {} by {} for {age}", held.outbox.short(), held.by)
    };
    let finding = Finding::new(
        Rule::PausedOutbox,
        Severity::Note,
        format!("{outboxes} held by hand: the relay leaves them alone"),
        format!("`orderscope messages release {}` lets the oldest go", first.outbox),
    );
    Some(
        finding
            .because_all(facts.paused.iter().take(10).map(since))
            .about(Subject::Outbox(first.outbox)),
    )
}

pub(super) fn findings(facts: &Facts, limits: &Thresholds) -> Vec<Finding> {
    let mut out = stalled::findings(facts, limits);
    out.extend(by_hand(facts));
    let explained = !out.is_empty();
    out.extend(backlog(facts, limits, explained));
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
                "`orderscope messages quarantine SEQ` takes one out with a copy, and `orderscope messages requeue COPY` \
                 puts it into an outbox of its own, from which it leaves",
            )
            .because("neither outbox_state nor inbox_state has a row for them")
            .because("`orderscope messages list --view orphan` lists them")
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
    out.extend(bypass::finding(facts));
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
    let noun = if count.number() == 1 { "message" } else { "messages" };
    format!("{count} {noun}")
}

fn backlog(facts: &Facts, limits: &Thresholds, explained: bool) -> Option<Finding> {
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
                thousands(limits.backlog)
            ),
            if explained {
                "see to the findings above; after a crash up to 100 messages a worker may be out already"
            } else {
                "look at the service's log and at the broker: the tables show no other cause"
            },
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
            if facts.managed {
                "repair them: the relay holds their outboxes and delivers the others"
            } else {
                "repair them before they come to the head of the line: without a destination they would be \
                 lost, with a wrong one they would block"
            },
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

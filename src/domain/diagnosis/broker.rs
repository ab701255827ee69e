//! The rules about a broker that takes nothing: from us, from the service, or of one exchange.

use chrono::{DateTime, Utc};

use super::{
    Facts, Finding, Head, REMOVE_EXCHANGE, Reached, Rule, Severity, Thresholds, blocker,
    head::{Attempts, TRYING, about, age_of, attempts, next_line, pass_line},
};
use crate::domain::id_timestamp::LastPass;

/// A broker that does not let us in is told at once, whatever the tables say: nothing in them could be sent by us, and
/// a service whose bus is not connected waits without a trace.
pub(super) fn unreachable(facts: &Facts, limits: &Thresholds) -> Option<Finding> {
    let leaves = facts.movement.and_then(|seen| seen.last_leaving);
    let leaves = leaves.is_some_and(|at| facts.now - at < TRYING);
    let severity = if leaves { Severity::Warning } else { Severity::Alert };
    let meanwhile =
        "messages leave meanwhile: the service has another broker, or another way to it";
    let (what, next, why) = match &facts.broker {
        Reached::NotAsked | Reached::Answers => return None,
        Reached::Unreachable(why) if leaves => (
            "the broker cannot be reached from here",
            "correct relay.broker if the service uses another one",
            why,
        ),
        Reached::Unreachable(why) => (
            "the broker cannot be reached: nothing leaves before it is back",
            "bring the broker back, or correct relay.broker if the service uses another one; then everything \
             leaves by itself",
            why,
        ),
        Reached::Refused(why) => (
            "the broker answers, but refuses our own login",
            "correct the user, the password or the virtual host in relay.broker, or give that user its rights; the \
             service has a login of its own, which may be refused as well",
            why,
        ),
    };
    let head = blocker(facts, limits).or_else(|| facts.heads.first());
    let tries = head.map(|head| match attempts(facts, head) {
        Attempts::Ongoing => "a worker tries at this time",
        Attempts::Ended | Attempts::Never | Attempts::Unknown => {
            "no worker is seen to try: one whose bus is not connected waits without a trace"
        }
    });
    let finding = Finding::new(Rule::BrokerRefused, severity, what, next)
        .because(format!("asked by us: {why}"))
        .because_all(leaves.then(|| meanwhile.to_owned()))
        .because_all(tries.filter(|_| !leaves).map(str::to_owned))
        .because_all(head.map(|head| age_of(facts, head)));
    Some(match head {
        Some(head) => finding.about(about(head)),
        None => finding,
    })
}

/// The head's exchange is there with another type.
pub(super) fn wrong_exchange(facts: &Facts, head: &Head) -> Option<Finding> {
    let to = head.next.as_ref()?.destination.as_deref()?;
    let wrong = facts.wrong_exchange(to)?;
    Some(
        Finding::new(
            Rule::BrokerRefused,
            Severity::Alert,
            format!("outbox {}: {}", head.outbox.short(), wrong.describe()),
            REMOVE_EXCHANGE,
        )
        .because("asked of the broker's management interface")
        .because(pass_line(facts, head))
        .because_all(next_line(head))
        .because(age_of(facts, head))
        .about(about(head)),
    )
}

pub(super) fn refused(
    facts: &Facts,
    head: &Head,
    pass: DateTime<Utc>,
    severity: Severity,
) -> Finding {
    let what = if attempts(facts, head) == Attempts::Ongoing {
        "a worker tries, but the broker does not take the head's message"
    } else {
        "the last attempt sent nothing, and nobody has tried since: the broker refused or was away"
    };
    let others = facts.heads.iter().filter(|one| one.outbox != head.outbox);
    let untried = others.clone().filter(|one| one.pass == LastPass::NoneCommitted).count();
    let looked = others.count();
    let sound = "its text is well-formed: headers, properties, destination and body can be read";
    Finding::new(
        Rule::BrokerRefused,
        severity,
        format!("outbox {}: {what}", head.outbox.short()),
        "look at the broker (running, reachable, permissions, exchange of the same type) and at the \
         service's log; while the bus is unhealthy the service waits without a trace",
    )
    .because(pass_line(facts, head))
    .because(format!(
        "the pass of {} moved no cursor: nothing was recorded as sent",
        pass.format("%TZ")
    ))
    .because(format!("{untried} of the {looked} next outboxes were never tried: the head comes first"))
    .because_all(head.is_sound().then(|| sound.to_owned()))
    .because(facts.broker.evidence())
    .because_all(next_line(head))
    .because(age_of(facts, head))
    .about(about(head))
}

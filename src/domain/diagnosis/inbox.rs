//! The rules about the inbox: failing consumers, half-done ones, and a clean-up that is blocked.

use super::{
    Facts, Finding, HalfDone, Inbound, Lock, REMOVE_EXCHANGE, Reached, Rule, Severity, Subject,
    Tally, Thresholds, bus::messages,
};
use crate::domain::age::{self, Age};

/// More committed passes than this on a row that is not delivered are an endless loop.
const LOOPING: i32 = 100;
/// Fewer second deliveries than this in an hour happen whenever a service restarts.
const FEW: i64 = 10;

pub(super) fn findings(facts: &Facts, limits: &Thresholds) -> Vec<Finding> {
    [half_done(facts, limits), failing(facts), duplicates(facts, limits), cleanup(facts, limits)]
        .into_iter()
        .flatten()
        .collect()
}

/// Whether only an operator can finish it: pending rows, old enough, not locked, the broker up, and the message that
/// the consumer worked on in no queue.
pub(super) fn is_dangerous(row: &HalfDone, facts: &Facts, limits: &Thresholds) -> bool {
    row.pending > 0
        && facts.now - row.consumed >= limits.held
        && row.lock == Lock::Free
        && facts.broker == Reached::Answers
        && row.inbound == Inbound::Gone
}

fn half_done(facts: &Facts, limits: &Thresholds) -> Option<Finding> {
    let inbox = &facts.inbox;
    let old = |row: &&HalfDone| facts.now - row.consumed >= limits.held;
    let first = inbox.halves.iter().find(old)?;
    let dangerous: Vec<_> =
        inbox.halves.iter().filter(|row| is_dangerous(row, facts, limits)).collect();
    let without_destination =
        inbox.halves.iter().find(|row| row.without_destination || row.passes > LOOPING);
    let refused = inbox.halves.iter().filter(old).find_map(|row| {
        let wrong = row.destinations.iter().find_map(|to| facts.wrong_exchange(to))?;
        Some((row, wrong))
    });
    let pending: i64 = inbox.halves.iter().map(|row| row.pending).sum();
    let looked = i64::try_from(inbox.halves.len()).unwrap_or(i64::MAX);
    let cut = inbox.half_done.number() > looked;
    let waiting = format!(
        "{} consumed, {} of theirs not recorded as delivered",
        messages(inbox.half_done),
        messages(if cut { Tally::AtLeast(pending) } else { Tally::Exact(pending) })
    );
    let oldest = format!(
        "the oldest, message {}, was consumed {} ago",
        first.message.short(),
        Age::of(first.consumed, facts.now)
    );
    let finding = if let Some(row) = dangerous.first() {
        Finding::new(
            Rule::HalfDone,
            Severity::Alert,
            if cut {
                format!(
                    "{waiting}: of the {looked} looked into {} will never be redelivered",
                    dangerous.len()
                )
            } else {
                format!("{waiting}: {} of them will never be redelivered", dangerous.len())
            },
            "deliver them: the broker is up, and their inbound message is in no queue any more",
        )
        .because("the business change is committed, its messages are missing")
        .about(Subject::Inbox(row.message))
    } else if let Some(row) = without_destination {
        Finding::new(
            Rule::HalfDone,
            Severity::Alert,
            format!("message {} repeats without end: {} passes", row.message.short(), row.passes),
            "give the consumer's message a destination",
        )
        .because("a consumer's message without a destination lets MassTransit repeat the same pass for ever")
        .because(waiting)
        .about(Subject::Inbox(row.message))
    } else if let Some((row, wrong)) = refused {
        Finding::new(
            Rule::HalfDone,
            Severity::Alert,
            format!("message {}: {}", row.message.short(), wrong.describe()),
            REMOVE_EXCHANGE,
        )
        .because(format!("consumer {}", row.consumer.short()))
        .because(waiting)
        .about(Subject::Inbox(row.message))
    } else {
        let cause = match &facts.broker {
            Reached::Unreachable(_) => "the broker does not answer: they go on when it is back",
            Reached::Answers if inbox.halves.iter().all(|row| row.inbound == Inbound::Waits) => {
                "their inbound messages lie in their queues, delay or error queues: they come again"
            }
            Reached::Answers if inbox.halves.iter().any(|row| row.inbound == Inbound::Waits) => {
                "some of their inbound messages lie in a queue or error queue, others were not found for sure"
            }
            Reached::Answers => {
                "the broker answers; whether their inbound messages still lie in a queue could not be told"
            }
            Reached::Refused(_) => {
                "the broker refuses our login: whether their inbound messages still wait is not known"
            }
            Reached::NotAsked => {
                "the broker was not asked: whether their inbound message still waits is not known"
            }
        };
        Finding::new(
            Rule::HalfDone,
            Severity::Warning,
            format!("{waiting}: they wait for redelivery"),
            "usually nothing: the service finishes them when the message comes again; otherwise look for \
             the inbound message in its queue and error queue",
        )
        .because(cause)
        .about(Subject::Inbox(first.message))
    };
    Some(finding.because(oldest).because_all(cut.then(|| {
        format!("only the {looked} received first were looked into: of the others nothing is known")
    })))
}

fn failing(facts: &Facts) -> Option<Finding> {
    let inbox = &facts.inbox;
    let since = inbox.oldest_failing.filter(|_| inbox.failing.number() > 0)?;
    let by = inbox.consumers.iter().filter(|one| one.failing > 0);
    let by: Vec<_> = by.map(|one| format!("{} {}", one.name, one.failing)).collect();
    Some(
        Finding::new(
            Rule::Failing,
            Severity::Warning,
            format!("{} received, but no attempt of a consumer succeeded", messages(inbox.failing)),
            "look into the error queues and the service's log: the handlers threw, their work was rolled back",
        )
        .because(format!("the first was received {} ago", Age::of(since, facts.now)))
        .because_all((!by.is_empty()).then(|| format!("by consumer: {}", by.join(", "))))
        .because_all((inbox.failing_unknown > 0).then(|| {
            format!(
                "of {} the lock state is unknown: somebody may be at work on them",
                messages(Tally::Exact(inbox.failing_unknown))
            )
        }))
        .about(Subject::InboxList),
    )
}

/// Messages that come a second time much more often than they should.
fn duplicates(facts: &Facts, limits: &Thresholds) -> Option<Finding> {
    let inbox = &facts.inbox;
    let (all, again) = inbox.recent();
    if again < FEW || again * 100 < all * limits.duplicates {
        return None;
    }
    let mut by: Vec<_> = inbox.consumers.iter().filter(|one| one.recent_duplicates > 0).collect();
    by.sort_by_key(|one| std::cmp::Reverse(one.recent_duplicates));
    let by: Vec<_> =
        by.iter().take(5).map(|one| format!("{} {}", one.name, one.recent_duplicates)).collect();
    Some(
        Finding::new(
            Rule::Duplicates,
            Severity::Alert,
            format!(
                "{again} of the {all} deliveries of messages received in the last hour came a second time"
            ),
            "look for what sends twice: a relay or worker that was killed and started again, a broker that \
             redelivers because acknowledgements do not arrive, a replay of an error queue",
        )
        .because(format!(
            "the inbox caught them, nothing was done twice; after the window of {} it no longer would",
            age::length(limits.window)
        ))
        .because(format!("by consumer: {}", by.join(", ")))
        .because("passes beyond three are exact where a consumer produces nothing, else estimated")
        .about(Subject::InboxList),
    )
}

fn cleanup(facts: &Facts, limits: &Thresholds) -> Option<Finding> {
    let inbox = &facts.inbox;
    // In a database of our own the delivered rows are kept on purpose.
    if facts.managed || inbox.blocking_cleanup.number() == 0 {
        return None;
    }
    let finding = Finding::new(
        Rule::CleanUpBlocked,
        Severity::Warning,
        format!(
            "the inbox clean-up is blocked: {} delivered, but still referred to by outbox rows",
            messages(inbox.blocking_cleanup)
        ),
        "`orderscope messages purge-consumed` removes the delivered messages that refer to them, with copies; \
             the service then cleans up by itself",
    )
    .because(format!(
        "{} are past the window of {} and should be gone; each clean-up fails on the oldest (23503)",
        messages(inbox.past_window),
        age::length(limits.window)
    ));
    Some(match inbox.blocker {
        Some(message) => finding.about(Subject::Inbox(message)),
        None => finding.about(Subject::InboxList),
    })
}

//! The rule that finds an application which publishes without the outbox: events are still written, messages are not.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Facts, Finding, Rule, Severity, moment};
use crate::domain::text;

/// A younger event proves nothing: its message is written by the same commit, by clocks of their own.
const SETTLED: TimeDelta = TimeDelta::seconds(10);
/// An older event says nothing about the present.
const RECENT: TimeDelta = TimeDelta::days(1);
/// The time span for rates; see `backlog`.
const RATED: TimeDelta = TimeDelta::minutes(5);

/// Events that ask for a message were written, and not one message with them or after them. Rows are no proof, as the
/// service deletes what it delivered; the numbers that messages draw are.
pub(super) fn finding(facts: &Facts) -> Option<Finding> {
    let (since, why) = silent(facts)?;
    let told: Vec<_> = facts
        .written
        .events
        .iter()
        .filter(|at| (SETTLED..RECENT).contains(&(facts.now - **at)))
        .filter(|at| since.is_none_or(|since| **at > since + SETTLED))
        .collect();
    let newest = told.first()?;
    let what = match (since, told.len()) {
        (None, _) => "events are written, but never a message".to_owned(),
        (Some(since), 1) => format!("an event was written since {}, but no message", moment(since)),
        (Some(since), count) => {
            format!("{count} events were written since {}, but no message", moment(since))
        }
    };
    Some(
        Finding::new(
            Rule::Bypassed,
            Severity::Warning,
            format!("the outbox is bypassed: {what}"),
            "let the service publish through the scoped IPublishEndpoint and call SaveChanges after it; \
             IBus sends at once, without the outbox",
        )
        .because(why)
        .because(format!("the newest of these events is of {}", moment(**newest))),
    )
}

/// Since when no message was written, and how that is known; no moment where there never was one.
fn silent(facts: &Facts) -> Option<(Option<DateTime<Utc>>, String)> {
    let written = &facts.written;
    let empty = facts.pending().known() == Some(0) && facts.newest.is_none();
    if empty && written.inserted == Some(0) && written.drawn.is_none_or(|drawn| drawn == 0) {
        let why =
            "outbox_message has had no insert since its statistics began and has drawn no number";
        return Some((None, why.to_owned()));
    }
    // Whatever came later would have drawn another number, even if it has left since.
    let drew_last = |(number, _): &(i64, _)| written.drawn == Some(number + written.put_back);
    if let Some((number, sent)) = written.newest.filter(drew_last) {
        let why = match written.put_back {
            0 => format!("the newest message, seq {number}, drew the last number"),
            count => format!(
                "but for {} that operators put back, the newest, seq {number}, drew the last number",
                text::counted(count, "message")
            ),
        };
        return Some((Some(sent), why));
    }
    let still = facts.movement.filter(|seen| seen.drawn == Some(0))?;
    let at = still.since.max(facts.now - RATED);
    Some((Some(at), format!("by our own samples no message drew a number since {}", moment(at))))
}

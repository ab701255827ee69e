//! Where the order summary document stands.

use super::{Agreement, Difference, Projection, Since, Sources, Summary, since};
use crate::domain::{
    diff::{Datum, Field},
    id::{SeqId, Version},
    order::Order,
    timeline::Timeline,
};

pub(super) fn agreement(sources: &Sources<'_>) -> Agreement {
    let timeline = sources.timeline;
    if timeline.steps().iter().any(|step| step.event.archived) {
        return Agreement::Archived;
    }
    let last = timeline.last_version();
    let expected = match sources.projection {
        Projection::Inline | Projection::Unknown => last,
        Projection::Async { position } => timeline.version_at_seq(position.unwrap_or(SeqId(0))),
    };
    let Some(summary) = sources.summary else {
        return match (order_at(timeline, expected), order_at(timeline, last)) {
            (Some(_), _) if sources.projection == Projection::Unknown => Agreement::Unknown(
                "it has no summary, and where its projection stands is unknown".to_owned(),
            ),
            (Some(_), _) => Agreement::Missing,
            (None, Some(_)) => behind(timeline, expected),
            (None, None) => Agreement::Absent,
        };
    };
    let Some(order) = order_at(timeline, last) else {
        return if last.0 == 0 {
            Agreement::Alone
        } else {
            Agreement::Unknown("no event of it can be read".to_owned())
        };
    };
    let differences = differences(timeline, order, summary);
    if differences.is_empty() {
        return Agreement::Match;
    }
    // The position is read at another moment than the document, which may be further on.
    let on_the_way = (expected.0..last.0)
        .rev()
        .map(Version)
        .find(|version| order_at(timeline, *version).is_some_and(|order| says(summary, order)));
    match (on_the_way, sources.projection) {
        (Some(version), Projection::Async { .. }) => behind(timeline, version),
        (_, Projection::Unknown) => match applied(timeline, summary) {
            Some(version) => Agreement::Unknown(format!(
                "it is right for v{version}; where its projection stands is unknown"
            )),
            None => Agreement::Differs(differences),
        },
        _ => Agreement::Differs(differences),
    }
}

fn order_at(timeline: &Timeline, version: Version) -> Option<&Order> {
    timeline.at_version(version).and_then(|state| state.order())
}

fn behind(timeline: &Timeline, at: Version) -> Agreement {
    Agreement::Behind { at, events: timeline.last_version().0 - at.0 }
}

fn says(summary: &Summary, order: &Order) -> bool {
    summary.status == Some(order.status) && summary.total == Some(order.total)
}

/// The version it was written at, if it is right for that one.
fn applied(timeline: &Timeline, summary: &Summary) -> Option<Version> {
    let version = timeline.version_at_seq(SeqId(summary.mt_version?));
    order_at(timeline, version).filter(|order| says(summary, order)).map(|_| version)
}

fn differences(timeline: &Timeline, order: &Order, summary: &Summary) -> Vec<Difference> {
    let stated = [
        (Field::Status, summary.status.map(Datum::Status)),
        (Field::Total, summary.total.map(Datum::Amount)),
    ];
    stated
        .into_iter()
        .map(|(field, other)| (field, field.of(order), other))
        .filter(|(_, events, other)| events != other)
        .map(|(field, events, other)| {
            let since = if other.is_none() {
                Since::NoEvent
            } else {
                since(timeline, field, other.as_ref())
            };
            Difference { field, events, other, since }
        })
        .collect()
}

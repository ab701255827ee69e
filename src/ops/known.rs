//! What a history means: its events folded into a timeline, its three sources compared.

use super::history::History;
use crate::domain::{
    body,
    compare::{Comparison, Sources, Summary, compare},
    id::Version,
    timeline::{Snapshot, Timeline},
};

/// A history with everything that follows from it.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    pub history: History,
    pub timeline: Timeline,
    pub comparison: Comparison,
    pub snapshot: SnapshotCheck,
}

/// Whether folding from the stream's snapshot gives the same as folding everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SnapshotCheck {
    /// There is none (it is taken every so many versions).
    None,
    Agrees { version: Version },
    Differs { version: Version },
    Unreadable { version: Version, why: String },
}

impl Known {
    /// Folds and compares.
    #[must_use]
    pub fn new(history: History) -> Self {
        let timeline = Timeline::new(history.id, history.events.clone());
        let view = history.summary.as_ref().map(|document| Summary {
            status: body::field(&document.data, "Status").and_then(body::status_of),
            total: body::decimal(&document.data, "TotalPrice").ok().flatten(),
            version: document.version.unwrap_or(0),
        });
        let sources = Sources {
            timeline: &timeline,
            row: history.row.as_ref(),
            view: view.as_ref(),
            position: history.position.summary,
            partial: history.cut || history.coverage.iter().any(|note| note.starts_with("events")),
        };
        let comparison = compare(&sources);
        let snapshot = check_snapshot(&history, &timeline);
        Self { history, timeline, comparison, snapshot }
    }
}

fn check_snapshot(history: &History, timeline: &Timeline) -> SnapshotCheck {
    let stream = history.stream.as_ref();
    let found = stream.and_then(|stream| stream.snapshot.clone());
    let Some(found) = found else { return SnapshotCheck::None };
    let (body, version) = (found.state, Version(i64::from(found.version)));
    // A snapshot counts its own stream's versions; events from elsewhere are not in it.
    let own = |event: &&crate::domain::event::RecordedEvent| {
        event.stream.is_some_and(|stream| stream.0 == history.id.0)
    };
    let events: Vec<_> = history.events.iter().filter(own).cloned().collect();
    if events.len() != history.events.len() {
        return SnapshotCheck::None;
    }
    let status = |order: &crate::domain::order::Order| (order.status, order.total.normalize());
    match Timeline::from_snapshot(history.id, &Snapshot { version, body }, events) {
        Err(why) => SnapshotCheck::Unreadable { version, why },
        Ok(folded) => {
            let full = timeline.at_version(timeline.last());
            if folded.order.as_ref().map(status) == full.order.as_ref().map(status) {
                SnapshotCheck::Agrees { version }
            } else {
                SnapshotCheck::Differs { version }
            }
        }
    }
}

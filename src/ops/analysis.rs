//! What a history means: its events folded into a timeline, its three sources compared.

use super::history::History;
use crate::domain::{
    chain::Chain,
    compare::{Comparison, Projection, Sources, Summary, compare},
    id::Version,
    order::Status,
    snapshot::Snapshot,
    timeline::Timeline,
};

/// A history with everything that follows from it.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderAnalysis {
    pub history: History,
    pub timeline: Timeline,
    pub summary: Option<Summary>,
    pub comparison: Comparison,
    pub snapshot: SnapshotCheck,
    /// What led to each event and what followed from it.
    pub chain: Chain,
}

/// Whether the stream's snapshot says what its events come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SnapshotCheck {
    /// There is none (it is taken every so many versions).
    None,
    Agrees(Version),
    /// The fields that differ.
    Differs(Version, Vec<String>),
    Unfit(Version, String),
}

impl OrderAnalysis {
    /// Folds and compares. `inline`: the database is ours and summary documents are written with the events
    /// (`Layout::projects_inline`); otherwise a projection without a progression row has done nothing yet.
    #[must_use]
    pub fn new(history: History, inline: bool) -> Self {
        let timeline = Timeline::newest(history.id, history.skipped, history.events.clone());
        let summary = history
            .summary
            .as_ref()
            .map(|document| Summary::read(&document.data, document.version));
        let projection = if inline {
            Projection::Inline
        } else {
            Projection::Async { position: history.position.summary }
        };
        let sources = Sources {
            timeline: &timeline,
            row: history.row.as_ref(),
            summary: summary.as_ref(),
            projection,
            history_complete: history.whole,
        };
        let mut comparison = compare(&sources);
        let hidden = &history.hidden;
        comparison = comparison.where_hidden(
            hidden.orders.as_deref(),
            hidden.lines.as_deref(),
            hidden.summaries.as_deref(),
        );
        if history.settling {
            comparison = comparison.while_written();
        }
        let snapshot = check_snapshot(&history, &timeline);
        let chain = Chain::new(&timeline, &history.chain);
        Self { history, timeline, summary, comparison, snapshot, chain }
    }

    /// What the events come to.
    #[must_use]
    pub fn events_status(&self) -> Option<Status> {
        self.timeline.latest().order().map(|order| order.status)
    }

    /// What the row says.
    #[must_use]
    pub fn row_status(&self) -> Option<Status> {
        self.history.row.as_ref().map(|row| row.status)
    }

    /// What the summary view says.
    #[must_use]
    pub fn view_status(&self) -> Option<Status> {
        self.summary.as_ref().and_then(|summary| summary.status)
    }
}

fn check_snapshot(history: &History, timeline: &Timeline) -> SnapshotCheck {
    let stream = history.stream.as_ref();
    let Some(stored) = stream.and_then(|stream| stream.snapshot.as_ref()) else {
        return SnapshotCheck::None;
    };
    let version = Version(i64::from(stored.version));
    let checked = Snapshot::read(version, &stored.state).map(|snapshot| timeline.check(&snapshot));
    match checked {
        Err(unfit) => SnapshotCheck::Unfit(version, unfit.to_string()),
        Ok(None) => SnapshotCheck::Unfit(version, "its version is not in this history".to_owned()),
        Ok(Some(changes)) if changes.is_empty() => SnapshotCheck::Agrees(version),
        Ok(Some(changes)) => {
            let fields = changes.iter().map(|change| change.field.to_string());
            SnapshotCheck::Differs(version, fields.collect())
        }
    }
}

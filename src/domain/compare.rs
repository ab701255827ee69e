//! The three sources in lockstep: events, row and summary view; where they part first, and whether
//! that is drift or only a view on its way.

use rust_decimal::Decimal;

use super::{
    body,
    diff,
    id::{SeqId, Version},
    order::{Order, Status},
    timeline::Timeline,
};

/// The summary view's document, as far as it can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    pub status: Option<Status>,
    pub total: Option<Decimal>,
    /// `mt_version`: with the async daemon the `seq_id` of the last event applied.
    pub version: i64,
}

/// How one source stands to the events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Agreement {
    Same,
    /// It says something else; the first field, what it says and what the events say.
    Differs { field: &'static str, says: String, events: String },
    /// Nothing is there where something should be.
    Missing,
    /// There is nothing, and nothing is expected.
    NotExpected(&'static str),
    /// The view has not got to the newest events yet: lag, not drift.
    Behind,
    /// The events themselves cannot be trusted from some version on.
    Unknown(String),
}

/// The comparison of all three.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    pub events: Option<Status>,
    pub row: Option<Status>,
    pub view: Option<Status>,
    pub row_agrees: Agreement,
    pub view_agrees: Agreement,
    /// The version after which the sources no longer say the same, when that can be told.
    pub parts_at: Option<Version>,
}

impl Comparison {
    /// Whether a source really contradicts the events.
    #[must_use]
    pub fn is_drift(&self) -> bool {
        let wrong = |agreement: &Agreement| {
            matches!(agreement, Agreement::Differs { .. } | Agreement::Missing)
        };
        wrong(&self.row_agrees) || wrong(&self.view_agrees)
    }
}

/// What is compared.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    pub timeline: &'a Timeline,
    pub row: Option<&'a Order>,
    pub view: Option<&'a Summary>,
    /// How far the projection has come; none when it runs inline or never ran.
    pub position: Option<SeqId>,
    /// The history was searched only in part.
    pub partial: bool,
}

/// Compares row and view with the fold of the events.
#[must_use]
pub fn compare(sources: &Sources<'_>) -> Comparison {
    let state = sources.timeline.at_version(sources.timeline.last());
    let events = state.order.as_ref();
    let doubt = match (&state.uncertain, sources.partial) {
        (Some(doubt), _) => Some(format!("from v{} on: {}", doubt.version, doubt.why)),
        (None, true) => Some("not all events were searched".to_owned()),
        (None, false) => None,
    };
    let judged = |agreement: Agreement| match (&doubt, agreement) {
        (Some(why), Agreement::Differs { .. } | Agreement::Missing) => {
            Agreement::Unknown(why.clone())
        }
        (_, agreement) => agreement,
    };
    let row_agrees = judged(row(events, sources.row));
    let view_agrees = judged(view(events, sources));
    let differs = |agreement: &Agreement| matches!(agreement, Agreement::Differs { .. });
    let parts_at = (differs(&row_agrees) || differs(&view_agrees)).then(|| parting(sources)).flatten();
    Comparison {
        events: events.map(|order| order.status),
        row: sources.row.map(|order| order.status),
        view: sources.view.and_then(|view| view.status),
        row_agrees,
        view_agrees,
        parts_at,
    }
}

/// Deleted, restored and the buyer's present data are facts of the row that no event carries.
fn row(events: Option<&Order>, row: Option<&Order>) -> Agreement {
    match (events, row) {
        (None, None) => Agreement::NotExpected("no order of that id"),
        (None, Some(_)) => Agreement::Missing,
        (Some(_), None) => Agreement::Missing,
        (Some(events), Some(row)) => {
            let differs = |field, says: String, events: String| Agreement::Differs { field, says, events };
            if events.status != row.status {
                return differs("status", body::status_name(row.status), body::status_name(events.status));
            }
            if events.total.normalize() != row.total.normalize() {
                return differs("total", row.total.to_string(), events.total.to_string());
            }
            if !diff::same_lines(&events.lines, &row.lines) {
                let count = |order: &Order| format!("{} lines", order.lines.len());
                return differs("lines", count(row), count(events));
            }
            if events.buyer_id.is_some() && events.buyer_id != row.buyer_id {
                let id = |order: &Order| order.buyer_id.map_or("none".to_owned(), |id| id.short());
                return differs("buyer", id(row), id(events));
            }
            Agreement::Same
        }
    }
}

fn view(events: Option<&Order>, sources: &Sources<'_>) -> Agreement {
    let points = sources.timeline.points();
    let newest = points.last().map(|point| point.event.seq);
    let is_archived = points.iter().any(|point| point.event.archived);
    let is_reached = match (sources.position, newest) {
        (Some(position), Some(newest)) => position >= newest,
        _ => true,
    };
    match (events, sources.view) {
        (None, None) => Agreement::NotExpected("no order of that id"),
        (None, Some(_)) => Agreement::Missing,
        // The daemon does not see archived events: with or without a document is right.
        (Some(_), _) if is_archived => Agreement::NotExpected("archived"),
        (Some(_), None) if !is_reached => Agreement::Behind,
        (Some(_), None) => Agreement::Missing,
        (Some(events), Some(view)) => {
            let status = view.status.map_or("unreadable".to_owned(), body::status_name);
            let total = view.total.map_or("unreadable".to_owned(), |total| total.to_string());
            let difference = if view.status != Some(events.status) {
                Some(("status", status, body::status_name(events.status)))
            } else if view.total.map(|t| t.normalize()) != Some(events.total.normalize()) {
                Some(("total", total, events.total.to_string()))
            } else {
                None
            };
            match difference {
                None => Agreement::Same,
                Some(_) if !is_reached => Agreement::Behind,
                Some((field, says, events)) => Agreement::Differs { field, says, events },
            }
        }
    }
}

/// The last version with which row and view still agree is where they part from the events after it.
fn parting(sources: &Sources<'_>) -> Option<Version> {
    let statuses = [sources.row.map(|row| row.status), sources.view.and_then(|view| view.status)];
    let points = sources.timeline.points();
    let newest = points.last()?.state.order.as_ref()?.status;
    let strays = |status: &Option<Status>| status.is_some_and(|status| status != newest);
    let stray = statuses.into_iter().find(strays)??;
    let last_agreeing = points.iter().rev().find(|point| {
        point.state.order.as_ref().is_some_and(|order| order.status == stray)
    });
    // After the last version that the stray source still agrees with.
    Some(last_agreeing.map_or(Version(1), |point| Version(point.version.0 + 1)))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::{
        event::{COMPLETED, PLACED},
        id::OrderId,
        timeline::tests::event,
    };

    fn order(status: Status) -> Order {
        Order {
            id: OrderId(Uuid::max()),
            status,
            note: None,
            buyer_id: None,
            buyer: None,
            lines: vec![],
            total: Decimal::new(6140, 2),
            is_deleted: false,
            created_at: None,
            last_modified_at: None,
            cancel_reason: None,
        }
    }

    fn line() -> Timeline {
        let new = order(Status::New);
        let done = order(Status::Completed);
        Timeline::new(new.id, vec![event(3, PLACED, &new, 0), event(7, COMPLETED, &done, 5)])
    }

    fn summary(status: Status) -> Summary {
        Summary { status: Some(status), total: Some(Decimal::new(614, 1)), version: 3 }
    }

    fn compared(row: Option<&Order>, view: Option<&Summary>, position: Option<i64>) -> Comparison {
        let timeline = line();
        let position = position.map(SeqId);
        compare(&Sources { timeline: &timeline, row, view, position, partial: false })
    }

    #[test]
    fn agreement_is_by_value_and_ignores_what_no_event_carries() {
        let mut row = order(Status::Completed);
        row.is_deleted = true;
        let same = compared(Some(&row), Some(&summary(Status::Completed)), Some(7));
        assert!(!same.is_drift(), "{same:?}");
        assert_eq!((same.row_agrees, same.view_agrees), (Agreement::Same, Agreement::Same));
    }

    #[test]
    fn a_view_that_is_not_there_yet_is_behind_not_wrong() {
        let row = order(Status::Completed);
        let view = summary(Status::New);
        let behind = compared(Some(&row), Some(&view), Some(3));
        assert_eq!(behind.view_agrees, Agreement::Behind);
        let drift = compared(Some(&row), Some(&view), Some(7));
        assert!(drift.is_drift());
        assert_eq!(drift.parts_at, Some(Version(2)));
        assert_eq!(compared(Some(&row), None, Some(3)).view_agrees, Agreement::Behind);
        assert_eq!(compared(Some(&row), None, Some(9)).view_agrees, Agreement::Missing);
    }

    #[test]
    fn the_row_can_be_the_one_that_strays() {
        let row = order(Status::New);
        let found = compared(Some(&row), Some(&summary(Status::Completed)), Some(7));
        let expected = ("status", "New", "Completed");
        assert!(matches!(&found.row_agrees, Agreement::Differs { field, says, events }
            if (*field, says.as_str(), events.as_str()) == expected));
        assert_eq!(found.parts_at, Some(Version(2)));
    }
}

//! Sources that agree, part, lag, are archived, missing or not understood.

use serde_json::json;

use super::*;
use crate::domain::{
    body::summary_json,
    event::{EventKind, RecordedEvent},
    samples::{at, event, line, order, written},
};

fn with_status(status: Status) -> Order {
    Order { status, ..order() }
}

/// Placed (seq 403) and cancelled (seq 406).
fn events() -> Vec<RecordedEvent> {
    vec![
        written(1, EventKind::Placed, &order()),
        written(2, EventKind::Cancelled, &with_status(Status::Cancelled)),
    ]
}

fn timeline(events: Vec<RecordedEvent>) -> Timeline {
    Timeline::new(order().id, events)
}

fn summary(status: Status) -> Summary {
    Summary { status: Some(status), total: Some(order().total), mt_version: Some(406) }
}

/// Everything agrees; tests change what they are about.
fn agreeing<'a>(timeline: &'a Timeline, row: &'a Order, summary: &'a Summary) -> Sources<'a> {
    Sources {
        timeline,
        row: Some(row),
        summary: Some(summary),
        projection: Projection::Async { position: Some(SeqId(500)) },
        history_complete: true,
    }
}

#[test]
fn three_that_agree() {
    let (timeline, row) = (timeline(events()), with_status(Status::Cancelled));
    let summary = Summary::read(&summary_json(&row), Some(406));
    let result = compare(&agreeing(&timeline, &row, &summary));
    assert_eq!((&result.row, &result.summary), (&Agreement::Match, &Agreement::Match));
    assert!(result.certain && !result.is_drift() && !result.is_unsure());
    assert_eq!(result.divergence, None);
    assert_eq!(result.facts, []);
}

#[test]
fn a_row_that_missed_an_event() {
    let timeline = timeline(events());
    let result = compare(&agreeing(&timeline, &order(), &summary(Status::Cancelled)));
    assert!(result.is_drift());
    let divergence = result.divergence.unwrap();
    assert_eq!((divergence.source, divergence.version), (Source::Row, Some(Version(2))));
    assert_eq!(
        divergence.to_string(),
        "row and events part at v2 (OrderCancelled): status is New in the row, Cancelled by the events"
    );
}

#[test]
fn a_row_that_went_on_alone() {
    let timeline = timeline(vec![written(1, EventKind::Placed, &order())]);
    let row = with_status(Status::Completed);
    let result = compare(&agreeing(&timeline, &row, &summary(Status::New)));
    let divergence = result.divergence.unwrap();
    assert_eq!(divergence.version, None);
    assert!(divergence.words.starts_with("no event says what the row says: status is Completed"));
}

#[test]
fn lines_and_notes_count_and_notes_are_not_told() {
    let timeline = timeline(events());
    let mut row = with_status(Status::Cancelled);
    row.lines = vec![line(1, 3, "14.20"), line(9, 1, "33.00")];
    row.note = Some("secret".to_owned());
    let Agreement::Differs(differences) =
        compare(&agreeing(&timeline, &row, &summary(Status::Cancelled))).row
    else {
        panic!("it differs");
    };
    let fields: Vec<_> = differences.iter().map(|d| d.field.to_string()).collect();
    assert_eq!(fields, ["note", "items[…0001].quantity", "items[…0002]", "items[…0009]"]);
    row.lines = order().lines;
    let result = compare(&agreeing(&timeline, &row, &summary(Status::Cancelled)));
    let words = result.divergence.unwrap().words;
    assert!(!words.contains("secret") && !words.contains("door"), "{words}");
}

#[test]
fn what_no_event_carries_is_a_fact_and_no_difference() {
    let timeline = timeline(events());
    let mut row = with_status(Status::Cancelled);
    row.is_deleted = true;
    row.buyer.as_mut().unwrap().city = Some("Da Nang".to_owned());
    row.last_modified_at = Some(at("2026-11-23T00:00:00Z"));
    row.cancel_reason = None;
    let result = compare(&agreeing(&timeline, &row, &summary(Status::Cancelled)));
    assert_eq!(result.row, Agreement::Match);
    assert_eq!(result.facts, [RowFact::Deleted, RowFact::BuyerMovedOn]);
}

#[test]
fn a_change_of_the_row_alone_is_seen_by_its_time() {
    let mut cancelled = with_status(Status::Cancelled);
    cancelled.last_modified_at = Some(at("2026-11-22T09:40:31.1234567Z"));
    let timeline = timeline(vec![written(1, EventKind::Cancelled, &cancelled)]);
    let mut row = cancelled;
    row.last_modified_at = Some(at("2026-11-22T09:40:31.123457Z"));
    assert_eq!(facts(&timeline, &row), []);
    row.last_modified_at = Some(at("2026-11-22T09:41:00Z"));
    assert_eq!(facts(&timeline, &row), [RowFact::TouchedAfter(at("2026-11-22T09:41:00Z"))]);
}

#[test]
fn a_summary_on_its_way_is_behind() {
    let (timeline, row) = (timeline(events()), with_status(Status::Cancelled));
    let one_behind = Agreement::Behind { at: Version(1), events: 1 };
    let at_position = |position: Option<i64>, summary: Option<&Summary>| {
        let sources = agreeing(&timeline, &row, summary.unwrap_or(&EMPTY));
        let projection = Projection::Async { position: position.map(SeqId) };
        compare(&Sources { summary, projection, ..sources }).summary
    };
    assert_eq!(at_position(Some(403), Some(&summary(Status::New))), one_behind);
    assert_eq!(at_position(Some(405), Some(&summary(Status::New))), one_behind);
    // The document was read a moment after the position.
    assert_eq!(at_position(Some(403), Some(&summary(Status::Cancelled))), Agreement::Match);
    let nothing_yet = Agreement::Behind { at: Version(0), events: 2 };
    assert_eq!(at_position(Some(402), None), nothing_yet);
    assert_eq!(at_position(None, None), nothing_yet);
    assert_eq!(at_position(Some(403), None), Agreement::Missing);
    assert!(at_position(Some(406), Some(&summary(Status::New))).is_drift());
    assert!(at_position(Some(403), Some(&summary(Status::Completed))).is_drift());
}

const EMPTY: Summary = Summary { status: None, total: None, mt_version: None };

#[test]
fn an_inline_summary_is_never_behind() {
    let (timeline, row, summary) =
        (timeline(events()), with_status(Status::Cancelled), summary(Status::New));
    let sources = agreeing(&timeline, &row, &summary);
    let result = compare(&Sources { projection: Projection::Inline, ..sources });
    assert!(result.is_drift());
    let divergence = result.divergence.unwrap();
    assert_eq!((divergence.source, divergence.version), (Source::Summary, Some(Version(2))));
    let missing = compare(&Sources { projection: Projection::Inline, summary: None, ..sources });
    assert_eq!(missing.summary, Agreement::Missing);
}

#[test]
fn without_knowing_the_projection_nothing_is_claimed() {
    let (timeline, row) = (timeline(events()), with_status(Status::Cancelled));
    let summary = Summary { mt_version: Some(403), ..summary(Status::New) };
    let sources = agreeing(&timeline, &row, &summary);
    let result = compare(&Sources { projection: Projection::Unknown, ..sources });
    assert!(matches!(result.summary, Agreement::Unknown(_)));
    assert!(result.is_unsure() && !result.is_drift());
}

#[test]
fn a_total_of_nothing_is_explained() {
    let (timeline, row) = (timeline(events()), with_status(Status::Cancelled));
    let summary = Summary { total: Some(Decimal::ZERO), ..summary(Status::Cancelled) };
    let result = compare(&agreeing(&timeline, &row, &summary));
    assert!(result.divergence.unwrap().words.contains("writes a total of 0"));
}

#[test]
fn an_archived_order_is_right_with_or_without_a_document() {
    let archived = events().into_iter().map(|e| RecordedEvent { archived: true, ..e }).collect();
    let (timeline, row) = (timeline(archived), with_status(Status::Cancelled));
    let summary = summary(Status::New);
    let sources = agreeing(&timeline, &row, &summary);
    assert_eq!(compare(&sources).summary, Agreement::Archived);
    assert_eq!(compare(&Sources { summary: None, ..sources }).summary, Agreement::Archived);
}

#[test]
fn a_source_that_is_missing_or_alone() {
    let (full, row) = (timeline(events()), order());
    let sources = Sources { row: None, ..agreeing(&full, &row, &EMPTY) };
    let result = compare(&Sources { summary: None, ..sources });
    assert_eq!((&result.row, &result.summary), (&Agreement::Missing, &Agreement::Missing));
    assert_eq!(result.divergence.unwrap().source, Source::Row);
    let none = timeline(Vec::new());
    let result = compare(&Sources { summary: None, ..agreeing(&none, &row, &EMPTY) });
    assert_eq!((&result.row, &result.summary), (&Agreement::Alone, &Agreement::Absent));
    assert!(result.is_drift());
    let cut_short = Sources { history_complete: false, ..agreeing(&none, &row, &EMPTY) };
    assert!(compare(&cut_short).is_unsure());
}

#[test]
fn what_was_not_understood_is_not_called_drift() {
    let mut events = events();
    events[1] = event(2, "order_gift_wrapped_event", json!({}));
    let timeline = timeline(events);
    let row = with_status(Status::Cancelled);
    let result = compare(&agreeing(&timeline, &row, &summary(Status::New)));
    assert!(result.row.is_drift());
    assert!(!result.is_drift() && result.is_unsure());
    let unreadable = Timeline::new(order().id, vec![event(1, "order_placed_event", json!([]))]);
    let result = compare(&agreeing(&unreadable, &row, &summary(Status::New)));
    assert!(matches!(result.row, Agreement::Unknown(_)));
    assert!(matches!(result.summary, Agreement::Unknown(_)));
}

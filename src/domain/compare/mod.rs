//! The three sources of an order side by side: its events, its row, its summary document.
//!
//! The events are what the other two are measured by. Facts that no event carries (deleting and
//! restoring, the buyer's present data) are facts, not differences.

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde_json::Value;

use super::body::summary_fields;
use super::diff::{Datum, Field, diff};
use super::id::{SeqId, Version};
use super::order::{Order, Status};
use super::timeline::Timeline;

mod divergence;
mod summary;

pub use divergence::{Divergence, Source};

/// The order summary document (`mt_doc_ordersummaryview`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// `None`: not there or not readable.
    pub status: Option<Status>,
    pub total: Option<Decimal>,
    /// `seq_id` of the last event applied, where the async daemon (or our runner) wrote it.
    pub mt_version: Option<i64>,
}

/// How far the summary's projection has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Projection {
    /// In the transaction of the event: never behind.
    Inline,
    /// `last_seq_id` of its progression row; a missing row is fully behind.
    Async { position: Option<SeqId> },
    /// Not known for this database.
    Unknown,
}

/// What is compared.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    pub timeline: &'a Timeline,
    pub row: Option<&'a Order>,
    pub summary: Option<&'a Summary>,
    pub projection: Projection,
    /// The search for events was not cut short; if it was, a difference may be a missing event.
    pub history_complete: bool,
}

/// A field in which a source says something else than the events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub field: Field,
    pub events: Option<Datum>,
    pub other: Option<Datum>,
    pub since: Since,
}

/// Since which event a source differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// The other source still says what held before this event.
    Event(Version),
    /// No event ever had the other source's value.
    NoEvent,
}

/// How a source stands to the events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Agreement {
    /// They say the same.
    Match,
    /// Right for the projection's position; this many events are not applied yet.
    Behind { at: Version, events: i64 },
    /// Archived events are outside the daemon's view: with or without a document is right.
    Archived,
    /// Not empty.
    Differs(Vec<Difference>),
    /// The events describe an order that this source lacks.
    Missing,
    /// No event of the order was found, yet it is there.
    Alone,
    /// Neither there nor expected.
    Absent,
    /// It cannot be said, and why.
    Unknown(String),
}

/// What the row knows and no event carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowFact {
    Deleted,
    /// The events say deleted, the row does not any more.
    Restored,
    /// `last_modified_at` is later than any event says: something changed the row alone.
    TouchedAfter(DateTime<Utc>),
    /// The buyer's name or address is not what the events carry.
    BuyerMovedOn,
}

/// The result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    pub row: Agreement,
    pub summary: Agreement,
    pub facts: Vec<RowFact>,
    /// Differences are certain: every event was found and understood.
    pub certain: bool,
    /// The first event from which a source differs.
    pub divergence: Option<Divergence>,
}

impl Agreement {
    /// Something is wrong with the source (as far as the events are certain).
    #[must_use]
    pub const fn is_drift(&self) -> bool {
        matches!(self, Self::Differs(_) | Self::Missing | Self::Alone)
    }

    /// The sign between the events and the source: `=`, `≠`, `~` behind, `-` nothing there, `?`.
    #[must_use]
    pub const fn sign(&self) -> &'static str {
        match self {
            Self::Match => "=",
            Self::Behind { .. } => "~",
            Self::Archived | Self::Absent => "-",
            Self::Differs(_) | Self::Missing | Self::Alone => "≠",
            Self::Unknown(_) => "?",
        }
    }
}

impl Comparison {
    /// The same for an order that is being written at this moment: what differs may be about to agree.
    #[must_use]
    pub fn while_written(mut self) -> Self {
        for agreement in [&mut self.row, &mut self.summary] {
            if agreement.is_drift() {
                *agreement = Agreement::Unknown("being written".to_owned());
                self.divergence = None;
            }
        }
        self
    }

    /// The same where rows may be hidden from who looks, each with the reason: what is not seen may be there.
    /// `parts`: rows that the order's row is made of, its lines.
    #[must_use]
    pub fn where_hidden(
        mut self,
        row: Option<&str>,
        parts: Option<&str>,
        summary: Option<&str>,
    ) -> Self {
        let hides = |agreement: &mut Agreement, why: Option<&str>| {
            let Some(why) = why else { return };
            if matches!(agreement, Agreement::Missing | Agreement::Absent) {
                *agreement = Agreement::Unknown(format!("hidden or missing: {why}"));
            }
        };
        hides(&mut self.row, row);
        hides(&mut self.summary, summary);
        if let (Agreement::Differs(_), Some(why)) = (&self.row, parts) {
            self.row = Agreement::Unknown(format!("lines are hidden or missing: {why}"));
        }
        if !self.row.is_drift() && !self.summary.is_drift() {
            self.divergence = None;
        }
        self
    }

    /// Row or summary certainly differ from the events.
    #[must_use]
    pub const fn is_drift(&self) -> bool {
        self.certain && (self.row.is_drift() || self.summary.is_drift())
    }

    /// They differ, but events were not found or not understood, or one could not be compared.
    #[must_use]
    pub const fn is_unsure(&self) -> bool {
        let differ = self.row.is_drift() || self.summary.is_drift();
        let unknown = matches!(self.row, Agreement::Unknown(_))
            || matches!(self.summary, Agreement::Unknown(_));
        (differ && !self.certain) || unknown
    }
}

impl Summary {
    /// Reads the document's `data`, keys in any case.
    #[must_use]
    pub fn read(data: &Value, mt_version: Option<i64>) -> Self {
        let (status, total) = summary_fields(data);
        Self { status, total, mt_version }
    }
}

/// Compares the three.
#[must_use]
pub fn compare(sources: &Sources<'_>) -> Comparison {
    let timeline = sources.timeline;
    let uncertain = timeline.latest().uncertain.as_ref();
    let row = row(timeline, sources.row);
    let summary = summary::agreement(sources);
    let divergence = divergence::first(timeline, &row, &summary);
    Comparison {
        facts: sources.row.map(|row| facts(timeline, row)).unwrap_or_default(),
        certain: uncertain.is_none() && sources.history_complete,
        row,
        summary,
        divergence,
    }
}

/// What events and row both state. The buyer's data, deletion and times are the row's own.
const fn is_compared(field: Field) -> bool {
    matches!(
        field,
        Field::Status
            | Field::Note
            | Field::BuyerId
            | Field::Total
            | Field::Line(_)
            | Field::LineBook(_)
            | Field::LineQuantity(_)
            | Field::LinePrice(_)
    )
}

/// What a line states, or what is made from all of them.
const fn is_of_lines(field: Field) -> bool {
    matches!(
        field,
        Field::Total
            | Field::Line(_)
            | Field::LineBook(_)
            | Field::LineQuantity(_)
            | Field::LinePrice(_)
    )
}

fn row(timeline: &Timeline, row: Option<&Order>) -> Agreement {
    let events = timeline.latest().order();
    match (events, row) {
        (None, None) => Agreement::Absent,
        (None, Some(_)) if timeline.last_version().0 > 0 => {
            Agreement::Unknown("no event of it can be read".to_owned())
        }
        (None, Some(_)) => Agreement::Alone,
        (Some(_), None) => Agreement::Missing,
        (Some(events), Some(row)) => {
            let differences: Vec<Difference> = diff(Some(events), Some(row))
                .into_iter()
                .filter(|change| is_compared(change.field) && !change.is_same())
                // An event that names no buyer does not say that there is none.
                .filter(|change| change.field != Field::BuyerId || change.before.is_some())
                .filter(|change| row.unread.is_none() || !is_of_lines(change.field))
                .map(|change| Difference {
                    since: since(timeline, change.field, change.after.as_ref()),
                    field: change.field,
                    events: change.before,
                    other: change.after,
                })
                .collect();
            match &row.unread {
                _ if !differences.is_empty() => Agreement::Differs(differences),
                Some(why) => Agreement::Unknown(why.clone()),
                None => Agreement::Match,
            }
        }
    }
}

/// The event after the last version at which the field had the other source's value.
fn since(timeline: &Timeline, field: Field, other: Option<&Datum>) -> Since {
    let agrees = |version: &Version| {
        let order = timeline.at_version(*version).and_then(|state| state.order());
        order.is_some_and(|order| field.of(order).as_ref() == other)
    };
    (timeline.base_version().0..timeline.last_version().0)
        .rev()
        .map(Version)
        .find(agrees)
        .map_or(Since::NoEvent, |version| Since::Event(Version(version.0 + 1)))
}

/// PostgreSQL keeps microseconds, bodies a tenth of one.
const SAME_INSTANT: TimeDelta = TimeDelta::microseconds(1);

fn facts(timeline: &Timeline, row: &Order) -> Vec<RowFact> {
    let Some(events) = timeline.latest().order() else { return Vec::new() };
    let mut facts = Vec::new();
    match (events.is_deleted, row.is_deleted) {
        (false, true) => facts.push(RowFact::Deleted),
        (true, false) => facts.push(RowFact::Restored),
        _ => {}
    }
    if let (Some(row), Some(events)) = (row.last_modified_at, events.last_modified_at)
        && row.signed_duration_since(events) > SAME_INSTANT
    {
        facts.push(RowFact::TouchedAfter(row));
    }
    if row.buyer.is_some() && events.buyer.is_some() && row.buyer != events.buyer {
        facts.push(RowFact::BuyerMovedOn);
    }
    facts
}

#[cfg(test)]
mod tests;

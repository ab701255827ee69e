//! The first point at which sources part, as data and in words.

use std::fmt;

use rust_decimal::Decimal;

use super::{Agreement, Difference, Since};
use crate::domain::{
    diff::{Datum, Field},
    id::Version,
    timeline::Timeline,
};

/// A source that is measured by the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    Row,
    Summary,
}

/// Where a source first leaves the events. Its words carry no personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parting {
    pub source: Source,
    /// The event that the source does not reflect; `None` when it is no single event.
    pub version: Option<Version>,
    /// `None` when the whole source is missing or alone.
    pub field: Option<Field>,
    pub words: String,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Row => "row",
            Self::Summary => "summary",
        })
    }
}

impl fmt::Display for Parting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

/// The earliest of all; the row before the summary, an event before none.
pub(super) fn first(timeline: &Timeline, row: &Agreement, summary: &Agreement) -> Option<Parting> {
    let mut partings = partings(timeline, Source::Row, row);
    partings.extend(partings_of_summary(timeline, summary));
    partings.into_iter().min_by_key(|parting| parting.version.map_or(i64::MAX, |v| v.0))
}

fn partings_of_summary(timeline: &Timeline, summary: &Agreement) -> Vec<Parting> {
    let mut partings = partings(timeline, Source::Summary, summary);
    if let Agreement::Differs(differences) = summary {
        let zero = differences.iter().any(|difference| {
            difference.field == Field::Total
                && difference.other == Some(Datum::Amount(Decimal::ZERO))
        });
        for parting in partings.iter_mut().filter(|p| zero && p.field == Some(Field::Total)) {
            parting
                .words
                .push_str("; a service that cannot read its own items back writes a total of 0");
        }
    }
    partings
}

fn partings(timeline: &Timeline, source: Source, agreement: &Agreement) -> Vec<Parting> {
    let whole = |version: Option<Version>, words: String| {
        vec![Parting { source, version, field: None, words }]
    };
    match agreement {
        Agreement::Differs(differences) => {
            differences.iter().map(|difference| of_field(timeline, source, difference)).collect()
        }
        Agreement::Missing => {
            let beginning = timeline.base_version().0 + 1;
            whole(
                Some(Version(beginning)),
                format!("the events tell of an order, but it has no {source}"),
            )
        }
        Agreement::Alone => whole(None, format!("there is a {source}, but no event was found")),
        _ => Vec::new(),
    }
}

fn of_field(timeline: &Timeline, source: Source, difference: &Difference) -> Parting {
    let Difference { field, events, other, since } = difference;
    let values = if field.is_personal() {
        format!("{field} is not the same")
    } else {
        let say = |datum: &Option<Datum>| {
            datum.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string)
        };
        format!("{field} is {} in the {source}, {} by the events", say(other), say(events))
    };
    let (version, words) = match since {
        Since::Event(version) => {
            let title = timeline.step(*version).map_or("", |step| step.meaning.title());
            (Some(*version), format!("{source} and events part at v{version} ({title}): {values}"))
        }
        Since::NoEvent => (None, format!("no event says what the {source} says: {values}")),
    };
    Parting { source, version, field: Some(*field), words }
}

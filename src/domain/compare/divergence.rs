//! The first event from which a source differs, as data and in words.

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

/// Where a source first differs from the events. Its words carry no personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Divergence {
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

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

/// The earliest of all; the row before the summary, an event before none.
pub(super) fn first(
    timeline: &Timeline,
    row: &Agreement,
    summary: &Agreement,
) -> Option<Divergence> {
    let mut divergences = divergences(timeline, Source::Row, row);
    divergences.extend(divergences_of_summary(timeline, summary));
    divergences.into_iter().min_by_key(|divergence| divergence.version.map_or(i64::MAX, |v| v.0))
}

fn divergences_of_summary(timeline: &Timeline, summary: &Agreement) -> Vec<Divergence> {
    let mut divergences = divergences(timeline, Source::Summary, summary);
    if let Agreement::Differs(differences) = summary {
        let zero = differences.iter().any(|difference| {
            difference.field == Field::Total
                && difference.other == Some(Datum::Amount(Decimal::ZERO))
        });
        for divergence in divergences.iter_mut().filter(|p| zero && p.field == Some(Field::Total)) {
            divergence
                .words
                .push_str("; a service that cannot read its own items back writes a total of 0");
        }
    }
    divergences
}

fn divergences(timeline: &Timeline, source: Source, agreement: &Agreement) -> Vec<Divergence> {
    let whole = |version: Option<Version>, words: String| {
        vec![Divergence { source, version, field: None, words }]
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

fn of_field(timeline: &Timeline, source: Source, difference: &Difference) -> Divergence {
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
    Divergence { source, version, field: Some(*field), words }
}

//! Times and ages in a value.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    SearchError, Span,
    range::{Bounds, Piece, bounds},
    token::Value,
};
use crate::domain::{
    moment::{self, Grain, Moment, Moved, NotATime, TICK},
    zone::Clock,
};

/// `placed:` and `modified:`. A date or clock time means all of that day or minute; a length of
/// time on its own (`placed:3d`) means since then. A clock time that came twice means both; that goes into `notes`.
pub(super) fn times(
    value: &Value,
    clock: &Clock,
    notes: &mut Vec<String>,
) -> Result<Span<DateTime<Utc>>, SearchError> {
    let mut skipped = false;
    let mut read = |piece: &Piece<'_>, day| {
        let read =
            moment::parse(piece.text, clock, day).map_err(|why| wrong(value, piece, &why))?;
        skipped |= read.clocks == Some(Moved::Forward);
        notes.extend(read.clocks.map(|moved| format!("{}: {moved}", piece.text)));
        Ok::<_, SearchError>(read)
    };
    let (from, to) = match bounds(value)? {
        Bounds::Exactly(piece) => match read(&piece, None)? {
            Moment { clocks: Some(Moved::Forward), .. } => {
                let what = "no clock showed this time: clocks were set forward over it";
                return Err(SearchError::new(value.at.clone(), what)
                    .hint("write a range around it, or add an offset such as +02:00"));
            }
            Moment { from, grain: Grain::Point, .. } => (Some(from), None),
            Moment { from, to, .. } => (Some(from), Some(to)),
        },
        Bounds::Over(piece) => (read(&piece, None)?.after(), None),
        Bounds::AtLeast(piece) => (Some(read(&piece, None)?.from), None),
        Bounds::Under(piece) => (None, read(&piece, None)?.before()),
        Bounds::AtMost(piece) => (None, Some(read(&piece, None)?.to)),
        Bounds::Between(from, to) => {
            let from = from.map(|piece| read(&piece, None)).transpose()?;
            // `2026-11-22T16:30..18:15` ends on the day it began.
            let day = from.map(|from| from.day);
            let to = to.map(|piece| read(&piece, day)).transpose()?;
            (from.map(|from| from.from), to.map(|to| to.to))
        }
    };
    // Inside a skipped hour there is nothing between two times.
    if !skipped && from.zip(to).is_some_and(|(from, to)| from > to) {
        return Err(SearchError::new(value.at.clone(), "the range ends before it begins")
            .hint("swap its ends, or write the date at both"));
    }
    Ok(Span { from, to })
}

/// `age:>24h`: the same as an earlier `placed:`. An age on its own means that age in full units:
/// `age:2h` from two hours to just under three.
pub(super) fn age(value: &Value, clock: &Clock) -> Result<Span<DateTime<Utc>>, SearchError> {
    let read = |piece: &Piece<'_>| {
        moment::duration(piece.text).map_err(|why| {
            let at = value.place(piece.at.clone());
            SearchError::new(at, why.to_string()).hint("write 90m, 24h, 3d or 2w")
        })
    };
    let ago = |length: TimeDelta| clock.now.checked_sub_signed(length);
    let (from, to) = match bounds(value)? {
        Bounds::Exactly(piece) => {
            let length = read(&piece)?;
            (ago(length.span + length.unit - TICK), ago(length.span))
        }
        Bounds::Over(piece) => (None, ago(read(&piece)?.span + TICK)),
        Bounds::AtLeast(piece) => (None, ago(read(&piece)?.span)),
        Bounds::Under(piece) => (ago(read(&piece)?.span - TICK), None),
        Bounds::AtMost(piece) => (ago(read(&piece)?.span), None),
        Bounds::Between(least, most) => {
            let least = least.map(|piece| read(&piece)).transpose()?;
            let most = most.map(|piece| read(&piece)).transpose()?;
            (most.and_then(|most| ago(most.span)), least.and_then(|least| ago(least.span)))
        }
    };
    if from.zip(to).is_some_and(|(from, to)| from > to) {
        return Err(SearchError::new(value.at.clone(), "the range ends below its beginning")
            .hint("write the younger age first"));
    }
    Ok(Span { from, to })
}

fn wrong(value: &Value, piece: &Piece<'_>, why: &NotATime) -> SearchError {
    SearchError::new(value.place(piece.at.clone()), why.to_string())
        .hint(format!("write {}", moment::FORMS))
}

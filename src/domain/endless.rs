//! Times beyond the calendar: PostgreSQL's `infinity` and `-infinity`, and years that `DateTime` cannot hold.
//!
//! A query maps each of them to an instant that no row has (see `db::sql::moment`), so that it sorts and compares
//! correctly; this module recognises these instants, so that they are never shown as dates.

use chrono::{DateTime, Datelike, NaiveDateTime, SecondsFormat, Utc};

/// What a query gives for `infinity`: the year 262100.
const INFINITY: i64 = 8_208_909_964_800;
/// What it gives for any finite time from the year 262000 on, which is near the end of what `chrono` holds.
const FAR: i64 = 8_205_754_204_800;
/// What it gives for `-infinity`: the first instant that PostgreSQL has.
const MINUS_INFINITY: i64 = -210_866_803_200;

/// What to say instead of a date, where there is none.
#[must_use]
pub fn told(at: DateTime<Utc>) -> Option<&'static str> {
    Some(match at.timestamp() {
        INFINITY => "infinity",
        FAR => "after the year 262000",
        MINUS_INFINITY => "-infinity",
        _ => return None,
    })
}

/// The time in a format of `chrono`, as UTC; what is no date of four-digit years in full.
#[must_use]
pub fn utc(at: DateTime<Utc>, format: &str) -> String {
    shown(at, at.naive_utc(), format)
}

/// The same with the clock time of a zone.
pub(super) fn shown(at: DateTime<Utc>, local: NaiveDateTime, format: &str) -> String {
    let instead = match told(at) {
        Some(told) => told.to_owned(),
        // A short form would leave out what is strange about it.
        None if !(0..=9_999).contains(&local.year()) => local.format("%F").to_string(),
        None => return local.format(format).to_string(),
    };
    let width = DateTime::<Utc>::UNIX_EPOCH.format(format).to_string().len();
    format!("{instead:<width$}")
}

/// The time as ISO 8601 in UTC, as programs read it; `infinity` and `-infinity` as PostgreSQL writes them.
#[must_use]
pub fn iso(at: DateTime<Utc>, seconds: SecondsFormat) -> String {
    match told(at) {
        Some(told) => told.to_owned(),
        None => at.to_rfc3339_opts(seconds, true),
    }
}

/// The time as JSON has it.
#[must_use]
pub fn json(at: DateTime<Utc>) -> String {
    iso(at, SecondsFormat::AutoSi)
}

/// What PostgreSQL has to be written for it, where it is no date: only what was read as such.
#[must_use]
pub fn literal(at: DateTime<Utc>) -> Option<&'static str> {
    told(at).filter(|told| told.ends_with("infinity"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn what_no_calendar_shows_is_told_by_name() {
        assert_eq!(at(INFINITY).year(), 262_100);
        assert_eq!(at(FAR).to_rfc3339(), "+262000-01-01T00:00:00+00:00");
        assert_eq!(utc(at(INFINITY), "%m-%d %H:%M:%S"), "infinity      ");
        assert_eq!(utc(at(MINUS_INFINITY), "%F"), "-infinity ");
        assert_eq!(iso(at(INFINITY), SecondsFormat::Secs), "infinity");
        assert_eq!((literal(at(INFINITY)), literal(at(FAR))), (Some("infinity"), None));
    }

    #[test]
    fn a_strange_year_is_never_left_out() {
        let far = "+20000-02-03T04:05:06Z".parse().unwrap();
        assert_eq!(utc(far, "%m-%d %H:%M:%S").trim(), "+20000-02-03");
        assert_eq!(utc("2026-02-03T04:05:06Z".parse().unwrap(), "%m-%d"), "02-03");
    }
}

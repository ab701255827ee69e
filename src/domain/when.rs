//! A place in a timeline, as people write it: a version, a clock time, a date, or a length of time ago.

use chrono::{DateTime, NaiveDate, Utc};

use super::id::Version;
use super::moment::{self, FORMS, Grain, Moved, NotATime};
use super::typed;
use super::zone::Clock;

/// A place in a timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    Version(Version),
    Time {
        at: DateTime<Utc>,
        /// Clocks were moved over it: the later of two, or the moment before they were.
        clocks: Option<Moved>,
    },
}

/// The words name no place in a timeline.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}: write a version (3, v3) or a time ({FORMS})")]
pub struct NoSuchPlace(String);

/// Reads where to go.
///
/// A clock time is on `day` (the day in view, in the clock's zone), or today. A time stands for the end of what it
/// names: of the second or minute that a timeline prints, of a date, month or year; or for now if that end is in the
/// future. So the event whose time was copied is included. A fraction of a second is exact.
pub fn parse(text: &str, clock: &Clock, day: Option<NaiveDate>) -> Result<When, NoSuchPlace> {
    let plain = typed::plain(text);
    let text = plain.trim();
    if let Some(version) = version(text) {
        return Ok(When::Version(version));
    }
    let moment = moment::parse(text, clock, day).map_err(|why| NoSuchPlace(why.to_string()))?;
    Ok(When::Time {
        at: match moment.grain {
            Grain::Point | Grain::Clock => moment.to,
            Grain::Days => moment.to.min(clock.now).max(moment.from),
        },
        clocks: moment.clocks,
    })
}

/// Reads a limit from which on, or before which, something is meant: the first instant of what is named.
pub fn start(text: &str, clock: &Clock) -> Result<DateTime<Utc>, NotATime> {
    moment::parse(&typed::plain(text), clock, None).map(|moment| moment.from)
}

/// `3` and `v3`. Four digits without the letter are a year.
fn version(text: &str) -> Option<Version> {
    let (digits, most) = match text.strip_prefix(['v', 'V']) {
        Some(digits) => (digits, 18),
        None => (text, 3),
    };
    let plain = !digits.is_empty()
        && digits.len() <= most
        && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain { digits.parse().ok().map(Version) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::at;

    fn go(text: &str) -> Result<When, NoSuchPlace> {
        let clock = Clock { now: at("2026-11-22T14:02:11Z"), zone: "Asia/Tokyo".parse().unwrap() };
        parse(text, &clock, Some("2026-11-20".parse().unwrap()))
    }

    fn time(text: &str) -> When {
        When::Time { at: at(text), clocks: None }
    }

    #[test]
    fn versions() {
        assert_eq!(go("3"), Ok(When::Version(Version(3))));
        assert_eq!(go(" v12 "), Ok(When::Version(Version(12))));
        assert_eq!(go("v2026"), Ok(When::Version(Version(2026))));
        assert_eq!(go("0"), Ok(When::Version(Version(0))));
    }

    #[test]
    fn times() {
        assert_eq!(go("2h ago"), Ok(time("2026-11-22T12:02:11Z")));
        assert_eq!(go("2h"), Ok(time("2026-11-22T12:02:11Z")));
        assert_eq!(go("18:12"), Ok(time("2026-11-20T09:12:59.999999Z")));
        assert_eq!(go("2026-11-22T18:12"), Ok(time("2026-11-22T09:12:59.999999Z")));
        // As timelines print it: all of that second. Finer is exact.
        for printed in ["2026-11-22 18:12:04", "2026-11-22 09:12:04Z", "11-22 18:12:04"] {
            assert_eq!(go(printed), Ok(time("2026-11-22T09:12:04.999999Z")), "{printed}");
        }
        assert_eq!(
            go("\u{FEFF}2026\u{2011}11\u{2011}22\u{A0}18:12:04.5"),
            Ok(time("2026-11-22T09:12:04.5Z"))
        );
        assert_eq!(go("2026-11-19"), Ok(time("2026-11-19T14:59:59.999999Z")));
        assert_eq!(go("today"), Ok(time("2026-11-22T14:02:11Z")));
        assert_eq!(go("2025"), Ok(time("2025-12-31T14:59:59.999999Z")));
        assert_eq!(go("now"), Ok(time("2026-11-22T14:02:11Z")));
    }

    #[test]
    fn a_limit_is_the_first_instant_of_what_is_named() {
        let clock = Clock { now: at("2026-11-22T14:02:11Z"), zone: "Asia/Tokyo".parse().unwrap() };
        assert_eq!(start("2026-11-19", &clock), Ok(at("2026-11-18T15:00:00Z")));
        assert_eq!(start("18:12:04", &clock), Ok(at("2026-11-22T09:12:04Z")));
        assert_eq!(start("2h ago", &clock), Ok(at("2026-11-22T12:02:11Z")));
    }

    #[test]
    fn neither() {
        for text in ["", "v", "v-1", "soon", "-3", "vv3", "9999999999999999999"] {
            let words = go(text).unwrap_err().to_string();
            assert!(words.contains("write a version"), "{words}");
        }
    }
}

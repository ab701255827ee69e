//! A place in a timeline, as people write it: a version, a clock time, a date, or a length of time ago.

use chrono::{DateTime, NaiveDate, Utc};

use super::id::Version;
use super::moment::{self, FORMS, Grain};
use super::zone::Clock;

/// A place in a timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    Version(Version),
    Time(DateTime<Utc>),
}

/// The words name no place in a timeline.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}: write a version (3, v3) or a time ({FORMS})")]
pub struct NoSuchPlace(String);

/// Reads where to go.
///
/// A clock time is on `day` (the day in view, in the clock's zone), or today. Times down to the
/// minute are their first instant; a date, month or year is the end of it, or now where that has
/// not come yet: the state on a day is the state that day left behind.
pub fn parse(text: &str, clock: &Clock, day: Option<NaiveDate>) -> Result<When, NoSuchPlace> {
    let text = text.trim();
    if let Some(version) = version(text) {
        return Ok(When::Version(version));
    }
    let moment = moment::parse(text, clock, day).map_err(|why| NoSuchPlace(why.to_string()))?;
    Ok(When::Time(match moment.grain {
        Grain::Point | Grain::Clock => moment.from,
        Grain::Days => moment.to.min(clock.now).max(moment.from),
    }))
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
        When::Time(at(text))
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
        assert_eq!(go("18:12"), Ok(time("2026-11-20T09:12:00Z")));
        assert_eq!(go("2026-11-22T18:12"), Ok(time("2026-11-22T09:12:00Z")));
        assert_eq!(go("2026-11-19"), Ok(time("2026-11-19T14:59:59.999999Z")));
        assert_eq!(go("today"), Ok(time("2026-11-22T14:02:11Z")));
        assert_eq!(go("2025"), Ok(time("2025-12-31T14:59:59.999999Z")));
        assert_eq!(go("now"), Ok(time("2026-11-22T14:02:11Z")));
    }

    #[test]
    fn neither() {
        for text in ["", "v", "v-1", "soon", "-3", "vv3", "9999999999999999999"] {
            let words = go(text).unwrap_err().to_string();
            assert!(words.contains("write a version"), "{words}");
        }
    }
}

//! Ages and lengths of time in words.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

/// How long ago something was. Never negative: a time in the future means that two clocks differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    Ago(TimeDelta),
    /// The other clock is ahead of ours by this much.
    Ahead(TimeDelta),
}

impl Age {
    /// The age of `then`.
    #[must_use]
    pub fn of(then: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        let age = now.signed_duration_since(then);
        if age < TimeDelta::zero() { Self::Ahead(-age) } else { Self::Ago(age) }
    }

    /// The age as a length of time; zero when the other clock is ahead.
    #[must_use]
    pub fn length(self) -> TimeDelta {
        match self {
            Self::Ago(age) => age,
            Self::Ahead(_) => TimeDelta::zero(),
        }
    }

    /// Whether the clocks differ visibly: the other is more than a second ahead.
    #[must_use]
    pub fn is_skewed(self) -> bool {
        matches!(self, Self::Ahead(by) if by > TimeDelta::seconds(1))
    }
}

impl fmt::Display for Age {
    /// `4h 22m`, or `0s (clock ahead 3s)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ahead(by) if self.is_skewed() => {
                f.pad(&format!("0s (clock ahead {})", brief(*by)))
            }
            age => f.pad(&length(age.length())),
        }
    }
}

/// No age is longer: one end is no date.
const ENDLESS: TimeDelta = TimeDelta::days(5_000 * 365);

/// Two units at most: `0.8s`, `42s`, `6m 02s`, `4h 22m`, `9d 02h`, `1y 10mo`. Without its sign.
#[must_use]
pub fn length(span: TimeDelta) -> String {
    let span = span.abs();
    if span > ENDLESS {
        return "endless".to_owned();
    }
    let (days, hours) = (span.num_days(), span.num_hours() % 24);
    let (minutes, seconds) = (span.num_minutes() % 60, span.num_seconds() % 60);
    if days >= 365 {
        return format!("{}y {}mo", days / 365, days % 365 / 31);
    }
    if days > 0 {
        return format!("{days}d {hours:02}h");
    }
    if hours > 0 {
        return format!("{hours}h {minutes:02}m");
    }
    if minutes > 0 {
        return format!("{minutes}m {seconds:02}s");
    }
    let tenths = span.num_milliseconds() / 100 % 10;
    if seconds < 10 && tenths > 0 {
        return format!("{seconds}.{tenths}s");
    }
    if seconds == 0 && span.num_milliseconds() > 0 {
        return format!("{}ms", span.num_milliseconds());
    }
    format!("{seconds}s")
}

/// The greatest unit alone: `28m`, `4h`, `3d`.
#[must_use]
pub fn brief(span: TimeDelta) -> String {
    let span = span.abs();
    if span > ENDLESS {
        return "endless".to_owned();
    }
    let units = [
        (span.num_days() / 365, "y"),
        (span.num_days(), "d"),
        (span.num_hours(), "h"),
        (span.num_minutes(), "m"),
    ];
    let (count, unit) =
        units.into_iter().find(|(count, _)| *count > 0).unwrap_or((span.num_seconds(), "s"));
    format!("{count}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::at;

    fn ms(milliseconds: i64) -> TimeDelta {
        TimeDelta::milliseconds(milliseconds)
    }

    #[test]
    fn two_units_at_most() {
        for (milliseconds, words) in [
            (0, "0s"),
            (22, "22ms"),
            (800, "0.8s"),
            (2_000, "2s"),
            (2_450, "2.4s"),
            (42_900, "42s"),
            (362_000, "6m 02s"),
            (1_707_000, "28m 27s"),
            (15_720_000, "4h 22m"),
            (784_800_000, "9d 02h"),
            (58_000_000_000, "1y 9mo"),
            (31_535_999_999, "364d 23h"),
        ] {
            assert_eq!(length(ms(milliseconds)), words);
        }
        assert_eq!(length(ms(-800)), "0.8s");
        assert_eq!(length(TimeDelta::days(6_000 * 365)), "endless");
    }

    #[test]
    fn one_unit() {
        assert_eq!(brief(ms(1_707_000)), "28m");
        assert_eq!(brief(ms(15_720_000)), "4h");
        assert_eq!(brief(ms(784_800_000)), "9d");
        assert_eq!(brief(ms(300)), "0s");
    }

    #[test]
    fn an_age_is_never_negative() {
        let now = at("2026-11-22T14:02:11Z");
        let age = Age::of(now + TimeDelta::seconds(3), now);
        assert!(age.is_skewed());
        assert_eq!(
            (age.length(), age.to_string()),
            (TimeDelta::zero(), "0s (clock ahead 3s)".to_owned())
        );
        let near = Age::of(now + ms(400), now);
        assert_eq!((near.is_skewed(), near.to_string()), (false, "0s".to_owned()));
        assert_eq!(Age::of(now - TimeDelta::hours(4), now).to_string(), "4h 00m");
    }
}

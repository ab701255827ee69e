//! Time zones people read times in, and the clock a pure function is handed.

use std::fmt;
use std::str::FromStr;

use chrono::{
    DateTime, FixedOffset, NaiveDate, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc,
    offset::LocalResult,
};
use chrono_tz::{TZ_VARIANTS, Tz};

use super::endless;

/// A named zone (with its daylight saving) or a fixed distance from UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    Named(Tz),
    Fixed(FixedOffset),
}

/// The instants at which a wall clock shows a time: two when clocks were set back over it, none when forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instants {
    Once(DateTime<Utc>),
    Twice {
        first: DateTime<Utc>,
        last: DateTime<Utc>,
    },
    Never {
        /// The instant at which clocks were set forward over it.
        resumed: DateTime<Utc>,
    },
}

/// The present moment and the zone in which dates and clock times are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    pub now: DateTime<Utc>,
    pub zone: Zone,
}

/// No zone goes by that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no time zone is called {0:?}: write UTC, +09:00 or a name such as Asia/Tokyo")]
pub struct UnknownZone(pub String);

impl Zone {
    /// Coordinated universal time, what everything is stored in.
    pub const UTC: Self = Self::Named(Tz::UTC);

    /// What a wall clock in the zone shows at that instant.
    #[must_use]
    pub fn local(self, at: DateTime<Utc>) -> NaiveDateTime {
        at.with_timezone(&self.offset(at)).naive_local()
    }

    /// The same in a format of `chrono`; what is no date is told by its name.
    #[must_use]
    pub fn show(self, at: DateTime<Utc>, format: &str) -> String {
        endless::shown(at, self.local(at), format)
    }

    /// The zone's distance from UTC at that instant.
    #[must_use]
    pub fn offset(self, at: DateTime<Utc>) -> FixedOffset {
        match self {
            Self::Named(zone) => zone.offset_from_utc_datetime(&at.naive_utc()).fix(),
            Self::Fixed(offset) => offset,
        }
    }

    /// The instants at which a wall clock in the zone shows `local`.
    ///
    /// `None` only at the ends of the calendar.
    #[must_use]
    pub fn instants(self, local: NaiveDateTime) -> Option<Instants> {
        let found = match self {
            Self::Named(zone) => zone.from_local_datetime(&local).map(|at| at.to_utc()),
            Self::Fixed(offset) => offset.from_local_datetime(&local).map(|at| at.to_utc()),
        };
        match found {
            LocalResult::Single(at) => Some(Instants::Once(at)),
            LocalResult::Ambiguous(one, other) => {
                Some(Instants::Twice { first: one.min(other), last: one.max(other) })
            }
            LocalResult::None => self.after_gap(local).map(|resumed| Instants::Never { resumed }),
        }
    }

    /// When clocks were set forward over `local`: the first microsecond at which they showed something later.
    fn after_gap(self, local: NaiveDateTime) -> Option<DateTime<Utc>> {
        const MICROSECOND: TimeDelta = TimeDelta::microseconds(1);
        // No zone is further than this from UTC, and none changes twice within it.
        let mut before = local.checked_sub_signed(TimeDelta::days(2))?.and_utc();
        let mut after = local.checked_add_signed(TimeDelta::days(2))?.and_utc();
        while after - before > MICROSECOND {
            let middle = before + (after - before) / 2;
            if self.local(middle) > local {
                after = middle;
            } else {
                before = middle;
            }
        }
        DateTime::from_timestamp_micros(after.timestamp_micros())
    }

    /// The instant at which that day begins in the zone.
    #[must_use]
    pub fn start_of(self, day: NaiveDate) -> Option<DateTime<Utc>> {
        Some(match self.instants(day.and_hms_opt(0, 0, 0)?)? {
            Instants::Once(at) | Instants::Twice { first: at, .. } => at,
            Instants::Never { resumed } => resumed,
        })
    }
}

impl Clock {
    /// Today's date in the zone.
    #[must_use]
    pub fn today(&self) -> NaiveDate {
        self.zone.local(self.now).date()
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(zone) => f.write_str(zone.name()),
            Self::Fixed(offset) => offset.fmt(f),
        }
    }
}

impl FromStr for Zone {
    type Err = UnknownZone;

    /// `UTC`, `Z`, `+09:00`, or a name of the IANA database without regard to case.
    fn from_str(text: &str) -> Result<Self, UnknownZone> {
        let name = text.trim();
        if name.eq_ignore_ascii_case("z") {
            return Ok(Self::UTC);
        }
        if let Ok(offset) = name.parse::<FixedOffset>() {
            return Ok(Self::Fixed(offset));
        }
        TZ_VARIANTS
            .iter()
            .find(|zone| zone.name().eq_ignore_ascii_case(name))
            .map(|zone| Self::Named(*zone))
            .ok_or_else(|| UnknownZone(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> Zone {
        name.parse().unwrap()
    }

    fn local(text: &str) -> NaiveDateTime {
        text.parse().unwrap()
    }

    #[test]
    fn names_and_offsets_are_read_and_printed() {
        for name in ["UTC", "Asia/Tokyo", "+09:00", "-03:30"] {
            assert_eq!(zone(name).to_string(), name);
        }
        assert_eq!(zone("asia/tokyo").to_string(), "Asia/Tokyo");
        assert_eq!(zone("z"), Zone::UTC);
        assert!("Asia/Tokio".parse::<Zone>().unwrap_err().to_string().contains("Asia/Tokio"));
    }

    #[test]
    fn a_skipped_hour_is_the_instant_at_which_clocks_moved() {
        let resumed = "2026-03-29T01:00:00Z".parse().unwrap();
        for skipped in ["2026-03-29T02:00:00", "2026-03-29T02:30:00", "2026-03-29T02:59:59.999999"]
        {
            assert_eq!(
                zone("Europe/Berlin").instants(local(skipped)),
                Some(Instants::Never { resumed }),
                "{skipped}"
            );
        }
        // Clocks in Cairo go from 00:00 to 01:00, so the day begins at one.
        let day = zone("Africa/Cairo").start_of("2026-04-24".parse().unwrap()).unwrap();
        assert_eq!(zone("Africa/Cairo").local(day), local("2026-04-24T01:00:00"));
        // Samoa left out a whole day.
        let day = zone("Pacific/Apia").start_of("2011-12-30".parse().unwrap()).unwrap();
        assert_eq!(zone("Pacific/Apia").local(day), local("2011-12-31T00:00:00"));
    }

    #[test]
    fn a_repeated_hour_is_two_instants() {
        let found = zone("Europe/Berlin").instants(local("2026-10-25T02:30:00"));
        let first = "2026-10-25T00:30:00Z".parse().unwrap();
        let last = "2026-10-25T01:30:00Z".parse().unwrap();
        assert_eq!(found, Some(Instants::Twice { first, last }));
    }

    #[test]
    fn today_is_the_zones() {
        let now = "2026-11-22T20:00:00Z".parse().unwrap();
        let clock = Clock { now, zone: zone("Asia/Tokyo") };
        assert_eq!(clock.today().to_string(), "2026-11-23");
    }
}

//! Times as people write them: `2026-11-22`, `16:30`, `yesterday`, `2h ago`.

use std::fmt;

use chrono::{DateTime, Datelike, Days, FixedOffset, Months, NaiveDate, NaiveTime, TimeDelta, Utc};

use super::zone::{Clock, Instants, Zone};

/// PostgreSQL keeps times to the microsecond, so this is the step from one to the next.
pub const TICK: TimeDelta = TimeDelta::microseconds(1);

/// What someone may write where a time is wanted; shown with every refusal.
pub const FORMS: &str =
    "2026-11-22, 2026-11, 2026, 2026-11-22T16:30, 16:30, today, yesterday, 2h or 3d ago";

const CENTURY: TimeDelta = TimeDelta::days(36_525);

/// How long a time the words name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grain {
    /// `now`, `2h`: a point, counted back from now.
    Point,
    /// `16:30`, `16:30:15`: a minute or a second (`16:30:15.250` is a point).
    Clock,
    /// `2026-11-22`, `today`, `2026-11`, `2026`: a day or more.
    Days,
}

/// A stretch of time: its first and last microsecond. Of a clock time that came twice, from the first to the last
/// time; one that was skipped is empty and lies where clocks were set forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    pub grain: Grain,
    /// The day it lies on, in the zone it was written in (the first one of several).
    pub day: NaiveDate,
    /// Clocks were moved over it.
    pub clocks: Option<Moved>,
}

/// What moving the clocks did to a clock time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// Set back: it came twice, so far apart.
    Back(TimeDelta),
    /// Set forward over it: no clock showed it.
    Forward,
}

impl Moment {
    /// The first instant that is later than any it names, even where it came twice and only the first is passed.
    #[must_use]
    pub fn after(&self) -> Option<DateTime<Utc>> {
        self.to.checked_sub_signed(self.repeated())?.checked_add_signed(TICK)
    }

    /// The last instant that is earlier than one it names.
    #[must_use]
    pub fn before(&self) -> Option<DateTime<Utc>> {
        self.from.checked_add_signed(self.repeated())?.checked_sub_signed(TICK)
    }

    fn repeated(&self) -> TimeDelta {
        match self.clocks {
            Some(Moved::Back(by)) => by,
            Some(Moved::Forward) | None => TimeDelta::zero(),
        }
    }
}

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Back(_) => {
                "clocks were set back, so this time came twice and both are included; add an offset such as +02:00 for one"
            }
            Self::Forward => {
                "clocks were set forward over this time; the moment they were moved is meant"
            }
        })
    }
}

/// The words are not a time. Says so to the person who wrote them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotATime(pub String);

fn not_a_time(text: &str) -> NotATime {
    NotATime(format!("{text:?} is not a time"))
}

/// Reads a time. A clock time without a date is on `day`, or today where that is `None`.
pub fn parse(text: &str, clock: &Clock, day: Option<NaiveDate>) -> Result<Moment, NotATime> {
    let lower = text.trim().to_ascii_lowercase();
    let today = clock.today();
    let named = match lower.as_str() {
        "now" => return Ok(point(clock.now, clock)),
        "today" => Some(today),
        "yesterday" => today.pred_opt(),
        _ => None,
    };
    if let Some(day) = named {
        return days(clock.zone, day, day.succ_opt()).ok_or_else(|| not_a_time(text));
    }
    let (back, said_ago) = match lower.strip_suffix("ago") {
        Some(rest) => (rest.trim_end_matches(['-', ' ']), true),
        None => (lower.as_str(), false),
    };
    match duration(back) {
        Ok(length) => {
            let at = clock.now.checked_sub_signed(length.span);
            return at.map(|at| point(at, clock)).ok_or_else(|| not_a_time(text));
        }
        Err(reason) if said_ago => return Err(reason),
        Err(_) => {}
    }
    dated(&lower, clock, day).ok_or_else(|| not_a_time(text))?
}

fn point(at: DateTime<Utc>, clock: &Clock) -> Moment {
    Moment { from: at, to: at, grain: Grain::Point, day: clock.zone.local(at).date(), clocks: None }
}

fn days(zone: Zone, first: NaiveDate, after: Option<NaiveDate>) -> Option<Moment> {
    let from = zone.start_of(first)?;
    let to = zone.start_of(after?)?.checked_sub_signed(TICK)?;
    Some(Moment { from, to, grain: Grain::Days, day: first, clocks: None })
}

/// `None`: not of that shape at all. `Err`: of that shape, but no such date or clock time.
fn dated(text: &str, clock: &Clock, day: Option<NaiveDate>) -> Option<Result<Moment, NotATime>> {
    let (date, time) = match text.split_once(['t', ' ']) {
        Some((date, time)) => (Some(date), Some(time.trim_start())),
        None if text.contains(':') => (None, Some(text)),
        None => (Some(text), None),
    };
    let date = match date {
        Some(date) if time.is_some() => {
            let around = day.unwrap_or_else(|| clock.today());
            Some(short_date(date, around, clock.today()).or_else(|| calendar(date))?)
        }
        Some(date) => Some(calendar(date)?),
        None => None,
    };
    let Some(time) = time else {
        let (first, after) = match date? {
            Ok(dates) => dates,
            Err(reason) => return Some(Err(reason)),
        };
        return days(clock.zone, first, after).map(Ok);
    };
    let (time, zone) = zone_of(time, clock.zone)?;
    let day = match date {
        Some(Ok((first, Some(after)))) if first.succ_opt() == Some(after) => first,
        Some(Ok(_)) => return Some(Err(NotATime("a clock time needs a whole date".to_owned()))),
        Some(Err(reason)) => return Some(Err(reason)),
        None => day.unwrap_or_else(|| zone.local(clock.now).date()),
    };
    let (time, length) = match clock_time(time)? {
        Ok(time) => time,
        Err(reason) => return Some(Err(reason)),
    };
    let grain = if length.is_zero() { Grain::Point } else { Grain::Clock };
    let (from, to, clocks) = match zone.instants(day.and_time(time))? {
        Instants::Once(at) => (at, at.checked_add_signed(length)?, None),
        Instants::Twice { first, last } => {
            (first, last.checked_add_signed(length)?, Some(Moved::Back(last - first)))
        }
        Instants::Never { resumed } => {
            (resumed, resumed.checked_sub_signed(TICK)?, Some(Moved::Forward))
        }
    };
    Some(Ok(Moment { from, to, grain, day, clocks }))
}

/// A date and the day after it, or why there is no such date.
type Dates = Result<(NaiveDate, Option<NaiveDate>), NotATime>;

/// A date as lists print it beside a clock time: `11-22` in the year of `around` (or the year before, where that lies
/// after `today`), and `26-11-22`.
fn short_date(text: &str, around: NaiveDate, today: NaiveDate) -> Option<Dates> {
    let parts: Vec<u32> = text
        .split('-')
        .map(|part| digits(part).filter(|_| part.len() == 2))
        .collect::<Option<_>>()?;
    let found = match *parts {
        [month, day] => {
            let in_year = |year| NaiveDate::from_ymd_opt(year, month, day);
            let found = in_year(around.year());
            found
                .filter(|date| *date <= around.max(today))
                .or_else(|| in_year(around.year() - 1))
                .or(found)
        }
        [year, month, day] => NaiveDate::from_ymd_opt(2000 + i32::try_from(year).ok()?, month, day),
        _ => return None,
    };
    Some(match found {
        Some(date) => Ok((date, date.succ_opt())),
        None => Err(NotATime(format!("there is no {text} in the calendar"))),
    })
}

/// The first day of a year, month or day, and the first one after it.
fn calendar(text: &str) -> Option<Dates> {
    let mut parts = text.split('-');
    let year = parts.next().filter(|year| year.len() == 4)?;
    let year: i32 = digits(year)?;
    let month = parts.next().map(digits::<u32>);
    let day = parts.next().map(digits::<u32>);
    if parts.next().is_some() {
        return None;
    }
    let no_such = || NotATime(format!("there is no {text} in the calendar"));
    let first = NaiveDate::from_ymd_opt(
        year,
        month.map_or(Some(1), |month| month)?,
        day.map_or(Some(1), |day| day)?,
    );
    let Some(first) = first else { return Some(Err(no_such())) };
    let after = match (month, day) {
        (_, Some(_)) => first.checked_add_days(Days::new(1)),
        (Some(_), None) => first.checked_add_months(Months::new(1)),
        (None, None) => first.checked_add_months(Months::new(12)),
    };
    Some(Ok((first, after)))
}

/// Splits `16:30+09:00` and `16:30Z` into the clock time and its zone.
fn zone_of(time: &str, usual: Zone) -> Option<(&str, Zone)> {
    if let Some(time) = time.strip_suffix('z') {
        return Some((time, Zone::UTC));
    }
    match time.find(['+', '-']) {
        Some(at) => {
            let offset: FixedOffset = time.get(at..)?.parse().ok()?;
            Some((time.get(..at)?, Zone::Fixed(offset)))
        }
        None => Some((time, usual)),
    }
}

/// A clock time and how far the last microsecond it covers is from its first.
fn clock_time(text: &str) -> Option<Result<(NaiveTime, TimeDelta), NotATime>> {
    let mut parts = text.split(':');
    let hour: u32 = digits(parts.next()?)?;
    let minute: u32 = digits(parts.next()?)?;
    let second = parts.next();
    if parts.next().is_some() {
        return None;
    }
    let no_such = || NotATime(format!("no clock shows {text}"));
    let Some(second) = second else {
        let time = NaiveTime::from_hms_opt(hour, minute, 0).ok_or_else(no_such);
        return Some(time.map(|time| (time, TimeDelta::minutes(1) - TICK)));
    };
    let (whole, fraction) = match second.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (second, None),
    };
    let whole: u32 = digits(whole)?;
    let micros = match fraction {
        Some(fraction) => {
            digits::<u64>(fraction)?;
            digits(format!("{fraction:0<6}").get(..6)?)?
        }
        None => 0,
    };
    let length = if fraction.is_some() { TimeDelta::zero() } else { TimeDelta::seconds(1) - TICK };
    let time = NaiveTime::from_hms_micro_opt(hour, minute, whole, micros).ok_or_else(no_such);
    Some(time.map(|time| (time, length)))
}

fn digits<T: std::str::FromStr>(text: &str) -> Option<T> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// A length of time as written, and the smallest unit it was written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Length {
    pub span: TimeDelta,
    pub unit: TimeDelta,
}

/// Reads `90m`, `2h`, `1h30m`, `3 days`. A month is 30 days, a year 365.
pub fn duration(text: &str) -> Result<Length, NotATime> {
    let not = || NotATime(format!("{text:?} is not a length of time"));
    let mut rest = text.trim();
    let mut sum = TimeDelta::zero();
    let mut smallest = None;
    while !rest.is_empty() {
        let number_ends = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(not)?;
        let (number, after) = rest.split_at(number_ends);
        let after = after.trim_start();
        let unit_ends = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (name, after) = after.split_at(unit_ends);
        let unit = unit(name).ok_or_else(not)?;
        let number: i32 = digits(number).ok_or_else(not)?;
        sum = unit.checked_mul(number).and_then(|span| sum.checked_add(&span)).ok_or_else(not)?;
        smallest = Some(smallest.map_or(unit, |least: TimeDelta| least.min(unit)));
        rest = after.trim_start();
    }
    match smallest {
        Some(unit) if sum <= CENTURY => Ok(Length { span: sum, unit }),
        Some(_) => Err(NotATime("that is longer than a century".to_owned())),
        None => Err(not()),
    }
}

fn unit(name: &str) -> Option<TimeDelta> {
    Some(match name.to_ascii_lowercase().as_str() {
        "s" | "sec" | "secs" | "second" | "seconds" => TimeDelta::seconds(1),
        "m" | "min" | "mins" | "minute" | "minutes" => TimeDelta::minutes(1),
        "h" | "hr" | "hrs" | "hour" | "hours" => TimeDelta::hours(1),
        "d" | "day" | "days" => TimeDelta::days(1),
        "w" | "week" | "weeks" => TimeDelta::days(7),
        "mo" | "month" | "months" => TimeDelta::days(30),
        "y" | "year" | "years" => TimeDelta::days(365),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn clock() -> Clock {
        Clock { now: "2026-11-22T14:02:11Z".parse().unwrap(), zone: "Asia/Tokyo".parse().unwrap() }
    }

    fn read(text: &str) -> (String, String) {
        let moment = parse(text, &clock(), None).unwrap();
        let write = |at: DateTime<Utc>| at.format("%F %T%.f").to_string();
        (write(moment.from), write(moment.to))
    }

    fn pair(from: &str, to: &str) -> (String, String) {
        (from.to_owned(), to.to_owned())
    }

    #[test]
    fn dates_are_whole_days_in_the_zone() {
        assert_eq!(read("2026-11-22"), pair("2026-11-21 15:00:00", "2026-11-22 14:59:59.999999"));
        assert_eq!(read("today"), read("2026-11-22"));
        assert_eq!(read("yesterday"), read("2026-11-21"));
        assert_eq!(read("2026-02"), pair("2026-01-31 15:00:00", "2026-02-28 14:59:59.999999"));
        assert_eq!(read("2025"), pair("2024-12-31 15:00:00", "2025-12-31 14:59:59.999999"));
    }

    #[test]
    fn clock_times_are_whole_minutes_of_today() {
        assert_eq!(read("16:30"), pair("2026-11-22 07:30:00", "2026-11-22 07:30:59.999999"));
        assert_eq!(read("16:30:05"), pair("2026-11-22 07:30:05", "2026-11-22 07:30:05.999999"));
        assert_eq!(read("2026-11-20T16:30"), read("2026-11-20 16:30+09:00"));
        assert_eq!(read("2026-11-20T07:30Z"), read("2026-11-20T16:30"));
        assert_eq!(
            read("2026-11-20T07:30:00.25Z"),
            pair("2026-11-20 07:30:00.250", "2026-11-20 07:30:00.250")
        );
    }

    #[test]
    fn dates_as_lists_print_them() {
        assert_eq!(read("11-20 16:30:05"), read("2026-11-20 16:30:05"));
        assert_eq!(read("26-11-20 16:30"), read("2026-11-20 16:30"));
        // It has not come yet this year.
        assert_eq!(read("12-24 16:30"), read("2025-12-24 16:30"));
        let day = "2024-12-30".parse().unwrap();
        let moment = parse("12-24 16:30", &clock(), Some(day)).unwrap();
        assert_eq!(moment.day.to_string(), "2024-12-24");
        let why = parse("02-30 16:30", &clock(), None).unwrap_err().to_string();
        assert_eq!(why, "there is no 02-30 in the calendar");
        assert!(parse("11-20", &clock(), None).is_err());
    }

    #[test]
    fn clocks_that_are_moved() {
        let clock = Clock { zone: "Europe/Berlin".parse().unwrap(), ..clock() };
        let read = |text: &str| parse(text, &clock, None).unwrap();
        let instant = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let twice = read("2026-10-25 02:30");
        assert_eq!(twice.from, instant("2026-10-25T00:30:00Z"));
        assert_eq!(twice.to, instant("2026-10-25T01:30:59.999999Z"));
        assert_eq!(twice.after(), Some(instant("2026-10-25T00:31:00Z")));
        assert_eq!(twice.before(), Some(instant("2026-10-25T01:29:59.999999Z")));
        assert!(twice.clocks.unwrap().to_string().contains("came twice"));
        assert_eq!(read("2026-10-25 02:30+02:00").to, instant("2026-10-25T00:30:59.999999Z"));
        let never = read("2026-03-29 02:30");
        assert_eq!(never.from, instant("2026-03-29T01:00:00Z"));
        assert_eq!((never.after(), never.before()), (Some(never.from), Some(never.to)));
        assert_eq!(never.clocks, Some(Moved::Forward));
    }

    #[test]
    fn a_clock_time_takes_the_day_it_is_given() {
        let day = "2025-01-02".parse().unwrap();
        let moment = parse("09:00", &clock(), Some(day)).unwrap();
        assert_eq!(moment.from.to_rfc3339(), "2025-01-02T00:00:00+00:00");
    }

    #[test]
    fn lengths_count_back_from_now() {
        assert_eq!(read("2h"), pair("2026-11-22 12:02:11", "2026-11-22 12:02:11"));
        assert_eq!(read("2h ago"), read("2h"));
        assert_eq!(read("2 hours ago"), read("120m"));
        assert_eq!(read("1h30m"), read("90min"));
        assert_eq!(read("1w"), read("7d"));
    }

    #[test]
    fn what_is_no_time_says_why() {
        let why = |text: &str| parse(text, &clock(), None).unwrap_err().to_string();
        assert_eq!(why("2026-02-30"), "there is no 2026-02-30 in the calendar");
        assert_eq!(why("25:00"), "no clock shows 25:00");
        assert_eq!(why("2026-11T16:30"), "a clock time needs a whole date");
        assert_eq!(why("200y"), "\"200y\" is not a time");
        assert_eq!(why("200y ago"), "that is longer than a century");
        assert_eq!(why("soon"), "\"soon\" is not a time");
        assert_eq!(why(""), "\"\" is not a time");
    }

    proptest! {
        #[test]
        fn nothing_panics_and_stretches_run_forward(
            text in "\\PC{0,24}|[0-9:.TZ+ -]{0,24}|[0-9]{1,9}[a-z]{1,3}( ago)?",
        ) {
            if let Ok(moment) = parse(&text, &clock(), None) {
                prop_assert!(moment.from <= moment.to);
            }
        }

        #[test]
        fn only_what_was_skipped_is_empty(minutes in 0u32..525_600) {
            let start: chrono::NaiveDateTime = "2026-01-01T00:00:00".parse().unwrap();
            let local = start + TimeDelta::minutes(i64::from(minutes));
            let clock = Clock { zone: "Europe/Berlin".parse().unwrap(), ..clock() };
            let moment = parse(&local.format("%FT%R").to_string(), &clock, None).unwrap();
            let skipped = moment.clocks == Some(Moved::Forward);
            prop_assert_eq!(moment.from > moment.to, skipped);
            // Every instant at which a clock shows it is inside, and both ends show it.
            if !skipped {
                prop_assert_eq!(clock.zone.local(moment.from), local);
                prop_assert_eq!(clock.zone.local(moment.to), local + TimeDelta::minutes(1) - TICK);
            }
        }
    }
}

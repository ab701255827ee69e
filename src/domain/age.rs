//! How long ago, as people say it.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// `0.8s`, `42s`, `28m`, `4h 22m`, `9d 2h`, `1y 10mo`: two units at most.
#[must_use]
pub fn age(length: Duration) -> String {
    let seconds = length.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match seconds {
        0..10 => format!("{:.1}s", length.as_secs_f64()),
        10..60 => format!("{seconds}s"),
        60..3_600 => format!("{minutes}m"),
        3_600..86_400 => with(hours, "h", minutes % 60, "m"),
        86_400..5_184_000 => with(days, "d", hours % 24, "h"),
        5_184_000..31_536_000 => format!("{}mo", days / 30),
        _ => with(days / 365, "y", days % 365 / 30, "mo"),
    }
}

fn with(large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    if small == 0 {
        format!("{large}{large_unit}")
    } else {
        format!("{large}{large_unit} {small}{small_unit}")
    }
}

/// The time from `then` to `now`. Never negative: a clock ahead of ours is named as such.
#[must_use]
pub fn since(then: DateTime<Utc>, now: DateTime<Utc>) -> String {
    match (now - then).to_std() {
        Ok(length) => age(length),
        Err(_) => format!("{} ahead of this clock", age((then - now).to_std().unwrap_or_default())),
    }
}

/// The step from one event to the next: `+28m`, `-3s` (times are not monotonic), `0`.
#[must_use]
pub fn step(delta: TimeDelta) -> String {
    let length = delta.abs().to_std().unwrap_or_default();
    match (length.as_millis(), delta < TimeDelta::zero()) {
        (0, _) => "0".to_owned(),
        (ms @ 1..1_000, false) => format!("+{ms}ms"),
        (ms @ 1..1_000, true) => format!("-{ms}ms"),
        (_, false) => format!("+{}", age(length)),
        (_, true) => format!("-{}", age(length)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_units_at_most() {
        let said = |seconds| age(Duration::from_secs(seconds));
        assert_eq!(age(Duration::from_millis(840)), "0.8s");
        assert_eq!(
            [said(42), said(1_700), said(15_720), said(3_600), said(784_800), said(58_000_000)],
            ["42s", "28m", "4h 22m", "1h", "9d 2h", "1y 10mo"]
        );
    }

    #[test]
    fn a_clock_ahead_is_named() {
        let now: DateTime<Utc> = "2026-11-22T12:00:00Z".parse().unwrap();
        assert_eq!(since(now + TimeDelta::seconds(30), now), "30s ahead of this clock");
        assert_eq!(since(now - TimeDelta::hours(2), now), "2h");
        assert_eq!(step(TimeDelta::milliseconds(-12)), "-12ms");
        assert_eq!(step(TimeDelta::minutes(28)), "+28m");
    }
}

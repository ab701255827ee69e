//! Times in microseconds since 1970 UTC, the resolution of PostgreSQL; their text, and ids that contain them.

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use super::random::Random;
use crate::domain::id_timestamp;

pub const MILLI: i64 = 1_000;
pub const SECOND: i64 = 1_000_000;
pub const MINUTE: i64 = 60 * SECOND;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub i64);

impl Moment {
    /// Midnight at the start of a day.
    pub fn start_of(date: NaiveDate) -> Self {
        Self(date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_micros())
    }

    /// This time plus some microseconds.
    pub const fn plus(self, micros: i64) -> Self {
        Self(self.0 + micros)
    }

    /// The same as a `DateTime`.
    pub fn utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).unwrap_or_default()
    }

    /// `2026-11-22T18:16:40.11599Z`, as System.Text.Json writes it: without trailing zeros.
    pub fn push_json(self, out: &mut String) {
        self.push_seconds(out);
        let mut micros = self.0.rem_euclid(SECOND);
        if micros > 0 {
            let mut digits = 6;
            while micros % 10 == 0 {
                micros /= 10;
                digits -= 1;
            }
            out.push('.');
            push_padded(out, micros, digits);
        }
        out.push('Z');
    }

    fn push_seconds(self, out: &mut String) {
        let (year, month, day) = civil(self.0.div_euclid(DAY));
        push_padded(out, year, 4);
        out.push('-');
        push_padded(out, month, 2);
        out.push('-');
        push_padded(out, day, 2);
        out.push('T');
        let rest = self.0.rem_euclid(DAY);
        push_padded(out, rest / HOUR, 2);
        out.push(':');
        push_padded(out, rest / MINUTE % 60, 2);
        out.push(':');
        push_padded(out, rest / SECOND % 60, 2);
    }

    /// A version 7 id with this time, precise to a quarter of a microsecond as in PostgreSQL 18.
    pub fn v7(self, random: &mut Random) -> Uuid {
        let millis = u64::try_from(self.0 / MILLI).unwrap_or_default();
        let fraction = u64::try_from(self.0 % MILLI).unwrap_or_default() * 4096 / 1000;
        let high = (millis << 16) | 0x7000 | fraction;
        Uuid::from_u64_pair(high, (random.any() >> 2) | (1 << 63))
    }

    /// An id as .NET's `NewId` makes it, for one process of one machine.
    pub fn new_id(self, process: u16, serial: u16) -> Uuid {
        let mut maker = [0, 0, 0, 0, 0xee, 0x9d, 0x1e, 0xbc];
        maker[..2].copy_from_slice(&process.to_le_bytes());
        maker[2..4].copy_from_slice(&serial.to_be_bytes());
        id_timestamp::new_id(self.utc(), maker)
    }
}

/// `number` with leading zeros up to `width` digits.
pub fn push_padded(out: &mut String, number: i64, width: u32) {
    for place in (0..width).rev() {
        let digit = number / 10_i64.pow(place) % 10;
        out.push(char::from(b'0' + u8::try_from(digit).unwrap_or_default()));
    }
}

/// Year, month and day of the Gregorian calendar (Howard Hinnant's `civil_from_days`, days since 1970).
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::random::Subject;

    fn moment(text: &str) -> Moment {
        Moment(text.parse::<DateTime<Utc>>().unwrap().timestamp_micros())
    }

    #[test]
    fn text_is_what_chrono_writes() {
        for days in (0..40_000).step_by(13) {
            let moment = Moment(days * DAY + days * 977_131);
            let mut text = String::new();
            moment.push_json(&mut text);
            let other: DateTime<Utc> = text.parse().unwrap();
            assert_eq!(other.timestamp_micros(), moment.0);
        }
        for (given, json) in [
            ("2026-11-22T18:16:40.11599Z", "2026-11-22T18:16:40.11599Z"),
            ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"),
            ("2000-12-31T23:59:59.000001Z", "2000-12-31T23:59:59.000001Z"),
        ] {
            let mut text = String::new();
            moment(given).push_json(&mut text);
            assert_eq!(text, json);
        }
    }

    #[test]
    fn ids_contain_their_time() {
        let at = moment("2026-11-22T18:16:40.115990Z");
        let id = at.v7(&mut Random::new(1, Subject::Order, 1));
        assert_eq!(id.get_version_num(), 7);
        assert_eq!(id.get_variant(), uuid::Variant::RFC4122);
        let clock = id.get_timestamp().unwrap().to_unix();
        assert_eq!(clock, (at.0.unsigned_abs() / 1_000_000, 115_000_000));
    }

    #[test]
    fn new_ids_decode_to_their_time() {
        // Of a captured outbox row whose sent_time is 2026-11-22 18:17:08.59683+00.
        let captured = "e21c0000-ee9d-1ebc-7bb5-08df48c4d21f";
        let made = moment("2026-11-22T18:17:08.596830Z").new_id(7394, 0).to_string();
        assert_eq!(made[..20], captured[..20]);
        assert_eq!(made[24..], captured[24..]);
    }
}

//! Ids that carry their time of birth.

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// The creation time inside a version 7 UUID, to the millisecond; none for other versions.
#[must_use]
pub fn of_v7(id: Uuid) -> Option<DateTime<Utc>> {
    if id.get_version_num() != 7 {
        return None;
    }
    let millis = id.as_u128() >> 80;
    DateTime::from_timestamp_millis(i64::try_from(millis).ok()?)
}

/// The time inside a `MassTransit` `NewId` (message ids, lock ids), none when it is not one: the ticks
/// are bytes 10-13, 14-15 and 8-9 of the text order, counted in 100 ns since year 1. Results outside
/// 2015 to a day from `now` are taken for another kind of id.
#[must_use]
pub fn of_new_id(id: Uuid, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let b = id.as_bytes();
    let high = u64::from(u32::from_be_bytes([b[10], b[11], b[12], b[13]]));
    let low = u64::from(u32::from_be_bytes([b[14], b[15], b[8], b[9]]));
    let ticks = i64::try_from(high << 32 | low).ok()?;
    let since_epoch = ticks.checked_sub(621_355_968_000_000_000)?;
    let at = DateTime::from_timestamp_micros(since_epoch / 10)?;
    let year = chrono::Datelike::year(&at);
    (year >= 2015 && at <= now + chrono::TimeDelta::days(1)).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_ids_tell_their_time() {
        let now: DateTime<Utc> = "2026-11-22T12:00:00Z".parse().unwrap();
        // From MassTransit issue 5609, whose log carries the date.
        let new_id: Uuid = "9c1f0000-bdd3-6045-1477-08dcf38e528f".parse().unwrap();
        let at = of_new_id(new_id, now).unwrap();
        assert_eq!(at.format("%Y-%m-%dT%H:%M:%SZ").to_string(), "2024-10-23T18:12:57Z");
        assert_eq!(of_new_id(Uuid::nil(), now), None);
        let v7: Uuid = "01a20479-7690-78f4-b82f-bbb744b73fb4".parse().unwrap();
        assert_eq!(of_v7(v7).unwrap().format("%F").to_string(), "2026-11-22");
        assert_eq!(of_v7(new_id), None);
    }
}

//! The time of creation that some ids contain.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

/// The year 1 in .NET's ticks of 100 ns, counted back from 1970.
const TICKS_BEFORE_1970: i128 = 621_355_968_000_000_000;
/// 2015-01-01: `NewId` is hardly older. An earlier time means that the id is of another kind.
const NEW_ID_SINCE: i64 = 1_420_070_400;

/// When a version 7 uuid was made, to the millisecond.
#[must_use]
pub fn uuid7_time(id: Uuid) -> Option<DateTime<Utc>> {
    if id.get_version_num() != 7 {
        return None;
    }
    DateTime::from_timestamp_millis(i64::try_from(id.as_u128() >> 80).ok()?)
}

/// When a MassTransit `NewId` was made, to 100 ns (NewId.cs: the ticks lie in four pieces). They
/// carry no mark, so whatever decodes to before 2015 or more than a day after `now` is taken for
/// another kind of id.
#[must_use]
pub fn new_id_time(id: Uuid, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let [.., b8, b9, b10, b11, b12, b13, b14, b15] = *id.as_bytes();
    let ticks = i128::from(u64::from_be_bytes([b10, b11, b12, b13, b14, b15, b8, b9]));
    let since_1970 = ticks - TICKS_BEFORE_1970;
    let seconds = i64::try_from(since_1970.div_euclid(10_000_000)).ok()?;
    let nanos = u32::try_from(since_1970.rem_euclid(10_000_000) * 100).ok()?;
    let at = DateTime::from_timestamp(seconds, nanos)?;
    let latest = now.checked_add_signed(TimeDelta::days(1))?;
    (seconds >= NEW_ID_SINCE && at <= latest).then_some(at)
}

/// An id as MassTransit's `NewId` makes it: ticks of 100 ns since year 1 behind eight bytes of its maker.
#[must_use]
pub fn new_id(at: DateTime<Utc>, maker: [u8; 8]) -> Uuid {
    let since_1970 =
        i128::from(at.timestamp()) * 10_000_000 + i128::from(at.timestamp_subsec_nanos() / 100);
    let ticks = u64::try_from(TICKS_BEFORE_1970 + since_1970).unwrap_or_default().to_be_bytes();
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&maker);
    bytes[8..10].copy_from_slice(&ticks[6..]);
    bytes[10..].copy_from_slice(&ticks[..6]);
    Uuid::from_bytes(bytes)
}

/// What `outbox_state.lock_id` and `inbox_state.lock_id` mean: they are no lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastPass {
    /// All zeros: never tried, crashed in the middle, or failing before it could be recorded.
    NoneCommitted,
    /// The last pass that was committed.
    At(DateTime<Utc>),
    /// An id that no pass of MassTransit writes.
    Unreadable,
}

/// Reads a `lock_id`.
#[must_use]
pub fn last_pass(lock_id: Uuid, now: DateTime<Utc>) -> LastPass {
    if lock_id.is_nil() {
        return LastPass::NoneCommitted;
    }
    new_id_time(lock_id, now).map_or(LastPass::Unreadable, LastPass::At)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::at;

    fn id(text: &str) -> Uuid {
        text.parse().unwrap()
    }

    #[test]
    fn a_version_7_id_knows_its_millisecond() {
        // Created at 18:16:38.8001296Z by the service, as its body says.
        let order = id("01a20479-7690-78f4-b82f-bbb744b73fb4");
        assert_eq!(uuid7_time(order), Some(at("2026-11-22T18:16:38.800Z")));
        assert_eq!(uuid7_time(id("120d2609-ba91-4139-b0ed-e6169a98eedb")), None);
        assert_eq!(uuid7_time(Uuid::nil()), None);
    }

    #[test]
    fn a_new_id_knows_its_tick() {
        // From a MassTransit log of that day (issue 5609).
        let now = at("2026-11-22T18:16:38Z");
        let made = new_id_time(id("9c1f0000-bdd3-6045-1477-08dcf38e528f"), now).unwrap();
        assert_eq!(made.format("%F %T").to_string(), "2024-10-23 18:12:57");
        assert_eq!(
            new_id_time(id("9c1f0000-bdd3-6045-1477-08dcf38e528f"), at("2020-01-01T00:00:00Z")),
            None
        );
        assert_eq!(new_id_time(id("120d2609-ba91-4139-b0ed-e6169a98eedb"), now), None);
        assert_eq!(new_id_time(Uuid::max(), now), None);
    }

    #[test]
    fn a_made_id_tells_its_moment() {
        let now = at("2026-11-22T18:16:38.8001296Z");
        let made = new_id(now, [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(new_id_time(made, now), Some(now));
        assert_ne!(made, new_id(now, [1, 2, 3, 4, 5, 6, 7, 9]));
    }

    #[test]
    fn zeros_are_no_pass() {
        let now = at("2026-11-22T18:16:38Z");
        assert_eq!(last_pass(Uuid::nil(), now), LastPass::NoneCommitted);
        assert!(matches!(
            last_pass(id("9c1f0000-bdd3-6045-1477-08dcf38e528f"), now),
            LastPass::At(_)
        ));
        assert_eq!(last_pass(Uuid::max(), now), LastPass::Unreadable);
    }
}

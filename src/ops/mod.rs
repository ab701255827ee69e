//! Use cases: what an operator does, each a function over a session and what is known of the database.

pub mod analysis;
pub mod archive;
pub mod audit;
pub mod buyers;
pub mod chain;
mod clock;
pub mod delivery;
pub mod error_queue;
pub mod history;
pub mod inbox;
pub mod messages;
pub mod operation;
pub mod operator;
pub mod policy;
pub mod report;
pub mod search;

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use chrono::{DateTime, Utc};
use uuid::{NoContext, Timestamp, Uuid};

pub use clock::ServerClock;

/// The present time, from whoever starts something.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// An id that nobody has used, ordered by time.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "only whether the clock can be used in an id")]
pub fn fresh_id() -> Uuid {
    id_at(SystemTime::now())
}

/// `Uuid::now_v7` panics where the clock was set before 1970: such ids have the first moment of that year.
fn id_at(now: SystemTime) -> Uuid {
    if now < UNIX_EPOCH {
        return Uuid::new_v7(Timestamp::from_unix(NoContext, 0, 0));
    }
    Uuid::now_v7()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn ids_are_new_also_where_the_clock_is_before_1970() {
        let before = UNIX_EPOCH - Duration::from_secs(86_400);
        assert_ne!(id_at(before), id_at(before));
        assert!(id_at(before) < fresh_id());
    }
}

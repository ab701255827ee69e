//! Ids and traces derived from an operation's id: planning, running and running again after a lost connection all
//! draw the same ones.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::id_timestamp::new_id;

/// Draws ids of one operation.
#[derive(Debug, Clone, Copy)]
pub struct Derived {
    operation: Uuid,
    at: DateTime<Utc>,
}

impl Derived {
    #[must_use]
    pub const fn new(operation: Uuid, at: DateTime<Utc>) -> Self {
        Self { operation, at }
    }

    fn half(&self, what: &str) -> [u8; 16] {
        let mut hash = Sha256::new();
        hash.update(self.operation.as_bytes());
        hash.update(what.as_bytes());
        let mut half = [0; 16];
        half.copy_from_slice(&hash.finalize()[..16]);
        half
    }

    /// An id without a clock (version 4 by its mark).
    #[must_use]
    pub fn id(&self, what: &str) -> Uuid {
        uuid::Builder::from_random_bytes(self.half(what)).into_uuid()
    }

    /// An id with the operation's clock (version 7).
    #[must_use]
    pub fn timed(&self, what: &str) -> Uuid {
        let millis = u64::try_from(self.at.timestamp_millis()).unwrap_or_default();
        let half = self.half(what);
        let mut rest = [0; 10];
        rest.copy_from_slice(&half[..10]);
        uuid::Builder::from_unix_timestamp_millis(millis, &rest).into_uuid()
    }

    /// A MassTransit `NewId` with the operation's clock.
    #[must_use]
    pub fn new_id(&self, what: &str) -> Uuid {
        let half = self.half(what);
        let mut maker = [0; 8];
        maker.copy_from_slice(&half[..8]);
        new_id(self.at, maker)
    }

    /// 16 hexadecimal digits, a W3C span id.
    #[must_use]
    pub fn span(&self) -> String {
        self.id("span").simple().to_string()[..16].to_owned()
    }

    /// 32 hexadecimal digits, a W3C trace id: the operation's own.
    #[must_use]
    pub fn trace(&self) -> String {
        self.operation.simple().to_string()
    }
}

/// The operation id of a consumer that handles a message: always the same for the same message.
#[must_use]
pub fn of_message(message: Uuid, consumer: Uuid) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(message.as_bytes());
    hash.update(consumer.as_bytes());
    let mut half = [0; 16];
    half.copy_from_slice(&hash.finalize()[..16]);
    uuid::Builder::from_custom_bytes(half).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        id_timestamp::{new_id_time, uuid7_time},
        samples::at,
    };

    #[test]
    fn the_same_operation_draws_the_same_ids_and_another_others() {
        let now = at("2026-11-22T18:16:38.800129Z");
        let one = Derived::new(Uuid::from_u128(1), now);
        let other = Derived::new(Uuid::from_u128(2), now);
        assert_eq!(one.id("event"), one.id("event"));
        assert_ne!(one.id("event"), one.id("stream"));
        assert_ne!(one.id("event"), other.id("event"));
        assert_eq!(new_id_time(one.new_id("message"), now), Some(now));
        assert_eq!(uuid7_time(one.timed("stream")), Some(at("2026-11-22T18:16:38.800Z")));
        assert_eq!(one.span().len(), 16);
        assert_eq!(one.trace().len(), 32);
        let (message, consumer) = (Uuid::from_u128(3), Uuid::from_u128(4));
        assert_eq!(of_message(message, consumer), of_message(message, consumer));
        assert_ne!(of_message(message, consumer), of_message(consumer, message));
    }
}

//! What a message that cannot be delivered does to other deliveries.

use crate::domain::poison::Poison;

impl Poison {
    /// Its effect on delivery by the service, or, in a `managed` database, by our own relay.
    #[must_use]
    pub const fn effect(&self, managed: bool) -> &'static str {
        match self {
            _ if managed => {
                "the relay leaves its outbox alone for longer after every attempt and delivers all others \
                 meanwhile"
            }
            Self::Headers(_) | Self::Properties(_) => {
                "every pass fails before it can be recorded, so no pass shows in the tables; \
                 the service retries after 3 to 30 s, for ever"
            }
            Self::NoDestination => {
                "the service skips it with a warning and deletes it with its outbox: it would be lost \
                 without an error"
            }
            _ => {
                "the service tries it again at once, without end; a single worker sends nothing else meanwhile"
            }
        }
    }

    /// Whether a pass of the service that fails at it is still recorded.
    #[must_use]
    pub const fn leaves_trace(&self) -> bool {
        !matches!(self, Self::Headers(_) | Self::Properties(_))
    }

    /// Whether the service stops at it, so that everything behind it waits. Our own relay never does.
    #[must_use]
    pub const fn blocks(&self) -> bool {
        !matches!(self, Self::NoDestination)
    }
}

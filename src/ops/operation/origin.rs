//! The message that carried a command.

use uuid::Uuid;

use crate::domain::id::{ConsumerId, MessageId};

/// A command that arrived as a message: which one, and what its event and messages take over from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub message: MessageId,
    pub consumer: ConsumerId,
    /// The queue's address, which is the source of what is published.
    pub queue: String,
    pub conversation: Option<Uuid>,
    /// Its correlation id, else its request id.
    pub initiator: Option<Uuid>,
    /// W3C: `00-<trace>-<span>-<flags>`.
    pub traceparent: Option<String>,
}

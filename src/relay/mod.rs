//! RabbitMQ in MassTransit's wire format: the broker and its errors, publishing with confirms, backoff, error queues,
//! and the queue of incoming commands.

mod backoff;
mod broker;
mod endpoint;
mod error;
mod inspector;
mod management;
mod properties;
mod publisher;
mod republish;

pub use backoff::Backoff;
pub use broker::Broker;
pub use endpoint::{Endpoint, UnsettledMessage};
pub use error::Error;
pub use inspector::{Limits, QueueContents, QueueInspector, QueueStatus, TakenMessage, Walk};
pub use management::{ListedQueue, Management, QueuedMessage};
pub use publisher::{Confirmed, Pending, Publisher};
pub use republish::Republish;

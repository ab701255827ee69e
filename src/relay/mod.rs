//! RabbitMQ publishing in MassTransit's wire format: which broker, what can go wrong, one confirmed
//! channel, how long to wait before trying again, what lies in the error queues, and where commands come in.

mod backoff;
mod broker;
mod endpoint;
mod error;
mod inspector;
mod management;
mod publisher;
mod republish;

pub use backoff::Backoff;
pub use broker::Broker;
pub use endpoint::{Endpoint, Handed};
pub use error::Error;
pub use inspector::{Limits, Look, QueueInspector, Standing, Taken, Walk};
pub use management::{Listed, Management, QueuedMessage};
pub use publisher::{Confirmed, Pending, Publisher};
pub use republish::Republish;

//! RabbitMQ publishing in MassTransit's wire format: which broker, what can go wrong, one confirmed
//! channel, and how long to wait before trying again.

mod backoff;
mod broker;
mod error;
mod publisher;

pub use backoff::Backoff;
pub use broker::Broker;
pub use error::Error;
pub use publisher::{Confirmed, Pending, Publisher};

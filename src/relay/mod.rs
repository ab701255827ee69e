//! RabbitMQ publishing in MassTransit's wire format: which broker, what can go wrong, one confirmed
//! channel, how long to wait before trying again, what lies in the error queues, and where commands come in.

mod republish;
mod inspector;
mod backoff;
mod broker;
mod endpoint;
mod error;
mod management;
mod publisher;

pub use republish::Anew;
pub use inspector::{Aside, Limits, Look, Standing, Taken, Walk};
pub use backoff::Backoff;
pub use broker::Broker;
pub use endpoint::{Endpoint, Handed};
pub use error::Error;
pub use management::{Kept, Listed, Management};
pub use publisher::{Confirmed, Pending, Publisher};

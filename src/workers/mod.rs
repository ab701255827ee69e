//! Long-running jobs. Each ends when its token is cancelled, and none decides where it runs or prints by itself.

pub mod anchors;
pub mod consumer;
pub mod relay;
pub mod sampler;

pub use crate::ops::Clock;

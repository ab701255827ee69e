//! Long-running jobs. Each ends when its token is cancelled, and none spawns or prints by itself.

pub mod anchors;
pub mod sampler;

//! Long-running jobs. Each ends when its token is cancelled, and none decides where it runs or prints by itself.

pub mod anchors;
pub mod consumer;
pub mod errand;
pub mod relay;
pub mod sampler;

use std::sync::Arc;

use chrono::{DateTime, Utc};

/// The present time, from whoever starts a worker.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

//! Long-running jobs. They are handed a clock and a token that ends them; whoever starts one decides where
//! it runs.

pub mod relay;

use std::sync::Arc;

use chrono::{DateTime, Utc};

/// The present time, from whoever starts a worker.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

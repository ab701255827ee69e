//! Use cases: what an operator does, each a function over a session and what is known of the database.

pub mod analysis;
pub mod archive;
pub mod audit;
pub mod buyers;
pub mod chain;
mod clock;
pub mod delivery;
pub mod error_queue;
pub mod history;
pub mod inbox;
pub mod messages;
pub mod operation;
pub mod operator;
pub mod policy;
pub mod report;
pub mod search;

use std::sync::Arc;

use chrono::{DateTime, Utc};

pub use clock::ServerClock;

/// The present time, from whoever starts something.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

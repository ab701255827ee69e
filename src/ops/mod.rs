//! Use cases: what an operator does, each a function over a session and what is known of the database.

pub mod analysis;
pub mod audit;
pub mod buyers;
pub mod chain;
pub mod command;
pub mod deeds;
pub mod error_queue;
pub mod history;
pub mod inbox;
pub mod messages;
pub mod operator;
pub mod ownership;
pub mod plan;
pub mod policy;
pub mod report;
pub mod running;
pub mod search;

use std::sync::Arc;

use chrono::{DateTime, Utc};

/// The present time, handed in by whoever starts the program or a part of it.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

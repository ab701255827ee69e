//! Use cases: what an operator does, each a function over a session and what is known of the database.

pub mod analysis;
pub mod audit;
pub mod batch;
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

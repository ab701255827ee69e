//! Use cases: what an operator does, each a function over a session and what is known of the database.

pub mod faults;
pub mod history;
pub mod known;
pub mod report;
pub mod search;

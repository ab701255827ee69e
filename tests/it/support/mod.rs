//! Private servers and databases for the tests. Nothing here relies on a server already running.

pub mod catalog;
pub mod fixture;
pub mod nap;
pub mod pgbouncer;
pub mod postgres;
pub mod proxy;
pub mod rabbitmq;
pub mod replica;

/// The present time, as a console or a verb hands it down.
pub fn clock() -> orderscope::ops::Clock {
    std::sync::Arc::new(chrono::Utc::now)
}

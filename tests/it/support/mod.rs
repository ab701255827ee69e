//! Private servers and databases for the tests. Nothing here relies on a server already running.

pub mod catalog;
pub mod fixture;
pub mod nap;
pub mod pgbouncer;
pub mod postgres;
pub mod rabbitmq;
pub mod replica;

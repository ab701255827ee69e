//! Private servers and databases for the tests. Nothing here relies on a server already running.

pub mod postgres;

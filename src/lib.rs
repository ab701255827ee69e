//! Orderscope: a terminal operations console for event-sourced orders on PostgreSQL.
//!
//! Arrows go down only: `cli` and `tui` stand on `session`, `demo`, `workers` and `ops`; those stand on
//! `db`, `relay` and `embedded`; everything but `embedded` stands on `domain`, which is pure.
//! `ARCHITECTURE.md` has the map, `tests/tidy` keeps it true.

#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "a test is its own clock and runtime")
)]

pub mod cli;
pub mod config;
pub mod db;
pub mod demo;
pub mod domain;
pub mod embedded;
pub mod files;
pub mod ops;
pub mod relay;
pub mod servers;
pub mod session;
pub mod telemetry;
pub mod tui;
pub mod workers;

//! Everything that needs a server, a database or a terminal: one binary, so that it links once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test that cannot go on has failed, and says where; it is its own clock and runtime"
)]

mod agreement;
mod asked;
mod attached;
mod audit;
mod audit_evidence;
mod batch;
mod chain;
mod commanding;
mod commands;
mod connect;
mod consumer;
mod demo;
mod demo_operations;
mod docs;
mod embedded;
mod error_queues;
mod faulty;
mod first_start;
mod messages;
mod outbox_actions;
mod ownership;
mod pictures;
mod pooler;
mod pty;
mod queries;
mod reads;
mod relay;
mod rights;
mod sampler;
mod scenario;
mod schema;
mod server_clock;
mod shapes;
mod smoke;
mod strange;
mod support;
mod times;
mod upgrade_verb;
mod verbs;

//! The house rules that a compiler does not check: which module may use which, file sizes, purpose
//! lines, and words that must not leave the workshop.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that cannot go on has failed, and says where"
)]

mod circles;
mod lex;
mod modules;
mod rooms;
mod sources;
mod style;
mod workshop;

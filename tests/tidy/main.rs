//! The house rules that a compiler does not check.
//!
//! `rooms`: which module may use which, and whether `ARCHITECTURE.md` shows it. `circles`: no circle between
//! siblings. `style`: a pure domain, the time handed in, SQL in one place, short files with a purpose line.
//! `words`: no words that confuse newcomers. `machine`: no names of private machines.
//! `licences`: of everything we depend on.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that cannot continue has failed, and says where"
)]

mod circles;
mod lex;
mod licences;
mod machine;
mod modules;
mod rooms;
mod sources;
mod style;
mod words;

//! Commands against real databases: everything or nothing is written, by whoever is first, and once.

mod agree;
mod faults;
mod foreign;
mod inbox;
mod killed;
mod outbox_actions;
mod plans;
mod races;
pub mod world;

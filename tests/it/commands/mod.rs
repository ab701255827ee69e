//! Commands against real databases: everything or nothing is written, by whoever is first, and once.

mod agree;
mod deeds;
mod faults;
mod foreign;
mod inbox;
mod killed;
mod plans;
mod races;
pub mod world;

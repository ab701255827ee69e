//! Demo data: years of realistic orders with planted trouble, identical for identical options.
//!
//! `Options` → `plan` (days, troubles) → `history` (orders and events in time) → `tables` (rows for COPY) →
//! `load` (into a managed database). Nothing here reads a clock or a random seed of its own.

pub mod calendar;
pub mod catalogue;
mod history;
mod load;
mod moment;
mod notes;
mod options;
mod order;
mod people;
mod plan;
mod planted;
mod random;
pub mod scenario;
mod step;
mod tables;
mod trouble;
mod work;

pub use load::{Error, Loaded, Progress, Stage, is_unfilled, load, load_in, loaded};
pub use options::{Invalid, Options};
pub use planted::{Trouble, troubles};
pub use tables::message::consumers;
pub use work::{DemoWork, Task};

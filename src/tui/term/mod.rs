//! The terminal itself: entering and leaving it, its replies among the keys, panics, what it can do.

pub mod caps;
mod guard;
pub mod panic;
pub(super) mod replies;

pub use self::{
    guard::{Guard, leave},
    replies::Filter,
};

//! The terminal itself: entering and leaving it, its replies among the keys, panics, what it can do.

pub mod caps;
mod guard;
pub mod panic;
mod replies;

pub use self::{
    guard::{Guard, leave},
    replies::without_replies,
};

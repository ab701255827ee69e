//! The terminal itself: entering and leaving it, panics, what it can do, and the clipboard.

pub mod caps;
mod guard;
pub mod panic;

pub use self::guard::{Guard, leave};

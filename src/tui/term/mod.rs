//! The terminal itself: entering and leaving it, panics, what it can do, and the clipboard.

mod guard;
pub mod caps;
pub mod panic;

pub use self::guard::{Guard, leave};

//! Event bodies: reading every shape that stores contain, writing our own.

mod read;
mod scalar;
mod write;

pub use read::meaning;
pub(in crate::domain) use read::{image, summary_fields};
pub(in crate::domain) use write::instant;
pub use write::{body, order_json, summary_json};

//! Event bodies: reading whatever is there, writing the one shape we write.

mod json;
mod read;
mod write;

pub use read::meaning;
pub(in crate::domain) use read::{image, summary_fields};
pub(in crate::domain) use write::instant;
pub use write::{body, order_json, summary_json};

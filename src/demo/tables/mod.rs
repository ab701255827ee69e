//! The rows of the demo data, as the service's libraries and this program write them.

pub mod copy;
pub mod dead_letter;
pub mod event;
pub mod json;
pub mod message;
pub mod row;

//! What the data means, as pure values and functions: no IO, no async, no clock.

pub mod event;
pub mod id;
pub mod mask;
pub mod moment;
pub mod order;
pub mod order_ref;
pub mod search;
pub mod sheet;
pub mod text;
pub mod zone;

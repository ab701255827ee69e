//! What the data means, as pure values and functions: no IO, no async, no clock.

pub mod body;
pub mod diff;
pub mod event;
pub mod fold;
pub mod id;
pub mod mask;
pub mod moment;
pub mod money;
pub mod order;
pub mod order_ref;
pub mod search;
pub mod sheet;
pub mod snapshot;
pub mod text;
pub mod timeline;
pub mod zone;

#[cfg(test)]
mod samples;

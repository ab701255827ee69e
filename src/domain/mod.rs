//! What the data means, as pure values and functions: no IO, no async, no clock.

pub mod address;
pub mod age;
pub mod backlog;
pub mod batch;
pub mod body;
pub mod chain;
pub mod compare;
pub mod consumer;
pub mod contract;
pub mod decide;
pub mod derived;
pub mod diagnosis;
pub mod dialect;
pub mod diff;
pub mod endless;
pub mod envelope;
pub mod event;
pub mod fault;
pub mod fold;
pub mod id;
pub mod id_timestamp;
pub mod inbound;
pub mod json;
pub mod mask;
pub mod moment;
pub mod money;
pub mod order;
pub mod order_ref;
pub mod outbox;
pub mod outbox_action;
pub mod outgoing;
pub mod poison;
pub mod report;
pub mod search;
pub mod sheet;
pub mod snapshot;
pub mod stored_message;
pub mod text;
pub mod timeline;
pub mod trend;
pub mod typed;
pub mod when;
pub mod zone;

#[cfg(test)]
pub(crate) mod samples;

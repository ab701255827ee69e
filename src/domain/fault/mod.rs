//! Messages in the broker's `_error` and `_skipped` queues: what failed, which of them failed alike, and
//! whether a replay would do good, nothing, or the same work twice.
//!
//! MassTransit moves a message whose consumer gave up to `<queue>_error`, bytes unchanged, with `MT-Fault-*`
//! and `MT-Host-*` headers; one that no consumer of the queue understands goes to `<queue>_skipped`.

mod consumer;
mod group;
mod normal;
mod read;
mod verdict;

pub use consumer::Consumers;
pub use group::{Fingerprint, Group, group};
pub use normal::{normalised, without_addresses};
pub use read::{Fault, Host, Key, Kind, NoHome, Raw};
pub use verdict::{InboxCoverage, InboxRow, Judgement, Verdict, Why, judge};

#[cfg(test)]
mod tests;

//! Messages in the broker's `_error` and `_skipped` queues: what failed, which failures are alike, and whether a replay
//! does the work for the first time, does nothing, or does it twice.
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
pub use normal::normalised;
pub use read::{Fault, Host, Key, Kind, Raw, UnknownOrigin};
pub use verdict::{InboxCoverage, InboxRow, Judgement, Verdict, Why, judge};

#[cfg(test)]
mod tests;

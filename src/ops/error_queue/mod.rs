//! The broker's `_error` and `_skipped` queues: what lies there, told apart by the inbox; replaying it to
//! where it came from, and discarding it with a copy.

mod keep;
mod look;
mod pick;
pub mod report;
mod run;
pub mod training;

use chrono::TimeDelta;

pub use keep::{FaultCopy, Keep, TableKeep};
pub use look::{FoundFault, Knowledge, Listing, QueueReport, knowledge, list};
pub use pick::{Choice, Chosen, ErrorAction, Pick, choose};
pub use run::{Judge, Outcome, Work, run};

pub use crate::relay::{Broker, Limits, Management};
use crate::{domain::consumer::Consumer, relay};

/// Where to look and what is known beforehand.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// Names of error queues.
    pub queues: Vec<String>,
    /// For a queue and message type that is named here, these are all consumers.
    pub consumers: Vec<Consumer>,
    /// How long the service keeps delivered inbox rows; without it, the oldest one seen tells.
    pub window: Option<TimeDelta>,
    /// The broker's management interface, where the names of other error queues come from.
    pub management: Option<Management>,
    pub limits: Limits,
}

/// A broker, and where to look in it.
#[derive(Debug, Clone)]
pub struct Source {
    pub broker: Broker,
    pub scope: Scope,
}

impl Scope {
    /// The queues to look into: those named, else the error queues of the consumers named.
    #[must_use]
    pub fn queues(&self) -> Vec<String> {
        if !self.queues.is_empty() {
            return self.queues.clone();
        }
        let mut out: Vec<String> = vec![];
        for name in &self.consumers {
            for end in ["_error", "_skipped"] {
                let queue = format!("{}{end}", name.queue);
                if !out.contains(&queue) {
                    out.push(queue);
                }
            }
        }
        out
    }
}

/// Why nothing was done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error(
        "no error queue is named; set errors.queues, messages.consumers or errors.management, or give --queue"
    )]
    NoQueue,
    #[error("no message in these queues has a key that begins with {0:?}; list them again")]
    NoKey(String),
    #[error("{0:?} begins the keys of several messages; give more of it")]
    Ambiguous(String),
    #[error("no group has a fingerprint that begins with {0:?}; list the groups again")]
    NoGroup(String),
    #[error(transparent)]
    Broker(#[from] relay::Error),
}

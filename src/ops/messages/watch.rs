//! How outboxes and inbox are watched, as the configuration and the table of operations say.

use std::time::Duration;

use chrono::TimeDelta;

use crate::domain::{consumer::Consumer, diagnosis::Thresholds};

/// What the configuration says about watching messages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Watch {
    pub thresholds: Thresholds,
    /// Names for consumer ids.
    pub consumers: Vec<Consumer>,
    pub sampling: Sampling,
    pub by_hand: ByHand,
}

/// Operations that change outboxes by hand, as audit records name them: what they do is no traffic.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ByHand {
    pub change: Vec<String>,
    /// Those of them that put a message into the outbox.
    pub put_back: Vec<String>,
}

/// What a sampler does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sampling {
    /// The time between two looks.
    pub every: Duration,
    /// How long copies of what operators took out stay; none: for ever.
    pub copies: Option<TimeDelta>,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { every: Duration::from_secs(20), copies: None }
    }
}

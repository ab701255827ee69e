//! Groups of messages that failed for the same reason.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use super::{Fault, Kind, Verdict, normalised};
use crate::domain::text::hex;

/// Names a group: eight hexadecimal digits over consumer, exception and normalised message. The same
/// failure has the same name tomorrow.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(String);

/// What the messages of a group have in common, and how they differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub fingerprint: Fingerprint,
    pub kind: Kind,
    pub consumer: Option<String>,
    pub exception: Option<String>,
    /// Ids, numbers, times and addresses are replaced by what they are.
    pub text: String,
    pub count: usize,
    pub first: Option<DateTime<Utc>>,
    pub last: Option<DateTime<Utc>>,
    pub queues: BTreeSet<String>,
    pub types: BTreeSet<String>,
    pub verdicts: BTreeMap<Verdict, usize>,
}

impl Fingerprint {
    /// Of one message.
    #[must_use]
    pub fn of(fault: &Fault) -> Self {
        let text = normalised(fault.text.as_deref().unwrap_or_default());
        let kind = fault.kind.to_string();
        let mut digest = Sha256::new();
        for part in [
            kind.as_str(),
            fault.consumer.as_deref().unwrap_or_default(),
            fault.exception.as_deref().unwrap_or_default(),
            &text,
        ] {
            digest.update(part.len().to_be_bytes());
            digest.update(part.as_bytes());
        }
        Self(hex(&digest.finalize()[..4]))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// All groups, the largest first.
#[must_use]
pub fn group<'a>(faults: impl IntoIterator<Item = (&'a Fault, Verdict)>) -> Vec<Group> {
    let mut groups: BTreeMap<Fingerprint, Group> = BTreeMap::new();
    for (fault, verdict) in faults {
        let fingerprint = Fingerprint::of(fault);
        let group = groups.entry(fingerprint.clone()).or_insert_with(|| Group {
            fingerprint,
            kind: fault.kind,
            consumer: fault.consumer.clone(),
            exception: fault.exception.clone(),
            text: normalised(fault.text.as_deref().unwrap_or_default()),
            count: 0,
            first: None,
            last: None,
            queues: BTreeSet::new(),
            types: BTreeSet::new(),
            verdicts: BTreeMap::new(),
        });
        group.count += 1;
        group.first = [group.first, fault.failed].into_iter().flatten().min();
        group.last = group.last.max(fault.failed);
        group.queues.insert(fault.queue.clone());
        group.types.extend(fault.message_type.clone());
        *group.verdicts.entry(verdict).or_default() += 1;
    }
    let mut out: Vec<_> = groups.into_values().collect();
    // Stable: equal ones stay in the order of their names.
    out.sort_by_key(|group| std::cmp::Reverse(group.count));
    out
}

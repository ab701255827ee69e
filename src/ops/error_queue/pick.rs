//! Which messages are meant, and which of them a replay or a discard may take.

use std::{collections::BTreeSet, fmt};

use super::{Error, FoundFault};
use crate::domain::{
    fault::{Key, Verdict},
    id::MessageId,
};

/// What is done with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorAction {
    /// Published to the queue it came from.
    Replay,
    /// Removed, a copy kept.
    Discard,
}

/// Which ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pick {
    /// One by one, by keys or their beginnings. `again`: also those whose replay may do the work again.
    Keys { keys: Vec<String>, again: bool },
    /// In bulk, by a group's fingerprint or its beginning.
    Group(String),
    /// In bulk, everything.
    All,
}

/// A message that will be taken, if it is still there and still judged so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    pub key: Key,
    pub queue: String,
    /// Where a replay sends it.
    pub home: Option<String>,
    pub message: Option<MessageId>,
    pub verdict: Verdict,
    pub why: String,
}

/// A frozen selection: keys, not conditions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// In the order of the queues.
    pub chosen: Vec<Chosen>,
    /// What was meant and is left where it is, and why.
    pub left: Vec<(Key, String)>,
}

impl ErrorAction {
    /// As a verb.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Replay => "replay",
            Self::Discard => "discard",
        }
    }

    /// As what happened.
    #[must_use]
    pub const fn past(self) -> &'static str {
        match self {
            Self::Replay => "replayed",
            Self::Discard => "discarded",
        }
    }
}

impl fmt::Display for ErrorAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Chooses. In bulk, a replay takes only what waits, and a discard only what is done; the rest has to be
/// named one by one, and what may do work again also said so.
///
/// # Errors
/// When a key or a group is not there, or a key's beginning fits several messages.
pub fn choose(found: &[FoundFault], pick: &Pick, action: ErrorAction) -> Result<Choice, Error> {
    let mut choice = Choice::default();
    for found in meant(found, pick)? {
        let key = found.fault.key.clone();
        let verdict = found.judgement.verdict;
        let home = found.fault.origin();
        let refused = match (pick, action) {
            (_, ErrorAction::Replay) if home.is_err() => {
                home.as_ref().err().map(ToString::to_string)
            }
            (Pick::Keys { again: false, .. }, ErrorAction::Replay) if verdict.may_repeat() => {
                Some(format!(
                    "{verdict}: {}; alone, or with --run-again, it is replayed all the same",
                    found.judgement.why
                ))
            }
            (Pick::Keys { .. }, _) => None,
            (_, ErrorAction::Replay) if verdict.in_bulk_replay() => None,
            (_, ErrorAction::Discard) if verdict.in_bulk_discard() => None,
            (_, ErrorAction::Replay) if verdict == Verdict::Done => {
                Some("done: there is nothing left to replay; discard it".to_owned())
            }
            _ => Some(format!(
                "{verdict}, never in bulk: {}; name it by its key",
                found.judgement.why
            )),
        };
        match refused {
            Some(why) => choice.left.push((key, why)),
            None => choice.chosen.push(Chosen {
                key,
                queue: found.fault.queue.clone(),
                home: home.ok().map(str::to_owned),
                message: found.fault.message,
                verdict,
                why: found.judgement.why.to_string(),
            }),
        }
    }
    Ok(choice)
}

fn meant<'a>(found: &'a [FoundFault], pick: &Pick) -> Result<Vec<&'a FoundFault>, Error> {
    match pick {
        Pick::All => Ok(found.iter().collect()),
        Pick::Group(start) => {
            let fits = |found: &&FoundFault| found.fingerprint.as_str().starts_with(start.as_str());
            let group: Vec<_> = found.iter().filter(fits).collect();
            let names: BTreeSet<_> = group.iter().map(|found| &found.fingerprint).collect();
            match names.len() {
                0 => Err(Error::NoGroup(start.clone())),
                1 => Ok(group),
                _ => Err(Error::Ambiguous(start.clone())),
            }
        }
        Pick::Keys { keys, .. } => {
            let mut wanted = BTreeSet::new();
            for start in keys {
                let fits =
                    |found: &&FoundFault| found.fault.key.as_str().starts_with(start.as_str());
                let names: BTreeSet<_> = found.iter().filter(fits).map(|f| &f.fault.key).collect();
                match names.len() {
                    0 => return Err(Error::NoKey(start.clone())),
                    1 => wanted.extend(names),
                    _ => return Err(Error::Ambiguous(start.clone())),
                }
            }
            Ok(found.iter().filter(|found| wanted.contains(&found.fault.key)).collect())
        }
    }
}

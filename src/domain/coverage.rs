//! What an answer does not cover, and why: nothing found is not nothing there.

use std::fmt;

use serde_json::{Value, json};

/// Something that was not looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotLookedAt {
    /// What the answer lacks: `outbox_message`, `dead letters`.
    pub what: String,
    pub why: String,
    /// What rests on it is not known at all. Else the look was narrowed, and the answer holds as far as it went.
    pub is_unknown: bool,
}

impl NotLookedAt {
    /// It could not be looked at.
    pub fn unknown(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what: what.into(), why: why.into(), is_unknown: true }
    }

    /// It was looked at in part.
    pub fn narrowed(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what: what.into(), why: why.into(), is_unknown: false }
    }

    /// For programs.
    #[must_use]
    pub fn value(&self) -> Value {
        json!({ "what": self.what, "why": self.why })
    }
}

impl fmt::Display for NotLookedAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `no right to read outbox_message` names it already.
        if self.why.contains(&self.what) {
            return f.write_str(&self.why);
        }
        write!(f, "{}: {}", self.what, self.why)
    }
}

/// Whether anything could not be looked at.
#[must_use]
pub fn leaves_unknown(list: &[NotLookedAt]) -> bool {
    list.iter().any(|one| one.is_unknown)
}

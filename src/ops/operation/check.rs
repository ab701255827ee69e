//! Preconditions of a plan, and how they turned out.

/// How a precondition turned out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    Ok,
    Warn,
    /// It cannot be run.
    Blocking,
    /// It cannot be run because there is nothing to do.
    Nothing,
    /// Could not be checked.
    Unknown,
}

/// A precondition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    pub verdict: Verdict,
    pub text: String,
}

impl Check {
    /// A precondition.
    pub fn new(verdict: Verdict, text: impl Into<String>) -> Self {
        Self { verdict, text: text.into() }
    }

    /// Whether it forbids running the plan.
    #[must_use]
    pub const fn forbids(&self) -> bool {
        matches!(self.verdict, Verdict::Blocking | Verdict::Nothing)
    }
}

impl Verdict {
    /// As plans show it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Blocking | Self::Nothing => "BLOCK",
            Self::Unknown => "??",
        }
    }
}

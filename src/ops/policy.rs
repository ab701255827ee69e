//! What this console may do at all.

/// The rules of a context.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Nothing is written, and nothing unlocks it.
    pub read_only: bool,
}

/// Why a command may not be run by this operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{command} is not allowed here; ask whoever keeps the policy of this context")]
pub struct Denied {
    pub command: String,
}

impl Policy {
    /// Whether an operator with these database roles may run a command of that name.
    pub fn allows(&self, command: &str, _roles: &[String]) -> Result<(), Denied> {
        if self.read_only { Err(Denied { command: command.to_owned() }) } else { Ok(()) }
    }
}

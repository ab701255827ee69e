//! Who works here: what audit records and event headers name.

/// An operator: the person, the machine, and the database role they act as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// The operating system's user, or what `--operator` says.
    pub name: String,
    pub host: String,
    /// The role of the database session.
    pub role: String,
}

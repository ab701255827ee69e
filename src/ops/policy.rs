//! What this console may do at all in a context: the rules of its configuration. The database's own grants
//! hold besides.

use std::{collections::BTreeMap, time::Duration};

use crate::domain::diagnosis::Thresholds;

/// How long an unlocked console stays so, unless the context says otherwise.
pub const UNLOCK: Duration = Duration::from_mins(10);

/// Stands for every operation in a role's list.
pub const EVERY: &str = "*";

/// The rules of a context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The context's name, which is typed where `typed` holds.
    pub context: String,
    /// Nothing is written, and nothing unlocks it.
    pub read_only: bool,
    /// It is named and framed.
    pub production: bool,
    /// How long `w` unlocks for.
    pub unlock: Duration,
    /// The context's name has to be typed with the word, and `--yes` alone runs nothing.
    pub typed: bool,
    /// Operations by database role; no role at all leaves it to the grants.
    pub allow: BTreeMap<String, Vec<String>>,
    /// The largest message that may be written, in bytes: what the broker takes.
    pub largest: i64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            context: "database".to_owned(),
            read_only: false,
            production: false,
            unlock: UNLOCK,
            typed: false,
            allow: BTreeMap::new(),
            largest: Thresholds::default().largest,
        }
    }
}

/// Why an operation may not be run by this operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    #[error("{context} is read-only here; nothing runs in it")]
    ReadOnly { context: String },
    #[error(
        "{operation} is not allowed to your roles in {context}{}; ask whoever keeps the policy \
         (contexts.{context}.allow)", whom(.allowed)
    )]
    NotAllowed {
        operation: String,
        context: String,
        /// Roles that may.
        allowed: Vec<String>,
    },
}

fn whom(roles: &[String]) -> String {
    if roles.is_empty() {
        return String::new();
    }
    format!(", only to {}", roles.join(", "))
}

impl Policy {
    /// Whether an operator who has these database roles may run an operation of that name.
    pub fn allows(&self, operation: &str, roles: &[String]) -> Result<(), Denied> {
        if self.read_only {
            return Err(Denied::ReadOnly { context: self.context.clone() });
        }
        if self.allow.is_empty() {
            return Ok(());
        }
        let may = |list: &[String]| list.iter().any(|name| name == EVERY || name == operation);
        let allowed = || self.allow.iter().filter(|(_, list)| may(list)).map(|(role, _)| role);
        if allowed().any(|role| roles.contains(role)) {
            return Ok(());
        }
        Err(Denied::NotAllowed {
            operation: operation.to_owned(),
            context: self.context.clone(),
            allowed: allowed().cloned().collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn without_a_list_the_grants_decide() {
        assert_eq!(Policy::default().allows("CancelOrder", &[]), Ok(()));
    }

    #[test]
    fn a_role_may_what_its_list_names() {
        let allow = BTreeMap::from([
            ("support".to_owned(), roles(&["CancelOrder"])),
            ("lead".to_owned(), roles(&["*"])),
        ]);
        let policy = Policy { context: "prod".to_owned(), allow, ..Policy::default() };
        assert_eq!(policy.allows("CancelOrder", &roles(&["support"])), Ok(()));
        assert_eq!(policy.allows("DeleteOrder", &roles(&["support", "lead"])), Ok(()));
        let denied = policy.allows("DeleteOrder", &roles(&["support"])).unwrap_err().to_string();
        assert_eq!(
            denied,
            "DeleteOrder is not allowed to your roles in prod, only to lead; ask whoever keeps the \
             policy (contexts.prod.allow)"
        );
        assert!(policy.allows("CancelOrder", &[]).is_err());
    }

    #[test]
    fn read_only_beats_every_list() {
        let allow = BTreeMap::from([("lead".to_owned(), roles(&["*"]))]);
        let policy = Policy { read_only: true, allow, ..Policy::default() };
        assert!(matches!(
            policy.allows("CancelOrder", &roles(&["lead"])),
            Err(Denied::ReadOnly { .. })
        ));
    }
}

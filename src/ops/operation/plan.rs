//! What is asked for, and the plan that answers: everything that is known about an operation before it runs.

use std::{borrow::Cow, fmt};

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::{
    check::Check,
    error::PlanError,
    messages::Messages,
    selected::{Position, Selected},
    table::{Spec, StepKind},
    value::Operation,
};
use crate::{
    db::migrate::Standing,
    domain::{decide::Command, id::Version, mask::masked_sql},
    ops::policy::Policy,
};

/// An operation with what goes on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanRequest {
    /// The operation's id: the idempotency key, and by what an ambiguous commit is resolved. It goes to event
    /// headers and audit.
    pub id: Uuid,
    pub operation: Operation,
    pub reason: Option<String>,
    /// The version the order has to be at.
    pub expect: Option<Version>,
}

/// Something that would change.
#[derive(Debug, Clone, PartialEq)]
pub struct Effect {
    /// A table by the document's name, or a queue.
    pub place: Cow<'static, str>,
    /// One line: `status New → Cancelled, last_modified_at`.
    pub change: String,
    /// The row as JSON; none for a new one, and none where no row changes.
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// What a plan relied on. If any of it moves, the plan is stale.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExpectedVersions {
    pub(crate) version: i64,
    pub(crate) stream: Option<i64>,
    pub(crate) newest: Option<i64>,
    /// `xmin` of the rows, which every change of a row moves.
    pub(crate) order: Option<String>,
    pub(crate) buyer: Option<String>,
    /// Of other rows: what they are and what would change if they moved.
    pub(crate) rows: Vec<String>,
}

/// What running a plan does. The kinds differ in what they promise ([`StepKind`]); nothing treats one as another.
#[derive(Debug, Clone, PartialEq)]
pub enum Steps {
    /// It is so already: running it writes nothing, not even a record.
    Nothing,
    /// Everything and the audit record in one transaction, if what the plan relied on still holds in it. Tried again
    /// only after an error that says nothing was written; a commit without an answer is looked up by the operation's
    /// id and never repeated blindly.
    OneTransaction(ExpectedVersions),
    /// The schema of the database, and whose it is: one transaction with its record, if the database is still what
    /// the plan found. Never tried again by itself.
    Schema(Standing),
    /// One message after the other, the selection frozen here. It is recorded before the first message, and what became
    /// of it after the last. Each message at least once: killed in between, one may be in both places, never in
    /// none. Never tried again by itself.
    BrokerMessages(Messages),
    /// A list of ids is frozen when it starts, and done batch by batch, each item exactly once. Killed at any point it
    /// goes on where it stopped, also from another console.
    Batches(Selected),
    /// The list that was frozen before is done from where it stands, if it still stands there: who goes on is
    /// recorded with the change of its state, and the batches promise what they did at first.
    Resume(Position),
    /// What is done above this module, by a [`super::Work`]: it says itself what it looks at and what it promises, and
    /// has its record written in the transaction that does it.
    Work,
    /// What somebody else's bulk operation is told: one transaction with its record.
    Steering,
}

/// What an operation would do.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub request: PlanRequest,
    /// `cancel order …8c41`
    pub title: String,
    pub made_at: DateTime<Utc>,
    pub checks: Vec<Check>,
    pub effects: Vec<Effect>,
    /// Statements that would be sent, or messages, in the order of doing.
    pub listed: Vec<Listed>,
    /// What takes it back; planned by whoever wants that.
    pub reverse: Option<Operation>,
    /// The command line that does the same.
    pub cli_equivalent: String,
    pub confirmation: Needed,
    pub steps: Steps,
}

/// A statement with its values filled in, or a message and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The message's key; nothing for a statement.
    pub key: String,
    pub text: String,
}

/// What has to be typed before a plan runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needed {
    /// The operation's word, and the context's name where it has to be typed too.
    pub phrase: String,
    /// `--yes` is not enough.
    pub typed: bool,
}

impl PlanRequest {
    /// An operation under an id of its own.
    #[must_use]
    pub fn new(operation: Operation, reason: Option<String>) -> Self {
        Self { id: crate::ops::fresh_id(), operation, reason, expect: None }
    }

    /// Why: what was given for the record, else the reason that the command itself has.
    #[must_use]
    pub fn why(&self) -> Option<&str> {
        match (self.reason.as_deref(), &self.operation) {
            (Some(reason), _) => Some(reason),
            (None, Operation::Order(Command::CancelOrder { reason, .. })) => Some(reason),
            (None, _) => None,
        }
    }

    /// The row of the table.
    #[must_use]
    pub const fn spec(&self) -> &'static Spec {
        self.operation.spec()
    }
}

impl Effect {
    /// A change without rows.
    pub fn told(place: impl Into<Cow<'static, str>>, change: impl Into<String>) -> Self {
        Self { place: place.into(), change: change.into(), before: None, after: None }
    }
}

impl Listed {
    /// A statement.
    #[must_use]
    pub const fn statement(text: String) -> Self {
        Self { key: String::new(), text }
    }

    /// A message by its key.
    pub fn message(key: &str, text: String) -> Self {
        Self { key: key.to_owned(), text }
    }
}

impl fmt::Display for Listed {
    /// The beginning of the key tells messages apart.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key.as_str() {
            "" => f.write_str(&self.text),
            key => write!(f, "{key:.10}  {}", self.text),
        }
    }
}

impl Needed {
    /// What this policy wants typed for an operation; `again`: it may do work a second time, so the context's name is
    /// typed whatever the policy says.
    #[must_use]
    pub fn new(spec: &Spec, policy: &Policy, again: bool) -> Self {
        Self::word(spec.word, policy, again)
    }

    /// The same for a word.
    #[must_use]
    pub fn word(word: &str, policy: &Policy, again: bool) -> Self {
        let typed = policy.typed || again;
        let context = &policy.context;
        let phrase = if typed { format!("{word} {context}") } else { word.to_owned() };
        Self { phrase, typed }
    }
}

impl Plan {
    /// A plan of which nothing is known yet but what was asked.
    pub(crate) fn new(
        request: &PlanRequest,
        policy: &Policy,
        at: DateTime<Utc>,
        steps: Steps,
    ) -> Self {
        Self {
            title: request.operation.title(),
            made_at: at,
            checks: vec![],
            effects: vec![],
            listed: vec![],
            reverse: None,
            cli_equivalent: String::new(),
            confirmation: Needed::new(request.spec(), policy, false),
            steps,
            request: request.clone(),
        }
    }

    /// The row of the table.
    #[must_use]
    pub const fn spec(&self) -> &'static Spec {
        self.request.spec()
    }

    /// How it is taken back, in a sentence.
    #[must_use]
    pub const fn undo(&self) -> &'static str {
        self.spec().undo
    }

    /// Whether a check forbids running it.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.checks.iter().any(Check::forbids)
    }

    /// That it may be run as far as its checks go.
    ///
    /// # Errors
    /// [`PlanError::Blocked`], the same for whoever asks.
    pub fn runnable(&self) -> Result<(), PlanError> {
        if self.is_blocked() { Err(PlanError::Blocked(self.checks.clone())) } else { Ok(()) }
    }

    /// Whether it is so already: running it writes nothing.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.steps == Steps::Nothing
    }

    /// What is listed, as it may be seen: statements hold personal values.
    #[must_use]
    pub fn shown(&self, masked: bool) -> Vec<Listed> {
        let show = |listed: &Listed| match (masked, listed.key.is_empty()) {
            (true, true) => Listed::statement(masked_sql(&listed.text)),
            _ => listed.clone(),
        };
        self.listed.iter().map(show).collect()
    }

    /// Why there is nothing to do.
    pub(crate) fn told_nothing(&self) -> String {
        let texts: Vec<_> = self.checks.iter().map(|check| check.text.as_str()).collect();
        texts.join("; ")
    }

    /// What would be written or done, as a heading.
    #[must_use]
    pub const fn would(&self) -> &'static str {
        match self.spec().steps {
            StepKind::OneTransaction => "would write, in one transaction",
            StepKind::BrokerMessages => "would do, recorded before and after",
            StepKind::Batches => "would write, batch by batch",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::operation::{Confirmation, Kind};

    #[test]
    fn the_context_is_typed_where_it_is_asked_for_or_work_may_be_done_again() {
        let spec = Kind::CancelOrder.spec();
        let plain = Policy { context: "prod".to_owned(), ..Policy::default() };
        let typed = Policy { typed: true, ..plain.clone() };
        for (policy, again, phrase) in [
            (&plain, false, "CANCEL"),
            (&plain, true, "CANCEL prod"),
            (&typed, false, "CANCEL prod"),
        ] {
            let needed = Needed::new(spec, policy, again);
            assert_eq!(needed.phrase, phrase);
            assert!(needed.met(Confirmation::Typed(phrase)).is_ok());
            assert!(needed.met(Confirmation::Typed("cancel")).is_err());
            assert_eq!(needed.met(Confirmation::Yes).is_ok(), phrase == "CANCEL");
        }
    }
}

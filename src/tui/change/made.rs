//! What a card may be about: a write in one transaction, or an errand to the broker.

use std::sync::Arc;

use uuid::Uuid;

use super::{Draft, menu};
use crate::{
    domain::text,
    ops::{
        plan::{Done, Error, Plan},
        policy::Policy,
    },
    tui::ui::plan_card::Kind,
    workers::errand::{self, Ended, Errand},
};

/// What is to be planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    Write(Draft),
    Errand(Errand, String),
}

/// A plan that was made.
#[derive(Debug, Clone)]
pub(super) enum Made {
    Write(Arc<Plan>),
    Errand(Arc<errand::Plan>),
}

/// Why it was not made, or not run.
#[derive(Debug, Clone)]
pub(super) enum Trouble {
    Write(Error),
    Errand(errand::Error),
}

/// What came of running it.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    Write(Done),
    Errand(Ended),
}

impl Asked {
    /// A few words, where no plan has named it yet.
    pub(super) fn named(&self) -> String {
        match self {
            Self::Write(draft) => menu::named(&draft.intent),
            Self::Errand(errand, _) => errand::named(errand),
        }
    }

    /// What goes on meanwhile.
    pub(super) const fn planning(&self) -> &'static str {
        match self {
            Self::Write(_) => "Planning: the real statements run and are rolled back …",
            Self::Errand(..) => "Planning: broker and database are looked at, nothing is taken …",
        }
    }

    /// Whether it takes back what was done before.
    pub(super) const fn reverses(&self) -> bool {
        matches!(self, Self::Write(Draft { reverses: true, .. }))
    }
}

impl Made {
    /// By what the end of its run is known.
    pub(super) fn id(&self) -> Uuid {
        match self {
            Self::Write(plan) => plan.request.id,
            Self::Errand(plan) => plan.id,
        }
    }

    pub(super) fn title(&self) -> &str {
        match self {
            Self::Write(plan) => &plan.title,
            Self::Errand(plan) => &plan.sheet.title,
        }
    }

    pub(super) fn cli_equivalent(&self) -> &str {
        match self {
            Self::Write(plan) => &plan.cli_equivalent,
            Self::Errand(plan) => &plan.sheet.cli_equivalent,
        }
    }

    pub(super) fn is_blocked(&self) -> bool {
        match self {
            Self::Write(plan) => plan.is_blocked(),
            Self::Errand(plan) => plan.is_blocked(),
        }
    }

    pub(super) const fn kind(&self) -> Kind {
        match self {
            Self::Write(_) => Kind::Write,
            Self::Errand(_) => Kind::Errand,
        }
    }

    /// What is typed to run it: the context's name too where work may be done again.
    pub(super) fn phrase(&self, policy: &Policy) -> String {
        match self {
            Self::Write(plan) => policy.phrase(&plan.word),
            Self::Errand(plan) => {
                let typed = policy.typed || plan.sheet.again;
                Policy { typed, ..policy.clone() }.phrase(plan.sheet.word)
            }
        }
    }
}

impl Trouble {
    /// In words, with the key that helps.
    pub(super) fn told(&self) -> String {
        let (told, key) = match self {
            Self::Write(error) => (error.to_string(), helps(error)),
            Self::Errand(errand::Error::Write(error)) => (error.to_string(), helps(error)),
            Self::Errand(error) => (error.to_string(), ""),
        };
        format!("{}{key}", text::clean(&told))
    }
}

const fn helps(error: &Error) -> &'static str {
    match error {
        Error::Conflict(_) | Error::Stale(_) => "; p plans it again on what is there now",
        Error::Locked => "; w unlocks",
        Error::Unresolved { .. } => "; p asks again for the same operation",
        _ => "",
    }
}

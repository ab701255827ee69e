//! Changing something: from the key to the result. A menu of commands, a form, the plan, the typed word,
//! and what came of it.

mod card;
mod deeds;
mod errands;
mod forms;
mod load;
mod made;
mod menu;
mod rules;
#[cfg(test)]
mod tests;
mod update;
mod view;
mod working;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use crossterm::event::KeyEvent;
use uuid::Uuid;

pub use self::{
    errands::{Task, Which},
    load::load,
    update::update,
    view::view,
};
use self::{
    made::{Asked, Made, Outcome, Trouble},
    working::Under,
};
use super::{
    effect::Lane,
    selection::{Act, Matter, Selection, Subject},
    ui::{
        action::Keys,
        form::{self, Form},
        list::Cursor,
        menu as ui_menu, plan_card,
        remote::{Remote, Ticket},
    },
};
use crate::{
    db,
    ops::{
        buyers::FoundBuyer,
        plan::{Done, Error, Intent, Plan},
    },
    workers::errand::{self, Ended, Errand, Progress},
};

const BUYERS: Lane = Lane::Latest("change.buyers");
const PLAN: Lane = Lane::Latest("change.plan");

/// What a person can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Complete,
    Cancel,
    Delete,
    Restore,
    Address,
    NewOrder,
    NewBuyer,
    OutboxAction(Act),
    Errand(Task),
}

/// Everything known about changes of this console.
#[derive(Debug, Default)]
pub struct State {
    stage: Stage,
    /// What is being run, whether its card is open or not.
    running: Option<Running>,
    /// What can be taken back, newest last: what it was called, and how.
    reversible: Vec<(String, Intent)>,
    /// The card of an errand that runs, while it is not looked at.
    aside: Option<Box<Proposal>>,
}

/// What is on screen of it.
#[derive(Debug, Default)]
enum Stage {
    #[default]
    Closed,
    Menu(Box<Menu>),
    Form(Box<Sheet>),
    Plan(Box<Proposal>),
}

/// Which command?
#[derive(Debug)]
struct Menu {
    subject: Option<Subject>,
    /// Of messages, not of an order.
    matter: Option<Box<Matter>>,
    cursor: Cursor,
}

/// A form being filled in.
#[derive(Debug)]
struct Sheet {
    kind: Kind,
    subject: Option<Subject>,
    matter: Box<Matter>,
    opened: DateTime<Utc>,
    /// The largest message that may be written, in bytes.
    largest: i64,
    form: Form,
    buyers: Remote<Vec<FoundBuyer>, db::Error>,
}

/// A plan being made, looked at, and perhaps run.
#[derive(Debug)]
struct Proposal {
    asked: Asked,
    /// The form it came from, to go back to.
    sheet: Option<Box<Sheet>>,
    plan: Remote<Made, Trouble>,
    card: plan_card::State,
    /// What came of running it.
    ended: Option<Result<Outcome, Trouble>>,
}

/// What is to be planned. Ids of new things are all zeros until it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    pub intent: Intent,
    pub reason: Option<String>,
    /// It takes back what was done before.
    pub reverses: bool,
}

#[derive(Debug)]
struct Running {
    id: Uuid,
    title: String,
    /// It takes back the newest reversible operation.
    reverses: bool,
    /// An errand takes a while, and can be stopped.
    under: Option<Under>,
}

/// What can happen.
#[derive(Debug, Clone)]
pub enum Msg {
    /// The menu of what can be done with what is looked at, or the form of one of it.
    Open(Selection, Option<Act>),
    /// `u`.
    Undo,
    Typed(KeyEvent),
    Pasted(String),
    Scrolled(isize),
    Clicked(usize),
    Buyers(Ticket, Result<Vec<FoundBuyer>, db::Error>),
    Planned(Ticket, Result<Arc<Plan>, Error>),
    Ran(Uuid, Result<Done, Error>),
    /// What an errand would do.
    Looked(Ticket, Result<Arc<errand::Plan>, errand::Error>),
    /// How far it is.
    Went(Uuid, Progress),
    Ended(Uuid, Result<Ended, errand::Error>),
    /// It was told to stop.
    Halted,
}

/// What can be asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    Buyers {
        ticket: Ticket,
        text: String,
    },
    Plan {
        ticket: Ticket,
        draft: Draft,
    },
    /// Never cancelled by going elsewhere.
    Run {
        plan: Arc<Plan>,
    },
    /// Plan an errand.
    Look {
        ticket: Ticket,
        errand: Errand,
        reason: String,
    },
    /// Run it: to its end, or until it is stopped.
    Work {
        plan: Arc<errand::Plan>,
    },
    /// Stop the one with this plan.
    Halt {
        id: Uuid,
    },
}

impl State {
    /// Whether it lies over the screen and takes the keys.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        !matches!(self.stage, Stage::Closed)
    }

    /// What is being run now.
    #[must_use]
    pub fn running(&self) -> Option<&str> {
        self.running.as_ref().map(|running| running.title.as_str())
    }

    /// Whether there is something to take back, or why not.
    pub fn reversible(&self) -> Result<(), &'static str> {
        if self.reversible.is_empty() {
            return Err("nothing done in this session can be taken back");
        }
        Ok(())
    }

    /// Whether a plan may be out of date merely because time goes by: the card tells its age.
    #[must_use]
    pub fn ages(&self) -> bool {
        matches!(self.stage, Stage::Plan(_))
    }

    /// The keys of what is open, for the last line.
    #[must_use]
    pub fn hints(&self, keys: &Keys) -> Vec<(String, String)> {
        let scroll = ("plan.down", "scroll");
        let lists = |made: &Made| ("plan.list", made.kind().lists());
        let rows: Vec<(&str, &str)> = match &self.stage {
            Stage::Closed => vec![],
            Stage::Menu(_) => return keys.hints(ui_menu::ACTIONS, &()),
            Stage::Form(_) => return keys.hints(form::ACTIONS, &()),
            Stage::Plan(_) if working::shown(self).is_some() => {
                vec![("plan.back", "stop"), ("plan.leave", ""), ("plan.copy", ""), scroll]
            }
            Stage::Plan(proposal) => match (&proposal.ended, &proposal.plan.value) {
                (Some(Ok(_)), Some(made)) if update::order(made).is_some() => {
                    vec![("plan.run", "open its timeline"), ("plan.back", "close")]
                }
                (Some(Ok(_)), _) => vec![("plan.back", "close")],
                (_, None) => vec![("plan.again", ""), ("plan.back", "")],
                (_, Some(made)) => vec![
                    ("plan.copy", ""),
                    lists(made),
                    ("plan.again", ""),
                    scroll,
                    ("plan.back", ""),
                ],
            },
        };
        plan_card::hints(keys, &rows)
    }

    /// Takes how far the card can be scrolled.
    pub fn fit(&mut self, end: usize) {
        if let Stage::Plan(proposal) = &mut self.stage {
            proposal.card.fit(end);
        }
    }
}

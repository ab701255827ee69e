//! Changing something: from the key to the result. A menu of operations, a form, the plan, the typed word, and what
//! came of it.

mod card;
mod forms;
mod load;
mod menu;
mod refusals;
mod rules;
mod running;
#[cfg(test)]
mod tests;
mod update;
mod values;
mod view;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use crossterm::event::KeyEvent;
use uuid::Uuid;

use self::running::Running;
pub use self::{card::facts, load::load, menu::letters, update::update, view::view};
use super::{
    effect::{Effect, Lane},
    selection::{MessageSelection, OrderSelection, Selection},
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
        operation::{Entry, Kind, Operation, Outcome, Plan, PlanError, Progress, Spec, StepKind},
    },
};

const BUYERS: Lane = Lane::Latest("change.buyers");
const PLAN: Lane = Lane::Latest("change.plan");

/// Everything known about changes of this console.
#[derive(Debug, Default)]
pub struct State {
    stage: Stage,
    /// What is being run, whether its card is open or not.
    running: Option<Running>,
    /// What can be taken back, newest last: what it was called, and how.
    reversible: Vec<(String, Operation)>,
    /// The card of what runs, while it is not looked at.
    left_running: Option<Box<Proposal>>,
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

/// Which operation?
#[derive(Debug)]
struct Menu {
    subject: Option<OrderSelection>,
    /// Of messages, not of an order.
    matter: Option<Box<MessageSelection>>,
    cursor: Cursor,
}

/// A form being filled in.
#[derive(Debug)]
struct Sheet {
    spec: &'static Spec,
    entry: &'static Entry,
    subject: Option<OrderSelection>,
    matter: Box<MessageSelection>,
    opened: DateTime<Utc>,
    /// The largest message that may be written, in bytes.
    largest: i64,
    form: Form,
    buyers: Remote<Vec<FoundBuyer>, db::Error>,
}

/// A plan being made, looked at, and perhaps run.
#[derive(Debug)]
struct Proposal {
    draft: Draft,
    /// The form it came from, to go back to.
    sheet: Option<Box<Sheet>>,
    plan: Remote<Arc<Plan>, PlanError>,
    card: plan_card::State,
    /// What was typed to run it.
    confirmed: String,
    /// What came of running it.
    ended: Option<Result<Outcome, PlanError>>,
}

/// What is to be planned. Ids of new things are all zeros until it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    pub operation: Operation,
    pub reason: Option<String>,
    /// It takes back what was done before.
    pub reverses: bool,
}

/// What can happen.
#[derive(Debug, Clone)]
pub enum Msg {
    /// The menu of what can be done with what is looked at, or the form of one operation.
    Open(Selection, Option<Kind>),
    /// `u`.
    Undo,
    Typed(KeyEvent),
    Pasted(String),
    Scrolled(isize),
    Clicked(usize),
    Buyers(Ticket, Result<Vec<FoundBuyer>, db::Error>),
    Planned(Ticket, Result<Arc<Plan>, PlanError>),
    /// How far what runs is.
    Progressed(Uuid, Progress),
    Ended(Uuid, Result<Outcome, PlanError>),
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
    /// Never cancelled by going elsewhere. `confirmed`: what was typed.
    Run {
        plan: Arc<Plan>,
        confirmed: String,
    },
    /// Stop what runs this operation.
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

    /// What runs and takes its time: its title, how far it is, and whether its card is looked at.
    #[must_use]
    pub fn at_work(&self) -> Option<(&str, &Progress, bool)> {
        let running = self.running.as_ref().filter(|running| running.takes_time())?;
        Some((&running.title, &running.progress, running::stoppable(self).is_some()))
    }

    /// What becomes of what runs when the console is left.
    #[must_use]
    pub fn leaving(&self) -> Option<String> {
        self.running.as_ref().map(Running::leaving)
    }

    /// Whether work with the broker runs: where it breaks off, a part is done.
    #[must_use]
    pub fn runs_messages(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.steps == StepKind::BrokerMessages)
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
        let rows: Vec<(&str, &str)> = match &self.stage {
            Stage::Closed => vec![],
            Stage::Menu(_) => return keys.hints(ui_menu::ACTIONS, &()),
            Stage::Form(_) => return keys.hints(form::ACTIONS, &()),
            Stage::Plan(_) if running::stoppable(self).is_some() => {
                vec![("plan.back", "stop"), ("plan.leave", ""), ("plan.copy", ""), scroll]
            }
            Stage::Plan(proposal) => match (&proposal.ended, &proposal.plan.value) {
                (Some(Ok(_)), Some(plan)) if plan.request.operation.order().is_some() => {
                    vec![("plan.run", "open its timeline"), ("plan.back", "close")]
                }
                (Some(Ok(_)), _) => vec![("plan.back", "close")],
                (_, None) => vec![("plan.again", ""), ("plan.back", "")],
                (_, Some(plan)) => {
                    let lists = match plan.spec().steps {
                        StepKind::OneTransaction | StepKind::Batches => "SQL",
                        StepKind::BrokerMessages => "messages",
                    };
                    let list = ("plan.list", lists);
                    vec![("plan.copy", ""), list, ("plan.again", ""), scroll, ("plan.back", "")]
                }
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

/// What an answer asks for.
type Effects = Vec<Effect<Request>>;

/// Copies the equivalent command line of a plan.
fn copied(proposal: &Proposal) -> Option<Effect<Request>> {
    let text = proposal.plan.value.as_ref()?.cli_equivalent.clone();
    Some(Effect::Copy { text, what: "command".to_owned() })
}

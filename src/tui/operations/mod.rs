//! Bulk operations, whoever runs them: watched for the line at the foot of every screen, and listed over the screen,
//! where one is resumed, paused, cancelled or approved.

mod line;
mod load;
#[cfg(test)]
mod tests;
mod view;

use std::time::Instant;

pub use self::{line::line, load::load, view::view};
use super::{
    effect::{Effect, Lane},
    selection::{Bulk, Matter, Selection},
    shared::Shared,
    ui::{
        action::{Action, Risk},
        list::{Cursor, Step},
        remote::{Remote, Ticket},
    },
};
use crate::ops::operation::{
    Kind, List, PlanError,
    batch::{Estimate, Record},
};

/// Operations that are not over, at most: more than anybody leaves open.
pub const OPEN: i64 = 50;
/// Operations that are over, at most; `op list --all` has the rest.
pub const OVER: i64 = 100;

const LANE: Lane = Lane::Latest("operations");

/// An operation, and its rate while it runs.
pub type Row = (Record, Option<Estimate>);

/// What is known of bulk operations.
#[derive(Debug, Default)]
pub struct State {
    /// Those that are not over first, then the newest; the rest only while they are listed.
    rows: Remote<Vec<Row>, PlanError>,
    /// There is no schema orderscope, and so none of them: it is not asked again.
    absent: bool,
    listed: bool,
    cursor: Cursor,
}

/// What can happen.
#[derive(Debug, Clone)]
pub enum Msg {
    Step(Step),
    Refresh,
    /// What can be done with the one under the cursor: all of it, or this.
    Steer(Option<Kind>),
    Read(Ticket, Result<Option<Vec<Row>>, PlanError>),
}

/// What can be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Those that are not over, and with `all` the others.
    Read { ticket: Ticket, all: bool },
}

/// What a key asks for.
#[derive(Debug)]
pub enum Pressed {
    Close,
    Send(Msg),
}

type Keys = Action<(), Pressed>;

const fn step(step: Step) -> Pressed {
    Pressed::Send(Msg::Step(step))
}

const fn steer(kind: Kind) -> Pressed {
    Pressed::Send(Msg::Steer(Some(kind)))
}

/// The keys of the list.
pub const ACTIONS: &[Keys] = &[
    Keys::look("operations.resume", &["r"], "resume", "Run it, or go on where it stopped", || {
        steer(Kind::ResumeOperation)
    })
    .risk(Risk::Destroy)
    .footer(50)
    .cli_equivalent("orderscope op resume"),
    Keys::look("operations.pause", &["p"], "pause", "Pause it, whoever runs it", || {
        steer(Kind::PauseOperation)
    })
    .risk(Risk::Change)
    .footer(49)
    .cli_equivalent("orderscope op pause"),
    Keys::look(
        "operations.cancel",
        &["c"],
        "cancel",
        "End it early: what is left stays as it is",
        || steer(Kind::CancelOperation),
    )
    .risk(Risk::Destroy)
    .footer(48)
    .cli_equivalent("orderscope op cancel"),
    Keys::look(
        "operations.approve",
        &["a"],
        "approve",
        "Approve it, where somebody else began it",
        || steer(Kind::ApproveOperation),
    )
    .risk(Risk::Change)
    .footer(47)
    .cli_equivalent("orderscope op approve"),
    Keys::look("operations.open", &["enter"], "menu", "Everything that can be done with it", || {
        Pressed::Send(Msg::Steer(None))
    })
    .risk(Risk::Change)
    .footer(30),
    Keys::look("operations.refresh", &["R"], "refresh", "Read again now", || {
        Pressed::Send(Msg::Refresh)
    }),
    Keys::look("operations.down", &["j", "down"], "down", "One operation down", || {
        step(Step::Lines(1))
    })
    .footer(20),
    Keys::look("operations.up", &["k", "up"], "up", "One operation up", || step(Step::Lines(-1)))
        .footer(19),
    Keys::look("operations.half-down", &["ctrl-d", "pagedown"], "further", "Half a page down", || {
        step(Step::HalfPages(1))
    }),
    Keys::look("operations.half-up", &["ctrl-u", "pageup"], "back up", "Half a page up", || {
        step(Step::HalfPages(-1))
    }),
    Keys::look("operations.top", &["g", "home"], "top", "To the first operation", || {
        step(Step::First)
    }),
    Keys::look("operations.end", &["G", "end"], "end", "To the last operation", || {
        step(Step::Last)
    }),
    Keys::look("operations.close", &["esc", "q", "&"], "close", "Close the list", || Pressed::Close)
        .footer(40),
];

impl State {
    /// Looks now, unless there is nothing to look at.
    pub fn look(&mut self, shared: &Shared) -> Vec<Effect<Request>> {
        if self.absent {
            return vec![];
        }
        let ticket = self.rows.begin(shared.now.instant);
        vec![Effect::Run(LANE, Request::Read { ticket, all: self.listed })]
    }

    /// Lists them, also those that are over.
    pub fn open(&mut self, shared: &Shared) -> Vec<Effect<Request>> {
        self.listed = true;
        self.cursor = Cursor::default();
        self.look(shared)
    }

    /// The list is left.
    pub const fn close(&mut self) {
        self.listed = false;
    }

    /// When they are looked at again.
    #[must_use]
    pub fn wakes_at(&self, shared: &Shared) -> Option<Instant> {
        let idle = self.rows.loading_since().is_none() && !shared.frozen && !self.absent;
        let last = self.rows.seen_at.max(self.rows.failed_at)?;
        let rate = if shared.focused { 1 } else { 4 };
        idle.then(|| last + shared.interval * rate)
    }

    /// Takes how many rows the list shows.
    pub fn fit(&mut self, heights: &[(usize, usize)]) {
        let rows = heights.last().map_or(0, |(_, rows)| *rows);
        self.cursor.fit(rows, self.len());
    }

    fn rows(&self) -> &[Row] {
        self.rows.value.as_deref().unwrap_or_default()
    }

    fn len(&self) -> usize {
        self.rows().len()
    }

    /// The one under the cursor.
    fn chosen(&self) -> Option<&Record> {
        self.rows().get(self.cursor.index).map(|(record, _)| record)
    }
}

/// Answers one message.
pub fn update(state: &mut State, msg: Msg, shared: &Shared) -> Vec<Effect<Request>> {
    match msg {
        Msg::Step(step) => {
            let len = state.len();
            state.cursor.step(step, len);
        }
        Msg::Refresh => return state.look(shared),
        Msg::Steer(kind) => {
            let Some(record) = state.chosen() else {
                return vec![Effect::Tell("No bulk operation is selected".to_owned())];
            };
            let operation = Bulk { number: record.number, state: record.state, held: record.held };
            let matter =
                Matter { list: List::Operations, operation: Some(operation), ..Matter::default() };
            return vec![Effect::Change(Selection::Messages(Box::new(matter)), kind)];
        }
        Msg::Read(ticket, result) => {
            let chosen = state.chosen().map(|record| record.number);
            state.absent = matches!(result, Ok(None));
            let rows = result.map(Option::unwrap_or_default);
            if state.rows.settle(ticket, rows, shared.now.instant) {
                // The cursor stays on its operation when others come and go.
                let at = |(record, _): &Row| Some(record.number) == chosen;
                let index = state.rows().iter().position(at).unwrap_or(state.cursor.index);
                let len = state.len();
                state.cursor.step(Step::To(index), len);
            }
        }
    }
    vec![]
}

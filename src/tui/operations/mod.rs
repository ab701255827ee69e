//! Bulk operations, whoever runs them: watched for the line at the foot of every screen, and listed over the screen,
//! where one is looked into, resumed, paused, cancelled or approved.

mod actions;
mod line;
mod load;
#[cfg(test)]
mod tests;
mod update;
mod view;

use std::time::Instant;

pub use self::{actions::ACTIONS, line::line, load::load, update::update, view::view};
use super::{
    effect::{Effect, Lane},
    shared::Shared,
    ui::{
        list::{Cursor, Step},
        remote::{Remote, Ticket},
    },
};
use crate::ops::operation::{
    Kind, PlanError,
    batch::{Estimate, OperationDetails, Record, Settled},
};

/// Operations that are not over, at most: more than anybody leaves open.
pub const OPEN: i64 = 50;
/// Operations that are over, at most; `op list --all` has the rest.
pub const OVER: i64 = 100;
/// Items of a page.
pub const PAGE: i64 = 200;

const LANE: Lane = Lane::Latest("operations");
const ITEMS: Lane = Lane::Latest("operations.items");

/// An operation, and its rate while it runs.
pub type Row = (Record, Option<Estimate>);

/// All that is known of an operation, and a page of its items.
pub type Details = (Box<OperationDetails>, Vec<Settled>);

/// What is known of bulk operations.
#[derive(Debug, Default)]
pub struct State {
    /// Those that are not over first, then the newest; those that are over only while they are listed.
    rows: Remote<Vec<Row>, PlanError>,
    /// There is no schema orderscope, and so none of them: it is not asked again.
    absent: bool,
    listed: bool,
    cursor: Cursor,
    /// The one that is looked into.
    opened: Option<Opened>,
}

/// An operation that is looked into.
#[derive(Debug)]
struct Opened {
    number: i64,
    details: Remote<Details, PlanError>,
    /// Only the items that were not done as meant.
    troubles: bool,
    cursor: Cursor,
    /// The last item before each page gone through, the first page (before which there is none) left out.
    pages: Vec<i64>,
    /// The page that is read is entered from its end.
    upwards: bool,
}

/// What can happen.
#[derive(Debug, Clone)]
pub enum Msg {
    Step(Step),
    Refresh,
    /// Look into the one under the cursor.
    Open,
    /// All items, or only those that were not done as meant.
    Troubles,
    /// From an operation to the list; from that to the screen.
    Back,
    Close,
    /// Do this to the one that is looked at.
    Steer(Kind),
    /// Unlock writes, or lock them again.
    Unlock,
    Read(Ticket, Result<Option<Vec<Row>>, PlanError>),
    /// About the operation of this number.
    Looked(Ticket, i64, Result<Details, PlanError>),
}

/// What can be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Those that are not over, and with `all` the others.
    Read { ticket: Ticket, all: bool },
    /// One of them, and its items after a place in its list.
    Look { ticket: Ticket, number: i64, troubles: bool, after: i64 },
}

impl State {
    /// Whether the list lies over the screen and takes the keys.
    #[must_use]
    pub const fn is_listed(&self) -> bool {
        self.listed
    }

    /// Reads again now, unless there is nothing to read.
    pub fn refresh(&mut self, shared: &Shared) -> Vec<Effect<Request>> {
        if self.absent {
            return vec![];
        }
        let ticket = self.rows.begin(shared.now.instant);
        vec![Effect::Run(LANE, Request::Read { ticket, all: self.listed })]
    }

    /// Lists them, also those that are over.
    pub fn open(&mut self, shared: &Shared) -> Vec<Effect<Request>> {
        self.listed = true;
        self.opened = None;
        self.cursor = Cursor::default();
        self.refresh(shared)
    }

    /// When they are read again.
    #[must_use]
    pub fn wakes_at(&self, shared: &Shared) -> Option<Instant> {
        let idle = self.rows.loading_since().is_none() && !shared.frozen && !self.absent;
        let last = self.rows.seen_at.max(self.rows.failed_at)?;
        let rate = if shared.focused { 1 } else { 4 };
        idle.then(|| last + shared.interval * rate)
    }

    /// Takes how many rows the list shows.
    pub fn fit(&mut self, rows: usize) {
        let len = self.len();
        self.cursor_mut().fit(rows, len);
    }

    fn rows(&self) -> &[Row] {
        self.rows.value.as_deref().unwrap_or_default()
    }

    /// How many rows the list has that is on show.
    fn len(&self) -> usize {
        self.opened.as_ref().map_or(self.rows().len(), |opened| opened.items().len())
    }

    fn cursor_mut(&mut self) -> &mut Cursor {
        match &mut self.opened {
            Some(opened) => &mut opened.cursor,
            None => &mut self.cursor,
        }
    }

    /// The one that is looked into, or under the cursor, as it was read last.
    fn chosen(&self) -> Option<&Row> {
        match &self.opened {
            Some(opened) => self.rows().iter().find(|(record, _)| record.number == opened.number),
            None => self.rows().get(self.cursor.index),
        }
    }
}

impl Opened {
    fn items(&self) -> &[Settled] {
        self.details.value.as_ref().map_or(&[], |(_, items)| items)
    }
}

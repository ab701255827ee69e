//! The operations log: what operators did, all of them, newest first.

mod load;
mod view;

use crossterm::event::KeyEvent;

pub use self::{load::load, view::view};
use super::{
    effect::{Effect, Lane},
    shared::Shared,
    ui::{
        action::{Action, Keys},
        list::{Cursor, Step},
        remote::{Remote, Ticket},
    },
};
use crate::{db, ops::audit::Recorded};

/// How many records are a page.
pub const MOST: i64 = 200;

const LOG: Lane = Lane::Latest("journal");

/// What is shown of the log.
#[derive(Debug, Default)]
pub struct State {
    records: Remote<Vec<Recorded>, db::Error>,
    cursor: Cursor,
    /// Only what this operator did.
    mine: bool,
    /// The numbers above the pages gone back to, the newest page (which has none) first.
    older: Vec<i64>,
    /// The page that is read is entered from its end.
    upwards: bool,
    /// The record under the cursor in full, scrolled so far.
    full: Option<usize>,
}

/// What can happen.
#[derive(Debug, Clone)]
pub enum Msg {
    Step(Step),
    Open,
    Back,
    Mine,
    Refresh,
    Read(Ticket, Result<Vec<Recorded>, db::Error>),
}

/// What can be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Records below a number, or the newest.
    Read { ticket: Ticket, mine: bool, before: Option<i64> },
}

/// What a key means.
#[derive(Debug)]
pub enum Pressed {
    Close,
    /// From a record to the list, from that to the screen.
    Back,
    Send(Msg),
}

impl State {
    /// The log, with its records asked for.
    #[must_use]
    pub fn open(shared: &Shared) -> (Self, Vec<Effect<Request>>) {
        let mut state = Self::default();
        let effects = ask(&mut state, shared);
        (state, effects)
    }

    fn len(&self) -> usize {
        self.records.value.as_ref().map_or(0, Vec::len)
    }

    /// Takes what drawing learned: how many rows there are, how far the record can be scrolled.
    pub fn fit(&mut self, heights: &[(usize, usize)], end: usize) {
        match &mut self.full {
            Some(offset) => *offset = (*offset).min(end),
            None => {
                let rows = heights.last().map_or(0, |(_, rows)| *rows);
                self.cursor.fit(rows, self.len());
            }
        }
    }
}

type Row = Action<State, Pressed>;

const fn step(step: Step) -> Pressed {
    Pressed::Send(Msg::Step(step))
}

/// The keys of the log.
pub const ACTIONS: &[Row] = &[
    Row::look(
        "log.open",
        &["enter"],
        "full record",
        "Show the record in full, or the list",
        || Pressed::Send(Msg::Open),
    )
    .footer(40),
    Row::look("log.mine", &["t"], "mine or all", "Only what this operator did, or all", || {
        Pressed::Send(Msg::Mine)
    })
    .footer(39),
    Row::look("log.refresh", &["r"], "refresh", "Read again now", || Pressed::Send(Msg::Refresh))
        .footer(38),
    Row::look("log.down", &["j", "down"], "down", "One record or line down", || {
        step(Step::Lines(1))
    })
    .footer(30),
    Row::look("log.up", &["k", "up"], "up", "One record or line up", || step(Step::Lines(-1)))
        .footer(29),
    Row::look("log.half-down", &["ctrl-d", "pagedown"], "further", "Half a page down", || {
        step(Step::HalfPages(1))
    }),
    Row::look("log.half-up", &["ctrl-u", "pageup"], "back up", "Half a page up", || {
        step(Step::HalfPages(-1))
    }),
    Row::look(
        "log.top",
        &["g", "home"],
        "newest",
        "To the newest record, or the first line",
        || step(Step::First),
    ),
    Row::look("log.end", &["G", "end"], "end", "To the end of the page, or the last line", || {
        step(Step::Last)
    }),
    Row::look(
        "log.back",
        &["esc", "q"],
        "back",
        "From a record to the list; from that back",
        || Pressed::Back,
    )
    .footer(20),
    Row::look("log.close", &["@"], "close", "Close the log", || Pressed::Close),
];

/// What a key means here.
#[must_use]
pub fn key(state: &State, key: KeyEvent, keys: &Keys) -> Option<Pressed> {
    Some(match (keys.action(ACTIONS, key)?.msg)() {
        Pressed::Back if state.full.is_some() => Pressed::Send(Msg::Back),
        Pressed::Back => Pressed::Close,
        pressed => pressed,
    })
}

/// Answers one message.
pub fn update(state: &mut State, msg: Msg, shared: &Shared) -> Vec<Effect<Request>> {
    match msg {
        Msg::Step(step) => match &mut state.full {
            Some(offset) => *offset = step.scrolled(*offset),
            None => return move_to(state, step, shared),
        },
        Msg::Open => {
            state.full = match state.full {
                None if state.len() > 0 => Some(0),
                _ => None,
            };
        }
        Msg::Back => state.full = None,
        Msg::Mine => {
            state.mine = !state.mine;
            state.older.clear();
            state.cursor = Cursor::default();
            state.full = None;
            return ask(state, shared);
        }
        Msg::Refresh => return ask(state, shared),
        Msg::Read(ticket, result) => {
            state.records.settle(ticket, result, shared.now.instant);
            let len = state.len();
            let end = std::mem::take(&mut state.upwards);
            state.cursor.step(if end { Step::Last } else { Step::Lines(0) }, len);
        }
    }
    vec![]
}

/// Within the page; past its end, to the page of older records, and back over its start.
fn move_to(state: &mut State, step: Step, shared: &Shared) -> Vec<Effect<Request>> {
    let (len, index) = (state.len(), state.cursor.index);
    let down = matches!(step, Step::Lines(by) | Step::HalfPages(by) if by > 0);
    let up = matches!(step, Step::Lines(by) | Step::HalfPages(by) if by < 0);
    let oldest = state.records.value.as_ref().and_then(|records| records.last());
    let is_full = i64::try_from(len).is_ok_and(|len| len >= MOST);
    match oldest.map(|record| record.number) {
        Some(number) if down && is_full && index + 1 >= len => {
            state.older.push(number);
            state.cursor = Cursor::default();
        }
        _ if up && index == 0 && !state.older.is_empty() => {
            state.older.pop();
            state.upwards = true;
        }
        _ if step == Step::First && !state.older.is_empty() => {
            state.older.clear();
            state.cursor = Cursor::default();
        }
        _ => {
            state.cursor.step(step, len);
            return vec![];
        }
    }
    ask(state, shared)
}

fn ask(state: &mut State, shared: &Shared) -> Vec<Effect<Request>> {
    let ticket = state.records.begin(shared.now.instant);
    vec![Effect::Run(
        LOG,
        Request::Read { ticket, mine: state.mine, before: state.older.last().copied() },
    )]
}

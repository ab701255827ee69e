//! The root of the console: frame, tabs, modals, palette, help and notes around the current screen.

mod actions;
mod commands;
mod help;
mod keys;
mod lock;
mod palette;
mod scopes;
#[cfg(test)]
mod tests;
mod text;
mod update;
mod view;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

pub use self::{
    actions::ACTIONS,
    commands::COMMANDS,
    scopes::{Scope, bindings, scopes},
    update::{update, wake},
    view::view,
};
use super::{
    change,
    effect::Effect,
    journal, operations,
    route::Route,
    screens::{self, Common, Input, ScreenId, Screens},
    shared::{Keep, Link, News, Now, Remembered, Shared},
    ui::{
        action::{Chord, Info, Risk},
        ask,
        hits::Hits,
        theme::Theme,
    },
};
use crate::workers::relay::Stats;

/// The pane number of a text that lies over the screen; no screen has so many.
const OVER: usize = 99;

/// How long a note stays on screen.
const NOTE_STAYS: Duration = Duration::from_secs(6);

/// Root state.
#[derive(Debug)]
pub struct App {
    pub shared: Shared,
    pub screens: Screens,
    pub change: change::State,
    pub operations: operations::State,
    pub theme: Theme,
    pub mouse: bool,
    pub quit: bool,
    /// It was asked once to quit while something runs.
    quitting: bool,
    /// Why the console cannot go on: told after the terminal is given back.
    pub ended: Option<Ended>,
    /// The shell is to have the terminal for a while (Ctrl+Z).
    pub suspended: bool,
    modal: Option<Modal>,
    note: Option<Note>,
    pressed: Vec<Chord>,
    /// Where we have been; `at` is where we are.
    trail: Vec<Route>,
    trail_at: usize,
    last_screen: Option<ScreenId>,
    last_click: Option<(u16, u16, Instant)>,
    hits: Hits<Msg>,
}

/// What lies over the screen.
#[derive(Debug)]
enum Modal {
    Help(text::State),
    Palette(Box<palette::State>),
    /// A long text to read: gaps of the database, an error in full.
    Text {
        title: String,
        lines: Vec<String>,
        state: text::State,
    },
    /// What operators did.
    Log(Box<journal::State>),
    /// Why something is wanted.
    Ask(Purpose, Box<ask::State>),
}

/// What a reason is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To unlock writes.
    Unlock,
    /// To see personal data.
    Reveal,
}

#[derive(Debug)]
struct Note {
    text: String,
    bad: bool,
    until: Instant,
}

/// Root message: everything that can happen, in one order.
#[derive(Debug, Clone)]
pub enum Msg {
    Screen(screens::Msg),
    /// What the screen on show is told, whichever it is.
    Input(Input),
    Change(change::Msg),
    Journal(journal::Msg),
    Operations(operations::Msg),
    /// `c`: what can be done with what is looked at.
    Operate,
    Common(Common),
    Show(ScreenId),
    /// Go somewhere, remembering where we were.
    Go(Route),
    Trail(isize),
    LastScreen,
    Help,
    Palette,
    PaletteWith(&'static str),
    Run(String),
    Gaps,
    Freeze,
    Interval(Duration),
    Zone(crate::domain::zone::Zone),
    Theme(Theme),
    Mouse(bool),
    View(u8),
    Keep(Keep),
    Linked(Link),
    /// What was found beside the screens.
    News(News),
    /// The newest figures of the relay beside this console.
    Relayed(Arc<Stats>),
    /// The database cannot be opened at all.
    Ended(Ended),
    Remembered(Remembered),
    Copied(String),
    /// Something went wrong that no screen owns; told, logged, lived with.
    Failed(String),
    Suspend,
    CloseModal,
    /// Unlock writes, or lock them again.
    Lock,
    /// Reveal personal data, or cover it again.
    Reveal,
    /// A reason was given.
    Asked(Purpose, String),
    /// What it was given for was done and recorded; or why not.
    Granted(Purpose, String, Result<String, String>),
    /// `@`: the operations log.
    Log,
    /// `&`: the list of bulk operations.
    ListOperations,
    Quit,
}

/// Why the console ended by itself: what to tell and the exit code that goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    pub message: String,
    pub code: u8,
}

/// What the root can ask for beyond the screens' requests.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    Screen(screens::Request),
    /// Find and open the database.
    Connect,
    /// Read what was remembered.
    Recall,
    /// Write what is to be remembered.
    Save(Remembered),
    /// Open the way to write, for this reason.
    Unlock {
        reason: String,
    },
    /// Close it.
    Lock,
    Change(change::Request),
    Journal(journal::Request),
    Operations(operations::Request),
    /// Record that personal data is looked at, where and why.
    Reveal {
        reason: String,
        target: String,
    },
}

impl App {
    /// A console that has not asked for anything yet.
    #[must_use]
    pub fn new(screens: Screens, shared: Shared, theme: Theme, mouse: bool) -> Self {
        Self {
            shared,
            screens,
            change: change::State::default(),
            operations: operations::State::default(),
            theme,
            mouse,
            quit: false,
            quitting: false,
            ended: None,
            suspended: false,
            modal: None,
            note: None,
            pressed: vec![],
            trail: vec![],
            trail_at: 0,
            last_screen: None,
            last_click: None,
            hits: Hits::default(),
        }
    }

    /// What to do first: connect, recall, and go where the command line says.
    pub fn start(&mut self, route: Option<Route>) -> Vec<Effect<Request>> {
        let mut effects = vec![
            Effect::Run(super::effect::Lane::Every, Request::Connect),
            Effect::Run(super::effect::Lane::Every, Request::Recall),
        ];
        let route = route.unwrap_or_else(|| self.screens.home());
        effects.extend(update(self, Msg::Go(route)));
        effects
    }

    /// Takes the time before anything else happens.
    pub fn tick(&mut self, now: Now) {
        self.shared.now = now;
        if self.note.as_ref().is_some_and(|note| note.until <= now.instant) {
            self.note = None;
            self.quitting = false;
        }
        if self.shared.revealed.as_ref().is_some_and(|timed| timed.until <= now.instant) {
            self.cover();
        }
    }

    /// Stores what drawing learned.
    pub fn drawn(&mut self, hits: Hits<Msg>) {
        let end = |pane| {
            let end = hits.ends.iter().find(|(other, _)| *other == pane);
            end.map_or(0, |(_, end)| *end)
        };
        let fits: Vec<_> = hits
            .heights
            .iter()
            .map(|&(pane, rows)| screens::Fit { pane, rows, end: end(pane) })
            .collect();
        match &mut self.modal {
            Some(Modal::Help(state)) => state.offset = state.offset.min(end(OVER)),
            Some(Modal::Text { state, .. }) => state.offset = state.offset.min(end(OVER)),
            Some(Modal::Log(state)) => state.fit(&hits.heights, end(OVER)),
            Some(Modal::Palette(_) | Modal::Ask(..)) => {}
            None if self.change.is_open() => self.change.fit(end(OVER)),
            None if self.operations.is_listed() => {
                let rows = hits.heights.iter().rev().find(|(pane, _)| *pane == OVER);
                self.operations.fit(rows.map_or(0, |(_, rows)| *rows));
            }
            None => {}
        }
        self.hits = hits;
        self.screens.fit(&fits);
    }

    /// When something on screen changes by itself next.
    #[must_use]
    pub fn wakes_at(&self) -> Option<Instant> {
        let note = self.note.as_ref().map(|note| note.until);
        let screen = self.screens.wakes_at(&self.shared);
        let operations = self.operations.wakes_at(&self.shared);
        // The age of the data stands in the header: to the second, then to the minute.
        let age = self.screens.seen_at().map(|at| {
            let age = self.shared.now.instant.saturating_duration_since(at).as_secs();
            let step = if age < 60 { 1 } else { 60 };
            at + Duration::from_secs((age / step + 1) * step)
        });
        let timed = [self.shared.unlocked.as_ref(), self.shared.revealed.as_ref()];
        // The countdown in the header.
        let second = timed.into_iter().flatten().map(|timed| {
            let left = timed.left(self.shared.now.instant);
            let rest = Duration::from_nanos(u64::from(left.subsec_nanos()));
            let step = if rest.is_zero() { Duration::from_secs(1).min(left) } else { rest };
            self.shared.now.instant + step
        });
        [note, screen, operations, age, second.min()].into_iter().flatten().min()
    }

    /// The screen's actions as they stand now.
    fn own_infos(&self) -> Vec<Info> {
        self.barring(self.screens.infos(self.screens.shown(), &self.shared.keys))
    }

    /// The global actions as they stand now.
    fn global_infos(&self) -> Vec<Info> {
        let infos = self.shared.keys.infos(ACTIONS, self);
        let infos = scopes::with_screens(infos, &self.screens, &self.shared.keys);
        self.barring(infos)
    }

    fn barring(&self, mut infos: Vec<Info>) -> Vec<Info> {
        for info in &mut infos {
            info.enabled = self.allowed(info.risk).and(info.enabled);
        }
        infos
    }

    /// Whether something of that risk may be done now: the lock, for every action alike.
    fn allowed(&self, risk: Risk) -> Result<(), &'static str> {
        match risk {
            Risk::Look => Ok(()),
            Risk::Change | Risk::Destroy => self.shared.writable(),
        }
    }

    fn tell(&mut self, text: impl Into<String>, bad: bool) {
        let until = self.shared.now.instant + NOTE_STAYS;
        self.note = Some(Note { text: text.into(), bad, until });
    }
}

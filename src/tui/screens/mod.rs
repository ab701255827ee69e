//! The screens. Adding one touches its folder, its `mod` line and its line in `SCREENS`: tab, key, help, palette,
//! links and the lock follow from what it declares in [`Screen`].

mod erased;
pub mod listing;
mod set;

pub mod messages;
pub mod orders;
pub mod timeline;

use std::{fmt, time::Instant};

use crossterm::event::KeyEvent;
use ratatui::{Frame, layout::Rect};

pub use self::{
    erased::{Boxed, Msg, Pressed, Request, boxed},
    set::Screens,
};
use super::{
    effect::Effect,
    route::Place,
    selection::Selection,
    services::Cx,
    shared::{Remembered, Shared},
    ui::{
        action::{Action, Bound, Info, Keys, Risk},
        hits::Hits,
        list::Step,
        theme::Theme,
    },
};

/// Every screen, in the order of the tabs. The first is where the console opens.
const SCREENS: &[fn() -> Boxed] =
    &[boxed::<orders::State>, boxed::<timeline::State>, boxed::<messages::State>];

/// What a screen declares. The root knows nothing else of it.
pub trait Screen: fmt::Debug + Default + Send + 'static {
    /// What can happen on it, beyond what every screen is told.
    type Msg: fmt::Debug + Clone + Send + Sync + 'static;
    /// What it can ask to be loaded.
    type Request: fmt::Debug + Clone + PartialEq + Send + 'static;
    /// Where one can be on it, for links, history and saved views.
    type Place: Place;

    /// How it is listed.
    const SPEC: Spec;
    /// Its own rows of the action table.
    const ACTIONS: &'static [Action<Self, Self::Msg>];

    /// The keys that mean something while text is typed there, beyond those of every field.
    const TYPING: &'static [Action<(), ()>] = &[];

    /// Answers a message. No IO and no clock.
    fn update(&mut self, msg: Self::Msg, shared: &Shared) -> Vec<Effect<Self::Request>>;

    /// Answers what every screen is told.
    fn input(&mut self, input: Input, shared: &Shared) -> Vec<Effect<Self::Request>>;

    /// Goes to a place of its own.
    fn open(&mut self, place: Self::Place, shared: &Shared) -> Vec<Effect<Self::Request>>;

    /// Draws it: a pure function of the state.
    fn view(
        &self,
        shared: &Shared,
        theme: &Theme,
        frame: &mut Frame,
        area: Rect,
    ) -> Hits<Self::Msg>;

    /// Carries out a request in the background; errors are part of the answer.
    fn load(request: Self::Request, cx: Cx) -> impl Future<Output = Self::Msg> + Send;

    /// Whether a common key means anything here now, or why not.
    fn offers(&self, common: Common) -> Result<(), &'static str>;

    /// Takes what drawing learned about its panes.
    fn fit(&mut self, fits: &[Fit]);

    /// Where one is, for links and history.
    fn place(&self) -> Option<Self::Place>;

    /// Where one is, in words.
    fn crumb(&self, shared: &Shared) -> String;

    /// The headless verb that shows the same.
    fn cli_equivalent(&self) -> String;

    /// When the data on it was read.
    fn seen_at(&self) -> Option<Instant>;

    /// When something on it moves by itself next.
    fn wakes_at(&self, shared: &Shared) -> Option<Instant>;

    /// What operations would be about.
    fn selection(&self) -> Selection;

    /// What is looked at, for the record of who saw personal data.
    fn looked_at(&self) -> String {
        Self::SPEC.id.to_string()
    }

    /// A number for its tab, where one is known and recent.
    fn badge(&self, _: &Shared) -> Option<String> {
        None
    }

    /// Whether keys are being typed as text.
    fn is_typing(&self) -> bool {
        false
    }

    /// Takes what was remembered from the sessions before.
    fn recall(&mut self, _: &Remembered) {}
}

/// Names a screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ScreenId(pub &'static str);

impl fmt::Display for ScreenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// How a screen is listed: in the tabs, among the keys, in help and palette, in links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    pub id: ScreenId,
    pub title: &'static str,
    /// The name of the action that goes to it, for the configuration.
    pub action: &'static str,
    /// The key that does.
    pub keys: &'static [&'static str],
    /// A sentence, for `?` and the docs.
    pub help: &'static str,
    /// The headless verb that shows the same.
    pub cli_equivalent: &'static str,
    /// What its links begin with, and what they look like: `order`, `order/ID@VERSION?diff=A:B`.
    pub word: &'static str,
    pub link: &'static str,
}

impl Bound for Spec {
    fn name(&self) -> &'static str {
        self.action
    }

    fn keys(&self) -> &'static [&'static str] {
        self.keys
    }
}

impl Spec {
    /// The key that goes to it, as tabs show it.
    #[must_use]
    pub fn number(&self, keys: &Keys) -> String {
        keys.of(self).first().cloned().unwrap_or_default()
    }

    /// The action that goes to it, as help and palette show it.
    #[must_use]
    pub fn info(&self, keys: &Keys) -> Info {
        Info {
            name: self.action,
            keys: keys.of(self),
            title: self.title,
            help: self.help,
            risk: Risk::Look,
            footer: 0,
            enabled: Ok(()),
            cli_equivalent: Some(self.cli_equivalent),
        }
    }
}

/// What every screen is told, whichever it is.
#[derive(Debug, Clone)]
pub enum Input {
    /// A key that means the same everywhere.
    Common(Common),
    /// A key for the text being typed.
    Typed(KeyEvent),
    /// Text was pasted.
    Pasted(String),
    /// The wheel turned over a pane.
    Scrolled(usize, isize),
    /// The moment it wanted to be woken at has come.
    Woken,
}

/// What every screen understands in its own way; the keys for these are global.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Common {
    Step(Step),
    Left,
    Right,
    Enter,
    /// Back one step inside the screen.
    Escape,
    NextPane,
    PreviousPane,
    NextView,
    PreviousView,
    Filter,
    NextMatch,
    PreviousMatch,
    Mark,
    MarkAll,
    InvertMarks,
    Sort,
    Faults,
    Copy,
    CopyLink,
    Export,
    Refresh,
    Explain,
    Bookmark,
    Zoom,
}

/// Where something happened on a screen, as drawing left it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fit {
    pub pane: usize,
    pub rows: usize,
    /// How far its text can be scrolled; nothing for lists.
    pub end: usize,
}

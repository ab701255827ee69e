//! Timeline: one order's history, to travel through and compare.

mod actions;
mod events;
mod head;
mod load;
mod raw;
mod scrubber;
mod state_pane;
#[cfg(test)]
mod tests;
mod update;
mod view;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crossterm::event::KeyEvent;

pub use self::{
    actions::{ACTIONS, offers},
    load::load,
    update::update,
    view::view,
};
use crate::{
    db,
    db::messages::Message,
    domain::{
        id::{OrderId, Version},
        timeline::Step as Point,
    },
    ops::{audit::Recorded, known::Known},
    tui::{
        effect::Lane,
        route::Route,
        screens::{Common, Fit, Spec},
        shared::{Shared, Subject},
        ui::{
            field::Field,
            list::Cursor,
            remote::{Remote, Ticket},
        },
    },
};

/// How the screen is listed.
pub const SPEC: Spec = Spec { number: '3', title: "Timeline" };

const READ: Lane = Lane::Latest("timeline.read");
const ACTS: Lane = Lane::Latest("timeline.acts");

/// One step of playing.
const PLAY_STEP: Duration = Duration::from_millis(700);

/// Which part of the screen the keys go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pane {
    #[default]
    Events,
    State,
}

/// What the right pane shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Show {
    /// The state at the cursor, with what the event there changed.
    #[default]
    State,
    /// The difference between the two pins.
    Diff,
}

/// How much of a difference is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Detail {
    #[default]
    All,
    Changes,
    Patch,
}

/// A line being typed at the foot of the scrubber.
#[derive(Debug)]
pub enum Prompt {
    GoTo(Field, Option<String>),
    Find(Field),
}

/// Versions held on to, to be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pins {
    a: Option<Version>,
    b: Option<Version>,
}

/// Everything the screen knows.
#[derive(Debug, Default)]
pub struct State {
    order: Option<OrderId>,
    known: Remote<Option<Arc<Known>>, db::Error>,
    /// What operators did to the order, newest first, where that is recorded.
    acts: Remote<Vec<Recorded>, db::Error>,
    /// Over events first, then messages.
    cursor: Cursor,
    /// The cursor stays on the newest event when one arrives.
    live: bool,
    /// A version to go to once the history is read.
    wanted: Option<Version>,
    pins: Pins,
    show: Show,
    detail: Detail,
    /// What-if: the state without the event at the cursor.
    skipping: bool,
    lanes: bool,
    pane: Pane,
    zoomed: bool,
    raw: Option<usize>,
    explaining: bool,
    prompt: Option<Prompt>,
    found: String,
    state_offset: usize,
    playing: Option<Instant>,
}

/// What can happen here.
#[derive(Debug, Clone)]
pub enum Msg {
    Common(Common),
    Typed(KeyEvent),
    Pasted(String),
    Scrolled(usize, isize),
    Woken,
    /// Come here to this order, at a version, comparing two.
    Opened(OrderId, Option<Version>, Option<(Version, Version)>),
    Clicked(usize),
    GoTo,
    PinA,
    PinB,
    Diff,
    Detail,
    Play,
    Live,
    Skip,
    Raw,
    Lanes,
    Read(Ticket, Result<Option<Arc<Known>>, db::Error>),
    Acted(Ticket, Result<Vec<Recorded>, db::Error>),
    Exported(Result<String, String>),
}

/// What can be asked for here.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    Read { ticket: Ticket, order: OrderId },
    Acts { ticket: Ticket, order: OrderId },
    Export { known: Arc<Known> },
}

/// What the cursor is on.
#[derive(Debug, Clone, Copy)]
pub enum Entry<'a> {
    Event(&'a Point),
    Message(&'a Message),
}

impl State {
    fn known(&self) -> Option<&Arc<Known>> {
        self.known.value.as_ref()?.as_ref()
    }

    fn last(&self) -> Version {
        self.known().map_or(Version(0), |known| known.timeline.last_version())
    }

    /// Events and, unless that lane is off, messages.
    fn len(&self) -> usize {
        let Some(known) = self.known() else { return 0 };
        let messages = if self.lanes { 0 } else { known.history.messages.len() };
        known.timeline.steps().len() + messages
    }

    fn entry(&self) -> Option<Entry<'_>> {
        let known = self.known()?;
        let points = known.timeline.steps();
        match points.get(self.cursor.index) {
            Some(point) => Some(Entry::Event(point)),
            None => {
                known.history.messages.get(self.cursor.index - points.len()).map(Entry::Message)
            }
        }
    }

    /// The version in sight: that of the event at the cursor, the newest while it is on a message.
    fn version(&self) -> Version {
        match self.entry() {
            Some(Entry::Event(point)) => point.version,
            _ => self.last(),
        }
    }

    /// The two versions compared: the pins; one pin with the cursor; without pins the cursor's event with the
    /// one before it.
    fn pair(&self) -> (Version, Version) {
        let at = self.version();
        match (self.pins.a, self.pins.b) {
            (None, None) => (Version((at.0 - 1).max(0)), at),
            (a, b) => (a.unwrap_or(at), b.unwrap_or(at)),
        }
    }

    /// The same in words.
    const fn pair_name(&self) -> &'static str {
        match (self.pins.a, self.pins.b) {
            (Some(_), Some(_)) => "A:B",
            (Some(_), None) => "A:cursor",
            (None, Some(_)) => "cursor:B",
            (None, None) => "of one step",
        }
    }

    /// What is pinned, and what comes next.
    fn pinned(&self) -> String {
        match (self.pins.a, self.pins.b) {
            (Some(a), Some(b)) => format!("A=v{a} B=v{b}; = compares them"),
            (Some(a), None) => format!("A=v{a}; B pins the other, = compares it with the cursor"),
            (None, Some(b)) => format!("B=v{b}; A pins the other, = compares it with the cursor"),
            (None, None) => String::new(),
        }
    }

    /// The comparison on show, if it is one that stays when the cursor moves.
    fn compared(&self) -> Option<(Version, Version)> {
        let some = self.show == Show::Diff && self.pins != Pins::default();
        some.then(|| self.pair())
    }

    /// Whether keys are being typed as text.
    #[must_use]
    pub const fn is_typing(&self) -> bool {
        self.prompt.is_some()
    }

    /// Takes what drawing learned about pane heights.
    pub fn fit(&mut self, fits: &[Fit]) {
        let len = self.len();
        for fit in fits {
            match (fit.pane, &mut self.raw) {
                (0, _) => self.cursor.fit(fit.rows, len),
                (2, Some(offset)) => *offset = (*offset).min(fit.end),
                _ => self.state_offset = self.state_offset.min(fit.end),
            }
        }
    }

    /// The place, for links and history.
    #[must_use]
    pub fn route(&self) -> Option<Route> {
        let at = (!self.live && self.known().is_some()).then(|| self.version());
        let diff = self.compared();
        self.order.map(|order| Route::Timeline { order, at: at.or(self.wanted), diff })
    }

    /// The order on screen as its row is now, else as its events have it.
    #[must_use]
    pub fn subject(&self) -> Option<Subject> {
        let known = self.known()?;
        let folded = || Some((**known.timeline.steps().last()?.state.order.as_ref()?).clone());
        let order = known.history.row.clone().or_else(folded)?;
        Some(Subject { order })
    }

    /// Where we are, in words.
    #[must_use]
    pub fn crumb(&self, _: &Shared) -> String {
        match self.order {
            Some(order) => format!("Orders › {} › v{}", order.short(), self.version()),
            None => "Timeline › no order chosen yet".to_owned(),
        }
    }

    /// The headless verb that shows the same.
    #[must_use]
    pub fn twin(&self) -> String {
        match (self.order, self.compared()) {
            (Some(order), Some((a, b))) => format!("orderscope order diff {order} {a} {b}"),
            (Some(order), None) => format!("orderscope order timeline {order}"),
            (None, _) => "orderscope order timeline ID".to_owned(),
        }
    }

    /// When the history was read.
    #[must_use]
    pub const fn seen_at(&self) -> Option<Instant> {
        self.known.seen_at
    }

    /// When the next step of playing, or the next reading, is due.
    #[must_use]
    pub fn wakes_at(&self, shared: &Shared) -> Option<Instant> {
        let idle = self.known.loading_since().is_none() && !shared.frozen && self.prompt.is_none();
        let last = self.known.seen_at.max(self.known.failed_at);
        let rate = if shared.focused { 1 } else { 4 };
        let refresh = last.filter(|_| idle).map(|last| last + shared.interval * rate);
        [self.playing, refresh].into_iter().flatten().min()
    }
}

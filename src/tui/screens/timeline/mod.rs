//! Timeline: one order's history, to travel through and compare.

mod actions;
mod chain_pane;
mod events;
mod head;
mod load;
mod place;
mod raw;
mod rows;
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

use ratatui::{Frame, layout::Rect};
use uuid::Uuid;

pub use self::place::Place;
use self::rows::{At, rows};
use crate::{
    db,
    domain::{
        id::{OrderId, Version},
        timeline::Step as Point,
    },
    ops::{
        analysis::OrderAnalysis,
        audit::Recorded,
        history::{MOST_EVENTS, Message},
    },
    tui::{
        effect::{Effect, Lane},
        screens::{Common, Fit, Input, Screen, ScreenId, Spec},
        selection::{OrderSelection, Selection},
        services::Cx,
        shared::Shared,
        ui::{
            action::Action,
            field::Field,
            hits::Hits,
            list::Cursor,
            remote::{Remote, Ticket},
            theme::Theme,
        },
    },
};

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
    /// The causal chain of what the cursor is on.
    Chain,
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
    known: Remote<Option<Arc<OrderAnalysis>>, db::Error>,
    /// What operators did to the order, newest first, where that is recorded.
    acts: Remote<Vec<Recorded>, db::Error>,
    /// How many events are read beyond the usual.
    more: i64,
    /// Over the rows of the list.
    cursor: Cursor,
    rows: Vec<At>,
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
    chain_offset: usize,
    playing: Option<Instant>,
}

/// What can happen here.
#[derive(Debug, Clone)]
pub enum Msg {
    Clicked(usize),
    GoTo,
    PinA,
    PinB,
    Diff,
    Detail,
    Play,
    Live,
    Skip,
    /// Read older events too.
    Older,
    Raw,
    Lanes,
    Chain,
    Read(Ticket, Result<Option<Arc<OrderAnalysis>>, db::Error>),
    Acted(Ticket, Result<Vec<Recorded>, db::Error>),
    Exported(Result<String, String>),
}

/// What can be asked for here.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// At most `most` of the newest events.
    Read {
        ticket: Ticket,
        order: OrderId,
        most: i64,
    },
    Acts {
        ticket: Ticket,
        order: OrderId,
    },
    Export {
        known: Arc<OrderAnalysis>,
    },
}

/// What the cursor is on.
#[derive(Debug, Clone, Copy)]
pub enum Entry<'a> {
    Event(&'a Point),
    Message(&'a Message),
    /// What an operator did.
    Act(&'a Recorded),
}

impl Entry<'_> {
    /// The id of its row in the database, and what that is called.
    const fn id(&self) -> (Uuid, &'static str) {
        match self {
            Self::Event(point) => (point.event.id.0, "event id"),
            Self::Message(message) => (message.id.0, "message id"),
            Self::Act(act) => (act.operation, "operation id"),
        }
    }
}

impl State {
    fn known(&self) -> Option<&Arc<OrderAnalysis>> {
        self.known.value.as_ref()?.as_ref()
    }

    fn last(&self) -> Version {
        self.known().map_or(Version(0), |known| known.timeline.last_version())
    }

    fn first(&self) -> Version {
        self.known().map_or(Version(0), |known| known.timeline.first_version())
    }

    const fn most(&self) -> i64 {
        MOST_EVENTS + self.more
    }

    /// What operators did to the order, newest first.
    fn acts(&self) -> &[Recorded] {
        self.acts.value.as_deref().unwrap_or_default()
    }

    /// Events and, unless those lanes are off, messages and operators' actions.
    fn len(&self) -> usize {
        self.rows.len()
    }

    /// Lists again after a reading, or when the lanes come or go.
    fn arrange(&mut self) {
        self.rows = self.known().map_or(vec![], |known| rows(known, self.acts(), self.lanes));
    }

    /// The row of the list where something is.
    fn row_of(&self, at: At) -> Option<usize> {
        self.rows.iter().position(|other| *other == at)
    }

    fn entry(&self) -> Option<Entry<'_>> {
        self.entry_at(self.cursor.index)
    }

    /// What is in this row of the list.
    fn entry_at(&self, row: usize) -> Option<Entry<'_>> {
        let known = self.known()?;
        match *self.rows.get(row)? {
            At::Event(index) => known.timeline.steps().get(index).map(Entry::Event),
            At::Message(index) => known.history.messages.get(index).map(Entry::Message),
            At::Act(index) => self.acts().get(index).map(Entry::Act),
        }
    }

    /// The version in sight: that of the event at the cursor, or of the event that the message there was
    /// published for, or of the event before the operator's action there; the newest where there is none.
    fn version(&self) -> Version {
        let of_message = |sequence| self.known()?.chain.of_message(sequence)?.version;
        let before = || {
            let mut above = (0..self.cursor.index).rev().filter_map(|row| self.entry_at(row));
            above.find_map(|entry| match entry {
                Entry::Event(point) => Some(point.version),
                Entry::Message(_) | Entry::Act(_) => None,
            })
        };
        match self.entry() {
            Some(Entry::Event(point)) => point.version,
            Some(Entry::Message(message)) => of_message(message.sequence).unwrap_or(self.last()),
            // Before the first event there is no state to show: that event's is the nearest.
            Some(Entry::Act(_)) => before().unwrap_or(self.first()),
            None => self.last(),
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

    /// The order on screen as its row is now, else as its events have it.
    fn subject(&self) -> Option<OrderSelection> {
        let known = self.known()?;
        let folded = || Some((**known.timeline.steps().last()?.state.order.as_ref()?).clone());
        let order = known.history.row.clone().or_else(folded)?;
        Some(OrderSelection { order })
    }
}

impl Screen for State {
    type Msg = Msg;
    type Request = Request;
    type Place = Place;

    const SPEC: Spec = Spec {
        id: ScreenId("timeline"),
        title: "Timeline",
        action: "go.timeline",
        keys: &["3"],
        help: "The history of one order",
        cli_equivalent: "orderscope order timeline",
        word: crate::tui::route::ORDER,
        link: "order/ID@VERSION?diff=A:B",
    };
    const ACTIONS: &'static [Action<Self, Msg>] = actions::ACTIONS;

    fn update(&mut self, msg: Msg, shared: &Shared) -> Vec<Effect<Request>> {
        update::update(self, msg, shared)
    }

    fn input(&mut self, input: Input, shared: &Shared) -> Vec<Effect<Request>> {
        update::input(self, input, shared)
    }

    fn open(&mut self, place: Place, shared: &Shared) -> Vec<Effect<Request>> {
        update::open(self, place, shared)
    }

    fn view(&self, shared: &Shared, theme: &Theme, frame: &mut Frame, area: Rect) -> Hits<Msg> {
        view::view(self, shared, theme, frame, area)
    }

    fn load(request: Request, cx: Cx) -> impl Future<Output = Msg> + Send {
        load::load(request, cx)
    }

    fn offers(&self, common: Common) -> Result<(), &'static str> {
        actions::offers(self, common)
    }

    fn is_typing(&self) -> bool {
        self.prompt.is_some()
    }

    fn fit(&mut self, fits: &[Fit]) {
        let len = self.len();
        for fit in fits {
            match (fit.pane, &mut self.raw) {
                (0, _) => self.cursor.fit(fit.rows, len),
                (2, Some(offset)) => *offset = (*offset).min(fit.end),
                (3, _) => self.chain_offset = self.chain_offset.min(fit.end),
                _ => self.state_offset = self.state_offset.min(fit.end),
            }
        }
    }

    fn place(&self) -> Option<Place> {
        let at = (!self.live && self.known().is_some()).then(|| self.version());
        let diff = self.compared();
        self.order.map(|order| Place { order, at: at.or(self.wanted), diff })
    }

    fn selection(&self) -> Selection {
        Selection::Order(self.subject().map(Box::new))
    }

    /// The order.
    fn looked_at(&self) -> String {
        self.order.map_or_else(|| Self::SPEC.id.to_string(), |order| order.to_string())
    }

    fn crumb(&self, _: &Shared) -> String {
        match self.order {
            Some(order) if self.known().is_some() => {
                format!("Orders › {} › v{}", order.short(), self.version())
            }
            // No version is known yet, or there is none.
            Some(order) => format!("Orders › {}", order.short()),
            None => "Timeline › select an order".to_owned(),
        }
    }

    fn cli_equivalent(&self) -> String {
        match (self.order, self.compared()) {
            (Some(order), Some((a, b))) => format!("orderscope order diff {order} {a} {b}"),
            (Some(order), None) if self.pane == Pane::Chain => {
                format!("orderscope order chain {order}")
            }
            (Some(order), None) => format!("orderscope order timeline {order}"),
            (None, _) => "orderscope order timeline ID".to_owned(),
        }
    }

    fn seen_at(&self) -> Option<Instant> {
        self.known.seen_at
    }

    /// When the next step of playing, or the next reading, is due.
    fn wakes_at(&self, shared: &Shared) -> Option<Instant> {
        let idle = self.known.loading_since().is_none() && !shared.frozen && self.prompt.is_none();
        let last = self.known.seen_at.max(self.known.failed_at);
        let rate = if shared.focused { 1 } else { 4 };
        let refresh = last.filter(|_| idle).map(|last| last + shared.interval * rate);
        [self.playing, refresh].into_iter().flatten().min()
    }
}

//! A console without terminal, runtime and database, for the tests of screens and frame: keys and
//! answers in, state, effects and frames out. The clock stands still unless a test moves it.

mod added;
pub mod samples;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers, MouseEvent, MouseEventKind};
use ratatui::{Terminal, backend::TestBackend, buffer::Buffer};
use unicode_width::UnicodeWidthStr;

use super::{
    app::{self, App, Msg, Purpose, Request},
    change,
    effect::{Effect, Lane},
    route::Route,
    screens::{self, Screen, Screens, orders, timeline},
    shared::{Link, Now, Place, Shared},
    ui::{action::Keys, remote::Ticket, theme::Theme},
};
use crate::{
    domain::zone::Zone,
    ops::{
        analysis::OrderAnalysis,
        history::History,
        operation::{Plan, PlanError},
        search::OrderLine,
    },
};

/// Compares the whole frame at both sizes the console is made for with what was looked at before.
macro_rules! frames {
    ($name:literal, $desk:expr) => {
        for (width, height) in [(80, 24), (120, 36)] {
            $desk.resize(width, height);
            insta::assert_snapshot!(
                format!(concat!($name, "_{}x{}"), width, height),
                $desk.frame()
            );
        }
    };
}

pub(crate) use frames;

pub type Effects = Vec<Effect<Request>>;

/// A console under test.
pub struct Desk {
    pub app: App,
    size: (u16, u16),
    /// What was asked for and not looked at yet.
    pub asked: Effects,
}

/// `2026-11-22T14:02:11Z`, a Sunday.
pub fn now() -> Now {
    Now { instant: Instant::now(), utc: "2026-11-22T14:02:11Z".parse().unwrap() }
}

/// A database of our own.
pub fn place() -> Place {
    Place {
        context: "local".to_owned(),
        production: false,
        database: "orderscope".to_owned(),
        host: "private".to_owned(),
        role: "orderscope".to_owned(),
        standby: None,
        gaps: vec![],
        attached: false,
        operator: "mai@desk-4".to_owned(),
        barred: None,
        no_broker: None,
    }
}

/// A production database of the service, with two things missing.
pub fn attached() -> Place {
    Place {
        context: "prod".to_owned(),
        production: true,
        database: "ordering".to_owned(),
        host: "pg-ea-1:5432".to_owned(),
        role: "support".to_owned(),
        standby: None,
        gaps: vec![
            "index on the order in mt_events.data: events in other streams are searched within 30 \
             days of placing only"
                .to_owned(),
            "schema orderscope: nothing can be written, notes and audit stay on this machine"
                .to_owned(),
        ],
        attached: true,
        operator: "mai@desk-4".to_owned(),
        barred: Some("there is no schema orderscope to record in: run `orderscope attach` first"),
        no_broker: None,
    }
}

impl Desk {
    /// A console that has just been started, at this size, at the newest orders.
    pub fn new(width: u16, height: u16) -> Self {
        Self::with_keys(width, height, Keys::default())
    }

    pub fn with_keys(width: u16, height: u16, keys: Keys) -> Self {
        let shared = Shared::new(now(), "UTC".parse::<Zone>().unwrap());
        Self::of(Screens::default(), shared, (width, height), keys)
    }

    /// The same with other screens than the usual ones.
    pub fn of(screens: Screens, shared: Shared, size: (u16, u16), keys: Keys) -> Self {
        let app = App::new(screens, Shared { keys, ..shared }, Theme::MONO, true);
        let mut desk = Self { app, size, asked: vec![] };
        let effects = desk.app.start(None);
        desk.asked.extend(effects);
        desk.draw();
        desk
    }

    /// The same, connected to a place.
    pub fn at(mut self, place: Place) -> Self {
        self.send(Msg::Linked(Link::Up(Arc::new(place))));
        self
    }

    /// Lets the root answer a message.
    pub fn send(&mut self, msg: Msg) {
        let effects = app::update(&mut self.app, msg);
        self.asked.extend(effects);
        self.draw();
    }

    /// Presses keys as the key table writes them, `ctrl-d` or `A`, then draws.
    pub fn press(&mut self, specs: &str) {
        for spec in specs.split(' ') {
            self.event(&Event::Key(key(spec)));
        }
    }

    /// Types text, letter by letter.
    pub fn types(&mut self, text: &str) {
        for letter in text.chars() {
            self.event(&Event::Key(KeyCode::Char(letter).into()));
        }
    }

    pub fn paste(&mut self, text: &str) {
        self.event(&Event::Paste(text.to_owned()));
    }

    pub fn mouse(&mut self, kind: MouseEventKind, column: u16, row: u16) {
        let modifiers = KeyModifiers::NONE;
        self.event(&Event::Mouse(MouseEvent { kind, column, row, modifiers }));
    }

    pub fn event(&mut self, event: &Event) {
        for event in self.app.presses(event) {
            for msg in self.app.input(&event) {
                let effects = app::update(&mut self.app, msg);
                self.asked.extend(effects);
            }
        }
        self.draw();
    }

    /// Time goes by; deadlines that have come are met.
    pub fn wait(&mut self, length: Duration) {
        let now = self.app.shared.now;
        let utc = now.utc + chrono::TimeDelta::from_std(length).unwrap();
        self.app.tick(Now { instant: now.instant + length, utc });
        let effects = app::wake(&mut self.app);
        self.asked.extend(effects);
        self.draw();
    }

    /// What was asked for since the last time this was called.
    pub fn effects(&mut self) -> Effects {
        std::mem::take(&mut self.asked)
    }

    /// The newest request of that screen that `pick` knows; what was asked before it is forgotten.
    fn newest<S: Screen, T>(&mut self, pick: impl Fn(&S::Request) -> Option<T>) -> T {
        let effects = self.effects();
        let request = effects.iter().rev().find_map(|effect| match effect {
            Effect::Run(_, Request::Screen(request)) => request.of::<S>().and_then(&pick),
            _ => None,
        });
        request.unwrap_or_else(|| panic!("nothing of the kind was asked for: {effects:?}"))
    }

    /// The ticket of the newest search, and of the count and the preview asked for with it.
    pub fn searched(&mut self) -> Ticket {
        self.newest::<orders::State, _>(|request| match request {
            orders::Request::Search { ticket, .. } => Some(*ticket),
            _ => None,
        })
    }

    pub fn counting(&mut self) -> Ticket {
        self.newest::<orders::State, _>(|request| match request {
            orders::Request::Count { ticket, .. } => Some(*ticket),
            _ => None,
        })
    }

    pub fn previewing(&mut self) -> Ticket {
        self.newest::<orders::State, _>(|request| match request {
            orders::Request::Preview { ticket, .. } => Some(*ticket),
            _ => None,
        })
    }

    pub fn reading(&mut self) -> Ticket {
        self.newest::<timeline::State, _>(|request| match request {
            timeline::Request::Read { ticket, .. } => Some(*ticket),
            _ => None,
        })
    }

    /// A console connected to a place, with the sample rows listed, counted and the first previewed.
    pub fn listing(width: u16, height: u16) -> Self {
        let mut desk = Self::new(width, height).at(place());
        desk.list(samples::rows());
        desk
    }

    /// Answers the newest search with all there is, and what is asked for because of it.
    pub fn list(&mut self, rows: Vec<OrderLine>) {
        let ticket = self.searched();
        let page = orders::Window { rows, before: None, after: None };
        self.orders(orders::Msg::Found(ticket, Ok((page, samples::answer()))));
        if self.asked.iter().any(|effect| format!("{effect:?}").contains("Preview")) {
            let ticket = self.previewing();
            let known = OrderAnalysis::new(samples::cancelled(), false);
            self.orders(orders::Msg::Previewed(ticket, Ok(Some(Arc::new(known)))));
        }
    }

    /// A console on the timeline of this history.
    pub fn travelling(width: u16, height: u16, history: History) -> Self {
        let mut desk = Self::listing(width, height);
        desk.open(history);
        desk
    }

    /// Goes to the timeline of this history and answers its reading.
    pub fn open(&mut self, history: History) {
        let order = history.id;
        self.send(Msg::Go(Route::order(order)));
        self.read(history);
    }

    /// Answers the newest reading of a timeline.
    pub fn read(&mut self, history: History) {
        let ticket = self.reading();
        self.timeline(timeline::Msg::Read(
            ticket,
            Ok(Some(Arc::new(OrderAnalysis::new(history, false)))),
        ));
    }

    /// Unlocks writes as a person does.
    pub fn unlock(&mut self) {
        self.press("w");
        self.types("CB-91");
        self.press("enter");
        let told = Ok("unlocked".to_owned());
        self.send(Msg::Granted(Purpose::Unlock, "CB-91".to_owned(), told));
        self.effects();
    }

    /// The newest request of a change that `pick` knows; what was asked before it is forgotten.
    pub fn changing<T>(&mut self, pick: impl Fn(&change::Request) -> Option<T>) -> T {
        let effects = self.effects();
        let request = effects.iter().rev().find_map(|effect| match effect {
            Effect::Run(_, Request::Change(request)) => pick(request),
            _ => None,
        });
        request.unwrap_or_else(|| panic!("nothing of the kind was asked for: {effects:?}"))
    }

    pub fn change(&mut self, msg: change::Msg) {
        self.send(Msg::Change(msg));
    }

    /// Answers the newest request for a plan.
    pub fn planned(&mut self, result: Result<Plan, PlanError>) -> change::Draft {
        let (ticket, draft) = self.changing(|request| match request {
            change::Request::Plan { ticket, draft } => Some((*ticket, draft.clone())),
            _ => None,
        });
        self.change(change::Msg::Planned(ticket, result.map(Arc::new)));
        draft
    }

    /// The lane and the plan of the newest request to run one.
    pub fn run(&mut self) -> (Lane, Arc<Plan>) {
        let effects = self.effects();
        let found = effects.iter().rev().find_map(|effect| match effect {
            Effect::Run(lane, Request::Change(change::Request::Run { plan, .. })) => {
                Some((*lane, Arc::clone(plan)))
            }
            _ => None,
        });
        found.unwrap_or_else(|| panic!("nothing is run: {effects:?}"))
    }

    pub fn orders(&mut self, msg: orders::Msg) {
        self.send(Msg::Screen(screens::Msg::new::<orders::State>(msg)));
    }

    pub fn timeline(&mut self, msg: timeline::Msg) {
        self.send(Msg::Screen(screens::Msg::new::<timeline::State>(msg)));
    }

    /// The state of a screen.
    pub fn state<S: Screen>(&self) -> &S {
        self.app.screens.get().unwrap()
    }

    /// Whether a screen is the one on show.
    pub fn is_on<S: Screen>(&self) -> bool {
        self.app.screens.shown() == S::SPEC.id
    }

    pub fn resize(&mut self, width: u16, height: u16) {
        self.size = (width, height);
        self.draw();
    }

    /// Draws a frame, and lets the console learn from it what it learns from every frame.
    pub fn draw(&mut self) -> Terminal<TestBackend> {
        let mut terminal = Terminal::new(TestBackend::new(self.size.0, self.size.1)).unwrap();
        let mut hits = None;
        terminal.draw(|frame| hits = Some(app::view(&self.app, frame))).unwrap();
        self.app.drawn(hits.unwrap());
        terminal
    }

    /// The frame as text, for snapshots.
    pub fn frame(&mut self) -> String {
        // What the first frame teaches (heights), the second one shows.
        self.draw();
        let buffer = self.buffer();
        let line = |y: u16| {
            let (mut line, mut hidden) = (String::new(), 0);
            for x in 0..buffer.area.width {
                let symbol = buffer[(x, y)].symbol();
                if hidden == 0 {
                    line.push_str(symbol);
                }
                // A wide letter covers the cells after it.
                hidden = if hidden == 0 { symbol.width().saturating_sub(1) } else { hidden - 1 };
            }
            format!("{}\n", line.trim_end())
        };
        (0..buffer.area.height).map(line).collect()
    }

    pub fn buffer(&mut self) -> Buffer {
        self.draw().backend().buffer().clone()
    }

    pub fn shows(&mut self, text: &str) -> bool {
        self.frame().contains(text)
    }

    /// Draws at every size from nothing up; a panic fails the test.
    pub fn fits_every_window(&mut self) {
        for (width, height) in
            (0..=40).flat_map(|width| (0..=12).map(move |height| (width, height)))
        {
            self.resize(width, height);
        }
        self.fits_usual_windows();
    }

    /// Draws at the sizes that people have and at those where something changes its form.
    pub fn fits_usual_windows(&mut self) {
        let sizes =
            [(60, 15), (61, 16), (75, 20), (80, 24), (99, 29), (100, 30), (120, 36), (200, 60)];
        for (width, height) in sizes {
            self.resize(width, height);
        }
    }
}

/// The effects without those that only remember or confirm.
pub fn runs(effects: &Effects) -> Vec<(Lane, &Request)> {
    let mut out = vec![];
    for effect in effects {
        if let Effect::Run(lane, request) = effect {
            out.push((*lane, request));
        }
    }
    out
}

/// Text put on the clipboard.
pub fn copied(effects: &Effects) -> Vec<&str> {
    let mut out = vec![];
    for effect in effects {
        if let Effect::Copy { text, .. } = effect {
            out.push(text.as_str());
        }
    }
    out
}

fn key(spec: &str) -> KeyEvent {
    let (spec, modifiers) = match spec.strip_prefix("ctrl-") {
        Some(spec) => (spec, KeyModifiers::CONTROL),
        None => (spec, KeyModifiers::NONE),
    };
    let code = match spec {
        "enter" => KeyCode::Enter,
        "esc" => KeyCode::Esc,
        "tab" => KeyCode::Tab,
        "shift-tab" => KeyCode::BackTab,
        "space" => KeyCode::Char(' '),
        "up" => KeyCode::Up,
        "down" => KeyCode::Down,
        "backspace" => KeyCode::Backspace,
        "f2" => KeyCode::F(2),
        "f3" => KeyCode::F(3),
        letter => KeyCode::Char(letter.chars().next().unwrap()),
    };
    KeyEvent::new(code, modifiers)
}

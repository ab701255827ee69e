//! Orders: finding one from any scrap of information.

mod actions;
mod list;
mod load;
mod place;
mod preview;
#[cfg(test)]
mod tests;
mod update;
mod view;
mod window;

use std::{sync::Arc, time::Instant};

use ratatui::{Frame, layout::Rect};

pub use self::{place::Place, window::Window};
use crate::{
    db,
    domain::{
        id::OrderId,
        order::{Buyer, Order},
        search::{Query, SearchError},
    },
    ops::{
        analysis::OrderAnalysis,
        search::{Access, Count, Cursor as Key, OrderLine as Row, Plan, Start},
    },
    tui::{
        effect::{Effect, Lane},
        screens::{Common, Fit, Input, Screen, ScreenId, Spec, listing::Listing},
        selection::{OrderSelection, Selection},
        services::Cx,
        shared::{Remembered, Shared},
        ui::{
            action::Action,
            field::Field,
            hits::Hits,
            list::{Cursor, List, Marking, Step},
            remote::{Remote, Ticket},
            theme::Theme,
        },
    },
};

/// Rows asked for at a time.
pub const PAGE: usize = 100;

const SEARCH: Lane = Lane::Latest("orders.search");
const COUNT: Lane = Lane::Latest("orders.count");
const PREVIEW: Lane = Lane::Latest("orders.preview");

/// Which part of the screen the keys go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pane {
    #[default]
    List,
    Preview,
}

/// What a search answered, beyond its rows.
#[derive(Debug, Clone)]
pub struct Answer {
    /// What was not searched and why, which clock the list goes by.
    pub coverage: Vec<String>,
    pub access: Access,
    pub millis: u64,
    /// What all that match are counted by.
    pub plan: Arc<Plan>,
}

/// Everything the screen knows.
#[derive(Debug, Default)]
pub struct State {
    field: Field,
    typing: bool,
    /// What is wrong with the text as typed; the rows below still answer the last good one.
    error: Option<SearchError>,
    /// Proposals for the word at the cursor, shown after Tab.
    proposals: Vec<String>,
    query: Query,
    asked: Remote<Answer, db::Error>,
    asked_from: Option<Start>,
    /// What comes takes the place of the rows, though it begins among them.
    rereading: bool,
    /// The next answer is to another question: the cursor goes to its top.
    is_other: bool,
    rows: Window<Row, Key>,
    count: Remote<Count, db::Error>,
    faults_only: bool,
    list: List<OrderId>,
    preview: Remote<Option<Arc<OrderAnalysis>>, db::Error>,
    preview_of: Option<OrderId>,
    preview_offset: usize,
    pane: Pane,
    zoomed: bool,
    explaining: bool,
    explain_offset: usize,
}

/// What can happen here.
#[derive(Debug, Clone)]
pub enum Msg {
    Clicked(usize),
    Clear,
    SearchClicked,
    Found(Ticket, Result<(Window<Row, Key>, Answer), db::Error>),
    Counted(Ticket, Result<Count, db::Error>),
    Previewed(Ticket, Result<Option<Arc<OrderAnalysis>>, db::Error>),
    Exported(Result<String, String>),
}

/// What can be asked for here.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    Search { ticket: Ticket, query: Query, from: Start, typed: bool },
    Count { ticket: Ticket, plan: Arc<Plan> },
    Preview { ticket: Ticket, order: OrderId },
    Export { rows: Vec<Row>, masked: bool },
}

/// Whether the row has something wrong with it.
fn is_fault(row: &Row) -> bool {
    [row.undelivered, row.letter, row.drift].contains(&Some(true)) || row.stale
}

/// A place just before this row, from which a page begins with it.
const fn above(row: &Row) -> Key {
    Key {
        placed: row.placed,
        id: OrderId(uuid::Uuid::from_u128(row.id.0.as_u128().saturating_add(1))),
    }
}

/// Where a row stands in the list.
const fn key(row: &Row) -> Key {
    Key { placed: row.placed, id: row.id }
}

impl State {
    /// The row under the cursor.
    #[must_use]
    pub fn selected(&self) -> Option<&Row> {
        self.visible_rows().nth(self.list.cursor.index)
    }

    /// Rows as listed: all, or those with a fault.
    fn visible_rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.rows.iter().filter(|row| !self.faults_only || is_fault(row))
    }

    fn keys(&self) -> Vec<OrderId> {
        self.visible_rows().map(|row| row.id).collect()
    }

    /// The order under the cursor; whole where its preview was read.
    fn subject(&self) -> Option<OrderSelection> {
        let row = self.selected()?;
        let known = self.preview.value.as_ref().and_then(Option::as_ref);
        let known = known.filter(|known| known.history.id == row.id);
        if let Some(order) = known.and_then(|known| known.history.row.clone()) {
            return Some(OrderSelection { order });
        }
        let buyer = Buyer { name: row.buyer_name.clone(), ..Buyer::default() };
        let order = Order {
            status: row.status,
            is_deleted: row.deleted,
            buyer_id: Some(row.buyer),
            buyer: Some(buyer),
            ..Order::empty(row.id)
        };
        Some(OrderSelection { order })
    }
}

impl Listing for State {
    type Request = Request;

    fn cursor(&self) -> &Cursor {
        &self.list.cursor
    }

    fn cursor_mut(&mut self) -> &mut Cursor {
        &mut self.list.cursor
    }

    fn len(&self) -> usize {
        self.visible_rows().count()
    }

    fn copied(&self) -> (Vec<String>, &'static str) {
        let chosen = self.list.chosen(&self.keys());
        (chosen.iter().map(ToString::to_string).collect(), "order id")
    }

    fn export(&self, shared: &Shared) -> Option<Request> {
        let marks = self.list.marks();
        let is_chosen = |row: &&Row| marks.is_empty() || marks.contains(&row.id);
        let rows = self.visible_rows().filter(is_chosen).cloned().collect();
        Some(Request::Export { rows, masked: shared.masked })
    }

    fn mark(&mut self, how: Marking) {
        self.list.mark(how, &self.keys());
    }

    fn can_mark(&self) -> Result<(), &'static str> {
        self.has_rows()
    }

    fn has_rows(&self) -> Result<(), &'static str> {
        self.selected().map(|_| ()).ok_or("no order is listed")
    }

    /// The ends of a long answer are pages of their own.
    fn step(&mut self, step: Step, shared: &Shared) -> Vec<Effect<Request>> {
        update::moved(self, step, shared)
    }
}

impl Screen for State {
    type Msg = Msg;
    type Request = Request;
    type Place = Place;

    const SPEC: Spec = Spec {
        id: ScreenId("orders"),
        title: "Orders",
        action: "go.orders",
        keys: &["2"],
        help: "Search orders",
        cli_equivalent: "orderscope orders search",
        word: place::WORD,
        link: "orders?q=QUERY",
    };
    const ACTIONS: &'static [Action<Self, Msg>] = actions::ACTIONS;
    const TYPING: &'static [Action<(), ()>] = actions::TYPING;

    fn update(&mut self, msg: Msg, shared: &Shared) -> Vec<Effect<Request>> {
        update::update(self, msg, shared)
    }

    fn input(&mut self, input: Input, shared: &Shared) -> Vec<Effect<Request>> {
        update::input(self, input, shared)
    }

    fn open(&mut self, place: Place, shared: &Shared) -> Vec<Effect<Request>> {
        update::open(self, &place.query, shared)
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
        self.typing
    }

    fn fit(&mut self, fits: &[Fit]) {
        let len = self.len();
        for fit in fits {
            match fit.pane {
                0 => self.list.cursor.fit(fit.rows, len),
                2 => self.explain_offset = self.explain_offset.min(fit.end),
                _ => self.preview_offset = self.preview_offset.min(fit.end),
            }
        }
    }

    fn place(&self) -> Option<Place> {
        Some(Place { query: self.field.text().to_owned() })
    }

    /// The order under the cursor, with what its preview knows of it.
    fn selection(&self) -> Selection {
        Selection::Order(self.subject().map(Box::new))
    }

    fn crumb(&self, _: &Shared) -> String {
        match self.field.text() {
            "" => "Orders › newest".to_owned(),
            text => format!("Orders › {}", crate::domain::text::clean(text)),
        }
    }

    fn cli_equivalent(&self) -> String {
        match self.field.text() {
            "" => "orderscope orders search".to_owned(),
            text => format!("orderscope orders search '{}'", text.replace('\'', "'\\''")),
        }
    }

    fn seen_at(&self) -> Option<Instant> {
        self.asked.seen_at
    }

    /// When the newest page is read again: only while it is what is shown.
    fn wakes_at(&self, shared: &Shared) -> Option<Instant> {
        let idle = self.asked.loading_since().is_none() && !shared.frozen && !self.typing;
        let at_top = self.rows.before.is_none() && self.rows.rows.len() <= PAGE;
        let last = self.asked.seen_at.max(self.asked.failed_at)?;
        let rate = if shared.focused { 1 } else { 4 };
        (idle && at_top).then(|| last + shared.interval * rate)
    }

    /// Takes past searches for `↑`.
    fn recall(&mut self, kept: &Remembered) {
        self.field.recall_from(kept.searches.clone());
    }
}

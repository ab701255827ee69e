//! What consumers received: rows of the inbox, all or only what is wrong, and a day of it hour by hour.

mod hours;
pub(super) mod load;
pub(super) mod view;

use std::sync::Arc;

use super::{
    ConsumerOutbox, Cursor, Effects, LIST, MessageSelection, Request as ScreenRequest, Shared,
    Step, Ticket,
    paged::{Numbered, Paged},
    sub::{Context, Detail, Focus, Pane, SubView},
};
use crate::{
    db,
    domain::id::{ConsumerId, MessageId},
    ops::{
        messages::{
            Day,
            list::{From, InboxRow, InboxView, Page},
        },
        operation::List as Lists,
    },
    tui::{
        effect::{Effect, Lane},
        screens::listing::Listing,
        ui::remote::Remote,
    },
};

const HOURLY: Lane = Lane::Latest("messages.hours");

/// Which rows are listed, and what stands beside them.
#[derive(Debug, Default)]
pub struct State {
    pub(super) view: InboxView,
    /// The message whose row the cursor is to go to, once the rows are there.
    wanted: Option<MessageId>,
    /// The list begins at this message's row, which is further down than a page.
    from: Option<MessageId>,
    pub(super) paged: Paged<InboxRow>,
    /// The map of hours in place of the sums.
    pub(super) by_hour: bool,
    day: Remote<Arc<Day>, db::Error>,
}

/// What can happen to it.
#[derive(Debug, Clone)]
pub enum Msg {
    Listed(Ticket, Result<Page<InboxRow>, db::Error>),
    Day(Ticket, Result<Arc<Day>, db::Error>),
}

/// What it can ask for.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    List { ticket: Ticket, view: InboxView, from: From },
    Day { ticket: Ticket },
    Export { rows: Vec<InboxRow> },
}

/// What a consumer is called.
fn name(cx: Context<'_>, consumer: ConsumerId) -> String {
    let known = cx.status.into_iter().flat_map(|status| &status.facts.inbox.consumers);
    let found = known.into_iter().find(|one| one.consumer == consumer);
    found.map_or_else(|| consumer.short(), |one| one.name.clone())
}

impl Numbered for InboxRow {
    fn number(&self) -> i64 {
        self.id
    }
}

/// The view a key asks for; asked for again, the one after, or all.
const fn after(now: InboxView, key: InboxView) -> InboxView {
    match (now, key) {
        (InboxView::Failing, InboxView::Failing) => InboxView::HalfDone,
        (InboxView::HalfDone, InboxView::Failing)
        | (InboxView::Duplicates, InboxView::Duplicates) => InboxView::All,
        _ => key,
    }
}

impl State {
    /// Shows rows of this kind, with the cursor on a message's, or on the first.
    pub(super) const fn turn_to(&mut self, view: InboxView, wanted: Option<MessageId>) {
        self.view = view;
        self.wanted = wanted;
        self.from = None;
    }

    /// The rows that a key asks for; asked for again, the ones after, or all. `shown`: these rows are on screen.
    pub(super) const fn turn_by(&mut self, key: InboxView, shown: bool) {
        let now = if shown { self.view } else { InboxView::All };
        self.turn_to(after(now, key), None);
    }

    /// Reads the day, while it is shown.
    pub(super) fn ask_day(&mut self, shared: &Shared) -> Option<Effect<ScreenRequest>> {
        let wanted = self.by_hour && self.day.loading_since().is_none();
        wanted.then(|| {
            let ticket = self.day.begin(shared.now.instant);
            Effect::Run(HOURLY, ScreenRequest::Inbox(Request::Day { ticket }))
        })
    }

    /// The row under the cursor.
    pub(super) fn selected(&self) -> Option<&InboxRow> {
        self.paged.selected()
    }

    /// Answers one message.
    pub(super) fn update(&mut self, msg: Msg, shared: &Shared) -> Effects {
        match msg {
            Msg::Listed(ticket, result) => {
                let is_read = self.paged.settle(ticket, result, shared);
                if is_read { self.arrived(shared) } else { vec![] }
            }
            Msg::Day(ticket, result) => {
                self.day.settle(ticket, result, shared.now.instant);
                vec![]
            }
        }
    }

    /// The rows are there: the cursor goes to the one that is looked for. If it is further down, the list begins there.
    fn arrived(&mut self, shared: &Shared) -> Effects {
        let Some(wanted) = self.wanted.take() else { return vec![] };
        match self.paged.rows.iter().position(|row| row.message == wanted) {
            Some(at) => self.step(Step::To(at), shared),
            None if self.from.is_none() && self.paged.has_more() => {
                self.from = Some(wanted);
                self.wanted = Some(wanted);
                vec![self.ask(false, shared)]
            }
            None => {
                self.from = None;
                let told = format!("message {} is not in this list any more", wanted.short());
                vec![Effect::Warn(told)]
            }
        }
    }

    fn ask(&mut self, continues: bool, shared: &Shared) -> Effect<ScreenRequest> {
        let last = self.paged.rows.last().map(|row| row.id).filter(|_| continues);
        let from = match (last, self.from) {
            (Some(id), _) => From::Row(id),
            (None, Some(message)) => From::Message(message),
            (None, None) => From::Newest,
        };
        let ticket = self.paged.begin(continues, shared);
        let view = self.view;
        Effect::Run(LIST, ScreenRequest::Inbox(Request::List { ticket, view, from }))
    }
}

impl Listing for State {
    type Request = ScreenRequest;

    fn cursor(&self) -> &Cursor {
        &self.paged.cursor
    }

    fn cursor_mut(&mut self) -> &mut Cursor {
        &mut self.paged.cursor
    }

    fn len(&self) -> usize {
        self.paged.rows.len()
    }

    fn copied(&self) -> (Vec<String>, &'static str) {
        let row = self.selected();
        (row.map(|row| row.message.to_string()).into_iter().collect(), "message id")
    }

    fn export(&self, _: &Shared) -> Option<ScreenRequest> {
        Some(ScreenRequest::Inbox(Request::Export { rows: self.paged.rows.clone() }))
    }

    fn moved(&mut self, shared: &Shared) -> Effects {
        if self.paged.wants_more() { vec![self.ask(true, shared)] } else { vec![] }
    }
}

impl SubView for State {
    fn show(&mut self, shared: &Shared) -> Effects {
        self.paged.reset();
        vec![self.ask(false, shared)]
    }

    /// Which rows are listed stays; where the list begins does not.
    fn leave(&mut self) -> Effects {
        self.paged.abandon();
        self.turn_to(self.view, None);
        vec![]
    }

    fn refresh(&mut self, _: bool, shared: &Shared) -> Effects {
        let page = self.paged.can_refresh().then(|| self.ask(false, shared));
        page.into_iter().chain(self.ask_day(shared)).collect()
    }

    fn can_enter(&self, _: Pane) -> Result<(), &'static str> {
        Err("an inbox row names no order")
    }

    fn enter(&mut self, _: &mut Focus, _: &Shared) -> Effects {
        vec![]
    }

    /// To all rows, where there were fewer.
    fn back(&mut self, shared: &Shared) -> Option<Effects> {
        let narrow = self.view != InboxView::All || self.from.is_some();
        self.turn_to(InboxView::All, None);
        narrow.then(|| self.show(shared))
    }

    /// The sums, or the day, whichever row the cursor is on.
    fn beside(&self) -> Option<String> {
        None
    }

    fn has_body(&self) -> bool {
        false
    }

    fn matter(&self) -> MessageSelection {
        MessageSelection {
            list: Lists::Inbox,
            received: self.selected().map(|row| {
                let outbox =
                    ConsumerOutbox { message_id: row.message.0, consumer_id: row.consumer.0 };
                (outbox, row.consumed.is_some() && row.delivered.is_none())
            }),
            ..MessageSelection::default()
        }
    }

    fn cli_equivalent(&self, _: Pane) -> String {
        match (self.by_hour, self.view) {
            (true, _) => "orderscope inbox hours".to_owned(),
            (false, InboxView::All) => "orderscope inbox list".to_owned(),
            (false, view) => format!("orderscope inbox list --view {}", view.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_asked_again_goes_on_and_then_back_to_all() {
        use InboxView::{All, Duplicates, Failing, HalfDone};
        assert_eq!(after(All, Failing), Failing);
        assert_eq!(after(Failing, Failing), HalfDone);
        assert_eq!(after(HalfDone, Failing), All);
        assert_eq!(after(Failing, Duplicates), Duplicates);
        assert_eq!(after(Duplicates, Duplicates), All);
        assert_eq!(after(Duplicates, Failing), Failing);
    }
}

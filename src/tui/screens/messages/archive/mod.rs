//! Copies of what was taken out or changed, each to be read in full and put back.

pub(super) mod load;
mod view;

use std::sync::Arc;

use super::{
    Cursor, Effects, LIST, MessageSelection, Request as ScreenRequest, Shared, Ticket,
    paged::{Numbered, Paged},
    sub::{Context, Detail, Focus, Pane, SubView},
};
use crate::{
    db,
    ops::{
        archive::Whole,
        messages::list::{ArchivedMessage, Page},
        operation::List as Lists,
    },
    tui::{
        effect::{Effect, Lane},
        route::Route,
        screens::listing::Listing,
        ui::remote::Remote,
    },
};

const COPY: Lane = Lane::Latest("messages.copy");

/// The copies, and the one that was opened.
#[derive(Debug, Default)]
pub struct State {
    pub(super) paged: Paged<ArchivedMessage>,
    read: Remote<Option<Arc<Whole>>, db::Error>,
    of: Option<i64>,
}

/// What can happen to it.
#[derive(Debug, Clone)]
pub enum Msg {
    Listed(Ticket, Result<Page<ArchivedMessage>, db::Error>),
    Read(Ticket, Result<Option<Arc<Whole>>, db::Error>),
}

/// What it can ask for.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    List {
        ticket: Ticket,
        before: Option<i64>,
    },
    /// A copy with all of it.
    Read {
        ticket: Ticket,
        number: i64,
    },
    Export {
        rows: Vec<ArchivedMessage>,
    },
}

impl Numbered for ArchivedMessage {
    fn number(&self) -> i64 {
        self.number
    }
}

impl State {
    /// The copy under the cursor.
    pub(super) fn selected(&self) -> Option<&ArchivedMessage> {
        self.paged.selected()
    }

    /// What was read of it.
    fn whole(&self) -> Option<&Arc<Whole>> {
        let number = self.selected()?.number;
        self.read.value.as_ref()?.as_ref().filter(|whole| whole.kept.number == number)
    }

    /// Answers one message.
    pub(super) fn update(&mut self, msg: Msg, shared: &Shared) -> Effects {
        match msg {
            Msg::Listed(ticket, result) => {
                self.paged.settle(ticket, result, shared);
            }
            Msg::Read(ticket, result) => {
                self.read.settle(ticket, result, shared.now.instant);
            }
        }
        vec![]
    }

    fn ask(&mut self, continues: bool, shared: &Shared) -> Effect<ScreenRequest> {
        let before = self.paged.rows.last().map(|row| row.number).filter(|_| continues);
        let ticket = self.paged.begin(continues, shared);
        Effect::Run(LIST, ScreenRequest::Archive(Request::List { ticket, before }))
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
        (row.map(|row| row.number.to_string()).into_iter().collect(), "number of the copy")
    }

    fn export(&self, _: &Shared) -> Option<ScreenRequest> {
        Some(ScreenRequest::Archive(Request::Export { rows: self.paged.rows.clone() }))
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

    fn leave(&mut self) -> Effects {
        self.paged.abandon();
        vec![]
    }

    fn refresh(&mut self, _: bool, shared: &Shared) -> Effects {
        if self.paged.can_refresh() { vec![self.ask(false, shared)] } else { vec![] }
    }

    /// A copy leads to its whole text, that to the order it names.
    fn enter(&mut self, focus: &mut Focus, shared: &Shared) -> Effects {
        let Some(number) = self.selected().map(|kept| kept.number) else { return vec![] };
        if focus.pane == Pane::Detail
            && let Some(whole) = self.whole()
        {
            return match whole.order {
                Some(order) => vec![Effect::Open(Route::order(order))],
                None => vec![Effect::Warn("its body names no order".to_owned())],
            };
        }
        focus.to(Pane::Detail);
        if self.of == Some(number) && self.whole().is_some() {
            return vec![];
        }
        self.of = Some(number);
        self.read.value = None;
        self.read.error = None;
        let ticket = self.read.begin(shared.now.instant);
        vec![Effect::Run(COPY, ScreenRequest::Archive(Request::Read { ticket, number }))]
    }

    fn beside(&self) -> Option<String> {
        self.selected().map(|kept| kept.number.to_string())
    }

    fn has_body(&self) -> bool {
        self.whole().is_some()
    }

    fn matter(&self) -> MessageSelection {
        let copy = self.selected();
        MessageSelection {
            copy: copy.map(|kept| kept.number),
            returned: copy.and_then(|kept| kept.returned),
            discarded: copy.is_some_and(|kept| kept.cause == "discarded"),
            list: Lists::Archive,
            ..MessageSelection::default()
        }
    }

    fn cli_equivalent(&self, pane: Pane) -> String {
        match self.whole() {
            Some(whole) if pane == Pane::Detail => {
                format!("orderscope messages show --kept {}", whole.kept.number)
            }
            _ => "orderscope messages list --view kept".to_owned(),
        }
    }
}

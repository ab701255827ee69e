//! Messages of the outboxes: pending, delivered, orphaned, expired or undeliverable; or the pending ones counted in
//! groups; and the one under the cursor in full.

pub(super) mod load;
mod message;
mod view;

use std::{sync::Arc, time::Duration};

use super::{
    Cursor, Effects, LIST, MessageSelection, Request as ScreenRequest, Shared, Status, Step,
    Ticket,
    paged::{Numbered, Paged},
    sub::{Context, Detail, Focus, Pane, SubView},
};
use crate::{
    db,
    domain::{id::OutboxId, outbox::Owner},
    ops::{
        messages::{
            Message,
            list::{Cursor as Key, Filter, Group, Page, Row, View, outbox_of},
        },
        operation::{List as Lists, quoted},
    },
    tui::{
        effect::{Effect, Lane},
        route::Route,
        screens::listing::Listing,
        ui::remote::Remote,
    },
};

const DETAIL: Lane = Lane::Latest("messages.detail");

/// A cursor that runs down the list need not read every message.
const MOVING_PAUSE: Duration = Duration::from_millis(40);

/// By what pending messages are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pivot {
    Type,
    Destination,
    Outbox,
}

/// What is listed, and the message beside it.
#[derive(Debug, Default)]
pub struct State {
    view: View,
    filter: Option<Filter>,
    pub(super) paged: Paged<Row>,
    pivot: Option<Pivot>,
    groups: Cursor,
    /// The newest figures: groups are counted there.
    status: Option<Arc<Status>>,
    detail: Remote<Option<Arc<Message>>, db::Error>,
    detail_of: Option<i64>,
    /// Tell who holds the message's owner as soon as it was read again.
    tells_holder: bool,
}

/// What can happen to it.
#[derive(Debug, Clone)]
pub enum Msg {
    Listed(Ticket, Result<Page<Row>, db::Error>),
    Read(Ticket, Result<Option<Arc<Message>>, db::Error>),
}

/// What it can ask for.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    List { ticket: Ticket, view: View, filter: Option<Filter>, after: Option<Key> },
    Read { ticket: Ticket, sequence: i64 },
    Export { rows: Vec<Row> },
}

impl Numbered for Row {
    fn number(&self) -> i64 {
        self.sequence
    }
}

impl State {
    /// Which messages are listed when it is shown next.
    pub(super) fn turn_to(&mut self, view: View) {
        self.view = view;
        self.filter = None;
        self.pivot = None;
    }

    /// Takes new figures.
    pub(super) fn looked(&mut self, status: &Arc<Status>) {
        self.status = Some(Arc::clone(status));
        let len = self.counted().map_or(0, <[Group]>::len);
        self.groups.follow(None, len);
    }

    /// The groups that the pivot counts.
    fn counted(&self) -> Option<&[Group]> {
        let overview = &self.status.as_ref()?.overview;
        Some(match self.pivot? {
            Pivot::Type => &overview.by_type,
            Pivot::Destination => &overview.by_destination,
            Pivot::Outbox => &overview.by_outbox,
        })
    }

    fn group(&self) -> Option<&Group> {
        self.counted()?.get(self.groups.index)
    }

    /// The message under the cursor.
    pub(super) fn selected(&self) -> Option<&Row> {
        self.paged.selected().filter(|_| self.pivot.is_none())
    }

    /// The message that was read.
    fn message(&self) -> Option<&Arc<Message>> {
        self.detail.value.as_ref()?.as_ref()
    }

    /// Counts by the next kind of group, or lists the messages again.
    pub(super) fn turn_pivot(&mut self, shared: &Shared) -> Effects {
        self.pivot = match self.pivot {
            None => Some(Pivot::Type),
            Some(Pivot::Type) => Some(Pivot::Destination),
            Some(Pivot::Destination) => Some(Pivot::Outbox),
            Some(Pivot::Outbox) => None,
        };
        self.step(Step::First, shared)
    }

    /// Whether messages can be counted in groups.
    pub(super) fn can_pivot(&self) -> Result<(), &'static str> {
        match self.view {
            View::Pending => Ok(()),
            _ => Err("only pending messages are counted by groups"),
        }
    }

    /// Whether these are listed already.
    pub(super) fn lists(&self, view: View, filter: Option<&Filter>) -> bool {
        self.view == view && self.filter.as_ref() == filter
    }

    /// Lists these, or those of one outbox.
    pub(super) fn list_only(
        &mut self,
        view: View,
        filter: Option<Filter>,
        shared: &Shared,
    ) -> Effects {
        self.turn_to(view);
        self.filter = filter;
        self.show(shared)
    }

    /// Lists messages in place of groups.
    pub(super) fn leave_groups(&mut self) {
        self.pivot = None;
    }

    /// To a message: its row if it is listed, else only its text.
    pub(super) fn go_to(&mut self, sequence: i64, shared: &Shared) -> Effects {
        match self.paged.rows.iter().position(|row| row.sequence == sequence) {
            Some(at) => self.step(Step::To(at), shared),
            None => self.read(Some(sequence), shared),
        }
    }

    /// Answers one message.
    pub(super) fn update(&mut self, msg: Msg, shared: &Shared) -> Effects {
        match msg {
            Msg::Listed(ticket, result) => {
                if self.paged.settle(ticket, result, shared) {
                    let selected = self.selected().map(|row| row.sequence);
                    return self.read(selected, shared);
                }
            }
            Msg::Read(ticket, result) => {
                let settled = self.detail.settle(ticket, result, shared.now.instant);
                if settled && std::mem::take(&mut self.tells_holder) {
                    return vec![self.holder_told(shared)];
                }
            }
        }
        vec![]
    }

    fn ask(&mut self, continues: bool, shared: &Shared) -> Effect<ScreenRequest> {
        let after = self.paged.rows.last().map(|row| row.key).filter(|_| continues);
        let ticket = self.paged.begin(continues, shared);
        let (view, filter) = (self.view, self.filter.clone());
        Effect::Run(LIST, ScreenRequest::Outbox(Request::List { ticket, view, filter, after }))
    }

    /// Reads the message that stands beside the list, if that is not what stands there already.
    fn read(&mut self, sequence: Option<i64>, shared: &Shared) -> Effects {
        if self.detail_of == sequence {
            return vec![];
        }
        self.tells_holder = false;
        self.detail_of = sequence;
        self.detail.value = None;
        let Some(sequence) = sequence else {
            self.detail.abandon();
            return vec![];
        };
        vec![self.read_again(sequence, shared)]
    }

    fn read_again(&mut self, sequence: i64, shared: &Shared) -> Effect<ScreenRequest> {
        let ticket = self.detail.begin(shared.now.instant);
        Effect::Run(DETAIL, ScreenRequest::Outbox(Request::Read { ticket, sequence }))
    }

    /// Reads the message once more, because locks come and go, and tells who holds its owner.
    pub(super) fn holder(&mut self, shared: &Shared) -> Effects {
        let Some(sequence) = self.detail_of else { return vec![] };
        self.tells_holder = true;
        vec![self.read_again(sequence, shared)]
    }

    fn holder_told(&self, shared: &Shared) -> Effect<ScreenRequest> {
        if let Some(error) = &self.detail.error {
            return Effect::Warn(error.to_string());
        }
        let Some(message) = self.message() else {
            return Effect::Warn("it is gone: delivered or purged".to_owned());
        };
        Effect::Tell(match &message.lock {
            Some(lock) => format!("held by: {}", lock.describe(shared.now.utc)),
            None => format!("{}: nobody holds it", message.shown.delivery),
        })
    }
}

impl Listing for State {
    type Request = ScreenRequest;

    fn cursor(&self) -> &Cursor {
        if self.pivot.is_some() { &self.groups } else { &self.paged.cursor }
    }

    fn cursor_mut(&mut self) -> &mut Cursor {
        if self.pivot.is_some() { &mut self.groups } else { &mut self.paged.cursor }
    }

    fn len(&self) -> usize {
        self.counted().map_or(self.paged.rows.len(), <[Group]>::len)
    }

    fn copied(&self) -> (Vec<String>, &'static str) {
        let (text, what) = match self.pivot {
            Some(_) => (self.group().and_then(|group| group.key.clone()), "group"),
            None => (self.selected().map(|row| row.message.to_string()), "message id"),
        };
        (text.into_iter().collect(), what)
    }

    fn export(&self, _: &Shared) -> Option<ScreenRequest> {
        Some(ScreenRequest::Outbox(Request::Export { rows: self.paged.rows.clone() }))
    }

    /// What stands beside groups is the group, not the message before.
    fn moved(&mut self, shared: &Shared) -> Effects {
        let selected = self.selected().map(|row| row.sequence);
        let mut effects = self.read(selected, shared);
        if self.pivot.is_none() && self.paged.wants_more() {
            effects.push(self.ask(true, shared));
        }
        effects
    }
}

impl SubView for State {
    fn show(&mut self, shared: &Shared) -> Effects {
        self.paged.reset();
        self.detail.value = None;
        self.detail.abandon();
        self.detail_of = None;
        vec![self.ask(false, shared)]
    }

    fn leave(&mut self) -> Effects {
        self.paged.abandon();
        self.detail.abandon();
        self.turn_to(self.view);
        vec![]
    }

    fn refresh(&mut self, _: bool, shared: &Shared) -> Effects {
        if self.paged.can_refresh() { vec![self.ask(false, shared)] } else { vec![] }
    }

    /// A group leads to its messages, a message to its order.
    fn enter(&mut self, _: &mut Focus, shared: &Shared) -> Effects {
        if self.pivot.is_some() {
            let Some(group) = self.group() else { return vec![] };
            let filter = match (self.pivot, group.key.clone()) {
                (Some(Pivot::Type), Some(kind)) => Some(Filter::Type(kind)),
                (Some(Pivot::Destination), destination) => Some(Filter::Destination(destination)),
                (Some(Pivot::Outbox), Some(key)) => outbox_of(&key).map(Filter::Outbox),
                _ => None,
            };
            return self.list_only(self.view, filter, shared);
        }
        let read = self.message().filter(|_| self.detail.loading_since().is_none());
        match read.map(|message| message.shown.order) {
            Some(Some(order)) => vec![Effect::Open(Route::order(order))],
            Some(None) => vec![Effect::Warn("its body names no order".to_owned())],
            None => vec![],
        }
    }

    fn back(&mut self, shared: &Shared) -> Option<Effects> {
        if self.pivot.take().is_some() {
            return Some(self.step(Step::First, shared));
        }
        self.filter.take()?;
        Some(self.show(shared))
    }

    fn beside(&self) -> Option<String> {
        self.detail_of.map(|sequence| sequence.to_string())
    }

    fn sequence(&self) -> Option<i64> {
        self.selected().map(|row| row.sequence)
    }

    fn has_body(&self) -> bool {
        self.message().is_some()
    }

    fn matter(&self) -> MessageSelection {
        let row = self.selected();
        let read =
            self.message().filter(|read| Some(read.shown.sequence) == row.map(|row| row.sequence));
        let whole = read
            .filter(|read| i64::try_from(read.shown.content.body.len()) == Ok(read.shown.bytes));
        MessageSelection {
            sequence: row.map(|row| row.sequence),
            delivery: row.map(|row| row.delivery),
            outbox: match row {
                Some(row) => match row.owner {
                    Owner::Bus(outbox) => Some(outbox),
                    Owner::Consumer { .. } | Owner::Nobody => None,
                },
                None => self.group_outbox(),
            },
            grouped: matches!(self.pivot, Some(Pivot::Type | Pivot::Destination)),
            texts: whole.map(|read| Box::new(read.shown.content.clone())),
            list: Lists::Outboxes,
            ..MessageSelection::default()
        }
    }

    fn cli_equivalent(&self, _: Pane) -> String {
        let only = match &self.filter {
            None => String::new(),
            Some(Filter::Type(kind)) => format!(" --type {}", quoted(kind)),
            Some(Filter::Destination(to)) => {
                format!(" --to {}", quoted(to.as_deref().unwrap_or("none")))
            }
            Some(Filter::Outbox(id)) => format!(" --outbox {id}"),
        };
        format!("orderscope messages list --view {}{only}", self.view.name())
    }
}

impl State {
    /// The outbox whose messages are counted under the cursor.
    fn group_outbox(&self) -> Option<OutboxId> {
        let group = self.group().filter(|_| self.pivot == Some(Pivot::Outbox))?;
        outbox_of(group.key.as_deref()?)
    }
}

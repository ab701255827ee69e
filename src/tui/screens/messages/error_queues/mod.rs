//! The broker's error queues: what failed alike, and each message by itself.

pub(super) mod load;
mod view;

use std::sync::Arc;

use super::{
    Cursor, Effects, MessageSelection, Request as ScreenRequest, Shared, Ticket,
    sub::{Context, Detail, Focus, Pane, SubView},
};
use crate::{
    domain::fault::{Fingerprint, Group, Key, Verdict, group},
    ops::{
        error_queue::{FoundFault, Listing as Found},
        operation::List as Lists,
    },
    tui::{
        effect::{Effect, Lane},
        route::Route,
        screens::listing::Listing,
        selection::{ErrorQueueSelection, Safe},
        ui::{
            list::{List, Marking},
            remote::Remote,
        },
    },
};

const NAME: &str = "messages.errors";

/// A newer look stops the one before; leaving the list does too.
const LANE: Lane = Lane::Latest(NAME);

/// What was found in the queues, and which of it is shown.
#[derive(Debug, Default)]
pub struct State {
    pub(super) look: Remote<Arc<Found>, String>,
    groups: Vec<Group>,
    pub(super) group_cursor: Cursor,
    /// The group whose messages are listed.
    within: Option<Fingerprint>,
    /// Its messages; marked are messages of any group.
    pub(super) list: List<Key>,
}

/// What can happen to it.
#[derive(Debug, Clone)]
pub enum Msg {
    Found(Ticket, Result<Arc<Found>, String>),
}

/// What it can ask for.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// Look into the queues: a delivery for some of them, so only where somebody asks for it.
    Look {
        ticket: Ticket,
    },
    Export {
        found: Vec<FoundFault>,
    },
}

impl State {
    /// Messages of the group that was entered, from the head of the first queue on.
    fn messages(&self) -> impl Iterator<Item = &FoundFault> {
        self.found().filter(|found| self.within.as_ref() == Some(&found.fingerprint))
    }

    fn found(&self) -> impl Iterator<Item = &FoundFault> {
        self.look.value.iter().flat_map(|listing| &listing.found)
    }

    fn keys(&self) -> Vec<Key> {
        self.messages().map(|found| found.fault.key.clone()).collect()
    }

    /// The group under the cursor.
    fn group(&self) -> Option<&Group> {
        self.groups.get(self.group_cursor.index).filter(|_| self.within.is_none())
    }

    /// The message under the cursor.
    fn message(&self) -> Option<&FoundFault> {
        self.messages().nth(self.list.cursor.index)
    }

    /// Keys of what is marked, as the queues hold it.
    pub(super) fn marked(&self) -> Vec<Key> {
        let mut keys: Vec<Key> = vec![];
        for found in self.look.value.iter().flat_map(|listing| &listing.found) {
            let key = &found.fault.key;
            if self.list.marks().contains(key) && !keys.contains(key) {
                keys.push(key.clone());
            }
        }
        keys
    }

    /// What operations would be about, once the queues were looked into.
    fn faults(&self) -> Option<Box<ErrorQueueSelection>> {
        let listing = self.look.value.as_ref()?;
        let safe = |verdicts: &mut dyn Iterator<Item = Verdict>| {
            let mut safe = Safe::default();
            for verdict in verdicts {
                safe.replay += usize::from(verdict.in_bulk_replay());
                safe.discard += usize::from(verdict.in_bulk_discard());
            }
            safe
        };
        let message = self.message();
        let group = self.group().map(|group| &group.fingerprint).or(self.within.as_ref());
        let of_group = |fingerprint: &Fingerprint| {
            let alike = listing.found.iter().filter(|found| found.fingerprint == *fingerprint);
            safe(&mut alike.map(|found| found.judgement.verdict))
        };
        Some(Box::new(ErrorQueueSelection {
            message: message.map(|found| found.fault.key.clone()),
            marked: self.marked(),
            group: group.map(|fingerprint| (fingerprint.clone(), of_group(fingerprint))),
            all: safe(&mut listing.found.iter().map(|found| found.judgement.verdict)),
        }))
    }

    /// Answers one message.
    pub(super) fn update(&mut self, msg: Msg, shared: &Shared) -> Effects {
        let Msg::Found(ticket, result) = msg;
        self.take(ticket, result, shared);
        vec![]
    }

    /// Takes the answer of a look. The cursor follows its group or message.
    fn take(&mut self, ticket: Ticket, result: Result<Arc<Found>, String>, shared: &Shared) {
        let key = self.message().map(|found| found.fault.key.clone());
        let fingerprint = self.group().map(|group| group.fingerprint.clone());
        if !self.look.settle(ticket, result, shared.now.instant) || self.look.error.is_some() {
            return;
        }
        let Some(listing) = self.look.value.clone() else { return };
        self.groups =
            group(listing.found.iter().map(|found| (&found.fault, found.judgement.verdict)));
        self.list.retain(|key| listing.found.iter().any(|found| found.fault.key == *key));
        if self.within.is_some() && self.messages().next().is_none() {
            self.within = None;
            self.group_cursor.reset();
        }
        let of_group =
            self.groups.iter().position(|group| Some(&group.fingerprint) == fingerprint.as_ref());
        self.group_cursor.follow(of_group, self.groups.len());
        let of_message = self.messages().position(|found| Some(&found.fault.key) == key.as_ref());
        let len = self.messages().count();
        self.list.cursor.follow(of_message, len);
    }

    fn ask(&mut self, shared: &Shared) -> Effect<ScreenRequest> {
        let ticket = self.look.begin(shared.now.instant);
        Effect::Run(LANE, ScreenRequest::ErrorQueues(Request::Look { ticket }))
    }
}

impl Listing for State {
    type Request = ScreenRequest;

    fn cursor(&self) -> &Cursor {
        if self.within.is_some() { &self.list.cursor } else { &self.group_cursor }
    }

    fn cursor_mut(&mut self) -> &mut Cursor {
        if self.within.is_some() { &mut self.list.cursor } else { &mut self.group_cursor }
    }

    fn len(&self) -> usize {
        match &self.within {
            None => self.groups.len(),
            Some(_) => self.messages().count(),
        }
    }

    fn copied(&self) -> (Vec<String>, &'static str) {
        if let Some(group) = self.group() {
            return (vec![group.fingerprint.to_string()], "group");
        }
        let chosen = self.list.chosen(&self.keys());
        (chosen.iter().map(ToString::to_string).collect(), "key")
    }

    fn export(&self, _: &Shared) -> Option<ScreenRequest> {
        let marks = self.list.marks();
        let is_chosen = |found: &&FoundFault| marks.is_empty() || marks.contains(&found.fault.key);
        let found = self.found().filter(is_chosen).cloned().collect();
        Some(ScreenRequest::ErrorQueues(Request::Export { found }))
    }

    fn can_mark(&self) -> Result<(), &'static str> {
        match (&self.within, self.len()) {
            (None, 1..) => Err("Enter lists a group's messages: those are marked"),
            (_, 0) => Err("nothing is listed"),
            (Some(_), _) => Ok(()),
        }
    }

    fn mark(&mut self, how: Marking) {
        let keys = self.keys();
        self.list.mark(how, &keys);
    }
}

impl SubView for State {
    /// What was found stays until the queues were looked into again.
    fn show(&mut self, shared: &Shared) -> Effects {
        self.within = None;
        self.group_cursor.reset();
        vec![self.ask(shared)]
    }

    /// Nobody waits for the queues any more.
    fn leave(&mut self) -> Effects {
        self.within = None;
        self.list.unmark();
        if self.look.loading_since().is_none() {
            return vec![];
        }
        self.look.abandon();
        vec![Effect::Stop(NAME)]
    }

    /// Never by itself.
    fn refresh(&mut self, by_hand: bool, shared: &Shared) -> Effects {
        if by_hand { vec![self.ask(shared)] } else { vec![] }
    }

    fn can_enter(&self, pane: Pane) -> Result<(), &'static str> {
        match self.message().and_then(|found| found.fault.order) {
            None if pane == Pane::Detail => Err("no message that names an order is chosen"),
            _ => self.has_rows(),
        }
    }

    /// A group leads to its messages, a message to its detail, the detail to the order.
    fn enter(&mut self, focus: &mut Focus, _: &Shared) -> Effects {
        if let Some(group) = self.group() {
            self.within = Some(group.fingerprint.clone());
            self.list.cursor.reset();
            focus.to(Pane::List);
            return vec![];
        }
        if focus.pane == Pane::List {
            focus.pane = Pane::Detail;
            return vec![];
        }
        match self.message().and_then(|found| found.fault.order) {
            Some(order) => vec![Effect::Open(Route::order(order))],
            None => vec![Effect::Warn("its body names no order".to_owned())],
        }
    }

    /// From a group's messages to the groups, then to nothing marked.
    fn back(&mut self, _: &Shared) -> Option<Effects> {
        let Some(fingerprint) = self.within.take() else {
            return self.list.unmark().then(Vec::new);
        };
        let at = self.groups.iter().position(|group| group.fingerprint == fingerprint);
        self.group_cursor.follow(Some(at.unwrap_or(0)), self.groups.len());
        Some(vec![])
    }

    fn beside(&self) -> Option<String> {
        let group = self.group().map(|group| group.fingerprint.to_string());
        group.or_else(|| Some(self.message()?.fault.key.to_string()))
    }

    fn has_body(&self) -> bool {
        true
    }

    fn matter(&self) -> MessageSelection {
        MessageSelection {
            list: Lists::Errors,
            faults: self.faults(),
            ..MessageSelection::default()
        }
    }

    fn cli_equivalent(&self, _: Pane) -> String {
        match self.message() {
            Some(found) => format!("orderscope errors show {}", found.fault.key),
            None if self.within.is_some() => "orderscope errors list".to_owned(),
            None => "orderscope errors groups".to_owned(),
        }
    }
}

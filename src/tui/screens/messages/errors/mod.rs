//! The broker's error queues as a list of the screen: what failed alike, and each message by itself.

pub(super) mod view;

use std::{collections::BTreeSet, sync::Arc};

use super::{Common, Pane, Request, State, Sub};
use crate::{
    domain::{
        fault::{Fingerprint, Group, Key, Verdict, group},
        id::OrderId,
    },
    ops::error_queue::{FoundFault, Listing},
    tui::{
        effect::{Effect, Lane},
        route::Route,
        selection::{Faults, Safe},
        shared::Shared,
        ui::{
            list::Step,
            remote::{Remote, Ticket},
        },
    },
};

type Effects = Vec<Effect<Request>>;

const NAME: &str = "messages.errors";

/// A newer look stops the one before; leaving the list does too.
pub(super) const LANE: Lane = Lane::Latest(NAME);

/// What was found in the queues, and which of it is shown.
#[derive(Debug, Default)]
pub(super) struct Errors {
    pub(super) look: Remote<Arc<Listing>, String>,
    groups: Vec<Group>,
    /// The group whose messages are listed.
    within: Option<Fingerprint>,
    /// Messages that were marked, in any group.
    marks: BTreeSet<Key>,
}

impl Errors {
    /// Lines of whatever is listed.
    pub(super) fn len(&self) -> usize {
        match &self.within {
            None => self.groups.len(),
            Some(_) => self.messages().count(),
        }
    }

    /// Messages of the group that was entered, from the head of the first queue on.
    fn messages(&self) -> impl Iterator<Item = &FoundFault> {
        let found = self.look.value.iter().flat_map(|listing| &listing.found);
        found.filter(|found| self.within.as_ref() == Some(&found.fingerprint))
    }

    fn group(&self, index: usize) -> Option<&Group> {
        self.groups.get(index).filter(|_| self.within.is_none())
    }

    fn message(&self, index: usize) -> Option<&FoundFault> {
        self.messages().nth(index)
    }

    /// Keys of what is marked, as the queues hold it.
    fn marked(&self) -> Vec<Key> {
        let mut keys: Vec<Key> = vec![];
        for found in self.look.value.iter().flat_map(|listing| &listing.found) {
            let key = &found.fault.key;
            if self.marks.contains(key) && !keys.contains(key) {
                keys.push(key.clone());
            }
        }
        keys
    }

    /// Whether there is something to mark, or why not.
    pub(super) fn can_mark(&self) -> Result<(), &'static str> {
        match (&self.within, self.len()) {
            (None, 1..) => Err("Enter lists a group's messages: those are marked"),
            (_, 0) => Err("nothing is listed"),
            (Some(_), _) => Ok(()),
        }
    }

    /// The order that the message under the cursor names.
    pub(super) fn order(&self, index: usize) -> Option<OrderId> {
        self.message(index)?.fault.order
    }

    /// What errands would be about, once the queues were looked into.
    pub(super) fn matter(&self, index: usize) -> Option<Box<Faults>> {
        let listing = self.look.value.as_ref()?;
        let safe = |verdicts: &mut dyn Iterator<Item = Verdict>| {
            let mut safe = Safe::default();
            for verdict in verdicts {
                safe.replay += usize::from(verdict.in_bulk_replay());
                safe.discard += usize::from(verdict.in_bulk_discard());
            }
            safe
        };
        let message = self.message(index);
        let group = self.group(index).map(|group| &group.fingerprint).or(self.within.as_ref());
        let of_group = |fingerprint: &Fingerprint| {
            let alike = listing.found.iter().filter(|found| found.fingerprint == *fingerprint);
            safe(&mut alike.map(|found| found.judgement.verdict))
        };
        Some(Box::new(Faults {
            message: message.map(|found| found.fault.key.clone()),
            marked: self.marked(),
            group: group.map(|fingerprint| (fingerprint.clone(), of_group(fingerprint))),
            all: safe(&mut listing.found.iter().map(|found| found.judgement.verdict)),
        }))
    }

    /// The verb that shows the same.
    pub(super) fn cli_equivalent(&self, index: usize) -> String {
        match self.message(index) {
            Some(found) => format!("orderscope errors show {}", found.fault.key),
            None if self.within.is_some() => "orderscope errors list".to_owned(),
            None => "orderscope errors groups".to_owned(),
        }
    }

    pub(super) fn title(&self) -> String {
        match &self.within {
            None => "Error queues: groups".to_owned(),
            Some(fingerprint) => format!("Error queues: group {fingerprint} (Esc: all)"),
        }
    }

    pub(super) const fn header(&self) -> &'static str {
        match self.within {
            None => "  count newest   done wait unkn dupl  failure",
            Some(_) => "  key           age      verdict    type               Space marks",
        }
    }

    /// What the detail is about.
    pub(super) fn heading(&self, index: usize) -> String {
        match (self.group(index), self.message(index)) {
            (Some(group), _) => format!("Group {}", group.fingerprint),
            (_, Some(found)) => format!("Message {}", found.fault.key),
            _ => "Message".to_owned(),
        }
    }
}

/// Takes the answer of a look. The cursor follows its group or message.
pub(super) fn found(
    state: &mut State,
    ticket: Ticket,
    result: Result<Arc<Listing>, String>,
    shared: &Shared,
) {
    let index = state.cursor.index;
    let key = state.errors.message(index).map(|found| found.fault.key.clone());
    let fingerprint = state.errors.group(index).map(|group| group.fingerprint.clone());
    let errors = &mut state.errors;
    if !errors.look.settle(ticket, result, shared.now.instant) || errors.look.error.is_some() {
        return;
    }
    let Some(listing) = errors.look.value.clone() else { return };
    errors.groups =
        group(listing.found.iter().map(|found| (&found.fault, found.judgement.verdict)));
    let there = |key: &Key| listing.found.iter().any(|found| found.fault.key == *key);
    errors.marks.retain(there);
    let emptied = errors.within.is_some() && errors.messages().next().is_none();
    if emptied {
        errors.within = None;
    }
    let at = match errors.within {
        Some(_) => errors.messages().position(|found| Some(&found.fault.key) == key.as_ref()),
        None => errors.groups.iter().position(|one| Some(&one.fingerprint) == fingerprint.as_ref()),
    };
    if state.sub == Sub::Errors {
        state.cursor.index = at.unwrap_or(if emptied { 0 } else { index });
        let len = state.len();
        state.cursor.step(Step::Lines(0), len);
    }
}

/// Enter: a group leads to its messages, a message to its detail, the detail to the order.
pub(super) fn enter(state: &mut State) -> Effects {
    let index = state.cursor.index;
    if let Some(group) = state.errors.group(index) {
        state.errors.within = Some(group.fingerprint.clone());
        state.pane = Pane::List;
        state.cursor.index = 0;
        state.detail_offset = 0;
    } else if state.pane == Pane::List {
        state.pane = Pane::Detail;
    } else {
        return match state.errors.order(index) {
            Some(order) => vec![Effect::Open(Route::order(order))],
            None => vec![Effect::Warn("its body names no order".to_owned())],
        };
    }
    vec![]
}

/// Marks the message under the cursor, or lets go of it; or those of the whole group.
pub(super) fn mark(state: &mut State, common: Common) {
    if state.errors.within.is_none() {
        return;
    }
    let listed: Vec<_> = state.errors.messages().map(|found| found.fault.key.clone()).collect();
    let marks = &mut state.errors.marks;
    match common {
        Common::MarkAll => marks.extend(listed),
        Common::InvertMarks => {
            for key in listed {
                let _ = marks.remove(&key) || marks.insert(key);
            }
        }
        _ => {
            if let Some(key) = listed.get(state.cursor.index) {
                let _ = marks.remove(key) || marks.insert(key.clone());
            }
        }
    }
}

/// Back from a group's messages to the groups, then to nothing marked; whether there was either.
pub(super) fn leave(state: &mut State) -> bool {
    let Some(fingerprint) = state.errors.within.take() else {
        let marked = !state.errors.marks.is_empty();
        state.errors.marks.clear();
        return marked;
    };
    let at = state.errors.groups.iter().position(|group| group.fingerprint == fingerprint);
    state.cursor.index = at.unwrap_or(0);
    state.detail_offset = 0;
    true
}

/// Another list is shown: nobody waits for the queues any more, or for the database's page.
pub(super) fn turned(state: &mut State, to: Sub) -> Effects {
    state.errors.within = None;
    if to != Sub::Errors {
        state.errors.marks.clear();
    }
    let waits = state.errors.look.loading_since().is_some();
    if state.sub != Sub::Errors || to == Sub::Errors || !waits {
        return vec![];
    }
    state.errors.look.abandon();
    vec![Effect::Stop(NAME)]
}

pub(super) fn copy(state: &State) -> Effects {
    let index = state.cursor.index;
    let (text, what) = match (state.errors.group(index), state.errors.message(index)) {
        (Some(group), _) => (group.fingerprint.to_string(), "group"),
        (_, Some(found)) => (found.fault.key.to_string(), "key"),
        _ => return vec![],
    };
    vec![Effect::Copy { text, what: what.to_owned() }]
}

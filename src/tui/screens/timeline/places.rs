//! The rows of the list: which event or message stands where.

use std::collections::{HashMap, HashSet};

use crate::ops::known::Known;

/// What a row of the list is, by its place in the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Event(usize),
    Message(usize),
}

/// Events by version, each with its messages below it, then the messages of no event.
pub(super) fn places(known: &Known, without_messages: bool) -> Vec<Place> {
    let events = known.timeline.steps().len();
    if without_messages {
        return (0..events).map(Place::Event).collect();
    }
    let messages = &known.history.messages;
    let index: HashMap<i64, usize> =
        messages.iter().enumerate().map(|(index, message)| (message.sequence, index)).collect();
    let mut out = Vec::with_capacity(events + messages.len());
    let mut placed = HashSet::new();
    for (at, strand) in known.chain.strands().iter().enumerate() {
        if strand.version.is_some() {
            out.push(Place::Event(at));
        }
        for index in strand.messages.iter().filter_map(|sequence| index.get(sequence)) {
            if placed.insert(*index) {
                out.push(Place::Message(*index));
            }
        }
    }
    let rest = (0..messages.len()).filter(|index| !placed.contains(index));
    out.extend(rest.map(Place::Message));
    out
}

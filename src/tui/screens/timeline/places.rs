//! The rows of the list: which event, message or operator's action stands where.

use std::collections::{HashMap, HashSet};

use crate::ops::{analysis::OrderAnalysis, audit::Recorded};

/// What a row of the list is, by its place in the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Event(usize),
    Message(usize),
    /// What an operator did, by its place in what was read, newest first.
    Act(usize),
}

/// Events by version, each with its messages below it, then what operators did before the next event, at last
/// the messages of no event. `bare`: events only.
pub(super) fn places(known: &OrderAnalysis, acts: &[Recorded], bare: bool) -> Vec<Place> {
    let steps = known.timeline.steps();
    if bare {
        return (0..steps.len()).map(Place::Event).collect();
    }
    let messages = &known.history.messages;
    let index: HashMap<i64, usize> =
        messages.iter().enumerate().map(|(index, message)| (message.sequence, index)).collect();
    let mut acts = acts.iter().enumerate().rev().peekable();
    let mut out = Vec::with_capacity(steps.len() + messages.len() + acts.len());
    let mut placed = HashSet::new();
    for (at, path) in known.chain.paths().iter().enumerate() {
        if path.version.is_none() {
            out.extend(acts.by_ref().map(|(index, _)| Place::Act(index)));
        } else {
            // Written by one transaction, record and event have the same time, or nearly so: the event is
            // first. A frozen time says nothing.
            let time = steps.get(at).filter(|point| !point.frozen).map(|point| point.event.at);
            while let Some((index, _)) =
                acts.next_if(|(_, act)| time.is_some_and(|time| act.at < time))
            {
                out.push(Place::Act(index));
            }
            out.push(Place::Event(at));
        }
        for index in path.messages.iter().filter_map(|sequence| index.get(sequence)) {
            if placed.insert(*index) {
                out.push(Place::Message(*index));
            }
        }
    }
    out.extend(acts.map(|(index, _)| Place::Act(index)));
    let rest = (0..messages.len()).filter(|index| !placed.contains(index));
    out.extend(rest.map(Place::Message));
    out
}

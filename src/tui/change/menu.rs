//! The operations that are offered on what is looked at: the lines of the table, with why not.

use super::{
    Menu,
    refusals::{self, Refused},
};
use crate::{
    domain::{fault::Key as FaultKey, id, text::thousands},
    ops::operation::{Choice, Entry, Kind, List, OPERATIONS, Spec, StepKind},
    tui::{
        selection::{ErrorQueueSelection, MessageSelection, OrderSelection},
        shared::Shared,
    },
};

/// One line of the menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    pub spec: &'static Spec,
    pub entry: &'static Entry,
    /// Why not now.
    pub refused: Refused,
}

fn lines() -> impl Iterator<Item = (&'static Spec, &'static Entry)> {
    OPERATIONS.iter().flat_map(|spec| spec.menu.iter().map(move |entry| (spec, entry)))
}

/// The letters that open the lines, of every menu.
#[must_use]
pub fn letters() -> Vec<String> {
    lines().map(|(_, entry)| entry.key.to_string()).collect()
}

/// Every operation that belongs there; those that what is looked at does not take say which rule forbids it.
pub(super) fn items(menu: &Menu, shared: &Shared) -> Vec<Item> {
    match &menu.matter {
        Some(matter) => on_messages(matter, shared),
        None => lines()
            .filter(|(_, entry)| entry.list == List::Orders)
            .map(|(spec, entry)| {
                let refused = refusals::of_order(spec, menu.subject.as_ref(), shared);
                Item { spec, entry, refused }
            })
            .collect(),
    }
}

/// On the lists of messages what is done in the database is offered everywhere, and what is done with the broker on
/// its own list. What lies with the broker has operations of its own only.
fn on_messages(matter: &MessageSelection, shared: &Shared) -> Vec<Item> {
    let offered = |(spec, entry): &(&Spec, &Entry)| match (spec.steps, entry.list) {
        (_, List::Orders | List::Operations) => false,
        (StepKind::OneTransaction | StepKind::Batches, List::Errors) => false,
        (StepKind::OneTransaction | StepKind::Batches, _) => matter.list != List::Errors,
        (StepKind::BrokerMessages, list) => list == matter.list,
    };
    let item = |(spec, entry)| {
        let refused = refusals::of_messages(spec, entry, matter, shared);
        Item { spec, entry, refused }
    };
    let mut items: Vec<_> = lines().filter(offered).map(item).collect();
    // What the list is about comes first: the rest may be out of sight.
    items.sort_by_key(|item| item.entry.list != matter.list);
    items
}

/// The line of an operation that is opened by a key of its own.
pub(super) fn line(kind: Kind) -> Option<(&'static Spec, &'static Entry)> {
    let spec = kind.spec();
    Some((spec, spec.menu.first()?))
}

/// What is not offered here, and where it is.
pub(super) fn elsewhere(matter: &MessageSelection) -> Option<&'static str> {
    (matter.list == List::Errors).then_some(
        "what the database holds is repaired, drained, requeued and purged on its own lists: < >",
    )
}

/// What is looked at, for frames.
pub(super) fn title(matter: &MessageSelection) -> String {
    match (matter.sequence, matter.copy) {
        _ if matter.list == List::Errors => "error queues".to_owned(),
        (Some(sequence), _) => format!("message {}", thousands(sequence)),
        (None, Some(copy)) => format!("copy {}", thousands(copy)),
        (None, None) => match matter.outbox {
            Some(outbox) => format!("outbox {}", outbox.short()),
            None => "messages".to_owned(),
        },
    }
}

/// The frame of a form.
pub(super) fn heading(
    spec: &Spec,
    entry: &Entry,
    subject: Option<&OrderSelection>,
    matter: &MessageSelection,
) -> String {
    let about = match (spec.kind, entry.choice) {
        (Kind::UpdateBuyerAddress, _) => {
            subject.and_then(|subject| Some(subject.order.buyer_id?.short())).unwrap_or_default()
        }
        (_, Choice::Consumer) => {
            matter.received.map(|(consumer, _)| id::short(consumer.consumer_id)).unwrap_or_default()
        }
        (Kind::HoldOutbox | Kind::ReleaseOutbox | Kind::DrainOutbox, _) => {
            matter.outbox.map(|outbox| outbox.short()).unwrap_or_default()
        }
        (Kind::ReplayErrors | Kind::DiscardErrors, choice) => {
            of_errors(choice, matter.faults.as_deref())
        }
        _ if entry.list == List::Operations => {
            matter.operation.map(|bulk| bulk.number.to_string()).unwrap_or_default()
        }
        _ if entry.list == List::Orders => {
            subject.map(|subject| subject.order.id.short()).unwrap_or_default()
        }
        _ => title(matter),
    };
    entry.heading.replace("{}", &about)
}

fn of_errors(choice: Choice, faults: Option<&ErrorQueueSelection>) -> String {
    match (choice, faults) {
        (Choice::This, Some(ErrorQueueSelection { message: Some(key), .. })) => {
            format!("message {}", brief(key))
        }
        (Choice::Marked, Some(ErrorQueueSelection { marked, .. })) => match marked.len() {
            1 => "1 marked message".to_owned(),
            count => format!("{count} marked messages"),
        },
        (Choice::Group, Some(ErrorQueueSelection { group: Some((group, _)), .. })) => {
            format!("group {group}")
        }
        _ => "all error queues".to_owned(),
    }
}

fn brief(key: &FaultKey) -> &str {
    key.as_str().get(..10).unwrap_or(key.as_str())
}

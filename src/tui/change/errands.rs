//! What can be done with the broker: the lines of the menu, the form of each, and the errand that a form comes to.

use super::{Kind, deeds, menu::Item};
use crate::{
    domain::{diagnosis::thousands, fault::Key, id, outbox::Delivery, outbox_action::Refusal},
    ops::error_queue::{ErrorAction, Pick},
    tui::{
        selection::{Faults, List, Matter},
        shared::Shared,
        ui::form::{Form, Part, Place, Problem},
    },
    workers::{
        errand::{Errand, Errors, errors::RATE},
        relay::Scope,
    },
};

/// Most replays a second that can be asked for.
const FASTEST: u16 = 1_000;

/// What a person can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    Replay(Which),
    Discard(Which),
    DrainThis,
    DrainAll,
    /// What a half-done consumer produced.
    DeliverHalf,
    /// A discarded copy, to its error queue.
    Restore,
}

/// Of the messages in error queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    This,
    /// Those that are marked, each by its key.
    Marked,
    /// Those of a group that are safe.
    Group,
    /// All that are safe.
    All,
}

type Line = (Task, char, &'static str);

const ERRORS: &[Line] = &[
    (Task::Replay(Which::This), 'r', "replay this message to the queue it came from"),
    (Task::Replay(Which::Marked), 'm', "replay the marked messages"),
    (Task::Replay(Which::Group), 'g', "replay what waits in this group"),
    (Task::Replay(Which::All), 'a', "replay everything that waits"),
    (Task::Discard(Which::This), 'd', "discard this message, a copy is kept"),
    (Task::Discard(Which::Marked), 's', "discard the marked messages, copies are kept"),
    (Task::Discard(Which::Group), 'o', "discard what is done in this group, copies are kept"),
    (Task::Discard(Which::All), 'e', "discard everything that is done, copies are kept"),
];

const OUTBOXES: &[Line] = &[
    (Task::DrainThis, 'o', "drain its outbox: deliver what waits in it now"),
    (Task::DrainAll, 'a', "drain everything: deliver all that is pending now"),
];

const INBOX: &[Line] =
    &[(Task::DeliverHalf, 'o', "deliver for the half-done consumer: send what it produced")];

const COPIES: &[Line] =
    &[(Task::Restore, 'b', "put the copy back into the error queue it was discarded from")];

/// The errands that belong to the list that is looked at; those that do not fit say why.
pub(super) fn items(matter: &Matter, shared: &Shared) -> Vec<Item> {
    let lines = match matter.list {
        List::Errors => ERRORS,
        List::Outboxes => OUTBOXES,
        List::Inbox => INBOX,
        List::Kept => COPIES,
    };
    let item = |&(task, key, title): &Line| {
        let refused = refusal(task, matter, shared);
        Item { kind: Kind::Errand(task), key, title, refused }
    };
    lines.iter().map(item).collect()
}

/// Why not, and the rule's name.
fn refusal(task: Task, matter: &Matter, shared: &Shared) -> Option<(String, &'static str)> {
    let refused = |why: &str, rule| Some((why.to_owned(), rule));
    if let Some(why) = shared.place().and_then(|place| place.no_broker.as_ref()) {
        return Some((why.clone(), "broker-known"));
    }
    match task {
        Task::Replay(which) | Task::Discard(which) => {
            let Some(faults) = &matter.faults else {
                return refused("the queues were not looked into: r looks", "queues-read");
            };
            let safe = match which {
                Which::This if faults.message.is_none() => {
                    return refused(
                        "no message is chosen: Enter lists a group's",
                        "message-exists",
                    );
                }
                Which::Marked if faults.marked.is_empty() => {
                    return refused(
                        "no message is marked: Enter lists a group's, Space marks",
                        "message-marked",
                    );
                }
                Which::This | Which::Marked => return None,
                Which::Group => match &faults.group {
                    Some((_, safe)) => safe,
                    None => return refused("no group is chosen", "group-exists"),
                },
                Which::All => &faults.all,
            };
            match task {
                Task::Replay(_) if safe.replay == 0 => refused(
                    "none of them waits: what is done is discarded, the rest named one by one",
                    "only-waiting-in-bulk",
                ),
                Task::Discard(_) if safe.discard == 0 => {
                    refused("none of them is known to be done", "only-done-in-bulk")
                }
                _ => None,
            }
        }
        Task::DrainThis if matter.grouped => refused(
            "an outbox leaves whole and in order: no type and no destination alone; p counts by outbox",
            "outbox-exists",
        ),
        Task::DrainThis if matter.outbox.is_none() => {
            refused("no message of an outbox is chosen", "outbox-exists")
        }
        Task::DrainThis if matter.delivery == Some(Delivery::Delivered) => {
            refused("this message is recorded as delivered", "only-pending")
        }
        Task::DeliverHalf => match matter.received {
            None => refused("no inbox row is chosen", "row-exists"),
            Some((_, false)) => {
                refused("only a half-done row is: consumed, and not delivered", "only-half-done")
            }
            Some((_, true)) => None,
        },
        Task::Restore => match (matter.copy, matter.returned) {
            (None, _) => refused("no copy is chosen", "copy-exists"),
            (Some(number), _) if !matter.discarded => refused(
                "it lay in no error queue: e or n puts it back into an outbox",
                Refusal::NotOfQueue(number).rule(),
            ),
            (Some(number), Some(when)) => deeds::told(&Refusal::Returned { number, when }),
            (Some(_), None) => None,
        },
        Task::DrainThis | Task::DrainAll => None,
    }
}

fn brief(key: &Key) -> &str {
    key.as_str().get(..10).unwrap_or(key.as_str())
}

/// The frame of a form.
pub(super) fn heading(task: Task, matter: &Matter) -> String {
    let faults = matter.faults.as_deref();
    let of = |which| match (which, faults) {
        (Which::This, Some(Faults { message: Some(key), .. })) => format!("message {}", brief(key)),
        (Which::Marked, Some(Faults { marked, .. })) => match marked.len() {
            1 => "1 marked message".to_owned(),
            count => format!("{count} marked messages"),
        },
        (Which::Group, Some(Faults { group: Some((group, _)), .. })) => format!("group {group}"),
        _ => "all error queues".to_owned(),
    };
    match task {
        Task::Replay(which) => format!("Replay {}", of(which)),
        Task::Discard(which) => format!("Discard {}", of(which)),
        Task::DrainThis => {
            let outbox = matter.outbox.map_or_else(String::new, |outbox| outbox.short());
            format!("Drain outbox {outbox}")
        }
        Task::DrainAll => "Drain everything".to_owned(),
        Task::DeliverHalf => {
            let consumer = matter.received.map(|(half, _)| id::short(half.consumer_id));
            format!("Deliver for consumer {}", consumer.unwrap_or_default())
        }
        Task::Restore => format!("Put {} back", deeds::title(matter)),
    }
}

/// What is said above the fields.
pub(super) const fn words(task: Task) -> &'static str {
    match task {
        Task::Replay(Which::This) => {
            "It goes to the queue it came from. What may do its work again says so in the plan."
        }
        Task::Replay(Which::Marked) => {
            "Each to the queue it came from. What may do its work again is left: only alone."
        }
        Task::Replay(_) => {
            "Only what waits: a replay does its work for the first time. The rest stays."
        }
        Task::Discard(Which::This) => "It leaves its queue; a copy is kept first.",
        Task::Discard(Which::Marked) => "They leave their queues; a copy of each is kept first.",
        Task::Discard(_) => "Only what its consumers have done; a copy of each is kept first.",
        Task::DrainThis => "The relay's own pass, now: its messages go out in their order.",
        Task::DrainAll => {
            "The relay's own pass, now, on everything that is pending; what is held stays."
        }
        Task::DeliverHalf => {
            "Sends what the consumer produced, where its message can come from nowhere any more."
        }
        Task::Restore => {
            "It lies in its error queue again, as it was; nothing handles it until it is replayed."
        }
    }
}

/// The fields of a form.
pub(super) fn parts(task: Task) -> Vec<Part> {
    let reason = Part::single("reason", "reason", "needed: it goes on record");
    match task {
        Task::Replay(_) => vec![Part::single("rate", "per second", "messages at most"), reason],
        _ => vec![reason],
    }
}

/// Puts in what is usual.
pub(super) fn fill(form: &mut Form) {
    form.set("rate", &RATE.to_string());
}

/// The errand that the form comes to; what is wrong stands with the field it is about.
pub(super) fn errand(
    task: Task,
    matter: &Matter,
    form: &Form,
    wrong: &mut Vec<Problem>,
) -> Option<Errand> {
    let faults = matter.faults.as_deref();
    let pick = |which| match which {
        Which::This => {
            let keys = vec![faults?.message.as_ref()?.to_string()];
            // What may do work again says so in its plan, and has more to type.
            Some(Pick::Keys { keys, again: true })
        }
        Which::Marked => {
            let keys = faults?.marked.iter().map(ToString::to_string).collect();
            // Together is in bulk: what may do work again is named alone.
            Some(Pick::Keys { keys, again: false })
        }
        Which::Group => Some(Pick::Group(faults?.group.as_ref()?.0.to_string())),
        Which::All => Some(Pick::All),
    };
    Some(match task {
        Task::Replay(which) => {
            let rate = rate(form, wrong)?;
            Errand::Errors(Errors { deed: ErrorAction::Replay, pick: pick(which)?, rate })
        }
        Task::Discard(which) => {
            Errand::Errors(Errors { deed: ErrorAction::Discard, pick: pick(which)?, rate: RATE })
        }
        Task::DrainThis => Errand::Drain(Scope::Outbox(matter.outbox?.0)),
        Task::DrainAll => Errand::Drain(Scope::All),
        Task::DeliverHalf => Errand::Drain(Scope::ConsumerOutbox(matter.received?.0)),
        Task::Restore => Errand::Restore(matter.copy?),
    })
}

fn rate(form: &Form, wrong: &mut Vec<Problem>) -> Option<u16> {
    let typed = form.text("rate").trim().parse::<u16>().ok();
    let rate = typed.filter(|rate| (1..=FASTEST).contains(rate));
    if rate.is_none() {
        let most = thousands(i64::from(FASTEST));
        let text = format!("a whole number of messages a second, 1 to {most}");
        wrong.push(Problem { place: Place::Field("rate"), text, rule: "rate-number" });
    }
    rate
}

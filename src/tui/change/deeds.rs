//! What can be done by hand to messages and the inbox: the lines of the menu, the form of each, and the deed that
//! a form comes to.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{Kind, errands, menu::Item};
use crate::{
    domain::{
        diagnosis::thousands,
        id::MessageId,
        outbox::Delivery,
        outbox_action::{Name, OutboxAction, Part as Text, Refusal, Repair, Source},
    },
    tui::{
        selection::{Act, List, Matter},
        shared::Shared,
        ui::form::{Form, Part, Place, Problem},
    },
};

const ITEMS: [(Act, char, &str); 9] = [
    (Act::Repair, 'd', "repair: set its destination, headers, properties or body"),
    (Act::Quarantine, 'x', "quarantine: take it out with a copy, so that those behind it leave"),
    (Act::Hold, 'h', "hold its outbox: the relay leaves it alone"),
    (Act::Release, 'r', "release its outbox"),
    (Act::Requeue, 'e', "requeue the copy under its id"),
    (Act::RequeueAnew, 'n', "requeue the copy under another id: handled again by all"),
    (Act::PurgeOutbox, 'p', "purge delivered outboxes"),
    (Act::PurgeInbox, 'i', "purge the inbox"),
    (Act::RemoveFailed, 'f', "remove failed inbox rows"),
];

/// Every deed, but none on what lies with the broker, and the errands; those that do not fit what is on screen
/// say why.
pub(super) fn items(matter: &Matter, shared: &Shared) -> Vec<Item> {
    let item = |(act, key, title)| {
        let refused = refusal(act, matter, shared);
        Item { kind: Kind::OutboxAction(act), key, title, refused }
    };
    let deeds = ITEMS.into_iter().filter(|_| matter.list != List::Errors).map(item);
    let mut items: Vec<_> = deeds.chain(errands::items(matter, shared)).collect();
    // What the list is about comes first: the rest may be out of sight.
    items.sort_by_key(|item| !belongs(item.kind, matter.list));
    items
}

/// Whether it is about the rows of such a list. Every errand that is offered is.
const fn belongs(kind: Kind, list: List) -> bool {
    let Kind::OutboxAction(act) = kind else { return true };
    match list {
        List::Outboxes => {
            !matches!(act, Act::Requeue | Act::RequeueAnew | Act::PurgeInbox | Act::RemoveFailed)
        }
        List::Inbox => matches!(act, Act::PurgeInbox | Act::RemoveFailed),
        List::Kept => matches!(act, Act::Requeue | Act::RequeueAnew),
        List::Errors => false,
    }
}

/// What is not offered here, and where it is.
pub(super) fn elsewhere(matter: &Matter) -> Option<&'static str> {
    (matter.list == List::Errors).then_some(
        "what the database holds is repaired, drained, requeued and purged on its own lists: < >",
    )
}

/// A refusal and its rule's name.
#[expect(clippy::unnecessary_wraps, reason = "it stands where nothing may be refused, too")]
pub(super) fn told(refusal: &Refusal) -> Option<(String, &'static str)> {
    Some((refusal.to_string(), refusal.rule()))
}

/// Why not, and the rule's name.
pub(super) fn refusal(
    act: Act,
    matter: &Matter,
    shared: &Shared,
) -> Option<(String, &'static str)> {
    let refused = told;
    let chosen = |what: &str| Some((format!("no {what}"), "message-exists"));
    match act {
        Act::Repair | Act::Quarantine => {
            let Some(sequence) = matter.sequence else {
                let whole = matter.list == List::Outboxes && matter.outbox.is_some();
                return chosen(if whole || matter.grouped {
                    "single message is chosen: Enter lists the group's"
                } else {
                    "message is chosen"
                });
            };
            match matter.delivery {
                Some(Delivery::Delivered) => refused(&Refusal::NotPending(sequence)),
                Some(Delivery::Orphan) if act == Act::Repair => {
                    refused(&Refusal::NoOwner(sequence))
                }
                _ => None,
            }
        }
        Act::Hold | Act::Release if matter.outbox.is_none() => {
            Some(("no message of an outbox is chosen".to_owned(), "outbox-exists"))
        }
        Act::Hold if shared.place().is_some_and(|place| place.attached) => Some((
            "MassTransit knows no pause; quarantine the messages instead".to_owned(),
            "managed-only",
        )),
        Act::Requeue | Act::RequeueAnew => match (matter.copy, matter.returned) {
            (None, _) => {
                Some(("no copy is chosen: < > goes to those kept".to_owned(), "copy-exists"))
            }
            (Some(number), _) if matter.discarded => Some((
                "it lay in an error queue, not in an outbox: b puts it back there".to_owned(),
                Refusal::NotOfOutbox(number).rule(),
            )),
            (Some(number), Some(when)) => refused(&Refusal::Returned { number, when }),
            (Some(_), None) => None,
        },
        _ => None,
    }
}

/// What it is about, for frames.
pub(super) fn title(matter: &Matter) -> String {
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
pub(super) fn heading(act: Act, matter: &Matter) -> String {
    let about = title(matter);
    let outbox = || matter.outbox.map_or_else(String::new, |outbox| outbox.short());
    match act {
        Act::Repair => format!("Repair {about}"),
        Act::Quarantine => format!("Quarantine {about}"),
        Act::Hold => format!("Hold outbox {}", outbox()),
        Act::Release => format!("Release outbox {}", outbox()),
        Act::Requeue => format!("Requeue {about}"),
        Act::RequeueAnew => format!("Requeue {about} under another id"),
        Act::PurgeOutbox => "Purge delivered outboxes".to_owned(),
        Act::PurgeInbox => "Purge the inbox".to_owned(),
        Act::RemoveFailed => "Remove failed inbox rows".to_owned(),
    }
}

/// What is said above the fields.
pub(super) const fn words(act: Act, masked: bool) -> &'static str {
    match act {
        Act::Repair if masked => {
            "An empty field leaves what is there. Headers are masked: R shows them."
        }
        Act::Repair => "What is left as it is stays so. As it was, the message is kept as a copy.",
        Act::Quarantine => "The message leaves the outbox and is kept whole; it can be requeued.",
        Act::Hold => "Its messages stay where they are until somebody releases it.",
        Act::Release => "The relay's next pass may take it.",
        Act::Requeue => "It goes to the end of the line; inboxes that know its id drop it.",
        Act::RequeueAnew => "It goes to the end of the line; no inbox knows it: all handle it.",
        Act::PurgeOutbox => {
            "Removes what is recorded as delivered, with copies; never by sent_time."
        }
        Act::PurgeInbox => "A message of theirs that comes once more is handled as a new one.",
        Act::RemoveFailed => "Rows that were received, never consumed, and that nobody works on.",
    }
}

/// The fields of a form.
pub(super) fn parts(act: Act) -> Vec<Part> {
    let mut parts = match act {
        Act::Repair => vec![
            Part::single("destination", "send to", "rabbitmq://host/exchange"),
            Part::single("headers", "headers", "a JSON object"),
            Part::single(
                "properties",
                "properties",
                "a JSON object; its exchange follows the destination",
            ),
            Part::single("body", "body", "the whole envelope, with its messageId; empty leaves it"),
        ],
        Act::PurgeOutbox | Act::PurgeInbox | Act::RemoveFailed => {
            vec![Part::single("days", "older than", "days")]
        }
        _ => vec![],
    };
    parts.push(Part::single("reason", "reason", "for the audit; may be empty"));
    parts
}

/// Puts in what is there and may be seen.
pub(super) fn fill(act: Act, matter: &Matter, form: &mut Form, shared: &Shared) {
    match act {
        Act::Repair => {
            if matter.texts.is_none() {
                return;
            }
            for part in shown(shared) {
                form.set(part.name(), &line(text(matter, part).unwrap_or_default()));
            }
        }
        Act::PurgeOutbox => form.set("days", "7"),
        Act::PurgeInbox => form.set("days", "30"),
        Act::RemoveFailed => form.set("days", "1"),
        _ => {}
    }
}

/// The texts that stand in the form as they are. A body is too long for a line.
fn shown(shared: &Shared) -> Vec<Text> {
    let kept = |part: &Text| match part {
        Text::Destination | Text::Properties => true,
        Text::Headers => !shared.masked,
        Text::Body => false,
    };
    Text::ALL.into_iter().filter(kept).collect()
}

/// A text in one line: JSON without its indentation, anything else without control characters.
fn line(text: &str) -> String {
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(value) => value.to_string(),
        Err(_) => text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect(),
    }
}

fn text(matter: &Matter, part: Text) -> Option<&str> {
    let texts = matter.texts.as_ref()?;
    match part {
        Text::Destination => texts.destination.as_deref(),
        Text::Headers => texts.headers.as_deref(),
        Text::Properties => texts.properties.as_deref(),
        Text::Body => Some(&texts.body),
    }
}

/// The deed that the form comes to; what is wrong stands with the field it is about.
pub(super) fn deed(
    act: Act,
    matter: &Matter,
    form: &Form,
    (opened, largest): (DateTime<Utc>, i64),
    wrong: &mut Vec<Problem>,
) -> Option<OutboxAction> {
    let outbox = matter.outbox;
    Some(match act {
        Act::Repair => {
            let sequence = matter.sequence?;
            let repair = repair(matter, form);
            if let Some(texts) = &matter.texts
                && let Err(refusal) = repair.apply(texts, largest)
            {
                let place = match &refusal {
                    Refusal::Unfit { part, .. } => Place::Field(part.name()),
                    _ => Place::Field("destination"),
                };
                wrong.push(Problem { place, text: refusal.to_string(), rule: refusal.rule() });
            }
            OutboxAction::Repair { sequence, repair }
        }
        Act::Quarantine => OutboxAction::Quarantine { sequence: matter.sequence? },
        Act::Hold => OutboxAction::Hold { outbox: outbox? },
        Act::Release => OutboxAction::Release { outbox: outbox? },
        Act::Requeue => {
            OutboxAction::Requeue { source: Source::Kept(matter.copy?), name: Name::Same }
        }
        Act::RequeueAnew => OutboxAction::Requeue {
            source: Source::Kept(matter.copy?),
            name: Name::New(MessageId(Uuid::nil())),
        },
        Act::PurgeOutbox => OutboxAction::PurgeOutbox { before: before(form, opened, wrong)? },
        Act::PurgeInbox => OutboxAction::PurgeInbox { before: before(form, opened, wrong)? },
        Act::RemoveFailed => OutboxAction::RemoveFailed { before: before(form, opened, wrong)? },
    })
}

/// What differs from what is there. A field that was emptied clears; one that could not be seen and is empty
/// leaves it.
fn repair(matter: &Matter, form: &Form) -> Repair {
    let changed = |part: Text| {
        let (typed, there) = (form.text(part.name()), text(matter, part).unwrap_or_default());
        let seen = form.was_set(part.name());
        let asked = seen || !typed.trim().is_empty();
        (asked && typed != there && typed != line(there)).then(|| typed.to_owned())
    };
    Repair {
        destination: changed(Text::Destination),
        headers: changed(Text::Headers),
        properties: changed(Text::Properties),
        body: changed(Text::Body),
    }
}

fn before(form: &Form, opened: DateTime<Utc>, wrong: &mut Vec<Problem>) -> Option<DateTime<Utc>> {
    let days =
        form.text("days").trim().parse::<i64>().ok().filter(|days| (1..=3650).contains(days));
    if days.is_none() {
        let text = "a whole number of days, 1 to 3650".to_owned();
        wrong.push(Problem { place: Place::Field("days"), text, rule: "days-number" });
    }
    Some(opened - TimeDelta::days(days?))
}

//! What a form about messages comes to: the operation with its values. What is wrong stands with the field it is about.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::{
    domain::{
        address::Address,
        id::MessageId,
        outbox_action::{Name, OutboxAction, Part as Text, Refusal, Repair, Source},
        text::thousands,
    },
    ops::{
        delivery::Scope,
        error_queue::{ErrorAction, Pick},
        operation::{Choice, ErrorWork, Kind, Operation, batch::Purge},
    },
    tui::{
        selection::MessageSelection,
        shared::Shared,
        ui::form::{Form, Place, Problem},
    },
};

/// Most replays a second that can be asked for.
const FASTEST: u16 = 1_000;

/// Puts in what is there and may be seen, and what is usual.
pub(super) fn fill(kind: Kind, matter: &MessageSelection, form: &mut Form, shared: &Shared) {
    match kind {
        Kind::RepairMessage if matter.texts.is_some() => {
            for part in shown(shared) {
                form.set(part.name(), &line(text(matter, part).unwrap_or_default()));
            }
            // Instead of one that cannot be used: what the message names itself.
            let is_usable = |text: &str| Address::parse(text).is_ok();
            let texts = matter.texts.as_ref();
            if !text(matter, Text::Destination).is_some_and(is_usable)
                && let Some(own) = texts.and_then(|texts| texts.own_destination())
            {
                form.set(Text::Destination.name(), &own);
            }
        }
        _ => {
            for field in kind.spec().fields.iter().filter(|field| !field.filled.is_empty()) {
                form.set(field.name, field.filled);
            }
        }
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

fn text(matter: &MessageSelection, part: Text) -> Option<&str> {
    let texts = matter.texts.as_ref()?;
    match part {
        Text::Destination => texts.destination.as_deref(),
        Text::Headers => texts.headers.as_deref(),
        Text::Properties => texts.properties.as_deref(),
        Text::Body => Some(&texts.body),
    }
}

/// The operation on messages that the form comes to. `opened`: when the form was; `largest`: of a message, in bytes.
pub(super) fn on_messages(
    (kind, choice): (Kind, Choice),
    matter: &MessageSelection,
    form: &Form,
    (opened, largest): (DateTime<Utc>, i64),
    wrong: &mut Vec<Problem>,
) -> Option<Operation> {
    let faults = matter.faults.as_deref();
    let pick = || match choice {
        Choice::Marked => {
            let keys = faults?.marked.iter().map(ToString::to_string).collect();
            // Together is in bulk: what may do work again is named alone.
            Some(Pick::Keys { keys, again: false })
        }
        Choice::Group => Some(Pick::Group(faults?.group.as_ref()?.0.to_string())),
        Choice::All => Some(Pick::All),
        _ => {
            let keys = vec![faults?.message.as_ref()?.to_string()];
            // What may do work again says so in its plan, and has more to type.
            Some(Pick::Keys { keys, again: true })
        }
    };
    let scope = || match choice {
        Choice::All => Some(Scope::All),
        Choice::Consumer => Some(Scope::ConsumerOutbox(matter.received?.0)),
        _ => Some(Scope::Outbox(matter.outbox?.0)),
    };
    let name = match choice {
        Choice::NewId => Name::New(MessageId(Uuid::nil())),
        _ => Name::Same,
    };
    let action = match kind {
        Kind::ReplayErrors => {
            let rate = Some(rate(form, wrong)?);
            let work = ErrorWork { action: ErrorAction::Replay, pick: pick()?, rate };
            return Some(Operation::Errors(work));
        }
        Kind::DiscardErrors => {
            let work = ErrorWork { action: ErrorAction::Discard, pick: pick()?, rate: None };
            return Some(Operation::Errors(work));
        }
        Kind::DrainOutbox => return Some(Operation::Drain(scope()?)),
        Kind::ApproveOperation => return Some(Operation::Approve(matter.operation?.number)),
        Kind::ResumeOperation => return Some(Operation::Resume(matter.operation?.number)),
        Kind::PauseOperation => return Some(Operation::Pause(matter.operation?.number)),
        Kind::CancelOperation => return Some(Operation::Cancel(matter.operation?.number)),
        Kind::RestoreErrors => return Some(Operation::Restore(matter.copy?)),
        Kind::RepairMessage => repaired(matter, form, largest, wrong)?,
        Kind::QuarantineMessage => OutboxAction::Quarantine { sequence: matter.sequence? },
        Kind::HoldOutbox => OutboxAction::Hold { outbox: matter.outbox? },
        Kind::ReleaseOutbox => OutboxAction::Release { outbox: matter.outbox? },
        Kind::RequeueMessage => OutboxAction::Requeue { source: Source::Kept(matter.copy?), name },
        Kind::PurgeOutbox => {
            return Some(Purge::outboxes(before(form, opened, wrong)?).operation(None));
        }
        Kind::PurgeInbox => {
            return Some(Purge::inbox(before(form, opened, wrong)?).operation(None));
        }
        Kind::PurgeConsumed => {
            return Some(Purge::consumers(before(form, opened, wrong)?).operation(None));
        }
        Kind::RemoveFailedInbox => {
            return Some(Purge::failed(before(form, opened, wrong)?).operation(None));
        }
        _ => return None,
    };
    Some(Operation::Outbox(action))
}

fn repaired(
    matter: &MessageSelection,
    form: &Form,
    largest: i64,
    wrong: &mut Vec<Problem>,
) -> Option<OutboxAction> {
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
    Some(OutboxAction::Repair { sequence, repair })
}

/// What differs from what is there. A field that was emptied clears; one that could not be seen and is empty
/// leaves it.
fn repair(matter: &MessageSelection, form: &Form) -> Repair {
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

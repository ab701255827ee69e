//! Why an operation is not offered on what is looked at: the words, and the rule's name.

use uuid::Uuid;

use crate::{
    domain::{
        decide::{self, Command, Facts, decide},
        id::BuyerId,
        outbox::Delivery,
        outbox_action::Refusal,
    },
    ops::operation::{Choice, Entry, Kind, List, Spec, StepKind, batch},
    tui::{
        selection::{Bulk, MessageSelection, OrderSelection},
        shared::Shared,
    },
};

/// The words, and the rule's name.
pub(super) type Refused = Option<(String, &'static str)>;

#[expect(clippy::unnecessary_wraps, reason = "it stands where nothing may be refused, too")]
fn refused(why: &str, rule: &'static str) -> Refused {
    Some((why.to_owned(), rule))
}

#[expect(clippy::unnecessary_wraps, reason = "it stands where nothing may be refused, too")]
fn told(refusal: &Refusal) -> Refused {
    Some((refusal.to_string(), refusal.rule()))
}

/// Of an operation on an order.
pub(super) fn of_order(spec: &Spec, subject: Option<&OrderSelection>, shared: &Shared) -> Refused {
    if matches!(spec.kind, Kind::CreateOrder | Kind::CreateBuyer) {
        return None;
    }
    let Some(subject) = subject else {
        return refused("no order is chosen", "order-chosen");
    };
    let id = subject.order.id;
    let command = match spec.kind {
        Kind::CompleteOrder => Command::CompleteOrder { id },
        // Any reason does to see whether the order takes it.
        Kind::CancelOrder => Command::CancelOrder { id, reason: "-".to_owned() },
        Kind::DeleteOrder => Command::DeleteOrder { id },
        Kind::RestoreOrder => Command::RestoreOrder { id },
        Kind::UpdateBuyerAddress if subject.order.buyer_id.is_none() => {
            let refusal = decide::Refusal::UnknownBuyer(BuyerId(Uuid::nil()));
            return refused("the buyer of this order is not known", refusal.rule());
        }
        _ => return None,
    };
    let facts = Facts { order: Some(&subject.order), buyer: None, now: shared.now.utc };
    let refusal = decide(&facts, &command).err()?;
    Some((refusal.to_string(), refusal.rule()))
}

/// Of an operation on messages.
pub(super) fn of_messages(
    spec: &Spec,
    entry: &Entry,
    matter: &MessageSelection,
    shared: &Shared,
) -> Refused {
    if spec.steps == StepKind::BrokerMessages
        && let Some(why) = shared.place().and_then(|place| place.no_broker.as_ref())
    {
        return refused(why, "broker-known");
    }
    match spec.kind {
        Kind::RepairMessage | Kind::QuarantineMessage => message(spec.kind, matter),
        Kind::HoldOutbox | Kind::ReleaseOutbox if matter.outbox.is_none() => {
            refused("no message of an outbox is chosen", "outbox-exists")
        }
        Kind::HoldOutbox if shared.place().is_some_and(|place| place.attached) => {
            refused("MassTransit knows no pause; quarantine the messages instead", "managed-only")
        }
        Kind::RequeueMessage => match (matter.copy, matter.returned) {
            (None, _) => refused("no copy is chosen: < > goes to those kept", "copy-exists"),
            (Some(number), _) if matter.discarded => refused(
                "it lay in an error queue, not in an outbox: b puts it back there",
                Refusal::NotOfOutbox(number).rule(),
            ),
            (Some(number), Some(when)) => told(&Refusal::Returned { number, when }),
            (Some(_), None) => None,
        },
        Kind::ReplayErrors | Kind::DiscardErrors => errors(spec.kind, entry.choice, matter),
        Kind::DrainOutbox => drain(entry.choice, matter),
        Kind::RestoreErrors => match (matter.copy, matter.returned) {
            (None, _) => refused("no copy is chosen", "copy-exists"),
            (Some(number), _) if !matter.discarded => refused(
                "it lay in no error queue: e or n puts it back into an outbox",
                Refusal::NotOfQueue(number).rule(),
            ),
            (Some(number), Some(when)) => told(&Refusal::Returned { number, when }),
            (Some(_), None) => None,
        },
        Kind::ApproveOperation
        | Kind::ResumeOperation
        | Kind::PauseOperation
        | Kind::CancelOperation => bulk(spec.kind, matter.operation),
        _ => None,
    }
}

fn bulk(kind: Kind, operation: Option<Bulk>) -> Refused {
    let Some(Bulk { state, held, .. }) = operation else {
        return refused("no bulk operation is chosen", "operation-exists");
    };
    if kind == Kind::ResumeOperation && held {
        return refused("somebody runs it: p asks for a pause", "one-runner");
    }
    let refusal = state.after(batch::step_of(kind)).err()?;
    Some((refusal.to_string(), refusal.rule()))
}

fn message(kind: Kind, matter: &MessageSelection) -> Refused {
    let Some(sequence) = matter.sequence else {
        let whole = matter.list == List::Outboxes && matter.outbox.is_some();
        let why = if whole || matter.grouped {
            "no single message is chosen: Enter lists the group's"
        } else {
            "no message is chosen"
        };
        return refused(why, "message-exists");
    };
    match matter.delivery {
        Some(Delivery::Delivered) => told(&Refusal::NotPending(sequence)),
        Some(Delivery::Unknown) => told(&Refusal::NotKnown(sequence)),
        Some(Delivery::Orphan) if kind == Kind::RepairMessage => told(&Refusal::NoOwner(sequence)),
        _ => None,
    }
}

fn errors(kind: Kind, choice: Choice, matter: &MessageSelection) -> Refused {
    let Some(faults) = &matter.faults else {
        return refused("the queues were not looked into: r looks", "queues-read");
    };
    let safe = match choice {
        Choice::Marked if faults.marked.is_empty() => {
            let why = "no message is marked: Enter lists a group's, Space marks";
            return refused(why, "message-marked");
        }
        Choice::Marked => return None,
        Choice::Group => match &faults.group {
            Some((_, safe)) => safe,
            None => return refused("no group is chosen", "group-exists"),
        },
        Choice::All => &faults.all,
        _ if faults.message.is_none() => {
            return refused("no message is chosen: Enter lists a group's", "message-exists");
        }
        _ => return None,
    };
    match kind {
        Kind::ReplayErrors if safe.replay == 0 => refused(
            "none of them waits: what is done is discarded, the rest named one by one",
            "only-waiting-in-bulk",
        ),
        Kind::DiscardErrors if safe.discard == 0 => {
            refused("none of them is known to be done", "only-done-in-bulk")
        }
        _ => None,
    }
}

fn drain(choice: Choice, matter: &MessageSelection) -> Refused {
    match choice {
        Choice::All => None,
        Choice::Consumer => match matter.received {
            None => refused("no inbox row is chosen", "row-exists"),
            Some((_, false)) => {
                refused("only a half-done row is: consumed, and not delivered", "only-half-done")
            }
            Some((_, true)) => None,
        },
        _ if matter.grouped => refused(
            "an outbox leaves whole and in order: no type and no destination alone; p counts by outbox",
            "outbox-exists",
        ),
        _ if matter.outbox.is_none() => {
            refused("no message of an outbox is chosen", "outbox-exists")
        }
        _ if matter.delivery == Some(Delivery::Delivered) => {
            refused("this message is recorded as delivered", "only-pending")
        }
        _ => None,
    }
}

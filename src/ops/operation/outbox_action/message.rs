//! One pending message: taking it out, or changing its texts. Its owner's row is locked first: while a worker is in
//! the middle of that outbox, neither waits for the other for long.

use serde_json::{Value, json};

use super::{
    EventMetadata, Operation, PlanError, Task, Verdict, Work, back, keep, lean, place, unmoved,
};
use crate::{
    db::{
        self, Table,
        outbox::{self, OutboxMessage},
        paused,
        write::{Bound, Grip, Seen, Tx, must},
    },
    domain::{
        address::{Address, short_destination},
        contract,
        id::OutboxId,
        outbox::{Delivery, Owner},
        outbox_action::{OutboxAction, Part, Refusal, Repair},
        poison::Sender,
        stored_message::StoredMessage,
    },
};

const KEPT: &str = "kept_messages";

/// A message whose owner and row are held.
struct LockedMessage {
    row: OutboxMessage,
    /// Messages of the same owner that come after it.
    behind: i64,
    seen: Seen,
}

impl LockedMessage {
    async fn gather(tx: &mut Tx<'_>, task: &Task<'_>, sequence: i64) -> Result<Self, PlanError> {
        let layout = &*task.writer.layout;
        let none = || Refusal::NoMessage(sequence);
        let first = outbox::whole(tx.conn(), layout, sequence).await?.ok_or_else(none)?;
        lock(tx, first.owner).await?;
        let key = [must("sequence_number", Bound::Big(Some(sequence)))];
        let seen = tx.row(Table::OutboxMessages, &key, Grip::Lock).await?.ok_or_else(none)?;
        // Again, now that nobody else can move it.
        let row = outbox::whole(tx.conn(), layout, sequence).await?.ok_or_else(none)?;
        if row.delivery == Delivery::Delivered {
            return Err(Refusal::NotPending(sequence).into());
        }
        if row.delivery == Delivery::Unknown {
            return Err(Refusal::NotKnown(sequence).into());
        }
        let behind = outbox::behind(tx.conn(), layout, &row).await?;
        Ok(Self { row, behind, seen })
    }

    const fn outbox(&self) -> Option<OutboxId> {
        match self.row.owner {
            Owner::Bus(outbox) => Some(outbox),
            _ => None,
        }
    }

    /// What a plan relies on. Not the owner's row: a failing delivery writes it many times a second.
    fn rows(&self) -> Vec<String> {
        let (row, xmin) = (&self.row, &self.seen.xmin);
        vec![
            format!("message {} is {}", row.sequence, row.delivery),
            format!("its row, as transaction {xmin} left it"),
            format!("{} messages behind it", self.behind),
        ]
    }

    fn kind(&self) -> &str {
        contract::name(contract::first(&self.row.content.kinds))
    }

    fn targets(&self) -> Vec<String> {
        let message = self.row.content.message.to_string();
        let order = self.row.order.map(|order| order.to_string());
        std::iter::once(message).chain(order).collect()
    }
}

/// Holds the owner's row. That of a consumer is taken only if nobody works on it: changing it under a consumer
/// that waits would make it fail.
async fn lock(tx: &mut Tx<'_>, owner: Owner) -> Result<(), PlanError> {
    let (table, key, grip) = match owner {
        Owner::Bus(outbox) => {
            (Table::OutboxStates, vec![must("outbox_id", Bound::Id(Some(outbox.0)))], Grip::Lock)
        }
        Owner::Consumer { message, consumer } => (
            Table::InboxStates,
            vec![
                must("message_id", Bound::Id(Some(message.0))),
                must("consumer_id", Bound::Id(Some(consumer.0))),
            ],
            Grip::Free,
        ),
        Owner::Nobody => return Ok(()),
    };
    let seen = tx.row(table, &key, grip).await?;
    if seen.is_none() && grip == Grip::Free && tx.row(table, &key, Grip::Look).await?.is_some() {
        let busy = "a consumer is at work on the message that this one came of".to_owned();
        return Err(PlanError::Database(db::Error::Locked(busy)));
    }
    Ok(())
}

/// What is said before either.
async fn checks(tx: &mut Tx<'_>, held: &LockedMessage, work: &mut Work) -> Result<(), PlanError> {
    match held.row.owner {
        Owner::Bus(outbox) => {
            work.say(
                Verdict::Ok,
                "no delivery is in the middle of its outbox: its row is locked for this",
            );
            if !paused::among(tx.conn(), &[outbox.0]).await?.is_empty() {
                work.say(Verdict::Ok, "its outbox is held by an operator");
            }
        }
        Owner::Consumer { .. } => work.say(
            Verdict::Ok,
            "no consumer works on the message it came of: that inbox row is locked for this",
        ),
        Owner::Nobody => work.say(Verdict::Warn, "it has no owner: nothing would ever send it"),
    }
    if held.row.delivery == Delivery::Pending {
        work.say(
            Verdict::Warn,
            "pending means not recorded as delivered: after a crash it may be out all the same",
        );
    }
    Ok(())
}

pub(super) async fn quarantine(
    tx: &mut Tx<'_>,
    task: &Task<'_>,
    sequence: i64,
    stamp: &EventMetadata<'_>,
    work: &mut Work,
) -> Result<(), PlanError> {
    let held = LockedMessage::gather(tx, task, sequence).await?;
    work.targets = held.targets();
    unmoved(tx, task, &format!("seq {sequence}"), held.rows(), work).await?;
    checks(tx, &held, work).await?;
    match held
        .row
        .content
        .poison(task.writer.policy.largest, Sender::of(task.writer.layout.is_managed()))
        .first()
    {
        Some(bad) => work.say(Verdict::Ok, format!("it cannot leave as it is: {bad}")),
        None if held.row.delivery == Delivery::Orphan => {}
        None => {
            work.say(
                Verdict::Warn,
                "nothing is wrong with its texts: look at `messages why` first",
            );
        }
    }
    if held.behind > 0 {
        let behind = held.behind;
        work.say(
            Verdict::Warn,
            format!(
                "{behind} messages behind it in its outbox leave without it: their order changes"
            ),
        );
    }
    if let Some(order) = held.row.order {
        work.say(
            Verdict::Warn,
            format!("nobody is told of this about order {} until it is put back", order.short()),
        );
    }
    let outbox = held.outbox();
    let label = place(outbox);
    let copies = tx.keep(&[sequence], &keep(task, stamp, "quarantined", &label)).await?;
    let number = copies.first().copied().ok_or(Refusal::NoMessage(sequence))?;
    tx.remove(Table::OutboxMessages, &[must("sequence_number", Bound::Big(Some(sequence)))])
        .await?;
    let kind = held.kind().to_owned();
    let before = lean(tx, &held.seen);
    work.change("outbox_message", format!("- seq {sequence} {kind}"), (Some(before), None));
    work.change(KEPT, "+ the whole message (quarantined)", (None, copied(task, number)));
    // Only MassTransit removes an outbox without messages; where our relay delivers, nobody would.
    match outbox {
        Some(outbox) if task.writer.layout.is_managed() && tx.left(outbox).await? == 0 => {
            tx.remove(Table::OutboxStates, &[must("outbox_id", Bound::Id(Some(outbox.0)))]).await?;
            tx.release_outbox(outbox).await?;
            let before = json!({ "outbox_id": outbox });
            work.change("outbox_state", "- its outbox, now empty", (Some(before), None));
        }
        _ => {
            tx.touch(held.row.owner).await?;
            if outbox.is_some() {
                work.change(
                    "outbox_state",
                    "unchanged; the service removes an empty one",
                    (None, None),
                );
            }
        }
    }
    work.told = format!(
        "message {sequence} is out of the outbox, kept as copy {number}; \
         `orderscope messages requeue {number}` puts it back"
    );
    work.reverse = Some(back(number));
    Ok(())
}

/// The copy as the record names it; a dry run has none.
fn copied(task: &Task<'_>, number: i64) -> Option<Value> {
    (!task.dry).then(|| json!({ "number": number }))
}

pub(super) async fn repair(
    tx: &mut Tx<'_>,
    task: &Task<'_>,
    sequence: i64,
    repair: &Repair,
    stamp: &EventMetadata<'_>,
    work: &mut Work,
) -> Result<(), PlanError> {
    let held = LockedMessage::gather(tx, task, sequence).await?;
    if held.row.delivery == Delivery::Orphan {
        return Err(Refusal::NoOwner(sequence).into());
    }
    work.targets = held.targets();
    let limit = task.writer.policy.largest;
    let before = &held.row.content;
    let after = repair.apply(before, limit)?;
    unmoved(tx, task, &format!("seq {sequence}"), held.rows(), work).await?;
    checks(tx, &held, work).await?;
    let changed = before.changed(&after);
    match after.poison(limit, Sender::of(task.writer.layout.is_managed())).first() {
        None => work.say(Verdict::Ok, "nothing is wrong with its texts afterwards"),
        Some(bad) => work.say(Verdict::Warn, format!("it still cannot leave: {bad}")),
    }
    if changed.contains(&Part::Properties) && repair.properties.is_none() {
        work.say(Verdict::Ok, "the exchange among its properties follows the destination");
    }
    if changed.contains(&Part::Destination) {
        let to = short_destination(after.destination.as_deref()).to_owned();
        let address = after.destination.as_deref().and_then(|text| Address::parse(text).ok());
        if address.is_some_and(|address| after.is_of_another_type(&address)) {
            let kind = contract::name(contract::first(&after.kinds));
            let told =
                format!("{to} is the exchange of another message type; this message is {kind}");
            work.say(Verdict::Warn, told);
        }
        match after.own_destination() {
            Some(own) if short_destination(Some(&own)) != to => {
                work.say(Verdict::Warn, format!("the message itself names {own}"));
            }
            Some(_) => work.say(Verdict::Ok, "the message itself names this destination"),
            None => {}
        }
        work.say(
            Verdict::Unknown,
            format!("whether the broker has an exchange {to} is not asked here"),
        );
    }
    if changed.contains(&Part::Body) {
        work.say(
            Verdict::Warn,
            "consumers act on the body: what it says is not checked, only that it can be read",
        );
    }
    let label = place(held.outbox());
    let copies = tx.keep(&[sequence], &keep(task, stamp, "repaired", &label)).await?;
    let number = copies.first().copied().ok_or(Refusal::NoMessage(sequence))?;
    let fields: Vec<_> = changed
        .iter()
        .map(|part| match part {
            Part::Destination => {
                must("destination_address", Bound::Text(after.destination.as_deref()))
            }
            Part::Headers => must("headers", Bound::Text(after.headers.as_deref())),
            Part::Properties => must("properties", Bound::Text(after.properties.as_deref())),
            Part::Body => must("body", Bound::Text(Some(&after.body))),
        })
        .collect();
    let key = [must("sequence_number", Bound::Big(Some(sequence)))];
    let row = tx.change(Table::OutboxMessages, &key, &fields).await?;
    tx.touch(held.row.owner).await?;
    let was = lean(tx, &held.seen);
    let is = row.map(|row| lean(tx, &Seen { row, xmin: String::new() }));
    let names: Vec<_> = changed.iter().map(|part| part.name()).collect();
    let names = names.join(", ");
    work.change(
        "outbox_message",
        format!("seq {sequence}: {}", told(before, &after, &changed)),
        (Some(was), is),
    );
    work.change(KEPT, "+ the message as it was (repaired)", (None, copied(task, number)));
    work.told =
        format!("message {sequence} has another {names}; as it was it is kept as copy {number}");
    Ok(())
}

/// `destination bad address → rabbitmq://h/x, headers`. Of texts that may be personal only the name.
fn told(before: &StoredMessage, after: &StoredMessage, changed: &[Part]) -> String {
    let one = |part: &Part| match part {
        Part::Destination => {
            let shown = |texts: &StoredMessage| {
                texts.destination.clone().unwrap_or_else(|| "(none)".to_owned())
            };
            format!("destination {} → {}", shown(before), shown(after))
        }
        other => other.name().to_owned(),
    };
    changed.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// What takes a requeue back, once it is there.
pub(super) const fn out(sequence: i64) -> Operation {
    Operation::Outbox(OutboxAction::Quarantine { sequence })
}

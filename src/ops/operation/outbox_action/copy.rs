//! Putting a message back: into an outbox of its own, so that it waits for nobody and nobody for it.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{EventMetadata, PlanError, Task, Verdict, Work, lean, message::out, unmoved};
use crate::{
    db::{
        Table, archive, inbox,
        outbox::{self, MessageKey, OutboxMessage},
        write::{Number, Seen, Tx},
    },
    domain::{
        contract,
        id::OutboxId,
        outbox::Delivery,
        outbox_action::{Name, Refusal, Source, renamed},
        poison::Sender,
        stored_message::StoredMessage,
    },
};

/// The message as it was kept, with other texts where some are given, or as it is given; and the copy's cause. `limit`
/// is the broker's, in bytes.
async fn source(
    tx: &mut Tx<'_>,
    source: &Source,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<(StoredMessage, Option<archive::ArchivedContent>), PlanError> {
    let (number, repair) = match source {
        Source::Given(whole) => return Ok(((**whole).clone(), None)),
        Source::Kept(number) => (*number, None),
        Source::Repaired(number, repair) => (*number, Some(repair)),
    };
    let copy = tx.hold_copy(number).await?.ok_or(Refusal::NotKept(number))?;
    if let Some(when) = copy.returned {
        return Err(Refusal::Returned { number, when }.into());
    }
    let mut fields = copy.rest.clone();
    if fields.get("message_type").is_none() {
        return Err(Refusal::NotOfOutbox(number).into());
    }
    if let Some(fields) = fields.as_object_mut() {
        let body =
            String::from_utf8(copy.body.clone()).map_err(|_| Refusal::NotOfOutbox(number))?;
        fields.insert("body".to_owned(), Value::String(body));
    }
    let whole = StoredMessage::read(&fields, now)?;
    let whole = match repair {
        Some(repair) => repair.apply(&whole, limit)?,
        None => whole,
    };
    Ok((whole, Some(copy)))
}

pub(super) async fn requeue(
    tx: &mut Tx<'_>,
    task: &Task<'_>,
    from: &Source,
    name: Name,
    stamp: &EventMetadata<'_>,
    work: &mut Work,
) -> Result<(), PlanError> {
    let limit = task.writer.policy.largest;
    let (whole, copy) = source(tx, from, stamp.at, limit).await?;
    if copy.is_none() && name != Name::Same {
        return Err(Refusal::NamedTwice.into());
    }
    let whole = match name {
        Name::Same => whole,
        Name::New(id) => renamed(&whole, id)?,
    };
    let there =
        outbox::show(tx.conn(), &task.writer.layout, MessageKey::Message(whole.message)).await?;
    let rows = vec![match (&copy, &there) {
        (Some(copy), _) => format!("copy {} ({}) not put back yet", copy.number, copy.cause),
        (None, None) => format!("no message {} in the outbox", whole.message),
        (None, Some(there)) => format!("message {} as seq {}", whole.message, there.sequence),
    }];
    let target = match from {
        Source::Kept(number) | Source::Repaired(number, _) => format!("kept {number}"),
        Source::Given(whole) => whole.message.to_string(),
    };
    unmoved(tx, task, &target, rows, work).await?;
    checks(tx, task, &whole, name, copy.as_ref(), there.as_ref(), work).await?;
    if work.is_blocked() {
        return Ok(());
    }
    let outbox = OutboxId(stamp.derived.new_id("outbox"));
    let state = tx.store_outbox(outbox, stamp.at).await?;
    work.change("outbox_state", "+ an outbox of its own", (None, state));
    let number = if task.dry { stamp.number } else { Number::Next };
    let row = tx.add_whole(&whole, outbox, number).await?;
    let column = tx.spelt(Table::OutboxMessages, "sequence_number");
    let sequence = column.and_then(|name| row.as_ref()?.get(name)?.as_i64()).unwrap_or_default();
    let after = row.map(|row| lean(tx, &Seen { row, xmin: String::new() }));
    let kind = contract::name(contract::first(&whole.kinds));
    let named = if name == Name::Same { "the same id" } else { "another id" };
    work.change("outbox_message", format!("+ {kind}, {named}"), (None, after));
    work.targets.push(whole.message.to_string());
    if let Some(copy) = &copy {
        tx.copy_returned(copy.number, stamp.at, task.request.id).await?;
        let rows = (
            json!({ "number": copy.number }),
            json!({ "number": copy.number, "returned_at": stamp.at }),
        );
        work.change(
            "kept_messages",
            format!("copy {}: put back", copy.number),
            (Some(rows.0), Some(rows.1)),
        );
    }
    work.told = format!("message {} waits in the outbox as seq {sequence}", whole.message);
    work.reverse = Some(out(sequence));
    Ok(())
}

/// Whether the message that was kept had neither an outbox nor a consumer.
fn is_orphan(copy: &archive::ArchivedContent) -> bool {
    let none = |name: &str| copy.rest.get(name).is_none_or(Value::is_null);
    none("outbox_id") && (none("inbox_message_id") || none("inbox_consumer_id"))
}

async fn checks(
    tx: &mut Tx<'_>,
    task: &Task<'_>,
    whole: &StoredMessage,
    name: Name,
    copy: Option<&archive::ArchivedContent>,
    there: Option<&OutboxMessage>,
    work: &mut Work,
) -> Result<(), PlanError> {
    match there {
        Some(there) if there.delivery == Delivery::Pending => work.say(
            Verdict::Blocking,
            format!("it is pending as seq {}: it would be sent twice", there.sequence),
        ),
        Some(there) => work.say(
            Verdict::Warn,
            format!(
                "it is there as seq {} ({}): this sends it again",
                there.sequence, there.delivery
            ),
        ),
        None => work.say(Verdict::Ok, "no message with its id is in the outbox"),
    }
    if let Some(copy) = copy {
        match copy.cause.as_str() {
            "quarantined" if is_orphan(copy) => {
                work.say(Verdict::Ok, "it had no owner when it was quarantined: nobody would have sent it");
            }
            "quarantined" => work.say(Verdict::Ok, "it was quarantined while it was pending"),
            "repaired" => work.say(
                Verdict::Warn,
                "it is how a message was before it was repaired: that one leaves, or has left, as well",
            ),
            cause => work.say(Verdict::Warn, format!("it was {cause}: it was sent once, and is sent again")),
        }
    }
    match name {
        Name::Same => {
            let received = inbox::of_message(tx.conn(), &task.writer.layout, whole.message).await?;
            let done = received.iter().filter(|row| row.delivered.is_some()).count();
            if done > 0 {
                work.say(
                    Verdict::Warn,
                    format!("{done} consumers here handled its id: they drop it as long as their inbox row is there"),
                );
            }
            work.say(
                Verdict::Unknown,
                "consumers with other databases: within the window of their inbox they drop an id they handled, \
                 after it they handle it again",
            );
        }
        Name::New(_) => work.say(
            Verdict::Warn,
            "under another id no inbox knows it: every consumer handles it, also those that did before",
        ),
    }
    match whole
        .poison(task.writer.policy.largest, Sender::of(task.writer.layout.is_managed()))
        .first()
    {
        Some(bad) => work.say(
            Verdict::Warn,
            format!(
                "it cannot leave as it is: {bad}; repair it at once, others may wait behind it"
            ),
        ),
        None => work.say(Verdict::Ok, "nothing is wrong with its texts"),
    }
    if whole.expires.is_some_and(|at| at < task.now) {
        work.say(
            Verdict::Warn,
            "it is past its expiration time: the broker keeps it for a second only",
        );
    }
    work.say(
        Verdict::Warn,
        "it leaves after all that waits now: later news of the same order may be ahead of it",
    );
    Ok(())
}

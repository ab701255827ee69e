//! Holding an outbox and letting it go. MassTransit has no such mark: only Orderscope's relay, which delivers in a
//! managed database, looks for it.

use serde_json::json;

use super::{EventMetadata, Operation, PlanError, Task, Verdict, Work, unmoved};
use crate::{
    db::{
        Table,
        paused::{self, PausedOutbox},
        write::{Bound, Grip, Seen, Tx, must},
    },
    domain::{
        id::OutboxId,
        outbox_action::{OutboxAction, Refusal},
    },
};

const HELD: &str = "held_outboxes";

async fn see(tx: &mut Tx<'_>, outbox: OutboxId, grip: Grip) -> Result<Option<Seen>, PlanError> {
    let key = [must("outbox_id", Bound::Id(Some(outbox.0)))];
    Ok(tx.row(Table::OutboxStates, &key, grip).await?)
}

/// Who holds it; none if nobody does.
async fn holder(tx: &mut Tx<'_>, outbox: OutboxId) -> Result<Option<PausedOutbox>, PlanError> {
    let all = paused::held(tx.conn()).await?;
    Ok(all.into_iter().find(|held| held.outbox == outbox))
}

pub(super) async fn hold(
    tx: &mut Tx<'_>,
    task: &Task<'_>,
    outbox: OutboxId,
    stamp: &EventMetadata<'_>,
    work: &mut Work,
) -> Result<(), PlanError> {
    let seen = see(tx, outbox, Grip::Lock).await?.ok_or(Refusal::NoOutbox(outbox))?;
    let delivered = tx.spelt(Table::OutboxStates, "delivered");
    if delivered.and_then(|name| seen.row.get(name)).is_some_and(|at| !at.is_null()) {
        return Err(Refusal::Delivered(outbox).into());
    }
    if let Some(held) = holder(tx, outbox).await? {
        return Err(Refusal::Held { outbox, by: held.by }.into());
    }
    let messages = tx.left(outbox).await?;
    let rows = vec![format!("outbox {} of {messages} messages, not held", outbox.short())];
    unmoved(tx, task, &outbox.to_string(), rows, work).await?;
    if !task.writer.layout.is_managed() {
        work.say(
            Verdict::Blocking,
            "MassTransit knows no pause: in a service's database only a lock kept open could hold an outbox, and \
             that would stall every projection; quarantine its messages instead",
        );
        return Ok(());
    }
    work.say(Verdict::Ok, "no pass is under way: its row is locked for this change");
    work.say(Verdict::Ok, format!("{messages} messages stay where they are, in their order"));
    work.say(
        Verdict::Warn,
        "only Orderscope's relay looks for it: a MassTransit on this database would deliver all the same",
    );
    let held = PausedOutbox { outbox, at: stamp.at, by: task.writer.operator.name.clone() };
    tx.hold_outbox(&held, task.request.id).await?;
    let after = json!({ "outbox_id": outbox, "held_at": held.at, "held_by": held.by });
    work.change(
        HELD,
        format!("+ outbox {} ({messages} messages)", outbox.short()),
        (None, Some(after)),
    );
    work.told = format!(
        "outbox {} is held; `orderscope messages release {outbox}` lets it go",
        outbox.short()
    );
    work.reverse = Some(Operation::Outbox(OutboxAction::Release { outbox }));
    Ok(())
}

pub(super) async fn release(
    tx: &mut Tx<'_>,
    task: &Task<'_>,
    outbox: OutboxId,
    work: &mut Work,
) -> Result<(), PlanError> {
    let held = holder(tx, outbox).await?.ok_or(Refusal::NotHeld(outbox))?;
    let rows = vec![format!("held by {} since {}", held.by, held.at.to_rfc3339())];
    unmoved(tx, task, &outbox.to_string(), rows, work).await?;
    // It may have been emptied by hand meanwhile.
    let there = see(tx, outbox, Grip::Look).await?.is_some();
    let messages = tx.left(outbox).await?;
    work.say(Verdict::Ok, format!("it is held by {}", held.by));
    work.say(Verdict::Ok, format!("the relay's next pass may take its {messages} messages"));
    if !tx.release_outbox(outbox).await? {
        return Err(Refusal::NotHeld(outbox).into());
    }
    let before = json!({ "outbox_id": outbox, "held_at": held.at, "held_by": held.by });
    work.change(HELD, format!("- outbox {}", outbox.short()), (Some(before), None));
    work.told = format!("outbox {} is free again; see the relay's next pass", outbox.short());
    work.reverse = there.then_some(Operation::Outbox(OutboxAction::Hold { outbox }));
    Ok(())
}

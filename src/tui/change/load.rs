//! What changing asks of the database and the broker.

use std::{pin::pin, sync::Arc, time::Duration};

use tokio::sync::watch;
use uuid::Uuid;

use super::{Draft, Msg, Request};
use crate::{
    domain::{
        decide::Command,
        id::{BuyerId, LineId, MessageId, OrderId},
        outbox_action::{Name, OutboxAction},
    },
    ops::{
        buyers,
        operation::{Operation, PlanRequest, Progress},
    },
    tui::services::Cx,
};

/// Between two keystrokes of someone who types quickly.
const TYPING_PAUSE: Duration = Duration::from_millis(60);

/// Carries out a request; errors are part of the answer. `tell` is told what happens on the way.
pub async fn load(request: Request, cx: Cx, tell: impl Fn(Msg)) -> Msg {
    match request {
        Request::Buyers { ticket, text } => {
            cx.pause(TYPING_PAUSE).await;
            let found = cx
                .read("buyers", async |conn, layout| buyers::find(conn, layout, &text).await)
                .await;
            Msg::Buyers(ticket, found)
        }
        Request::Plan { ticket, draft } => {
            let made = cx.services.plan(request_of(draft), &cx.stop).await;
            Msg::Planned(ticket, made.map(Arc::new))
        }
        Request::Run { plan, confirmed } => {
            let (progress, mut seen) = watch::channel(Progress::default());
            let mut work = pin!(cx.services.run(&plan, &confirmed, progress, &cx.stop));
            let ended = loop {
                tokio::select! {
                    ended = &mut work => break ended,
                    Ok(()) = seen.changed() => {
                        let progress = seen.borrow_and_update().clone();
                        tell(Msg::Progressed(plan.request.id, progress));
                    }
                }
            };
            Msg::Ended(plan.request.id, ended)
        }
        Request::Halt { id } => {
            cx.services.halt(id);
            Msg::Halted
        }
    }
}

/// The request with its ids drawn: the operation's own, and those of what is new.
fn request_of(draft: Draft) -> PlanRequest {
    let fresh = |id: Uuid| if id.is_nil() { crate::ops::fresh_id() } else { id };
    let mut operation = draft.operation;
    match &mut operation {
        Operation::Order(Command::CreateOrder { id, lines, .. }) => {
            *id = OrderId(fresh(id.0));
            for line in lines {
                line.id = LineId(fresh(line.id.0));
            }
        }
        Operation::Order(Command::CreateBuyer { id, .. }) => *id = BuyerId(fresh(id.0)),
        Operation::Outbox(OutboxAction::Requeue { name: Name::New(id), .. }) => {
            *id = MessageId(fresh(id.0));
        }
        _ => {}
    }
    PlanRequest::new(operation, draft.reason)
}

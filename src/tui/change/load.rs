//! What changing asks of the database.

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
        plan::{self, Intent},
    },
    tui::runtime::Cx,
    workers::errand::Progress,
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
            let made = match cx.services.writer().await {
                Ok(writer) => {
                    let request = request_of(draft);
                    let mut made = plan::plan(&writer, request, cx.services.now(), &cx.stop).await;
                    if let Ok(plan) = &mut made {
                        cx.services.in_queues(plan, &cx.stop).await;
                    }
                    made.map(Arc::new)
                }
                Err(error) => Err(error),
            };
            Msg::Planned(ticket, made)
        }
        Request::Run { plan } => {
            let done = match cx.services.writer().await {
                Ok(writer) => plan::run(&writer, &plan, cx.services.now()).await,
                Err(error) => Err(error),
            };
            Msg::Ran(plan.request.id, done)
        }
        Request::Look { ticket, errand, reason } => {
            let looked = cx.services.look(&errand, &reason, &cx.stop).await;
            Msg::Looked(ticket, looked.map(Arc::new))
        }
        Request::Work { plan } => {
            let (progress, mut seen) = watch::channel(Progress::default());
            let mut work = pin!(cx.services.work(&plan, progress, &cx.stop));
            let ended = loop {
                tokio::select! {
                    ended = &mut work => break ended,
                    Ok(()) = seen.changed() => {
                        let progress = seen.borrow_and_update().clone();
                        tell(Msg::Went(plan.id, progress));
                    }
                }
            };
            Msg::Ended(plan.id, ended)
        }
        Request::Halt { id } => {
            cx.services.halt(id);
            Msg::Halted
        }
    }
}

/// The request with its ids drawn: the operation's own, and those of what is new.
fn request_of(draft: Draft) -> plan::Request {
    let fresh = |id: Uuid| if id.is_nil() { Uuid::now_v7() } else { id };
    let mut intent = draft.intent;
    match &mut intent {
        Intent::Command(Command::CreateOrder { id, lines, .. }) => {
            *id = OrderId(fresh(id.0));
            for line in lines {
                line.id = LineId(fresh(line.id.0));
            }
        }
        Intent::Command(Command::CreateBuyer { id, .. }) => *id = BuyerId(fresh(id.0)),
        Intent::Messages(OutboxAction::Requeue { name: Name::New(id), .. }) => {
            *id = MessageId(fresh(id.0));
        }
        _ => {}
    }
    plan::Request { id: Uuid::now_v7(), intent, reason: draft.reason, expect: None }
}

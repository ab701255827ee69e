//! What the frame of the screen asks of database and broker; each sub-view has its own.

use std::sync::Arc;

use super::{Msg, Request, archive, error_queues, inbox, ledger, outbox};
use crate::{
    domain::trend::Slice,
    ops::messages::{
        self, AsOf,
        broker::{self, BrokerReport, Question},
        list,
    },
    tui::services::Cx,
};

/// Carries out a request; errors are part of the answer.
pub(super) async fn load(request: Request, cx: Cx) -> Msg {
    match request {
        Request::Look { ticket, history, before } => {
            let watch = cx.services.watch();
            let as_of = AsOf::Server(cx.services.clock());
            let outboxes = Box::pin(cx.read("messages", async |conn, layout| {
                let seen = messages::outboxes(conn, layout, watch, as_of, before.as_ref()).await?;
                // The look is worth more than its history.
                let kept = if history { messages::history::kept(conn).await.ok() } else { None };
                Ok((seen, kept))
            }));
            let inbox = cx.read("messages", async |conn, layout| {
                let facts = messages::inbox_facts(conn, layout, watch, None).await?;
                Ok((facts, list::glance(conn, layout, ledger::ROWS).await?))
            });
            let status = match tokio::join!(outboxes, inbox) {
                (Ok((seen, kept)), Ok((inbox, glance))) => {
                    let mut status = seen.with(inbox);
                    status.kept = kept;
                    status.glance = glance;
                    Ok(Arc::new(status))
                }
                (Err(error), _) | (_, Err(error)) => Err(error),
            };
            Msg::QueueReport(ticket, status)
        }
        Request::Stored { ticket, within } => {
            let stored = cx.read("messages history", async |conn, _| {
                messages::history::stored(conn, within).await
            });
            let stored = match stored.await {
                Ok(Ok(slices)) => Ok(slices.iter().map(Slice::sample).collect()),
                Ok(Err(why)) => Err(why.to_string()),
                Err(error) => Err(error.to_string()),
            };
            Msg::Stored(ticket, stored)
        }
        Request::Broker(question) => Msg::BrokerReport(report_of(&cx, &question).await),
        Request::Outbox(request) => outbox::load::load(request, cx).await,
        Request::Inbox(request) => inbox::load::load(request, cx).await,
        Request::ErrorQueues(request) => error_queues::load::load(request, cx).await,
        Request::Archive(request) => archive::load::load(request, cx).await,
    }
}

/// What the broker adds to a diagnosis; nothing where none is configured.
async fn report_of(cx: &Cx, question: &Question) -> BrokerReport {
    match cx.services.source() {
        Ok(source) => {
            let _alone = cx.services.queues_alone().await;
            broker::ask(source, question).await
        }
        Err(_) => BrokerReport::default(),
    }
}

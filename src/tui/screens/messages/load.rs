//! What the screen asks of the database.

use std::{sync::Arc, time::Duration};

use super::{Listed, Msg, PAGE, Request, Sub, ledger};
use crate::{
    ops::{
        archive as archived, error_queue,
        messages::{self, AsOf, MessageKey, list, report},
    },
    tui::runtime::Cx,
};

/// A cursor that runs down the list need not read every message.
const MOVING_PAUSE: Duration = Duration::from_millis(40);

/// Carries out a request; errors are part of the answer.
pub async fn load(request: Request, cx: Cx) -> Msg {
    match request {
        Request::Look { ticket, history } => {
            let watch = cx.services.watch();
            let as_of = AsOf::Server(cx.services.clock());
            let outboxes = Box::pin(cx.read("messages", async |conn, layout| {
                let seen = messages::outboxes(conn, layout, watch, as_of).await?;
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
        Request::List { ticket, sub, inbox: view, from, filter, after, before } => {
            let (now, held) = (cx.services.now(), cx.services.watch().thresholds.held);
            let listed = cx.read("messages", async |conn, layout| match sub {
                Sub::Outbox(view) => {
                    let of = (view, filter.as_slice());
                    let page = list::outbox(conn, layout, of, after, PAGE, now).await?;
                    let list::Page { rows: messages, more, notes } = page;
                    Ok(Listed { messages, more, notes, ..Listed::default() })
                }
                Sub::Inbox => {
                    let from = match (before, from) {
                        (Some(id), _) => list::From::Row(id),
                        (None, Some(message)) => list::From::Message(message),
                        (None, None) => list::From::Newest,
                    };
                    let page = list::inbox(conn, layout, (view, held), from, PAGE).await?;
                    let list::Page { rows: inbox, more, notes } = page;
                    Ok(Listed { inbox, more, notes, ..Listed::default() })
                }
                // Not in the database.
                Sub::Errors => Ok(Listed::default()),
                Sub::Kept => {
                    let page = list::archived(conn, before, PAGE).await?;
                    let list::Page { rows: kept, more, notes } = page;
                    Ok(Listed { kept, more, notes, ..Listed::default() })
                }
            });
            Msg::Listed(ticket, listed.await)
        }
        Request::Read { ticket, sequence } => {
            cx.pause(MOVING_PAUSE).await;
            let watch = cx.services.watch();
            let found = cx.read("messages", async |conn, layout| {
                messages::message(conn, layout, watch, MessageKey::Sequence(sequence)).await
            });
            Msg::Read(ticket, found.await.map(|found| found.map(Arc::new)))
        }
        Request::Copy { ticket, number } => {
            let found =
                cx.read("messages", async |conn, _| archived::read(conn, number).await).await;
            Msg::Copied(ticket, found.map(|found| found.map(Arc::new)))
        }
        Request::Day { ticket } => {
            let day =
                cx.read("messages hours", async |conn, layout| messages::day(conn, layout).await);
            Msg::Day(ticket, day.await.map(Arc::new))
        }
        Request::Stored { ticket, within } => {
            let stored = cx.read("messages history", async |conn, _| {
                messages::history::stored(conn, within).await
            });
            let stored = match stored.await {
                Ok(Ok(slices)) => Ok(slices.iter().map(|slice| slice.last).collect()),
                Ok(Err(why)) => Err(why.to_string()),
                Err(error) => Err(error.to_string()),
            };
            Msg::Stored(ticket, stored)
        }
        Request::Broker { halves, now } => Msg::BrokerReport(cx.services.told(&halves, now).await),
        Request::Errors { ticket } => {
            Msg::Failed(ticket, cx.services.errors(&cx.stop).await.map(Arc::new))
        }
        Request::Export { messages, inbox, kept, errors } => {
            let table = if let Some(listing) = &errors {
                error_queue::report::messages(&listing.found)
            } else if !kept.is_empty() {
                archived::report::copies(&kept)
            } else if inbox.is_empty() {
                report::messages(&messages)
            } else {
                report::inbox(&inbox, cx.services.watch())
            };
            Msg::Exported(cx.services.export("messages", table).await)
        }
    }
}

//! What the lists of outboxes ask of the database.

use std::sync::Arc;

use super::{MOVING_PAUSE, Msg, Request};
use crate::{
    ops::messages::{self, MessageKey, list, report},
    tui::{
        screens::messages::{Msg as ScreenMsg, PAGE},
        services::Cx,
    },
};

pub(in super::super) async fn load(request: Request, cx: Cx) -> ScreenMsg {
    match request {
        Request::List { ticket, view, filter, after } => {
            let now = cx.now();
            let page = cx.read("messages", async |conn, layout| {
                list::outbox(conn, layout, (view, filter.as_slice()), after, PAGE, now).await
            });
            ScreenMsg::Outbox(Msg::Listed(ticket, page.await))
        }
        Request::Read { ticket, sequence } => {
            cx.pause(MOVING_PAUSE).await;
            let watch = cx.services.watch();
            let found = cx.read("messages", async |conn, layout| {
                messages::message(conn, layout, watch, MessageKey::Sequence(sequence)).await
            });
            let found = found.await.map(|found| found.map(Arc::new));
            ScreenMsg::Outbox(Msg::Read(ticket, found))
        }
        Request::Export { rows } => {
            let table = report::messages(&rows);
            ScreenMsg::Exported(cx.services.export("messages", table).await)
        }
    }
}

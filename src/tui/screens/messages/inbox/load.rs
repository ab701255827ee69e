//! What the inbox asks of the database.

use std::sync::Arc;

use super::{Msg, Request};
use crate::{
    ops::messages::{self, list, report},
    tui::{
        screens::messages::{Msg as ScreenMsg, PAGE},
        services::Cx,
    },
};

pub(in super::super) async fn load(request: Request, cx: Cx) -> ScreenMsg {
    match request {
        Request::List { ticket, view, from } => {
            let held = cx.services.watch().thresholds.held;
            let page = cx.read("messages", async |conn, layout| {
                list::inbox(conn, layout, (view, held), from, PAGE).await
            });
            ScreenMsg::Inbox(Msg::Listed(ticket, page.await))
        }
        Request::Day { ticket } => {
            let day =
                cx.read("messages hours", async |conn, layout| messages::day(conn, layout).await);
            ScreenMsg::Inbox(Msg::Day(ticket, day.await.map(Arc::new)))
        }
        Request::Export { rows } => {
            let table = report::inbox(&rows, cx.services.watch());
            ScreenMsg::Exported(cx.services.export("messages", table).await)
        }
    }
}

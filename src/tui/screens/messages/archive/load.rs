//! What the list of copies asks of the database.

use std::sync::Arc;

use super::{Msg, Request};
use crate::{
    ops::{archive, messages::list},
    tui::{
        screens::messages::{Msg as ScreenMsg, PAGE},
        services::Cx,
    },
};

pub(in super::super) async fn load(request: Request, cx: Cx) -> ScreenMsg {
    match request {
        Request::List { ticket, before } => {
            let page =
                cx.read("messages", async |conn, _| list::archived(conn, before, PAGE).await);
            ScreenMsg::Archive(Msg::Listed(ticket, page.await))
        }
        Request::Read { ticket, number } => {
            let found = cx.read("messages", async |conn, _| archive::read(conn, number).await);
            let found = found.await.map(|found| found.map(Arc::new));
            ScreenMsg::Archive(Msg::Read(ticket, found))
        }
        Request::Export { rows } => {
            let table = archive::report::copies(&rows);
            ScreenMsg::Exported(cx.services.export("messages", table).await)
        }
    }
}

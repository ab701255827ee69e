//! What the error queues ask of the broker.

use std::sync::Arc;

use super::{Found, Msg, Request};
use crate::{
    ops::error_queue::{self, Source, report},
    tui::{screens::messages::Msg as ScreenMsg, services::Cx},
};

pub(in super::super) async fn load(request: Request, cx: Cx) -> ScreenMsg {
    match request {
        Request::Look { ticket } => {
            ScreenMsg::ErrorQueues(Msg::Found(ticket, look(&cx).await.map(Arc::new)))
        }
        Request::Export { found } => {
            let table = report::messages(&found);
            ScreenMsg::Exported(cx.services.export("messages", table).await)
        }
    }
}

/// What lies in the queues, judged by the inbox. Everything is given back to its queue.
async fn look(cx: &Cx) -> Result<Found, String> {
    let Source { broker, scope } = cx.services.source()?;
    let (db, layout) =
        cx.services.database(&cx.stop).await.ok_or("stopped before the database was open")?;
    let _alone = cx.services.queues_alone().await;
    let looking = error_queue::list(broker, &db, &layout, scope, cx.now(), &cx.stop);
    looking.await.map_err(|error| error.to_string())
}

//! What the timeline asks of the database.

use std::sync::Arc;

use super::{Msg, Request};
use crate::{
    ops::{history, known::Known, report},
    tui::runtime::Cx,
};

/// Carries out a request; errors are part of the answer.
pub async fn load(request: Request, cx: Cx) -> Msg {
    match request {
        Request::Read { ticket, order } => {
            let known = cx
                .read("timeline", async |conn, layout| {
                    let history = history::history(conn, layout, order).await?;
                    Ok(history.map(|history| Arc::new(Known::new(history, layout.projects_inline()))))
                })
                .await;
            Msg::Read(ticket, known)
        }
        Request::Export { known } => {
            let name = format!("timeline-{}", known.history.id);
            Msg::Exported(cx.services.export(&name, report::timeline(&known)).await)
        }
    }
}

//! What the timeline asks of the database.

use std::sync::Arc;

use super::{Msg, Request};
use crate::{
    ops::{analysis::OrderAnalysis, audit::Filter, history, report},
    tui::services::Cx,
};

/// The most records of one order that are read.
const MOST_ACTS: i64 = 200;

/// Carries out a request; errors are part of the answer.
pub(super) async fn load(request: Request, cx: Cx) -> Msg {
    match request {
        Request::Read { ticket, order, most } => {
            let known = cx
                .read("timeline", async |conn, layout| {
                    let history = history::newest(conn, layout, order, most).await?;
                    Ok(history.map(|history| {
                        Arc::new(OrderAnalysis::new(history, layout.projects_inline()))
                    }))
                })
                .await;
            Msg::Read(ticket, known)
        }
        Request::Acts { ticket, order } => {
            let target = Some(order.to_string());
            let filter = Filter { target, ..Filter::default() };
            Msg::Acted(ticket, cx.services.records(&filter, MOST_ACTS, &cx.stop).await)
        }
        Request::Export { known } => {
            let name = format!("timeline-{}", known.history.id);
            Msg::Exported(cx.services.export(&name, report::timeline(&known)).await)
        }
    }
}

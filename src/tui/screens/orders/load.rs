//! What the search asks of the database.

use std::{sync::Arc, time::Duration};

use super::{Answer, Msg, PAGE, Request, Window};
use crate::{
    db,
    ops::{analysis::OrderAnalysis, history, report, search},
    tui::services::Cx,
};

/// Between two keystrokes of someone who types quickly: a search that is already out of date when it
/// starts need not be asked.
const TYPING_PAUSE: Duration = Duration::from_millis(60);
/// The same for a cursor that runs down the list.
const MOVING_PAUSE: Duration = Duration::from_millis(40);

/// Carries out a request; errors are part of the answer.
pub(super) async fn load(request: Request, cx: Cx) -> Msg {
    match request {
        Request::Search { ticket, query, from, typed } => {
            if typed {
                cx.pause(TYPING_PAUSE).await;
            }
            let mut found = cx
                .read("orders", async |conn, layout| {
                    search::page(conn, layout, &query, from, PAGE).await
                })
                .await;
            if let Ok(page) = &found {
                let recorded = cx.services.searched(&query, page.rows.len()).await;
                found = recorded.and(found);
            }
            Msg::Found(
                ticket,
                found.map(|page| {
                    let coverage = page.coverage.iter().map(ToString::to_string);
                    let answer = Answer {
                        coverage: query.notes.iter().cloned().chain(coverage).collect(),
                        access: page.access,
                        millis: page.millis,
                        plan: page.plan,
                    };
                    (Window { rows: page.rows, before: page.newer, after: page.older }, answer)
                }),
            )
        }
        Request::Count { ticket, plan } => {
            let counted =
                cx.read("orders", async |conn, layout| search::count(conn, layout, &plan).await);
            Msg::Counted(ticket, counted.await)
        }
        Request::Preview { ticket, order } => {
            cx.pause(MOVING_PAUSE).await;
            let known: Result<_, db::Error> = cx
                .read("orders", async |conn, layout| {
                    let history = history::history(conn, layout, order).await?;
                    Ok(history.map(|history| {
                        Arc::new(OrderAnalysis::new(history, layout.projects_inline()))
                    }))
                })
                .await;
            Msg::Previewed(ticket, known)
        }
        Request::Export { rows, masked } => {
            let table = report::orders(&rows, masked);
            Msg::Exported(cx.services.export("orders", table).await)
        }
    }
}

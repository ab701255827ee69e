//! What is asked of the database about bulk operations.

use super::{Msg, OPEN, OVER, Request};
use crate::{
    db::Error,
    ops::operation::batch::{self, Which},
    tui::services::Cx,
};

/// Carries out a request; errors are part of the answer.
pub async fn load(request: Request, cx: Cx) -> Msg {
    let Request::Read { ticket, all } = request;
    let Some((db, layout)) = cx.services.database(&cx.stop).await else {
        return Msg::Read(ticket, Err(Error::Cancelled.into()));
    };
    if !layout.has_console_schema() {
        return Msg::Read(ticket, Ok(None));
    }
    let read = async {
        let mut rows = batch::list(&db, Which::Open, OPEN, &cx.stop).await?;
        if all {
            let newest = batch::list(&db, Which::All, OVER, &cx.stop).await?;
            rows.extend(newest.into_iter().filter(|(record, _)| record.state.is_over()));
        }
        Ok(rows)
    };
    Msg::Read(ticket, read.await.map(Some))
}

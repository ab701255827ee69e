//! What is asked of the database about bulk operations.

use super::{Details, Msg, OPEN, OVER, PAGE, Request, Row};
use crate::{
    db::Error,
    ops::operation::{
        PlanError,
        batch::{self, Which},
    },
    tui::services::Cx,
};

/// Carries out a request; errors are part of the answer.
pub async fn load(request: Request, cx: Cx) -> Msg {
    match request {
        Request::Read { ticket, all } => Msg::Read(ticket, read(all, &cx).await),
        Request::Look { ticket, number, troubles, after } => {
            Msg::Looked(ticket, number, look(number, troubles, after, &cx).await)
        }
    }
}

/// None where there is no schema orderscope.
async fn read(all: bool, cx: &Cx) -> Result<Option<Vec<Row>>, PlanError> {
    let (db, layout) = cx.services.database(&cx.stop).await.ok_or(Error::Cancelled)?;
    if !layout.has_console_schema() {
        return Ok(None);
    }
    let mut rows = batch::list(&db, Which::Open, OPEN, &cx.stop).await?;
    if all {
        let newest = batch::list(&db, Which::All, OVER, &cx.stop).await?;
        rows.extend(newest.into_iter().filter(|(record, _)| record.state.is_over()));
    }
    Ok(Some(rows))
}

async fn look(number: i64, troubles: bool, after: i64, cx: &Cx) -> Result<Details, PlanError> {
    let (db, layout) = cx.services.database(&cx.stop).await.ok_or(Error::Cancelled)?;
    let shown = batch::show(&db, &layout, number, &cx.stop).await?;
    let items = batch::items(&db, number, troubles, after, PAGE, &cx.stop).await?;
    Ok((Box::new(shown), items))
}

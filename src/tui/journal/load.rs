//! What the log asks of the database.

use super::{MOST, Msg, Request};
use crate::{ops::audit::Filter, tui::services::Cx};

/// Carries out a request; errors are part of the answer.
pub async fn load(request: Request, cx: Cx) -> Msg {
    let Request::Read { ticket, mine, before } = request;
    let by = mine.then(|| cx.services.operator().to_owned());
    let filter = Filter { by, before, ..Filter::default() };
    Msg::Read(ticket, cx.services.records(&filter, MOST, &cx.stop).await)
}

//! Finding the order that a command line names by its id or the end of it.

use super::{Failure, exit};
use crate::{
    db::{self, Layout},
    domain::{id::OrderId, order_ref::IdMatch},
    ops::{analysis::OrderAnalysis, history},
    session::Session,
};

/// Everything about the one order with this id or tail, with at most `most` of its newest events.
pub(super) async fn find(
    session: &Session,
    wanted: &IdMatch,
    text: &str,
    most: i64,
) -> Result<OrderAnalysis, Failure> {
    let stop = tokio_util::sync::CancellationToken::new();
    let layout = &session.layout;
    let found = session
        .db
        .read("order", &stop, async |conn| {
            let ids = history::resolve(conn, layout, wanted).await?;
            match ids.as_slice() {
                [id] => Ok(Ok(history::newest(conn, layout, *id, most).await?)),
                _ => Ok(Err(ids)),
            }
        })
        .await?;
    match found {
        Ok(Some(history)) => Ok(OrderAnalysis::new(history, layout.projects_inline())),
        Ok(None) => Err(nothing(text, layout)),
        Err(ids) => Err(several(&ids, text, layout)),
    }
}

/// The id of the one order with this id or tail.
pub(super) async fn resolve(
    session: &Session,
    wanted: &IdMatch,
    text: &str,
) -> Result<OrderId, Failure> {
    let stop = tokio_util::sync::CancellationToken::new();
    let layout = &session.layout;
    let resolve =
        async |conn: &mut sqlx::PgConnection| history::resolve(conn, layout, wanted).await;
    let ids = session.db.read("order", &stop, resolve).await?;
    match ids.as_slice() {
        [id] => Ok(*id),
        _ => Err(several(&ids, text, layout)),
    }
}

fn several(ids: &[OrderId], text: &str, layout: &Layout) -> Failure {
    if ids.is_empty() {
        return nothing(text, layout);
    }
    let list: Vec<_> = ids.iter().map(|id| format!("  {id}")).collect();
    let message =
        format!("{text:?} ends several orders; give more of the id:\n{}", list.join("\n"));
    Failure { message, code: exit::NOTHING }
}

fn nothing(text: &str, layout: &Layout) -> Failure {
    let message = format!("no order is, or ends in, {text:?}");
    let tables = [db::Table::Orders, db::Table::Events, db::Table::Streams];
    match layout.not_looked_at(&tables).first() {
        Some(unseen) => Failure { message: format!("{message}; {unseen}"), code: exit::PARTIAL },
        None => Failure { message, code: exit::NOTHING },
    }
}

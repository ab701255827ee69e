//! Pages of what can be listed: messages of the outboxes, inbox rows, archived copies, paused outboxes. Each says
//! what was not looked at.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

pub use crate::db::{
    archive::ArchivedMessage,
    inbox::{HOURS, Hour, InboxRow, InboxView},
    outbox::{Cursor, Filter, Group, Row, View, outbox_of},
    paused::PausedOutbox,
    relay::ConsumerOutbox,
};
use crate::{
    db::{Error, Layout, Table, archive, inbox as received, outbox as sent, paused as held},
    domain::{coverage::NotLookedAt, id::MessageId},
};

/// What is told where the schema is older than copies and pauses, or is not there.
const NO_SCHEMA: &str = "schema orderscope is missing here or older than this program";

/// One page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    pub rows: Vec<T>,
    /// There are rows after these.
    pub more: bool,
    /// What was not looked at.
    pub coverage: Vec<NotLookedAt>,
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self { rows: vec![], more: false, coverage: vec![] }
    }
}

impl<T> Page<T> {
    /// A page of at most `limit` rows, from one row more than that.
    fn of(mut rows: Vec<T>, limit: usize, coverage: Vec<NotLookedAt>) -> Self {
        let more = rows.len() > limit;
        rows.truncate(limit);
        Self { rows, more, coverage }
    }
}

/// One row more than a page tells whether there are more.
fn asked(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1)
}

/// Messages of the outboxes: those in `view` that all `filters` let through, after `after`.
pub async fn outbox(
    conn: &mut PgConnection,
    layout: &Layout,
    (view, filters): (View, &[Filter]),
    after: Option<Cursor>,
    limit: usize,
    now: DateTime<Utc>,
) -> Result<Page<Row>, Error> {
    let (rows, coverage) =
        sent::list(conn, layout, view, filters, after, asked(limit), now).await?;
    Ok(Page::of(rows, limit, coverage))
}

/// Where a page of inbox rows begins; they are listed newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum From {
    #[default]
    Newest,
    /// After the row with this id.
    Row(i64),
    /// With the rows of this message.
    Message(MessageId),
}

/// Inbox rows. `held`: how old a row without success must be to count as failing.
pub async fn inbox(
    conn: &mut PgConnection,
    layout: &Layout,
    (view, held): (InboxView, TimeDelta),
    from: From,
    limit: usize,
) -> Result<Page<InboxRow>, Error> {
    let before = match from {
        From::Newest => None,
        From::Row(id) => Some(id),
        From::Message(message) => {
            let rows = received::of_message(conn, layout, message).await?;
            rows.iter().map(|row| row.id + 1).max()
        }
    };
    let rows = received::list(conn, layout, (view, held), before, asked(limit)).await?;
    Ok(Page::of(rows, limit, layout.not_looked_at(&[Table::InboxStates])))
}

/// The inbox rows to see first: what consumers did not finish, then what came last.
pub async fn glance(
    conn: &mut PgConnection,
    layout: &Layout,
    limit: i64,
) -> Result<Vec<InboxRow>, Error> {
    received::glance(conn, layout, limit).await
}

/// Copies of what was taken out or changed, newest first; `before` is the number of the last one listed.
pub async fn archived(
    conn: &mut PgConnection,
    before: Option<i64>,
    limit: usize,
) -> Result<Page<ArchivedMessage>, Error> {
    let coverage = unknown(conn).await?;
    let rows = archive::list(conn, before, asked(limit)).await?;
    Ok(Page::of(rows, limit, coverage))
}

/// The newest copy of a message that was not put back.
pub async fn newest_copy(
    conn: &mut PgConnection,
    message: MessageId,
) -> Result<Option<i64>, Error> {
    if unknown(conn).await?.is_empty() { archive::newest_of(conn, message).await } else { Ok(None) }
}

/// Outboxes that operators paused, oldest first.
pub async fn paused(conn: &mut PgConnection) -> Result<Page<PausedOutbox>, Error> {
    let coverage = unknown(conn).await?;
    let rows = held::held(conn).await?;
    Ok(Page { rows, more: false, coverage })
}

async fn unknown(conn: &mut PgConnection) -> Result<Vec<NotLookedAt>, Error> {
    let known = held::is_known(conn).await?;
    Ok(if known { vec![] } else { vec![NotLookedAt::narrowed("copies and pauses", NO_SCHEMA)] })
}

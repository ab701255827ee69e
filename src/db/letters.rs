//! Dead letters: events that a projection or subscription failed on and skipped.

use serde_json::Value;
use sqlx::{PgConnection, Postgres, QueryBuilder};
use uuid::Uuid;

use super::{Error, Index, Layout, OfTable, Table, expressions::LETTER_SEQUENCE, sql::document};
use crate::domain::{id::SeqId, json::field_of};

/// A row of `mt_doc_deadletterevent`. The cause is not stored: only which event, where, and the kind of error.
#[derive(Debug, Clone, PartialEq)]
pub struct Letter {
    pub id: Uuid,
    pub event: SeqId,
    pub projection: Option<String>,
    pub shard: Option<String>,
    /// Short or fully qualified; compare the last segment.
    pub exception_type: Option<String>,
    pub exception_message: Option<String>,
}

/// The most letters that are read where no index leads to an event's.
pub const MOST_WITHOUT_INDEX: i64 = 2_000;

/// Whether all letters of an event are found, or only among the newest [`MOST_WITHOUT_INDEX`].
pub fn finds_all(layout: &Layout) -> bool {
    layout.has_or_small(Index::LetterEvent, Table::Letters)
}

/// The letters of these events, newest first, at most `limit`.
pub async fn of_events(
    conn: &mut PgConnection,
    layout: &Layout,
    events: &[SeqId],
    limit: i64,
) -> Result<Vec<Letter>, Error> {
    let from = layout.from(Table::Letters);
    let wanted: Vec<String> = events.iter().map(ToString::to_string).collect();
    let letters = if finds_all(layout) {
        from.to_owned()
    } else {
        format!("(SELECT id, data FROM {from} x ORDER BY id DESC LIMIT {MOST_WITHOUT_INDEX})")
    };
    let mut sql = QueryBuilder::<Postgres>::new(format!(
        "SELECT id, data::text FROM {letters} l WHERE {LETTER_SEQUENCE} = ANY("
    ));
    sql.push_bind(wanted).push(") ORDER BY id DESC LIMIT ").push_bind(limit);
    let rows: Vec<(Uuid, String)> =
        sql.build_query_as().fetch_all(conn).await.of(Table::Letters.name())?;
    let read = |(id, data): (Uuid, String)| letter(id, &document(&data).ok()?);
    Ok(rows.into_iter().filter_map(read).collect())
}

/// Keys are looked up without case: a store may be configured to write camelCase.
fn letter(id: Uuid, data: &Value) -> Option<Letter> {
    let text = |name: &str| field_of(data, name).and_then(Value::as_str).map(ToOwned::to_owned);
    let event = field_of(data, "EventSequence")?;
    let event = event.as_i64().or_else(|| event.as_str()?.parse().ok())?;
    Some(Letter {
        id,
        event: SeqId(event),
        projection: text("ProjectionName"),
        shard: text("ShardName"),
        exception_type: text("ExceptionType"),
        exception_message: text("ExceptionMessage"),
    })
}

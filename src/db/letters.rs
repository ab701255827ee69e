//! Dead letters: events that a projection or subscription failed on and skipped.

use serde_json::Value;
use sqlx::{PgConnection, Postgres, QueryBuilder, types::Json};
use uuid::Uuid;

use super::{Error, Index, Layout, Table, expressions::LETTER_SEQUENCE};
use crate::domain::id::SeqId;

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

/// The letters of these events, newest first; and whether some may have been left out, because there is
/// no index and there are more letters than are read through.
pub async fn of_events(
    conn: &mut PgConnection,
    layout: &Layout,
    events: &[SeqId],
    limit: i64,
) -> Result<(Vec<Letter>, bool), Error> {
    let from = layout.from(Table::Letters);
    let wanted: Vec<String> = events.iter().map(ToString::to_string).collect();
    let indexed = layout.has(Index::LetterEvent);
    let mut sql = QueryBuilder::<Postgres>::new("SELECT id, data, ");
    if indexed {
        sql.push(format!("false FROM {from} l WHERE {LETTER_SEQUENCE} = ANY("));
        sql.push_bind(wanted);
    } else {
        sql.push(format!(
            "(SELECT count(*) FROM (SELECT FROM {from} c LIMIT {MOST_WITHOUT_INDEX} + 1) n) > \
             {MOST_WITHOUT_INDEX} FROM (SELECT id, data FROM {from} r ORDER BY id DESC \
             LIMIT {MOST_WITHOUT_INDEX}) l WHERE {LETTER_SEQUENCE} = ANY("
        ));
        sql.push_bind(wanted);
    }
    sql.push(") ORDER BY id DESC LIMIT ").push_bind(limit);
    let rows: Vec<(Uuid, Json<Value>, bool)> = sql.build_query_as().fetch_all(conn).await?;
    let cut = rows.first().is_some_and(|(_, _, cut)| *cut);
    Ok((rows.into_iter().filter_map(|(id, data, _)| letter(id, &data)).collect(), cut))
}

/// Keys are looked up without case: a store may be configured to write camelCase.
fn letter(id: Uuid, data: &Value) -> Option<Letter> {
    let field = |name: &str| {
        data.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, v)| v)
    };
    let text = |name: &str| field(name).and_then(Value::as_str).map(ToOwned::to_owned);
    let event = field("EventSequence")?;
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

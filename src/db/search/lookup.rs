//! Look-ups on the small side of a question: from messages, events, letters and buyers to orders.

use rust_decimal::Decimal;
use serde_json::Value;
use sqlx::{PgConnection, Postgres, QueryBuilder, types::Json};
use uuid::Uuid;

use super::filter::{between, reversed};
use crate::{
    db::{
        Error, Index, Layout, Table,
        buyers::{escaped, name_pattern},
        expressions::{
            BUYER_CITY, BUYER_NAME, BUYER_PROVINCE, EVENT_CORRELATION_TAIL, EVENT_ORDER,
            LETTER_SEQUENCE, MESSAGE_ORDER, NOTE_WORDS, SUMMARY_TOTAL,
        },
        messages::MOST_WITHOUT_INDEX,
    },
    domain::search::Span,
};

/// The most orders that a look-up names; a question that means more is cut, and says so.
pub const MOST_FOUND: i64 = 10_000;
/// How many of the newest events are looked through where no index helps.
pub const NEWEST_EVENTS: i64 = 50_000;
/// How many different books are gone through for the end of a book's id.
pub const BOOKS_LOOKED_AT: i64 = 20_000;

/// How many of the newest messages are looked through for the end of a conversation's id.
pub const NEWEST_TAILS: i64 = 5_000;
/// Words of a phrase that are weighed.
const MOST_WORDS: usize = 6;

/// Ids that a look-up found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MatchingIds {
    pub ids: Vec<Uuid>,
    /// There are more than the look-up takes.
    pub cut: bool,
}

async fn fetch(
    conn: &mut PgConnection,
    mut sql: QueryBuilder<Postgres>,
    most: i64,
) -> Result<MatchingIds, Error> {
    let ids: Vec<Option<Uuid>> = sql.build_query_scalar().fetch_all(conn).await?;
    let cut = i64::try_from(ids.len()).unwrap_or(i64::MAX) >= most;
    let mut ids: Vec<Uuid> = ids.into_iter().flatten().collect();
    ids.sort_unstable();
    ids.dedup();
    Ok(MatchingIds { ids, cut })
}

/// The events to look through: all of them with the index, else the newest.
fn events(layout: &Layout, index: Index) -> String {
    let from = layout.from(Table::Events);
    if layout.has_or_small(index, Table::Events) {
        return from.to_owned();
    }
    format!(
        "(SELECT id, stream_id, correlation_id, data FROM {from} x ORDER BY seq_id DESC \
         LIMIT {NEWEST_EVENTS})"
    )
}

/// The messages to look through, likewise.
fn messages(layout: &Layout, index: Index) -> String {
    let from = layout.from(Table::OutboxMessages);
    if layout.has_or_small(index, Table::OutboxMessages) {
        return from.to_owned();
    }
    format!(
        "(SELECT message_id, conversation_id, correlation_id, body FROM {from} x \
         ORDER BY sequence_number DESC LIMIT {MOST_WITHOUT_INDEX})"
    )
}

/// Orders that the events' bodies name, and the streams they are in, which may be orders.
fn push_orders_of_events(sql: &mut QueryBuilder<Postgres>, from: &str) {
    sql.push(format!(
        "SELECT unnest(ARRAY[body_order, stream_id]) FROM (SELECT {EVENT_ORDER} AS body_order, \
         stream_id FROM {from} e WHERE "
    ));
}

/// What a full id is the key of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct KeyOf {
    pub order: bool,
    pub buyer: bool,
    /// Never where no index has the books.
    pub book: bool,
}

/// What a full id is the key of, in one statement.
pub async fn key_of(conn: &mut PgConnection, layout: &Layout, id: Uuid) -> Result<KeyOf, Error> {
    let mut sql = QueryBuilder::<Postgres>::new(format!(
        "SELECT EXISTS (SELECT FROM {} o WHERE o.id = ",
        layout.from(Table::Orders)
    ));
    sql.push_bind(id);
    sql.push(format!(
        ") AS \"order\", EXISTS (SELECT FROM {} b WHERE b.id = ",
        layout.from(Table::Buyers)
    ));
    sql.push_bind(id).push(") AS buyer, ");
    if layout.has_or_small(Index::LinesByBook, Table::OrderItems) {
        // Sorted, so that the index is used: a plain EXISTS expects a hit on the first pages of the table.
        sql.push(format!(
            "EXISTS (SELECT FROM (SELECT i.order_id FROM {} i WHERE i.book_id = ",
            layout.from(Table::OrderItems)
        ));
        sql.push_bind(id).push(" ORDER BY i.order_id LIMIT 1) l) AS book");
    } else {
        sql.push("false AS book");
    }
    Ok(sql.build_query_as().fetch_one(conn).await?)
}

/// Orders behind an id of any kind that is not an order's, a buyer's or a book's: a message, an event, a
/// stream, a correlation or conversation.
pub async fn by_any_id(
    conn: &mut PgConnection,
    layout: &Layout,
    id: Uuid,
) -> Result<MatchingIds, Error> {
    let mut sql = QueryBuilder::new("(");
    push_orders_of_events(&mut sql, &events(layout, Index::EventId));
    sql.push("id = ").push_bind(id).push(" LIMIT 10) v) UNION (");
    push_orders_of_events(&mut sql, &events(layout, Index::EventStream));
    sql.push("stream_id = ").push_bind(id).push(" LIMIT 100) v) UNION (");
    push_orders_of_events(&mut sql, &events(layout, Index::EventCorrelation));
    // Written with dashes by some, as 32 digits (a trace id) by others.
    sql.push("correlation_id = ANY(").push_bind(vec![id.to_string(), id.simple().to_string()]);
    sql.push(") LIMIT ").push_bind(MOST_FOUND).push(") v)");
    for (index, column) in [
        (Index::MessageId, "message_id"),
        (Index::MessageConversation, "conversation_id"),
        (Index::MessageCorrelation, "correlation_id"),
    ] {
        let from = messages(layout, index);
        sql.push(format!(" UNION (SELECT {MESSAGE_ORDER} FROM {from} m WHERE {column} = "));
        sql.push_bind(id).push(" LIMIT ").push_bind(MOST_FOUND).push(")");
    }
    sql.push(" LIMIT ").push_bind(MOST_FOUND);
    fetch(conn, sql, MOST_FOUND).await
}

/// Orders by the correlation id of an event, or the conversation or correlation of a message; whole, or
/// the end of one.
pub async fn by_correlation(
    conn: &mut PgConnection,
    layout: &Layout,
    text: &str,
) -> Result<MatchingIds, Error> {
    let digits = text.replace('-', "").to_lowercase();
    let whole = Uuid::try_parse(&digits).ok();
    let mut sql = QueryBuilder::new("(");
    push_orders_of_events(&mut sql, &events(layout, Index::EventCorrelation));
    let mut spellings = vec![text.to_owned(), text.to_lowercase(), digits.clone()];
    spellings.extend(whole.map(|id| id.to_string()));
    sql.push("correlation_id = ANY(").push_bind(spellings);
    sql.push(") LIMIT ").push_bind(MOST_FOUND).push(") v)");
    if let Some(id) = whole {
        for (index, column) in [
            (Index::MessageConversation, "conversation_id"),
            (Index::MessageCorrelation, "correlation_id"),
        ] {
            let from = messages(layout, index);
            sql.push(format!(" UNION (SELECT {MESSAGE_ORDER} FROM {from} m WHERE {column} = "));
            sql.push_bind(id).push(" LIMIT ").push_bind(MOST_FOUND).push(")");
        }
    } else {
        sql.push(" UNION (");
        push_orders_of_events(&mut sql, &events(layout, Index::EventCorrelationTail));
        sql.push("correlation_id IS NOT NULL AND ").push(EVENT_CORRELATION_TAIL).push(" LIKE ");
        sql.push_bind(reversed(&escaped(text)));
        sql.push(" LIMIT ").push_bind(MOST_FOUND).push(") v)");
        // No index has the ends of these ids: the newest messages only.
        let from = layout.from(Table::OutboxMessages);
        sql.push(format!(
            " UNION (SELECT {MESSAGE_ORDER} FROM (SELECT body, conversation_id, correlation_id \
             FROM {from} x ORDER BY sequence_number DESC LIMIT {NEWEST_TAILS}) m \
             WHERE reverse(replace(conversation_id::text, '-', '')) LIKE "
        ));
        sql.push_bind(reversed(&digits));
        sql.push(" OR reverse(replace(correlation_id::text, '-', '')) LIKE ");
        sql.push_bind(reversed(&digits)).push(" LIMIT ").push_bind(MOST_FOUND).push(")");
    }
    sql.push(" LIMIT ").push_bind(MOST_FOUND);
    fetch(conn, sql, MOST_FOUND).await
}

/// Orders with a pending message, from the newest pending messages.
pub async fn with_undelivered(
    conn: &mut PgConnection,
    layout: &Layout,
) -> Result<MatchingIds, Error> {
    let mut sql = QueryBuilder::<Postgres>::new(format!(
        "SELECT {} FROM (SELECT m.body FROM ({}) p JOIN {} m USING (sequence_number)) b",
        message_order(),
        pending(layout, MOST_FOUND),
        layout.from(Table::OutboxMessages),
    ));
    sql.push(" LIMIT ").push_bind(MOST_FOUND);
    fetch(conn, sql, MOST_FOUND).await
}

/// SQL for the order that a message's `body` names, where no index has it ready: what the service writes is cut
/// out by position, at a tenth of the pattern's cost; what does not look so is left to the pattern.
pub(super) fn message_order() -> String {
    let cut = "split_part(substr(body, strpos(body, '\"orderId\"') + 9, 60), '\"', 2)";
    format!(
        "CASE WHEN strpos(body, '\"orderId\"') = 0 AND strpos(lower(body), '\"orderid\"') = 0 THEN NULL \
         WHEN {cut} ~ '^[0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}$' THEN {cut}::uuid \
         ELSE {MESSAGE_ORDER} END"
    )
}

/// SQL for the sequence numbers of the newest `most` pending messages, driven by the open outboxes and
/// inbox rows. The rule is `messages::delivery`'s.
pub(super) fn pending(layout: &Layout, most: i64) -> String {
    let messages = layout.from(Table::OutboxMessages);
    format!(
        "SELECT m.sequence_number FROM {} o JOIN {messages} m ON m.outbox_id = o.outbox_id \
         AND m.sequence_number > coalesce(o.last_sequence_number, 0) WHERE o.delivered IS NULL \
         UNION ALL SELECT m.sequence_number FROM {messages} m JOIN {} i \
         ON i.message_id = m.inbox_message_id AND i.consumer_id = m.inbox_consumer_id \
         AND m.sequence_number > coalesce(i.last_sequence_number, 0) \
         WHERE i.delivered IS NULL AND m.outbox_id IS NULL \
         ORDER BY sequence_number DESC LIMIT {most}",
        layout.from(Table::OutboxStates),
        layout.from(Table::InboxStates),
    )
}

/// Orders with a dead letter on one of their events, from the newest letters.
pub async fn with_letters(conn: &mut PgConnection, layout: &Layout) -> Result<MatchingIds, Error> {
    let mut sql = QueryBuilder::<Postgres>::new(lettered(layout, MOST_FOUND));
    sql.push(" LIMIT ").push_bind(2 * MOST_FOUND);
    fetch(conn, sql, 2 * MOST_FOUND).await
}

/// SQL for the orders behind the newest `most` letters.
pub(super) fn lettered(layout: &Layout, most: i64) -> String {
    format!(
        "SELECT unnest(ARRAY[body_order, stream_id]) FROM (SELECT {EVENT_ORDER} AS body_order, stream_id \
         FROM (SELECT e.data, e.stream_id FROM (SELECT {LETTER_SEQUENCE} AS seq FROM {} l \
         ORDER BY id DESC LIMIT {most}) l JOIN LATERAL (SELECT data, stream_id FROM {} e \
         WHERE e.seq_id = CASE WHEN l.seq ~ '^[0-9]{{1,18}}$' THEN l.seq::bigint END LIMIT 2) e \
         ON true) f) v",
        layout.from(Table::Letters),
        layout.from(Table::Events),
    )
}

/// Buyers who live there, at most `limit`; compared without case.
pub async fn buyers_at(
    conn: &mut PgConnection,
    layout: &Layout,
    is_province: bool,
    place: &str,
    limit: i64,
) -> Result<MatchingIds, Error> {
    let expression = if is_province { BUYER_PROVINCE } else { BUYER_CITY };
    let mut sql = QueryBuilder::<Postgres>::new(format!(
        "SELECT id FROM {} b WHERE {expression} = ",
        layout.from(Table::Buyers)
    ));
    sql.push_bind(place.to_lowercase()).push(" LIMIT ").push_bind(limit);
    fetch(conn, sql, limit).await
}

/// Books whose id ends so: a walk from one book to the next along the index on books.
pub async fn books_by_tail(
    conn: &mut PgConnection,
    layout: &Layout,
    tail: &str,
) -> Result<MatchingIds, Error> {
    let lines = layout.from(Table::OrderItems);
    let mut sql = QueryBuilder::<Postgres>::new(format!(
        "WITH RECURSIVE b AS ((SELECT book_id FROM {lines} i ORDER BY book_id LIMIT 1) \
         UNION ALL SELECT n.book_id FROM b CROSS JOIN LATERAL (SELECT i.book_id FROM {lines} i \
         WHERE i.book_id > b.book_id ORDER BY i.book_id LIMIT 1) n) \
         SELECT book_id FROM (SELECT book_id FROM b LIMIT {BOOKS_LOOKED_AT}) x \
         WHERE reverse(replace(book_id::text, '-', '')) LIKE "
    ));
    sql.push_bind(reversed(tail)).push(" LIMIT ").push_bind(MOST_FOUND);
    fetch(conn, sql, MOST_FOUND).await
}

/// How many buyers the planner expects to have this part in the name.
pub async fn estimate_name(
    conn: &mut PgConnection,
    layout: &Layout,
    part: &str,
) -> Result<i64, Error> {
    let mut sql = QueryBuilder::<Postgres>::new(format!(
        "EXPLAIN (FORMAT JSON) SELECT FROM {} b WHERE {BUYER_NAME} LIKE ",
        layout.from(Table::Buyers)
    ));
    sql.push_bind(name_pattern(part));
    estimate(conn, sql).await
}

/// How many orders the planner expects to have the rarest of these words in the note: words of a phrase come
/// together, so multiplying their shares would promise far too few.
pub async fn estimate_note(
    conn: &mut PgConnection,
    layout: &Layout,
    words: &str,
) -> Result<i64, Error> {
    let orders = layout.from(Table::Orders);
    let mut sql = QueryBuilder::<Postgres>::new("EXPLAIN (FORMAT JSON) ");
    for (nth, word) in words.split_whitespace().take(MOST_WORDS).enumerate() {
        sql.push(if nth == 0 { "" } else { " UNION ALL " });
        sql.push(format!(
            "SELECT FROM {orders} o WHERE {NOTE_WORDS} @@ phraseto_tsquery('simple', "
        ));
        sql.push_bind(word.to_owned()).push(")");
    }
    let Json(plan): Json<Value> = sql.build_query_scalar().fetch_one(conn).await?;
    let top = plan.pointer("/0/Plan");
    let each = match top.and_then(|top| top.get("Plans")).and_then(Value::as_array) {
        Some(each) if top.and_then(|top| top.get("Node Type")) == Some(&"Append".into()) => {
            each.iter().filter_map(expected).min()
        }
        _ => top.and_then(expected),
    };
    Ok(each.unwrap_or(0))
}

/// How many summaries the planner expects to have such a total.
pub async fn estimate_total(
    conn: &mut PgConnection,
    layout: &Layout,
    span: &Span<Decimal>,
) -> Result<i64, Error> {
    let mut sql = QueryBuilder::<Postgres>::new(format!(
        "EXPLAIN (FORMAT JSON) SELECT FROM {} s WHERE ",
        layout.from(Table::Summaries)
    ));
    between(&mut sql, SUMMARY_TOTAL, span);
    estimate(conn, sql).await
}

/// The span with the smallest or largest total there is where it has no end.
pub async fn total_ends(
    conn: &mut PgConnection,
    layout: &Layout,
    span: &Span<Decimal>,
) -> Result<Span<Decimal>, Error> {
    if span.from.is_some() && span.to.is_some() {
        return Ok(span.clone());
    }
    // One end of the index each.
    let end = |direction| {
        format!(
            "(SELECT {SUMMARY_TOTAL} FROM {} s WHERE {SUMMARY_TOTAL} IS NOT NULL \
             ORDER BY {SUMMARY_TOTAL} {direction} LIMIT 1)::text",
            layout.from(Table::Summaries)
        )
    };
    let mut sql = QueryBuilder::<Postgres>::new(format!("SELECT {}, {}", end("ASC"), end("DESC")));
    let (least, most): (Option<String>, Option<String>) =
        sql.build_query_as().fetch_one(conn).await?;
    let number = |text: Option<String>| text.and_then(|text| text.parse().ok());
    Ok(Span { from: span.from.or(number(least)), to: span.to.or(number(most)) })
}

/// The rows that the planner expects of an `EXPLAIN (FORMAT JSON)`.
pub(super) async fn estimate(
    conn: &mut PgConnection,
    mut sql: QueryBuilder<Postgres>,
) -> Result<i64, Error> {
    let Json(plan): Json<Value> = sql.build_query_scalar().fetch_one(conn).await?;
    Ok(plan.pointer("/0/Plan").and_then(expected).unwrap_or(0))
}

fn expected(node: &Value) -> Option<i64> {
    node.get("Plan Rows")?.as_i64()
}

//! What moved since an earlier look: which of the messages that it watched are still pending, which came after it, and
//! whether operators changed outboxes meanwhile.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{AssertSqlSafe, FromRow, PgConnection};
use uuid::Uuid;

use super::{COUNTED, GroupRow, MOST_SEEN, SAMPLE, SINCE, messages, outbox_of};
use crate::{
    db::{
        Error, Layout, OfTable, Table,
        messages::delivery,
        sql::{OwnSchema, moment, own_schema},
    },
    domain::backlog::{Sample, Seen, Watched},
};

/// So many messages that came since the look before are counted.
const ARRIVED: i64 = 10_000;
/// An operation may be committed, and its deletions counted by the server, so long after its record is dated.
const LATE: TimeDelta = TimeDelta::seconds(15);

/// The rows 5 to 8 of `groups_sql`, whose parts it uses.
pub(super) fn sql(layout: &Layout) -> String {
    let [states, inbox, all] = [Table::OutboxStates, Table::InboxStates, Table::OutboxMessages]
        .map(|table| layout.from(table));
    let counted = messages(layout, "sequence_number, outbox_id");
    format!(
        " UNION ALL (SELECT 5, outbox_id::text, count(*), at, 0 FROM bus GROUP BY at, outbox_id \
           ORDER BY at DESC, outbox_id DESC LIMIT 2) \
         UNION ALL SELECT 6, NULL, count(*), NULL, 0 FROM bus WHERE (at, outbox_id) <= ($2, $3::uuid) \
         UNION ALL SELECT 7, NULL, count(*) FILTER (WHERE state IN (0, 1)), NULL, count(*) FILTER (WHERE state = 1) \
           FROM (SELECT {} AS state FROM (SELECT * FROM {all} w WHERE sequence_number > $4 \
             ORDER BY sequence_number LIMIT {ARRIVED}) m \
             LEFT JOIN LATERAL (SELECT * FROM {states} s WHERE s.outbox_id = m.outbox_id LIMIT 1) o ON true \
             LEFT JOIN LATERAL (SELECT * FROM {inbox} s WHERE s.message_id = m.inbox_message_id \
               AND s.consumer_id = m.inbox_consumer_id LIMIT 1) i ON true) arrived \
         UNION ALL SELECT 8, NULL, coalesce(sum(messages), 0)::bigint, NULL, count(*) FROM ( \
           SELECT (SELECT count(*) FROM (SELECT FROM {counted} m WHERE m.outbox_id = s.outbox_id \
             AND m.sequence_number > coalesce(s.last_sequence_number, 0) LIMIT {SAMPLE}) x) AS messages \
           FROM {states} s WHERE delivered IS NULL AND {SINCE} AND (SELECT count(*) FROM open) >= {SAMPLE} \
           ORDER BY created, outbox_id LIMIT {COUNTED}) counted",
        delivery(layout),
    )
}

/// The oldest pending messages, to be found again by a later look. Of an outbox at which reading stopped not all
/// messages are known: it is left out.
pub(super) fn watched(groups: &[GroupRow]) -> Option<Watched> {
    let seen = groups.iter().find(|row| row.by == 0)?.messages;
    let mut last = groups.iter().filter(|row| row.by == 5);
    let newest = last.next()?;
    let (row, messages) =
        if seen < MOST_SEEN { (newest, seen) } else { (last.next()?, seen - newest.messages) };
    let outbox = outbox_of(row.key.as_deref()?)?;
    Some(Watched { created: row.oldest?, outbox, messages })
}

/// What a look saw of the time since `before`, but for what operators did.
pub(super) fn seen(groups: &[GroupRow], before: &Sample) -> Seen {
    let row = |by: i32| groups.iter().find(|row| row.by == by);
    let arrived = row(7).map_or(0, |row| row.messages);
    let is_whole = before.mark.number.is_some() && arrived < ARRIVED;
    Seen {
        arrived: is_whole.then_some(arrived),
        delivered: row(7).map_or(0, |row| row.looked),
        remaining: row(6).map_or(0, |row| row.messages),
        by_hand: false,
    }
}

/// Whether what operators did can be read here.
async fn has_records(conn: &mut PgConnection) -> Result<bool, Error> {
    if own_schema(conn).await? != OwnSchema::Usable {
        return Ok(false);
    }
    let readable = sqlx::query_scalar(
        "SELECT coalesce(bool_and(has_table_privilege(t, 'SELECT')), false)
         FROM (VALUES (to_regclass('orderscope.audit')), (to_regclass('orderscope.operations')),
                      (to_regclass('orderscope.operation_batches'))) v (t)",
    );
    Ok(readable.fetch_one(conn).await?)
}

/// Whether one of these operations changed something since a moment, or a little before it. Where records cannot be
/// read that is not known, and taken for no.
pub async fn changed_by_hand(
    conn: &mut PgConnection,
    since: DateTime<Utc>,
    operations: &[String],
) -> Result<bool, Error> {
    if !has_records(conn).await? {
        return Ok(false);
    }
    let changed = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM orderscope.audit WHERE at >= $1 AND intent = ANY($2))
             OR EXISTS (SELECT FROM orderscope.operations o JOIN orderscope.operation_batches b
                          ON b.operation = o.id AND b.batch = o.batches
                        WHERE o.name = ANY($2) AND b.ended_at >= $1) AS "changed!""#,
        since - LATE,
        operations
    );
    changed.fetch_one(conn).await.of("orderscope.audit")
}

/// The newest message that no operator put there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromRow)]
pub struct Newest {
    pub number: i64,
    pub sent: DateTime<Utc>,
    /// So many messages were put back since, each with a number of its own.
    pub put_back: i64,
}

/// The newest message that none of these operations put there, where one of them did since a moment; nothing where none
/// did, or where that cannot be read.
pub async fn newest_but_for(
    conn: &mut PgConnection,
    layout: &Layout,
    operations: &[String],
    since: DateTime<Utc>,
) -> Result<Option<Newest>, Error> {
    if !has_records(conn).await? {
        return Ok(None);
    }
    let put_back = sqlx::query!(
        "SELECT at, targets FROM orderscope.audit WHERE at >= $1 AND intent = ANY($2) ORDER BY at DESC LIMIT 200",
        since,
        operations
    )
    .fetch_all(&mut *conn)
    .await
    .of("orderscope.audit")?;
    if put_back.is_empty() {
        return Ok(None);
    }
    let messages: Vec<Uuid> =
        put_back.iter().flat_map(|one| &one.targets).filter_map(|id| id.parse().ok()).collect();
    let sql = format!(
        "SELECT sequence_number AS number, {} AS sent, 0::bigint AS put_back \
         FROM (SELECT sequence_number, sent_time, message_id FROM {} w ORDER BY sequence_number DESC LIMIT 500) m \
         WHERE message_id <> ALL($1) ORDER BY sequence_number DESC LIMIT 1",
        moment("m.sent_time"),
        layout.from(Table::OutboxMessages),
    );
    let newest: Option<Newest> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(messages)
        .fetch_optional(conn)
        .await
        .of(Table::OutboxMessages.name())?;
    Ok(newest.map(|newest| {
        let later = put_back.iter().filter(|one| one.at >= newest.sent).count();
        Newest { put_back: i64::try_from(later).unwrap_or(i64::MAX), ..newest }
    }))
}

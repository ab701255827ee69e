//! The oldest open outboxes with the message each would send next, and what waits behind them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use sqlx::{AssertSqlSafe, FromRow, PgConnection, Postgres, QueryBuilder};
use uuid::Uuid;

use super::{SINCE, finds_by_outbox, locks, messages};
use crate::{
    db::{
        Error, Layout, OfTable, Table,
        expressions::{LINES_TOTAL, MESSAGE_ORDER},
        sql::moment,
    },
    domain::{
        diagnosis::{Blast, Head, Lock, Next, Tally},
        id::{MessageId, OutboxId},
        id_timestamp::last_pass,
        outbox::Owner,
    },
};

/// How many of the oldest open outboxes are shown.
pub const HEADS: i64 = 20;
/// Counting the messages of one outbox stops here.
const MOST_OF_ONE: i64 = 1_000;
/// How many outboxes behind the head are read.
const BEHIND: i64 = 300;

#[derive(FromRow)]
struct Row {
    outbox_id: OutboxId,
    created: DateTime<Utc>,
    lock_id: Uuid,
    last_sequence_number: Option<i64>,
    pending: i64,
    sequence_number: Option<i64>,
    message_id: Option<MessageId>,
    kind: Option<String>,
    destination_address: Option<String>,
}

/// The oldest open outboxes, in the order in which MassTransit takes them, without paused ones: many of
/// these must not hide the first that waits for a worker. The oldest of all was made at
/// [`since`](super::Overview::since).
pub async fn heads(
    conn: &mut PgConnection,
    layout: &Layout,
    since: Option<&str>,
    held: &[Uuid],
    now: DateTime<Utc>,
) -> Result<Vec<Head>, Error> {
    let columns = "sequence_number, outbox_id, message_id, message_type, destination_address";
    let from = messages(layout, columns);
    let of =
        "m.outbox_id = s.outbox_id AND m.sequence_number > coalesce(s.last_sequence_number, 0)";
    let sql = format!(
        "WITH open AS MATERIALIZED (SELECT outbox_id, {} AS created, lock_id, last_sequence_number \
           FROM {} o WHERE delivered IS NULL AND {SINCE} AND outbox_id <> ALL($2) \
           ORDER BY o.created, outbox_id LIMIT {HEADS}) \
         SELECT s.outbox_id, s.created, s.lock_id, s.last_sequence_number, \
           (SELECT count(*) FROM (SELECT FROM {from} m WHERE {of} ORDER BY m.sequence_number LIMIT {MOST_OF_ONE}) x) \
             AS pending, \
           n.sequence_number, n.message_id, n.kind, n.destination_address \
         FROM open s LEFT JOIN LATERAL (SELECT m.sequence_number, m.message_id, \
           left(split_part(m.message_type, ';', 1), 200) AS kind, m.destination_address \
           FROM {from} m WHERE {of} ORDER BY m.sequence_number LIMIT 1) n ON true \
         ORDER BY s.created, s.outbox_id",
        moment("o.created"),
        layout.from(Table::OutboxStates),
    );
    let rows: Vec<Row> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(since)
        .bind(held)
        .fetch_all(&mut *conn)
        .await
        .of(Table::OutboxStates.name())?;
    let owners: Vec<_> = rows.iter().map(|row| Owner::Bus(row.outbox_id)).collect();
    // Locks are unknown where they cannot be read; the rest is shown all the same.
    let locks = locks(conn, layout, &owners).await.unwrap_or_default();
    Ok(rows.into_iter().map(|row| row.head(&locks, now)).collect())
}

impl Row {
    fn head(self, locks: &HashMap<Owner, Lock>, now: DateTime<Utc>) -> Head {
        let next = self.sequence_number.zip(self.message_id).map(|(sequence, message)| Next {
            sequence,
            message,
            kind: self.kind.unwrap_or_default(),
            destination: self.destination_address,
            poison: None,
        });
        Head {
            outbox: self.outbox_id,
            created: self.created,
            pass: last_pass(self.lock_id, now),
            cursor: self.last_sequence_number,
            pending: self.pending,
            next,
            lock: locks.get(&Owner::Bus(self.outbox_id)).cloned().unwrap_or_default(),
        }
    }
}

/// What waits behind an outbox: younger open outboxes that are not paused, the orders that their messages name, and the
/// value of these. At most `BEHIND` outboxes are read.
pub async fn blast(
    conn: &mut PgConnection,
    layout: &Layout,
    (created, outbox): (DateTime<Utc>, OutboxId),
    held: &[Uuid],
) -> Result<Option<Blast>, Error> {
    if !finds_by_outbox(layout) || !layout.reads(Table::OutboxStates) {
        return Ok(None);
    }
    let valued = layout.has_or_small(crate::db::Index::LinesByOrder, Table::OrderItems);
    let value = if valued {
        format!(
            "(SELECT round({LINES_TOTAL}, 4) FROM {} i WHERE i.order_id = ANY(ARRAY(SELECT id FROM named)))",
            layout.from(Table::OrderItems)
        )
    } else {
        "NULL::numeric".to_owned()
    };
    let mut sql = QueryBuilder::<Postgres>::new(format!(
        "WITH behind AS MATERIALIZED (SELECT outbox_id, coalesce(last_sequence_number, 0) AS passed \
           FROM {} s WHERE delivered IS NULL AND created >= ",
        layout.from(Table::OutboxStates)
    ));
    sql.push_bind(created).push(" AND outbox_id <> ").push_bind(outbox);
    sql.push(" AND outbox_id <> ALL(").push_bind(held.to_vec()).push(")");
    sql.push(format!(
        " ORDER BY created, outbox_id LIMIT {BEHIND}), \
         named AS MATERIALIZED (SELECT DISTINCT n.id FROM behind b CROSS JOIN LATERAL (SELECT {MESSAGE_ORDER} AS id \
           FROM {} m WHERE m.outbox_id = b.outbox_id AND m.sequence_number > b.passed \
           ORDER BY m.sequence_number LIMIT 20) n WHERE n.id IS NOT NULL LIMIT {BEHIND}) \
         SELECT (SELECT count(*) FROM behind), (SELECT count(*) FROM named), {value}",
        layout.from(Table::OutboxMessages)
    ));
    let (outboxes, orders, value): (i64, i64, Option<Decimal>) =
        sql.build_query_as().fetch_one(conn).await.of(Table::OutboxStates.name())?;
    Ok(Some(Blast {
        outboxes: Tally::up_to(outboxes, BEHIND),
        orders: Tally::up_to(orders, BEHIND),
        value,
    }))
}

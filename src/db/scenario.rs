//! Trouble planted into a managed database for training: rows with their ids on record, and their removal.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

/// The longest wait for rows that somebody holds.
const PATIENCE: &str = "2s";

/// What is planted now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub name: String,
    pub planted_at: DateTime<Utc>,
}

/// An order that messages can be about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderRow {
    pub id: Uuid,
    pub buyer: Uuid,
    pub name: String,
    pub total: Decimal,
}

/// What a scenario is made to fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The server's clock.
    pub now: DateTime<Utc>,
    /// When the oldest open outbox was made.
    pub head: Option<DateTime<Utc>>,
    /// When the oldest inbox row was delivered that is still there.
    pub remembered: Option<DateTime<Utc>>,
    /// Messages published in the newest week that has any.
    pub weekly: i64,
    /// The newest orders.
    pub orders: Vec<OrderRow>,
}

/// A row of `outbox_state`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outbox {
    pub id: Uuid,
    pub lock: Uuid,
    pub created: DateTime<Utc>,
}

/// A row of `outbox_message`; its number is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub id: Uuid,
    pub outbox: Option<Uuid>,
    /// The consumed message and its consumer.
    pub cause: Option<(Uuid, Uuid)>,
    pub sent: DateTime<Utc>,
    pub headers: Option<String>,
    pub properties: String,
    pub kinds: String,
    pub body: String,
    pub conversation: Uuid,
    pub source: String,
    pub destination: Option<String>,
}

/// A row of `inbox_state`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    pub message: Uuid,
    pub consumer: Uuid,
    pub lock: Uuid,
    pub received: DateTime<Utc>,
    pub passes: i32,
    pub consumed: Option<DateTime<Utc>>,
    pub delivered: Option<DateTime<Utc>>,
    pub cursor: Option<i64>,
}

/// Limits for the transaction, and nobody else plants or heals until it ends.
pub async fn prepare(tx: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query(
        "SELECT set_config('lock_timeout', $1, true), set_config('search_path', 'public', true)",
    )
    .bind(PATIENCE)
    .execute(&mut *tx)
    .await?;
    sqlx::query("LOCK TABLE orderscope.demo_scenario IN SHARE ROW EXCLUSIVE MODE")
        .execute(tx)
        .await?;
    Ok(())
}

/// What is planted.
pub async fn planted(conn: &mut PgConnection) -> sqlx::Result<Option<Record>> {
    sqlx::query_as!(Record, "SELECT name, planted_at FROM orderscope.demo_scenario")
        .fetch_optional(conn)
        .await
}

/// Sessions that deliver outboxes of this database whatever is planted, by what they call themselves; the relay
/// beside a console is none of them.
pub async fn relays(conn: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name LIKE 'orderscope/relay%'",
    )
    .fetch_one(conn)
    .await
}

/// Reads what a scenario is made to fit, with at most `orders` orders.
pub async fn setting(conn: &mut PgConnection, orders: i64) -> sqlx::Result<Setting> {
    let found = sqlx::query(
        "SELECT now() AS now, (SELECT min(created) FROM outbox_state WHERE delivered IS NULL) AS head,
                (SELECT min(delivered) FROM inbox_state) AS remembered,
                (SELECT count(*) FROM outbox_message
                 WHERE sent_time > (SELECT max(sent_time) FROM outbox_message) - interval '7 d') AS weekly",
    )
    .fetch_one(&mut *conn)
    .await?;
    let rows = sqlx::query(
        "SELECT o.id, o.buyer_id, b.name, (SELECT coalesce(sum(price * quantity), 0)::text FROM order_items i
             WHERE i.order_id = o.id) AS total
         FROM orders o JOIN buyers b ON b.id = o.buyer_id WHERE NOT o.is_deleted
         ORDER BY o.created_at DESC, o.id DESC LIMIT $1",
    )
    .bind(orders)
    .fetch_all(conn)
    .await?;
    let orders = rows.into_iter().map(|row| {
        Ok(OrderRow {
            id: row.try_get("id")?,
            buyer: row.try_get("buyer_id")?,
            name: row.try_get("name")?,
            total: row.try_get::<String, _>("total")?.parse().unwrap_or_default(),
        })
    });
    Ok(Setting {
        now: found.try_get("now")?,
        head: found.try_get("head")?,
        remembered: found.try_get("remembered")?,
        weekly: found.try_get("weekly")?,
        orders: orders.collect::<sqlx::Result<_>>()?,
    })
}

/// Records the scenario and writes its rows, each with its ids on record.
pub async fn plant(
    tx: &mut PgConnection,
    name: &str,
    outboxes: &[Outbox],
    received: &[Received],
    messages: &[Message],
) -> sqlx::Result<()> {
    sqlx::query!("INSERT INTO orderscope.demo_scenario (name) VALUES ($1)", name)
        .execute(&mut *tx)
        .await?;
    plant_outboxes(tx, outboxes).await?;
    plant_received(tx, received).await?;
    plant_messages(tx, messages).await
}

async fn plant_outboxes(tx: &mut PgConnection, rows: &[Outbox]) -> sqlx::Result<()> {
    sqlx::query(
        "WITH made AS (INSERT INTO outbox_state (outbox_id, lock_id, created)
             SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) RETURNING outbox_id)
         INSERT INTO orderscope.demo_planted (kind, id) SELECT 'outbox', outbox_id FROM made",
    )
    .bind(rows.iter().map(|row| row.id).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.lock).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.created).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

async fn plant_received(tx: &mut PgConnection, rows: &[Received]) -> sqlx::Result<()> {
    sqlx::query(
        "WITH made AS (INSERT INTO inbox_state (message_id, consumer_id, lock_id, received, receive_count, consumed,
                 delivered, last_sequence_number)
             SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[], $5::int[],
                 $6::timestamptz[], $7::timestamptz[], $8::bigint[]) RETURNING message_id, consumer_id)
         INSERT INTO orderscope.demo_planted (kind, id, consumer_id) SELECT 'inbox', message_id, consumer_id FROM made",
    )
    .bind(rows.iter().map(|row| row.message).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.consumer).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.lock).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.received).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.passes).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.consumed).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.delivered).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.cursor).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

async fn plant_messages(tx: &mut PgConnection, rows: &[Message]) -> sqlx::Result<()> {
    sqlx::query(
        "WITH made AS (INSERT INTO outbox_message (message_id, outbox_id, inbox_message_id, inbox_consumer_id, sent_time,
                 headers, properties, content_type, message_type, body, conversation_id, source_address,
                 destination_address)
             SELECT id, outbox, cause, consumer, sent, headers, properties, $13, kinds, body, conversation, source,
                 destination
             FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::timestamptz[], $6::text[], $7::text[],
                 $8::text[], $9::text[], $10::uuid[], $11::text[], $12::text[])
                 WITH ORDINALITY AS t (id, outbox, cause, consumer, sent, headers, properties, kinds, body,
                 conversation, source, destination, place) ORDER BY place RETURNING message_id, sequence_number)
         INSERT INTO orderscope.demo_planted (kind, id, number) SELECT 'message', message_id, sequence_number FROM made",
    )
    .bind(rows.iter().map(|row| row.id).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.outbox).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.cause.map(|cause| cause.0)).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.cause.map(|cause| cause.1)).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.sent).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.headers.clone()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.properties.clone()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.kinds.clone()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.body.clone()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.conversation).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.source.clone()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.destination.clone()).collect::<Vec<_>>())
    .bind(crate::domain::envelope::CONTENT_TYPE)
    .execute(tx)
    .await?;
    Ok(())
}

/// Puts messages on record that are about to be put into error queues: those have no number in any table.
pub async fn record_faults(tx: &mut PgConnection, messages: &[Uuid]) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO orderscope.demo_planted (kind, id) SELECT 'message', * FROM unnest($1::uuid[])",
    )
    .bind(messages)
    .execute(tx)
    .await?;
    Ok(())
}

/// The messages on record that were put into error queues.
pub async fn faults(conn: &mut PgConnection) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar(
        "SELECT id FROM orderscope.demo_planted WHERE kind = 'message' AND number IS NULL",
    )
    .fetch_all(conn)
    .await
}

/// How many messages others put into planted outboxes, or let planted consumers produce.
pub async fn others(conn: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "SELECT count(*) FROM outbox_message m
         WHERE (EXISTS (SELECT FROM orderscope.demo_planted p WHERE p.kind = 'outbox' AND p.id = m.outbox_id)
             OR EXISTS (SELECT FROM orderscope.demo_planted p WHERE p.kind = 'inbox' AND p.id = m.inbox_message_id
                        AND p.consumer_id = m.inbox_consumer_id))
           AND NOT EXISTS (SELECT FROM orderscope.demo_planted p WHERE p.kind = 'message' AND p.id = m.message_id)",
    )
    .fetch_one(conn)
    .await
}

/// What was removed.
#[derive(Debug, Default)]
pub struct Gone {
    pub gone: u64,
    /// Messages on record that are in queues.
    pub faults: Vec<Uuid>,
}

/// Removes everything that is on record.
pub async fn heal(tx: &mut PgConnection) -> sqlx::Result<Gone> {
    let mut gone = 0;
    for statement in [
        "DELETE FROM outbox_message m USING orderscope.demo_planted p
         WHERE p.kind = 'message' AND p.id = m.message_id
           AND (p.number = m.sequence_number
                OR EXISTS (SELECT FROM orderscope.demo_planted o WHERE o.kind = 'outbox' AND o.id = m.outbox_id))",
        "DELETE FROM outbox_state o USING orderscope.demo_planted p WHERE p.kind = 'outbox' AND p.id = o.outbox_id",
        "DELETE FROM inbox_state i USING orderscope.demo_planted p
         WHERE p.kind = 'inbox' AND p.id = i.message_id AND p.consumer_id = i.consumer_id",
    ] {
        gone += sqlx::query(statement).execute(&mut *tx).await?.rows_affected();
    }
    let faults = faults(tx).await?;
    forget(tx).await?;
    Ok(Gone { gone, faults })
}

/// Takes what was planted off the record: the tables were emptied.
pub async fn forget(tx: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM orderscope.demo_planted").execute(&mut *tx).await?;
    sqlx::query!("DELETE FROM orderscope.demo_scenario").execute(tx).await?;
    Ok(())
}

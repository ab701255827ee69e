//! Lists of messages, page by page by key, without bodies.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection, Postgres, QueryBuilder};
use uuid::Uuid;

use super::{CHECKED, MOST_WITHOUT_INDEX, SAMPLE, messages};
use crate::{
    db::{
        Error, Index, Layout, OfTable, Table,
        messages::{delivery, delivery_of, parents},
        sql::moment,
    },
    domain::{
        coverage::NotLookedAt,
        id::{ConsumerId, MessageId, OutboxId},
        outbox::{Delivery, Owner},
    },
};

/// Which messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum View {
    /// Not recorded as delivered, in the order of delivery.
    #[default]
    Pending,
    /// Recorded as delivered and still there, newest first.
    Delivered,
    /// Without an owner.
    Orphan,
    /// Pending past their expiration time.
    Expired,
    /// Pending with no destination, or one that cannot be used.
    Undeliverable,
}

impl View {
    pub const ALL: [Self; 5] =
        [Self::Pending, Self::Delivered, Self::Orphan, Self::Expired, Self::Undeliverable];

    /// As verbs and screen call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Orphan => "orphan",
            Self::Expired => "expired",
            Self::Undeliverable => "undeliverable",
        }
    }
}

/// Only the messages of one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// By one of its types' URNs, or the end of one behind a colon: `PlaceOrder`.
    Type(String),
    /// By the whole address, the exchange it names, or the end of that; nothing: without a destination.
    Destination(Option<String>),
    Outbox(OutboxId),
}

impl Filter {
    /// As a condition on a message `m`.
    fn push(&self, sql: &mut QueryBuilder<Postgres>) {
        match self {
            Self::Type(kind) => {
                // One of the types whole, or its end behind a colon.
                sql.push(" AND position(':' || ").push_bind(kind.clone()).push(
                    " || ';' IN ':' || replace(left(m.message_type, 4000), ';', ';:') || ';') > 0",
                );
            }
            Self::Destination(None) => {
                sql.push(" AND m.destination_address IS NULL");
            }
            Self::Destination(Some(address)) if address.contains("://") => {
                sql.push(" AND m.destination_address = ").push_bind(address.clone());
            }
            Self::Destination(Some(name)) => {
                sql.push(" AND (m.destination_address = ").push_bind(name.clone());
                sql.push(" OR right(translate(split_part(m.destination_address, '?', 1), '/', ':'), length(")
                    .push_bind(name.clone())
                    .push(") + 1) = ':' || ")
                    .push_bind(name.clone())
                    .push(")");
            }
            Self::Outbox(id) => {
                sql.push(" AND m.outbox_id = ").push_bind(*id);
            }
        }
    }
}

/// Where a page ends; the next page begins after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    since: DateTime<Utc>,
    parent: Uuid,
    sequence: i64,
}

/// A message in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub sequence: i64,
    pub message: MessageId,
    /// The first URN of its type.
    pub kind: String,
    pub destination: Option<String>,
    pub published: DateTime<Utc>,
    pub expires: Option<DateTime<Utc>>,
    pub delivery: Delivery,
    pub owner: Owner,
    pub conversation: Option<Uuid>,
    pub correlation: Option<Uuid>,
    pub key: Cursor,
}

#[derive(FromRow)]
struct Found {
    sequence_number: i64,
    message_id: MessageId,
    kind: String,
    destination_address: Option<String>,
    sent_time: DateTime<Utc>,
    expiration_time: Option<DateTime<Utc>>,
    delivery: i32,
    outbox_id: Option<OutboxId>,
    inbox_message_id: Option<MessageId>,
    inbox_consumer_id: Option<ConsumerId>,
    conversation_id: Option<Uuid>,
    correlation_id: Option<Uuid>,
    since: DateTime<Utc>,
    parent: Uuid,
}

const COLUMNS: &str = "sequence_number, message_id, message_type, destination_address, sent_time, \
    expiration_time, outbox_id, inbox_message_id, inbox_consumer_id, conversation_id, correlation_id";

/// A page of at most `limit` messages after `after`, and what was not looked at.
pub async fn list(
    conn: &mut PgConnection,
    layout: &Layout,
    view: View,
    filters: &[Filter],
    after: Option<Cursor>,
    limit: i64,
    now: DateTime<Utc>,
) -> Result<(Vec<Row>, Vec<NotLookedAt>), Error> {
    let mut sql = match view {
        View::Pending => pending(layout, filters, after, limit),
        View::Delivered => delivered(layout, filters, after, limit),
        View::Orphan | View::Expired | View::Undeliverable => {
            wrong(layout, view, filters, after, limit, now)
        }
    };
    let rows: Vec<Found> =
        sql.build_query_as().fetch_all(conn).await.of(Table::OutboxMessages.name())?;
    let mut coverage = layout.not_looked_at(match view {
        View::Orphan => &[Table::OutboxMessages],
        View::Delivered => &[Table::OutboxMessages, Table::OutboxStates],
        View::Pending | View::Expired | View::Undeliverable => {
            &[Table::OutboxMessages, Table::OutboxStates, Table::InboxStates]
        }
    });
    let most = match view {
        View::Pending | View::Delivered if !super::finds_by_outbox(layout) => MOST_WITHOUT_INDEX,
        View::Orphan if !(layout.is_managed() || super::finds_by_outbox(layout)) => {
            MOST_WITHOUT_INDEX
        }
        View::Expired if !layout.has_or_small(Index::MessageExpiration, Table::OutboxMessages) => {
            MOST_WITHOUT_INDEX
        }
        View::Undeliverable if !super::knows_undeliverable(layout) => CHECKED,
        _ => 0,
    };
    if most > 0 && layout.reads(Table::OutboxMessages) {
        let why = "no index leads to them";
        coverage.push(NotLookedAt::narrowed(format!("messages after the oldest {most}"), why));
    }
    let sampled = matches!(view, View::Pending | View::Delivered) && outbox(filters).is_none();
    if sampled && !filters.is_empty() {
        let why = format!("looked for in the {SAMPLE} outboxes that come next");
        coverage.push(NotLookedAt::narrowed("later outboxes", why));
    }
    Ok((rows.into_iter().map(Row::from).collect(), coverage))
}

/// The one outbox that is looked for.
fn outbox(filters: &[Filter]) -> Option<OutboxId> {
    filters.iter().find_map(|filter| match filter {
        Filter::Outbox(id) => Some(*id),
        Filter::Type(_) | Filter::Destination(_) => None,
    })
}

/// What every branch selects of a message `m` with its parent's time and id.
fn taken(since: &str, parent: &str, delivery: &str) -> String {
    format!(
        "m.sequence_number, m.message_id, left(split_part(m.message_type, ';', 1), 200) AS kind, \
         left(m.destination_address, 1000) AS destination_address, {} AS sent_time, {} AS expiration_time, \
         {delivery} AS delivery, m.outbox_id, m.inbox_message_id, m.inbox_consumer_id, m.conversation_id, \
         m.correlation_id, {} AS since, {parent} AS parent",
        moment("m.sent_time"),
        moment("m.expiration_time"),
        moment(since),
    )
}

/// Messages of open parents: bus outboxes by age, then those of half-done consumers among them by age.
fn pending(
    layout: &Layout,
    filters: &[Filter],
    after: Option<Cursor>,
    limit: i64,
) -> QueryBuilder<Postgres> {
    let from = messages(layout, COLUMNS);
    let mut sql = QueryBuilder::new("SELECT * FROM (");
    for consumer in [false, true] {
        let (table, time, parent, join) = if consumer {
            (
                Table::InboxStates,
                "consumed",
                "message_id",
                "m.inbox_message_id = p.message_id AND m.inbox_consumer_id = p.consumer_id",
            )
        } else {
            (Table::OutboxStates, "created", "outbox_id", "m.outbox_id = p.outbox_id")
        };
        if consumer {
            sql.push(" UNION ALL ");
        }
        let columns = if consumer {
            "message_id, consumer_id, consumed, last_sequence_number"
        } else {
            "outbox_id, created, last_sequence_number"
        };
        sql.push(format!(
            "(SELECT {} FROM (SELECT {columns} FROM {} s WHERE delivered IS NULL AND {time} IS NOT NULL",
            taken(&format!("p.{time}"), &format!("p.{parent}"), "0"),
            layout.from(table),
        ));
        if let Some(after) = after {
            sql.push(format!(" AND {time} >= ")).push_bind(after.since);
        }
        if let (Some(id), false) = (outbox(filters), consumer) {
            sql.push(" AND outbox_id = ").push_bind(id);
        }
        sql.push(format!(" ORDER BY {time}, {parent}"));
        if !filters.is_empty() {
            sql.push(format!(" LIMIT {SAMPLE}"));
        }
        sql.push(format!(
            ") p CROSS JOIN LATERAL (SELECT {COLUMNS} FROM {from} m WHERE {join} \
             AND m.sequence_number > coalesce(p.last_sequence_number, 0) ORDER BY m.sequence_number LIMIT {limit}) m \
             WHERE true"
        ));
        for filter in filters {
            filter.push(&mut sql);
        }
        if let Some(after) = after {
            sql.push(format!(" AND (p.{time}, p.{parent}, m.sequence_number) > ("));
            sql.push_bind(after.since).push(", ").push_bind(after.parent).push(", ");
            sql.push_bind(after.sequence).push(")");
        }
        sql.push(format!(" ORDER BY p.{time}, p.{parent}, m.sequence_number LIMIT "))
            .push_bind(limit)
            .push(")");
    }
    sql.push(") x ORDER BY since, parent, sequence_number LIMIT ").push_bind(limit);
    sql
}

/// Messages of delivered parents that are still there, newest delivery first.
fn delivered(
    layout: &Layout,
    filters: &[Filter],
    after: Option<Cursor>,
    limit: i64,
) -> QueryBuilder<Postgres> {
    let from = messages(layout, COLUMNS);
    let mut sql = QueryBuilder::new(format!(
        "SELECT {} FROM (SELECT outbox_id, delivered FROM {} s WHERE delivered IS NOT NULL",
        taken("p.delivered", "p.outbox_id", "1"),
        layout.from(Table::OutboxStates),
    ));
    if let Some(after) = after {
        sql.push(" AND delivered <= ").push_bind(after.since);
    }
    if let Some(id) = outbox(filters) {
        sql.push(" AND outbox_id = ").push_bind(id);
    }
    sql.push(" ORDER BY delivered DESC, outbox_id DESC");
    if !filters.is_empty() {
        sql.push(format!(" LIMIT {SAMPLE}"));
    }
    sql.push(format!(
        ") p CROSS JOIN LATERAL (SELECT {COLUMNS} FROM {from} m \
         WHERE m.outbox_id = p.outbox_id ORDER BY m.sequence_number DESC LIMIT {limit}) m WHERE true"
    ));
    for filter in filters {
        filter.push(&mut sql);
    }
    if let Some(after) = after {
        sql.push(" AND (p.delivered, p.outbox_id, m.sequence_number) < (")
            .push_bind(after.since)
            .push(", ");
        sql.push_bind(after.parent).push(", ").push_bind(after.sequence).push(")");
    }
    sql.push(" ORDER BY p.delivered DESC, p.outbox_id DESC, m.sequence_number DESC LIMIT ")
        .push_bind(limit);
    sql
}

/// Orphans, expired and undeliverable messages, by sequence number.
fn wrong(
    layout: &Layout,
    view: View,
    filters: &[Filter],
    after: Option<Cursor>,
    limit: i64,
    now: DateTime<Utc>,
) -> QueryBuilder<Postgres> {
    let from = layout.from(Table::OutboxMessages);
    let pool = if view == View::Orphan {
        super::orphans(layout, COLUMNS)
    } else if view == View::Undeliverable {
        super::checked(layout, COLUMNS)
    } else if layout.has_or_small(Index::MessageExpiration, Table::OutboxMessages) {
        from.to_owned()
    } else {
        format!(
            "(SELECT {COLUMNS} FROM {from} w ORDER BY sequence_number LIMIT {MOST_WITHOUT_INDEX})"
        )
    };
    let delivered = delivery(layout);
    let mut sql = QueryBuilder::new(format!(
        "SELECT {} FROM {pool} m {} WHERE m.sequence_number > ",
        taken("m.sent_time", "'00000000-0000-0000-0000-000000000000'::uuid", &delivered),
        parents(layout),
    ));
    sql.push_bind(after.map_or(i64::MIN, |after| after.sequence));
    match view {
        View::Orphan => sql.push(" AND m.outbox_id IS NULL AND m.inbox_message_id IS NULL"),
        View::Undeliverable => {
            let test = super::undeliverable(layout, &pool);
            sql.push(format!(" AND {test} AND {delivered} = 0"))
        }
        View::Pending | View::Delivered | View::Expired => sql
            .push(" AND m.expiration_time < ")
            .push_bind(now)
            .push(format!(" AND {delivered} = 0")),
    };
    for filter in filters {
        filter.push(&mut sql);
    }
    sql.push(" ORDER BY m.sequence_number LIMIT ").push_bind(limit);
    sql
}

impl From<Found> for Row {
    fn from(row: Found) -> Self {
        Self {
            sequence: row.sequence_number,
            message: row.message_id,
            kind: row.kind,
            destination: row.destination_address,
            published: row.sent_time,
            expires: row.expiration_time,
            delivery: delivery_of(row.delivery),
            owner: Owner::of(row.outbox_id, row.inbox_message_id, row.inbox_consumer_id),
            conversation: row.conversation_id,
            correlation: row.correlation_id,
            key: Cursor { since: row.since, parent: row.parent, sequence: row.sequence_number },
        }
    }
}

#[cfg(test)]
impl Cursor {
    /// Any place, for tests of screens.
    pub const fn sample(sequence: i64) -> Self {
        Self { since: DateTime::UNIX_EPOCH, parent: Uuid::nil(), sequence }
    }
}

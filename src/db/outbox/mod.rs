//! Figures of the outbox tables: how much is pending, since when, of which kinds; what the diagnosis needs.
//! Message bodies are read only for single messages.
//!
//! A pending message is found from its parent: outboxes not recorded as delivered, oldest first, as MassTransit
//! takes them. The cost follows what is pending, not what is kept. Without MassTransit's own index on a message's
//! outbox, only the oldest messages are read.

mod heads;
mod latency;
mod list;
mod lock;
mod moved;
mod show;
mod stored;

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, FromRow, PgConnection};

pub use self::{
    heads::{blast, heads},
    latency::{latency, youngest_left},
    list::{Cursor, Filter, Row, View, list},
    lock::{held_by, idle_sessions},
    moved::{changed_by_hand, newest_but_for},
    show::{MessageKey, OutboxMessage, ahead, behind, show, whole},
};
pub(super) use self::{
    lock::locks,
    stored::{NAMES as STORED_NAMES, StoredRow, columns as stored_columns},
};
use super::{
    Error, Index, Layout, Table,
    sql::{NEVER, moment},
};
use crate::domain::{
    backlog::{Mark, Sample, Seen},
    coverage::NotLookedAt,
    diagnosis::Tally,
    event::EventKind,
    id::OutboxId,
};

/// An open outbox is not older than the oldest, which is bound first.
const SINCE: &str = "created >= coalesce($1::timestamptz, '-infinity')";
/// How many of the oldest open outboxes are read for sums and groups; beyond that they are estimates.
pub const SAMPLE: i64 = 2_000;
/// The messages of so many open outboxes are counted; beyond that they are estimated.
const COUNTED: i64 = 20_000;
/// At most this many messages of the oldest are read for groups.
const MOST_SEEN: i64 = SAMPLE * 4;
/// How many of the oldest messages are read where no index leads from an outbox to its messages.
pub const MOST_WITHOUT_INDEX: i64 = 20_000;
/// How many of the oldest messages are checked for bad destinations where no index knows them.
const CHECKED: i64 = 5_000;
/// Counting open outboxes stops here.
const MOST_OPEN: i64 = 200_000;
/// Counting what is wrong stops here.
const MOST_WRONG: i64 = 1_000;
/// How many of the newest events are checked for messages that were published with them.
const LATEST_EVENTS: i64 = 20;
/// How many groups are listed.
const GROUPS: i64 = 12;

/// The destinations that `domain::address` cannot read, as a condition. A managed database has an index on it
/// (`migrations/managed/0008_undeliverable.sql`).
pub(super) const UNDELIVERABLE: &str = concat!(
    r"(destination_address IS NULL OR destination_address !~* ",
    r"'^[ \t\n\f\r]*((rabbitmqs?|amqps?)://[^/? \t\n\f\r]+/([^?]*/)?|(queue|exchange):/*)",
    r"[-a-z0-9_.:]+([?]|[ \t\n\f\r]*$)' OR destination_address !~ ",
    r"'^[^?]*([?](((temporary|durable|autodelete|bind)=(true|false)|type=(fanout|direct|topic|headers)",
    r"|(queue|alternateexchange)=[-A-Za-z0-9_.:]+",
    r"|(?!(temporary|durable|autodelete|bind|type|queue|alternateexchange)(=|&|[ \t\n\f\r]*$))[^&]*)",
    r"(&|[ \t\n\f\r]*$))*)?$')"
);

/// Sums over the outbox tables.
#[derive(Debug, Clone, PartialEq)]
pub struct Overview {
    /// The server's clock.
    pub now: DateTime<Utc>,
    pub open: Tally,
    /// When the oldest open outbox was made, as the server writes it: an index on that leads past those that are
    /// delivered and kept.
    pub since: Option<String>,
    pub bus: Tally,
    pub consumer: Tally,
    pub oldest: Option<DateTime<Utc>>,
    pub newest: Option<DateTime<Utc>>,
    pub last_delivered: Option<DateTime<Utc>>,
    pub orphans: Tally,
    pub expired: Tally,
    pub undeliverable: Tally,
    pub by_type: Vec<Group>,
    pub by_destination: Vec<Group>,
    pub by_outbox: Vec<Group>,
    /// Rows ever inserted since statistics began.
    pub inserted: Option<i64>,
    /// The last sequence number drawn; nothing where our role may not see it.
    pub drawn: Option<i64>,
    /// The number of the newest message that is still there.
    pub newest_number: Option<i64>,
    /// When the newest events of published kinds were written, newest first; some of them.
    pub events: Vec<DateTime<Utc>>,
    /// With what the next look compares itself.
    pub mark: Mark,
    /// What became of the messages that an earlier look watched; nothing where none was handed in.
    pub seen: Option<Seen>,
    /// What was not looked at.
    pub coverage: Vec<NotLookedAt>,
}

/// Pending messages with something in common, among those that were looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// A message type's URN, a destination or an outbox id; nothing for "no destination".
    pub key: Option<String>,
    pub messages: i64,
    pub oldest: Option<DateTime<Utc>>,
}

#[derive(FromRow)]
struct Sums {
    now: DateTime<Utc>,
    open: i64,
    since: Option<String>,
    newest: Option<DateTime<Utc>>,
    last_delivered: Option<DateTime<Utc>>,
    orphans: i64,
    expired: i64,
    undeliverable: i64,
    inserted: Option<i64>,
    drawn: Option<i64>,
    newest_number: Option<i64>,
    deleted: Option<i64>,
    events: Vec<DateTime<Utc>>,
}

#[derive(FromRow)]
struct GroupRow {
    by: i32,
    key: Option<String>,
    messages: i64,
    oldest: Option<DateTime<Utc>>,
    looked: i64,
}

/// Whether an outbox leads to its messages without reading the whole table.
pub fn finds_by_outbox(layout: &Layout) -> bool {
    layout.has_or_small(Index::MessageOutbox, Table::OutboxMessages)
}

/// The messages that queries by outbox may look at.
pub(super) fn messages(layout: &Layout, columns: &str) -> String {
    let from = layout.from(Table::OutboxMessages);
    if finds_by_outbox(layout) {
        return from.to_owned();
    }
    format!("(SELECT {columns} FROM {from} w ORDER BY sequence_number LIMIT {MOST_WITHOUT_INDEX})")
}

/// Sums and groups as of `now`, or of the server's clock; and what changed since an earlier look.
pub async fn overview(
    conn: &mut PgConnection,
    layout: &Layout,
    now: Option<DateTime<Utc>>,
    before: Option<&Sample>,
) -> Result<Overview, Error> {
    let sums: Sums =
        sqlx::query_as(AssertSqlSafe(sums_sql(layout))).bind(now).fetch_one(&mut *conn).await?;
    let watched = before.and_then(|before| before.mark.watched);
    let groups: Vec<GroupRow> = sqlx::query_as(AssertSqlSafe(groups_sql(layout)))
        .bind(&sums.since)
        .bind(watched.map(|watched| watched.created))
        .bind(watched.map(|watched| watched.outbox.0))
        .bind(before.and_then(|before| before.mark.number))
        .fetch_all(conn)
        .await?;
    let pick = |by: i32| -> Vec<Group> {
        let of = groups.iter().filter(|row| row.by == by);
        of.map(|row| Group { key: row.key.clone(), messages: row.messages, oldest: row.oldest })
            .collect()
    };
    let whole = |by: i32| groups.iter().find(|row| row.by == by);
    let looked = whole(0).map_or(0, |row| row.looked);
    let seen = whole(0).map_or(0, |row| row.messages);
    let of_one = pick(4).first().map_or(0, |group| group.messages);
    // Where not all were read, they were counted.
    let (looked, seen) = match whole(8) {
        Some(counted) if counted.looked > looked => (counted.looked, counted.messages),
        _ => (looked, seen),
    };
    let bus = bus(layout, sums.open, looked, seen, of_one);
    let mut coverage = layout.not_looked_at(&[
        Table::OutboxMessages,
        Table::OutboxStates,
        Table::InboxStates,
        Table::Events,
    ]);
    if layout.reads(Table::OutboxMessages) && !finds_by_outbox(layout) {
        coverage.push(NotLookedAt::narrowed(
            format!("messages after the oldest {MOST_WITHOUT_INDEX}"),
            "no index on outbox_message(outbox_id)",
        ));
    } else if sums.open > whole(0).map_or(0, |row| row.looked) {
        let why = format!("over the oldest {SAMPLE} outboxes");
        coverage.push(NotLookedAt::narrowed("groups", why));
    }
    let [messages, states, inbox] =
        [Table::OutboxMessages, Table::OutboxStates, Table::InboxStates]
            .map(|table| layout.knows(table));
    let wrong = |count| Tally::up_to(count, MOST_WRONG);
    let consumer = Tally::up_to(whole(1).map_or(0, |row| row.messages), SAMPLE);
    let exact = |tally| matches!(tally, Tally::Exact(_));
    let mark = Mark {
        number: sums.drawn.or(sums.newest_number),
        // Our own relay keeps what it delivered: what is deleted there left long ago.
        deleted: sums.deleted.filter(|_| !layout.is_managed()),
        watched: moved::watched(&groups),
        unseen: 0,
        is_exact: messages && states && inbox && exact(bus) && exact(consumer),
    };
    let oldest = [0, 1].into_iter().filter_map(|by| whole(by)?.oldest).min();
    Ok(Overview {
        now: sums.now,
        open: Tally::up_to(sums.open, MOST_OPEN).known_if(states),
        since: sums.since,
        bus: bus.known_if(messages && states),
        consumer: consumer.known_if(messages && inbox),
        oldest,
        newest: sums.newest,
        last_delivered: sums.last_delivered,
        orphans: wrong(sums.orphans).known_if(messages && states),
        expired: wrong(sums.expired).known_if(messages && states && inbox),
        undeliverable: wrong(sums.undeliverable).known_if(messages && states && inbox),
        by_type: pick(2),
        by_destination: pick(3),
        by_outbox: pick(4),
        inserted: sums.inserted,
        drawn: sums.drawn,
        newest_number: sums.newest_number,
        events: sums.events,
        mark,
        seen: before.map(|before| moved::seen(&groups, before)),
        coverage,
    })
}

/// How many messages of open outboxes there are, when `seen` were seen in `looked` of `open` outboxes, at most `of_one`
/// in any.
fn bus(layout: &Layout, open: i64, looked: i64, seen: i64, of_one: i64) -> Tally {
    if !finds_by_outbox(layout) {
        let rows = layout.estimated_rows(Table::OutboxMessages);
        let all = rows.is_some_and(|rows| rows < MOST_WITHOUT_INDEX);
        return if all { Tally::Exact(seen) } else { Tally::AtLeast(seen) };
    }
    // Every outbox has about as many as those that were looked into.
    let estimate = |seen: i64| {
        i64::try_from(i128::from(seen) * i128::from(open) / i128::from(looked.max(1)))
            .unwrap_or(seen)
    };
    if open >= MOST_OPEN || of_one >= SAMPLE {
        Tally::AtLeast(estimate(seen).max(seen))
    } else if open > looked {
        Tally::About(estimate(seen))
    } else {
        Tally::Exact(seen)
    }
}

/// Where messages without an owner are looked for: a managed database has an index on them, MassTransit's own
/// index leads to those without an outbox, and else only the oldest are looked at.
fn orphans(layout: &Layout, columns: &str) -> String {
    let from = layout.from(Table::OutboxMessages);
    if layout.is_managed() || layout.is_small(Table::OutboxMessages) {
        from.to_owned()
    } else if layout.has(Index::MessageOutbox) {
        format!(
            "(SELECT {columns} FROM {from} w WHERE outbox_id IS NULL LIMIT {MOST_WITHOUT_INDEX})"
        )
    } else {
        format!(
            "(SELECT {columns} FROM {from} w ORDER BY sequence_number LIMIT {MOST_WITHOUT_INDEX})"
        )
    }
}

/// Whether all messages that cannot leave as they are can be found: a managed database has a partial index on
/// them; elsewhere only the oldest [`CHECKED`] messages are looked at.
fn knows_undeliverable(layout: &Layout) -> bool {
    layout.is_managed() || layout.is_small(Table::OutboxMessages)
}

/// Where messages that cannot leave as they are looked for.
fn checked(layout: &Layout, columns: &str) -> String {
    let from = layout.from(Table::OutboxMessages);
    if knows_undeliverable(layout) {
        return from.to_owned();
    }
    format!("(SELECT {columns} FROM {from} w ORDER BY sequence_number LIMIT {CHECKED})")
}

/// The test on such a message `m` of `pool`, which [`checked`] gives.
fn undeliverable(layout: &Layout, pool: &str) -> String {
    if knows_undeliverable(layout) {
        return UNDELIVERABLE.replace("destination_address", "m.destination_address");
    }
    // Many messages go to few destinations, and matching is what costs: each is matched once.
    format!(
        "(m.destination_address IS NULL OR m.destination_address IN (SELECT d.destination_address \
         FROM (SELECT DISTINCT destination_address FROM {pool} p OFFSET 0) d WHERE {UNDELIVERABLE}))"
    )
}

/// The single figures. Each is an index look-up, or bounded.
fn sums_sql(layout: &Layout) -> String {
    let [states, from, events] =
        [Table::OutboxStates, Table::OutboxMessages, Table::Events].map(|table| layout.from(table));
    let relation = |table: Table| layout.relation(table).unwrap_or("nothing").replace('\'', "''");
    let outbox = relation(Table::OutboxMessages);
    let parents = "sequence_number, outbox_id, inbox_message_id, inbox_consumer_id";
    let small = layout.is_small(Table::OutboxMessages);
    let orphans = orphans(layout, parents);
    let expired = if small || layout.has(Index::MessageExpiration) {
        from.to_owned()
    } else {
        format!(
            "(SELECT {parents}, expiration_time FROM {from} w ORDER BY sequence_number LIMIT {MOST_WITHOUT_INDEX})"
        )
    };
    // Where an index knows them it is asked; else what is checked is read once for its two uses.
    let (with, wrong) = if knows_undeliverable(layout) {
        (String::new(), from)
    } else {
        let pool = checked(layout, &format!("{parents}, destination_address"));
        (format!("WITH wrong AS MATERIALIZED (SELECT * FROM {pool} p) "), "wrong")
    };
    let undeliverable = undeliverable(layout, wrong);
    // The maximum is taken of the stored value, which an index serves, and only then cut to the range of our type.
    let last = moment("last.at");
    let (open, once) = if layout.is_managed() {
        let open = format!(
            "(SELECT count(*) FROM (SELECT FROM {states} s WHERE delivered IS NULL LIMIT {MOST_OPEN}) x) AS open, \
             (SELECT min(created)::text FROM {states} s WHERE delivered IS NULL) AS since, \
             (SELECT {last} FROM (SELECT max(delivered) AS at FROM {states} s WHERE delivered < {NEVER}) last) AS last_delivered"
        );
        (open, String::new())
    } else {
        // Without an index for any of them, one scan of the table answers all.
        let once = format!(
            " FROM (SELECT least(count(*) FILTER (WHERE delivered IS NULL), {MOST_OPEN}) AS open, \
             min(created) FILTER (WHERE delivered IS NULL) AS since, max(delivered) FILTER (WHERE delivered < {NEVER}) AS at FROM {states} s) last"
        );
        (format!("last.open, last.since::text AS since, {last} AS last_delivered"), once)
    };
    let published: Vec<_> =
        EventKind::ALL.iter().map(|kind| format!("'{}'", kind.alias())).collect();
    let published = published.join(", ");
    // Few messages pass such a test, whatever the planner estimates: their parents are looked up, not joined.
    let inboxes = layout.from(Table::InboxStates);
    let pending = |source: &str, test: &str| {
        format!(
            "(SELECT count(*) FROM (SELECT FROM {source} m \
               LEFT JOIN LATERAL (SELECT * FROM {states} o WHERE o.outbox_id = m.outbox_id LIMIT 1) o ON true \
               LEFT JOIN LATERAL (SELECT * FROM {inboxes} i WHERE i.message_id = m.inbox_message_id \
                 AND i.consumer_id = m.inbox_consumer_id LIMIT 1) i ON true \
               WHERE {test} AND {} = 0 LIMIT {MOST_WRONG}) x)",
            super::messages::delivery(layout),
        )
    };
    format!(
        "{with}SELECT coalesce($1, now()) AS now, {open}, \
         (SELECT {} FROM {from} m ORDER BY sequence_number DESC LIMIT 1) AS newest, \
         (SELECT count(*) FROM (SELECT FROM {orphans} m WHERE outbox_id IS NULL AND inbox_message_id IS NULL \
            LIMIT {MOST_WRONG}) x) AS orphans, \
         {} AS expired, {} AS undeliverable, \
         pg_stat_get_tuples_inserted(to_regclass('{outbox}')) AS inserted, \
         CASE WHEN current_setting('track_counts')::boolean \
           THEN pg_stat_get_tuples_deleted(to_regclass('{outbox}')) END AS deleted, \
         (SELECT CASE WHEN has_sequence_privilege(d.objid, 'SELECT') OR has_sequence_privilege(d.objid, 'USAGE') \
            THEN coalesce(pg_sequence_last_value(d.objid), 0) END \
          FROM pg_depend d JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'S' \
          WHERE d.refclassid = 'pg_class'::regclass AND d.classid = 'pg_class'::regclass \
            AND d.refobjid = to_regclass('{outbox}') AND d.deptype IN ('a', 'i') LIMIT 1) AS drawn, \
         (SELECT sequence_number FROM {from} m ORDER BY sequence_number DESC LIMIT 1) AS newest_number, \
         ARRAY(SELECT {} FROM (SELECT seq_id, type, timestamp FROM {events} w ORDER BY seq_id DESC \
           LIMIT {LATEST_EVENTS}) e WHERE e.type IN ({published}) ORDER BY e.seq_id DESC) AS events{once}",
        moment("m.sent_time"),
        pending(&expired, "m.expiration_time < coalesce($1, now())"),
        pending(wrong, &undeliverable),
        moment("e.timestamp"),
    )
}

/// Pending messages of the oldest open outboxes: all (0), those of consumers (1), by type (2), destination (3)
/// and outbox (4); and, in the same snapshot, what [`moved`] needs: the last two outboxes that were read (5), what is
/// left of the outboxes that an earlier look watched (6), what came after it (7); all messages where not all outboxes
/// were read (8).
fn groups_sql(layout: &Layout) -> String {
    let (states, inbox) = (layout.from(Table::OutboxStates), layout.from(Table::InboxStates));
    let columns = "sequence_number, outbox_id, inbox_message_id, inbox_consumer_id, message_type, \
                   destination_address, sent_time";
    let from = messages(layout, columns);
    let taken = format!(
        "left(split_part(m.message_type, ';', 1), 200) AS kind, m.destination_address AS destination, {} AS sent",
        moment("m.sent_time")
    );
    // ORDER BY inside LATERAL keeps the planner from reading the whole table instead of the pending part.
    let mut sql = format!(
        "WITH open AS MATERIALIZED (SELECT outbox_id, {} AS at, coalesce(last_sequence_number, 0) AS passed \
           FROM {states} s WHERE delivered IS NULL AND {SINCE} ORDER BY created, outbox_id LIMIT {SAMPLE}), \
         bus AS MATERIALIZED (SELECT m.*, o.at FROM open o CROSS JOIN LATERAL (SELECT {taken}, m.outbox_id \
           FROM {from} m WHERE m.outbox_id = o.outbox_id AND m.sequence_number > o.passed \
           ORDER BY m.sequence_number LIMIT {SAMPLE}) m LIMIT {MOST_SEEN}), \
         half AS MATERIALIZED (SELECT message_id, consumer_id, coalesce(last_sequence_number, 0) AS passed \
           FROM {inbox} s WHERE delivered IS NULL AND consumed IS NOT NULL LIMIT {SAMPLE}), \
         consumer AS MATERIALIZED (SELECT m.* FROM half i CROSS JOIN LATERAL (SELECT {taken} \
           FROM {from} m WHERE m.inbox_message_id = i.message_id AND m.inbox_consumer_id = i.consumer_id \
           AND m.sequence_number > i.passed ORDER BY m.sequence_number LIMIT {SAMPLE}) m LIMIT {SAMPLE}), \
         both_ AS (SELECT kind, destination, sent, outbox_id FROM bus \
           UNION ALL SELECT kind, destination, sent, NULL FROM consumer) \
         SELECT 0 AS by, NULL AS key, count(*) AS messages, min(sent) AS oldest, (SELECT count(*) FROM open) AS looked \
           FROM bus \
         UNION ALL SELECT 1, NULL, count(*), min(sent), 0 FROM consumer{}",
        moment("s.created"),
        moved::sql(layout),
    );
    for (by, key) in [(2, "kind"), (3, "destination"), (4, "outbox_id")] {
        let only = if by == 4 { "WHERE outbox_id IS NOT NULL" } else { "" };
        // Writing to a String cannot fail.
        let _ = write!(
            sql,
            " UNION ALL (SELECT {by}, {key}::text, count(*), min(sent), 0 FROM both_ {only} GROUP BY {key} \
             ORDER BY count(*) DESC, min(sent) LIMIT {GROUPS})"
        );
    }
    sql
}

/// The ids of an outbox group's key.
pub fn outbox_of(key: &str) -> Option<OutboxId> {
    key.parse().ok().map(OutboxId)
}

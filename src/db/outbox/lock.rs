//! Who holds a row, found without locking it: the row's `xmax` compared with the transactions that are running.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, FromRow, PgConnection, Postgres, QueryBuilder};
use uuid::Uuid;

use crate::db::{Error, Layout, Table, sql::moment};
use crate::domain::{
    diagnosis::{Backend, Lock},
    id::{ConsumerId, MessageId, OutboxId},
    outbox::Owner,
};

#[derive(FromRow)]
struct LockRow {
    key: Uuid,
    /// Of rows of the inbox.
    consumer: Option<Uuid>,
    /// `xmax` is set: somebody locked or changed the row, now or long ago.
    touched: bool,
    pid: Option<i32>,
    application: Option<String>,
    state: Option<String>,
    since: Option<DateTime<Utc>>,
    client: Option<String>,
    /// Other sessions have locked rows of the table.
    others: bool,
    /// `xmax` as text: the number of a transaction, or of a multixact.
    holder: String,
}

/// Sessions that hold a row together.
#[derive(FromRow)]
struct MemberRow {
    pid: i32,
    application: Option<String>,
    state: Option<String>,
    since: Option<DateTime<Utc>>,
    client: Option<String>,
}

/// The state of the locks on these owners' rows; those that cannot be asked are left out. A message may be worked on by
/// one consumer and not by another: a consumer's row is found by both ids.
pub(in crate::db) async fn locks(
    conn: &mut PgConnection,
    layout: &Layout,
    owners: &[Owner],
) -> Result<HashMap<Owner, Lock>, Error> {
    let mut out = HashMap::new();
    let (mut outboxes, mut received, mut consumers) = (vec![], vec![], vec![]);
    for owner in owners {
        match owner {
            Owner::Bus(outbox) => outboxes.push(outbox.0),
            Owner::Consumer { message, consumer } => {
                received.push(message.0);
                consumers.push(consumer.0);
            }
            Owner::Nobody => {}
        }
    }
    for (table, keys) in [(Table::OutboxStates, outboxes), (Table::InboxStates, received)] {
        if keys.is_empty() {
            continue;
        }
        let Some(mut sql) = question(layout, table) else { continue };
        sql.push_bind(keys).push(")");
        if table == Table::InboxStates {
            sql.push(" AND s.consumer_id = ANY(").push_bind(consumers.clone()).push(")");
        }
        let rows: Vec<LockRow> = sql.build_query_as().fetch_all(&mut *conn).await?;
        for mut row in rows {
            if row.pid.is_none() && row.touched && row.others {
                row.resolve(conn, layout, table).await;
            }
            let owner = match row.consumer {
                None => Owner::Bus(OutboxId(row.key)),
                Some(consumer) => {
                    Owner::Consumer { message: MessageId(row.key), consumer: ConsumerId(consumer) }
                }
            };
            out.insert(owner, Lock::from(row));
        }
    }
    Ok(out)
}

/// Who holds rows of a table; open at the list of keys. Nothing where the table cannot be read.
fn question(layout: &Layout, table: Table) -> Option<QueryBuilder<Postgres>> {
    let (from, relation) = (layout.with_lock(table)?, layout.relation(table)?);
    let (key, consumer) = match table {
        Table::OutboxStates => ("outbox_id", "NULL::uuid"),
        _ => ("message_id", "s.consumer_id"),
    };
    Some(QueryBuilder::new(format!(
        "SELECT s.{key} AS key, {consumer} AS consumer, s.xmax <> '0'::xid AS touched, s.xmax::text AS holder, l.pid, \
         a.application_name AS application, a.state, {} AS since, host(a.client_addr) AS client, \
         EXISTS (SELECT FROM pg_locks r JOIN pg_database d ON d.oid = r.database \
           WHERE d.datname = current_database() AND r.relation = to_regclass('{}') \
           AND r.pid <> pg_backend_pid() AND r.mode IN ('RowShareLock', 'RowExclusiveLock')) AS others \
         FROM {from} s \
         LEFT JOIN pg_locks l ON l.locktype = 'transactionid' AND l.granted AND l.mode = 'ExclusiveLock' \
           AND l.transactionid = s.xmax \
         LEFT JOIN pg_stat_activity a ON a.pid = l.pid WHERE s.{key} = ANY(",
        moment("a.xact_start"),
        relation.replace('\'', "''"),
    )))
}

/// Who holds the owner's row of a message, which is locked while the message is sent.
pub async fn held_by(
    conn: &mut PgConnection,
    layout: &Layout,
    owner: Owner,
) -> Result<Lock, Error> {
    if owner == Owner::Nobody {
        return Ok(Lock::Free);
    }
    Ok(locks(conn, layout, &[owner]).await?.remove(&owner).unwrap_or_default())
}

impl LockRow {
    /// Savepoints make `xmax` the number of a multixact (the transaction, and its subtransaction that changed the row).
    /// Only a member that holds a lock on the table counts, as a number may be that of an old transaction. Where there
    /// is no such multixact the server answers with an error, and the holder stays unknown.
    async fn resolve(&mut self, conn: &mut PgConnection, layout: &Layout, table: Table) {
        let Some(relation) = layout.relation(table) else { return };
        let sql = format!(
            "SELECT l.pid, a.application_name AS application, a.state, {} AS since, host(a.client_addr) AS client \
             FROM pg_get_multixact_members($1::xid) m \
             JOIN pg_locks l ON l.locktype = 'transactionid' AND l.granted AND l.mode = 'ExclusiveLock' \
               AND l.transactionid = m.xid \
             LEFT JOIN pg_stat_activity a ON a.pid = l.pid \
             WHERE EXISTS (SELECT FROM pg_locks r JOIN pg_database d ON d.oid = r.database \
               WHERE d.datname = current_database() AND r.relation = to_regclass('{}') AND r.pid = l.pid \
               AND r.mode IN ('RowShareLock', 'RowExclusiveLock')) \
             ORDER BY a.xact_start NULLS LAST LIMIT 1",
            moment("a.xact_start"),
            relation.replace('\'', "''"),
        );
        let found: Result<Option<MemberRow>, _> =
            sqlx::query_as(AssertSqlSafe(sql)).bind(&self.holder).fetch_optional(conn).await;
        if let Ok(Some(member)) = found {
            self.pid = Some(member.pid);
            self.application = member.application;
            self.state = member.state;
            self.since = member.since;
            self.client = member.client;
        }
    }
}

/// Sessions that have been idle in a transaction since before a moment and hold locks on rows of the outboxes, the
/// longest first: where the holder of a row cannot be told, it is one of them.
pub async fn idle_sessions(
    conn: &mut PgConnection,
    layout: &Layout,
    before: DateTime<Utc>,
) -> Result<Vec<Backend>, Error> {
    let Some(relation) = layout.relation(Table::OutboxStates) else { return Ok(vec![]) };
    let sql = format!(
        "SELECT a.pid, a.application_name AS application, a.state, {} AS since, host(a.client_addr) AS client \
         FROM pg_stat_activity a WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() \
           AND a.state LIKE 'idle in transaction%' AND a.xact_start < $1 \
           AND EXISTS (SELECT FROM pg_locks r WHERE r.pid = a.pid AND r.relation = to_regclass('{}') \
             AND r.mode IN ('RowShareLock', 'RowExclusiveLock')) \
         ORDER BY a.xact_start LIMIT 5",
        moment("a.xact_start"),
        relation.replace('\'', "''"),
    );
    let rows: Vec<MemberRow> =
        sqlx::query_as(AssertSqlSafe(sql)).bind(before).fetch_all(conn).await?;
    Ok(rows.into_iter().map(Backend::from).collect())
}

impl From<MemberRow> for Backend {
    fn from(row: MemberRow) -> Self {
        Self {
            pid: row.pid,
            application: row.application.unwrap_or_default(),
            state: row.state,
            since: row.since,
            client: row.client,
        }
    }
}

impl From<LockRow> for Lock {
    fn from(row: LockRow) -> Self {
        match row.pid {
            Some(pid) => Self::Held(Backend {
                pid,
                application: row.application.unwrap_or_default(),
                state: row.state,
                since: row.since,
                client: row.client,
            }),
            // Several may share the row, and then `xmax` is no transaction's number.
            None if row.touched && row.others => Self::Unknown,
            None => Self::Free,
        }
    }
}

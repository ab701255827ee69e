//! Who holds a row, told without locking it: the row's `xmax` against the transactions that are running.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection, Postgres, QueryBuilder};
use uuid::Uuid;

use crate::db::{Error, Layout, Table, sql::moment};
use crate::domain::{
    diagnosis::{Backend, Lock},
    outbox::Owner,
};

#[derive(FromRow)]
pub(in crate::db) struct LockRow {
    pub key: Uuid,
    /// `xmax` is set: somebody locked or changed the row, now or long ago.
    touched: bool,
    pid: Option<i32>,
    application: Option<String>,
    state: Option<String>,
    since: Option<DateTime<Utc>>,
    client: Option<String>,
    /// Other sessions have locked rows of the table.
    others: bool,
}

/// The state of these rows' locks, by outbox id or message id; rows that cannot be asked are left out.
pub(in crate::db) async fn locks(
    conn: &mut PgConnection,
    layout: &Layout,
    table: Table,
    keys: &[Uuid],
) -> Result<Vec<LockRow>, Error> {
    let (Some(from), Some(relation)) = (layout.with_lock(table), layout.relation(table)) else {
        return Ok(vec![]);
    };
    let key = if table == Table::OutboxStates { "outbox_id" } else { "message_id" };
    let mut sql = QueryBuilder::<Postgres>::new(format!(
        "SELECT s.{key} AS key, s.xmax <> '0'::xid AS touched, l.pid, a.application_name AS application, a.state, \
         {} AS since, host(a.client_addr) AS client, \
         EXISTS (SELECT FROM pg_locks r JOIN pg_database d ON d.oid = r.database \
           WHERE d.datname = current_database() AND r.relation = to_regclass('{}') \
           AND r.pid <> pg_backend_pid() AND r.mode IN ('RowShareLock', 'RowExclusiveLock')) AS others \
         FROM {from} s \
         LEFT JOIN pg_locks l ON l.locktype = 'transactionid' AND l.granted AND l.mode = 'ExclusiveLock' \
           AND l.transactionid = s.xmax \
         LEFT JOIN pg_stat_activity a ON a.pid = l.pid WHERE s.{key} = ANY(",
        moment("a.xact_start"),
        relation.replace('\'', "''"),
    ));
    sql.push_bind(keys.to_vec()).push(")");
    Ok(sql.build_query_as().fetch_all(conn).await?)
}

/// Who holds the row that a message's owner is locked by while it is sent.
pub async fn held_by(
    conn: &mut PgConnection,
    layout: &Layout,
    owner: Owner,
) -> Result<Lock, Error> {
    let (table, key) = match owner {
        Owner::Bus(outbox) => (Table::OutboxStates, outbox.0),
        Owner::Consumer { message, .. } => (Table::InboxStates, message.0),
        Owner::Nobody => return Ok(Lock::Free),
    };
    let rows = locks(conn, layout, table, &[key]).await?;
    let found: Vec<_> = rows.into_iter().map(Lock::from).collect();
    let held = found.iter().find(|lock| matches!(lock, Lock::Held(_)));
    Ok(held.or(found.first()).cloned().unwrap_or_default())
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

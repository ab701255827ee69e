//! Bulk operations (`orderscope.operations`): what each is, how far it has come, and who runs it.

mod due;
mod items;

use std::num::NonZeroU32;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Error;
use crate::domain::batch::{Counts, State, Wanted};

pub use self::{
    due::{Cursor, Page, arrived, copies, due_first, due_page, freeze_page, still_there},
    items::{
        Batch, Item, Settled, add_batch, add_items, batches, items, pending, settle, settled_in,
        troubles,
    },
};

/// Class of the advisory locks of running operations; the other half is the operation's number.
const LOCKS: i32 = 0x6f70_6572;

/// An operation, as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub id: Uuid,
    /// What people call it by.
    pub number: i64,
    /// As policies and audit name it.
    pub name: String,
    pub parameters: Value,
    pub state: State,
    /// A session has it: of a running one, that it really runs.
    pub held: bool,
    pub wanted: Option<Wanted>,
    /// Why it stands still.
    pub told: Option<String>,
    /// Items of its frozen list.
    pub items: u64,
    /// Items that have an outcome.
    pub counts: Counts,
    /// Failures that someone saw and went on in spite of.
    pub accepted: u64,
    pub batches: i32,
    /// Batches up to this one were verified.
    pub verified: i32,
    /// Items a second at most.
    pub rate: Option<NonZeroU32>,
    pub operator: String,
    pub host: String,
    pub login: String,
    pub created_at: DateTime<Utc>,
    pub needs_approval: bool,
    pub approver: Option<String>,
    pub approver_login: Option<String>,
    pub approved_at: Option<DateTime<Utc>>,
    /// Who ran it last, and since when.
    pub runner: Option<String>,
    pub runner_since: Option<DateTime<Utc>>,
    pub started_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    /// Audit records of what was meant, and of what became of it.
    pub audit_begun: Option<i64>,
    pub audit_ended: Option<i64>,
    /// From the audit log; none where it was erased.
    pub reason: Option<String>,
}

impl Record {
    /// Items without an outcome.
    pub const fn left(&self) -> u64 {
        self.items.saturating_sub(self.counts.all())
    }

    /// It is recorded as running and no session has it: its process was killed.
    pub const fn is_interrupted(&self) -> bool {
        matches!(self.state, State::Running) && !self.held
    }
}

/// Which operations are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    Id(Uuid),
    Number(i64),
    /// Those that are not over.
    Open,
    All,
}

struct Row {
    id: Uuid,
    number: i64,
    name: String,
    parameters: Value,
    state: String,
    held: bool,
    wanted: Option<String>,
    told: Option<String>,
    items: i64,
    done: i64,
    skipped: i64,
    failed: i64,
    accepted: i64,
    batches: i32,
    verified: i32,
    rate: Option<i32>,
    operator: String,
    host: String,
    login: String,
    created_at: DateTime<Utc>,
    needs_approval: bool,
    approver: Option<String>,
    approver_login: Option<String>,
    approved_at: Option<DateTime<Utc>>,
    runner: Option<String>,
    runner_since: Option<DateTime<Utc>>,
    started_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
    audit_begun: Option<i64>,
    audit_ended: Option<i64>,
    reason: Option<String>,
}

/// Operations, the newest first, at most `limit`.
pub async fn list(conn: &mut PgConnection, which: Which, limit: i64) -> Result<Vec<Record>, Error> {
    let (id, number) = match which {
        Which::Id(id) => (Some(id), None),
        Which::Number(number) => (None, Some(number)),
        Which::Open | Which::All => (None, None),
    };
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT o.id, o.number, o.name, o.parameters, o.state, o.wanted, o.told, o.items, o.done, o.skipped,
                  o.failed, o.accepted, o.batches, o.verified, o.rate, o.operator, o.host, o.login, o.created_at,
                  o.needs_approval, o.approver, o.approver_login, o.approved_at, o.runner, o.runner_since,
                  o.started_at, o.ended_at, o.audit_begun, o.audit_ended, r.value AS "reason?",
                  EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
                          AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                          AND l.classid::bigint = $5 AND l.objid::bigint = o.number) AS "held!"
           FROM orderscope.operations o
           LEFT JOIN orderscope.audit_values r ON r.number = o.audit_begun AND r.part = 'reason'
           WHERE ($1::uuid IS NULL OR o.id = $1) AND ($2::bigint IS NULL OR o.number = $2)
             AND (NOT $3 OR o.state NOT IN ('done', 'cancelled'))
           ORDER BY o.number DESC LIMIT $4"#,
        id,
        number,
        which == Which::Open,
        limit,
        i64::from(LOCKS)
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(TryFrom::try_from).collect()
}

/// One operation.
pub async fn find(conn: &mut PgConnection, which: Which) -> Result<Option<Record>, Error> {
    Ok(list(conn, which, 1).await?.pop())
}

/// A number of rows, which is never negative.
fn count(rows: i64) -> u64 {
    rows.max(0).unsigned_abs()
}

/// The same for the server.
fn big(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl TryFrom<Row> for Record {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let unknown =
            |column| Error::row("operations", column, &row.number.to_string(), "unknown name");
        let state = State::named(&row.state).ok_or_else(|| unknown("state"))?;
        let wanted = match row.wanted.as_deref() {
            Some(name) => Some(Wanted::named(name).ok_or_else(|| unknown("wanted"))?),
            None => None,
        };
        Ok(Self {
            id: row.id,
            number: row.number,
            name: row.name,
            parameters: row.parameters,
            state,
            held: row.held,
            wanted,
            told: row.told,
            items: count(row.items),
            counts: Counts {
                done: count(row.done),
                skipped: count(row.skipped),
                failed: count(row.failed),
            },
            accepted: count(row.accepted),
            batches: row.batches,
            verified: row.verified,
            rate: row.rate.and_then(|rate| NonZeroU32::new(rate.max(0).unsigned_abs())),
            operator: row.operator,
            host: row.host,
            login: row.login,
            created_at: row.created_at,
            needs_approval: row.needs_approval,
            approver: row.approver,
            approver_login: row.approver_login,
            approved_at: row.approved_at,
            runner: row.runner,
            runner_since: row.runner_since,
            started_at: row.started_at,
            ended_at: row.ended_at,
            audit_begun: row.audit_begun,
            audit_ended: row.audit_ended,
            reason: row.reason,
        })
    }
}

/// Whether the schema has operations: an older program made it if not.
pub async fn is_known(conn: &mut PgConnection) -> Result<bool, Error> {
    let known = "SELECT to_regclass('orderscope.operations') IS NOT NULL";
    Ok(sqlx::query_scalar(known).fetch_one(conn).await?)
}

/// The rights on schema `orderscope` that running an operation needs, and with `copies` keeping what it removes, and
/// that this login lacks.
pub async fn lacking(conn: &mut PgConnection, copies: bool) -> Result<Vec<String>, Error> {
    let missing = "SELECT right_ || ' on orderscope.' || table_
         FROM (VALUES ('operations', 'INSERT'), ('operations', 'UPDATE'), ('operation_items', 'INSERT'),
               ('operation_items', 'UPDATE'), ('operation_batches', 'INSERT'), ('kept_messages', 'INSERT'),
               ('audit', 'INSERT'), ('audit_values', 'INSERT'), ('audit_chains', 'INSERT')) AS n (table_, right_)
         WHERE NOT coalesce(has_table_privilege(to_regclass('orderscope.' || table_), right_), false)
           AND ($1 OR table_ <> 'kept_messages')
         ORDER BY 1";
    Ok(sqlx::query_scalar(missing).bind(copies).fetch_all(conn).await?)
}

/// A new operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct New<'a> {
    pub id: Uuid,
    pub name: &'a str,
    pub parameters: &'a Value,
    pub rate: Option<NonZeroU32>,
    pub operator: &'a str,
    pub host: &'a str,
}

/// Records a new operation whose list is about to be written, and tells its number.
pub async fn create(conn: &mut PgConnection, new: &New<'_>) -> Result<i64, Error> {
    let number = sqlx::query_scalar!(
        "INSERT INTO orderscope.operations (id, name, parameters, state, rate, operator, host)
         VALUES ($1, $2, $3, 'freezing', $4, $5, $6) RETURNING number",
        new.id,
        new.name,
        new.parameters,
        new.rate.map(|rate| i32::try_from(rate.get()).unwrap_or(i32::MAX)),
        new.operator,
        new.host
    );
    Ok(number.fetch_one(conn).await?)
}

/// Records that the list is complete, with the audit record of what is planned.
pub async fn frozen(
    tx: &mut PgConnection,
    id: Uuid,
    items: u64,
    next: State,
    audit: i64,
) -> Result<(), Error> {
    let done = sqlx::query!(
        "UPDATE orderscope.operations SET state = $2, items = $3, needs_approval = $2 = 'waiting', audit_begun = $4
         WHERE id = $1 AND state = 'freezing'",
        id,
        next.name(),
        big(items),
        audit
    );
    moved(done.execute(tx).await?.rows_affected())
}

/// Takes the lock of an operation for this session; false if another session has it.
pub async fn try_lock(conn: &mut PgConnection, number: i64) -> Result<bool, Error> {
    let lock = "SELECT pg_try_advisory_lock($1, $2::int)";
    Ok(sqlx::query_scalar(lock).bind(LOCKS).bind(number).fetch_one(conn).await?)
}

/// Gives it up.
pub async fn unlock(conn: &mut PgConnection, number: i64) -> Result<(), Error> {
    let unlock = "SELECT pg_advisory_unlock($1, $2::int)";
    sqlx::query(unlock).bind(LOCKS).bind(number).execute(conn).await?;
    Ok(())
}

/// Records that this session, which has the lock, runs it from now on. Who goes on after it stopped by itself accepts
/// what failed until then.
pub async fn take(
    conn: &mut PgConnection,
    id: Uuid,
    was: State,
    runner: &str,
) -> Result<(), Error> {
    let done = sqlx::query!(
        "UPDATE orderscope.operations
         SET state = 'running', told = NULL, wanted = nullif(wanted, 'pause'), runner = $3,
             runner_login = session_user, runner_since = clock_timestamp(),
             started_at = coalesce(started_at, clock_timestamp()),
             accepted = CASE WHEN state = 'stopped' THEN failed ELSE accepted END,
             verified = CASE WHEN state = 'stopped' THEN batches ELSE verified END
         WHERE id = $1 AND state = $2",
        id,
        was.name(),
        runner
    );
    moved(done.execute(conn).await?.rows_affected())
}

/// Counts a batch of a running operation that was at `position`, in the batch's transaction. What is wanted of it.
pub async fn advance(
    tx: &mut PgConnection,
    id: Uuid,
    position: u64,
    counts: Counts,
) -> Result<Option<Wanted>, Error> {
    let advanced = sqlx::query_scalar!(
        "UPDATE orderscope.operations
         SET position = position + $3::bigint + $4::bigint + $5::bigint, done = done + $3::bigint,
             skipped = skipped + $4::bigint, failed = failed + $5::bigint, batches = batches + 1
         WHERE id = $1 AND position = $2 AND state = 'running' RETURNING wanted",
        id,
        big(position),
        big(counts.done),
        big(counts.skipped),
        big(counts.failed)
    );
    match advanced.fetch_optional(tx).await? {
        Some(wanted) => Ok(wanted.as_deref().and_then(Wanted::named)),
        None => Err(elsewhere()),
    }
}

/// Records that batches up to this one were verified.
pub async fn verified(conn: &mut PgConnection, id: Uuid, batch: i32) -> Result<(), Error> {
    let done =
        sqlx::query!("UPDATE orderscope.operations SET verified = $2 WHERE id = $1", id, batch);
    moved(done.execute(conn).await?.rows_affected())
}

/// Moves it from one state to another; nothing is wanted of it any more. One that is over has its end, and the audit
/// record of it.
pub async fn set_state(
    conn: &mut PgConnection,
    id: Uuid,
    (was, next): (State, State),
    told: Option<&str>,
    audit: Option<i64>,
) -> Result<(), Error> {
    let done = sqlx::query!(
        "UPDATE orderscope.operations
         SET state = $3, told = $4, wanted = NULL, audit_ended = $5,
             ended_at = CASE WHEN $6 THEN clock_timestamp() END
         WHERE id = $1 AND state = $2",
        id,
        was.name(),
        next.name(),
        told,
        audit,
        next.is_over()
    );
    moved(done.execute(conn).await?.rows_affected())
}

/// Asks the session that runs it for something; false if it runs no more.
pub async fn ask(conn: &mut PgConnection, id: Uuid, wanted: Wanted) -> Result<bool, Error> {
    let done = sqlx::query!(
        "UPDATE orderscope.operations SET wanted = $2 WHERE id = $1 AND state = 'running'",
        id,
        wanted.name()
    );
    Ok(done.execute(conn).await?.rows_affected() == 1)
}

/// Records the second person's approval, if this session's login is not the one that began it.
pub async fn approve(tx: &mut PgConnection, id: Uuid, approver: &str) -> Result<bool, Error> {
    let done = sqlx::query!(
        "UPDATE orderscope.operations SET state = 'ready', approver = $2, approver_login = session_user,
             approved_at = clock_timestamp()
         WHERE id = $1 AND state = 'waiting' AND login <> session_user",
        id,
        approver
    );
    Ok(done.execute(tx).await?.rows_affected() == 1)
}

/// The login that PostgreSQL knows this session by.
pub async fn login(conn: &mut PgConnection) -> Result<String, Error> {
    Ok(sqlx::query_scalar("SELECT session_user::text").fetch_one(conn).await?)
}

fn moved(rows: u64) -> Result<(), Error> {
    if rows == 1 { Ok(()) } else { Err(elsewhere()) }
}

fn elsewhere() -> Error {
    Error::Conflict("another session moved the operation on".to_owned())
}

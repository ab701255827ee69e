//! The audit log in schema `orderscope`: adding an entry, finding entries, erasing their values. `ops::audit` computes
//! the hashes.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    Error, OfTable,
    sql::{OwnSchema, own_schema},
};

mod chains;

pub use chains::{
    Anchor, AnchorHead, Head, Link, Missing, Top, add_anchor, anchor_heads, anchors, entries,
    entry_hashes, head, heads, made, missing, moved_heads, newest_anchor, top, try_anchor_lock,
    values,
};

/// Whether the audit log can be written here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    Ready,
    /// There is no schema `orderscope`.
    NoSchema,
    /// The schema is there and older than this program.
    Behind,
    /// The schema is there and this login may not write the log.
    NotPermitted,
}

/// What an entry follows, locked until the transaction ends.
#[derive(Debug, Clone)]
pub struct Next {
    /// The number drawn for the entry.
    pub number: i64,
    /// The position of the newest entry, 0 before the first.
    pub position: i64,
    /// The hash of the newest entry, 32 zero bytes before the first.
    pub hash: Vec<u8>,
    /// The PostgreSQL login.
    pub login: String,
}

/// An entry as the hash covers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub number: i64,
    pub chain: Uuid,
    pub position: i64,
    pub operation: Uuid,
    pub at: DateTime<Utc>,
    pub operator: String,
    pub host: String,
    pub role: String,
    pub login: String,
    pub intent: String,
    pub targets: Vec<String>,
    pub before_digest: Option<Vec<u8>>,
    pub after_digest: Option<Vec<u8>>,
    pub reason_digest: Option<Vec<u8>>,
    pub previous: Vec<u8>,
    pub hash: Vec<u8>,
}

/// A value beside an entry, with the salt of its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub number: i64,
    /// `before`, `after` or `reason`.
    pub part: String,
    pub salt: Vec<u8>,
    pub value: String,
}

/// An entry as people read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The audit number.
    pub number: i64,
    pub operation: Uuid,
    pub at: DateTime<Utc>,
    pub operator: String,
    pub host: String,
    pub role: String,
    pub login: String,
    pub intent: String,
    pub targets: Vec<String>,
    /// None where none was given, or where it was erased.
    pub reason: Option<String>,
    /// None where nothing was there before, or where it was erased.
    pub before: Option<Value>,
    /// None where nothing was there afterwards, or where it was erased.
    pub after: Option<Value>,
    /// Some value of it was erased.
    pub erased: bool,
}

/// Which entries are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// One of the targets: an id as text.
    pub target: Option<String>,
    /// The operator's name.
    pub by: Option<String>,
    pub since: Option<DateTime<Utc>>,
    /// Only entries with a lower number: the next page.
    pub before: Option<i64>,
    /// The one entry of this operation.
    pub operation: Option<Uuid>,
}

/// Whether this session's login can write the log. Reads the catalog only.
pub async fn readiness(conn: &mut PgConnection) -> Result<Readiness, Error> {
    match own_schema(conn).await? {
        OwnSchema::None => return Ok(Readiness::NoSchema),
        OwnSchema::NotPermitted => return Ok(Readiness::NotPermitted),
        OwnSchema::Usable => {}
    }
    let (there, allowed): (bool, bool) = sqlx::query_as(
        "SELECT to_regclass('orderscope.audit') IS NOT NULL,
                coalesce(has_table_privilege(to_regclass('orderscope.audit'), 'INSERT')
                     AND has_table_privilege(to_regclass('orderscope.audit_values'), 'INSERT')
                     AND has_table_privilege(to_regclass('orderscope.audit_chains'), 'INSERT')
                     AND has_table_privilege(to_regclass('orderscope.audit_chains'), 'SELECT')
                     AND has_column_privilege(to_regclass('orderscope.audit_chains'), 'position', 'UPDATE')
                     AND has_column_privilege(to_regclass('orderscope.audit_chains'), 'hash', 'UPDATE')
                     AND has_sequence_privilege(to_regclass('orderscope.audit_number'), 'USAGE'), false)",
    )
    .fetch_one(conn)
    .await?;
    Ok(match (there, allowed) {
        (false, _) => Readiness::Behind,
        (true, false) => Readiness::NotPermitted,
        (true, true) => Readiness::Ready,
    })
}

/// Locks the head of a chain and draws a number; none where the chain has no row yet.
pub async fn next(conn: &mut PgConnection, chain: Uuid) -> Result<Option<Next>, Error> {
    let found = sqlx::query_as!(
        Next,
        r#"SELECT nextval('orderscope.audit_number') AS "number!", position, hash,
                  session_user::text AS "login!"
           FROM orderscope.audit_chains WHERE chain = $1 FOR NO KEY UPDATE"#,
        chain
    )
    .fetch_optional(conn)
    .await
    .of("orderscope.audit_chains")?;
    Ok(found)
}

/// Makes the row of a chain, if it is not there.
pub async fn open(
    conn: &mut PgConnection,
    chain: Uuid,
    operator: &str,
    host: &str,
) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO orderscope.audit_chains (chain, operator, host, program)
         VALUES ($1, $2, $3, $4) ON CONFLICT (chain) DO NOTHING",
        chain,
        operator,
        host,
        concat!("orderscope ", env!("CARGO_PKG_VERSION"))
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Adds an entry with its values and moves the head of its chain, which [`next`] has locked.
pub async fn append(conn: &mut PgConnection, row: &Row, parts: &[Part]) -> Result<(), Error> {
    let names: Vec<String> = parts.iter().map(|part| part.part.clone()).collect();
    let salts: Vec<Vec<u8>> = parts.iter().map(|part| part.salt.clone()).collect();
    let values: Vec<String> = parts.iter().map(|part| part.value.clone()).collect();
    let added = sqlx::query!(
        r#"WITH head AS (
               UPDATE orderscope.audit_chains SET position = $3::bigint, hash = $16
               WHERE chain = $2 AND position = $3::bigint - 1 AND hash = $15
               RETURNING chain
           ), entry AS (
               INSERT INTO orderscope.audit (number, chain, position, operation, at, operator, host, role,
                   login, intent, targets, before_digest, after_digest, reason_digest, previous, hash)
               SELECT $1, head.chain, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16
               FROM head
               RETURNING number
           ), parts AS (
               INSERT INTO orderscope.audit_values (number, part, salt, value)
               SELECT entry.number, given.part, given.salt, given.value
               FROM entry, unnest($17::text[], $18::bytea[], $19::text[]) AS given (part, salt, value)
           )
           SELECT number AS "number!" FROM entry"#,
        row.number,
        row.chain,
        row.position,
        row.operation,
        row.at,
        row.operator,
        row.host,
        row.role,
        row.login,
        row.intent,
        &row.targets,
        row.before_digest.as_deref(),
        row.after_digest.as_deref(),
        row.reason_digest.as_deref(),
        row.previous,
        row.hash,
        &names,
        &salts,
        &values
    )
    .fetch_optional(conn)
    .await?;
    match added {
        Some(_) => Ok(()),
        None => Err(Error::Conflict("the audit chain moved while an entry was added".to_owned())),
    }
}

/// The entry of an operation: distinguishes a repeat, or a commit whose answer was lost, from a first run.
pub async fn by_operation(
    conn: &mut PgConnection,
    operation: Uuid,
) -> Result<Option<Recorded>, Error> {
    let filter = Filter { operation: Some(operation), ..Filter::default() };
    Ok(list(conn, &filter, 1).await?.pop())
}

/// Entries, newest first.
pub async fn list(
    conn: &mut PgConnection,
    filter: &Filter,
    limit: i64,
) -> Result<Vec<Recorded>, Error> {
    let found = sqlx::query_as!(
        Recorded,
        r#"SELECT a.number, a.operation, a.at, a.operator, a.host, a.role, a.login, a.intent, a.targets,
                  r.value AS "reason?", b.value::json AS "before?: Value",
                  f.value::json AS "after?: Value",
                  (a.reason_digest IS NOT NULL AND r.number IS NULL
                   OR a.before_digest IS NOT NULL AND b.number IS NULL
                   OR a.after_digest IS NOT NULL AND f.number IS NULL) AS "erased!"
           FROM orderscope.audit a
           LEFT JOIN orderscope.audit_values r ON r.number = a.number AND r.part = 'reason'
           LEFT JOIN orderscope.audit_values b ON b.number = a.number AND b.part = 'before'
           LEFT JOIN orderscope.audit_values f ON f.number = a.number AND f.part = 'after'
           WHERE ($1::text IS NULL OR a.targets @> ARRAY[$1])
             AND ($2::text IS NULL OR a.operator = $2)
             AND ($3::timestamptz IS NULL OR a.at >= $3)
             AND ($4::bigint IS NULL OR a.number < $4)
             AND ($5::uuid IS NULL OR a.operation = $5)
           ORDER BY a.number DESC LIMIT $6"#,
        filter.target.as_deref(),
        filter.by.as_deref(),
        filter.since,
        filter.before,
        filter.operation,
        limit
    )
    .fetch_all(conn)
    .await.of("orderscope.audit")?;
    Ok(found)
}

/// An entry by its number.
pub async fn by_number(conn: &mut PgConnection, number: i64) -> Result<Option<Recorded>, Error> {
    let filter = Filter { before: number.checked_add(1), ..Filter::default() };
    Ok(list(conn, &filter, 1).await?.pop().filter(|found| found.number == number))
}

/// The entries that say how operations ended, of these that were recorded when they began.
pub async fn endings(
    conn: &mut PgConnection,
    operations: &[Uuid],
) -> Result<Vec<(Uuid, i64, Value)>, Error> {
    let found = sqlx::query!(
        r#"SELECT a.number, v.value::json AS "after!: Value", b.operation
           FROM orderscope.audit b
           JOIN orderscope.audit a ON a.chain = b.chain AND a.position > b.position AND a.intent = b.intent
           JOIN orderscope.audit_values v ON v.number = a.number AND v.part = 'after'
           WHERE b.operation = ANY($1) AND v.value::json ->> 'ended' = b.operation::text"#,
        operations
    )
    .fetch_all(conn)
    .await
    .of("orderscope.audit")?;
    Ok(found.into_iter().map(|row| (row.operation, row.number, row.after)).collect())
}

/// Erases the values beside every entry about a target; the entries stay. Returns how many values were erased.
pub async fn erase(conn: &mut PgConnection, target: &str) -> Result<u64, Error> {
    let done = sqlx::query!(
        "DELETE FROM orderscope.audit_values v USING orderscope.audit a
         WHERE a.number = v.number AND a.targets @> ARRAY[$1::text]",
        target
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

//! Heads, links and anchors of the audit chains: what verifying reads and anchoring writes.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Part, Row};
use crate::db::{Error, OfTable};

/// The head of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub chain: Uuid,
    /// The position of the newest entry, 0 before the first.
    pub position: i64,
    pub hash: Vec<u8>,
}

/// One place in a chain, by which an anchor is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub chain: Uuid,
    pub position: i64,
    pub hash: Vec<u8>,
}

/// One hash over the heads that had moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// From 1, without gaps.
    pub number: i64,
    pub at: DateTime<Utc>,
    pub previous: Vec<u8>,
    pub hash: Vec<u8>,
}

/// A head as an anchor holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnchorHead {
    pub anchor: i64,
    pub chain: Uuid,
    pub position: i64,
    pub hash: Vec<u8>,
}

/// Heads by chain, after one.
pub async fn heads(
    conn: &mut PgConnection,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Head>, Error> {
    let found = sqlx::query_as!(
        Head,
        "SELECT chain, position, hash FROM orderscope.audit_chains
         WHERE $1::uuid IS NULL OR chain > $1 ORDER BY chain LIMIT $2",
        after,
        limit
    )
    .fetch_all(conn)
    .await
    .of("orderscope.audit_chains")?;
    Ok(found)
}

/// The head of one chain.
pub async fn head(conn: &mut PgConnection, chain: Uuid) -> Result<Option<Head>, Error> {
    let found = sqlx::query_as!(
        Head,
        "SELECT chain, position, hash FROM orderscope.audit_chains WHERE chain = $1",
        chain
    )
    .fetch_optional(conn)
    .await
    .of("orderscope.audit_chains")?;
    Ok(found)
}

/// Entries by chain and position, after a place and up to a chain.
pub async fn entries(
    conn: &mut PgConnection,
    after: (Uuid, i64),
    upto: Uuid,
    limit: i64,
) -> Result<Vec<Row>, Error> {
    let found = sqlx::query_as!(
        Row,
        "SELECT number, chain, position, operation, at, operator, host, role, login, intent, targets,
                before_digest, after_digest, reason_digest, previous, hash
         FROM orderscope.audit WHERE (chain, position) > ($1, $2) AND chain <= $3
         ORDER BY chain, position LIMIT $4",
        after.0,
        after.1,
        upto,
        limit
    )
    .fetch_all(conn)
    .await.of("orderscope.audit")?;
    Ok(found)
}

/// The values that are still beside these entries.
pub async fn values(conn: &mut PgConnection, numbers: &[i64]) -> Result<Vec<Part>, Error> {
    let found = sqlx::query_as!(
        Part,
        "SELECT number, part, salt, value FROM orderscope.audit_values
         WHERE number = ANY($1) ORDER BY number, part",
        numbers
    )
    .fetch_all(conn)
    .await
    .of("orderscope.audit_values")?;
    Ok(found)
}

/// Anchors by number, after one.
pub async fn anchors(
    conn: &mut PgConnection,
    after: i64,
    limit: i64,
) -> Result<Vec<Anchor>, Error> {
    let found = sqlx::query_as!(
        Anchor,
        "SELECT number, at, previous, hash FROM orderscope.audit_anchors
         WHERE number > $1 ORDER BY number LIMIT $2",
        after,
        limit
    )
    .fetch_all(conn)
    .await
    .of("orderscope.audit_anchors")?;
    Ok(found)
}

/// The newest anchor.
pub async fn newest_anchor(conn: &mut PgConnection) -> Result<Option<Anchor>, Error> {
    let found = sqlx::query_as!(
        Anchor,
        "SELECT number, at, previous, hash FROM orderscope.audit_anchors
         ORDER BY number DESC LIMIT 1"
    )
    .fetch_optional(conn)
    .await
    .of("orderscope.audit_anchors")?;
    Ok(found)
}

/// The heads in these anchors, by anchor and chain.
pub async fn anchor_heads(
    conn: &mut PgConnection,
    anchors: &[i64],
) -> Result<Vec<AnchorHead>, Error> {
    let found = sqlx::query_as!(
        AnchorHead,
        "SELECT anchor, chain, position, hash FROM orderscope.audit_anchor_heads
         WHERE anchor = ANY($1) ORDER BY anchor, chain",
        anchors
    )
    .fetch_all(conn)
    .await
    .of("orderscope.audit_anchor_heads")?;
    Ok(found)
}

/// The entries at the places that these anchors name, as far as they exist.
pub async fn entry_hashes(conn: &mut PgConnection, anchors: &[i64]) -> Result<Vec<Link>, Error> {
    let found = sqlx::query_as!(
        Link,
        "SELECT a.chain, a.position, a.hash
         FROM orderscope.audit_anchor_heads h
         JOIN orderscope.audit a ON a.chain = h.chain AND a.position = h.position
         WHERE h.anchor = ANY($1)",
        anchors
    )
    .fetch_all(conn)
    .await
    .of("orderscope.audit")?;
    Ok(found)
}

/// Heads that no anchor holds at their place yet, by chain.
pub async fn moved_heads(conn: &mut PgConnection) -> Result<Vec<Head>, Error> {
    let found = sqlx::query_as!(
        Head,
        "SELECT c.chain, c.position, c.hash FROM orderscope.audit_chains c
         WHERE c.position > coalesce((
             SELECT h.position FROM orderscope.audit_anchor_heads h WHERE h.chain = c.chain
             ORDER BY h.position DESC LIMIT 1), 0)
         ORDER BY c.chain"
    )
    .fetch_all(conn)
    .await
    .of("orderscope.audit_chains")?;
    Ok(found)
}

/// Takes the lock for anchoring until the transaction ends; false while another session holds it.
pub async fn try_anchor_lock(conn: &mut PgConnection) -> Result<bool, Error> {
    // "anchors!" in ASCII.
    const LOCK: i64 = 0x616e_6368_6f72_7321;
    let taken = sqlx::query_scalar("SELECT pg_try_advisory_xact_lock($1)").bind(LOCK);
    Ok(taken.fetch_one(conn).await?)
}

/// Writes an anchor with its heads.
pub async fn add_anchor(
    conn: &mut PgConnection,
    anchor: &Anchor,
    heads: &[Head],
) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO orderscope.audit_anchors (number, at, previous, hash) VALUES ($1, $2, $3, $4)",
        anchor.number,
        anchor.at,
        anchor.previous,
        anchor.hash
    )
    .execute(&mut *conn)
    .await?;
    let chains: Vec<Uuid> = heads.iter().map(|head| head.chain).collect();
    let positions: Vec<i64> = heads.iter().map(|head| head.position).collect();
    let hashes: Vec<Vec<u8>> = heads.iter().map(|head| head.hash.clone()).collect();
    sqlx::query!(
        "INSERT INTO orderscope.audit_anchor_heads (anchor, chain, position, hash)
         SELECT $1, given.chain, given.position, given.hash
         FROM unnest($2::uuid[], $3::bigint[], $4::bytea[]) AS given (chain, position, hash)",
        anchor.number,
        &chains,
        &positions,
        &hashes
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Numbers that no entry has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing {
    pub first: i64,
    pub last: i64,
}

/// Numbers that were drawn and that no entry has, lowest first.
pub async fn missing(conn: &mut PgConnection, limit: i64) -> Result<Vec<Missing>, Error> {
    let found = sqlx::query_as!(
        Missing,
        r#"SELECT number + 1 AS "first!", next - 1 AS "last!" FROM (
               SELECT number, lead(number) OVER (ORDER BY number) AS next FROM (
                   SELECT 0 AS number UNION ALL SELECT number FROM orderscope.audit
                   UNION ALL SELECT last_value + 1 FROM pg_sequences
                       WHERE schemaname = 'orderscope' AND sequencename = 'audit_number'
               ) drawn
           ) pairs WHERE next > number + 1 ORDER BY number LIMIT $1"#,
        limit
    )
    .fetch_all(conn)
    .await
    .of("orderscope.audit")?;
    Ok(found)
}

/// The newest entry and how many there are up to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Top {
    pub number: i64,
    pub hash: Vec<u8>,
    pub count: i64,
}

/// The newest entry up to a number; none where there is none.
pub async fn top(conn: &mut PgConnection, upto: i64) -> Result<Option<Top>, Error> {
    let found = sqlx::query_as!(
        Top,
        r#"SELECT number, hash,
                  (SELECT count(*) FROM orderscope.audit WHERE number <= $1) AS "count!"
           FROM orderscope.audit WHERE number <= $1 ORDER BY number DESC LIMIT 1"#,
        upto
    )
    .fetch_optional(conn)
    .await
    .of("orderscope.audit")?;
    Ok(found)
}

/// When schema `orderscope` was made: a database that was made again under the same name is another one.
pub async fn made(conn: &mut PgConnection) -> Result<String, Error> {
    let made = sqlx::query_scalar!(
        r#"SELECT coalesce(min(created_at)::text, '') AS "made!" FROM orderscope.database"#
    );
    made.fetch_one(conn).await.of("orderscope.database")
}

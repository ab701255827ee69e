//! The history of outbox and inbox in schema `orderscope`, which a sampler writes and screens and verbs read.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::{
    Error, OfTable,
    sql::{OwnSchema, own_schema},
};
use crate::domain::{
    backlog::{Mark, Sample},
    trend::{Grain, Slice},
};

/// Key of the advisory lock that one sampler holds while it writes ("ordsampl" in ASCII).
const LOCK: i64 = 0x6f72_6473_616d_706c;
/// Finished deliveries are known for so long; services keep them for minutes.
pub const SEEN_KEPT: TimeDelta = TimeDelta::days(30);
/// And never more of them than this, but for those of the last minutes.
pub const MOST_SEEN: i64 = 200_000;
/// So many old slices are made coarser at a time.
const STEP: i64 = 2_000;

/// What this session may do with the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// There is no schema `orderscope`.
    NoSchema,
    /// The schema is older than this program.
    Behind,
    /// Our role may not read it.
    NotPermitted,
    /// Read, but not written.
    Read,
    /// Read and written.
    Write,
}

/// What may be done here.
pub async fn access(conn: &mut PgConnection) -> Result<Access, Error> {
    match own_schema(conn).await? {
        OwnSchema::None => return Ok(Access::NoSchema),
        OwnSchema::NotPermitted => return Ok(Access::NotPermitted),
        OwnSchema::Usable => {}
    }
    let found = sqlx::query(
        "SELECT bool_and(t IS NOT NULL) AND EXISTS (SELECT FROM pg_attribute
                    WHERE attrelid = to_regclass('orderscope.samples') AND attname = 'mark') AS there,
                coalesce(bool_and(has_table_privilege(t, 'SELECT')), false) AS reads,
                coalesce(bool_and(has_table_privilege(t, 'INSERT') AND has_table_privilege(t, 'UPDATE')
                                  AND has_table_privilege(t, 'DELETE')), false) AS writes
         FROM (VALUES (to_regclass('orderscope.samples')), (to_regclass('orderscope.seen_messages'))) v (t)",
    )
    .fetch_one(conn)
    .await?;
    Ok(match (found.try_get("there")?, found.try_get("reads")?, found.try_get("writes")?) {
        (false, _, _) => Access::Behind,
        (true, false, _) => Access::NotPermitted,
        (true, true, false) => Access::Read,
        (true, true, true) => Access::Write,
    })
}

/// Takes the sampler's lock until the transaction ends; false if another sampler has it.
pub async fn lock(tx: &mut PgConnection) -> Result<bool, Error> {
    let taken = sqlx::query_scalar!(r#"SELECT pg_try_advisory_xact_lock($1) AS "taken!""#, LOCK);
    Ok(taken.fetch_one(tx).await?)
}

struct SliceRow {
    grain: i32,
    begins: DateTime<Utc>,
    looks: i64,
    last_at: DateTime<Utc>,
    pending: i64,
    drawn: Option<i64>,
    oldest: Option<DateTime<Utc>>,
    failing: i64,
    half_done: i64,
    duplicates: i64,
    most: i64,
    came: i64,
    gone: i64,
    known_ms: i64,
    left_at: Option<DateTime<Utc>>,
    received: i64,
    repeated: i64,
    mark: Option<Value>,
}

impl TryFrom<SliceRow> for Slice {
    type Error = Error;

    fn try_from(row: SliceRow) -> Result<Self, Error> {
        let wrong = || {
            let why = format!("{} is no grain", row.grain);
            Error::row("orderscope.samples", "grain", &row.begins.to_string(), &why)
        };
        Ok(Self {
            grain: Grain::of(row.grain).ok_or_else(wrong)?,
            begins: row.begins,
            looks: row.looks,
            last: Sample {
                at: row.last_at,
                pending: Some(row.pending),
                mark: row
                    .mark
                    .and_then(mark)
                    .unwrap_or(Mark { number: row.drawn, ..Mark::default() }),
                change: None,
            },
            pending: row.pending,
            oldest: row.oldest,
            failing: row.failing,
            half_done: row.half_done,
            duplicates: row.duplicates,
            most: row.most,
            came: row.came,
            gone: row.gone,
            known_ms: row.known_ms,
            left_at: row.left_at,
            received: row.received,
            repeated: row.repeated,
        })
    }
}

/// As another sampler wrote it; nothing where a newer program writes it in another form.
fn mark(stored: Value) -> Option<Mark> {
    serde_json::from_value(stored).ok()
}

fn slices(rows: Vec<SliceRow>) -> Result<Vec<Slice>, Error> {
    rows.into_iter().map(Slice::try_from).collect()
}

/// The slice of the newest look, not of the future.
pub async fn newest(conn: &mut PgConnection) -> Result<Option<Slice>, Error> {
    let row = sqlx::query_as!(
        SliceRow,
        "SELECT grain, begins, looks, last_at, pending, drawn, oldest, failing, half_done, duplicates, most,
                came, gone, known_ms, left_at, received, repeated, mark
         FROM orderscope.samples WHERE begins <= now() ORDER BY begins DESC LIMIT 1"
    )
    .fetch_optional(conn)
    .await.of("orderscope.samples")?;
    row.map(Slice::try_from).transpose()
}

/// When the first look was whose slice is kept.
pub async fn since(conn: &mut PgConnection) -> Result<Option<DateTime<Utc>>, Error> {
    let first = sqlx::query_scalar!("SELECT min(begins) FROM orderscope.samples");
    first.fetch_one(conn).await.of("orderscope.samples")
}

/// Slices of any grain that begin within a time before now, oldest first.
pub async fn recent(conn: &mut PgConnection, within: TimeDelta) -> Result<Vec<Slice>, Error> {
    let rows = sqlx::query_as!(
        SliceRow,
        "SELECT grain, begins, looks, last_at, pending, drawn, oldest, failing, half_done, duplicates, most,
                came, gone, known_ms, left_at, received, repeated, mark
         FROM orderscope.samples
         WHERE begins > now() - make_interval(secs => $1) AND begins <= now() ORDER BY begins LIMIT 20000",
        within.as_seconds_f64()
    )
    .fetch_all(conn)
    .await.of("orderscope.samples")?;
    slices(rows)
}

/// Slices of a grain from a moment until another, oldest first, a bounded number of them.
pub async fn between(
    conn: &mut PgConnection,
    grain: Grain,
    from: Option<DateTime<Utc>>,
    until: DateTime<Utc>,
) -> Result<Vec<Slice>, Error> {
    let rows = sqlx::query_as!(
        SliceRow,
        "SELECT grain, begins, looks, last_at, pending, drawn, oldest, failing, half_done, duplicates, most,
                came, gone, known_ms, left_at, received, repeated, mark
         FROM orderscope.samples
         WHERE grain = $1 AND begins >= coalesce($2, '-infinity'::timestamptz) AND begins < $3 ORDER BY begins LIMIT $4",
        grain.seconds(),
        from,
        until,
        STEP
    )
    .fetch_all(conn)
    .await.of("orderscope.samples")?;
    slices(rows)
}

/// Writes a slice, over the one that is there.
pub async fn put(tx: &mut PgConnection, slice: &Slice) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO orderscope.samples (grain, begins, looks, last_at, pending, drawn, oldest, failing, half_done,
             duplicates, most, came, gone, known_ms, left_at, received, repeated, mark)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
         ON CONFLICT (grain, begins) DO UPDATE
         SET (looks, last_at, pending, drawn, oldest, failing, half_done, duplicates, most, came, gone, known_ms,
              left_at, received, repeated, mark) =
             (EXCLUDED.looks, EXCLUDED.last_at, EXCLUDED.pending, EXCLUDED.drawn, EXCLUDED.oldest, EXCLUDED.failing,
              EXCLUDED.half_done, EXCLUDED.duplicates, EXCLUDED.most, EXCLUDED.came, EXCLUDED.gone,
              EXCLUDED.known_ms, EXCLUDED.left_at, EXCLUDED.received, EXCLUDED.repeated,
              EXCLUDED.mark)",
        slice.grain.seconds(),
        slice.begins,
        slice.looks,
        slice.last.at,
        slice.pending,
        slice.last.mark.number,
        slice.oldest,
        slice.failing,
        slice.half_done,
        slice.duplicates,
        slice.most,
        slice.came,
        slice.gone,
        slice.known_ms,
        slice.left_at,
        slice.received,
        slice.repeated,
        serde_json::to_value(slice.last.mark).ok()
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Removes slices of a grain from a moment until another.
pub async fn remove(
    tx: &mut PgConnection,
    grain: Grain,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<(), Error> {
    sqlx::query!(
        "DELETE FROM orderscope.samples WHERE grain = $1 AND begins >= $2 AND begins < $3",
        grain.seconds(),
        from,
        until
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Removes what no clock explains: slices that begin after a moment, and the oldest of a grain beyond its bound.
pub async fn bound(tx: &mut PgConnection, after: DateTime<Utc>) -> Result<(), Error> {
    sqlx::query!("DELETE FROM orderscope.samples WHERE begins > $1", after)
        .execute(&mut *tx)
        .await?;
    for grain in Grain::ALL {
        sqlx::query!(
            "DELETE FROM orderscope.samples WHERE grain = $1 AND begins <=
                 (SELECT begins FROM orderscope.samples WHERE grain = $1 ORDER BY begins DESC OFFSET $2 LIMIT 1)",
            grain.seconds(),
            grain.most()
        )
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

/// A delivery that a consumer finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    pub message: Uuid,
    pub consumer: Uuid,
    pub received: DateTime<Utc>,
    pub delivered: DateTime<Utc>,
}

/// Remembers deliveries; tells how many are of pairs that had been finished before under another row, which the
/// service has forgotten since.
pub async fn see(tx: &mut PgConnection, seen: &[Seen]) -> Result<i64, Error> {
    let messages: Vec<_> = seen.iter().map(|one| one.message).collect();
    let consumers: Vec<_> = seen.iter().map(|one| one.consumer).collect();
    let received: Vec<_> = seen.iter().map(|one| one.received).collect();
    let delivered: Vec<_> = seen.iter().map(|one| one.delivered).collect();
    let again = sqlx::query_scalar!(
        r#"WITH put AS (
             INSERT INTO orderscope.seen_messages AS known (message_id, consumer_id, received, delivered)
             SELECT DISTINCT ON (m, c) m, c, r, d
             FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[]) AS t (m, c, r, d)
             ORDER BY m, c, r DESC
             ON CONFLICT (message_id, consumer_id) DO UPDATE
             SET received = EXCLUDED.received, delivered = EXCLUDED.delivered, repeated = known.repeated + 1
             WHERE known.received < EXCLUDED.received
             RETURNING known.repeated)
           SELECT count(*) FILTER (WHERE repeated > 0) AS "again!" FROM put"#,
        &messages,
        &consumers,
        &received,
        &delivered
    )
    .fetch_one(tx)
    .await?;
    Ok(again)
}

/// The newest delivery that is remembered.
pub async fn newest_seen(conn: &mut PgConnection) -> Result<Option<DateTime<Utc>>, Error> {
    let newest = sqlx::query_scalar!("SELECT max(delivered) FROM orderscope.seen_messages");
    newest.fetch_one(conn).await.of("orderscope.seen_messages")
}

/// Forgets deliveries from before a moment, and the oldest beyond `most`.
pub async fn forget(tx: &mut PgConnection, before: DateTime<Utc>, most: i64) -> Result<(), Error> {
    sqlx::query!(
        "DELETE FROM orderscope.seen_messages
         WHERE delivered < greatest($1, (SELECT delivered FROM orderscope.seen_messages
                                         ORDER BY delivered DESC OFFSET $2 LIMIT 1))",
        before,
        most - 1
    )
    .execute(tx)
    .await?;
    Ok(())
}

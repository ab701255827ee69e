//! Loads demo data into a managed database, in one transaction: it either succeeds completely or changes
//! nothing. One thread generates rows while the server stores the previous ones.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use sqlx::{Connection, PgConnection};
use tokio::sync::mpsc;

use super::{
    Invalid, Options, history,
    plan::Plan,
    step::Counts,
    tables::copy::{Chunk, Table},
};
use crate::db::{
    self, bulk, demo,
    migrate::{self, Standing},
    scenario,
    settings::{self, Projection},
};

/// Chunks of some megabytes that may wait for the server.
const QUEUED_CHUNKS: usize = 2;
/// Memory that the server may use to build an index, for a large load and for a small one.
const MEMORY_MB: u32 = 512;
pub(super) const SMALL_MEMORY_MB: u32 = 64;
const LARGE: u64 = 200_000;

/// Why no demo data was loaded. The database is unchanged.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error(
        "this database was not created by Orderscope ({found}): demo data is loaded only into those. \
         Name another database, or none to use the private one"
    )]
    NotManaged { found: String },
    #[error(
        "scenario error-queue is planted: its messages are in a broker's queues, and only `orderscope demo heal` removes \
         them; run that first"
    )]
    FaultsPlanted,
    #[error(
        "this database already has data: add --replace to replace its demo data, or name another database"
    )]
    Occupied,
    #[error(
        "not the demo's: {0}. What others made is never replaced: name another database; \
         `orderscope db reset` removes the private one with everything in it"
    )]
    Others(String),
    #[error(
        "another session uses the tables and blocked the load for 10 seconds: \
         close other consoles on this database and try again"
    )]
    InUse,
    #[error(transparent)]
    Migrate(#[from] migrate::Error),
    #[error("loading failed, the database is unchanged: {0}")]
    Database(#[from] db::Error),
    #[error("generating rows failed, the database is unchanged")]
    Stopped,
    #[error("planting or healing failed, the database is unchanged: {0}")]
    Planting(db::Error),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

/// What a load is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// `done` and `total` are orders.
    Rows,
    /// Indexes and constraints.
    Indexes,
    /// Statistics for the planner: one step.
    Statistics,
}

/// The progress of a load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    pub stage: Stage,
    pub done: u64,
    pub total: u64,
    /// The index or constraint being created; empty while rows are loaded.
    pub current: String,
}

/// What was loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loaded {
    pub orders: u64,
    pub lines: u64,
    pub buyers: u64,
    pub events: u64,
    /// All rows of all tables.
    pub rows: u64,
}

/// The options of the demo data in a database; none if it has none.
pub async fn loaded(conn: &mut PgConnection) -> Result<Option<Options>, Error> {
    let record = demo::record(conn).await?;
    Ok(record.map(|record| Options {
        orders: u64::try_from(record.orders).unwrap_or_default(),
        seed: u64::try_from(record.seed).unwrap_or_default(),
        years: u32::try_from(record.years).unwrap_or_default(),
        until: record.until,
    }))
}

/// Whether nothing was ever loaded, written or recorded: the first start was broken off before that. What somebody
/// migrated by hand has that on record, and stays empty.
pub async fn is_unfilled(conn: &mut PgConnection) -> Result<bool, Error> {
    Ok(demo::record(conn).await?.is_none()
        && !bulk::occupied(conn).await?
        && db::audit::top(conn, i64::MAX).await?.is_none())
}

/// Fills a managed database in a transaction of its own.
///
/// # Errors
/// As [`load_in`]; nothing was changed then.
pub async fn load(
    conn: &mut PgConnection,
    options: Options,
    replace: bool,
    progress: impl FnMut(Progress),
) -> Result<Loaded, Error> {
    let mut tx = conn.begin().await?;
    let loaded = load_in(&mut tx, options, replace, progress).await?;
    tx.commit().await?;
    Ok(loaded)
}

/// Fills a managed database in the caller's transaction. Its demo data is replaced if `replace` is set; what anybody
/// else made never is.
///
/// The caller migrates first. During the load, other sessions wait for the tables. `progress` is called from
/// this future, often enough for a progress bar.
///
/// # Errors
/// When there are other rows, or the database fails; the transaction has to be rolled back.
pub async fn load_in(
    tx: &mut PgConnection,
    options: Options,
    replace: bool,
    mut progress: impl FnMut(Progress),
) -> Result<Loaded, Error> {
    options.check()?;
    check_managed(tx).await?;
    let large = options.orders >= LARGE;
    bulk::prepare(tx, if large { MEMORY_MB } else { SMALL_MEMORY_MB }).await?;
    // From here on nobody adds a row that the look did not see.
    bulk::lock(tx).await.map_err(in_use)?;
    may_load(tx, replace).await?;
    let dropped = bulk::drop_indexes(tx).await.map_err(in_use)?;
    let (counts, rows) = fill(tx, options, bulk::Place::Public, &mut progress).await?;
    let total = dropped.len() as u64;
    bulk::restore(tx, dropped, |done, name| {
        let (done, current) = (done as u64, name.to_owned());
        progress(Progress { stage: Stage::Indexes, done, total, current });
    })
    .await?;
    let step = |done| Progress { stage: Stage::Statistics, done, total: 1, current: String::new() };
    progress(step(0));
    bulk::set_sequences(
        tx,
        bulk::Sequences {
            last_event: signed(counts.last_event),
            last_message: signed(counts.last_message),
            last_command: signed(counts.last_command),
        },
    )
    .await?;
    bulk::analyze(tx).await?;
    demo::set_record(
        tx,
        &demo::Record {
            orders: signed(options.orders),
            seed: signed(options.seed),
            years: i32::try_from(options.years).unwrap_or(i32::MAX),
            until: options.until,
            made_by: env!("CARGO_PKG_VERSION").to_owned(),
        },
    )
    .await?;
    scenario::forget(tx).await?;
    // An asynchronous projection is what makes lag and dead letters possible.
    settings::set_projection(tx, Projection::Async).await?;
    progress(step(1));
    let Counts { orders, lines, buyers, events, .. } = counts;
    Ok(Loaded { orders, lines, buyers, events, rows })
}

/// Refuses where a load would replace anything but demo data; tells whether there is any. Makes the demo's rows again
/// beside the tables: they are the same whenever they are made, so whatever is not among them is somebody else's.
pub(super) async fn may_load(tx: &mut PgConnection, replace: bool) -> Result<bool, Error> {
    if !scenario::faults(tx).await?.is_empty() {
        return Err(Error::FaultsPlanted);
    }
    if !bulk::occupied(tx).await? {
        return Ok(false);
    }
    if !replace {
        return Err(Error::Occupied);
    }
    bulk::make_beside(tx, &Table::ALL.map(Table::columns)).await?;
    if let Some(options) = loaded(tx).await? {
        fill(tx, options, bulk::Place::Beside, &mut |_| ()).await?;
    }
    match bulk::others(tx).await?.as_slice() {
        [] => Ok(true),
        others => Err(Error::Others(others.join(", "))),
    }
}

/// Refuses databases that are not managed or not up to date.
pub(super) async fn check_managed(conn: &mut PgConnection) -> Result<(), Error> {
    let found = match migrate::standing(conn).await? {
        Standing::Managed { pending: 0 } => return Ok(()),
        Standing::Managed { pending } => {
            format!("{pending} migrations are missing: migrate it first")
        }
        Standing::Empty => "it is empty: migrate it first".to_owned(),
        Standing::Attached { since } => format!("handed over to the service, {since}"),
        Standing::Service { evidence } => evidence,
    };
    Err(Error::NotManaged { found })
}

/// Generates rows in one thread and sends them to the server from here.
async fn fill(
    tx: &mut PgConnection,
    options: Options,
    place: bulk::Place,
    progress: &mut impl FnMut(Progress),
) -> Result<(Counts, u64), Error> {
    let (sender, mut chunks) = mpsc::channel::<Chunk>(QUEUED_CHUNKS);
    let made = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&made);
    let maker = tokio::task::spawn_blocking(move || {
        let plan = Plan::new(options);
        // If the receiver was dropped, the load has failed.
        let failed = std::cell::Cell::new(false);
        let sink = |chunk| failed.set(failed.get() || sender.blocking_send(chunk).is_err());
        history::write(&plan, sink, |orders| {
            counter.store(orders, Ordering::Relaxed);
            !failed.get()
        })
    });
    let mut rows = 0;
    while let Some(chunk) = chunks.recv().await {
        let (table, columns) = chunk.table.columns();
        rows += bulk::copy(tx, place, table, columns, &chunk.bytes).await?;
        let done = made.load(Ordering::Relaxed);
        let (total, current) = (options.orders, String::new());
        progress(Progress { stage: Stage::Rows, done, total, current });
    }
    let counts = maker.await.map_err(|_| Error::Stopped)?;
    Ok((counts, rows))
}

fn in_use(error: sqlx::Error) -> Error {
    match error.into() {
        db::Error::Locked(_) => Error::InUse,
        other => Error::Database(other),
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

//! Puts demo data into a managed database, in one transaction: either all of it is there afterwards, or
//! what was there before. One thread makes rows while the server takes the ones before.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use sqlx::{Connection, PgConnection};
use tokio::sync::mpsc;

use super::{
    Invalid, Options,
    history::{self, Counts},
    plan::Plan,
    tables::copy::Piece,
};
use crate::db::{
    self, bulk, demo,
    migrate::{self, Standing},
    scenario,
    settings::{self, Projection},
};

/// Pieces of some megabytes that may wait for the server.
const AHEAD: usize = 2;
/// Memory the server may use to make an index, for a large load and for a small one.
const MEMORY_MB: u32 = 512;
const SMALL_MEMORY_MB: u32 = 64;
const LARGE: u64 = 200_000;

/// Why no demo data was loaded. The database is as it was before.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error(
        "this database is not one that Orderscope made ({found}): demo data goes only into those. \
         Name another database, or none to use the private one"
    )]
    NotManaged { found: String },
    #[error(
        "scenario error-queue is planted: its messages lie in a broker's queues, and only `orderscope demo heal` takes \
         them out; say that first"
    )]
    FaultsPlanted,
    #[error(
        "there is data in this database already: say --replace to lose it, or name another database"
    )]
    Occupied,
    #[error(
        "another session uses the tables and kept the load waiting for 10 seconds: \
         close other consoles on this database and try again"
    )]
    InUse,
    #[error(transparent)]
    Migrate(#[from] migrate::Error),
    #[error("loading failed, the database is as it was before: {0}")]
    Database(#[from] db::Error),
    #[error("making rows failed, the database is as it was before")]
    Stopped,
    #[error("planting or healing failed, the database is as it was before: {0}")]
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

/// How far a load is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    pub stage: Stage,
    pub done: u64,
    pub total: u64,
    /// What is being made now: an index, a constraint; empty while rows come in.
    pub doing: String,
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

/// The arguments of the demo data in a database; none if there is none.
pub async fn loaded(conn: &mut PgConnection) -> Result<Option<Options>, Error> {
    let record = demo::record(conn).await?;
    Ok(record.map(|record| Options {
        orders: u64::try_from(record.orders).unwrap_or_default(),
        seed: u64::try_from(record.seed).unwrap_or_default(),
        years: u32::try_from(record.years).unwrap_or_default(),
        until: record.until,
    }))
}

/// Fills a managed database. What is in it is replaced if `replace` is set, else the load is refused.
///
/// The caller migrates first. While it runs, other sessions wait for the tables. `progress` is called from
/// this future, often enough for a progress bar.
pub async fn load(
    conn: &mut PgConnection,
    options: Options,
    replace: bool,
    mut progress: impl FnMut(Progress),
) -> Result<Loaded, Error> {
    options.check()?;
    managed(conn).await?;
    let mut tx = conn.begin().await?;
    let large = options.orders >= LARGE;
    bulk::prepare(&mut tx, if large { MEMORY_MB } else { SMALL_MEMORY_MB }).await?;
    if !replace && bulk::occupied(&mut tx).await? {
        return Err(Error::Occupied);
    }
    if !scenario::faults(&mut tx).await?.is_empty() {
        return Err(Error::FaultsPlanted);
    }
    let aside = bulk::set_aside(&mut tx).await.map_err(in_use)?;
    let (counts, rows) = fill(&mut tx, options, &mut progress).await?;
    let total = aside.len() as u64;
    bulk::restore(&mut tx, aside, |done, name| {
        let (done, doing) = (done as u64, name.to_owned());
        progress(Progress { stage: Stage::Indexes, done, total, doing });
    })
    .await?;
    let step = |done| Progress { stage: Stage::Statistics, done, total: 1, doing: String::new() };
    progress(step(0));
    bulk::set_sequences(
        &mut tx,
        bulk::Sequences {
            last_event: signed(counts.last_event),
            last_message: signed(counts.last_message),
            last_command: signed(counts.last_command),
        },
    )
    .await?;
    bulk::analyze(&mut tx).await?;
    demo::set_record(
        &mut tx,
        &demo::Record {
            orders: signed(options.orders),
            seed: signed(options.seed),
            years: i32::try_from(options.years).unwrap_or(i32::MAX),
            until: options.until,
            made_by: env!("CARGO_PKG_VERSION").to_owned(),
        },
    )
    .await?;
    scenario::forget(&mut tx).await?;
    // So that lag and dead letters live.
    settings::set_projection(&mut tx, Projection::Async).await?;
    tx.commit().await?;
    progress(step(1));
    let Counts { orders, lines, buyers, events, .. } = counts;
    Ok(Loaded { orders, lines, buyers, events, rows })
}

/// That the database is one of ours and up to date.
pub(super) async fn managed(conn: &mut PgConnection) -> Result<(), Error> {
    let found = match migrate::standing(conn).await? {
        Standing::Managed { pending: 0 } => return Ok(()),
        Standing::Managed { pending } => {
            format!("{pending} steps of its schema are missing: migrate it first")
        }
        Standing::Empty => "it is empty: migrate it first".to_owned(),
        Standing::Attached { since } => format!("handed over to the service, {since}"),
        Standing::Service { evidence } => evidence,
    };
    Err(Error::NotManaged { found })
}

/// Makes rows in one thread and gives them to the server from here.
async fn fill(
    tx: &mut PgConnection,
    options: Options,
    progress: &mut impl FnMut(Progress),
) -> Result<(Counts, u64), Error> {
    let (sender, mut pieces) = mpsc::channel::<Piece>(AHEAD);
    let made = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&made);
    let maker = tokio::task::spawn_blocking(move || {
        let plan = Plan::new(options);
        // A receiver that is gone means that the load has failed.
        let failed = std::cell::Cell::new(false);
        let sink = |piece| failed.set(failed.get() || sender.blocking_send(piece).is_err());
        history::write(&plan, sink, |orders| {
            counter.store(orders, Ordering::Relaxed);
            !failed.get()
        })
    });
    let mut rows = 0;
    while let Some(piece) = pieces.recv().await {
        let (table, columns) = piece.table.columns();
        rows += bulk::copy(tx, table, columns, &piece.bytes).await?;
        let done = made.load(Ordering::Relaxed);
        let (total, doing) = (options.orders, String::new());
        progress(Progress { stage: Stage::Rows, done, total, doing });
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

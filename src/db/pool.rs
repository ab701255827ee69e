//! Sessions with the database: few, opened when first needed, set up to be good guests.
//!
//! Not sqlx's own pool: that one hides a refused connection and a failing set-up until its time
//! runs out, and does not know a session's backend, which cancelling needs. This one says at once what is
//! wrong, never gives out a session whose last statement was abandoned, and costs no extra round trips.

use std::{
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, PgConnection, Row,
    postgres::{PgConnectOptions, PgRow},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

use super::{Error, Layout};

/// The limits of every session. All of them are configuration.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The longest any statement may take. 2 s is what an attached database can bear: a running statement
    /// holds back every projection while a gap is open.
    pub statement: Duration,
    /// The longest wait for another's lock.
    pub lock: Duration,
    /// The longest a plan may hold the locks of what it tries out.
    pub planning: Duration,
    /// The longest a transaction of ours may do nothing.
    pub idle_in_transaction: Duration,
    /// The longest wait for the server to take a new session.
    pub connect: Duration,
    /// The longest wait for one of our own sessions to become free.
    pub acquire: Duration,
    /// Sessions for reading at the same time.
    pub readers: usize,
    /// A table of at most so many pages (of 8 kB) is read whole where it has no index: that takes a few
    /// milliseconds.
    pub small_table_pages: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            statement: Duration::from_secs(2),
            lock: Duration::from_millis(500),
            planning: Duration::from_secs(1),
            idle_in_transaction: Duration::from_secs(5),
            connect: Duration::from_secs(5),
            acquire: Duration::from_secs(5),
            readers: 4,
            small_table_pages: 1_000,
        }
    }
}

/// A database as Orderscope sees it: its sessions and what is known of its layout. Cheap to clone;
/// making one does nothing yet.
#[derive(Debug, Clone)]
pub struct Db {
    pub(super) read: Pool,
    pub(super) control: Pool,
    /// One session; see [`Db::journal`].
    pub(super) journal: Pool,
    layout: Arc<tokio::sync::RwLock<Option<Arc<Layout>>>>,
}

impl Db {
    /// A database at an address. Nothing is opened before the first question.
    pub fn new(options: &PgConnectOptions, limits: &Limits) -> Self {
        Self {
            read: Pool::new(options, limits, limits.readers, Access::Read),
            control: Pool::new(options, limits, 1, Access::Read),
            journal: Pool::new(options, limits, 1, Access::Read),
            layout: Arc::default(),
        }
    }

    /// What the database has, asked once and remembered; see [`Db::probe_again`].
    pub async fn layout(&self) -> Result<Arc<Layout>, Error> {
        if let Some(layout) = &*self.layout.read().await {
            return Ok(Arc::clone(layout));
        }
        let mut known = self.layout.write().await;
        if let Some(layout) = &*known {
            return Ok(Arc::clone(layout));
        }
        let mut session = self.read.session("probe").await?;
        let layout = Arc::new(
            super::layout::probe(&mut session, self.read.0.limits.small_table_pages).await?,
        );
        session.finish();
        *known = Some(Arc::clone(&layout));
        Ok(layout)
    }

    /// Forgets the layout: an index was made, a migration ran, another server answers.
    pub async fn probe_again(&self) -> Result<Arc<Layout>, Error> {
        *self.layout.write().await = None;
        self.layout().await
    }

    /// A read-only session shown to the server as `orderscope/<who>`; see [`Pool::session`].
    pub async fn session(&self, who: &str) -> Result<Session, Error> {
        self.read.session(who).await
    }

    /// Sessions that may write, two at most. They exist only as long as what is returned is kept.
    pub fn writing(&self) -> Pool {
        let Inner { options, limits, .. } = &*self.read.0;
        Pool::new(options, limits, WRITERS, Access::Write)
    }

    /// The address, for a session of one's own.
    pub fn options(&self) -> &PgConnectOptions {
        &self.read.0.options
    }

    /// `host:port/database`, without user or password, for messages.
    pub fn place(&self) -> &str {
        &self.read.0.place
    }

    /// Ends all idle sessions in an orderly way. Later questions open new ones.
    pub async fn close(&self) {
        self.read.close().await;
        self.control.close().await;
        self.journal.close().await;
    }
}

/// One session of its own that may write, for migrating and loading: no limit but that of connecting.
pub async fn connect(options: &PgConnectOptions, who: &str) -> Result<PgConnection, Error> {
    let place = place(options);
    let limit = Limits::default().connect;
    let options = options.clone().application_name(&shown(who)).disable_statement_logging();
    match tokio::time::timeout(limit, options.connect()).await {
        Ok(opened) => opened.map_err(|error| Error::connecting(error, &place)),
        Err(_) => {
            let why = format!("no answer within {} s", limit.as_secs_f32());
            Err(Error::Unreachable { place, why })
        }
    }
}

/// Sessions for commands at the same time.
const WRITERS: usize = 2;

/// What the sessions of a pool may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

/// Sessions of one kind, at most a fixed number.
#[derive(Debug, Clone)]
pub struct Pool(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    options: PgConnectOptions,
    limits: Limits,
    size: usize,
    access: Access,
    place: String,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Idle>>,
}

#[derive(Debug)]
struct Idle {
    conn: PgConnection,
    backend: i32,
    who: String,
    since: Instant,
}

/// An idle session older than this is asked whether it still lives before it is used.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);

impl Pool {
    fn new(options: &PgConnectOptions, limits: &Limits, size: usize, access: Access) -> Self {
        // extra_float_digits is refused by PgBouncer, and we read no floats.
        let options = options.clone().extra_float_digits(None).disable_statement_logging();
        Self(Arc::new(Inner {
            place: place(&options),
            options,
            limits: limits.clone(),
            size,
            access,
            permits: Arc::new(Semaphore::new(size)),
            idle: Mutex::default(),
        }))
    }

    /// A session that shows itself to the server as `orderscope/<who>`: a free one, or a new one.
    ///
    /// Hand it back with [`Session::finish`]; one that is dropped otherwise is closed, because it may
    /// still be in the middle of an answer.
    pub async fn session(&self, who: &str) -> Result<Session, Error> {
        let permit = self.permit().await?;
        while let Some(mut idle) = self.take_idle() {
            if idle.since.elapsed() > TRUSTED_IDLE && idle.conn.ping().await.is_err() {
                continue;
            }
            if idle.who != who {
                let rename = format!("SET application_name = {}", quoted(&shown(who)));
                if sqlx::raw_sql(AssertSqlSafe(rename)).execute(&mut idle.conn).await.is_err() {
                    continue;
                }
                who.clone_into(&mut idle.who);
            }
            return Ok(Session { pool: self.clone(), idle, _permit: permit });
        }
        let idle = self.open(who).await?;
        Ok(Session { pool: self.clone(), idle, _permit: permit })
    }

    /// The longest a statement may run here.
    pub fn statement_limit(&self) -> Duration {
        self.0.limits.statement
    }

    /// The longest a plan may hold locks here.
    pub fn planning_limit(&self) -> Duration {
        self.0.limits.planning
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit, Error> {
        let permits = Arc::clone(&self.0.permits);
        match Arc::clone(&permits).try_acquire_owned() {
            Ok(permit) => return Ok(permit),
            Err(TryAcquireError::Closed) => return Err(Error::Cancelled),
            Err(TryAcquireError::NoPermits) => {}
        }
        match tokio::time::timeout(self.0.limits.acquire, permits.acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(Error::Cancelled),
            Err(_) => Err(Error::Exhausted(self.0.size)),
        }
    }

    fn take_idle(&self) -> Option<Idle> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    async fn open(&self, who: &str) -> Result<Idle, Error> {
        let Inner { options, limits, place, access, .. } = &*self.0;
        let options = options.clone().application_name(&shown(who));
        let opening = async {
            let mut conn = options.connect().await?;
            let rows: Vec<PgRow> =
                sqlx::raw_sql(AssertSqlSafe(set_up(limits, *access))).fetch_all(&mut conn).await?;
            let backend = rows.last().ok_or(sqlx::Error::RowNotFound)?.try_get(0)?;
            Ok(Idle { conn, backend, who: who.to_owned(), since: Instant::now() })
        };
        match tokio::time::timeout(limits.connect, opening).await {
            Ok(opened) => opened.map_err(|error| Error::connecting(error, place)),
            Err(_) => Err(Error::Unreachable {
                place: place.clone(),
                why: format!("no answer within {} s", limits.connect.as_secs_f32()),
            }),
        }
    }

    /// Ends all idle sessions in an orderly way.
    pub async fn close(&self) {
        while let Some(idle) = self.take_idle() {
            // The server notices a closed socket as well; the orderly way only spares its log.
            let _ = idle.conn.close().await;
        }
    }
}

/// One statement batch, so one round trip: PgBouncer refuses the same as start-up `options`.
///
/// Searches differ too much for plans made without knowing what is looked for. `pg_catalog` comes first so
/// that nothing in `public` can stand in for a built-in function.
fn set_up(limits: &Limits, access: Access) -> String {
    let statement = limits.statement.as_millis();
    let (lock, idle, rights) = match access {
        Access::Read => {
            (limits.lock, limits.idle_in_transaction, "SET default_transaction_read_only = on")
        }
        // A lock is waited for nearly as long as a statement may take, so that its own message is the one
        // that comes. PostgreSQL 17 and newer limit the whole transaction as well.
        Access::Write => (
            limits.statement * 3 / 4,
            limits.statement,
            "SET default_transaction_read_only = off; \
             SET default_transaction_isolation = 'read committed'; \
             SET synchronous_commit = on",
        ),
    };
    let whole = match access {
        Access::Read => String::new(),
        Access::Write => format!(
            "SELECT set_config('transaction_timeout', '{statement}', false) \
             WHERE current_setting('server_version_num')::int >= 170000; "
        ),
    };
    format!(
        "SET statement_timeout = {statement}; SET lock_timeout = {}; \
         SET idle_in_transaction_session_timeout = {}; {rights}; {whole}\
         SET search_path = pg_catalog, public, pg_temp; SET TimeZone = 'UTC'; SET jit = off; SET plan_cache_mode = force_custom_plan; \
         SELECT pg_backend_pid()",
        lock.as_millis(),
        idle.as_millis(),
    )
}

fn shown(who: &str) -> String {
    format!("orderscope/{who}")
}

fn quoted(text: &str) -> String {
    let plain: String = text.chars().filter(|c| !c.is_control() && *c != '\\').collect();
    format!("'{}'", plain.replace('\'', "''"))
}

fn place(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or_else(|| options.get_username());
    match options.get_socket() {
        Some(socket) => format!("{}/{database}", socket.display()),
        None => format!("{}:{}/{database}", options.get_host(), options.get_port()),
    }
}

/// A session in use. Dropping it closes it; [`Session::finish`] keeps it for the next question.
#[derive(Debug)]
pub struct Session {
    pool: Pool,
    idle: Idle,
    _permit: OwnedSemaphorePermit,
}

impl Session {
    /// The server process behind it, by which it can be cancelled.
    pub fn backend(&self) -> i32 {
        self.idle.backend
    }

    /// Hands the session back. Only after a complete answer, be it an error of the server.
    pub fn finish(self) {
        let Self { pool, mut idle, _permit } = self;
        idle.since = Instant::now();
        pool.0.idle.lock().unwrap_or_else(PoisonError::into_inner).push(idle);
    }
}

impl Deref for Session {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.idle.conn
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.idle.conn
    }
}

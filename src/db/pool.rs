//! Sessions with the database: few, opened when first needed, set up to be good guests.
//!
//! Not sqlx's own pool: that one hides a refused connection and a failing set-up until its time
//! runs out, and does not know a session's backend, which cancelling needs. This one reports errors at once, never
//! reuses a session whose last statement was abandoned, and costs no extra round trips.

use std::{
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    Error, Layout, Limits,
    address::{self, Access, Address, Backend, Opened},
};
use crate::servers::Servers;

/// A database as Orderscope sees it: its sessions and what is known of its layout. Cheap to clone;
/// making one does nothing yet.
#[derive(Debug, Clone)]
pub struct Db {
    pub(super) read: Pool,
    pub(super) control: Pool,
    /// One session; see [`Db::record`].
    pub(super) recorder: Pool,
    layout: Arc<tokio::sync::RwLock<Option<Arc<Layout>>>>,
}

impl Db {
    /// A database at an address. Nothing is opened before the first question.
    pub fn new(servers: impl Into<Servers>, limits: &Limits) -> Self {
        Self::through(servers, None, false, limits)
    }

    /// A database that may be behind a pooler in transaction mode, and its address past that one. If
    /// `pooled` does not say that it is, the first session finds out.
    ///
    /// Behind a pooler every read is one transaction. What needs a session of its own (writing, the record session,
    /// stopping a statement) goes past it, or fails with [`Error::Pooled`].
    pub fn through(
        servers: impl Into<Servers>,
        direct: Option<Servers>,
        pooled: bool,
        limits: &Limits,
    ) -> Self {
        let address = Arc::new(Address::new(servers.into(), direct, pooled));
        let pool = |size, access| Pool::new(Arc::clone(&address), limits, size, access);
        Self {
            read: pool(limits.readers, Access::Read),
            control: pool(1, Access::Control),
            recorder: pool(1, Access::Control),
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
        let small = self.read.0.limits.small_table_pages;
        let servers = self.servers();
        let probe =
            async |conn: &mut PgConnection| super::layout::probe(conn, servers, small).await;
        let layout = Arc::new(self.read("probe", &CancellationToken::new(), probe).await?);
        *known = Some(Arc::clone(&layout));
        Ok(layout)
    }

    /// Forgets the layout: an index was made, a migration ran, another server answers.
    pub async fn probe_again(&self) -> Result<Arc<Layout>, Error> {
        *self.layout.write().await = None;
        self.layout().await
    }

    /// Sessions that may write, two at most. They exist only as long as what is returned is kept.
    pub fn writing(&self) -> Pool {
        let Inner { address, limits, .. } = &*self.read.0;
        Pool::new(Arc::clone(address), limits, WRITERS, Access::Write)
    }

    /// The servers for a session of one's own: past a pooler, where that is known.
    pub fn servers(&self) -> &Servers {
        self.read.0.address.own()
    }

    /// `host:port/database`, without user or password, for messages.
    pub fn place(&self) -> &str {
        self.read.0.address.place()
    }

    /// Whether the server only follows another one, as the newest session found it.
    pub fn is_standby(&self) -> bool {
        self.read.0.address.is_standby()
    }

    /// How long no session is opened from now on, because too many attempts failed.
    pub fn wait(&self) -> Option<Duration> {
        self.read.0.address.wait()
    }

    /// Whether what is written goes to another address than what is read.
    pub fn writes_elsewhere(&self) -> bool {
        self.read.0.address.has_direct()
    }

    /// Closes all idle sessions. Later questions open new ones.
    pub async fn close(&self) {
        self.read.close().await;
        self.control.close().await;
        self.recorder.close().await;
    }
}

/// Sessions for commands at the same time.
const WRITERS: usize = 2;

/// Sessions of one kind, at most a fixed number.
#[derive(Debug, Clone)]
pub struct Pool(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    address: Arc<Address>,
    limits: Limits,
    size: usize,
    access: Access,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Idle>>,
}

#[derive(Debug)]
struct Idle {
    conn: PgConnection,
    /// Its own server process; none through a pooler.
    backend: Option<Backend>,
    who: String,
    since: Instant,
}

/// An idle session older than this is checked before it is used.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);
/// The longest wait for what a server that lives does at once.
const PROMPT: Duration = Duration::from_secs(1);

async fn answers(conn: &mut PgConnection) -> bool {
    matches!(tokio::time::timeout(PROMPT, conn.ping()).await, Ok(Ok(())))
}

impl Pool {
    fn new(address: Arc<Address>, limits: &Limits, size: usize, access: Access) -> Self {
        Self(Arc::new(Inner {
            address,
            limits: limits.clone(),
            size,
            access,
            permits: Arc::new(Semaphore::new(size)),
            idle: Mutex::default(),
        }))
    }

    /// A session that shows itself to the server as `orderscope/<who>`: a free one, or a new one.
    ///
    /// Return it with [`Session::finish`]; one that is dropped otherwise is closed, because it may
    /// still be in the middle of an answer.
    pub async fn session(&self, who: &str) -> Result<Session, Error> {
        let permit = self.permit().await?;
        while let Some(mut idle) = self.take_idle() {
            if idle.since.elapsed() > TRUSTED_IDLE && !answers(&mut idle.conn).await {
                continue;
            }
            if idle.backend.is_some() && idle.who != who {
                let name = address::quoted(&address::shown(who));
                let rename = AssertSqlSafe(format!("SET application_name = {name}"));
                let renamed = sqlx::raw_sql(rename).execute(&mut idle.conn);
                if !matches!(tokio::time::timeout(PROMPT, renamed).await, Ok(Ok(_))) {
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

    /// The longest an answer is waited for on this side.
    pub fn answer_limit(&self) -> Duration {
        self.0.limits.answer
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
        let Inner { address, limits, access, .. } = &*self.0;
        let (conn, backend) = match address.open(who, *access, limits).await? {
            Opened::Direct(conn, backend) => (conn, Some(backend)),
            Opened::Pooled(conn) => (conn, None),
        };
        Ok(Idle { conn, backend, who: who.to_owned(), since: Instant::now() })
    }

    /// Closes all idle sessions.
    pub async fn close(&self) {
        while let Some(idle) = self.take_idle() {
            // The server notices a closed socket as well; the orderly way only spares its log.
            let _ = tokio::time::timeout(PROMPT, idle.conn.close()).await;
        }
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
    /// Runs `work`, through a pooler as one transaction. Before it begins, `backend` hears which server process
    /// does it, where there is a way to stop that.
    pub(super) async fn run<T>(
        &mut self,
        who: &str,
        backend: impl FnOnce(Backend),
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let Inner { address, limits, .. } = &*self.pool.0;
        if let Some(own) = self.idle.backend {
            backend(own);
            return work(&mut self.idle.conn).await;
        }
        let mut tx = self.idle.conn.begin_with(AssertSqlSafe(address::begin(who, limits))).await?;
        if address.can_cancel() {
            let row = sqlx::raw_sql(address::BACKEND).fetch_one(&mut *tx).await?;
            backend(Backend::of(&row)?);
        }
        let answer = work(&mut tx).await;
        // Statements prepared under our names would be found by whoever gets the server's session next.
        tx.clear_cached_statements().await?;
        tx.commit().await?;
        answer
    }

    /// Whether its server is known to be a hot standby.
    pub(super) fn is_standby(&self) -> bool {
        self.idle.backend.is_some_and(|backend| backend.standby)
    }

    /// Returns the session to the pool. Only after a complete answer, which may be an error of the server.
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

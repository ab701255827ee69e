//! How a server is reached: directly, or through a pooler that gives every transaction another of its
//! sessions (PgBouncer in transaction mode).
//!
//! Settings go along with the start of a session. A pooler refuses those it does not know, or swallows them,
//! and so gives itself away before anything was set on a session that it lends to others.

mod breaker;
mod hosts;

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sqlx::{
    AssertSqlSafe, ConnectOptions, PgConnection, Row,
    error::DatabaseError,
    postgres::{PgConnectOptions, PgRow},
};

use self::{
    breaker::Breaker,
    hosts::{Hosts, State, Tried},
};
use super::{Error, Limits};
use crate::servers::Servers;

/// A setting of no meaning but that it arrives: only where no pooler is in between.
const MARK: &str = "orderscope.direct";

/// The server process that does a session's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Backend {
    pub pid: i32,
    /// When its server started, in microseconds: the number of a process says nothing on another server.
    pub started: i64,
    /// Its server is a hot standby.
    pub standby: bool,
}

impl Backend {
    /// Reads what [`BACKEND`] answers.
    pub fn of(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self { pid: row.try_get(0)?, started: row.try_get(1)?, standby: row.try_get(2)? })
    }
}

/// Which process answers.
pub(super) const BACKEND: &str = "SELECT pg_backend_pid(), \
     (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint, pg_is_in_recovery()";

/// What is asked of every new session besides: how its server treats transactions, and whether the settings arrived.
const ARRIVED: &str = ", current_setting('default_transaction_read_only')::boolean, \
     coalesce(current_setting('orderscope.direct', true), '') = 'on'";

/// What is asked through a pooler, where only the server matters.
const STATE: &str =
    "SELECT pg_is_in_recovery(), current_setting('default_transaction_read_only')::boolean";

/// Where a database is.
#[derive(Debug)]
pub(super) struct Address {
    given: Hosts,
    /// Past the pooler.
    direct: Option<Hosts>,
    /// Set once it is known that a pooler is in between.
    pooled: OnceLock<()>,
    /// The newest session that reads is with a hot standby.
    standby: AtomicBool,
    place: String,
    breaker: Breaker,
}

/// What the sessions of a pool may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Read, through a pooler as well.
    Read,
    /// Read or stop others' statements, on a session of its own.
    Control,
    Write,
}

/// A session that was opened.
#[derive(Debug)]
pub(super) enum Opened {
    /// Its own process for as long as it lives.
    Direct(PgConnection, Backend),
    /// A process for each transaction.
    Pooled(PgConnection),
}

impl Address {
    pub fn new(given: Servers, direct: Option<Servers>, pooled: bool) -> Self {
        // extra_float_digits is refused by PgBouncer, and we read no floats.
        let plain = |servers: Servers| {
            servers.map(|options| options.extra_float_digits(None).disable_statement_logging())
        };
        Self {
            place: given.place(),
            given: Hosts::new(plain(given)),
            direct: direct.map(plain).map(Hosts::new),
            pooled: if pooled { OnceLock::from(()) } else { OnceLock::new() },
            standby: AtomicBool::new(false),
            breaker: Breaker::default(),
        }
    }

    /// `host:port/database`, without user or password, for messages.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The servers for a session of one's own.
    pub fn own(&self) -> &Servers {
        self.direct.as_ref().unwrap_or(&self.given).servers()
    }

    /// Whether statements can be stopped in the server.
    pub fn can_cancel(&self) -> bool {
        self.direct.is_some() || self.pooled.get().is_none()
    }

    /// Whether there is an address past the pooler.
    pub const fn has_direct(&self) -> bool {
        self.direct.is_some()
    }

    /// Whether what is read comes from a hot standby, as the newest session found it.
    pub fn is_standby(&self) -> bool {
        self.standby.load(Ordering::Relaxed)
    }

    /// How long no session is opened from now on, because too many attempts failed.
    pub fn wait(&self) -> Option<Duration> {
        self.breaker.wait()
    }

    /// Opens a session within the time for that; not at all for a while after several failures.
    pub async fn open(&self, who: &str, access: Access, limits: &Limits) -> Result<Opened, Error> {
        self.breaker.attempt(&self.place, Box::pin(self.try_open(who, access, limits))).await
    }

    async fn try_open(&self, who: &str, access: Access, limits: &Limits) -> Result<Opened, Error> {
        let own = access != Access::Read;
        if own && let Some(direct) = &self.direct {
            return match self.marked(direct, who, access, limits).await? {
                Some((conn, backend)) => Ok(Opened::Direct(conn, backend)),
                None => Err(Error::PooledToo(direct.servers().place())),
            };
        }
        let found = match self.pooled.get() {
            Some(()) => None,
            None => self.marked(&self.given, who, access, limits).await?,
        };
        if let Some((conn, backend)) = found {
            return Ok(Opened::Direct(conn, backend));
        }
        // Once found, it stays: a pooler is not taken away in the middle.
        self.pooled.get_or_init(|| ());
        if own {
            return Err(Error::Pooled(self.place.clone()));
        }
        let (conn, standby) = self
            .given
            .open(limits.connect, |options| async move {
                let place = &self.place;
                let has_settings = options.get_options().is_some_and(|given| !given.is_empty());
                let mut conn = match options.application_name(&shown(who)).connect().await {
                    Ok(conn) => conn,
                    Err(error) if has_settings && is_refusal(&error) => {
                        return Err(Error::SettingsRefused(place.clone()));
                    }
                    Err(error) => return Err(Error::connecting(error, place)),
                };
                let row = sqlx::raw_sql(STATE).fetch_one(&mut conn).await?;
                let state = State { standby: row.try_get(0)?, read_only: row.try_get(1)? };
                Ok(((conn, state.standby), Some(state)))
            })
            .await?;
        self.standby.store(standby, Ordering::Relaxed);
        Ok(Opened::Pooled(conn))
    }

    /// A session with its settings, unless they do not arrive. One that is to write is refused by a standby before
    /// anything is tried.
    async fn marked(
        &self,
        hosts: &Hosts,
        who: &str,
        access: Access,
        limits: &Limits,
    ) -> Result<Option<(PgConnection, Backend)>, Error> {
        let marked = hosts.open(limits.connect, |options| async move {
            match marked(&options, who, access, limits, hosts.asks_for_read_only()).await {
                Ok(marked) => Ok(marked),
                Err(error) => Err(Error::connecting(error, &self.place)),
            }
        });
        let Some((conn, backend)) = marked.await? else { return Ok(None) };
        let standby = backend.standby;
        if access == Access::Read {
            self.standby.store(standby, Ordering::Relaxed);
        }
        if standby && access == Access::Write {
            return Err(Error::Standby(hosts.servers().place()));
        }
        Ok(Some((conn, backend)))
    }
}

/// A session with its settings, unless they did not arrive.
async fn marked(
    options: &PgConnectOptions,
    who: &str,
    access: Access,
    limits: &Limits,
    asks_for_read_only: bool,
) -> Result<Tried<Option<(PgConnection, Backend)>>, sqlx::Error> {
    // Where it matters how the server itself treats transactions, that is asked before it is set.
    let (later, settings): (Vec<_>, Vec<_>) = settings(access, limits)
        .into_iter()
        .partition(|(name, _)| asks_for_read_only && *name == READ_ONLY);
    let settings = settings.into_iter().chain([(MARK, "on".to_owned())]);
    let opened = options.clone().application_name(&shown(who)).options(settings).connect().await;
    let mut conn = match opened {
        Ok(conn) => conn,
        Err(error) if is_refusal(&error) => return Ok((None, None)),
        Err(error) => return Err(error),
    };
    // PostgreSQL 17 and newer limit the whole transaction as well; older ones would refuse the setting.
    let whole = format!(
        "SELECT set_config('transaction_timeout', '{}', false) WHERE {} AND \
         current_setting('server_version_num')::int >= 170000 AND current_setting('{MARK}', true) = 'on'; ",
        limits.statement.as_millis(),
        access == Access::Write
    );
    let rows: Vec<PgRow> =
        sqlx::raw_sql(AssertSqlSafe(whole + BACKEND + ARRIVED)).fetch_all(&mut conn).await?;
    let row = rows.last().ok_or(sqlx::Error::RowNotFound)?;
    let backend = Backend::of(row)?;
    let state = State { standby: backend.standby, read_only: row.try_get(3)? };
    if !row.try_get::<bool, _>(4)? {
        return Ok((None, None));
    }
    for (name, value) in later {
        let set = format!("SET {name} = {}", quoted(&value));
        sqlx::raw_sql(AssertSqlSafe(set)).execute(&mut conn).await?;
    }
    Ok((Some((conn, backend)), Some(state)))
}

/// Whether transactions are read-only unless they say otherwise.
const READ_ONLY: &str = "default_transaction_read_only";

/// How poolers say that they do not know a setting: a protocol violation (PgBouncer, Odyssey), or something
/// that they do not support.
fn is_refusal(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    matches!(code.as_deref(), Some("08P01" | "0A000"))
}

/// One session of its own that may write, for migrating and loading: no limit but that of connecting.
pub async fn connect(servers: impl Into<Servers>, who: &str) -> Result<PgConnection, Error> {
    let hosts = Hosts::new(servers.into());
    let place = &hosts.servers().place();
    hosts
        .open(Limits::default().connect, |options| async move {
            let options = options.application_name(&shown(who)).disable_statement_logging();
            let mut conn = match options.options([(MARK, "on")]).connect().await {
                Err(error) if is_refusal(&error) => return Err(Error::Pooled(place.clone())),
                opened => opened.map_err(|error| Error::connecting(error, place))?,
            };
            let ask = format!("{BACKEND}{ARRIVED}");
            let row = sqlx::raw_sql(AssertSqlSafe(ask)).fetch_one(&mut conn).await?;
            let state = State { standby: row.try_get(2)?, read_only: row.try_get(3)? };
            if !row.try_get::<bool, _>(4)? {
                return Err(Error::Pooled(place.clone()));
            }
            Ok(((conn, state), Some(state)))
        })
        .await
        .and_then(
            |(conn, state)| {
                if state.standby { Err(Error::Standby(place.clone())) } else { Ok(conn) }
            },
        )
}

/// What makes every session a good guest.
///
/// Searches differ too much for plans made without knowing what is looked for; commands look for rows by their
/// keys, for which one plan serves all. `pg_catalog` comes first so that nothing in `public` can stand in for a
/// built-in function.
fn settings(access: Access, limits: &Limits) -> Vec<(&'static str, String)> {
    let ms = |time: Duration| time.as_millis().to_string();
    let mut all = vec![
        ("statement_timeout", ms(limits.statement)),
        ("search_path", "pg_catalog, public, pg_temp".to_owned()),
        ("TimeZone", "UTC".to_owned()),
        ("jit", "off".to_owned()),
        // A plan kept from when a table was empty reads it whole once it is not.
        ("plan_cache_mode", "force_custom_plan".to_owned()),
    ];
    if access == Access::Write {
        // A lock is waited for nearly as long as a statement may take, so that its own message is the one
        // that comes.
        all.extend([
            ("lock_timeout", ms(limits.statement * 3 / 4)),
            ("idle_in_transaction_session_timeout", ms(limits.statement)),
            (READ_ONLY, "off".to_owned()),
            ("default_transaction_isolation", "read committed".to_owned()),
            ("synchronous_commit", "on".to_owned()),
        ]);
    } else {
        all.extend([
            ("lock_timeout", ms(limits.lock)),
            ("idle_in_transaction_session_timeout", ms(limits.idle_in_transaction)),
            (READ_ONLY, "on".to_owned()),
        ]);
    }
    all
}

/// The start of a transaction through a pooler: settings that end with it, and nothing that outlives it.
pub(super) fn begin(who: &str, limits: &Limits) -> String {
    let mut all = "BEGIN READ ONLY".to_owned();
    let name = ("application_name", shown(who));
    for (setting, value) in settings(Access::Read, limits).into_iter().chain([name]) {
        // A path is a list, which quotes would make one name.
        let value = if setting == "search_path" { value } else { quoted(&value) };
        all.extend(["; SET LOCAL ", setting, " = ", &value]);
    }
    all
}

/// What the server shows of who asks.
pub(super) fn shown(who: &str) -> String {
    format!("orderscope/{who}")
}

pub(super) fn quoted(text: &str) -> String {
    let plain: String = text.chars().filter(|c| !c.is_control() && *c != '\\').collect();
    format!("'{}'", plain.replace('\'', "''"))
}

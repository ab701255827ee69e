//! How a server is reached: directly, or through a pooler that gives every transaction another of its
//! sessions (PgBouncer in transaction mode).
//!
//! Settings are sent with the start of a session. A pooler refuses those it does not know, or drops them, and so is
//! detected before anything was set on a session that it shares with others.

use std::{sync::OnceLock, time::Duration};

use sqlx::{
    AssertSqlSafe, ConnectOptions, PgConnection, Row,
    error::DatabaseError,
    postgres::{PgConnectOptions, PgRow},
};

use super::{Error, Limits};

/// A setting that serves only to detect a pooler: it arrives only without one.
const MARK: &str = "orderscope.direct";

/// What is asked of every new session: its backend, and whether the settings arrived.
const WHO: &str =
    "SELECT pg_backend_pid(), coalesce(current_setting('orderscope.direct', true), '') = 'on'";

/// Where a database is.
#[derive(Debug)]
pub(super) struct Address {
    given: PgConnectOptions,
    /// Past the pooler.
    direct: Option<PgConnectOptions>,
    /// Set once it is known that a pooler is in between.
    pooled: OnceLock<()>,
    place: String,
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
    /// Its own backend for as long as it lives.
    Direct(PgConnection, i32),
    /// A backend for each transaction.
    Pooled(PgConnection),
}

impl Address {
    pub fn new(given: &PgConnectOptions, direct: Option<&PgConnectOptions>, pooled: bool) -> Self {
        // extra_float_digits is refused by PgBouncer, and we read no floats.
        let plain = |options: &PgConnectOptions| {
            options.clone().extra_float_digits(None).disable_statement_logging()
        };
        Self {
            place: place(given),
            given: plain(given),
            direct: direct.map(plain),
            pooled: if pooled { OnceLock::from(()) } else { OnceLock::new() },
        }
    }

    /// `host:port/database`, without user or password, for messages.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The address for a session of one's own.
    pub fn own(&self) -> &PgConnectOptions {
        self.direct.as_ref().unwrap_or(&self.given)
    }

    /// Whether statements can be stopped in the server.
    pub fn can_cancel(&self) -> bool {
        self.direct.is_some() || self.pooled.get().is_none()
    }

    /// Opens a session within the time for that.
    pub async fn open(&self, who: &str, access: Access, limits: &Limits) -> Result<Opened, Error> {
        let opening = self.open_at_leisure(who, access, limits);
        match tokio::time::timeout(limits.connect, opening).await {
            Ok(opened) => opened,
            Err(_) => Err(late(&self.place, limits.connect)),
        }
    }

    async fn open_at_leisure(
        &self,
        who: &str,
        access: Access,
        limits: &Limits,
    ) -> Result<Opened, Error> {
        let own = access != Access::Read;
        if own && let Some(direct) = &self.direct {
            return match marked(direct, who, access, limits).await {
                Ok(Some((conn, backend))) => Ok(Opened::Direct(conn, backend)),
                Ok(None) => Err(Error::PooledToo(place(direct))),
                Err(error) => Err(Error::connecting(error, &place(direct))),
            };
        }
        let found = match self.pooled.get() {
            Some(()) => None,
            None => marked(&self.given, who, access, limits)
                .await
                .map_err(|error| Error::connecting(error, &self.place))?,
        };
        if let Some((conn, backend)) = found {
            return Ok(Opened::Direct(conn, backend));
        }
        // A pooler that was found once is assumed to stay.
        self.pooled.get_or_init(|| ());
        if own {
            return Err(Error::Pooled(self.place.clone()));
        }
        let opened = self.given.clone().application_name(&shown(who)).connect().await;
        opened.map(Opened::Pooled).map_err(|error| Error::connecting(error, &self.place))
    }
}

/// A session with its settings, unless they did not arrive.
async fn marked(
    options: &PgConnectOptions,
    who: &str,
    access: Access,
    limits: &Limits,
) -> Result<Option<(PgConnection, i32)>, sqlx::Error> {
    let settings = settings(access, limits).into_iter().chain([(MARK, "on".to_owned())]);
    let opened = options.clone().application_name(&shown(who)).options(settings).connect().await;
    let mut conn = match opened {
        Ok(conn) => conn,
        Err(error) if is_refusal(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    // PostgreSQL 17 and newer limit the whole transaction as well; older ones would refuse the setting.
    let whole = format!(
        "SELECT set_config('transaction_timeout', '{}', false) WHERE {} AND \
         current_setting('server_version_num')::int >= 170000 AND current_setting('{MARK}', true) = 'on'; ",
        limits.statement.as_millis(),
        access == Access::Write
    );
    let rows: Vec<PgRow> = sqlx::raw_sql(AssertSqlSafe(whole + WHO)).fetch_all(&mut conn).await?;
    let row = rows.last().ok_or(sqlx::Error::RowNotFound)?;
    let (backend, arrived) = (row.try_get(0)?, row.try_get(1)?);
    Ok(if arrived { Some((conn, backend)) } else { None })
}

/// How poolers refuse a setting: a protocol violation (PgBouncer, Odyssey), or something
/// that they do not support.
fn is_refusal(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    matches!(code.as_deref(), Some("08P01" | "0A000"))
}

/// One session of its own that may write, for migrating and loading: no limit but that of connecting.
pub async fn connect(options: &PgConnectOptions, who: &str) -> Result<PgConnection, Error> {
    let (place, limit) = (place(options), Limits::default().connect);
    let opening = async {
        let options = options.clone().application_name(&shown(who)).disable_statement_logging();
        let mut conn = match options.options([(MARK, "on")]).connect().await {
            Err(error) if is_refusal(&error) => return Err(Error::Pooled(place.clone())),
            opened => opened.map_err(|error| Error::connecting(error, &place))?,
        };
        let (_, arrived): (i32, bool) = sqlx::query_as(WHO).fetch_one(&mut conn).await?;
        if arrived { Ok(conn) } else { Err(Error::Pooled(place.clone())) }
    };
    match tokio::time::timeout(limit, opening).await {
        Ok(opened) => opened,
        Err(_) => Err(late(&place, limit)),
    }
}

fn late(place: &str, limit: Duration) -> Error {
    let why = format!("no answer within {} s", limit.as_secs_f32());
    Error::Unreachable { place: place.to_owned(), why }
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
    ];
    if access == Access::Write {
        // The wait for a lock is a little shorter than the statement timeout, so that its own message is the one
        // that comes.
        all.extend([
            ("lock_timeout", ms(limits.statement * 3 / 4)),
            ("idle_in_transaction_session_timeout", ms(limits.statement)),
            ("default_transaction_read_only", "off".to_owned()),
            ("default_transaction_isolation", "read committed".to_owned()),
            ("synchronous_commit", "on".to_owned()),
        ]);
    } else {
        all.extend([
            ("lock_timeout", ms(limits.lock)),
            ("idle_in_transaction_session_timeout", ms(limits.idle_in_transaction)),
            ("default_transaction_read_only", "on".to_owned()),
            ("plan_cache_mode", "force_custom_plan".to_owned()),
        ]);
    }
    all
}

/// The start of a transaction through a pooler, with settings that end with it.
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

/// The part of `application_name` that names the screen or verb.
pub(super) fn shown(who: &str) -> String {
    format!("orderscope/{who}")
}

pub(super) fn quoted(text: &str) -> String {
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

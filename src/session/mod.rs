//! Opens the configured database. The private one is started, migrated and filled first; any other is used
//! as it is.

pub mod exit;
pub mod private;

use std::{convert::Infallible, sync::Arc, time::Duration};

use sqlx::{Connection, PgConnection};
use tokio_util::sync::CancellationToken;

use crate::{
    config::{Context, Server, Settings, Target},
    db::{
        Db, Layout, Limits, Table,
        migrate::{self, Standing},
        standby,
    },
    demo,
    domain::age,
    embedded::{self, Lease},
    ops::policy::{self, Policy},
    servers::Servers,
};

pub use crate::db::standby::Replay;

/// An open database. Call [`Session::close`] at the end, or the private server keeps running until the next
/// console exits.
#[derive(Debug)]
pub struct Session {
    pub db: Db,
    pub layout: Arc<Layout>,
    /// How far the server had come when the session was opened, if it is a hot standby.
    pub replay: Option<Replay>,
    lease: Option<Lease>,
}

/// Why it could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Embedded(#[from] embedded::Error),
    #[error(transparent)]
    Migrate(#[from] migrate::Error),
    #[error(transparent)]
    Demo(#[from] demo::Error),
    #[error(transparent)]
    Database(#[from] crate::db::Error),
    #[error(
        "this is not a database of the Ordering Service ({0}); name another one, or run \
         `orderscope migrate` on an empty one"
    )]
    NotOrders(String),
}

/// What may be done in a context: its rules in the configuration, and `--read-only`.
#[must_use]
pub fn policy(context: &Context, settings: &Settings, read_only: bool) -> Policy {
    let rules = settings.file.contexts.get(&context.name).cloned().unwrap_or_default();
    let unlock = rules.unlock.map(|seconds| Duration::from_secs(seconds.clamp(1, 28_800)));
    Policy {
        context: context.name.clone(),
        read_only: read_only || rules.read_only,
        production: context.production,
        unlock: unlock.unwrap_or(policy::UNLOCK),
        typed: rules.typed_confirmation.unwrap_or(context.production),
        allow: rules.allow,
        largest: settings.thresholds.largest,
        approve_above: rules.approve_above,
    }
}

/// Receives short texts about the step in progress.
pub type Progress<'a> = &'a (dyn Fn(String) + Send + Sync);

/// Opens the database of a context.
///
/// # Errors
/// When it cannot be reached, created or read.
pub async fn open(
    context: &Context,
    limits: &Limits,
    today: chrono::NaiveDate,
    progress: Progress<'_>,
) -> Result<Session, Error> {
    let (server, lease) = match &context.target {
        Target::Server(server) => ((**server).clone(), None),
        Target::Embedded => {
            let config = embedded::Config::from_env();
            let lease = embedded::join(&config, &|step| progress(step.to_string())).await?;
            let servers = lease.options().into();
            (Server { servers, direct: None, pooled: false }, Some(lease))
        }
    };
    match connect_and_probe(&server, limits, lease.as_ref(), today, progress).await {
        Ok((db, layout, replay)) => Ok(Session { db, layout, replay, lease }),
        Err(error) => {
            if let Some(lease) = lease {
                leave(lease).await;
            }
            Err(error)
        }
    }
}

async fn connect_and_probe(
    server: &Server,
    limits: &Limits,
    private: Option<&Lease>,
    today: chrono::NaiveDate,
    progress: Progress<'_>,
) -> Result<(Db, Arc<Layout>, Option<Replay>), Error> {
    let Server { servers, direct, pooled } = server;
    let db = Db::through(servers, direct.clone(), *pooled, limits);
    let mut layout = db.layout().await?;
    if let Some(lease) = private
        && !(layout.reads(Table::Orders) && is_ready(&db).await?)
    {
        prepare(servers, lease, today, progress).await?;
        layout = db.probe_again().await?;
    }
    if !layout.reads(Table::Orders) {
        let missing = layout.missing().into_iter().next();
        return Err(Error::NotOrders(missing.map_or_else(String::new, |missing| missing.what)));
    }
    let replay = if db.is_standby() { replay(&db, &CancellationToken::new()).await? } else { None };
    Ok((db, layout, replay))
}

/// Whether the schema has every migration, and the demo data was loaded; if not, [`prepare`] looks closer.
async fn is_ready(db: &Db) -> Result<bool, Error> {
    let standing = async |conn: &mut PgConnection| {
        let standing = migrate::standing(conn).await;
        Ok((standing, crate::db::demo::record(conn).await?.is_some()))
    };
    let (standing, loaded) = db.read("prepare", &CancellationToken::new(), standing).await?;
    Ok(match standing? {
        Standing::Empty | Standing::Managed { pending: 1.. } => false,
        Standing::Managed { pending: 0 } => loaded,
        Standing::Attached { .. } | Standing::Service { .. } => true,
    })
}

/// How often it is looked whether another console is done.
const LOOK: Duration = Duration::from_millis(100);
/// What the demo data of a first start takes, with its indexes and write-ahead log.
const DEMO_MB: u64 = 150;

/// Brings the private database to this program's schema, and fills it the first time: one transaction, so that
/// whatever ends it, the next console starts over. One console does it, the others wait and see how far it is.
async fn prepare(
    servers: &Servers,
    lease: &Lease,
    today: chrono::NaiveDate,
    progress: Progress<'_>,
) -> Result<(), Error> {
    let mut conn = connect(servers).await?;
    loop {
        let mut tx = conn.begin().await.map_err(crate::db::Error::from)?;
        if migrate::try_lock(&mut tx).await? {
            let prepared = prepared(&mut tx, lease, today, progress).await;
            if prepared.is_ok() {
                tx.commit().await.map_err(crate::db::Error::from)?;
            }
            lease.said();
            prepared?;
            break;
        }
        tx.rollback().await.map_err(crate::db::Error::from)?;
        progress(lease.heard().to_string());
        tokio::time::sleep(LOOK).await;
    }
    // The work is committed. If the server has gone by now, the next query reports it.
    let _ = conn.close().await;
    Ok(())
}

async fn prepared(
    tx: &mut PgConnection,
    lease: &Lease,
    today: chrono::NaiveDate,
    progress: Progress<'_>,
) -> Result<(), Error> {
    let tell = |text: String| {
        lease.say(&text);
        progress(text);
    };
    tell("preparing the database".to_owned());
    migrate::migrate_in(tx).await?;
    if demo::is_unfilled(tx).await? {
        lease.has_room("the demo data", DEMO_MB)?;
        let step = |step: demo::Progress| tell(demo_progress(&step));
        demo::load_in(tx, demo::Options::until(today), false, step).await?;
    }
    Ok(())
}

/// A session that may write, for migrating and loading demo data.
///
/// # Errors
/// When the server cannot be reached.
pub async fn connect(servers: &Servers) -> Result<PgConnection, Error> {
    Ok(crate::db::connect(servers, "prepare").await?)
}

/// Brings a database of our own to this program's schema.
///
/// # Errors
/// When it is not ours, or a step fails; nothing was changed then.
pub async fn migrate(conn: &mut PgConnection) -> Result<migrate::Migrated, Error> {
    Ok(migrate::migrate(conn).await?)
}

/// The progress of loading demo data, as text.
#[must_use]
pub fn demo_progress(step: &demo::Progress) -> String {
    let share = step.done * 100 / step.total.max(1);
    match step.stage {
        demo::Stage::Rows => format!("writing demo orders {share}%"),
        demo::Stage::Indexes => format!("creating indexes {share}% {}", step.current),
        demo::Stage::Statistics => "gathering statistics".to_owned(),
    }
}

impl Session {
    /// What to say of a hot standby, as it was when the session was opened.
    #[must_use]
    pub fn standby(&self) -> Option<String> {
        standby(self.replay)
    }

    /// The same for programs: null on a primary.
    #[must_use]
    pub fn standby_value(&self) -> serde_json::Value {
        self.replay.map_or(serde_json::Value::Null, |replay| {
            serde_json::json!({
                "caught_up": replay.caught_up,
                "behind_seconds": replay.behind.map(|behind| behind.as_secs()),
            })
        })
    }

    /// Keeps the private server running, where there is one, as [`Lease::keep_running`]. Ends with its caller.
    pub async fn keep_running(&self, tell: &(dyn Fn(String) + Send + Sync)) -> Infallible {
        match &self.lease {
            Some(lease) => lease.keep_running(tell).await,
            None => std::future::pending().await,
        }
    }

    /// Ends all sessions with the server; the last console to leave stops the private one.
    pub async fn close(self) {
        self.db.close().await;
        if let Some(lease) = self.lease {
            leave(lease).await;
        }
    }
}

/// How far a hot standby has come by now; none on a primary.
///
/// # Errors
/// When it does not answer.
pub async fn replay(db: &Db, stop: &CancellationToken) -> Result<Option<Replay>, crate::db::Error> {
    db.read("replay", stop, standby::replay).await
}

/// What to say of a hot standby: `hot standby, 3s behind the primary`; nothing of a primary.
#[must_use]
pub fn standby(replay: Option<Replay>) -> Option<String> {
    let replay = replay?;
    Some(match replay.behind {
        _ if replay.caught_up => "hot standby, level with the primary".to_owned(),
        Some(behind) => {
            let behind = chrono::TimeDelta::from_std(behind).unwrap_or(chrono::TimeDelta::MAX);
            format!("hot standby, {} behind the primary", age::length(behind))
        }
        None => "hot standby, how far behind the primary is not known".to_owned(),
    })
}

async fn leave(lease: Lease) {
    if let Err(error) = lease.leave().await {
        tracing::warn!(%error, "the private PostgreSQL could not be released cleanly");
    }
}

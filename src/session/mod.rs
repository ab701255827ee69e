//! Opening the database that is meant: the private one is started, migrated and filled first; any other
//! is taken as it is.

pub mod exit;

use std::{sync::Arc, time::Duration};

use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use tokio_util::sync::CancellationToken;

use crate::{
    config::{Context, Server, Settings, Target},
    db::{
        Db, Layout, Limits, Table,
        migrate::{self, Standing},
    },
    demo,
    embedded::{self, Lease},
    ops::policy::{self, Policy},
};

/// An open database. Call [`Session::close`] at the end, or the private server runs on until the next
/// console leaves it.
#[derive(Debug)]
pub struct Session {
    pub db: Db,
    pub layout: Arc<Layout>,
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
    }
}

/// Told, in a few words, what takes time.
pub type Tell<'a> = &'a (dyn Fn(String) + Send + Sync);

/// Opens it.
///
/// # Errors
/// When it cannot be reached, made or read.
pub async fn open(
    context: &Context,
    limits: &Limits,
    today: chrono::NaiveDate,
    tell: Tell<'_>,
) -> Result<Session, Error> {
    let (server, lease) = match &context.target {
        Target::Server(server) => ((**server).clone(), None),
        Target::Embedded => {
            let config = embedded::Config::from_env();
            let lease = embedded::join(&config, &|step| tell(step.to_string())).await?;
            let options = lease.options().clone();
            (Server { options, direct: None, pooled: false }, Some(lease))
        }
    };
    match look(&server, limits, lease.is_some(), today, tell).await {
        Ok((db, layout)) => Ok(Session { db, layout, lease }),
        Err(error) => {
            if let Some(lease) = lease {
                leave(lease).await;
            }
            Err(error)
        }
    }
}

async fn look(
    server: &Server,
    limits: &Limits,
    private: bool,
    today: chrono::NaiveDate,
    tell: Tell<'_>,
) -> Result<(Db, Arc<Layout>), Error> {
    let Server { options, direct, pooled } = server;
    let db = Db::through(options, direct.as_ref(), *pooled, limits);
    let mut layout = db.layout().await?;
    if private && !(layout.reads(Table::Orders) && is_current(&db).await?) {
        prepare(options, today, tell).await?;
        layout = db.probe_again().await?;
    }
    if !layout.reads(Table::Orders) {
        let missing = layout.missing().into_iter().next();
        return Err(Error::NotOrders(missing.map_or_else(String::new, |missing| missing.what)));
    }
    Ok((db, layout))
}

/// Whether no step of the schema is missing.
async fn is_current(db: &Db) -> Result<bool, Error> {
    let standing = async |conn: &mut PgConnection| Ok(migrate::standing(conn).await);
    let standing = db.read("prepare", &CancellationToken::new(), standing).await?;
    Ok(!matches!(standing?, Standing::Empty | Standing::Managed { pending: 1.. }))
}

/// Brings the private database to this program's schema, and fills it the first time.
async fn prepare(
    options: &PgConnectOptions,
    today: chrono::NaiveDate,
    tell: Tell<'_>,
) -> Result<(), Error> {
    tell("preparing the database".to_owned());
    let mut conn = connect(options).await?;
    let migrated = self::migrate(&mut conn).await?;
    if migrated.created {
        let made = |step: demo::Progress| tell(progress(&step));
        demo::load(&mut conn, demo::Options::until(today), false, made).await?;
    }
    // The work is committed; a server that is gone by now is noticed at the next question.
    let _ = conn.close().await;
    Ok(())
}

/// A session that may write, for migrating and loading demo data.
///
/// # Errors
/// When the server cannot be reached.
pub async fn connect(options: &PgConnectOptions) -> Result<PgConnection, Error> {
    Ok(crate::db::connect(options, "prepare").await?)
}

/// Brings a database of our own to this program's schema.
///
/// # Errors
/// When it is not ours, or a step fails; nothing was changed then.
pub async fn migrate(conn: &mut PgConnection) -> Result<migrate::Migrated, Error> {
    Ok(migrate::migrate(conn).await?)
}

/// How far a load of demo data is, in words.
#[must_use]
pub fn progress(step: &demo::Progress) -> String {
    let share = step.done * 100 / step.total.max(1);
    match step.stage {
        demo::Stage::Rows => format!("writing demo orders {share}%"),
        demo::Stage::Indexes => format!("making indexes {share}% {}", step.doing),
        demo::Stage::Statistics => "gathering statistics".to_owned(),
    }
}

impl Session {
    /// Ends all sessions with the server; the last console to leave stops the private one.
    pub async fn close(self) {
        self.db.close().await;
        if let Some(lease) = self.lease {
            leave(lease).await;
        }
    }
}

async fn leave(lease: Lease) {
    if let Err(error) = lease.leave().await {
        tracing::warn!(%error, "the private PostgreSQL was not left in an orderly way");
    }
}

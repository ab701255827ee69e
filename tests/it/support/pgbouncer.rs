//! A private PgBouncer in transaction mode in front of the private PostgreSQL, with fewer sessions than clients.

use std::{
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use sqlx::postgres::PgConnectOptions;

use super::postgres::server_user;

/// A running pooler; it stops with the test process, or when it is dropped.
pub struct Pooler {
    dir: tempfile::TempDir,
    keeper: Child,
}

impl Pooler {
    /// Starts one in front of the server of `options`, with that many sessions. `ignored` are start-up parameters
    /// that it ignores.
    pub fn start(options: &PgConnectOptions, sessions: u32, ignored: &str) -> Self {
        let dir = tempfile::Builder::new().prefix("orderscope-pooler-").tempdir().unwrap();
        let root = dir.path();
        let owner = rustix::process::geteuid().is_root().then(server_user);
        if let Some((uid, gid)) = owner {
            std::os::unix::fs::chown(root, Some(uid), Some(gid)).unwrap();
        }
        let users = root.join("users");
        std::fs::write(&users, "\"postgres\" \"\"\n").unwrap();
        let settings = root.join("settings.ini");
        let ini = format!(
            "[databases]\n* = host={} port={} user=postgres\n[pgbouncer]\n\
             listen_addr =\nunix_socket_dir = {}\nlisten_port = 6432\nauth_type = any\n\
             auth_file = {}\npool_mode = transaction\ndefault_pool_size = {sessions}\n\
             max_client_conn = 200\nignore_startup_parameters = {ignored}\n",
            options.get_socket().unwrap().display(),
            options.get_port(),
            root.display(),
            users.display(),
        );
        std::fs::write(&settings, ini).unwrap();
        // It stops when this process ends, in whatever way.
        let script =
            "pgbouncer -q \"$1\" </dev/null >\"$2\" 2>&1 & it=$!; cat >/dev/null; kill -9 $it";
        let mut shell = Command::new("sh");
        shell.args(["-c", script, "sh"]).arg(&settings).arg(root.join("log"));
        shell.env("PATH", path()).current_dir(root).stdin(Stdio::piped()).process_group(0);
        if let Some((uid, gid)) = owner {
            shell.uid(uid).gid(gid);
        }
        let keeper = shell.spawn().unwrap();
        let pooler = Self { dir, keeper };
        let end = Instant::now() + Duration::from_secs(30);
        while std::os::unix::net::UnixStream::connect(pooler.socket(".s.PGSQL.6432")).is_err() {
            let log = std::fs::read_to_string(pooler.socket("log")).unwrap_or_default();
            assert!(Instant::now() < end, "PgBouncer does not answer: {log}");
            std::thread::sleep(Duration::from_millis(20));
        }
        pooler
    }

    fn socket(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    /// The same database through the pooler.
    pub fn through(&self, options: &PgConnectOptions) -> PgConnectOptions {
        options.clone().socket(self.dir.path()).port(6432)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// Debian installs it in a directory that is only in root's path.
fn path() -> String {
    format!("{}:/usr/sbin:/usr/local/sbin", std::env::var("PATH").unwrap_or_default())
}

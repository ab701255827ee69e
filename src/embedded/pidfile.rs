//! `postmaster.pid`: what a server reports about itself, and whether that is still true.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio::time::Instant;

use super::{
    account::Account,
    error::{Error, IoContext},
};

const POLL: Duration = Duration::from_millis(10);

/// The lines that we use (the format is the same since PostgreSQL 10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PidFile {
    pub pid: i32,
    /// Seconds since 1970.
    pub started: Option<i64>,
    pub sockets: Option<PathBuf>,
    /// `starting`, `stopping`, `ready` or `standby`.
    pub state: String,
}

impl PidFile {
    /// `None` if the file is missing or incomplete.
    pub fn read(cluster: &Path) -> Option<Self> {
        Self::parse(&fs::read_to_string(path(cluster)).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let line = |number: usize| lines.get(number - 1).copied().filter(|line| !line.is_empty());
        Some(Self {
            pid: line(1)?.parse().ok()?,
            started: line(3).and_then(|text| text.parse().ok()),
            sockets: line(5).map(PathBuf::from),
            state: line(8).unwrap_or("starting").to_owned(),
        })
    }

    /// Distinguishes one run of the server from another.
    pub fn identity(&self) -> String {
        format!("{} {}", self.pid, self.started.unwrap_or_default())
    }

    /// Whether that process is alive and is the server of `cluster`, not another program that got
    /// its process id after a crash.
    pub fn is_running(&self, cluster: &Path) -> bool {
        let Some(pid) = Pid::from_raw(self.pid) else { return false };
        let alive = test_kill_process(pid) != Err(rustix::io::Errno::SRCH);
        alive && serves(self.pid, cluster)
    }
}

/// Asks the server of `cluster`, if one runs, for a fast shutdown, which closes
/// sessions and loses nothing. Waits for its end; the error is its process id.
pub(super) async fn end(cluster: &Path, timeout: Duration) -> Result<bool, i32> {
    let Some(file) = PidFile::read(cluster) else { return Ok(false) };
    if !file.is_running(cluster) {
        return Ok(false);
    }
    interrupt(file.pid);
    let began = Instant::now();
    while file.is_running(cluster) {
        if began.elapsed() > timeout {
            return Err(file.pid);
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(true)
}

/// Fast shutdown, without waiting.
pub(super) fn interrupt(pid: i32) {
    signal(pid, &[Signal::INT]);
}

/// Ends a server whose start is given up. A program started in the background of a shell inherits that an interrupt is
/// ignored, until it sets up its own handling: the first signal ends it before that, the second after it.
pub(super) fn abandon(pid: i32) {
    signal(pid, &[Signal::TERM, Signal::INT]);
}

fn signal(pid: i32, signals: &[Signal]) {
    let Some(pid) = Pid::from_raw(pid) else { return };
    for signal in signals {
        // It may have exited already, which is fine.
        let _ = kill_process(pid, *signal);
    }
}

/// Makes a stale file harmless: the server accepts its parent's process id (ours) as stale, and still
/// checks that no process of the crashed server uses the shared memory, which it would not without the file.
pub(super) fn disown(cluster: &Path, account: &Account) -> Result<(), Error> {
    let path = path(cluster);
    let Ok(text) = fs::read_to_string(&path) else { return Ok(()) };
    let rest = text.split_once('\n').map_or("", |(_, rest)| rest);
    let fresh = cluster.join("postmaster.pid.fresh");
    if fs::symlink_metadata(&fresh).is_ok() {
        fs::remove_file(&fresh).context("remove", &fresh)?;
    }
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(&fresh);
    let mut file = file.context("write", &fresh)?;
    write!(file, "{}\n{rest}", std::process::id()).context("write", &fresh)?;
    account.own_file(&file, &fresh)?;
    fs::rename(&fresh, &path).context("write", &path)
}

fn path(cluster: &Path) -> PathBuf {
    cluster.join("postmaster.pid")
}

/// Whether process `pid` is a `postgres` started with the directory `cluster`, as we start it.
#[cfg(target_os = "linux")]
fn serves(pid: i32, cluster: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt;
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let mut words = line.split(|&byte| byte == 0);
    let is_postgres = words.next().is_some_and(|program| program.ends_with(b"postgres"));
    is_postgres && words.any(|word| word == cluster.as_os_str().as_bytes())
}

#[cfg(not(target_os = "linux"))]
fn serves(pid: i32, cluster: &Path) -> bool {
    let mut ps = std::process::Command::new("/bin/ps");
    let output = ps.args(["-ww", "-o", "command=", "-p", &pid.to_string()]).output();
    let line = output.map(|output| output.stdout).unwrap_or_default();
    let line = String::from_utf8_lossy(&line);
    line.contains("postgres") && line.contains(&format!("-D {} ", cluster.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_lines_it_needs() {
        let text = "4711\n/d\n1700000000\n5432\n/d/socket\n\n  1234  5\nready   \n";
        let file = PidFile::parse(text).unwrap();
        assert_eq!((file.pid, file.started), (4711, Some(1_700_000_000)));
        assert_eq!(
            (file.sockets.as_deref(), file.state.as_str()),
            (Some(Path::new("/d/socket")), "ready")
        );
        assert_eq!(PidFile::parse("4711\n/d\n").unwrap().state, "starting");
        assert_eq!(PidFile::parse(""), None);
    }

    #[test]
    fn another_program_with_the_process_id_is_not_the_server() {
        let me = i32::try_from(std::process::id()).unwrap();
        let file = PidFile { pid: me, started: None, sockets: None, state: "ready".into() };
        assert!(!file.is_running(Path::new("/no/such/cluster")));
    }
}

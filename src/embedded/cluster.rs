//! The cluster's directory: created completely or not at all, checked, configured.

use std::{
    fmt::Write as _,
    fs::{self, DirBuilder, File, OpenOptions},
    io::Write as _,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    Progress, Report,
    account::Account,
    binaries::Binaries,
    error::{Error, IoContext},
    layout::Layout,
    pidfile,
};

/// Superuser and database of the private server.
pub(super) const NAME: &str = "orderscope";
/// Name prefix of clusters being created; without a holder of the change lock they are leftovers.
const HALF: &str = "half-";
/// What a new cluster takes, with its first write-ahead log.
const NEW_MB: u64 = 100;
/// How long the server of such a cluster may take to stop.
const ORPHAN: Duration = Duration::from_mins(1);
/// A cluster that `db upgrade` completed and that is about to replace the old one.
pub(super) const READY: &str = "upgraded";
/// The old cluster, from its replacement until the new one has started.
pub(super) const OLD: &str = "before-upgrade";

/// The major version that created a cluster; `None` if there is no cluster.
pub(super) fn major(cluster: &Path) -> Result<Option<u32>, Error> {
    match fs::read_to_string(cluster.join("PG_VERSION")) {
        Ok(text) => match text.trim().parse() {
            Ok(major) => Ok(Some(major)),
            Err(_) => Err(Error::NotACluster { path: cluster.to_path_buf() }),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let empty = cluster.read_dir().map_or(true, |mut entries| entries.next().is_none());
            if empty { Ok(None) } else { Err(Error::NotACluster { path: cluster.to_path_buf() }) }
        }
        Err(error) => Err(Error::file("read", cluster, error)),
    }
}

/// Cleans up after an interrupted change. The change lock is held, no server runs.
pub(super) async fn recover(layout: &Layout) -> Result<(), Error> {
    let (ready, old) = (layout.sibling(READY), layout.sibling(OLD));
    let is_there = fs::symlink_metadata(&layout.cluster).is_ok();
    if !is_there && major(&ready)?.is_some() {
        // The swap was interrupted between its two renames.
        rename(layout, &ready, &layout.cluster)?;
    } else if !is_there && major(&old)?.is_some() {
        rename(layout, &old, &layout.cluster)?;
    }
    // While the cluster is in place, an upgraded copy is not in use yet, and an incomplete one never was.
    remove(&ready).await?;
    for entry in layout.home.read_dir().context("read", &layout.home)?.filter_map(Result::ok) {
        if entry.file_name().to_string_lossy().starts_with(HALF) {
            // A killed upgrade leaves its second server running.
            let ended = pidfile::end(&entry.path(), ORPHAN).await;
            ended.map_err(|pid| Error::StillStopping {
                pid,
                seconds: ORPHAN.as_secs(),
                log: layout.log.clone(),
            })?;
            remove(&entry.path()).await?;
        }
    }
    Ok(())
}

/// Refuses early, in plain words, what the server would refuse.
pub(super) fn check(layout: &Layout) -> Result<(), Error> {
    let (path, account) = (&layout.cluster, &layout.account);
    let meta = fs::symlink_metadata(path).context("look at", path)?;
    let (path, mode) = (path.clone(), meta.mode() & 0o7777);
    if meta.uid() != account.uid {
        return Err(Error::WrongOwner { path, owner: meta.uid(), user: account.name.clone() });
    }
    if mode & 0o027 != 0 {
        return Err(Error::WrongMode { path, mode });
    }
    Ok(())
}

/// Creates a cluster under a temporary name and returns its directory.
pub(super) async fn make(
    layout: &Layout,
    binaries: &Binaries,
    report: Report<'_>,
) -> Result<PathBuf, Error> {
    layout.has_room("a new database", NEW_MB)?;
    report(Progress::Initialising { version: binaries.version.clone() });
    let half = layout.sibling(&format!("{HALF}{}", std::process::id()));
    let made = initdb(layout, binaries, &half).await;
    if made.is_err() {
        remove(&half).await?;
    }
    made.map(|()| half)
}

async fn initdb(layout: &Layout, binaries: &Binaries, half: &Path) -> Result<(), Error> {
    let account = &layout.account;
    let mut reason = String::new();
    for locale in locales(binaries.major) {
        remove(half).await?;
        DirBuilder::new().mode(0o700).create(half).context("make", half)?;
        account.own(half)?;
        let program = binaries.dir.join("initdb");
        let mut command = account.command(&program);
        command
            .args([
                "--username",
                NAME,
                "--auth-local=trust",
                "--auth-host=reject",
                "--no-instructions",
            ])
            .args(["--data-checksums", "--encoding=UTF8"])
            .args(*locale)
            .arg("--pgdata")
            .arg(half)
            .kill_on_drop(true);
        let output = command.output().await;
        let output = output.map_err(|source| not_run(account, &program, source))?;
        if output.status.success() {
            return Ok(());
        }
        reason = String::from_utf8_lossy(&output.stderr).trim().replace("initdb: ", "");
        if !reason.contains("locale") {
            break;
        }
    }
    Err(explain(layout, &reason).unwrap_or(Error::Init { reason }))
}

/// Sorting by code point and case by Unicode, whatever locales the system has, as far as the
/// version can.
fn locales(major: u32) -> &'static [&'static [&'static str]] {
    if major >= 17 {
        return &[&["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]];
    }
    &[
        &["--locale=C", "--lc-ctype=C.UTF-8"],
        &["--locale=C", "--lc-ctype=en_US.UTF-8"],
        &["--locale=C"],
    ]
}

/// Failures for which we have a clearer error than the program's output.
pub(super) fn explain(layout: &Layout, output_text: &str) -> Option<Error> {
    // A full disk cannot store a log either, so the program's output may be missing.
    let free = rustix::fs::statvfs(&layout.home).map_or(u64::MAX, |fs| fs.f_bavail * fs.f_frsize);
    if output_text.contains("No space left on device") || free < 1 << 20 {
        return Some(Error::DiskFull { path: layout.home.clone() });
    }
    if output_text.contains("could not look up effective user ID") {
        return Some(Error::NoName { uid: layout.account.uid });
    }
    if output_text.contains("Permission denied") {
        let path = layout.account.barrier(&layout.cluster)?;
        return Some(Error::OutOfReach { user: layout.account.name.clone(), path });
    }
    None
}

pub(super) fn not_run(account: &Account, program: &Path, source: std::io::Error) -> Error {
    Error::Run { program: program.to_path_buf(), user: account.name.clone(), source }
}

/// Writes `postgresql.conf`; `ALTER SYSTEM` overrides it. Done at every start, so that a newer
/// Orderscope or more memory takes effect.
pub(super) fn configure(layout: &Layout, cluster: &Path) -> Result<(), Error> {
    let text = settings(layout, memory_mb());
    let path = cluster.join("postgresql.conf");
    if fs::read_to_string(&path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    // The directory belongs to the other user: never write through a link it may have put there.
    let fresh = cluster.join("postgresql.conf.fresh");
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(Error::file("remove", &fresh, error));
        }
        _ => {}
    }
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(&fresh);
    let mut file = file.context("write", &fresh)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).context("write", &fresh)?;
    layout.account.own_file(&file, &fresh)?;
    fs::rename(&fresh, &path).context("write", &path)
}

/// For one user, few sessions, an SSD, and other programs that need memory too.
fn settings(layout: &Layout, memory_mb: u64) -> String {
    let shared = (memory_mb / 16).clamp(128, 1024);
    let sockets = layout.sockets.display();
    let mut text = format!(
        "# Written by Orderscope at every start. For settings of your own use ALTER SYSTEM.\n\
         listen_addresses = ''\n\
         unix_socket_directories = '{sockets}'\n\
         unix_socket_permissions = 0700\n\
         cluster_name = '{NAME}'\n\
         max_connections = 100\n\
         shared_buffers = {shared}MB\n\
         effective_cache_size = {cache}MB\n\
         work_mem = 32MB\n\
         maintenance_work_mem = {maintenance}MB\n\
         random_page_cost = 1.1\n\
         jit = off\n\
         wal_level = minimal\n\
         max_wal_senders = 0\n\
         wal_compression = on\n\
         max_wal_size = 2GB\n\
         checkpoint_timeout = 15min\n\
         autovacuum_naptime = 30s\n\
         log_checkpoints = off\n\
         log_line_prefix = '%m [%p] '\n\
         timezone = 'UTC'\n\
         log_timezone = 'UTC'\n\
         lc_messages = 'C'\n",
        cache = (memory_mb / 2).max(256),
        maintenance = shared / 2,
    );
    if small_shared_memory() {
        // Containers often have 64 MB there, which parallel queries exhaust.
        let _ = writeln!(text, "dynamic_shared_memory_type = mmap");
    }
    text
}

#[cfg(target_os = "linux")]
fn memory_mb() -> u64 {
    let info = rustix::system::sysinfo();
    let machine = u64::from(info.mem_unit).saturating_mul(info.totalram);
    let group = fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let group = group.and_then(|text| text.trim().parse().ok()).unwrap_or(u64::MAX);
    machine.min(group) >> 20
}

#[cfg(not(target_os = "linux"))]
fn memory_mb() -> u64 {
    8192
}

#[cfg(target_os = "linux")]
fn small_shared_memory() -> bool {
    rustix::fs::statvfs("/dev/shm").map_or(true, |fs| fs.f_blocks * fs.f_frsize < 512 << 20)
}

#[cfg(not(target_os = "linux"))]
fn small_shared_memory() -> bool {
    false
}

/// Renames inside the home and syncs the directory.
pub(super) fn rename(layout: &Layout, from: &Path, to: &Path) -> Result<(), Error> {
    fs::rename(from, to).context("rename", from)?;
    File::open(&layout.home).and_then(|dir| dir.sync_all()).context("write", &layout.home)
}

/// Removes a directory if it exists. A program of a console that was killed may still be writing into it, and ends when
/// it finds its files gone.
pub(super) async fn remove(path: &Path) -> Result<(), Error> {
    let began = tokio::time::Instant::now();
    loop {
        match tokio::fs::remove_dir_all(path).await {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error)
                if error.kind() == std::io::ErrorKind::DirectoryNotEmpty
                    && began.elapsed() < ORPHAN =>
            {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            removed => return removed.context("remove", path),
        }
    }
}

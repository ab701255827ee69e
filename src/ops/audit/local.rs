//! The local record of reads, for databases in which nothing may be written: JSON lines in a file that only
//! its owner reads, of bounded size.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::files;

/// A file grows to this many bytes; then it becomes the older one, in place of the one before.
const LARGEST: u64 = 1 << 20;

/// The file; made when first needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalLog {
    path: PathBuf,
    largest: u64,
}

impl LocalLog {
    /// Keeps its lines at `path`, and older ones at `path` with `.old` behind it.
    pub fn new(path: PathBuf) -> Self {
        Self { path, largest: LARGEST }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a line and waits until it is on disk.
    ///
    /// # Errors
    /// In words, when directory or file cannot be written.
    pub fn append(&self, line: &Value) -> Result<(), String> {
        self.write(line).map_err(|error| {
            format!("{} cannot be written: {error}; make room or permit it", self.path.display())
        })
    }

    fn write(&self, line: &Value) -> io::Result<()> {
        if let Some(dir) = self.path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        }
        let text = format!("{line}\n");
        let size = fs::symlink_metadata(&self.path).map_or(0, |found| found.len());
        if size + text.len() as u64 > self.largest && size > 0 {
            fs::rename(&self.path, self.older())?;
        }
        let mut file = files::open(OpenOptions::new().create(true).append(true), &self.path)?;
        // One write, so that lines of two consoles do not mix.
        file.write_all(text.as_bytes())?;
        file.sync_data()
    }

    /// All lines that are kept, oldest first; one that cannot be read is left out.
    pub fn lines(&self) -> Vec<Value> {
        let text = |path: &Path| fs::read_to_string(path).unwrap_or_default();
        let all = text(&self.older()) + &text(&self.path);
        all.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    fn older(&self) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(".old");
        name.into()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use serde_json::json;

    use super::*;

    #[test]
    fn lines_are_kept_for_their_owner_alone_and_not_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let log = LocalLog { path: dir.path().join("state/reads.jsonl"), largest: 200 };
        for n in 0..40 {
            log.append(&json!({ "n": n, "reason": "gọi lại\n" })).unwrap();
        }
        let kept = log.lines();
        assert_eq!(kept.last().unwrap()["n"], 39);
        assert!((5..15).contains(&kept.len()), "{}", kept.len());
        let numbers: Vec<_> = kept.iter().map(|line| line["n"].as_u64().unwrap()).collect();
        assert!(numbers.windows(2).all(|two| two[0] + 1 == two[1]), "{numbers:?}");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&log.path), mode(&log.older())), (0o600, 0o600));
        assert_eq!(mode(log.path.parent().unwrap()), 0o700);
        let size = fs::metadata(&log.path).unwrap().len();
        assert!(size <= 200, "{size}");
    }

    #[test]
    fn what_cannot_be_written_is_told() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        let log = LocalLog::new(dir.path().join("file/reads.jsonl"));
        assert!(log.append(&json!({})).unwrap_err().contains("cannot be written"));
    }
}

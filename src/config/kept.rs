//! What the console remembers between sessions: bookmarks, saved views, past searches.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::domain::id::OrderId;

/// The file behind it, in the state directory. Places are kept as links without their context.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KeptFile {
    pub bookmarks: BTreeSet<OrderId>,
    pub views: BTreeMap<u8, String>,
    pub searches: Vec<String>,
}

impl KeptFile {
    /// Where it is kept for one context.
    #[must_use]
    pub fn path(context: &str) -> PathBuf {
        let name: String =
            context.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
        super::state_dir().join(format!("{name}.json"))
    }

    /// Reads it; a missing file is an empty memory.
    ///
    /// # Errors
    /// When it exists and cannot be read; the console tells so and goes on without.
    pub fn read(path: &Path) -> Result<Self, String> {
        match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| format!("{} is damaged ({error}); remove it", path.display())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(format!("cannot read {}: {error}", path.display())),
        }
    }

    /// Writes it beside the old one, then puts it in its place: nothing is lost half-way.
    ///
    /// # Errors
    /// When the directory or the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), String> {
        let failed = |error: io::Error| format!("cannot keep this in {}: {error}", path.display());
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir).map_err(failed)?;
        }
        let text = serde_json::to_vec_pretty(self).map_err(|error| failed(error.into()))?;
        let fresh = path.with_extension(format!("{}.new", std::process::id()));
        std::fs::write(&fresh, text).map_err(failed)?;
        std::fs::rename(&fresh, path).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/local.json");
        assert_eq!(KeptFile::read(&path), Ok(KeptFile::default()));
        let kept = KeptFile { searches: vec!["status:new".into()], ..KeptFile::default() };
        kept.write(&path).unwrap();
        assert_eq!(KeptFile::read(&path), Ok(kept));
    }
}

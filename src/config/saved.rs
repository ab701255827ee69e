//! What the console saves between runs: bookmarks, views, past searches.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{domain::id::OrderId, files};

/// The file in the state directory. Places are stored as links without their context.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SavedState {
    pub bookmarks: BTreeSet<OrderId>,
    pub views: BTreeMap<u8, String>,
    pub searches: Vec<String>,
}

impl SavedState {
    /// The file of one context.
    #[must_use]
    pub fn path(context: &str) -> PathBuf {
        let name: String =
            context.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
        super::state_dir().join(format!("{name}.json"))
    }

    /// Reads the file; a missing file counts as empty.
    ///
    /// # Errors
    /// When it exists and cannot be read; the console reports that and continues without it.
    pub fn read(path: &Path) -> Result<Self, String> {
        match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| format!("{} is damaged ({error}); remove it", path.display())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(format!("cannot read {}: {error}", path.display())),
        }
    }

    /// Writes a new file and renames it over the old one, so that an interruption loses nothing.
    ///
    /// # Errors
    /// When the directory or the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), String> {
        let failed = |error: io::Error| format!("cannot save {}: {error}", path.display());
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir).map_err(failed)?;
        }
        let text = serde_json::to_vec_pretty(self).map_err(|error| failed(error.into()))?;
        let fresh = path.with_extension(format!("{}.new", std::process::id()));
        // What an earlier process of this number left.
        let _ = std::fs::remove_file(&fresh);
        files::create(&fresh).and_then(|mut file| file.write_all(&text)).map_err(failed)?;
        std::fs::rename(&fresh, path).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_written_file_reads_back_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/local.json");
        assert_eq!(SavedState::read(&path), Ok(SavedState::default()));
        let state = SavedState { searches: vec!["status:new".into()], ..SavedState::default() };
        state.write(&path).unwrap();
        // Searches have names in them.
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(SavedState::read(&path), Ok(state));
    }
}

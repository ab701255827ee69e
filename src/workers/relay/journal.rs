//! What the broker has confirmed and the database does not know yet. After a crash, or a commit that
//! failed, these messages are recorded as delivered instead of being sent again.
//!
//! One line a message: `sequence message-id`. A file belongs to one living relay; the next one on the same
//! machine takes over what a dead one left. What is lost is only what was confirmed in the instant before
//! the crash and not yet written.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Seek, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::fs::{FlockOperation, flock};
use uuid::Uuid;

/// So many relays on one machine can have a file each.
const SLOTS: usize = 16;

/// The journal of one relay.
#[derive(Debug)]
pub struct Journal {
    file: Option<Arc<File>>,
    entries: BTreeMap<i64, Uuid>,
    unwritten: String,
}

impl Journal {
    /// One that survives no crash.
    #[must_use]
    pub const fn in_memory() -> Self {
        Self { file: None, entries: BTreeMap::new(), unwritten: String::new() }
    }

    /// Opens the first free one of `path`, `path.1`, …, and takes over what is in the other free ones.
    ///
    /// # Errors
    /// When no file can be written there.
    pub fn open(path: &Path) -> io::Result<Self> {
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir)?;
        }
        let mut journal = Self::in_memory();
        let mut left = vec![];
        for slot in 0..SLOTS {
            let path = slot_path(path, slot);
            if journal.file.is_some() && !path.exists() {
                continue;
            }
            let file = OpenOptions::new().read(true).append(true).create(true).open(&path)?;
            if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
                continue;
            }
            journal.take_over(&fs::read_to_string(&path)?);
            if journal.file.is_none() {
                journal.file = Some(Arc::new(file));
            } else {
                left.push(file);
            }
        }
        if journal.file.is_none() {
            return Err(io::Error::other("all its files are in use by other relays"));
        }
        // First into our own, then out of the others'.
        journal.rewrite()?;
        for file in left {
            file.set_len(0)?;
        }
        Ok(journal)
    }

    fn take_over(&mut self, text: &str) {
        // A line without its end was being written when the process died.
        for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
            if let Some((sequence, id)) = line.split_once(' ')
                && let (Ok(sequence), Ok(id)) = (sequence.parse(), id.parse())
            {
                self.entries.insert(sequence, id);
            }
        }
    }

    /// Whether the broker has confirmed exactly this message before.
    #[must_use]
    pub fn knows(&self, sequence: i64, message: Uuid) -> bool {
        self.entries.get(&sequence) == Some(&message)
    }

    /// Notes a confirm; [`Journal::write`] makes it last.
    pub fn confirm(&mut self, sequence: i64, message: Uuid) {
        if self.entries.insert(sequence, message).is_none() && self.file.is_some() {
            self.unwritten.push_str(&line(sequence, message));
        }
    }

    /// Writes what was noted since the last time: it survives this process. Whoever syncs the file that is
    /// returned makes it survive the machine; the journal need not be locked for that.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&mut self) -> io::Result<Option<Arc<File>>> {
        let Some(file) = &self.file else { return Ok(None) };
        if !self.unwritten.is_empty() {
            (&**file).write_all(self.unwritten.as_bytes())?;
            self.unwritten.clear();
        }
        Ok(Some(Arc::clone(file)))
    }

    /// These are recorded in the database: no longer needed here.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn forget(&mut self, sequences: &[i64]) -> io::Result<()> {
        for sequence in sequences {
            self.entries.remove(sequence);
        }
        if self.entries.is_empty() { self.rewrite() } else { Ok(()) }
    }

    /// What it holds, by number.
    #[must_use]
    pub fn sequences(&self) -> Vec<i64> {
        self.entries.keys().copied().collect()
    }

    fn rewrite(&mut self) -> io::Result<()> {
        self.unwritten.clear();
        let Some(file) = &self.file else { return Ok(()) };
        let lines = self.entries.iter().map(|(sequence, id)| line(*sequence, *id));
        let text: String = lines.collect();
        file.set_len(0)?;
        (&**file).rewind()?;
        (&**file).write_all(text.as_bytes())?;
        if text.is_empty() { Ok(()) } else { file.sync_data() }
    }
}

fn line(sequence: i64, message: Uuid) -> String {
    format!("{sequence} {message}\n")
}

fn slot_path(path: &Path, slot: usize) -> PathBuf {
    if slot == 0 {
        return path.to_owned();
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{slot}"));
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    #[test]
    fn what_was_confirmed_survives_a_crash() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/relay.journal");
        let mut journal = Journal::open(&path).unwrap();
        journal.confirm(7, id(7));
        journal.confirm(8, id(8));
        journal.write().unwrap().unwrap().sync_data().unwrap();
        journal.confirm(9, id(9));
        drop(journal);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        write!(file, "10 {}", id(10)).unwrap();
        let mut journal = Journal::open(&path).unwrap();
        assert!(journal.knows(7, id(7)) && journal.knows(8, id(8)));
        assert!(!journal.knows(7, id(8)) && !journal.knows(9, id(9)) && !journal.knows(10, id(10)));
        journal.forget(&[7]).unwrap();
        drop(journal);
        let mut journal = Journal::open(&path).unwrap();
        assert!(journal.knows(8, id(8)));
        journal.forget(&[7, 8]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "");
    }

    #[test]
    fn relays_do_not_share_a_file_and_inherit_from_the_dead() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("relay.journal");
        let mut first = Journal::open(&path).unwrap();
        let mut second = Journal::open(&path).unwrap();
        first.confirm(1, id(1));
        first.write().unwrap();
        second.confirm(2, id(2));
        second.write().unwrap();
        assert!(!second.knows(1, id(1)));
        drop((first, second));
        let third = Journal::open(&path).unwrap();
        assert_eq!(third.sequences(), [1, 2]);
    }
}

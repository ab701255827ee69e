//! The send log: messages that were sent or confirmed and are not recorded in the database yet. After a crash, or a
//! commit that failed, confirmed messages are recorded as delivered instead of being sent again; those that were only
//! sent are sent again, and reported as possible duplicates.
//!
//! Lines: `sequence message-id` was confirmed, with ` ?` behind it is about to be sent, with ` !` was not sent after
//! all or refused. A file belongs to one running relay; the next one on the same machine takes over what a dead one
//! left. Messages are logged before they are sent and confirms soon after, so a killed process leaves no unreported
//! duplicate; a machine that loses its power may, because only confirms are synced.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Seek, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::fs::{FlockOperation, flock};
use uuid::Uuid;

use crate::files;

/// How many relays on one machine can have a file each.
const SLOTS: usize = 16;

/// A file with this many lines, most of them obsolete, is rewritten.
const MANY: usize = 50_000;

/// The send log of one relay.
#[derive(Debug)]
pub struct SendLog {
    file: Option<Arc<File>>,
    /// Confirmed.
    entries: BTreeMap<i64, Uuid>,
    /// Sent by this relay and not confirmed yet.
    sent: BTreeMap<i64, Uuid>,
    /// The same of relays that died.
    left: BTreeMap<i64, Uuid>,
    unwritten: String,
    /// In the file and in `unwritten`.
    lines: usize,
}

impl SendLog {
    /// One that does not survive a crash.
    #[must_use]
    pub const fn in_memory() -> Self {
        Self {
            file: None,
            entries: BTreeMap::new(),
            sent: BTreeMap::new(),
            left: BTreeMap::new(),
            unwritten: String::new(),
            lines: 0,
        }
    }

    /// Opens the first free one of `path`, `path.1`, …, and takes over what is in the other free ones.
    ///
    /// # Errors
    /// When no file can be written there.
    pub fn open(path: &Path) -> io::Result<Self> {
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir)?;
        }
        let mut log = Self::in_memory();
        let mut left = vec![];
        for slot in 0..SLOTS {
            let path = slot_path(path, slot);
            if log.file.is_some() && !path.exists() {
                continue;
            }
            let file = files::open(
                OpenOptions::new().read(true).write(true).create(true).truncate(false),
                &path,
            )?;
            if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
                continue;
            }
            log.take_over(&fs::read_to_string(&path)?);
            if log.file.is_none() {
                log.file = Some(Arc::new(file));
            } else {
                left.push(file);
            }
        }
        if log.file.is_none() {
            return Err(io::Error::other("all its files are in use by other relays"));
        }
        // Written to our own file before the others are emptied.
        log.rewrite()?;
        for file in left {
            file.set_len(0)?;
        }
        Ok(log)
    }

    fn take_over(&mut self, text: &str) {
        // A line without its end was being written when the process died.
        for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
            let mut words = line.split(' ');
            let (sequence, id) =
                (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let (Ok(sequence), Ok(id)) = (sequence.parse::<i64>(), id.parse::<Uuid>()) else {
                continue;
            };
            match words.next() {
                None => {
                    self.left.remove(&sequence);
                    self.entries.insert(sequence, id);
                }
                Some("?") => drop(self.left.insert(sequence, id)),
                Some(_) => drop(self.left.remove(&sequence)),
            }
        }
        self.left.retain(|sequence, _| !self.entries.contains_key(sequence));
    }

    /// Whether the broker has confirmed exactly this message before.
    #[must_use]
    pub fn knows(&self, sequence: i64, message: Uuid) -> bool {
        self.entries.get(&sequence) == Some(&message)
    }

    /// Whether a relay that died sent exactly this message without a confirm; true only once.
    pub fn was_left(&mut self, sequence: i64, message: Uuid) -> bool {
        let was_left = self.left.get(&sequence) == Some(&message);
        if was_left {
            // Its line stays in the file, now as ours.
            self.left.remove(&sequence);
            self.sent.insert(sequence, message);
        }
        was_left
    }

    /// Notes that it is about to be sent; call [`SendLog::write`] before sending. Whether that is new: not where an
    /// earlier attempt was not confirmed either.
    pub fn sending(&mut self, sequence: i64, message: Uuid) -> bool {
        let new = self.file.is_some()
            && !self.left.contains_key(&sequence)
            && self.sent.insert(sequence, message).is_none();
        if new {
            self.note(sequence, message, " ?");
        }
        new
    }

    /// Notes that it was not sent, or that the broker did not accept it.
    pub fn unsent(&mut self, sequence: i64) {
        if let Some(message) = self.sent.remove(&sequence) {
            self.note(sequence, message, " !");
        }
    }

    /// Notes a confirm; [`SendLog::write`] stores it.
    pub fn confirm(&mut self, sequence: i64, message: Uuid) {
        self.sent.remove(&sequence);
        self.left.remove(&sequence);
        if self.entries.insert(sequence, message).is_none() && self.file.is_some() {
            self.note(sequence, message, "");
        }
    }

    fn note(&mut self, sequence: i64, message: Uuid, mark: &str) {
        self.unwritten.push_str(&line(sequence, message, mark));
        self.lines += 1;
    }

    /// Writes what was noted since the last time: it survives this process. Whoever syncs the file that is
    /// returned makes it survive the machine; the send log need not be locked for that.
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

    /// Removes messages that are recorded in the database.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn forget(&mut self, sequences: &[i64]) -> io::Result<()> {
        for sequence in sequences {
            self.entries.remove(sequence);
            self.sent.remove(sequence);
            self.left.remove(sequence);
        }
        let live = self.entries.len() + self.sent.len() + self.left.len();
        let crowded = self.lines > MANY && self.lines / 4 > live;
        if self.lines > 0 && (live == 0 || crowded) { self.rewrite() } else { Ok(()) }
    }

    /// The sequence numbers in it.
    #[must_use]
    pub fn sequences(&self) -> Vec<i64> {
        let all = [&self.entries, &self.sent, &self.left];
        all.into_iter().flat_map(BTreeMap::keys).copied().collect()
    }

    fn rewrite(&mut self) -> io::Result<()> {
        self.unwritten.clear();
        self.lines = self.entries.len() + self.sent.len() + self.left.len();
        let Some(file) = &self.file else { return Ok(()) };
        let lines = |of: &BTreeMap<i64, Uuid>, mark: &str| -> String {
            of.iter().map(|(sequence, id)| line(*sequence, *id, mark)).collect()
        };
        let text = lines(&self.entries, "") + &lines(&self.sent, " ?") + &lines(&self.left, " ?");
        // Overwritten first and truncated after: all live lines are in the file at any time.
        (&**file).rewind()?;
        (&**file).write_all(text.as_bytes())?;
        file.set_len(text.len() as u64)?;
        if text.is_empty() { Ok(()) } else { file.sync_data() }
    }
}

fn line(sequence: i64, message: Uuid, mark: &str) -> String {
    format!("{sequence} {message}{mark}\n")
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
        let mut log = SendLog::open(&path).unwrap();
        log.confirm(7, id(7));
        log.confirm(8, id(8));
        log.write().unwrap().unwrap().sync_data().unwrap();
        log.confirm(9, id(9));
        drop(log);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        write!(file, "10 {}", id(10)).unwrap();
        let mut log = SendLog::open(&path).unwrap();
        assert!(log.knows(7, id(7)) && log.knows(8, id(8)));
        assert!(!log.knows(7, id(8)) && !log.knows(9, id(9)) && !log.knows(10, id(10)));
        log.forget(&[7]).unwrap();
        drop(log);
        let mut log = SendLog::open(&path).unwrap();
        assert!(log.knows(8, id(8)));
        log.forget(&[7, 8]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "");
    }

    #[test]
    fn what_was_sent_without_an_answer_is_left_to_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("relay.journal");
        let mut log = SendLog::open(&path).unwrap();
        for number in 1..=5_u32 {
            log.sending(i64::from(number), id(number.into()));
        }
        log.write().unwrap();
        log.confirm(1, id(1));
        log.unsent(2);
        log.write().unwrap();
        // Sent again by the same relay, this is not told as left.
        assert!(!log.was_left(3, id(3)));
        assert!(!log.sending(3, id(3)));
        drop(log);
        let mut log = SendLog::open(&path).unwrap();
        assert_eq!(log.sequences(), [1, 3, 4, 5]);
        assert!(log.knows(1, id(1)) && !log.was_left(1, id(1)));
        assert!(!log.was_left(2, id(2)) && !log.was_left(3, id(9)));
        assert!(log.was_left(3, id(3)) && !log.was_left(3, id(3)), "told once");
        // Somebody else delivered it.
        log.forget(&[4]).unwrap();
        assert!(!log.was_left(4, id(4)));
        drop(log);
        // This one died too, before it sent them.
        assert!(SendLog::open(&path).unwrap().was_left(5, id(5)));
    }

    #[test]
    fn a_file_does_not_grow_without_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("relay.journal");
        let mut log = SendLog::open(&path).unwrap();
        log.confirm(1, id(1));
        for number in 0..i64::try_from(MANY).unwrap() {
            log.confirm(number + 2, id(2));
            log.forget(&[number + 2]).unwrap();
        }
        log.write().unwrap();
        assert!(fs::metadata(&path).unwrap().len() < 1_000);
        drop(log);
        assert!(SendLog::open(&path).unwrap().knows(1, id(1)));
    }

    #[test]
    fn relays_do_not_share_a_file_and_inherit_from_the_dead() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("relay.journal");
        let mut first = SendLog::open(&path).unwrap();
        let mut second = SendLog::open(&path).unwrap();
        first.confirm(1, id(1));
        first.write().unwrap();
        second.confirm(2, id(2));
        second.write().unwrap();
        assert!(!second.knows(1, id(1)));
        drop((first, second));
        let third = SendLog::open(&path).unwrap();
        assert_eq!(third.sequences(), [1, 2]);
    }
}

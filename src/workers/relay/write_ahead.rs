//! Writes messages to the send log before they are sent: if the relay is killed, the next one knows which messages may
//! have been sent.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::{Error, Shared, send_log_error};
use crate::db::relay::Row;

/// Logs messages that are about to be sent, a few at a time.
pub(super) struct WriteAhead {
    /// Number and id of every row, where it may be sent.
    ids: Vec<Option<(i64, Uuid)>>,
    /// So many are logged at a time; if the relay dies, all of them may have been sent.
    at_once: usize,
    /// All rows before this index are logged.
    to: usize,
    /// Logged and not sent yet.
    pub(super) noted: BTreeSet<i64>,
}

impl WriteAhead {
    pub(super) fn new(rows: &[Row], at_once: usize) -> Self {
        let id = |row: &Row| row.stored.as_ref().map(|stored| (row.sequence, stored.message.0));
        let ids = rows.iter().map(id).collect();
        Self { ids, at_once: at_once.max(1), to: 0, noted: BTreeSet::new() }
    }

    /// Logs this row, unless it is logged already.
    pub(super) fn note(&mut self, shared: &Shared, at: usize) -> Result<(), Error> {
        if at < self.to {
            return Ok(());
        }
        self.to = (at + self.at_once).min(self.ids.len());
        let written = shared.send_log(|log| {
            for (sequence, message) in self.ids[at..self.to].iter().flatten() {
                if !log.knows(*sequence, *message) && log.sending(*sequence, *message) {
                    self.noted.insert(*sequence);
                }
            }
            log.write()
        });
        written.map(drop).map_err(|error| send_log_error(shared, &error))
    }

    /// Marks what was logged and not sent; the pass sends no more.
    pub(super) fn end(self, shared: &Shared) {
        shared.send_log(|log| self.noted.iter().for_each(|sequence| log.unsent(*sequence)));
    }
}

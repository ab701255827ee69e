//! A list that comes from the database page by page, newest or next first; more of it is read near its end.

use ratatui::text::Line;

use super::{PAGE, Shared, Ticket, sub::Context};
use crate::{
    db,
    domain::{
        coverage::{self, NotLookedAt},
        text,
    },
    ops::messages::{list::Page, report},
    tui::{
        ui::{list::Cursor, remote::Remote},
        words,
    },
};

/// Columns wide enough for a line of explanation.
const EXPLAINED: u16 = 70;

/// A row that the cursor follows by its number.
pub(super) trait Numbered {
    fn number(&self) -> i64;
}

/// The rows read so far, and what is being read.
#[derive(Debug)]
pub(super) struct Paged<T> {
    pub rows: Vec<T>,
    more: bool,
    coverage: Vec<NotLookedAt>,
    asked: Remote<Page<T>, db::Error>,
    /// What is asked for continues the rows.
    continues: bool,
    pub cursor: Cursor,
}

impl<T> Default for Paged<T> {
    fn default() -> Self {
        Self {
            rows: vec![],
            more: false,
            coverage: vec![],
            asked: Remote::default(),
            continues: false,
            cursor: Cursor::default(),
        }
    }
}

impl<T: Numbered> Paged<T> {
    /// Empties it.
    pub fn reset(&mut self) {
        self.rows = vec![];
        self.more = false;
        self.coverage = vec![];
        self.cursor.reset();
    }

    /// The row under the cursor.
    pub fn selected(&self) -> Option<&T> {
        self.rows.get(self.cursor.index)
    }

    /// A page is asked for: the first, or the one that continues the rows.
    pub fn begin(&mut self, continues: bool, shared: &Shared) -> Ticket {
        self.continues = continues;
        self.asked.begin(shared.now.instant)
    }

    /// Takes a page; the cursor follows its row, and stays on its line where that left. Whether it was wanted and
    /// could be read.
    pub fn settle(
        &mut self,
        ticket: Ticket,
        result: Result<Page<T>, db::Error>,
        shared: &Shared,
    ) -> bool {
        if !self.asked.settle(ticket, result, shared.now.instant) || self.asked.error.is_some() {
            return false;
        }
        let Some(page) = self.asked.value.take() else { return false };
        let chosen = self.selected().map(T::number);
        if self.continues {
            self.rows.extend(page.rows);
        } else {
            self.rows = page.rows;
        }
        (self.more, self.coverage) = (page.more, page.coverage);
        let at = self.rows.iter().position(|row| Some(row.number()) == chosen);
        self.cursor.follow(at, self.rows.len());
        true
    }

    /// Whether the cursor is so near the end that the next page is worth asking for.
    pub fn wants_more(&self) -> bool {
        let near_end = self.cursor.index + PAGE / 2 >= self.rows.len();
        near_end && self.more && !self.is_asking()
    }

    /// Whether it can be read again without losing rows, and is not already.
    pub fn can_refresh(&self) -> bool {
        self.rows.len() <= PAGE && !self.is_asking()
    }

    pub fn has_more(&self) -> bool {
        self.more
    }

    /// Nobody waits for a page any more.
    pub fn abandon(&mut self) {
        self.asked.abandon();
    }

    fn is_asking(&self) -> bool {
        self.asked.loading_since().is_some()
    }

    /// The line in place of no rows: `told`, once there is an answer.
    pub fn empty(&self, cx: Context<'_>, told: &str) -> Line<'static> {
        if self.is_asking() || cx.reading {
            return Line::styled("  Loading …", cx.theme.muted);
        }
        if self.asked.error.is_some() {
            return Line::styled("  Not loaded yet", cx.theme.muted);
        }
        if coverage::leaves_unknown(&self.coverage) {
            return Line::styled(format!("  {}", report::NOT_KNOWN), cx.theme.warn);
        }
        Line::styled(format!("  {told}"), cx.theme.ok)
    }

    /// Why the rows are old, what was not looked at, of these rows and of the figures, and a line of explanation
    /// where there is room.
    pub fn footnotes(
        &self,
        cx: Context<'_>,
        width: u16,
        explained: &'static str,
    ) -> Vec<Line<'static>> {
        let Context { shared, theme, .. } = cx;
        let coverage = cx.status.map(|status| status.coverage.as_slice()).unwrap_or_default();
        let mut out = vec![];
        if let Some(error) = &self.asked.error {
            let age = self.asked.seen_at.map_or_else(
                || "not loaded yet".to_owned(),
                |at| format!("rows are {} old", words::since(at, shared)),
            );
            let told = format!("Not refreshed ({age}): {error}");
            out.push(Line::styled(text::clean(&told).into_owned(), theme.danger));
        }
        let notes = self.coverage.iter().filter(|note| !coverage.contains(note)).chain(coverage);
        let wrap =
            |note: &NotLookedAt| words::wrapped(&note.to_string(), usize::from(width).max(8), 2);
        out.extend(notes.flat_map(wrap).map(|line| Line::styled(line, theme.warn)));
        if width >= EXPLAINED {
            out.push(Line::styled(explained, theme.muted));
        }
        out
    }
}

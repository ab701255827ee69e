//! Lists: where the cursor is, which rows are marked, which slice is on screen, and how the rows in sight are drawn.

use std::{collections::BTreeSet, ops::Range};

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

use super::{hits::Hits, pane::clipped, theme::Theme};

/// A cursor with the window around it. `height` is learned while drawing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cursor {
    pub index: usize,
    pub offset: usize,
    pub height: usize,
}

/// A move every list understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Lines(isize),
    HalfPages(isize),
    First,
    Last,
    To(usize),
}

impl Step {
    /// Where a text drawn from line `offset` is drawn from next. Drawing keeps it within the text.
    #[must_use]
    pub fn scrolled(self, offset: usize) -> usize {
        match self {
            Self::Lines(by) => offset.saturating_add_signed(by),
            Self::HalfPages(by) => offset.saturating_add_signed(by.saturating_mul(10)),
            Self::First => 0,
            Self::Last => usize::MAX / 2,
            Self::To(to) => to,
        }
    }
}

/// How a list is drawn.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    pub theme: &'a Theme,
    /// Keys go to it.
    pub focused: bool,
    /// Its number on the screen.
    pub pane: usize,
}

impl Cursor {
    /// Moves within `len` rows and keeps the cursor on screen.
    pub fn step(&mut self, step: Step, len: usize) {
        let last = len.saturating_sub(1);
        let half = isize::try_from(self.height.max(2) / 2).unwrap_or(1);
        self.index = match step {
            Step::Lines(by) => self.index.saturating_add_signed(by),
            Step::HalfPages(by) => self.index.saturating_add_signed(by.saturating_mul(half)),
            Step::First => 0,
            Step::Last => last,
            Step::To(index) => index,
        }
        .min(last);
        self.reveal(len);
    }

    /// Takes the number of visible rows, as drawing found it.
    pub fn fit(&mut self, height: usize, len: usize) {
        self.height = height;
        self.index = self.index.min(len.saturating_sub(1));
        self.reveal(len);
    }

    /// The rows to draw.
    #[must_use]
    pub fn visible(&self, height: usize, len: usize) -> Range<usize> {
        let mut seen = *self;
        seen.fit(height, len);
        seen.offset..(seen.offset + height).min(len)
    }

    /// To the top, as a new list begins; what drawing learned stays.
    pub fn reset(&mut self) {
        *self = Self { height: self.height, ..Self::default() };
    }

    /// Goes to a row, if it is there; stays on its line if not.
    pub fn follow(&mut self, row: Option<usize>, len: usize) {
        self.step(row.map_or(Step::Lines(0), Step::To), len);
    }

    /// Draws the rows in sight. `row` makes the line of an index, behind the sign of cursor and mark; `click` is what
    /// a click on it sends.
    #[expect(clippy::too_many_arguments, reason = "a widget: where, what, and what a click means")]
    pub fn draw<M: Clone>(
        &self,
        look: Look<'_>,
        frame: &mut Frame,
        body: Rect,
        len: usize,
        hits: &mut Hits<M>,
        is_marked: impl Fn(usize) -> bool,
        click: impl Fn(usize) -> M,
        row: impl Fn(usize, Span<'static>) -> Option<Line<'static>>,
    ) {
        let Look { theme, focused, pane } = look;
        let height = usize::from(body.height);
        hits.pane(body, pane, height);
        for (line, index) in (0..body.height).zip(self.visible(height, len)) {
            let place = Rect { y: body.y + line, height: 1, ..body };
            let is_cursor = index == self.index;
            let sign = match (is_cursor, is_marked(index)) {
                (true, true) => Span::styled(">+", theme.marked),
                (false, true) => Span::styled(" +", theme.marked),
                (true, false) => Span::styled("> ", theme.key),
                (false, false) => Span::raw("  "),
            };
            if let Some(text) = row(index, sign) {
                clipped(frame, place, text);
            }
            if is_cursor {
                let style = if focused { theme.cursor } else { theme.chosen };
                frame.buffer_mut().set_style(place, style);
            }
            hits.click(place, click(index));
        }
    }

    fn reveal(&mut self, len: usize) {
        let height = self.height.max(1);
        if self.index < self.offset {
            self.offset = self.index;
        }
        if self.index >= self.offset + height {
            self.offset = self.index + 1 - height;
        }
        self.offset = self.offset.min(len.saturating_sub(height));
    }
}

/// Which rows are marked or let go of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marking {
    /// The one under the cursor.
    One,
    All,
    /// Those that are not marked in place of those that are.
    Invert,
}

/// A list with its cursor and its marks. Rows are marked by their key, so that marks stay on what they were put on.
#[derive(Debug, Clone)]
pub struct List<K> {
    pub cursor: Cursor,
    marks: BTreeSet<K>,
}

impl<K> Default for List<K> {
    fn default() -> Self {
        Self { cursor: Cursor::default(), marks: BTreeSet::new() }
    }
}

impl<K: Ord + Clone> List<K> {
    /// Everything marked.
    #[must_use]
    pub const fn marks(&self) -> &BTreeSet<K> {
        &self.marks
    }

    /// Marks rows among those with these keys, or lets go of them.
    pub fn mark(&mut self, how: Marking, keys: &[K]) {
        match how {
            Marking::All => self.marks.extend(keys.iter().cloned()),
            Marking::One => self.turn(keys.get(self.cursor.index)),
            Marking::Invert => keys.iter().for_each(|key| self.turn(Some(key))),
        }
    }

    fn turn(&mut self, key: Option<&K>) {
        if let Some(key) = key {
            let _ = self.marks.remove(key) || self.marks.insert(key.clone());
        }
    }

    /// Lets go of all marks; whether there were any.
    pub fn unmark(&mut self) -> bool {
        !std::mem::take(&mut self.marks).is_empty()
    }

    /// Lets go of the marks on what is gone.
    pub fn retain(&mut self, is_there: impl FnMut(&K) -> bool) {
        self.marks.retain(is_there);
    }

    /// Whether a row is marked.
    pub fn is_marked(&self, key: &K) -> bool {
        self.marks.contains(key)
    }

    /// What is chosen: the marked rows as they are listed, then what is marked out of sight; without
    /// marks the row under the cursor.
    #[must_use]
    pub fn chosen(&self, keys: &[K]) -> Vec<K> {
        if self.marks.is_empty() {
            return keys.get(self.cursor.index).cloned().into_iter().collect();
        }
        let listed = keys.iter().filter(|key| self.marks.contains(key));
        let others = self.marks.iter().rev().filter(|key| !keys.contains(key));
        listed.chain(others).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_cursor_stays_inside_and_visible(
            moves in prop::collection::vec(-40_isize..40, 0..40),
            (len, height) in (0_usize..60, 0_usize..20),
        ) {
            let mut cursor = Cursor::default();
            cursor.fit(height, len);
            for by in moves {
                cursor.step(Step::Lines(by), len);
                prop_assert!(cursor.index < len.max(1));
                let seen = cursor.visible(height, len);
                prop_assert!(seen.end <= len);
                prop_assert!(height == 0 || len == 0 || seen.contains(&cursor.index));
            }
        }
    }

    #[test]
    fn marks_stay_on_what_they_were_put_on() {
        let mut list = List::default();
        let keys = ["a", "b", "c", "d"];
        list.cursor.fit(10, keys.len());
        list.cursor.step(Step::To(1), keys.len());
        assert_eq!(list.chosen(&keys), ["b"], "without marks the row under the cursor is chosen");
        list.mark(Marking::One, &keys);
        list.cursor.step(Step::To(3), keys.len());
        list.mark(Marking::One, &keys);
        assert_eq!(list.chosen(&["d", "b", "a"]), ["d", "b"], "in the order of the list");
        assert_eq!(list.chosen(&["a", "b"]), ["b", "d"], "what is out of the list comes last");
        list.mark(Marking::Invert, &keys);
        assert_eq!(list.chosen(&keys), ["a", "c"]);
        list.retain(|key| *key != "a");
        assert_eq!(list.chosen(&keys), ["c"]);
        list.mark(Marking::All, &keys);
        assert_eq!(list.marks().len(), 4);
        assert!(list.unmark() && !list.unmark());
    }
}

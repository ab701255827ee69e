//! Where the cursor is in a list, and which slice of the list is on screen.

use std::ops::Range;

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
}

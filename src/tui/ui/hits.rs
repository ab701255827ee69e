//! What drawing learned: where a click means something, and how many rows each pane shows.

use ratatui::layout::{Position, Rect};

/// Click areas and pane heights of one frame. `M` is the message a click sends.
#[derive(Debug, Clone)]
pub struct Hits<M> {
    areas: Vec<(Rect, M)>,
    wheels: Vec<(Rect, usize)>,
    /// Rows visible in each pane, by pane number.
    pub heights: Vec<(usize, usize)>,
    /// How far each pane of text can be scrolled, by pane number.
    pub ends: Vec<(usize, usize)>,
}

impl<M> Default for Hits<M> {
    fn default() -> Self {
        Self { areas: vec![], wheels: vec![], heights: vec![], ends: vec![] }
    }
}

impl<M: Clone> Hits<M> {
    /// A click inside `area` sends `msg`.
    pub fn click(&mut self, area: Rect, msg: M) {
        self.areas.push((area, msg));
    }

    /// The wheel over `area` scrolls pane `pane`, which shows `rows` rows.
    pub fn pane(&mut self, area: Rect, pane: usize, rows: usize) {
        self.wheels.push((area, pane));
        self.heights.push((pane, rows));
    }

    /// The same for a pane of text: `lines` long, drawn from `offset`. Yields the first line to draw, which
    /// is never beyond the last page.
    pub fn text(&mut self, area: Rect, pane: usize, lines: usize, offset: usize) -> usize {
        let rows = usize::from(area.height);
        let end = lines.saturating_sub(rows);
        self.pane(area, pane, rows);
        self.ends.push((pane, end));
        offset.min(end)
    }

    /// The message under a position; what was drawn last lies on top.
    #[must_use]
    pub fn at(&self, column: u16, row: u16) -> Option<M> {
        let place = Position::new(column, row);
        self.areas.iter().rev().find(|(area, _)| area.contains(place)).map(|(_, msg)| msg.clone())
    }

    /// The pane under a position.
    #[must_use]
    pub fn pane_at(&self, column: u16, row: u16) -> Option<usize> {
        let place = Position::new(column, row);
        self.wheels.iter().rev().find(|(area, _)| area.contains(place)).map(|(_, pane)| *pane)
    }

    /// The same areas, their messages wrapped.
    pub fn map<N>(self, wrap: impl Fn(M) -> N) -> Hits<N> {
        Hits {
            areas: self.areas.into_iter().map(|(area, msg)| (area, wrap(msg))).collect(),
            wheels: self.wheels,
            heights: self.heights,
            ends: self.ends,
        }
    }

    /// Puts the areas of something drawn above these.
    pub fn above(&mut self, other: Self) {
        self.areas.extend(other.areas);
        self.wheels.extend(other.wheels);
        self.heights.extend(other.heights);
        self.ends.extend(other.ends);
    }

    /// Forgets everything below a modal.
    pub fn clear_areas(&mut self) {
        self.areas.clear();
        self.wheels.clear();
    }
}

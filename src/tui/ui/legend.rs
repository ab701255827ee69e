//! What columns and marks mean, over a screen (`i`).

use ratatui::{
    Frame,
    layout::{Constraint, Rect},
    text::{Line, Span},
    widgets::{Clear, Paragraph},
};

use super::{pane::pane, theme::Theme, wrap::wrapped};

/// Columns of the window at most.
const WIDEST: u16 = 96;

/// The lines of a legend: each mark and what it means, the marks in a column of their own.
pub fn lines(theme: &Theme, rows: &[(&str, &str)]) -> Vec<Line<'static>> {
    let width = rows.iter().map(|(mark, _)| mark.chars().count()).max().unwrap_or(0) + 2;
    rows.iter()
        .map(|(mark, means)| {
            let mark = Span::styled(format!("{mark:<width$}"), theme.key);
            Line::from(vec![mark, Span::raw((*means).to_owned())])
        })
        .collect()
}

/// Clears room for so many lines in the middle of `area` and frames it; tells the room inside.
pub fn window(frame: &mut Frame, area: Rect, theme: &Theme, lines: usize, note: &str) -> Rect {
    let height = u16::try_from(lines + 2).unwrap_or(area.height).min(area.height);
    let area = area.centered(Constraint::Max(WIDEST), Constraint::Length(height));
    frame.render_widget(Clear, area);
    pane(frame, area, theme, "Columns and marks", note, true)
}

/// Draws a legend that fits.
pub fn view(theme: &Theme, frame: &mut Frame, area: Rect, rows: &[(&str, &str)]) {
    let marks = rows.iter().map(|(mark, _)| mark.chars().count()).max().unwrap_or(0) + 2;
    let room = usize::from(area.width.min(WIDEST)).saturating_sub(marks + 2).max(8);
    let mut lines = vec![];
    for (mark, means) in rows {
        // What does not fit goes on below its beginning, not below the mark.
        for (row, words) in wrapped(means, room, 4).into_iter().enumerate() {
            let mark = if row == 0 { mark } else { "" };
            let mark = Span::styled(format!("{mark:<marks$}"), theme.key);
            lines.push(Line::from(vec![mark, Span::raw(words)]));
        }
    }
    let inner = window(frame, area, theme, lines.len(), "i or Esc closes");
    frame.render_widget(Paragraph::new(lines), inner);
}

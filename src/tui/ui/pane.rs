//! The frame around a pane and the few drawing idioms every screen shares.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::Block,
};

use unicode_width::UnicodeWidthStr;

use super::{hits::Hits, theme::Theme};

/// Draws a bordered pane with its title and an optional note at the right of the top edge; returns
/// the room inside.
pub fn pane(
    frame: &mut Frame,
    area: Rect,
    theme: &Theme,
    title: &str,
    note: &str,
    focused: bool,
) -> Rect {
    let border = if focused { theme.focus } else { theme.border };
    let mut block = Block::bordered().border_style(border);
    if !title.is_empty() {
        let title = crate::domain::text::cut(title, usize::from(area.width).saturating_sub(6));
        block = block.title(Line::from(vec![
            Span::styled("─", border),
            Span::styled(format!(" {title} "), theme.title),
        ]));
    }
    let room = usize::from(area.width).saturating_sub(title.width() + 8);
    if !note.is_empty() && note.width() + 2 <= room {
        let note = Line::from(vec![
            Span::styled(format!(" {note} "), theme.muted),
            Span::styled("─", border),
        ]);
        block = block.title(note.right_aligned());
    }
    let inner = block.inner(area);
    frame.render_widget(block, area);
    inner
}

/// Draws a line into a row; what does not fit ends in `…`.
pub fn clipped(frame: &mut Frame, place: Rect, line: Line<'static>) {
    let is_cut = line.width() > usize::from(place.width);
    frame.render_widget(line, place);
    if is_cut
        && let Some(cell) = frame.buffer_mut().cell_mut((place.right().saturating_sub(1), place.y))
    {
        cell.set_symbol("…");
    }
}

/// Draws a text that may be longer than `area`, from line `offset` on, as pane number `pane` of the screen.
pub fn scrolling<M: Clone>(
    frame: &mut Frame,
    area: Rect,
    hits: &mut Hits<M>,
    pane: usize,
    lines: Vec<Line<'static>>,
    offset: usize,
) {
    let offset = hits.text(area, pane, lines.len(), offset);
    for (row, line) in (0..area.height).zip(lines.into_iter().skip(offset)) {
        clipped(frame, Rect { y: area.y + row, height: 1, ..area }, line);
    }
}

/// Draws keys and titles in order until the room is used up.
#[must_use]
pub fn key_hints(theme: &Theme, width: u16, hints: &[(String, String)]) -> Line<'static> {
    let mut spans = vec![Span::raw(" ")];
    let mut used = 1;
    for (key, title) in hints {
        let need = key.chars().count() + title.chars().count() + 3;
        if used + need > usize::from(width) {
            break;
        }
        used += need;
        spans.push(Span::styled(key.clone(), theme.key));
        spans.push(Span::styled(format!(" {title}  "), theme.muted));
    }
    Line::from(spans)
}

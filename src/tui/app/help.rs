//! The `?` overlay: what can be pressed here, from the action table.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::Clear,
};
use unicode_width::UnicodeWidthStr;

use super::{App, COMMANDS, Msg, OVER};
use crate::tui::ui::{
    action::{Info, shown},
    hits::Hits,
    pane::{clipped, pane},
    theme::Theme,
};

/// How far the text is scrolled.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) offset: usize,
}

/// Every line of the overlay.
pub(super) fn lines(app: &App, theme: &Theme) -> Vec<Line<'static>> {
    let shown = app.screens.shown();
    let title =
        app.screens.specs().into_iter().find(|spec| spec.id == shown).map_or("", |spec| spec.title);
    let mut out = vec![Line::styled(format!("On {title}"), theme.title)];
    out.extend(app.own_infos().iter().map(|info| row(info, theme)));
    out.push(Line::default());
    out.push(Line::styled("Everywhere", theme.title));
    let global = app.global_infos();
    // The saved views are eight alike; one line tells them all.
    let plain = global.iter().filter(|info| info.name < "view.3" || info.name > "view.9");
    out.extend(plain.map(|info| row(info, theme)));
    out.push(Line::default());
    out.push(Line::styled("Commands, typed after :", theme.title));
    out.extend(COMMANDS.iter().map(|command| {
        let usage = format!(" {} {}", command.name, command.argument);
        Line::from(vec![
            Span::styled(format!("{usage:<28}"), theme.key),
            Span::styled(command.help, theme.text),
        ])
    }));
    out
}

fn row(info: &Info, theme: &Theme) -> Line<'static> {
    let keys: Vec<_> = info.keys.iter().map(|key| shown(key)).collect();
    let mut spans = vec![
        Span::styled(format!(" {:<14}", keys.join(" ")), theme.key),
        Span::styled(info.help.to_owned(), theme.text),
    ];
    // An empty reason means that the key is silent here.
    if let Some(why) = info.enabled.err().filter(|why| !why.is_empty()) {
        spans.push(Span::styled(format!("  (not now: {why})"), theme.muted));
    }
    if let Some(cli_equivalent) = info.cli_equivalent {
        spans.push(Span::styled(format!("  {cli_equivalent}"), theme.muted));
    }
    Line::from(spans)
}

/// Widest a text over the screen gets.
const WIDEST: u16 = 104;

/// Lines broken between words, as wide as `text` draws them in an area of this width.
pub(super) fn wrapped(lines: &[String], width: u16) -> Vec<Line<'static>> {
    let width = usize::from(width.min(WIDEST).saturating_sub(2)).max(1);
    let mut out = vec![];
    for line in lines {
        let mut row = String::new();
        for word in line.split(' ') {
            if !row.is_empty() && row.width() + word.width() + 1 > width {
                out.push(Line::raw(std::mem::take(&mut row)));
                row.push_str("  ");
            } else if !row.is_empty() {
                row.push(' ');
            }
            row.push_str(word);
        }
        out.push(Line::raw(row));
    }
    out
}

/// Draws a scrolled text over the screen.
pub(super) fn text(
    frame: &mut Frame,
    area: Rect,
    theme: &Theme,
    title: &str,
    lines: &[Line<'static>],
    offset: usize,
    hits: &mut Hits<Msg>,
) {
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(2);
    let area = area.centered(
        ratatui::layout::Constraint::Max(WIDEST),
        ratatui::layout::Constraint::Max(height.min(area.height)),
    );
    frame.render_widget(Clear, area);
    let inner = pane(frame, area, theme, title, "Esc closes, j k scroll", true);
    let offset = hits.text(inner, OVER, lines.len(), offset);
    for (row, line) in (0..inner.height).zip(&lines[offset..]) {
        let place = Rect { y: inner.y + row, height: 1, ..inner };
        clipped(frame, place, line.clone());
    }
}

//! The `?` overlay: what can be pressed here, from the action table.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::Clear,
};

use super::{App, COMMANDS, Msg, OVER};
use crate::tui::ui::{
    action::{Info, shown},
    hits::Hits,
    pane::pane,
    theme::Theme,
};

/// How far the text is scrolled.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) offset: usize,
}

/// Every line of the overlay.
pub(super) fn lines(app: &App, theme: &Theme) -> Vec<Line<'static>> {
    let title = app.current.spec().title;
    let mut out = vec![Line::styled(format!("On {title}"), theme.title)];
    out.extend(app.screens.infos(app.current, &app.keys).iter().map(|info| row(info, theme)));
    out.push(Line::default());
    out.push(Line::styled("Everywhere", theme.title));
    let global = app.keys.infos(super::ACTIONS, app);
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
    if let Err(why) = info.enabled {
        spans.push(Span::styled(format!("  (not now: {why})"), theme.muted));
    }
    if let Some(twin) = info.twin {
        spans.push(Span::styled(format!("  {twin}"), theme.muted));
    }
    Line::from(spans)
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
        ratatui::layout::Constraint::Max(104),
        ratatui::layout::Constraint::Max(height.min(area.height)),
    );
    frame.render_widget(Clear, area);
    let inner = pane(frame, area, theme, title, "Esc closes, j k scroll", true);
    let offset = hits.text(inner, OVER, lines.len(), offset);
    for (row, line) in (0..inner.height).zip(&lines[offset..]) {
        let place = Rect { y: inner.y + row, height: 1, ..inner };
        frame.render_widget(line.clone(), place);
    }
}

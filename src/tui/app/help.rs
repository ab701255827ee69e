//! The `?` overlay: what can be pressed here, from the action table.

use ratatui::text::{Line, Span};

use super::{App, COMMANDS, scopes};
use crate::tui::ui::{
    action::{Info, shown},
    theme::Theme,
};

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
    for scope in scopes::over(&app.shared.keys) {
        out.push(Line::default());
        out.push(Line::styled(scope.title, theme.title));
        out.extend(scope.rows.iter().map(|info| row(info, theme)));
    }
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

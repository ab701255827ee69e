//! The `:` palette: every action and command by name, fuzzy, with its key and why it is disabled.

use ratatui::{
    Frame,
    layout::{Constraint, Rect},
    text::{Line, Span},
    widgets::Clear,
};

use super::{App, COMMANDS};
use crate::tui::ui::{
    action::{Action, Info, shown},
    field::Field,
    list::Cursor,
    pane::{clipped, pane},
    theme::Theme,
};

/// What is typed and chosen.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) field: Field,
    pub(super) cursor: Cursor,
    pub(super) error: Option<String>,
}

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    Move(isize),
    Complete,
    Run,
    Close,
}

type Row = Action<State, Ask>;

/// The keys of the palette; all others are text.
pub(super) const ACTIONS: &[Row] = &[
    Row::look(
        "palette.run",
        &["enter", "ctrl-m", "ctrl-j"],
        "run",
        "Run what the cursor is on, or what is typed",
        || Ask::Run,
    )
    .footer(40),
    Row::look("palette.close", &["esc"], "close", "Close the palette", || Ask::Close).footer(39),
    Row::look("palette.down", &["down", "ctrl-n"], "down", "To the next proposal", || Ask::Move(1))
        .footer(30),
    Row::look("palette.up", &["up", "ctrl-p"], "up", "To the proposal before", || Ask::Move(-1))
        .footer(29),
    Row::look(
        "palette.complete",
        &["tab"],
        "complete",
        "Take the name of the proposal over",
        || Ask::Complete,
    )
    .footer(20),
];

/// A row of the palette.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    Action(Info),
    Command { name: &'static str, argument: &'static str, help: &'static str },
}

impl Entry {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Action(info) => info.name,
            Self::Command { name, .. } => name,
        }
    }
}

/// Rows that match what is typed, best first.
pub(super) fn entries(app: &App, typed: &str) -> Vec<Entry> {
    let word = typed.split(' ').next().unwrap_or_default().to_lowercase();
    let actions = app.own_infos().into_iter().chain(app.global_infos()).map(Entry::Action);
    let commands = COMMANDS.iter().map(|command| Entry::Command {
        name: command.name,
        argument: command.argument,
        help: command.help,
    });
    let scored = commands.chain(actions).filter_map(|entry| {
        let words = match &entry {
            Entry::Action(info) => format!("{} {}", info.name, info.title),
            Entry::Command { name, .. } => (*name).to_owned(),
        };
        Some((score(&words.to_lowercase(), &word)?, entry))
    });
    let mut scored: Vec<_> = scored.collect();
    scored.sort_by_key(|(score, _)| *score);
    scored.into_iter().map(|(_, entry)| entry).collect()
}

/// Smaller is better; `None` when the letters do not occur in this order.
fn score(words: &str, typed: &str) -> Option<usize> {
    if let Some(at) = words.find(typed) {
        return Some(at);
    }
    let mut rest = words.char_indices();
    let mut spread = 0;
    let mut previous = 0;
    for wanted in typed.chars() {
        let (at, _) = rest.find(|(_, c)| *c == wanted)?;
        spread += at - previous;
        previous = at;
    }
    Some(100 + spread)
}

pub(super) fn view(app: &App, state: &State, theme: &Theme, frame: &mut Frame, area: Rect) {
    let entries = entries(app, state.field.text());
    let rows = entries.len().clamp(1, 14);
    let height = u16::try_from(rows + 4).unwrap_or(18);
    let area = area.centered(Constraint::Max(92), Constraint::Max(height));
    frame.render_widget(Clear, area);
    let inner = pane(frame, area, theme, "Command", "Enter runs, Esc closes", true);
    let [input, body] = inner
        .layout(&ratatui::layout::Layout::vertical([Constraint::Length(2), Constraint::Fill(1)]));
    let line = Rect { height: 1, x: input.x + 2, width: input.width.saturating_sub(2), ..input };
    frame.render_widget(Span::styled(":", theme.key), Rect { width: 1, height: 1, ..input });
    state.field.draw(frame, line, theme.text, Some(theme.cursor));
    if let Some(error) = &state.error {
        let below = Rect { y: input.y + 1, height: input.height.saturating_sub(1), ..input };
        clipped(frame, below, Line::styled(error.clone(), theme.danger));
    }
    let shown = state.cursor.visible(usize::from(body.height), entries.len());
    for (row, (index, entry)) in (0..body.height).zip(entries.iter().enumerate().skip(shown.start))
    {
        let place = Rect { y: body.y + row, height: 1, ..body };
        clipped(frame, place, entry_line(entry, theme, index == state.cursor.index));
    }
    if entries.is_empty() {
        frame.render_widget(Line::styled("No command matches", theme.muted), body);
    }
}

fn entry_line(entry: &Entry, theme: &Theme, chosen: bool) -> Line<'static> {
    let (name, keys, help, why) = match entry {
        Entry::Action(info) => {
            let keys: Vec<_> = info.keys.iter().map(|key| shown(key)).collect();
            (info.name.to_owned(), keys.join(" "), info.help, info.enabled.err())
        }
        Entry::Command { name, argument, help } => {
            (format!("{name} {argument}"), String::new(), *help, None)
        }
    };
    let mark = if chosen { "> " } else { "  " };
    let style = if why.is_some() { theme.muted } else { theme.text };
    let mut spans = vec![
        Span::styled(format!("{mark}{name:<26}"), if chosen { theme.cursor } else { style }),
        Span::styled(format!(" {keys:<10} "), theme.key),
    ];
    match why.filter(|why| !why.is_empty()) {
        // The reason first: there may be no room for both.
        Some(why) => {
            spans.push(Span::styled(format!("(not now: {why}) "), theme.warn));
            spans.push(Span::styled(help.to_owned(), style));
        }
        None => spans.push(Span::styled(help.to_owned(), style)),
    }
    Line::from(spans)
}

#[cfg(test)]
mod tests {
    use super::score;

    #[test]
    fn whole_words_come_before_scattered_letters() {
        assert!(score("copy.link copy link", "copy") < score("case of pony", "copy"));
        assert_eq!(score("refresh", "xyz"), None);
    }
}

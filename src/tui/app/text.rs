//! Long texts over the screen: help, limits, an error in full. They are scrolled and closed.

use crossterm::event::KeyEvent;
use ratatui::{Frame, layout::Rect, text::Line, widgets::Clear};
use unicode_width::UnicodeWidthStr;

use super::{Msg, OVER};
use crate::tui::ui::{
    action::{Action, Keys},
    hits::Hits,
    list::Step,
    pane::{clipped, pane},
    theme::Theme,
};

/// How far the text is scrolled.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct State {
    pub(super) offset: usize,
}

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    Scroll(Step),
    Close,
}

type Row = Action<State, Ask>;

/// The keys while a text lies over the screen.
pub(super) const ACTIONS: &[Row] = &[
    Row::look("text.down", &["j", "down"], "down", "One line down", || Ask::Scroll(Step::Lines(1)))
        .footer(30),
    Row::look("text.up", &["k", "up"], "up", "One line up", || Ask::Scroll(Step::Lines(-1)))
        .footer(29),
    Row::look("text.half-down", &["ctrl-d", "pagedown"], "further", "Ten lines down", || {
        Ask::Scroll(Step::HalfPages(1))
    })
    .footer(20),
    Row::look("text.half-up", &["ctrl-u", "pageup"], "back", "Ten lines up", || {
        Ask::Scroll(Step::HalfPages(-1))
    }),
    Row::look("text.top", &["g", "home"], "top", "To the first line", || Ask::Scroll(Step::First)),
    Row::look("text.end", &["G", "end"], "end", "To the last line", || Ask::Scroll(Step::Last)),
    Row::look("text.close", &["esc", "enter", "q", "?"], "close", "Close the text", || Ask::Close)
        .footer(40),
];

impl State {
    /// Takes one key press; whether the text is to be closed.
    pub(super) fn key(&mut self, key: KeyEvent, keys: &Keys) -> bool {
        match keys.action(ACTIONS, key).map(|action| (action.msg)()) {
            Some(Ask::Close) => return true,
            Some(Ask::Scroll(step)) => self.scroll(step),
            None => {}
        }
        false
    }

    pub(super) fn scroll(&mut self, step: Step) {
        self.offset = step.scrolled(self.offset);
    }
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
pub(super) fn view(
    frame: &mut Frame,
    area: Rect,
    (theme, keys): (&Theme, &Keys),
    title: &str,
    lines: &[Line<'static>],
    state: State,
    hits: &mut Hits<Msg>,
) {
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(2);
    let area = area.centered(
        ratatui::layout::Constraint::Max(WIDEST),
        ratatui::layout::Constraint::Max(height.min(area.height)),
    );
    frame.render_widget(Clear, area);
    let key = |name: &str| {
        let action = ACTIONS.iter().find(|action| action.name == name);
        action.map_or_else(String::new, |action| keys.shown(action))
    };
    let note =
        format!("{} closes, {} {} scroll", key("text.close"), key("text.down"), key("text.up"));
    let inner = pane(frame, area, theme, title, &note, true);
    let offset = hits.text(inner, OVER, lines.len(), state.offset);
    for (row, line) in (0..inner.height).zip(&lines[offset..]) {
        let place = Rect { y: inner.y + row, height: 1, ..inner };
        clipped(frame, place, line.clone());
    }
}

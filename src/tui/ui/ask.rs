//! A question with one line to answer it: why something is wanted.

use crossterm::event::KeyEvent;
use ratatui::{
    Frame,
    layout::{Constraint, Rect},
    text::{Line, Span},
    widgets::{Clear, Paragraph, Wrap},
};

use super::{
    action::{Action, Keys},
    field::{Field, Typed},
    form,
    pane::pane,
    theme::Theme,
};

/// The question and what is typed.
#[derive(Debug, Clone, Default)]
pub struct State {
    pub title: String,
    /// What the answer is for, and for how long.
    pub text: String,
    pub label: &'static str,
    field: Field,
    problem: Option<String>,
    /// The answer was given; what it asks for is under way.
    pub waiting: bool,
}

type Row = Action<State, bool>;

/// The keys while the question stands; all others are text. Whether the answer is given.
pub const ACTIONS: &[Row] = &[
    Row::look("reason.give", &["enter", "ctrl-m", "ctrl-j"], "go on", "Give the answer", || true)
        .footer(40),
    Row::look("reason.close", &["esc"], "cancel", "Close the question; nothing has run", || false)
        .footer(39),
];

/// What a key meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Given(String),
    Left,
    Stays,
}

impl State {
    /// A question.
    #[must_use]
    pub fn new(title: impl Into<String>, text: impl Into<String>, label: &'static str) -> Self {
        Self { title: title.into(), text: text.into(), label, ..Self::default() }
    }

    /// Takes one key press. `check` says what is wrong with an answer.
    pub fn key(
        &mut self,
        key: KeyEvent,
        keys: &Keys,
        check: impl Fn(&str) -> Result<(), String>,
    ) -> Answer {
        match keys.action(ACTIONS, key).map(|action| (action.msg)()) {
            Some(false) => return Answer::Left,
            Some(true) if !self.waiting => match check(self.field.text().trim()) {
                Ok(()) => {
                    self.waiting = true;
                    self.problem = None;
                    return Answer::Given(self.field.text().trim().to_owned());
                }
                Err(why) => self.problem = Some(why),
            },
            Some(true) => {}
            None => {
                if self.field.edit(key, keys) == Typed::Edited {
                    self.problem = None;
                }
            }
        }
        Answer::Stays
    }

    /// Takes pasted text.
    pub fn paste(&mut self, text: &str) {
        self.field.paste(text);
    }

    /// What was asked for did not come about.
    pub fn failed(&mut self, why: String) {
        self.waiting = false;
        self.problem = Some(why);
    }
}

/// Draws it in the middle of an area.
pub fn view(state: &State, theme: &Theme, frame: &mut Frame, area: Rect) {
    let width = area.width.min(76);
    let room = usize::from(width.saturating_sub(4)).max(1);
    let rows = |text: &str| u16::try_from(text.chars().count() / room + 1).unwrap_or(3);
    let problem = match (&state.problem, state.waiting) {
        (Some(problem), _) => Span::styled(format!("! {problem}"), theme.danger),
        (None, true) => Span::styled("one moment …", theme.warn),
        (None, false) => Span::raw(""),
    };
    let above = rows(&state.text);
    let height = above + 2 + rows(&problem.content) + 2;
    let area = area.centered(Constraint::Max(width), Constraint::Max(height));
    frame.render_widget(Clear, area);
    let inner = pane(frame, area, theme, &state.title, "Enter goes on, Esc does not", true);
    let inner =
        Rect { x: inner.x + 1.min(inner.width), width: inner.width.saturating_sub(2), ..inner };
    let text =
        Paragraph::new(Span::styled(state.text.clone(), theme.text)).wrap(Wrap { trim: true });
    frame.render_widget(text, Rect { height: above.min(inner.height), ..inner });
    let row = |at: u16, height: u16| Rect {
        y: inner.y + at.min(inner.height),
        height: height.min(inner.height.saturating_sub(at)),
        ..inner
    };
    let place = row(above, 1);
    frame.render_widget(Line::styled(state.label, theme.muted), place);
    let field =
        Rect { x: place.x + 8.min(place.width), width: place.width.saturating_sub(8), ..place };
    form::input(theme, frame, field, &state.field, "", Some(theme.cursor));
    frame.render_widget(Paragraph::new(problem).wrap(Wrap { trim: true }), row(above + 1, 3));
}

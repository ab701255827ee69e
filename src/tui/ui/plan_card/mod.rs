//! The card before every write: what would happen, to what, what speaks against it, and the word that is
//! typed to let it happen. Enter alone never does.

mod lines;
#[cfg(test)]
mod tests;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::{
    Frame,
    layout::{
        Constraint::{Fill, Length},
        Layout, Rect,
    },
    text::{Line, Span},
};

use super::{
    field::{Field, Typed},
    form,
    pane::{clipped, pane},
    theme::Theme,
};
use crate::domain::text;

/// Widest a card gets.
const WIDEST: u16 = 104;

/// What stands on the card; plain text only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Card {
    pub title: String,
    pub command: String,
    pub reason: Option<String>,
    pub target: String,
    pub you: String,
    /// How long writes stay unlocked: `9:41`.
    pub lock_left: String,
    /// How long ago the preconditions were checked.
    pub checked: String,
    pub checks: Vec<(Mark, String)>,
    /// Table or queue, and what would change in it.
    pub effects: Vec<(String, String)>,
    pub undo: String,
    pub cli_equivalent: String,
    pub word: String,
    /// The heading over the effects.
    pub would: &'static str,
    /// What `s` shows, in a word; its heading; the lines in their order, and what is said where there are none.
    pub lists: &'static str,
    pub listing: String,
    pub listed: Vec<String>,
    pub unlisted: &'static str,
}

/// What a precondition came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    Ok,
    Warn,
    /// Nothing can be run.
    Block,
    /// Could not be checked.
    Unknown,
}

/// Where the person is with a card.
#[derive(Debug, Clone, Default)]
pub struct State {
    field: Field,
    offset: usize,
    listing: bool,
    /// Enter was pressed with something else than the word.
    wrong: bool,
}

/// What a key on the card asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The word was typed and Enter pressed.
    Run,
    Copy,
    Left,
    /// A letter with a meaning that is not the card's own; the field is empty.
    Other(char),
    Stays,
}

/// What can be done with the card now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Footing<'a> {
    Ready,
    /// It is being run.
    Running,
    /// It is being run: how far it is and what can be done about it; what stands in its way.
    Working(&'a str, &'a [String]),
    /// It cannot be run, and what to do instead.
    Not(&'a str),
    /// It was tried and did not come about; the whole reason stands above the foot.
    Failed(&'a str),
}

impl Card {
    /// Whether a precondition forbids it.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.checks.iter().any(|(mark, _)| *mark == Mark::Block)
    }
}

impl State {
    /// Takes one key press. `word` is what has to be typed; none where nothing can be run now.
    pub fn key(&mut self, key: KeyEvent, word: Option<&str>) -> Answer {
        let empty = self.field.text().is_empty();
        match (key.code, key.modifiers) {
            (KeyCode::Esc, _) if self.listing => self.listing = false,
            (KeyCode::Esc, _) => return Answer::Left,
            (KeyCode::Down, _) => self.offset += 1,
            (KeyCode::Up, _) => self.offset = self.offset.saturating_sub(1),
            (KeyCode::PageDown, _) | (KeyCode::Char('d'), KeyModifiers::CONTROL) => {
                self.offset += 10;
            }
            (KeyCode::PageUp, _) => self.offset = self.offset.saturating_sub(10),
            (KeyCode::Char('u'), KeyModifiers::CONTROL) if empty => {
                self.offset = self.offset.saturating_sub(10);
            }
            // The words to type begin with capitals, so these are free until one is typed.
            (KeyCode::Char('s'), KeyModifiers::NONE) if empty => {
                self.listing = !self.listing;
                self.offset = 0;
            }
            (KeyCode::Char('y'), KeyModifiers::NONE) if empty => return Answer::Copy,
            (KeyCode::Char('j'), KeyModifiers::NONE) if empty => self.offset += 1,
            (KeyCode::Char('k'), KeyModifiers::NONE) if empty => {
                self.offset = self.offset.saturating_sub(1);
            }
            (KeyCode::Char(letter @ ('p' | 'w' | 'q' | '?')), KeyModifiers::NONE) if empty => {
                return Answer::Other(letter);
            }
            (KeyCode::Enter, _) => match word {
                Some(word) if self.field.text() == word => return Answer::Run,
                _ => self.wrong = word.is_some(),
            },
            _ if word.is_some() => {
                let edited = self.field.key(key) == Typed::Edited;
                self.wrong &= !edited;
            }
            _ => {}
        }
        Answer::Stays
    }

    /// What stands in the field for the word.
    #[must_use]
    pub fn typed(&self) -> &str {
        self.field.text()
    }

    /// Pasted text goes into the field for the word; it is read like typed text and runs nothing.
    pub fn paste(&mut self, text: &str) {
        self.field.paste(text);
    }

    /// The wheel over the card.
    pub fn scroll(&mut self, by: isize) {
        self.offset = self.offset.saturating_add_signed(by);
    }

    /// Never beyond the last page, as drawing found it.
    pub fn fit(&mut self, end: usize) {
        self.offset = self.offset.min(end);
    }

    /// Forgets what was typed.
    pub fn clear(&mut self) {
        self.field.set("");
        self.wrong = false;
    }
}

/// Draws the card in the middle of an area; yields where its text is, how many lines it has.
pub fn view(
    card: &Card,
    state: &State,
    footing: Footing<'_>,
    theme: &Theme,
    frame: &mut Frame,
    area: Rect,
) -> (Rect, usize) {
    let room = usize::from(area.width.min(WIDEST).saturating_sub(4));
    let lines = if state.listing {
        lines::listed(card, theme, room)
    } else {
        lines::plan(card, theme, room)
    };
    let (above, style) = match footing {
        Footing::Failed(why) => (lines::wrap(why, room), theme.danger),
        Footing::Working(_, hindered) => {
            (hindered.iter().flat_map(|why| lines::wrap(why, room)).collect(), theme.warn)
        }
        _ => (vec![], theme.text),
    };
    let below = u16::try_from(above.len()).unwrap_or(0).min(area.height / 3);
    let wanted = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(4 + below);
    let area = area.centered(
        ratatui::layout::Constraint::Max(WIDEST),
        ratatui::layout::Constraint::Max(wanted.min(area.height)),
    );
    frame.render_widget(ratatui::widgets::Clear, area);
    let title = format!("PLAN  {}", text::clean(&card.title));
    let note = if matches!(footing, Footing::Working(..)) { "" } else { "(nothing has run)" };
    let inner = pane(frame, area, theme, &title, note, true);
    let inner =
        Rect { x: inner.x + 1.min(inner.width), width: inner.width.saturating_sub(2), ..inner };
    let [body, rule, why, foot] =
        inner.layout(&Layout::vertical([Fill(1), Length(1), Length(below), Length(1)]));
    for (row, line) in (0..why.height).zip(above) {
        let place = Rect { y: why.y + row, height: 1, ..why };
        clipped(frame, place, Line::styled(line, style));
    }
    let end = lines.len().saturating_sub(usize::from(body.height));
    let first = state.offset.min(end);
    let len = lines.len();
    for (row, line) in (0..body.height).zip(lines.into_iter().skip(first)) {
        clipped(frame, Rect { y: body.y + row, height: 1, ..body }, line);
    }
    frame.render_widget(rule_line(len, first, usize::from(body.height), theme, rule.width), rule);
    foot_line(card, state, footing, theme, frame, foot);
    (body, len)
}

/// Where in the text we are, when not all of it is in sight.
fn rule_line(len: usize, first: usize, height: usize, theme: &Theme, width: u16) -> Line<'static> {
    if len <= height {
        return Line::styled("─".repeat(usize::from(width)), theme.border);
    }
    let more = len.saturating_sub(first + height);
    let told = if more > 0 {
        format!("{more} more lines below: ↓ ")
    } else {
        "the end: ↑ ".to_owned()
    };
    let rest = usize::from(width).saturating_sub(told.chars().count());
    Line::from(vec![Span::styled(told, theme.warn), Span::styled("─".repeat(rest), theme.border)])
}

fn foot_line(
    card: &Card,
    state: &State,
    footing: Footing<'_>,
    theme: &Theme,
    frame: &mut Frame,
    area: Rect,
) {
    if let Footing::Not(why) = footing {
        let told = vec![Span::styled(text::clean(why).into_owned(), theme.danger)];
        clipped(frame, area, Line::from(told));
        return;
    }
    if let Footing::Failed(_) = footing {
        let keys = format!("p plan again  y copy  s {}  Esc back", card.lists);
        clipped(frame, area, Line::styled(keys, theme.muted));
        return;
    }
    if let Footing::Working(told, _) = footing {
        clipped(frame, area, Line::styled(text::clean(told).into_owned(), theme.warn));
        return;
    }
    if footing == Footing::Running {
        let told = "running … (Esc leaves the card; what runs goes on and its end is told)";
        clipped(frame, area, Line::styled(told, theme.warn));
        return;
    }
    let lists = card.lists;
    let keys = Line::from(vec![
        Span::styled("y", theme.key),
        Span::styled(" copy  ", theme.muted),
        Span::styled("s", theme.key),
        Span::styled(format!(" {}  ", if state.listing { "plan" } else { lists }), theme.muted),
        Span::styled("Esc", theme.key),
        Span::styled(" back", theme.muted),
    ]);
    let used = u16::try_from(keys.width()).unwrap_or(0).min(area.width);
    frame.render_widget(keys, area);
    let rest = Rect { x: area.x + used, width: area.width - used, ..area };
    let ask = format!(
        "{} {} to run ▸ ",
        if state.wrong { "that is not the word: type" } else { "type" },
        card.word
    );
    let style = if state.wrong { theme.danger } else { theme.title };
    let field = u16::try_from(card.word.chars().count() + 4).unwrap_or(20);
    let [_, words, input] = rest.layout(&Layout::horizontal([
        Fill(1),
        Length(u16::try_from(ask.chars().count()).unwrap_or(20)),
        Length(field),
    ]));
    frame.render_widget(Span::styled(ask, style), words);
    form::input(theme, frame, input, &state.field, "", Some(theme.cursor));
}

//! A one-line text field with history.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::{
    Frame,
    layout::Rect,
    style::{Modifier, Style},
};
use tui_textarea::{CursorMove, TextArea};

/// Text being typed. Lines are joined: a paste is text, never keys.
#[derive(Debug, Clone)]
pub struct Field {
    area: TextArea<'static>,
    history: Vec<String>,
    recalled: Option<usize>,
}

/// What the keys do while text is typed, as the footer shows it.
pub const KEYS: &[(&str, &str)] =
    &[("Enter", "done"), ("Esc", "leave"), ("↑", "earlier ones"), ("ctrl-u", "empty")];

/// What a key did to the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Typed {
    Edited,
    Moved,
    Entered,
    Left,
    /// Not a key the field knows.
    Ignored,
}

/// Whether Alt and this key mean something in a field: words are moved over and deleted so.
#[must_use]
pub const fn has_alt(code: KeyCode) -> bool {
    matches!(code, KeyCode::Char('b' | 'f' | 'd'))
}

impl Default for Field {
    fn default() -> Self {
        Self { area: blank(), history: vec![], recalled: None }
    }
}

impl Field {
    /// What is in it.
    #[must_use]
    pub fn text(&self) -> &str {
        self.area.lines().first().map_or("", String::as_str)
    }

    /// Byte position of the cursor.
    #[must_use]
    pub fn cursor(&self) -> usize {
        let column = self.area.cursor().1;
        self.text().char_indices().nth(column).map_or(self.text().len(), |(at, _)| at)
    }

    /// Replaces the text; the cursor goes to its end.
    pub fn set(&mut self, text: &str) {
        self.area = blank();
        self.area.insert_str(one_line(text));
    }

    /// Replaces the text, all of it selected: typing replaces it, moving the cursor keeps it.
    pub fn suggest(&mut self, text: &str) {
        self.set(text);
        self.area.select_all();
    }

    /// Inserts pasted text at the cursor.
    pub fn paste(&mut self, text: &str) {
        self.area.insert_str(one_line(text));
    }

    /// Keeps the text for `↑`, newest last, once.
    pub fn remember(&mut self) {
        let text = self.text().to_owned();
        if !text.is_empty() {
            self.history.retain(|old| *old != text);
            self.history.push(text);
        }
        self.recalled = None;
    }

    /// Takes over a history, oldest first.
    pub fn recall_from(&mut self, history: Vec<String>) {
        self.history = history;
        self.recalled = None;
    }

    /// Takes one key press.
    pub fn key(&mut self, key: KeyEvent) -> Typed {
        match (key.code, key.modifiers) {
            (KeyCode::Enter, _) => Typed::Entered,
            (KeyCode::Char('m' | 'j'), KeyModifiers::CONTROL) => Typed::Entered,
            (KeyCode::Esc, _) => Typed::Left,
            (KeyCode::Up, _) => self.recall(true),
            (KeyCode::Down, _) => self.recall(false),
            (KeyCode::Tab | KeyCode::BackTab, _) => Typed::Ignored,
            (KeyCode::Home, _) => self.jump(CursorMove::Head),
            (KeyCode::End, _) => self.jump(CursorMove::End),
            (KeyCode::Char('u'), KeyModifiers::CONTROL) => {
                self.set("");
                Typed::Edited
            }
            _ => {
                let before = self.text().to_owned();
                self.area.input(key);
                if self.text() == before { Typed::Moved } else { Typed::Edited }
            }
        }
    }

    /// Draws it; the cursor shows only with focus.
    pub fn draw(&self, frame: &mut Frame, area: Rect, text: Style, cursor: Option<Style>) {
        let mut shown = self.area.clone();
        shown.set_style(text);
        shown.set_cursor_line_style(text);
        shown.set_cursor_style(cursor.unwrap_or(text));
        shown.set_selection_style(text.add_modifier(Modifier::UNDERLINED));
        frame.render_widget(&shown, area);
    }

    fn jump(&mut self, to: CursorMove) -> Typed {
        self.area.move_cursor(to);
        Typed::Moved
    }

    fn recall(&mut self, back: bool) -> Typed {
        let next = match (self.recalled, back) {
            (None, true) => self.history.len().checked_sub(1),
            (Some(at), true) => Some(at.saturating_sub(1)),
            (Some(at), false) if at + 1 < self.history.len() => Some(at + 1),
            (_, false) => None,
        };
        if next.is_none() && self.recalled.is_none() {
            return Typed::Moved;
        }
        self.recalled = next;
        let text = next.and_then(|at| self.history.get(at)).cloned().unwrap_or_default();
        self.set(&text);
        Typed::Edited
    }
}

fn blank() -> TextArea<'static> {
    let mut area = TextArea::default();
    area.set_max_histories(100);
    area
}

fn one_line(text: &str) -> String {
    text.trim_end_matches(['\r', '\n']).replace(['\r', '\n', '\t'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(field: &mut Field, code: KeyCode) -> Typed {
        field.key(KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn types_pastes_and_recalls() {
        let mut field = Field::default();
        field.paste("a\nb\n");
        assert_eq!(field.text(), "a b");
        assert_eq!(press(&mut field, KeyCode::Char('é')), Typed::Edited);
        assert_eq!(field.cursor(), "a bé".len());
        field.remember();
        field.set("");
        assert_eq!(press(&mut field, KeyCode::Up), Typed::Edited);
        assert_eq!(field.text(), "a bé");
        assert_eq!(press(&mut field, KeyCode::Down), Typed::Edited);
        assert_eq!(field.text(), "");
        assert_eq!(press(&mut field, KeyCode::Enter), Typed::Entered);
    }
}

//! From terminal events to messages.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEventKind};

use super::{App, Common, Modal, Msg, ScreenId, Screens, palette};
use crate::tui::{
    change, journal,
    screens::Pressed,
    ui::{
        action::{Chord, KeyMatch},
        field::{self, Typed},
        list::Step,
    },
};

/// Two clicks within this time on one place are a double click.
const DOUBLE: std::time::Duration = std::time::Duration::from_millis(400);

impl App {
    /// What an event means now. Changes only what belongs to input itself: half-typed sequences,
    /// text in the palette, the last click.
    pub fn input(&mut self, event: &Event) -> Vec<Msg> {
        match event {
            Event::Key(key) if key.is_press() || key.is_repeat() => self.key(*key),
            Event::Paste(text) => self.pasted(text),
            Event::Mouse(mouse) => self.mouse(mouse.kind, mouse.column, mouse.row),
            Event::FocusGained => {
                self.shared.focused = true;
                vec![]
            }
            Event::FocusLost => {
                self.shared.focused = false;
                vec![]
            }
            Event::Key(_) | Event::Resize(..) => vec![],
        }
    }

    /// The presses behind an event: a letter typed quickly after Esc arrives as one with Alt, because both send
    /// the same bytes. Where nothing is bound to Alt and the letter, it is two keys.
    #[must_use]
    pub fn presses(&self, event: &Event) -> Vec<Event> {
        match event {
            Event::Key(key)
                if key.modifiers == KeyModifiers::ALT && matches!(key.code, KeyCode::Char(_)) =>
            {
                let is_bound = self.is_typing() && field::has_alt(key.code);
                if is_bound {
                    return vec![event.clone()];
                }
                let bare = KeyEvent { modifiers: KeyModifiers::NONE, ..*key };
                vec![Event::Key(KeyCode::Esc.into()), Event::Key(bare)]
            }
            _ => vec![event.clone()],
        }
    }

    fn is_typing(&self) -> bool {
        match &self.modal {
            Some(modal) => matches!(modal, Modal::Palette(_) | Modal::Ask(..)),
            None => self.change.is_open() || self.screens.is_typing(self.current),
        }
    }

    fn key(&mut self, key: KeyEvent) -> Vec<Msg> {
        let is_interrupt =
            key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
        if is_interrupt {
            return vec![Msg::Quit];
        }
        if self.suspends(key) {
            self.pressed.clear();
            return vec![Msg::Suspend];
        }
        match &mut self.modal {
            Some(Modal::Palette(_)) => return self.palette_key(key),
            Some(Modal::Help(_) | Modal::Text { .. }) => return self.text_key(key),
            Some(Modal::Ask(..)) => return self.ask_key(key),
            Some(Modal::Log(_)) => return self.log_key(key),
            None => {}
        }
        if self.change.is_open() {
            return vec![Msg::Change(change::Msg::Typed(key))];
        }
        if self.screens.is_typing(self.current) {
            return vec![Msg::Screen(Screens::typed(self.current, key))];
        }
        self.pressed.push(Chord::from(key));
        let chords = std::mem::take(&mut self.pressed);
        let own = self.screens.pressed(self.current, &self.keys, &chords);
        let global = self.keys.find(super::ACTIONS, &chords);
        match (own, global) {
            (Pressed::Send(risk, msg), _) => match self.allowed(risk) {
                Ok(()) => vec![Msg::Screen(msg)],
                Err(why) => self.refused(why),
            },
            (Pressed::Refused(why), _) => self.refused(why),
            (_, KeyMatch::Action(action)) => {
                match self.allowed(action.risk).and((action.enabled)(self)) {
                    Ok(()) => vec![(action.msg)()],
                    Err(why) => self.refused(why),
                }
            }
            (Pressed::Prefix, _) | (_, KeyMatch::Prefix) => {
                self.pressed = chords;
                vec![]
            }
            (Pressed::Nothing, KeyMatch::Nothing) if chords.len() > 1 => self.key(key),
            (Pressed::Nothing, KeyMatch::Nothing) => vec![],
        }
    }

    /// Whether the key gives the terminal back to the shell. With Ctrl it does so whatever is open, as people expect of it:
    /// what they type next is meant for the shell.
    fn suspends(&self, key: KeyEvent) -> bool {
        let found = self.keys.find(super::ACTIONS, &[Chord::from(key)]);
        key.modifiers.contains(KeyModifiers::CONTROL)
            && matches!(found, KeyMatch::Action(action) if action.name == "suspend")
    }

    fn refused(&mut self, why: &'static str) -> Vec<Msg> {
        if !why.is_empty() {
            self.tell(why, false);
        }
        vec![]
    }

    fn pasted(&mut self, text: &str) -> Vec<Msg> {
        match &mut self.modal {
            Some(Modal::Palette(state)) => {
                state.field.paste(text);
                vec![]
            }
            Some(Modal::Ask(_, state)) => {
                state.paste(text);
                vec![]
            }
            Some(_) => vec![],
            None if self.change.is_open() => {
                vec![Msg::Change(change::Msg::Pasted(text.to_owned()))]
            }
            None => vec![Msg::Screen(Screens::pasted(self.current, text.to_owned()))],
        }
    }

    fn palette_key(&mut self, key: KeyEvent) -> Vec<Msg> {
        let Some(Modal::Palette(mut state)) = self.modal.take() else { return vec![] };
        let entries = palette::entries(self, state.field.text());
        let by = match (key.code, key.modifiers) {
            (KeyCode::Up, _) | (KeyCode::Char('p'), KeyModifiers::CONTROL) => Some(-1),
            (KeyCode::Down, _) | (KeyCode::Char('n'), KeyModifiers::CONTROL) => Some(1),
            _ => None,
        };
        if let Some(by) = by {
            state.cursor.step(Step::Lines(by), entries.len());
            self.modal = Some(Modal::Palette(state));
            return vec![];
        }
        if key.code == KeyCode::Tab {
            if let Some(entry) = entries.get(state.cursor.index) {
                state.field.set(&format!("{} ", entry.name()));
            }
            self.modal = Some(Modal::Palette(state));
            return vec![];
        }
        match state.field.key(key) {
            Typed::Left => vec![],
            Typed::Entered => self.palette_entered(state, &entries),
            Typed::Edited => {
                state.error = None;
                state.cursor.step(Step::First, 1);
                self.modal = Some(Modal::Palette(state));
                vec![]
            }
            Typed::Moved | Typed::Ignored => {
                self.modal = Some(Modal::Palette(state));
                vec![]
            }
        }
    }

    fn palette_entered(
        &mut self,
        mut state: Box<palette::State>,
        entries: &[palette::Entry],
    ) -> Vec<Msg> {
        let line = state.field.text().to_owned();
        let outcome = match super::commands::run(self, &line) {
            Some(outcome) => outcome,
            None => match entries.get(state.cursor.index) {
                Some(palette::Entry::Command { name, argument, .. }) => {
                    state.field.set(&format!("{name} "));
                    Err(format!("type its argument: {name} {argument}"))
                }
                Some(palette::Entry::Action(info)) => match info.enabled {
                    Ok(()) => Ok(Msg::Run(info.name.to_owned())),
                    Err(why) => Err(format!("not now: {why}")),
                },
                None => Err(format!("nothing is called {line:?}; Esc closes")),
            },
        };
        match outcome {
            Ok(msg) => vec![msg],
            Err(error) => {
                state.error = Some(error);
                self.modal = Some(Modal::Palette(state));
                vec![]
            }
        }
    }

    fn log_key(&mut self, key: KeyEvent) -> Vec<Msg> {
        let Some(Modal::Log(state)) = &self.modal else { return vec![] };
        match journal::key(state, key) {
            Some(journal::Pressed::Close) => vec![Msg::CloseModal],
            Some(journal::Pressed::Send(msg)) => vec![Msg::Journal(msg)],
            None => vec![],
        }
    }

    /// Help and other long texts: scroll, or close.
    fn text_key(&mut self, key: KeyEvent) -> Vec<Msg> {
        let offset = match &mut self.modal {
            Some(Modal::Help(state)) => &mut state.offset,
            Some(Modal::Text { offset, .. }) => offset,
            _ => return vec![],
        };
        match (key.code, key.modifiers) {
            (KeyCode::Char('j') | KeyCode::Down, _) => *offset += 1,
            (KeyCode::Char('k') | KeyCode::Up, _) => *offset = offset.saturating_sub(1),
            (KeyCode::Char('d'), KeyModifiers::CONTROL) | (KeyCode::PageDown, _) => *offset += 10,
            (KeyCode::Char('u'), KeyModifiers::CONTROL) | (KeyCode::PageUp, _) => {
                *offset = offset.saturating_sub(10);
            }
            (KeyCode::Char('g') | KeyCode::Home, _) => *offset = 0,
            (KeyCode::Esc | KeyCode::Enter | KeyCode::Char('q' | '?'), _) => {
                return vec![Msg::CloseModal];
            }
            _ => {}
        }
        vec![]
    }

    fn mouse(&mut self, kind: MouseEventKind, column: u16, row: u16) -> Vec<Msg> {
        if matches!(self.modal, Some(Modal::Log(_))) {
            let step = |by| vec![Msg::Journal(journal::Msg::Step(Step::Lines(by)))];
            return match kind {
                MouseEventKind::ScrollDown => step(3),
                MouseEventKind::ScrollUp => step(-3),
                _ => vec![],
            };
        }
        if self.modal.is_none() && self.change.is_open() {
            return match kind {
                MouseEventKind::ScrollDown => vec![Msg::Change(change::Msg::Scrolled(3))],
                MouseEventKind::ScrollUp => vec![Msg::Change(change::Msg::Scrolled(-3))],
                MouseEventKind::Down(MouseButton::Left) => {
                    self.hits.at(column, row).into_iter().collect()
                }
                _ => vec![],
            };
        }
        if self.modal.is_some() {
            return match kind {
                MouseEventKind::ScrollDown => self.text_key(KeyCode::Down.into()),
                MouseEventKind::ScrollUp => self.text_key(KeyCode::Up.into()),
                _ => vec![],
            };
        }
        let scrolled = |by| {
            let pane = self.hits.pane_at(column, row)?;
            Some(Msg::Screen(Screens::scrolled(self.current, pane, by)))
        };
        match kind {
            MouseEventKind::ScrollDown => scrolled(3).into_iter().collect(),
            MouseEventKind::ScrollUp => scrolled(-3).into_iter().collect(),
            MouseEventKind::Down(MouseButton::Left) => {
                let now = self.shared.now.instant;
                let again = self.last_click.replace((column, row, now)).is_some_and(
                    |(old_column, old_row, at)| {
                        (old_column, old_row) == (column, row) && at + DOUBLE > now
                    },
                );
                let clicked = self.hits.at(column, row);
                let open = again && clicked.is_some();
                clicked.into_iter().chain(open.then_some(Msg::Common(Common::Enter))).collect()
            }
            _ => vec![],
        }
    }

    /// The screen whose number key this is.
    #[must_use]
    pub(super) fn by_name(&self, name: &str) -> Option<Msg> {
        let own = Screens::named(self.current, name).map(Msg::Screen);
        let global = || super::ACTIONS.iter().find(|a| a.name == name).map(|a| (a.msg)());
        own.or_else(global)
    }

    /// Whether a screen is the one on show.
    #[must_use]
    pub fn shows(&self, id: ScreenId) -> bool {
        self.current == id
    }
}

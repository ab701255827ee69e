//! From terminal events to messages.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEventKind};

use super::{App, Common, Modal, Msg, palette};
use crate::tui::{
    change, journal, operations,
    screens::{Input, Pressed},
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
            None if self.operations.is_listed() => self.change.is_open(),
            None => self.change.is_open() || self.screens.is_typing(),
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
        if self.operations.is_listed() {
            return self.operations_key(key);
        }
        if self.screens.is_typing() {
            return vec![Msg::Input(Input::Typed(key))];
        }
        self.pressed.push(Chord::from(key));
        let chords = std::mem::take(&mut self.pressed);
        let own = self.screens.pressed(&self.shared.keys, &chords);
        let global = self.shared.keys.find(super::ACTIONS, &chords);
        let specs = self.screens.specs();
        match (own, global, self.shared.keys.find(&specs, &chords)) {
            (Pressed::Send(risk, msg), ..) => match self.allowed(risk) {
                Ok(()) => vec![Msg::Screen(msg)],
                Err(why) => self.refused(why),
            },
            (Pressed::Refused(why), ..) => self.refused(why),
            (_, KeyMatch::Action(action), _) => {
                match self.allowed(action.risk).and((action.enabled)(self)) {
                    Ok(()) => vec![(action.msg)()],
                    Err(why) => self.refused(why),
                }
            }
            (.., KeyMatch::Action(spec)) => vec![Msg::Show(spec.id)],
            (Pressed::Prefix, ..) | (_, KeyMatch::Prefix, _) | (.., KeyMatch::Prefix) => {
                self.pressed = chords;
                vec![]
            }
            _ if chords.len() > 1 => self.key(key),
            _ => vec![],
        }
    }

    /// Whether the key suspends the program. With Ctrl it does so whatever is open, as people expect: what they type
    /// next is for the shell.
    fn suspends(&self, key: KeyEvent) -> bool {
        let found = self.shared.keys.find(super::ACTIONS, &[Chord::from(key)]);
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
            None if self.operations.is_listed() => vec![],
            None => vec![Msg::Input(Input::Pasted(text.to_owned()))],
        }
    }

    fn palette_key(&mut self, key: KeyEvent) -> Vec<Msg> {
        let Some(Modal::Palette(mut state)) = self.modal.take() else { return vec![] };
        let entries = palette::entries(self, state.field.text());
        let action = self.shared.keys.action(palette::ACTIONS, key);
        match action.map(|action| (action.msg)()) {
            Some(palette::Ask::Move(by)) => state.cursor.step(Step::Lines(by), entries.len()),
            Some(palette::Ask::Complete) => {
                if let Some(entry) = entries.get(state.cursor.index) {
                    state.field.set(&format!("{} ", entry.name()));
                }
            }
            Some(palette::Ask::Run) => return self.palette_entered(state, &entries),
            Some(palette::Ask::Close) => return vec![],
            None => {
                if state.field.edit(key, &self.shared.keys) == Typed::Edited {
                    state.error = None;
                    state.cursor.step(Step::First, 1);
                }
            }
        }
        self.modal = Some(Modal::Palette(state));
        vec![]
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
                None => Err(format!("no command matches {line:?}; Esc closes")),
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
        match journal::key(state, key, &self.shared.keys) {
            Some(journal::Pressed::Close | journal::Pressed::Back) => vec![Msg::CloseModal],
            Some(journal::Pressed::Send(msg)) => vec![Msg::Journal(msg)],
            None => vec![],
        }
    }

    fn operations_key(&mut self, key: KeyEvent) -> Vec<Msg> {
        let Some(action) = self.shared.keys.action(operations::ACTIONS, key) else {
            return vec![];
        };
        match self.allowed(action.risk).and((action.enabled)(&self.operations)) {
            Ok(()) => vec![Msg::Operations((action.msg)())],
            Err(why) => self.refused(why),
        }
    }

    /// Help and other long texts: scroll, or close.
    fn text_key(&mut self, key: KeyEvent) -> Vec<Msg> {
        let Some(Modal::Help(state) | Modal::Text { state, .. }) = &mut self.modal else {
            return vec![];
        };
        if state.key(key, &self.shared.keys) { vec![Msg::CloseModal] } else { vec![] }
    }

    /// The wheel over what lies over the screen.
    fn wheel_over(&mut self, by: isize) -> Vec<Msg> {
        match &mut self.modal {
            Some(Modal::Log(_)) => {
                return vec![Msg::Journal(journal::Msg::Step(Step::Lines(by)))];
            }
            Some(Modal::Help(state) | Modal::Text { state, .. }) => state.scroll(Step::Lines(by)),
            Some(Modal::Palette(_) | Modal::Ask(..)) => {}
            None if self.change.is_open() => {
                return vec![Msg::Change(change::Msg::Scrolled(by))];
            }
            None => return vec![Msg::Operations(operations::Msg::Step(Step::Lines(by)))],
        }
        vec![]
    }

    fn mouse(&mut self, kind: MouseEventKind, column: u16, row: u16) -> Vec<Msg> {
        if self.modal.is_some() || self.change.is_open() || self.operations.is_listed() {
            return match kind {
                MouseEventKind::ScrollDown => self.wheel_over(3),
                MouseEventKind::ScrollUp => self.wheel_over(-3),
                MouseEventKind::Down(MouseButton::Left) if self.modal.is_none() => {
                    self.hits.at(column, row).into_iter().collect()
                }
                _ => vec![],
            };
        }
        let scrolled = |by| {
            let pane = self.hits.pane_at(column, row)?;
            Some(Msg::Input(Input::Scrolled(pane, by)))
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

    /// The message of an action by its name.
    #[must_use]
    pub(super) fn by_name(&self, name: &str) -> Option<Msg> {
        let own = self.screens.named(name).map(Msg::Screen);
        let global = || super::ACTIONS.iter().find(|a| a.name == name).map(|a| (a.msg)());
        let specs = || self.screens.specs().into_iter().find(|spec| spec.action == name);
        own.or_else(global).or_else(|| specs().map(|spec| Msg::Show(spec.id)))
    }
}

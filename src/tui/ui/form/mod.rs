//! A form: labelled fields, something searched and picked, rows of a table; beneath each stands what is
//! wrong with it. Tab and Shift+Tab go around, Enter goes on; on the last field it says that all is typed.

mod parts;
#[cfg(test)]
mod tests;
mod view;

use crossterm::event::KeyEvent;

pub(super) use self::view::input;
pub use self::{
    parts::{Choice, Grid, Part, Pick, Place, Problem, Single},
    view::{height, view},
};
use super::{
    action::{Action, Keys},
    field::{Field, Typed},
};

/// Most rows a table of a form takes.
const MOST_ROWS: usize = 200;

/// Where the focus is: a part, and in a table its row and column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Slot {
    part: usize,
    row: usize,
    column: usize,
}

/// Everything typed so far.
#[derive(Debug, Clone)]
pub struct Form {
    parts: Vec<Part>,
    at: Slot,
    problems: Vec<Problem>,
    /// Every problem is told, also of what was not touched yet.
    complete: bool,
}

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    Enter,
    Go(isize),
    Vertical(isize),
    Close,
}

type Row = Action<(), Ask>;

/// The keys of a form; all others are text.
pub const ACTIONS: &[Row] = &[
    Row::look(
        "form.enter",
        &["enter", "ctrl-m", "ctrl-j"],
        "next field, then the plan",
        "Take what is offered, or go on; at the last field to the plan",
        || Ask::Enter,
    )
    .footer(40),
    Row::look("form.next", &["tab"], "next field", "To the next field", || Ask::Go(1)).footer(30),
    Row::look("form.previous", &["shift-tab"], "field before", "To the field before", || {
        Ask::Go(-1)
    })
    .footer(29),
    Row::look("form.down", &["down"], "down", "To the next proposal, row or field", || {
        Ask::Vertical(1)
    }),
    Row::look("form.up", &["up"], "up", "To the proposal, row or field before", || {
        Ask::Vertical(-1)
    }),
    Row::look("form.close", &["esc"], "cancel", "Close the form; nothing has run", || Ask::Close)
        .footer(20),
];

/// What a key did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Something typed changed; the name of the part says what.
    Edited(&'static str),
    Moved,
    /// Enter on the last field: all is typed.
    Done,
    Left,
    Ignored,
}

impl Form {
    /// A form with the focus on its first field.
    #[must_use]
    pub fn new(parts: Vec<Part>) -> Self {
        let mut form = Self { parts, at: Slot::default(), problems: vec![], complete: false };
        form.at = form.slots().first().copied().unwrap_or_default();
        form
    }

    /// What stands in a field; empty where there is none of that name.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        match self.part(name) {
            Some(Part::Single(single)) => single.field.text(),
            Some(Part::Pick(pick)) => pick.field.text(),
            _ => "",
        }
    }

    /// Puts text into a field, as if it had been typed.
    pub fn set(&mut self, name: &str, text: &str) {
        if let Some(Part::Single(single)) = self.part_mut(name) {
            single.field.set(text);
            single.filled = true;
        }
    }

    /// Puts text into a field that typing replaces.
    pub fn suggest(&mut self, name: &str, text: &str) {
        if let Some(Part::Single(single)) = self.part_mut(name) {
            single.field.suggest(text);
        }
    }

    /// Whether something was put into a field before anyone typed.
    #[must_use]
    pub fn was_set(&self, name: &str) -> bool {
        matches!(self.part(name), Some(Part::Single(single)) if single.filled)
    }

    /// The rows of a table that are not blank, with their places.
    #[must_use]
    pub fn rows(&self, name: &str) -> Vec<(usize, Vec<&str>)> {
        let Some(Part::Grid(grid)) = self.part(name) else { return vec![] };
        let rows = grid.rows.iter().enumerate().filter(|(_, row)| !is_blank(row));
        rows.map(|(at, row)| (at, row.iter().map(Field::text).collect())).collect()
    }

    /// What was picked.
    #[must_use]
    pub fn picked(&self, name: &str) -> Option<&Choice> {
        match self.part(name) {
            Some(Part::Pick(pick)) => pick.chosen.as_ref(),
            _ => None,
        }
    }

    /// Offers what was found for the text of a pick, or says why there is nothing.
    pub fn offer(&mut self, name: &str, found: Vec<Choice>, note: String) {
        if let Some(Part::Pick(pick)) = self.part_mut(name)
            && pick.chosen.is_none()
        {
            pick.cursor = 0;
            pick.found = found;
            pick.note = note;
        }
    }

    /// Picks without asking.
    pub fn pick(&mut self, name: &str, choice: Choice) {
        if let Some(Part::Pick(pick)) = self.part_mut(name) {
            pick.take(choice);
        }
    }

    /// Replaces a line of text that is only shown.
    pub fn tell(&mut self, name: &str, text: String) {
        if let Some(Part::Told { text: old, .. }) = self.part_mut(name) {
            *old = text;
        }
    }

    /// Takes what is wrong now, all of it.
    pub fn complain(&mut self, problems: Vec<Problem>) {
        self.problems = problems;
    }

    /// Whether nothing is wrong. If something is, all of it is told from now on, and the focus goes to
    /// the first of it.
    pub fn is_complete(&mut self) -> bool {
        let Some(first) = self.problems.first() else { return true };
        self.complete = true;
        if let Some(slot) = self.slot_of(first.place) {
            self.at = slot;
        }
        false
    }

    /// Takes one key press.
    pub fn key(&mut self, key: KeyEvent, keys: &Keys) -> Answer {
        match keys.action(ACTIONS, key).map(|action| (action.msg)()) {
            Some(Ask::Close) => return Answer::Left,
            Some(Ask::Go(by)) => return self.go(by),
            Some(Ask::Vertical(by)) => return self.vertical(by),
            Some(Ask::Enter) => return self.entered(),
            None => {}
        }
        let Some(field) = self.field_mut() else { return Answer::Ignored };
        match field.edit(key, keys) {
            Typed::Edited => self.edited(),
            Typed::Moved => Answer::Moved,
            Typed::Entered | Typed::Left | Typed::Ignored => Answer::Ignored,
        }
    }

    /// Takes pasted text; it is text, never keys.
    pub fn paste(&mut self, text: &str) -> Answer {
        match self.field_mut() {
            Some(field) => field.paste(text),
            None => return Answer::Ignored,
        }
        self.edited()
    }

    fn edited(&mut self) -> Answer {
        let at = self.at;
        let Some(part) = self.parts.get_mut(at.part) else { return Answer::Ignored };
        match part {
            Part::Pick(pick) => {
                pick.chosen = None;
                pick.cursor = 0;
                pick.touched = true;
            }
            Part::Single(single) => single.touched = true,
            Part::Grid(grid) => grid.edited(at.row, at.column),
            Part::Told { .. } => {}
        }
        Answer::Edited(part.name())
    }

    /// Enter: takes what is offered, else goes on.
    fn entered(&mut self) -> Answer {
        if let Some(Part::Pick(pick)) = self.parts.get_mut(self.at.part)
            && pick.chosen.is_none()
            && let Some(choice) = pick.found.get(pick.cursor).cloned()
        {
            pick.take(choice);
            let name = pick.name;
            self.go(1);
            return Answer::Edited(name);
        }
        // A blank row is the end of a table.
        if let Some(Part::Grid(grid)) = self.parts.get(self.at.part)
            && grid.rows.get(self.at.row).is_some_and(|row| is_blank(row))
        {
            let part = self.at.part;
            let next = self.slots().into_iter().find(|slot| slot.part > part);
            return next.map_or(Answer::Done, |slot| self.leave_for(slot));
        }
        if self.slots().last() == Some(&self.at) {
            self.touch();
            return Answer::Done;
        }
        self.go(1)
    }

    fn go(&mut self, by: isize) -> Answer {
        let slots = self.slots();
        let Some(at) = slots.iter().position(|slot| *slot == self.at) else {
            return Answer::Ignored;
        };
        let len = isize::try_from(slots.len()).unwrap_or(1);
        let next = (isize::try_from(at).unwrap_or(0) + by).rem_euclid(len).unsigned_abs();
        match slots.get(next) {
            Some(slot) => self.leave_for(*slot),
            None => Answer::Ignored,
        }
    }

    /// Up and down: among what is offered, in a column, else to the next part.
    fn vertical(&mut self, by: isize) -> Answer {
        let at = self.at;
        match self.parts.get_mut(at.part) {
            Some(Part::Pick(pick)) if pick.chosen.is_none() && !pick.found.is_empty() => {
                let last = pick.found.len() - 1;
                pick.cursor = pick.cursor.saturating_add_signed(by).min(last);
                return Answer::Moved;
            }
            Some(Part::Grid(grid)) => {
                let row = at.row.checked_add_signed(by).filter(|row| *row < grid.rows.len());
                if let Some(row) = row {
                    return self.leave_for(Slot { row, ..at });
                }
            }
            _ => {}
        }
        let slots = self.slots();
        let other = if by < 0 {
            slots.iter().rev().find(|slot| slot.part < at.part)
        } else {
            slots.iter().find(|slot| slot.part > at.part)
        };
        match other.copied() {
            Some(slot) => self.leave_for(slot),
            None => Answer::Ignored,
        }
    }

    fn leave_for(&mut self, slot: Slot) -> Answer {
        self.touch();
        self.at = slot;
        Answer::Moved
    }

    /// What is left counts as typed, so that its problem is told.
    fn touch(&mut self) {
        let at = self.at;
        match self.parts.get_mut(at.part) {
            Some(Part::Single(single)) => single.touched = true,
            Some(Part::Pick(pick)) => pick.touched = true,
            Some(Part::Grid(grid)) => grid.touch(at.row, at.column),
            _ => {}
        }
    }

    fn slots(&self) -> Vec<Slot> {
        let mut out = vec![];
        for (part, what) in self.parts.iter().enumerate() {
            match what {
                Part::Told { .. } => {}
                Part::Single(_) | Part::Pick(_) => out.push(Slot { part, row: 0, column: 0 }),
                Part::Grid(grid) => {
                    for row in 0..grid.rows.len() {
                        let columns = 0..grid.columns.len();
                        out.extend(columns.map(|column| Slot { part, row, column }));
                    }
                }
            }
        }
        out
    }

    fn slot_of(&self, place: Place) -> Option<Slot> {
        let (name, row, column) = match place {
            Place::Field(name) => (name, 0, 0),
            Place::Cell(name, row, column) => (name, row, column),
        };
        let part = self.parts.iter().position(|part| part.name() == name)?;
        let slot = Slot { part, row, column };
        self.slots().contains(&slot).then_some(slot)
    }

    fn field_mut(&mut self) -> Option<&mut Field> {
        let at = self.at;
        match self.parts.get_mut(at.part)? {
            Part::Single(single) => Some(&mut single.field),
            Part::Pick(pick) => Some(&mut pick.field),
            Part::Grid(grid) => grid.rows.get_mut(at.row)?.get_mut(at.column),
            Part::Told { .. } => None,
        }
    }

    fn part(&self, name: &str) -> Option<&Part> {
        self.parts.iter().find(|part| part.name() == name)
    }

    fn part_mut(&mut self, name: &str) -> Option<&mut Part> {
        self.parts.iter_mut().find(|part| part.name() == name)
    }
}

fn is_blank(row: &[Field]) -> bool {
    row.iter().all(|field| field.text().trim().is_empty())
}

//! What every list on a screen does with the common keys: moving, marking, copying, exporting. A list overrides only
//! what is different about it.

use super::Common;
use crate::tui::{
    effect::{Effect, Lane},
    shared::Shared,
    ui::list::{Cursor, Marking, Step},
};

/// A list on a screen.
pub trait Listing {
    /// What the screen can ask to be loaded.
    type Request;

    fn cursor(&self) -> &Cursor;

    fn cursor_mut(&mut self) -> &mut Cursor;

    /// How many rows there are.
    fn len(&self) -> usize;

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is copied of the chosen rows, and what one of it is called.
    fn copied(&self) -> (Vec<String>, &'static str);

    /// What writes the rows to a file: those that are marked, or all of them.
    fn export(&self, shared: &Shared) -> Option<Self::Request>;

    /// Marks rows, or lets go of them.
    fn mark(&mut self, _: Marking) {}

    /// Whether rows can be marked, or why not.
    fn can_mark(&self) -> Result<(), &'static str> {
        Err("marks are for messages of the error queues and for orders")
    }

    /// Whether there is anything, or why nothing can be done with it.
    fn has_rows(&self) -> Result<(), &'static str> {
        if self.is_empty() { Err("nothing is listed") } else { Ok(()) }
    }

    /// What is asked for when the cursor was moved.
    fn moved(&mut self, _: &Shared) -> Vec<Effect<Self::Request>> {
        vec![]
    }

    /// Moves the cursor.
    fn step(&mut self, step: Step, shared: &Shared) -> Vec<Effect<Self::Request>> {
        let len = self.len();
        self.cursor_mut().step(step, len);
        self.moved(shared)
    }
}

/// Answers a common key as every list does.
pub fn common<L: Listing + ?Sized>(
    on: &mut L,
    common: Common,
    shared: &Shared,
) -> Vec<Effect<L::Request>> {
    let how = match common {
        Common::Step(step) => return on.step(step, shared),
        Common::Copy => return copy(on).into_iter().collect(),
        Common::Export => {
            let run = |request| Effect::Run(Lane::Every, request);
            return on.export(shared).map(run).into_iter().collect();
        }
        Common::Mark => Marking::One,
        Common::MarkAll => Marking::All,
        Common::InvertMarks => Marking::Invert,
        _ => return vec![],
    };
    if on.can_mark().is_err() {
        return vec![];
    }
    on.mark(how);
    if how == Marking::One { on.step(Step::Lines(1), shared) } else { vec![] }
}

/// Whether a list has an answer to a common key now, or why not.
pub fn offers<L: Listing + ?Sized>(on: &L, common: Common) -> Result<(), &'static str> {
    match common {
        Common::Copy | Common::Export => on.has_rows(),
        Common::Mark | Common::MarkAll | Common::InvertMarks => on.can_mark(),
        _ => Ok(()),
    }
}

/// The chosen rows on the clipboard.
fn copy<L: Listing + ?Sized>(on: &L) -> Option<Effect<L::Request>> {
    let (texts, what) = on.copied();
    let what = match texts.len() {
        0 => return None,
        1 => what.to_owned(),
        count => format!("{count} {what}s"),
    };
    Some(Effect::Copy { text: texts.join("\n"), what })
}

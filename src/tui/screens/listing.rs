//! What every list on a screen does with the common keys: moving, marking, copying, exporting. A list overrides only
//! what is different about it.

use std::fmt::Display;

use super::Common;
use crate::tui::{
    effect::{Effect, Lane},
    shared::Shared,
    ui::list::{List, Marking, Step},
};

/// A list on a screen.
pub trait Listing {
    /// What a row is marked and followed by.
    type Key: Ord + Clone + Display;
    /// What the screen can ask to be loaded.
    type Request;

    fn list(&self) -> &List<Self::Key>;

    fn list_mut(&mut self) -> &mut List<Self::Key>;

    /// The keys of all rows, as they are listed.
    fn keys(&self) -> Vec<Self::Key>;

    /// What is copied of a row, and what that is called.
    fn copied(&self, key: &Self::Key) -> Option<(String, &'static str)>;

    /// What writes the rows to a file: those that are marked, or all of them.
    fn export(&self, shared: &Shared) -> Option<Self::Request>;

    /// Whether rows can be marked, or why not.
    fn can_mark(&self) -> Result<(), &'static str> {
        self.has_rows()
    }

    /// Whether there is anything, or why nothing can be done with it.
    fn has_rows(&self) -> Result<(), &'static str> {
        if self.keys().is_empty() { Err("nothing is listed") } else { Ok(()) }
    }

    /// Moves the cursor.
    fn step(&mut self, step: Step, _: &Shared) -> Vec<Effect<Self::Request>> {
        let len = self.keys().len();
        self.list_mut().cursor.step(step, len);
        vec![]
    }
}

/// Answers a common key as every list does.
pub fn common<L: Listing>(on: &mut L, common: Common, shared: &Shared) -> Vec<Effect<L::Request>> {
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
    let keys = on.keys();
    on.list_mut().mark(how, &keys);
    if how == Marking::One { on.step(Step::Lines(1), shared) } else { vec![] }
}

/// Whether a list has an answer to a common key now, or why not.
pub fn offers<L: Listing>(on: &L, common: Common) -> Result<(), &'static str> {
    match common {
        Common::Copy | Common::Export => on.has_rows(),
        Common::Mark | Common::MarkAll | Common::InvertMarks => on.can_mark(),
        _ => Ok(()),
    }
}

/// The marked rows, or the one under the cursor, on the clipboard.
fn copy<L: Listing>(on: &L) -> Option<Effect<L::Request>> {
    let chosen = on.list().chosen(&on.keys());
    let texts: Vec<_> = chosen.iter().filter_map(|key| on.copied(key)).collect();
    let what = match texts.as_slice() {
        [] => return None,
        [(_, what)] => (*what).to_owned(),
        [(_, what), ..] => format!("{} {what}s", texts.len()),
    };
    let text: Vec<_> = texts.into_iter().map(|(text, _)| text).collect();
    Some(Effect::Copy { text: text.join("\n"), what })
}

//! The screen's own rows of the action table, and which global keys mean something here.

use super::{Common, Msg, Pane, State};
use crate::tui::{
    screens::listing::{self, Listing},
    ui::action::Action,
};

/// Keys that only Orders has.
pub(super) const ACTIONS: &[Action<State, Msg>] =
    &[Action::look(
        "orders.clear",
        &["x"],
        "clear search",
        "Empty the search box and show the newest orders",
        || Msg::Clear,
    )
    .when(|state| {
        if state.field.text().is_empty() { Err("the search box is empty already") } else { Ok(()) }
    })];

/// Keys that only the search box has.
pub(super) const TYPING: &[Action<(), ()>] = &[Action::look(
    "orders.complete",
    &["tab"],
    "complete",
    "Fill in the only proposal for the word at the cursor, or list them",
    || (),
)
.footer(10)];

/// Whether a global key means anything here now, or why not.
pub(super) fn offers(state: &State, common: Common) -> Result<(), &'static str> {
    match common {
        Common::Filter
        | Common::Refresh
        | Common::NextPane
        | Common::PreviousPane
        | Common::Explain
        | Common::Zoom
        | Common::Escape
        | Common::CopyLink
        | Common::Faults => Ok(()),
        Common::Enter | Common::Bookmark => state.has_rows(),
        Common::Left | Common::Right => match state.pane {
            Pane::List | Pane::Preview => Err(""),
        },
        Common::Sort => Err("the list is always newest first; G goes to the oldest"),
        Common::NextView | Common::PreviousView => Err("Orders has one view"),
        Common::NextMatch | Common::PreviousMatch => {
            Err("every row here matches; n and N work in raw JSON")
        }
        Common::Step(_)
        | Common::Copy
        | Common::Export
        | Common::Mark
        | Common::MarkAll
        | Common::InvertMarks => listing::offers(state, common),
    }
}

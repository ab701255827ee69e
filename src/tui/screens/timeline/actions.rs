//! The screen's own rows of the action table, and which global keys mean something here.

use super::{Common, Entry, Msg, Show, State};
use crate::tui::ui::action::Action;

type Row = Action<State, Msg>;

fn has_history(state: &State) -> Result<(), &'static str> {
    if state.last().0 > 0 { Ok(()) } else { Err("this order has no events here") }
}

fn has_older(state: &State) -> Result<(), &'static str> {
    let skipped = state.known().is_some_and(|known| known.history.skipped > 0);
    if skipped { Ok(()) } else { Err("all events of this order are here") }
}

fn on_event(state: &State) -> Result<(), &'static str> {
    match state.entry() {
        Some(Entry::Event(_)) => Ok(()),
        Some(Entry::Message(_)) => Err("the cursor is on a message; go to an event"),
        Some(Entry::Act(_)) => Err("the cursor is on an operator's action; go to an event"),
        None => Err("this order has no events here"),
    }
}

/// Keys that only Timeline has.
pub(super) const ACTIONS: &[Row] = &[
    Row::look(
        "timeline.diff",
        &["="],
        "diff A:B",
        "Compare the pins A and B (one alone: with the cursor), or show the state",
        || Msg::Diff,
    )
    .footer(80)
    .when(has_history)
    .cli_equivalent("orderscope order diff"),
    Row::look("timeline.pin-a", &["A"], "pin A", "Pin the cursor's version as A", || Msg::PinA)
        .footer(78)
        .when(on_event),
    Row::look("timeline.pin-b", &["B"], "pin B", "Pin the cursor's version as B", || Msg::PinB)
        .footer(77)
        .when(on_event),
    Row::look(
        "timeline.go-to",
        &["t"],
        "go to time",
        "Go to a time or version: 2h ago, 16:30, 2026-11-22T16:30, v3",
        || Msg::GoTo,
    )
    .footer(76)
    .when(has_history)
    .cli_equivalent("orderscope order show --at"),
    Row::look("timeline.play", &["."], "play", "Play the history event by event, or stop", || {
        Msg::Play
    })
    .footer(50)
    .when(has_history),
    Row::look("timeline.live", &["0"], "live", "Back to now, following new events", || Msg::Live)
        .footer(48)
        .when(has_history),
    Row::look(
        "timeline.skip",
        &["x"],
        "skip event",
        "What if this event had not happened? (a preview, nothing is changed)",
        || Msg::Skip,
    )
    .footer(70)
    .when(on_event),
    Row::look(
        "timeline.json",
        &["J"],
        "raw JSON",
        "The event as stored, with its metadata",
        || Msg::Raw,
    )
    .footer(72)
    .when(on_event),
    Row::look(
        "timeline.older",
        &["O"],
        "older events",
        "Read 5,000 older events of a long history",
        || Msg::Older,
    )
    .footer(40)
    .when(has_older)
    .cli_equivalent("orderscope order timeline --events"),
    Row::look(
        "timeline.detail",
        &["D"],
        "detail",
        "All fields, changes only, or a JSON patch",
        || Msg::Detail,
    )
    .footer(45)
    .when(has_history),
    Row::look(
        "timeline.chain",
        &["C"],
        "chain",
        "The causal chain of what the cursor is on: command, event, message, delivery, consumer",
        || Msg::Chain,
    )
    .footer(60)
    .when(has_history)
    .cli_equivalent("orderscope order chain"),
    Row::look(
        "timeline.lanes",
        &["L"],
        "lanes",
        "Show or hide integration messages and operators' actions",
        || Msg::Lanes,
    )
    .footer(12),
];

/// Whether a global key means anything here now, or why not.
pub(super) fn offers(state: &State, common: Common) -> Result<(), &'static str> {
    let chosen = || state.order.map(|_| ()).ok_or("choose an order first: 2 searches");
    match common {
        Common::Step(_) | Common::Escape | Common::Explain | Common::Zoom => Ok(()),
        Common::NextPane | Common::PreviousPane | Common::Left | Common::Right => chosen(),
        Common::Refresh | Common::CopyLink | Common::Bookmark => chosen(),
        Common::Enter | Common::Filter | Common::Copy | Common::Export => has_history(state),
        Common::NextMatch | Common::PreviousMatch => {
            if state.found.is_empty() {
                Err("search first: /")
            } else {
                Ok(())
            }
        }
        Common::NextView | Common::PreviousView => match state.show {
            Show::State | Show::Diff => has_history(state),
        },
        Common::Mark | Common::MarkAll | Common::InvertMarks => {
            Err("marks are for lists of orders")
        }
        Common::Sort => Err("a history has one order: that of writing (seq)"),
        Common::Faults => Err("faults are marked beside the events"),
    }
}

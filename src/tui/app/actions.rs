//! The global rows of the action table: the same keys on every screen.

use super::{App, Common, Msg};
use crate::tui::{
    change,
    ui::{
        action::{Action, Risk},
        list::Step,
    },
};

type Row = Action<App, Msg>;

/// A key every screen answers in its own way, possible where the screen offers it.
macro_rules! common {
    ($name:literal, $keys:expr, $title:literal, $help:literal, $common:expr) => {
        Row::look($name, $keys, $title, $help, || Msg::Common($common))
            .when(|app| app.screens.offers($common))
    };
}

/// Every global action.
pub const ACTIONS: &[Row] = &[
    Row::look("help", &["?"], "help", "Explain this screen and its keys", || Msg::Help).footer(99),
    Row::look("palette", &[":"], "command", "Find and run any action or command by name", || {
        Msg::Palette
    })
    .footer(20),
    Row::look("go.last", &["-"], "last screen", "Back to the screen before this one", || {
        Msg::LastScreen
    }),
    Row::look("go.back", &["["], "back", "Back in the places visited", || Msg::Trail(-1)),
    Row::look("go.forward", &["]"], "forward", "Forward in the places visited", || Msg::Trail(1)),
    common!("move.down", &["j", "down"], "down", "One line down", Common::Step(Step::Lines(1))),
    common!("move.up", &["k", "up"], "up", "One line up", Common::Step(Step::Lines(-1))),
    common!("move.left", &["h", "left"], "left", "Left, or one step back in time", Common::Left),
    common!(
        "move.right",
        &["l", "right"],
        "right",
        "Right, or one step forward in time",
        Common::Right
    ),
    common!("move.top", &["g g", "home"], "top", "To the first row", Common::Step(Step::First)),
    common!("move.end", &["G", "end"], "end", "To the last row", Common::Step(Step::Last)),
    common!(
        "move.half-down",
        &["ctrl-d", "pagedown"],
        "half page down",
        "Half a page down",
        Common::Step(Step::HalfPages(1))
    ),
    common!(
        "move.half-up",
        &["ctrl-u", "pageup"],
        "half page up",
        "Half a page up",
        Common::Step(Step::HalfPages(-1))
    ),
    common!("enter", &["enter"], "open", "Open what the cursor is on", Common::Enter).footer(85),
    common!("escape", &["esc"], "back", "Back one step; never quits", Common::Escape),
    common!("pane.next", &["tab"], "next pane", "To the next pane", Common::NextPane).footer(40),
    common!(
        "pane.previous",
        &["shift-tab"],
        "previous pane",
        "To the previous pane",
        Common::PreviousPane
    ),
    common!("view.next", &[">"], "next view", "To the next sub-view", Common::NextView),
    common!("view.previous", &["<"], "previous view", "To the previous sub-view", {
        Common::PreviousView
    }),
    common!("filter", &["/"], "search", "Search or filter what is shown", Common::Filter)
        .footer(90),
    common!("match.next", &["n"], "next match", "To the next match", Common::NextMatch),
    common!("match.previous", &["N"], "previous match", "To the previous match", {
        Common::PreviousMatch
    }),
    common!("mark", &["space"], "mark", "Mark or unmark the row", Common::Mark).footer(35),
    common!("mark.all", &["*"], "mark all", "Mark every row shown", Common::MarkAll),
    common!("mark.invert", &["v"], "invert marks", "Mark what is not marked", Common::InvertMarks),
    common!("sort", &["S"], "sort", "Change the order of the rows", Common::Sort),
    common!("faults", &["Z"], "faults only", "Show only rows with a fault", Common::Faults)
        .footer(30),
    common!("copy", &["y"], "copy", "Copy the value under the cursor", Common::Copy).footer(32),
    common!(
        "copy.link",
        &["Y"],
        "copy link",
        "Copy an ops:// link to this place",
        Common::CopyLink
    ),
    common!(
        "export",
        &["e"],
        "export",
        "Write what is shown to a file (CSV, JSON and Markdown; masked)",
        Common::Export
    )
    .footer(28),
    common!("refresh", &["r"], "refresh", "Read again now", Common::Refresh).footer(10),
    Row::look("freeze", &["f"], "freeze", "Stop or resume refreshing by itself", || Msg::Freeze)
        .footer(8),
    common!("explain", &["i"], "explain", "Explain the columns and marks here", Common::Explain)
        .footer(25),
    common!("bookmark", &["b"], "bookmark", "Bookmark this order", Common::Bookmark).footer(27),
    common!("zoom", &["z"], "zoom", "Give the whole screen to one pane, or take it back", {
        Common::Zoom
    })
    .footer(15),
    Row::look("gaps", &["!"], "limits", "What this database lacks and what that costs", || {
        Msg::Gaps
    }),
    Row::look("change", &["c"], "change", "Commands for this order; new order, new buyer", || {
        Msg::Operate
    })
    .risk(Risk::Change)
    .footer(60)
    .cli_equivalent("orderscope order cancel"),
    Row::look("undo", &["u"], "undo", "Plan what takes back the last change", || {
        Msg::Change(change::Msg::Undo)
    })
    .risk(Risk::Change)
    .footer(18)
    .when(|app| app.change.reversible()),
    Row::look("log", &["@"], "log", "What operators did here, newest first", || Msg::Log)
        .footer(9)
        .when(|app| match app.shared.place() {
            None => Err("not connected yet"),
            Some(place) => place.barred.map_or(Ok(()), Err),
        })
        .cli_equivalent("orderscope audit list"),
    Row::look(
        "operations",
        &["&"],
        "bulk operations",
        "Bulk operations, whoever runs them: what became of them; resume, pause, cancel, approve",
        || Msg::ListOperations,
    )
    .when(|app| app.shared.place().map(|_| ()).ok_or("not connected yet"))
    .cli_equivalent("orderscope op list"),
    Row::look(
        "unlock",
        &["w"],
        "unlock",
        "Unlock writes for a while and for a reason, or lock them again",
        || Msg::Lock,
    )
    .footer(12)
    .when(|app| app.shared.barred().map_or(Ok(()), Err)),
    Row::look(
        "reveal",
        &["R"],
        "reveal",
        "Show personal data for a while and for a reason, or mask it again; it is recorded",
        || Msg::Reveal,
    )
    .when(|app| app.shared.place().map(|_| ()).ok_or("not connected yet")),
    Row::look("view.2", &["f2"], "view 2", "Saved view 2 (save with :save 2)", || Msg::View(2)),
    Row::look("view.3", &["f3"], "view 3", "Saved view 3", || Msg::View(3)),
    Row::look("view.4", &["f4"], "view 4", "Saved view 4", || Msg::View(4)),
    Row::look("view.5", &["f5"], "view 5", "Saved view 5", || Msg::View(5)),
    Row::look("view.6", &["f6"], "view 6", "Saved view 6", || Msg::View(6)),
    Row::look("view.7", &["f7"], "view 7", "Saved view 7", || Msg::View(7)),
    Row::look("view.8", &["f8"], "view 8", "Saved view 8", || Msg::View(8)),
    Row::look("view.9", &["f9"], "view 9", "Saved view 9", || Msg::View(9)),
    Row::look("suspend", &["ctrl-z"], "suspend", "Give the terminal back until fg", || {
        Msg::Suspend
    }),
    Row::look("quit", &["q", "ctrl-c"], "quit", "Leave the console", || Msg::Quit).footer(5),
];

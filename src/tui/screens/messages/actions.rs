//! The screen's own rows of the action table, and which global keys mean something here.

use super::{Common, InboxView, Msg, Pane, State, Sub};
use crate::{
    ops::operation::Kind,
    tui::{
        screens::listing,
        ui::action::{Action, Risk},
    },
};

type Row = Action<State, Msg>;

/// Keys that only Messages has.
pub(super) const ACTIONS: &[Row] = &[
    Row::look(
        "messages.pivot",
        &["p"],
        "pivot",
        "Count pending messages by type, by destination, by outbox, or list them",
        || Msg::Pivot,
    )
    .footer(80)
    .when(|state| match state.sub {
        Sub::Outbox(_) => state.outbox.can_pivot(),
        _ => Err("only pending messages are counted by groups"),
    })
    .cli_equivalent("orderscope messages status"),
    Row::look(
        "messages.json",
        &["J"],
        "envelope",
        "Show the body's whole envelope (and a fault's whole stack trace), or its message alone",
        || Msg::Json,
    )
    .footer(70)
    .when(|state| if state.shown().has_body() { Ok(()) } else { Err("no message is read") })
    .cli_equivalent("orderscope messages show"),
    Row::look(
        "messages.holder",
        &["L"],
        "who holds it",
        "Look again who holds the row that the message's owner is locked by",
        || Msg::Holder,
    )
    .when(chosen)
    .cli_equivalent("orderscope messages show"),
    Row::look(
        "messages.unhandled",
        &["U"],
        "unhandled only",
        "Only inbox rows that nobody handled; again: those that are half-done; again: all",
        || Msg::Only(InboxView::Failing),
    )
    .footer(64)
    .when(near_inbox)
    .cli_equivalent("orderscope inbox list"),
    Row::look(
        "messages.again",
        &["d"],
        "duplicates only",
        "Only inbox rows with duplicates; again shows all",
        || Msg::Only(InboxView::Duplicates),
    )
    .footer(63)
    .when(near_inbox)
    .cli_equivalent("orderscope inbox list"),
    Row::look(
        "messages.hours",
        &["H"],
        "by hour",
        "The inbox hour by hour: what each consumer received, again, and did not finish, in 24 hours",
        || Msg::ByHour,
    )
    .footer(62)
    .cli_equivalent("orderscope inbox hours"),
    Row::look(
        "messages.reach",
        &["t"],
        "time span",
        "How far back the bars go: hours, a day, a week, a month, a year",
        || Msg::HistoryRange,
    )
    .cli_equivalent("orderscope messages history"),
    Row::look(
        "messages.act",
        &["x"],
        "act",
        "Everything that can be done here: repair, quarantine, requeue, purge, drain; replay and discard what failed",
        || Msg::Act(None),
    )
    .risk(Risk::Change)
    .footer(65)
    .cli_equivalent("orderscope messages quarantine"),
    Row::look(
        "messages.repair",
        &["D"],
        "set destination",
        "Repair the message: its destination, headers, properties or body",
        || Msg::Act(Some(Kind::RepairMessage)),
    )
    .risk(Risk::Change)
    .footer(22)
    .when(chosen)
    .cli_equivalent("orderscope messages repair"),
    Row::look(
        "messages.quarantine",
        &["K"],
        "quarantine",
        "Take the message out of the outbox, with a copy, so that those behind it leave",
        || Msg::Act(Some(Kind::QuarantineMessage)),
    )
    .risk(Risk::Destroy)
    .footer(23)
    .when(chosen)
    .cli_equivalent("orderscope messages quarantine"),
];

fn near_inbox(state: &State) -> Result<(), &'static str> {
    match state.sub {
        Sub::Inbox | Sub::Outbox(_) => Ok(()),
        Sub::ErrorQueues | Sub::Archive => Err("only inbox rows are told apart so: < > goes there"),
    }
}

fn chosen(state: &State) -> Result<(), &'static str> {
    if state.shown().sequence().is_some() { Ok(()) } else { Err("no message is chosen") }
}

/// Whether a global key means anything here now, or why not.
pub(super) fn offers(state: &State, common: Common) -> Result<(), &'static str> {
    let shown = state.shown();
    match common {
        Common::Refresh
        | Common::NextPane
        | Common::PreviousPane
        | Common::NextView
        | Common::PreviousView
        | Common::Explain
        | Common::Zoom
        | Common::Escape
        | Common::CopyLink => Ok(()),
        Common::Enter if state.focus.pane == Pane::Diagnosis => Ok(()),
        Common::Enter => shown.can_enter(state.focus.pane),
        Common::Step(_)
        | Common::Copy
        | Common::Export
        | Common::Mark
        | Common::MarkAll
        | Common::InvertMarks => listing::offers(shown, common),
        Common::Left | Common::Right => Err(""),
        Common::Bookmark => Err("bookmarks are for orders; Enter goes to the message's"),
        Common::Filter => Err("p and Enter show the messages of one group"),
        Common::NextMatch | Common::PreviousMatch => Err("nothing is searched for here"),
        Common::Sort => Err("pending goes in the order of delivery, the rest newest first"),
        Common::Faults => Err("what is wrong stands in the diagnosis and in its own views: < >"),
    }
}

//! The keys of the list of bulk operations.

use super::{Msg, State};
use crate::{
    ops::operation::Kind,
    tui::ui::{
        action::{Action, Risk},
        list::Step,
    },
};

type Row = Action<State, Msg>;

/// Every key, in the list and in an operation that is looked into.
pub const ACTIONS: &[Row] = &[
    Row::look("operations.open", &["enter"], "items", "What became of each of its items", || {
        Msg::Open
    })
    .footer(60)
    .when(|state| if state.opened.is_none() { Ok(()) } else { Err("") })
    .cli_equivalent("orderscope op show"),
    Row::look("operations.troubles", &["t"], "troubles", "Only what was not done, or all", || {
        Msg::Troubles
    })
    .footer(59)
    .when(|state| if state.opened.is_some() { Ok(()) } else { Err("Enter opens one first") })
    .cli_equivalent("orderscope op show"),
    Row::look("operations.resume", &["r"], "resume", "Run it, or go on where it stopped", || {
        Msg::Steer(Kind::ResumeOperation)
    })
    .risk(Risk::Destroy)
    .footer(50)
    .cli_equivalent("orderscope op resume"),
    Row::look("operations.pause", &["p"], "pause", "Pause it, whoever runs it", || {
        Msg::Steer(Kind::PauseOperation)
    })
    .risk(Risk::Change)
    .footer(49)
    .cli_equivalent("orderscope op pause"),
    Row::look(
        "operations.cancel",
        &["c"],
        "cancel",
        "End it early; the rest stays as it is",
        || Msg::Steer(Kind::CancelOperation),
    )
    .risk(Risk::Destroy)
    .footer(48)
    .cli_equivalent("orderscope op cancel"),
    Row::look("operations.approve", &["a"], "approve", "Approve what somebody else began", || {
        Msg::Steer(Kind::ApproveOperation)
    })
    .risk(Risk::Change)
    .footer(47)
    .cli_equivalent("orderscope op approve"),
    Row::look("operations.unlock", &["w"], "unlock", "Unlock writes, or lock them again", || {
        Msg::Unlock
    })
    .footer(30),
    Row::look("operations.refresh", &["R"], "refresh", "Read again now", || Msg::Refresh)
        .footer(10),
    Row::look("operations.down", &["j", "down"], "down", "One row down", || {
        Msg::Step(Step::Lines(1))
    })
    .footer(20),
    Row::look("operations.up", &["k", "up"], "up", "One row up", || Msg::Step(Step::Lines(-1)))
        .footer(19),
    Row::look(
        "operations.half-down",
        &["ctrl-d", "pagedown"],
        "further",
        "Half a page down",
        || Msg::Step(Step::HalfPages(1)),
    ),
    Row::look("operations.half-up", &["ctrl-u", "pageup"], "back up", "Half a page up", || {
        Msg::Step(Step::HalfPages(-1))
    }),
    Row::look("operations.top", &["g", "home"], "top", "To the first row", || {
        Msg::Step(Step::First)
    }),
    Row::look("operations.end", &["G", "end"], "end", "To the last row", || Msg::Step(Step::Last)),
    Row::look(
        "operations.back",
        &["esc", "q"],
        "back",
        "From an operation to the list; from that back",
        || Msg::Back,
    )
    .footer(40),
    Row::look("operations.close", &["&"], "close", "Close the list", || Msg::Close),
];

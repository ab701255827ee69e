//! A menu: lines to choose from, each by its letter or with the cursor.

use crossterm::event::KeyEvent;

use super::{
    action::{Action, Keys},
    list::Step,
};

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    Step(Step),
    /// The line under the cursor.
    Open,
    Close,
}

type Row = Action<(), Ask>;

/// The keys of a menu, beside the letters of its lines.
pub const ACTIONS: &[Row] = &[
    Row::look(
        "menu.open",
        &["enter"],
        "open",
        "Open the line under the cursor; a letter opens its own",
        || Ask::Open,
    )
    .footer(40),
    Row::look("menu.down", &["j", "down"], "down", "One line down", || Ask::Step(Step::Lines(1)))
        .footer(30),
    Row::look("menu.up", &["k", "up"], "up", "One line up", || Ask::Step(Step::Lines(-1)))
        .footer(29),
    Row::look("menu.close", &["esc", "q"], "close", "Close the menu", || Ask::Close).footer(20),
];

/// What a key means in a menu, unless it is the letter of a line.
#[must_use]
pub fn key(key: KeyEvent, keys: &Keys) -> Option<Ask> {
    keys.action(ACTIONS, key).map(|action| (action.msg)())
}

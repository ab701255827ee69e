//! Ctrl+Z and SIGTSTP in every mode: the terminal is given back, and `fg` brings back what was open.

use rustix::process::Signal;

use super::{
    change::placed,
    terminal::{Start, Terminal, block_on},
};
use crate::support::postgres::demo;

fn suspended(terminal: &mut Terminal, by: impl Fn(&mut Terminal), shown: &str) {
    by(terminal);
    terminal.stops();
    terminal.is_clean();
    terminal.signal(Signal::CONT);
    terminal.shows(shown);
}

/// By the key, then by the signal; what was open is open after both.
fn both(terminal: &mut Terminal, shown: &str) {
    terminal.shows(shown);
    suspended(terminal, |terminal| terminal.send("\x1a"), shown);
    suspended(terminal, |terminal| terminal.signal(Signal::TSTP), shown);
}

#[test]
fn every_mode_gives_the_terminal_back() {
    let options = block_on(demo(400));
    let link = format!("ops://database/order/{}", placed(&options));
    let start = Start::new().on(&options).arg("--operator").arg("mai").arg("open").arg(&link);
    let mut terminal = start.open();
    both(&mut terminal, "State at v");
    // A prompt of the screen.
    terminal.send("t");
    terminal.send("16:3");
    both(&mut terminal, "16:3");
    terminal.send("\x1b");
    terminal.send(":");
    terminal.send("zonk");
    both(&mut terminal, "zonk");
    terminal.send("\x1b");
    terminal.drops("zonk");
    terminal.send("?");
    both(&mut terminal, "Esc closes");
    terminal.send("\x1b");
    terminal.drops("Esc closes");
    // The prompt that unlocks: nothing typed after Ctrl+Z is taken for the reason.
    terminal.send("w");
    both(&mut terminal, "Unlock writes");
    terminal.drops("UNLOCKED");
    terminal.send("CB-91\r");
    terminal.shows("UNLOCKED");
    // A form, then its plan.
    terminal.send("cx");
    both(&mut terminal, "Cancel order");
    terminal.send("CB-91 asked\r");
    both(&mut terminal, "type CANCEL to run");
    terminal.send("\x1b");
    terminal.drops("type CANCEL to run");
    terminal.send("\x03");
    terminal.ends_clean(0);
}

#[test]
fn the_search_box_gives_the_terminal_back() {
    let mut terminal = Start::new().on(&block_on(demo(400))).open();
    terminal.until("first rows", |screen| screen.contains("> …"));
    terminal.send("/status:ne");
    both(&mut terminal, "status:ne");
    // The text is still typed into.
    terminal.send("w");
    terminal.shows("status:new");
    terminal.send("\x03");
    terminal.ends_clean(0);
}

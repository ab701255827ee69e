//! Replies of the terminal that come late, whole and in pieces, are no keys.

use super::terminal::{Start, block_on};
use crate::support::postgres::demo;

/// Colours, device attributes, the cursor's place, keyboard flags.
const REPLIES: [&[&str]; 10] = [
    &["\x1b]10;rgb:cdcd/d6d6/f4f4\x1b\\"],
    &["\x1b]11;rgb:1e1e/1e1e/2e2e\x07"],
    &["\x1b[?62;4;22c"],
    &["\x1b[24;80R"],
    &["\x1b[?1u"],
    &["\x1bP>|WezTerm 20240203\x1b\\"],
    &["\x1b]11;rgb:1e1e", "/1e1e/2e2e", "\x1b\\"],
    &["\x1b]10;", "rgb:q?q?/:q:q", "/jjkk\x07"],
    &["\x1b[?6", "2;4c"],
    &["\x1b[2", "4;80R"],
];

#[test]
fn late_replies_are_no_keys() {
    let mut terminal = Start::new().on(&block_on(demo(400))).open();
    terminal.until("first rows", |screen| screen.contains("> …"));
    let rows = terminal.listed();
    for (number, pieces) in REPLIES.iter().enumerate() {
        for piece in *pieces {
            terminal.send(piece);
            // What was sent is read before the next piece comes.
            terminal.is_read();
        }
        // A key after each reply is that key: the cursor goes down and up, nothing else happened.
        terminal.send("j");
        terminal.cursor_on(&rows[1]);
        terminal.send("k");
        terminal.cursor_on(&rows[0]);
        let screen = terminal.text();
        assert!(screen.contains("2 Orders") && !screen.contains("rgb"), "{number}: {screen}");
    }
    // While text is typed they are no text.
    terminal.send("/status:ne");
    terminal.shows("status:ne");
    for piece in REPLIES.iter().copied().flatten() {
        terminal.send(piece);
        terminal.is_read();
    }
    terminal.send("w");
    terminal.shows("status:new");
    terminal.send("\x03");
    terminal.ends_clean(0);
}

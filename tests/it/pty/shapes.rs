//! The console on databases of other shapes: every screen answers, says what it could not look at, and leaves a clean
//! terminal.

use super::terminal::{Start, block_on};
use crate::{
    shapes::{self, every_verb::Shape},
    support::{fixture, postgres::pg18},
};

/// What no screen may say: words of the database and of the program's insides.
const NEVER: [&str; 5] =
    ["panicked", "ERROR:", "error returned from database", "does not exist", "try decoding"];

#[test]
fn every_screen_answers_on_every_shape() {
    let id = block_on(shapes::every_verb::first_order());
    let mut wrong = vec![];
    for Shape { what, schema, stage, change } in shapes::every_verb::shapes(&id) {
        let options = block_on(async {
            let options = fixture::own(pg18(), schema, stage).await;
            shapes::sql(&options, &change).await;
            options
        });
        let mut terminal = Start::new().on(&options).size(120, 36).open();
        terminal.until(what, |screen| screen.contains("Orders (") && !screen.contains("(…)"));
        let mut seen = terminal.text();
        // Into the order under the cursor, to the messages, and what the database lacks.
        terminal.send("\r");
        terminal.is_read();
        terminal.until(what, |screen| !screen.contains("Loading …"));
        seen.push_str(&terminal.text());
        terminal.send("4");
        terminal.until(what, |screen| {
            screen.contains("Diagnosis")
                && screen.contains("pending ")
                && !screen.contains("Loading …")
        });
        seen.push_str(&terminal.text());
        terminal.send("!");
        terminal.is_read();
        seen.push_str(&terminal.text());
        let lies = NEVER.iter().filter(|lie| seen.contains(**lie));
        wrong.extend(lies.map(|lie| format!("{what}: {lie}\n{seen}")));
        terminal.send("\u{1b}");
        terminal.send("\u{3}");
        terminal.ends_clean(0);
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

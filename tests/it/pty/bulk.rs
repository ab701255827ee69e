//! A bulk operation of another process, seen and steered as a person does it: at the foot of the screen, in the list, one
//! item after the other; paused there, resumed here, and left.

use std::process::Stdio;

use super::terminal::Start;
use crate::batch::verbs::{count, due, purge};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operation_of_another_process_is_paused_resumed_here_and_left() {
    let (options, home) = due(900).await;
    let start = Start::new().on(&options).size(80, 24).arg("--operator").arg("huong");
    let mut terminal = start.open();
    terminal.shows("No order matches");
    let verb = purge(&["--rate", "10"]);
    let mut other = home.command().args(&verb).stderr(Stdio::null()).spawn().unwrap();
    // On whatever screen.
    terminal.until("it at the foot", |screen| {
        screen.contains("◐ #1 purge the inbox: ") && screen.contains(" of 900, ")
    });
    terminal.send("4");
    terminal.shows("─ Diagnosis ─");
    terminal.shows("◐ #1 purge the inbox: ");

    terminal.send("w");
    terminal.shows("Unlock writes");
    terminal.send("INC-7\r");
    terminal.shows("UNLOCKED");
    terminal.send("&");
    terminal.shows("those that are not over first");
    terminal.shows("p pauses it after the batch under way");
    terminal.send("p");
    terminal.shows("Pause operation 1");
    terminal.send("\r");
    terminal.shows("type PAUSE to run");
    terminal.shows("runs it: it pauses after the batch");
    terminal.send("PAUSE\r");
    terminal.shows("it is done after the batch under");
    assert_eq!(other.wait().unwrap().code(), Some(5), "a part is left");
    terminal.shows("u takes it back");
    terminal.send("\x1b");
    terminal.shows("○ #1 purge the inbox: paused, ");
    terminal.shows("paused: another session asked for it");

    // What became of each item so far.
    terminal.send("\r");
    terminal.shows("every item");
    terminal.until("items with and without an outcome", |screen| {
        screen.contains("1  done     ") && screen.contains("arrived since: 0, not included")
    });
    terminal.send("t");
    terminal.shows("no item was skipped or failed");

    // Goes on here, and pauses again when the console is left.
    terminal.send("r");
    terminal.shows("Resume operation 1");
    terminal.send("\r");
    terminal.shows("type RESUME to run");
    terminal.send("RESUME\r");
    terminal.shows("running … ");
    terminal.send("q");
    terminal.shows("it runs on");
    terminal.shows("◐ #1 ");
    terminal.shows(", in this console");
    terminal.send("&");
    terminal.drops("only what was not done");
    terminal.send("q");
    terminal.shows("leaving pauses #1 after the batch under way; any console can resume it");
    terminal.send("q");
    terminal.ends_clean(0);
    let state = "SELECT count(*) FROM orderscope.operations
                 WHERE state = 'paused' AND done < items AND runner LIKE 'huong@%'";
    assert_eq!(count(&options, state).await, 1);
    let left = "SELECT count(*) FROM inbox_state";
    let items = "SELECT count(*) FROM orderscope.operation_items WHERE outcome IS NULL";
    assert_eq!(count(&options, left).await, count(&options, items).await);
    let intents = "SELECT count(*) FROM orderscope.audit
                   WHERE operator = 'huong' AND intent IN ('PauseOperation', 'ResumeOperation')";
    assert_eq!(count(&options, intents).await, 2);
}

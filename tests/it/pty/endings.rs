//! Every way out: whatever ends the program, the terminal is as it was, and the exit code tells why.

use std::process::{Command, Stdio};

use rustix::process::Signal;
use sqlx::postgres::PgConnectOptions;

use super::terminal::{Start, Terminal, block_on, environment, url};
use crate::support::postgres::{demo, pg18};

fn database() -> PgConnectOptions {
    block_on(demo(400))
}

fn listing() -> Terminal {
    let terminal = Start::new().on(&database()).open();
    terminal.until("first rows", |screen| screen.contains("> …"));
    terminal
}

#[test]
fn q_and_ctrl_c_leave_a_clean_terminal() {
    let mut terminal = listing();
    terminal.send("q");
    terminal.ends_clean(0);
    let mut terminal = listing();
    terminal.send("\x03");
    terminal.ends_clean(0);
    // While typing, q is a letter and Ctrl+C still leaves.
    let mut terminal = listing();
    terminal.send("/q");
    terminal.shows("Orders › q");
    terminal.send("\x03");
    terminal.ends_clean(0);
}

#[test]
fn signals_leave_a_clean_terminal() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129)] {
        let mut terminal = listing();
        terminal.signal(signal);
        terminal.ends_clean(code);
    }
}

#[test]
fn a_lost_terminal_ends_the_program() {
    let mut terminal = listing();
    terminal.hang_up();
    terminal.ends();
}

#[test]
fn a_panic_gives_the_terminal_back_and_tells() {
    let options = database();
    let mut terminal = Start::new().on(&options).env("ORDERSCOPE_PANIC_KEY", "1").open();
    terminal.until("first rows", |screen| screen.contains("> …"));
    // F12
    terminal.send("\x1b[24~");
    terminal.ends_clean(101);
    assert!(terminal.text().contains("ORDERSCOPE_PANIC_KEY"), "{}", terminal.text());
}

#[test]
fn suspends_and_comes_back() {
    let mut terminal = listing();
    let rows = terminal.listed();
    terminal.send("j");
    terminal.cursor_on(&rows[1]);
    terminal.send("\x1a");
    terminal.stops();
    terminal.is_clean();
    // As `fg` does it.
    terminal.signal(Signal::CONT);
    terminal.shows("2 Orders");
    terminal.cursor_on(&rows[1]);
    // Once more, with the mouse and the paste switched on again.
    terminal.send("k");
    terminal.cursor_on(&rows[0]);
    terminal.send("\x1a");
    terminal.stops();
    terminal.signal(Signal::CONT);
    terminal.shows("2 Orders");
    terminal.send("q");
    terminal.ends_clean(0);
}

#[test]
fn an_unreachable_server_is_told_once() {
    let mut terminal = Start::new()
        .env("DATABASE_URL", "postgres://nobody@localhost:5432/orders?host=/nonexistent/socket")
        .open();
    terminal.ends_clean(3);
    let screen = terminal.text();
    assert_eq!(
        screen.matches("cannot reach PostgreSQL at /nonexistent/socket").count(),
        1,
        "{screen}"
    );
    assert!(screen.starts_with("orderscope: "), "{screen}");
}

#[test]
fn a_refused_login_and_a_missing_database_are_told() {
    let url = url(&database());
    let mut terminal =
        Start::new().env("DATABASE_URL", &url.replace("postgres@", "stranger@")).open();
    terminal.ends_clean(3);
    assert!(terminal.text().contains("refused the login"), "{}", terminal.text());
    let wrong = url.replace("?host", "_not_there?host");
    let mut terminal = Start::new().env("DATABASE_URL", &wrong).open();
    terminal.ends_clean(3);
    assert!(terminal.text().contains("does not exist"), "{}", terminal.text());
}

#[test]
fn a_database_without_orders_is_refused() {
    let options = block_on(pg18().empty());
    let mut terminal = Start::new().on(&options).open();
    terminal.ends_clean(4);
    let screen = terminal.text();
    assert!(screen.contains("not a database of the Ordering Service"), "{screen}");
}

#[test]
fn wrong_settings_never_touch_the_terminal() {
    for (config, told) in [
        ("theme = \"dusk\"\nzoen = \"UTC\"\n", "zoen"),
        ("zone = \"Mars\"\n", "Mars"),
        ("theme = \"pink\"\n", "there is no theme"),
        ("[keys]\nhelp = [\"q\"]\n", "q: means both"),
        ("[keys]\n\"timeline.pin-a\" = [\"=\"]\n", "=: means both"),
        ("[keys]\nnothing = [\"x\"]\n", "there is no action called"),
    ] {
        let mut terminal = Start::new().on(&database()).config(config).open();
        terminal.ends_clean(2);
        let screen = terminal.text();
        assert!(screen.contains(told) && screen.starts_with("orderscope: "), "{config}\n{screen}");
        assert!(!terminal.was_entered());
    }
}

#[test]
fn without_a_terminal_it_says_what_to_use_instead() {
    let home = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_orderscope"))
        .env_clear()
        .envs(environment(home.path()))
        .env("DATABASE_URL", url(&database()))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("needs a terminal") && told.contains("orders search"), "{told}");
}

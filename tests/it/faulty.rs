//! A server that stalls, cuts, delays and refuses, under every reading verb and the console: nothing hangs, what is
//! wrong is said, and everything recovers.

use std::{thread, time::Duration};

use orderscope::db::{Db, Error, Limits};
use sqlx::{PgConnection, postgres::PgConnectOptions};
use tokio_util::sync::CancellationToken;

use crate::{
    pty::terminal::{Start, block_on},
    support::{
        postgres::demo,
        proxy::{Mode, Proxy},
    },
    verbs::Home,
};

const VERBS: &[&[&str]] = &[
    &["orders", "search", "status:new"],
    &["messages", "status"],
    &["messages", "list"],
    &["inbox", "status"],
    &["inbox", "list"],
    &["audit", "list"],
    &["audit", "verify"],
    &["op", "list"],
];

async fn one(db: &Db) -> Result<i32, Error> {
    db.read("test", &CancellationToken::new(), async |conn: &mut PgConnection| {
        Ok(sqlx::query_scalar("SELECT 1").fetch_one(conn).await?)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_ends_in_time_and_the_next_one_works() {
    let proxy = Proxy::before(&demo(2_000).await);
    let answer = Duration::from_millis(400);
    let limits = Limits { answer, connect: answer, ..Limits::default() };
    let options: PgConnectOptions = proxy.url().parse().unwrap();
    let db = Db::new(options, &limits);
    assert_eq!(one(&db).await, Ok(1));
    proxy.set(Mode::Stall);
    // The session that was open is used, and nothing comes.
    assert_eq!(one(&db).await, Err(Error::Stalled(answer)));
    assert!(matches!(one(&db).await, Err(Error::Unreachable { .. })));
    proxy.set(Mode::Pass);
    assert_eq!(one(&db).await, Ok(1));
    proxy.set(Mode::Cut);
    assert!(one(&db).await.is_err_and(|error| error.can_pass()));
    proxy.set(Mode::Delay(Duration::from_millis(5)));
    assert_eq!(one(&db).await, Ok(1));
    proxy.set(Mode::Stall);
    db.close().await;
}

#[test]
fn every_verb_ends_and_says_why_and_recovers() {
    let proxy = Proxy::before(&block_on(demo(2_000)));
    let home = || {
        let home = Home::at(&proxy.url());
        let config = home.dir.path().join("config.toml");
        std::fs::write(&config, "statement_timeout = 1\n").unwrap();
        (home, config.display().to_string())
    };
    let run = |verb: &[&str]| {
        let (home, config) = home();
        home.run(&[&["--config", &config], verb].concat())
    };
    let well: Vec<_> = VERBS.iter().map(|verb| run(verb).code).collect();
    for (mode, code) in [(Mode::Stall, 3), (Mode::StallAfter(3_000), 3), (Mode::Cut, 3)] {
        proxy.set(mode);
        let run = &run;
        thread::scope(|scope| {
            for verb in VERBS {
                scope.spawn(move || {
                    let done = run(verb);
                    assert_eq!(done.code, code, "{mode:?} {verb:?} {}", done.err);
                    assert!(!done.err.is_empty() && !done.err.contains("panicked"), "{}", done.err);
                });
            }
        });
    }
    proxy.set(Mode::Delay(Duration::from_millis(2)));
    for (verb, code) in VERBS.iter().zip(well) {
        assert_eq!(run(verb).code, code, "{verb:?}");
    }
}

#[test]
fn the_console_answers_keys_shows_the_age_and_recovers() {
    let proxy = Proxy::before(&block_on(demo(2_000)));
    let start = Start::new().env("DATABASE_URL", &proxy.url()).config("statement_timeout = 1\n");
    let mut terminal = start.patience(Duration::from_secs(60)).open();
    terminal.send("2");
    // Rows have come.
    terminal.shows("ago)");
    proxy.set(Mode::Stall);
    terminal.send("r");
    terminal.shows("Not refreshed");
    terminal.send("?");
    terminal.shows("Help");
    terminal.send("\u{1b}");
    proxy.set(Mode::Pass);
    terminal.send("r");
    terminal.drops("Not refreshed");
    terminal.send("q");
    terminal.ends_clean(0);
}

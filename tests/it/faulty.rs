//! A server that stalls, cuts, delays and refuses, under every reading verb and the console: nothing hangs, what is
//! wrong is said, and everything recovers.

use std::{thread, time::Duration};

use orderscope::db::{Db, Error, Limits};
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use tokio_util::sync::CancellationToken;

use crate::{
    pty::terminal::{Start, block_on},
    shapes::every_verb::VERBS,
    support::{
        postgres::demo,
        proxy::{Mode, Proxy},
    },
    verbs::Home,
};

/// Verbs besides those that every shape of database is asked.
const MORE: [&[&str]; 3] =
    [&["audit", "verify"], &["messages", "show", "2"], &["orders", "search", "buyer:le"]];

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
    let options = block_on(demo(2_000));
    let id = block_on(order(&options));
    let verbs: Vec<Vec<_>> = VERBS
        .iter()
        .chain(&MORE)
        .map(|verb| verb.iter().map(|word| word.replace("{id}", &id)).collect())
        .collect();
    let proxy = Proxy::before(&options);
    let home = || {
        let home = Home::at(&proxy.url());
        let config = home.dir.path().join("config.toml");
        std::fs::write(&config, "statement_timeout = 1\n").unwrap();
        (home, config.display().to_string())
    };
    let run = |verb: &[String]| {
        let (home, config) = home();
        let verb: Vec<_> = verb.iter().map(String::as_str).collect();
        home.run(&[&["--config", &config], &verb[..]].concat())
    };
    let well: Vec<_> = verbs.iter().map(|verb| run(verb).code).collect();
    for mode in [Mode::Stall, Mode::StallAfter(3_000), Mode::Cut, Mode::Refuse] {
        proxy.set(mode);
        let run = &run;
        thread::scope(|scope| {
            for verb in &verbs {
                scope.spawn(move || {
                    let done = run(verb);
                    assert_eq!(done.code, 3, "{mode:?} {verb:?} {done:?}");
                    assert!(done.out.is_empty() && !done.err.is_empty(), "{verb:?} {done:?}");
                });
            }
        });
    }
    proxy.set(Mode::Delay(Duration::from_millis(2)));
    for (verb, code) in verbs.iter().zip(well) {
        assert_eq!(run(verb).code, code, "{verb:?}");
    }
}

async fn order(options: &PgConnectOptions) -> String {
    let mut conn = PgConnection::connect_with(options).await.unwrap();
    let first = "SELECT min(id::text) FROM orders WHERE status = 0";
    sqlx::query_scalar(first).fetch_one(&mut conn).await.unwrap()
}

#[test]
fn the_console_answers_keys_shows_the_age_and_recovers() {
    let options = block_on(demo(2_000));
    let id = block_on(order(&options));
    let proxy = Proxy::before(&options);
    let start = Start::new().env("DATABASE_URL", &proxy.url()).config("statement_timeout = 1\n");
    let mut terminal = start.patience(Duration::from_secs(120)).open();
    terminal.until("first rows", |screen| screen.contains("> …"));
    let places = [
        ("orders".to_owned(), "Orders (2,000)"),
        (format!("order/{id}"), "State at v"),
        ("messages".to_owned(), "Diagnosis"),
    ];
    let modes = [Mode::Stall, Mode::Cut, Mode::Refuse, Mode::StallAfter(0)];
    for (mode, (place, shows)) in modes.into_iter().zip(places.iter().cycle()) {
        terminal.send(&format!(":open ops://database/{place}\r"));
        // What is on screen has come.
        terminal.until(shows, |screen| {
            screen.contains(shows) && screen.contains(" ago)") && !screen.contains("Loading …")
        });
        proxy.set(mode);
        terminal.send("r");
        terminal.shows("Not refreshed");
        terminal.send("?");
        terminal.shows("Help");
        terminal.send("\u{1b}");
        terminal.drops("Help");
        terminal.shows("Not refreshed");
        proxy.set(Mode::Pass);
        terminal.send("r");
        terminal.drops("Not refreshed");
    }
    proxy.set(Mode::Delay(Duration::from_millis(20)));
    terminal.send("r?");
    terminal.shows("Help");
    terminal.send("\u{1b}");
    terminal
        .until("fresh rows", |screen| screen.contains(" ago)") && !screen.contains("Loading …"));
    terminal.send("q");
    terminal.ends_clean(0);
}

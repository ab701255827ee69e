//! What the console tells while it is open and nobody presses a key: how far a standby is, and an audit log that is not as
//! this machine saw it.

use orderscope::db::migrate::migrate;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use super::terminal::{Start, block_on};
use crate::{
    support::{postgres::managed, replica::pair},
    verbs::Home,
};

async fn on(port: u16, database: &str, text: &str) {
    let options = pair().options(port, database);
    let mut conn = PgConnection::connect_with(&options).await.unwrap();
    conn.execute(AssertSqlSafe(text.to_owned())).await.unwrap();
    conn.close().await.unwrap();
}

#[test]
fn a_standby_tells_how_far_it_is_as_time_goes_on() {
    let pair = pair();
    block_on(async {
        on(pair.primary, "postgres", "CREATE DATABASE followed").await;
        let primary = pair.options(pair.primary, "followed");
        let mut conn = PgConnection::connect_with(&primary).await.unwrap();
        migrate(&mut conn).await.unwrap();
        conn.close().await.unwrap();
        pair.replayed("followed").await;
    });
    let url = format!("postgres://postgres@localhost:{}/followed", pair.standby);
    let mut terminal = Start::new().env("DATABASE_URL", &url).size(200, 40).open();
    terminal.shows("level with the primary");
    block_on(async {
        on(pair.standby, "followed", "SELECT pg_wal_replay_pause()").await;
        on(pair.primary, "followed", "CREATE TABLE written_later ()").await;
    });
    terminal.shows(" behind the primary");
    block_on(on(pair.standby, "followed", "SELECT pg_wal_replay_resume()"));
    terminal.shows("level with the primary");
    terminal.send("q");
    terminal.ends_clean(0);
}

#[test]
fn an_audit_log_that_is_not_as_this_machine_saw_it_is_told_in_the_header() {
    let options = block_on(managed());
    let home = Home::on(&options);
    let buyer = ["buyer", "create", "--name", "Mai", "--reason", "INC-7", "--yes"];
    assert_eq!(home.run(&buyer).code, 0);
    assert_eq!(home.run(&["audit", "verify"]).code, 0);
    let state = home.dir.path().join("state");
    let console = |flag: &str| {
        let start = Start::new().on(&options).env("XDG_STATE_HOME", &state.display().to_string());
        if flag.is_empty() { start.open() } else { start.arg(flag).open() }
    };
    let witness = state.join("orderscope").read_dir().unwrap().filter_map(Result::ok);
    let witness = witness
        .map(|entry| entry.path())
        .find(|path| path.to_string_lossy().contains("audit-head"));
    let witness = witness.unwrap();
    let kept = std::fs::read_to_string(&witness).unwrap();
    let more = kept.replace("\"count\":1", "\"count\":7");
    assert_ne!(kept, more);
    for (text, told) in [(more.as_str(), "this machine saw 7 entries"), ("{", "cannot be read")] {
        std::fs::write(&witness, text).unwrap();
        for flag in ["", "--read-only"] {
            let mut terminal = console(flag);
            terminal.shows("AUDIT BROKEN");
            terminal.send("!");
            terminal.shows(told);
            terminal.send("q");
            terminal.signal(rustix::process::Signal::TERM);
            terminal.ends();
        }
        assert_eq!(home.run(&["audit", "verify"]).code, 1, "{told}");
    }
    std::fs::write(&witness, kept).unwrap();
    assert_eq!(home.run(&["audit", "verify"]).code, 0);
}

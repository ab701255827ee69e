//! Consoles on servers of their own: one that is killed under them, and the one they start themselves.

use std::{
    fs::Permissions, os::unix::fs::PermissionsExt, path::PathBuf, process::Command, time::Duration,
};

use orderscope::{
    db::migrate::migrate,
    demo,
    embedded::{self, Config, Lease, State},
};
use rustix::process::{Pid, Signal, kill_process};
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

use super::terminal::{Start, Terminal, block_on, environment};
use crate::support::postgres::{binaries, demo_options};

/// Making a cluster and filling it takes a while on a busy machine.
const COLD_START: Duration = Duration::from_mins(5);

/// A private server of this test, which does not outlive it.
pub(super) struct Private {
    dir: TempDir,
    pub config: Config,
}

impl Private {
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("orderscope-test-").tempdir().unwrap();
        // The server's user must get in.
        std::fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        let config = Config {
            home: dir.path().join("home"),
            cache: dir.path().join("cache"),
            runtime: dir.path().to_path_buf(),
            binaries: Some(binaries(18)),
            installed: vec![],
            npm: "/nonexistent/npm".into(),
        };
        Self { dir, config }
    }

    pub async fn state(&self) -> State {
        embedded::status(&self.config).await.unwrap().state
    }

    fn pid(&self) -> Option<Pid> {
        let file = std::fs::read_to_string(self.config.home.join("cluster/postmaster.pid")).ok()?;
        Pid::from_raw(file.lines().next()?.trim().parse().ok()?)
    }

    /// Ends the server at once, as a crash would.
    fn kill(&self, signal: Signal) -> Option<Pid> {
        let pid = self.pid()?;
        kill_process(pid, signal).ok()?;
        Some(pid)
    }

    /// What any run of the program knows of it.
    fn variables(&self) -> [(&'static str, String); 3] {
        let path = |path: &PathBuf| path.display().to_string();
        [
            ("ORDERSCOPE_DATA_DIR", path(&self.config.home)),
            ("ORDERSCOPE_CACHE_DIR", path(&self.config.cache)),
            ("ORDERSCOPE_PG_BIN", path(self.config.binaries.as_ref().unwrap())),
        ]
    }

    /// A verb on it.
    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orderscope"));
        command.env_clear().envs(environment(self.dir.path())).envs(self.variables());
        command
    }

    /// A console that uses it as its own private database.
    fn console(&self) -> Terminal {
        self.start().open()
    }

    /// The same, not yet started.
    pub fn start(&self) -> Start {
        let start = Start::new().patience(COLD_START);
        self.variables().iter().fold(start, |start, (name, value)| start.env(name, value))
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        self.kill(Signal::QUIT);
        let _ = &self.dir;
    }
}

#[test]
fn a_killed_server_leaves_the_rows_with_their_age_and_comes_back() {
    let private = Private::new();
    block_on(async {
        let lease = embedded::join(&private.config, &|_| ()).await.unwrap();
        fill(&lease).await;
        let mut terminal =
            Start::new().env("DATABASE_URL", &lease.url()).config("interval = 1").open();
        terminal.until("first rows", |screen| screen.contains("> …"));
        let rows = terminal.listed();
        terminal.send("j");
        terminal.cursor_on(&rows[1]);
        private.kill(Signal::QUIT).unwrap();
        terminal.shows("Not refreshed (rows are ");
        terminal.cursor_on(&rows[1]);
        lease.revive(&|_| ()).await.unwrap();
        terminal.drops("Not refreshed");
        terminal.cursor_on(&rows[1]);
        // The timeline keeps what it has as well.
        terminal.send("\r");
        terminal.shows("Scrubber");
        private.kill(Signal::QUIT).unwrap();
        terminal.shows("Not refreshed (what you see is ");
        terminal.shows("State at v");
        lease.revive(&|_| ()).await.unwrap();
        terminal.drops("Not refreshed");
        terminal.send("q");
        terminal.ends_clean(0);
        lease.leave().await.unwrap();
    });
}

async fn fill(lease: &Lease) {
    let mut conn = PgConnection::connect_with(lease.options()).await.unwrap();
    migrate(&mut conn).await.unwrap();
    demo::load(&mut conn, demo_options(100), false, |_| ()).await.unwrap();
    conn.close().await.unwrap();
}

#[test]
fn starts_its_own_database_shares_it_and_stops_it_at_the_end() {
    let private = Private::new();
    let mut first = private.console();
    first.until("first rows", |screen| screen.contains("> …"));
    first.shows("[LOCAL]");
    let mut second = private.console();
    second.until("first rows", |screen| screen.contains("> …"));
    first.send("q");
    first.ends_clean(0);
    assert_eq!(block_on(private.state()), State::Running);
    second.send("G");
    second.send("r");
    second.shows("> …");
    second.send("q");
    second.ends_clean(0);
    assert_eq!(block_on(private.state()), State::Stopped);
}

#[test]
fn the_second_of_two_first_starts_shows_how_far_the_first_is() {
    let private = Private::new();
    let mut first = private.console();
    first.shows("writing demo orders");
    let mut second = private.console();
    second.shows("waiting for another console, which is ");
    for console in [&mut first, &mut second] {
        console.until("first rows", |screen| screen.contains("> …"));
        console.send("q");
        console.ends_clean(0);
    }
    assert_eq!(block_on(private.state()), State::Stopped);
}

#[test]
fn a_killed_private_server_is_started_again_by_its_console_and_by_the_next_verb() {
    let private = Private::new();
    let mut terminal = private.start().config("interval = 1").open();
    terminal.until("first rows", |screen| screen.contains("> …"));
    let rows = terminal.listed();
    let first = private.kill(Signal::KILL).unwrap();
    terminal.shows("the private PostgreSQL had ended and was started again");
    terminal.drops("Not refreshed");
    terminal.cursor_on(&rows[0]);
    let second = private.pid().unwrap();
    assert_ne!(first, second);
    terminal.send("q");
    terminal.ends_clean(0);
    // A console that is killed with its server leaves both to the next.
    let mut terminal = private.console();
    terminal.until("first rows", |screen| screen.contains("> …"));
    terminal.signal(Signal::KILL);
    terminal.ends();
    private.kill(Signal::KILL).unwrap();
    let found = private.command().args(["orders", "search", "status:new"]).output().unwrap();
    assert_eq!(found.status.code(), Some(0), "{found:?}");
    assert_eq!(block_on(private.state()), State::Stopped);
}

#[test]
fn a_relay_keeps_its_private_server_running() {
    let private = Private::new();
    let made = private.command().args(["orders", "search"]).output().unwrap();
    assert_eq!(made.status.code(), Some(0), "{made:?}");
    let told = private.dir.path().join("told");
    // The broker need not be there.
    let mut relay = private
        .command()
        .args(["relay", "--amqp-url", "amqp://guest@127.0.0.1:1"])
        .env("ORDERSCOPE_AMQP_PASSWORD", "guest")
        .stderr(std::fs::File::create(&told).unwrap())
        .spawn()
        .unwrap();
    let mut hears = |what: &str| {
        let end = std::time::Instant::now() + COLD_START;
        while !std::fs::read_to_string(&told).unwrap().contains(what) {
            let ended = relay.try_wait().unwrap();
            let told = std::fs::read_to_string(&told).unwrap();
            assert!(
                ended.is_none() && std::time::Instant::now() < end,
                "no {what}: {ended:?} {told}"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    hears("127.0.0.1:1");
    private.kill(Signal::KILL).unwrap();
    hears("the private PostgreSQL had ended and was started again");
    let pid = Pid::from_raw(i32::try_from(relay.id()).unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    relay.wait().unwrap();
    assert_eq!(block_on(private.state()), State::Stopped);
}

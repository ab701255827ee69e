//! The relay, the broker and PostgreSQL die in the middle: nothing is lost, order stays, and what came twice
//! is counted and has a reason.

use std::{
    collections::BTreeSet,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use orderscope::db::migrate::migrate;
use serde_json::Value;
use sqlx::{ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};

use super::{EXCHANGE, PENDING, QUEUE, arrived, count, plant, settings, until_empty};
use crate::{
    pty::terminal::{environment, url},
    support::{
        postgres::{binaries, managed, server_user},
        rabbitmq::{Broker, Taken, broker, exclusive},
    },
};

const OUTBOXES: u32 = 600;
const MESSAGES: u32 = 5;
const DELIVERED: &str = "SELECT count(*) FROM public.outbox_state WHERE delivered IS NOT NULL";

/// Waits until some outboxes are delivered, and fails if it was all of them before anybody could look.
pub(super) async fn in_the_middle(database: &PgConnectOptions) {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let delivered = count(database, DELIVERED).await;
        assert!(delivered < i64::from(OUTBOXES), "it was too fast to be disturbed");
        if delivered > 0 {
            return;
        }
        assert!(Instant::now() < end, "nothing was ever delivered");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// How many of them the relay itself says came twice perhaps, by its table and by name.
pub(super) fn told_twice(ended: &Output) -> (u64, BTreeSet<String>) {
    let answer: Value = serde_json::from_slice(&ended.stdout).unwrap();
    twice(&answer["rows"], &ended.stderr)
}

/// The same of figures and of what was told beside them.
pub(super) fn twice(rows: &Value, err: &[u8]) -> (u64, BTreeSet<String>) {
    let err = String::from_utf8_lossy(err);
    let named = err
        .lines()
        .filter_map(|line| line.strip_prefix("perhaps sent twice: message ")?.split(' ').next());
    (rows[0]["perhaps twice"].as_u64().unwrap(), named.map(ToOwned::to_owned).collect())
}

/// The ids that were taken more than once.
pub(super) fn doubles(taken: &[Taken]) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    taken.iter().map(Taken::id).filter(|id| !seen.insert(id.clone())).collect()
}

/// The real program, in small steps.
fn relay(database: &PgConnectOptions, broker: &Broker, home: &std::path::Path) -> Child {
    let config = home.join("config.toml");
    std::fs::write(&config, "[relay]\nmessages = 20\noutboxes = 4\n").unwrap();
    Command::new(env!("CARGO_BIN_EXE_orderscope"))
        .env_clear()
        .envs(environment(home))
        .env("DATABASE_URL", url(database))
        .env("ORDERSCOPE_AMQP_URL", broker.url_as("relay"))
        .env("ORDERSCOPE_AMQP_PASSWORD", "secret")
        .args(["relay", "--until-empty", "--output", "json", "--config"])
        .arg(&config)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_relay_loses_nothing() {
    let (broker, database) = (broker().await, managed().await);
    broker.bind(QUEUE, &[EXCHANGE]).await;
    plant(&database, OUTBOXES, MESSAGES).await;
    let home = tempfile::tempdir().unwrap();
    let mut first = relay(&database, &broker, home.path());
    in_the_middle(&database).await;
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(count(&database, PENDING).await > 0, "it was killed too late");
    let second = relay(&database, &broker, home.path()).wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&second.stdout);
    assert_eq!(second.status.code(), Some(0), "{told} {}", String::from_utf8_lossy(&second.stderr));
    let taken = broker.take(QUEUE).await;
    let doubled = arrived(&taken, OUTBOXES, MESSAGES);
    // At most what two lanes had sent and not yet noted when it was killed, and the next one names each.
    assert!(doubled <= 40, "{doubled} came twice");
    let (counted, named) = told_twice(&second);
    assert!(counted <= 40, "{counted} are told");
    assert_eq!(named.len() as u64, counted, "{told}");
    assert!(doubles(&taken).is_subset(&named), "{:?} of {named:?}", doubles(&taken));
    assert_eq!(count(&database, PENDING).await, 0);
}

/// The real program is killed with messages out that nobody will ever hear of: the broker takes none of what it
/// is sent, and what it took before waits for no one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_relay_had_sent_is_counted_and_named_by_the_next() {
    let (broker, database) = (exclusive().await, managed().await);
    broker.bind(QUEUE, &[EXCHANGE]).await;
    plant(&database, 3, 5).await;
    let home = tempfile::tempdir().unwrap();
    broker.alarm(true);
    let mut first = relay(&database, &broker, home.path());
    let send_log = || {
        let found = walk(home.path())
            .into_iter()
            .find(|path| path.extension().is_some_and(|ending| ending == "journal"));
        found.map(|path| std::fs::read_to_string(path).unwrap()).unwrap_or_default()
    };
    let end = Instant::now() + Duration::from_secs(60);
    while !send_log().contains(" ?\n") {
        assert!(Instant::now() < end, "nothing was noted before it was sent");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    first.kill().unwrap();
    first.wait().unwrap();
    let open: BTreeSet<String> = send_log()
        .lines()
        .filter_map(|line| line.strip_suffix(" ?"))
        .filter_map(|line| Some(line.split_once(' ')?.1.to_owned()))
        .collect();
    assert!(!open.is_empty());
    broker.alarm(false);
    let second = relay(&database, &broker, home.path()).wait_with_output().unwrap();
    assert_eq!(second.status.code(), Some(0), "{second:?}");
    let (counted, named) = told_twice(&second);
    assert_eq!(counted, open.len() as u64, "{second:?}");
    assert_eq!(named, open);
    let taken = broker.take(QUEUE).await;
    arrived(&taken, 3, 5);
    assert!(doubles(&taken).is_subset(&named), "{:?} of {named:?}", doubles(&taken));
    assert_eq!(count(&database, PENDING).await, 0);
    assert_eq!(send_log(), "", "the send log holds what is recorded");
}

/// Every file below.
fn walk(dir: &std::path::Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else { return vec![] };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_broker_loses_nothing() {
    let (broker, database) = (exclusive().await, managed().await);
    broker.bind(QUEUE, &[EXCHANGE]).await;
    plant(&database, OUTBOXES, MESSAGES).await;
    let mut settings = settings(&database, &broker);
    (settings.most.messages, settings.most.outboxes) = (20, 4);
    let work = tokio::spawn(until_empty(settings));
    in_the_middle(&database).await;
    broker.kill();
    broker.start().await;
    let stats = work.await.unwrap().unwrap();
    let doubled = arrived(&broker.take(QUEUE).await, OUTBOXES, MESSAGES);
    // Only messages whose confirm died with the broker may have come twice.
    assert!(doubled as u64 <= stats.unknown, "{doubled} came twice: {stats:?}");
    assert_eq!(count(&database, PENDING).await, 0);
}

/// A server of the test's own, which can be killed.
struct Private {
    dir: tempfile::TempDir,
    server: Option<Child>,
}

impl Private {
    fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("orderscope-test-").tempdir().unwrap();
        let mut private = Self { dir, server: None };
        if rustix::process::geteuid().is_root() {
            let (uid, gid) = server_user();
            std::os::unix::fs::chown(private.dir.path(), Some(uid), Some(gid)).unwrap();
        }
        let made = private
            .command("initdb")
            .args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N", "-D"])
            .arg(private.data())
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        private.start();
        private
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(binaries(18).join(program));
        if rustix::process::geteuid().is_root() {
            let (uid, gid) = server_user();
            command.uid(uid).gid(gid);
        }
        command.current_dir(self.dir.path());
        command
    }

    fn start(&mut self) {
        let socket = self.dir.path().display().to_string();
        let server = self
            .command("postgres")
            .arg("-D")
            .arg(self.data())
            .args(["-k", &socket, "-c", "listen_addresses=", "-c", "fsync=off"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.server = Some(server);
    }

    /// At once, without a checkpoint: it recovers when it starts again.
    fn crash(&mut self) {
        if let Some(mut server) = self.server.take() {
            let pid = rustix::process::Pid::from_child(&server);
            rustix::process::kill_process(pid, rustix::process::Signal::QUIT).unwrap();
            server.wait().unwrap();
        }
    }

    fn options(&self) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(self.dir.path())
            .port(5432)
            .username("postgres")
            .database("postgres")
            .disable_statement_logging()
    }

    async fn wait(&self) {
        let end = Instant::now() + Duration::from_secs(60);
        while PgConnection::connect_with(&self.options()).await.is_err() {
            assert!(Instant::now() < end, "the private PostgreSQL did not start");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        self.crash();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crashed_database_loses_nothing_and_doubles_nothing() {
    let broker = broker().await;
    let mut server = Private::new();
    server.wait().await;
    let database = server.options();
    let mut conn = PgConnection::connect_with(&database).await.unwrap();
    migrate(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    broker.bind(QUEUE, &[EXCHANGE]).await;
    plant(&database, OUTBOXES, MESSAGES).await;
    let home = tempfile::tempdir().unwrap();
    let mut settings = settings(&database, &broker);
    (settings.most.messages, settings.most.outboxes) = (20, 4);
    settings.send_log = Some(super::send_log(home.path()));
    let work = tokio::spawn(until_empty(settings));
    in_the_middle(&database).await;
    server.crash();
    server.start();
    server.wait().await;
    let stats = work.await.unwrap().unwrap();
    // What was confirmed while the commit failed is in the send log, and is not sent again.
    assert_eq!(arrived(&broker.take(QUEUE).await, OUTBOXES, MESSAGES), 0, "{stats:?}");
    assert_eq!(count(&database, PENDING).await, 0);
    let left = std::fs::read_to_string(home.path().join("relay.journal")).unwrap();
    assert_eq!(left, "", "the send log holds what is recorded");
}

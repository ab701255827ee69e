//! The private PostgreSQL: its life, its users, its accidents.

mod accidents;
mod lookup;
mod upgrade;

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex, Weak},
};

use orderscope::embedded::{self, Config, Error, Lease, Left, Progress, State};
use sqlx::{Connection, Executor, PgConnection};

use crate::support::postgres::binaries;

/// A private database of its own, whose server ends with the test.
struct Home {
    config: Config,
    /// Goes before the directory it is mounted in.
    disk: Option<Disk>,
    _dir: tempfile::TempDir,
    /// Kept for the others.
    template: Option<Arc<Home>>,
}

impl Home {
    /// Its programs are those of one major version and no others. No database yet.
    fn new(major: u32) -> Self {
        Self::with(Some(binaries(major)))
    }

    /// With a new, stopped database: a copy of one that is made once for all tests that run now.
    async fn made(major: u32) -> Self {
        static MADE: tokio::sync::Mutex<BTreeMap<u32, Weak<Home>>> =
            tokio::sync::Mutex::const_new(BTreeMap::new());
        let mut made = MADE.lock().await;
        let template = if let Some(template) = made.get(&major).and_then(Weak::upgrade) {
            template
        } else {
            let template = Arc::new(Self::new(major));
            template.join().await.leave().await.unwrap();
            made.insert(major, Arc::downgrade(&template));
            template
        };
        drop(made);
        let mut home = Self::new(major);
        let copied =
            Command::new("cp").arg("-a").args([&template.config.home, &home.config.home]).status();
        assert!(copied.unwrap().success());
        home.template = Some(template);
        home
    }

    fn with(binaries: Option<PathBuf>) -> Self {
        let dir = tempfile::Builder::new().prefix("orderscope-test-").tempdir_in(place()).unwrap();
        // As root the server is another user's, who has to get in.
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let config = Config {
            home: dir.path().join("home"),
            cache: dir.path().join("cache"),
            runtime: dir.path().to_path_buf(),
            binaries,
            installed: Vec::new(),
            npm: "/nonexistent/npm".into(),
        };
        Self { config, disk: None, _dir: dir, template: None }
    }

    fn cluster(&self) -> PathBuf {
        self.config.home.join("cluster")
    }

    async fn join(&self) -> Lease {
        embedded::join(&self.config, &silent).await.unwrap()
    }

    async fn refused(&self) -> Error {
        embedded::join(&self.config, &silent).await.unwrap_err()
    }

    async fn state(&self) -> State {
        embedded::status(&self.config).await.unwrap().state
    }

    fn pid(&self) -> Option<i32> {
        pid_in(&self.cluster())
    }
}

/// However the test ended.
impl Drop for Home {
    fn drop(&mut self) {
        for entry in self.config.home.read_dir().into_iter().flatten().filter_map(Result::ok) {
            if let Some(pid) = pid_in(&entry.path()).filter(|pid| is_postgres(*pid)) {
                kill(pid, rustix::process::Signal::QUIT);
                wait_blocking(|| !is_postgres(pid));
            }
        }
    }
}

/// In memory where there is plenty, because these servers write what they write to the disk.
fn place() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let free = rustix::fs::statvfs(memory).map_or(0, |fs| fs.f_bavail * fs.f_frsize);
    if free > 4 << 30 { memory.to_path_buf() } else { std::env::temp_dir() }
}

/// A small disk of its own, where mounting is allowed.
pub struct Disk(PathBuf);

impl Disk {
    pub fn mount(at: &Path, options: &str) -> Option<Self> {
        let mut mount = Command::new("mount");
        let output = mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(at).output().ok()?;
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        output.status.success().then(|| Self(at.to_path_buf()))
    }

    pub fn resize(&self, size: &str) {
        let options = format!("remount,size={size}");
        let status = Command::new("mount").args(["-o", &options]).arg(&self.0).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(&self.0).status().unwrap();
    }
}

fn silent(_: Progress) {}

fn pid_in(cluster: &Path) -> Option<i32> {
    fs::read_to_string(cluster.join("postmaster.pid")).ok()?.lines().next()?.parse().ok()
}

/// Whether that process is a server; a dead one nobody has waited for is none.
fn is_postgres(pid: i32) -> bool {
    // Linux has no `ps` everywhere, macOS has no /proc.
    let line = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_else(|_| {
        let id = pid.to_string();
        let output = Command::new("ps").args(["-o", "comm=,stat=", "-p", &id]).output();
        output
            .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
            .unwrap_or_default()
    });
    let dead = line.split_whitespace().any(|word| word.starts_with('Z'));
    line.contains("postgres") && !dead
}

fn kill(pid: i32, signal: rustix::process::Signal) {
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), signal).unwrap();
}

fn wait_blocking(mut condition: impl FnMut() -> bool) {
    let end = std::time::Instant::now() + std::time::Duration::from_mins(1);
    while !condition() {
        assert!(std::time::Instant::now() < end, "waited a minute");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

async fn connect(lease: &Lease) -> PgConnection {
    PgConnection::connect_with(lease.options()).await.unwrap()
}

async fn run(lease: &Lease, sql: &'static str) {
    let mut conn = connect(lease).await;
    conn.execute(sql).await.unwrap();
    conn.close().await.unwrap();
}

async fn number(lease: &Lease, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(&mut connect(lease).await).await.unwrap()
}

async fn text(lease: &Lease, sql: &'static str) -> String {
    sqlx::query_scalar(sql).fetch_one(&mut connect(lease).await).await.unwrap()
}

#[tokio::test]
async fn lives_as_long_as_somebody_uses_it_and_keeps_its_data() {
    for major in [15, 18] {
        let home = Home::new(major);
        assert_eq!(home.state().await, State::Absent);
        let one = home.join().await;
        run(&one, "CREATE TABLE t AS SELECT 42::bigint AS n").await;
        let two = home.join().await;
        assert_eq!(number(&two, "SELECT n FROM t").await, 42);
        let status = embedded::status(&home.config).await.unwrap();
        assert_eq!((status.state, status.major), (State::Running, Some(major)));
        assert_eq!((status.in_use, status.keep, status.pid), (Some(true), false, home.pid()));
        assert_eq!(one.leave().await.unwrap(), Left::InUse);
        assert_eq!(number(&two, "SELECT n FROM t").await, 42);
        assert_eq!(two.leave().await.unwrap(), Left::Stopped);
        assert_eq!(home.state().await, State::Stopped);
        let again = home.join().await;
        assert_eq!(number(&again, "SELECT n FROM t").await, 42);
        again.leave().await.unwrap();
    }
}

#[tokio::test]
async fn is_what_the_product_expects_of_a_server() {
    for major in [15, 18] {
        let home = Home::made(major).await;
        let lease = home.join().await;
        let settings = "SELECT concat_ws(' ', current_setting('server_encoding'),
            current_setting('TimeZone'), current_setting('jit'), current_setting('data_checksums'),
            current_setting('fsync'), '[' || current_setting('listen_addresses') || ']',
            current_user, current_database(), upper('đỗ'), 'a' > 'B')";
        let expected = "UTF8 UTC off on on [] orderscope orderscope ĐỖ t";
        assert_eq!(text(&lease, settings).await, expected);
        let sockets = fs::metadata(home.config.home.join("socket")).unwrap();
        assert_eq!(sockets.permissions().mode() & 0o777, 0o700);
        lease.leave().await.unwrap();
    }
}

#[tokio::test]
async fn consoles_that_start_at_the_same_moment_make_one_server() {
    let home = Home::new(18);
    let heard = Mutex::new(Vec::new());
    let report = |progress| heard.lock().unwrap().push(progress);
    let joins = (0..4).map(|_| embedded::join(&home.config, &report));
    let leases = futures::future::try_join_all(joins).await.unwrap();
    let count =
        |wanted: fn(&Progress) -> bool| heard.lock().unwrap().iter().filter(|p| wanted(p)).count();
    assert_eq!(count(|p| matches!(p, Progress::Initialising { .. })), 1);
    assert_eq!(count(|p| matches!(p, Progress::Starting { .. })), 1);
    assert_eq!(count(|p| matches!(p, Progress::Ready)), 4);
    // They leave at the same moment too: exactly one is the last.
    let left = futures::future::try_join_all(leases.into_iter().map(Lease::leave)).await.unwrap();
    assert_eq!(left.iter().filter(|left| **left == Left::Stopped).count(), 1);
    assert_eq!(home.state().await, State::Stopped);
}

#[tokio::test]
async fn coming_and_going_never_finds_a_stopping_server() {
    let home = Arc::new(Home::made(18).await);
    let visit = |home: Arc<Home>| async move {
        for _ in 0..5 {
            let lease = home.join().await;
            assert_eq!(number(&lease, "SELECT 1::bigint").await, 1);
            lease.leave().await.unwrap();
        }
    };
    let visitors = (0..3).map(|_| tokio::spawn(visit(Arc::clone(&home))));
    futures::future::try_join_all(visitors).await.unwrap();
    assert_eq!(home.state().await, State::Stopped);
}

#[tokio::test]
async fn start_keeps_it_until_stop() {
    let home = Home::made(18).await;
    let started = embedded::start(&home.config, &silent).await.unwrap();
    assert!(!started.already);
    assert_eq!(started.url, embedded::url(&home.config).unwrap());
    assert!(embedded::start(&home.config, &silent).await.unwrap().already);
    let lease = home.join().await;
    assert_eq!(started.url, lease.url());
    assert_eq!(lease.leave().await.unwrap(), Left::Kept);
    assert_eq!(home.state().await, State::Running);

    let lease = home.join().await;
    let refused = embedded::stop(&home.config, false, &silent).await.unwrap_err();
    assert!(matches!(refused, Error::InUse), "{refused}");
    assert!(refused.to_string().contains("--force"));
    drop(lease);
    assert!(embedded::stop(&home.config, false, &silent).await.unwrap().was_running);
    assert!(!embedded::stop(&home.config, false, &silent).await.unwrap().was_running);
    assert!(!embedded::status(&home.config).await.unwrap().keep);
}

#[tokio::test]
async fn a_forced_stop_cuts_the_users_who_can_come_back() {
    let home = Home::made(18).await;
    let lease = home.join().await;
    let mut conn = connect(&lease).await;
    assert!(embedded::stop(&home.config, true, &silent).await.unwrap().was_running);
    conn.execute("SELECT 1").await.unwrap_err();
    lease.revive(&silent).await.unwrap();
    assert_eq!(number(&lease, "SELECT 1::bigint").await, 1);
    assert_eq!(lease.leave().await.unwrap(), Left::Stopped);
}

#[tokio::test]
async fn reset_removes_everything_once_nobody_uses_it() {
    let home = Home::made(18).await;
    let lease = home.join().await;
    run(&lease, "CREATE TABLE t ()").await;
    let refused = embedded::reset(&home.config, false, &silent).await.unwrap_err();
    assert!(matches!(refused, Error::InUse), "{refused}");
    lease.leave().await.unwrap();
    assert!(embedded::reset(&home.config, false, &silent).await.unwrap().existed);
    assert!(!embedded::reset(&home.config, false, &silent).await.unwrap().existed);
    assert_eq!(home.state().await, State::Absent);
    let lease = home.join().await;
    assert_eq!(number(&lease, "SELECT count(*) FROM pg_class WHERE relname = 't'").await, 0);
    lease.leave().await.unwrap();
}

#[tokio::test]
async fn the_url_works_for_other_programs() {
    let home = Home::made(18).await;
    let lease = home.join().await;
    let mut conn = PgConnection::connect(&lease.url()).await.unwrap();
    let user: String =
        sqlx::query_scalar("SELECT current_user::text").fetch_one(&mut conn).await.unwrap();
    assert_eq!(user, "orderscope");
    conn.close().await.unwrap();
    lease.leave().await.unwrap();
}

#[tokio::test]
async fn a_home_too_long_for_a_socket_has_it_elsewhere() {
    let mut home = Home::new(18);
    home.config.home = home.config.home.join("x".repeat(100));
    fs::create_dir(home.config.home.parent().unwrap()).unwrap();
    let lease = home.join().await;
    assert!(!lease.url().contains(&"x".repeat(100)));
    assert_eq!(number(&lease, "SELECT 1::bigint").await, 1);
    lease.leave().await.unwrap();
}

//! A private PostgreSQL per test run and major version; a fresh database per test.
//!
//! The server is the child of a small shell that stops it when its standard input closes, which
//! happens in whatever way the test process ends: nothing is left behind, even after SIGKILL.

use std::{
    collections::BTreeMap,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use orderscope::{
    db::migrate::migrate,
    demo::{Options, load},
};
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, postgres::PgConnectOptions};
use tokio::sync::{Mutex, OnceCell};

/// The server asks members of this role for a password. The test that needs the role creates it.
pub const GUARDED: &str = "orderscope_guarded";

/// A running private server. Lives as long as the test process.
pub struct Server {
    socket_dir: PathBuf,
    /// Closing its standard input stops the server.
    _keeper: Child,
}

/// PostgreSQL 18, the reference.
pub fn pg18() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(&binaries(18)))
}

/// The oldest supported version.
pub fn pg15() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(&binaries(15)))
}

/// A new database on PostgreSQL 18 with the schema of `orderscope migrate` and no rows.
pub async fn managed() -> PgConnectOptions {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    let template = TEMPLATE
        .get_or_init(|| async {
            let options = pg18().empty().await;
            let mut conn = PgConnection::connect_with(&options).await.unwrap();
            migrate(&mut conn).await.unwrap();
            conn.close().await.unwrap();
            options.get_database().unwrap().to_owned()
        })
        .await;
    pg18().create(template).await
}

/// A new database on PostgreSQL 18 with this many demo orders of the two years before 2026-11-22, seed 1.
/// Every number of orders is loaded once per run.
pub async fn demo(orders: u64) -> PgConnectOptions {
    static TEMPLATES: Mutex<BTreeMap<u64, Arc<OnceCell<String>>>> =
        Mutex::const_new(BTreeMap::new());
    let cell = Arc::clone(TEMPLATES.lock().await.entry(orders).or_default());
    let template = cell
        .get_or_init(|| async {
            let options = managed().await;
            let mut conn = PgConnection::connect_with(&options).await.unwrap();
            load(&mut conn, demo_options(orders), false, |_| ()).await.unwrap();
            conn.close().await.unwrap();
            options.get_database().unwrap().to_owned()
        })
        .await;
    pg18().create(template).await
}

/// The options of `demo`.
pub fn demo_options(orders: u64) -> Options {
    let until = chrono::NaiveDate::from_ymd_opt(2026, 11, 22).unwrap();
    Options { orders, seed: 1, years: 2, until }
}

impl Server {
    /// Connection options for one of its databases.
    pub fn options(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(&self.socket_dir)
            .port(5432)
            .username("postgres")
            .database(database)
            .disable_statement_logging()
    }

    /// A new database, as empty as after `initdb`.
    pub async fn empty(&self) -> PgConnectOptions {
        self.create("template0").await
    }

    /// A copy of database `template`.
    pub async fn create(&self, template: &str) -> PgConnectOptions {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let mut admin = self.admin().await;
        let create = format!("CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy");
        // CREATE DATABASE cannot bind names; both come from this file.
        admin.execute(sqlx::AssertSqlSafe(create)).await.unwrap();
        self.options(&name)
    }

    /// The socket answers a moment before the server accepts sessions.
    async fn admin(&self) -> PgConnection {
        let end = Instant::now() + Duration::from_mins(1);
        loop {
            match PgConnection::connect_with(&self.options("postgres")).await {
                Ok(conn) => return conn,
                Err(error) => assert!(Instant::now() < end, "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn start(bin: &Path) -> Self {
        // From here on the shell removes it.
        let dir = tempfile::Builder::new().prefix("orderscope-test-").tempdir().unwrap();
        let root = dir.path().to_owned();
        let data = root.join("data");
        let as_root = rustix::process::geteuid().is_root();
        let owner = as_root.then(server_user);
        if let Some((uid, gid)) = owner {
            std::os::unix::fs::chown(&root, Some(uid), Some(gid)).unwrap();
        }
        let command = |program: &Path| {
            let mut command = Command::new(program);
            if let Some((uid, gid)) = owner {
                command.uid(uid).gid(gid);
            }
            command.current_dir(&root).env_remove("DATABASE_URL");
            command
        };
        let made = command(&bin.join("initdb"))
            .args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N", "-D"])
            .arg(&data)
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        // Members of one role need a password, everybody else is trusted.
        let hba = data.join("pg_hba.conf");
        let trusting = std::fs::read_to_string(&hba).unwrap();
        let guarded = format!("local all +{GUARDED} scram-sha-256\n{trusting}");
        std::fs::write(&hba, guarded).unwrap();
        let script = r#"
            "$1"/postgres -D "$2" -k "$3" -c listen_addresses= -c fsync=off -c full_page_writes=off \
              -c synchronous_commit=off -c shared_buffers=256MB -c max_connections=300 \
              -c max_prepared_transactions=0 -c log_min_messages=fatal -c autovacuum=on \
              -c timezone=UTC -c wal_level=minimal -c max_wal_senders=0 >"$3"/log 2>&1 </dev/null &
            server=$!
            cat >/dev/null
            kill -QUIT $server; wait $server; rm -rf "$3"
        "#;
        let keeper = command(Path::new("sh"))
            .args(["-c", script, "sh"])
            .args([bin, &data, &root])
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let server = Self { socket_dir: dir.keep(), _keeper: keeper };
        let end = Instant::now() + Duration::from_mins(1);
        while std::os::unix::net::UnixStream::connect(server.socket_dir.join(".s.PGSQL.5432"))
            .is_err()
        {
            assert!(Instant::now() < end, "the private PostgreSQL did not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }
}

pub fn server_user() -> (u32, u32) {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap();
    ["postgres", "nobody"]
        .iter()
        .find_map(|name| {
            let line = passwd.lines().find(|l| l.starts_with(&format!("{name}:")))?;
            let mut fields = line.split(':').skip(2).map(|f| f.parse().unwrap());
            Some((fields.next()?, fields.next()?))
        })
        .expect("a user that may run PostgreSQL")
}

/// The directory of the server programs of one major version: named by `ORDERSCOPE_TEST_PG…`, else where
/// the product itself finds or fetches them. A machine that has none fails the test.
pub fn binaries(major: u32) -> PathBuf {
    static FOUND: std::sync::Mutex<std::collections::BTreeMap<u32, PathBuf>> =
        std::sync::Mutex::new(std::collections::BTreeMap::new());
    let mut found = FOUND.lock().unwrap();
    let named = || std::env::var_os(format!("ORDERSCOPE_TEST_PG{major}")).map(PathBuf::from);
    let dir = found.entry(major).or_insert_with(|| named().unwrap_or_else(|| find(major)));
    assert!(dir.join("initdb").is_file(), "{} has no PostgreSQL {major}", dir.display());
    dir.clone()
}

fn find(major: u32) -> PathBuf {
    let find = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let config = orderscope::embedded::Config::from_env();
        runtime.block_on(orderscope::embedded::binaries(&config, major, &|_| ()))
    };
    // Tests call this inside a runtime, where another one may not block.
    match std::thread::spawn(find).join().unwrap() {
        Ok(binaries) => binaries.dir,
        Err(error) => panic!("the tests need PostgreSQL {major}: {error}"),
    }
}

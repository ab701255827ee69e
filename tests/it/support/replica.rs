//! A private primary with TLS and TCP, and a hot standby that follows it.

use std::{
    fs,
    net::TcpListener,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};

use super::postgres::{binaries, server_user};
use crate::pty::terminal::block_on;

/// Both servers and the certificates. They live as long as the test process.
pub struct Pair {
    dir: PathBuf,
    pub primary: u16,
    pub standby: u16,
    _keepers: [Child; 2],
}

/// One pair for all tests.
pub fn pair() -> &'static Pair {
    static PAIR: OnceLock<Pair> = OnceLock::new();
    PAIR.get_or_init(Pair::start)
}

impl Pair {
    /// A file of the pair: `ca.crt`, `other-ca.crt`, `client.crt`, `client.key`.
    pub fn file(&self, name: &str) -> String {
        self.dir.join(name).display().to_string()
    }

    /// The primary, or the standby, by its socket.
    pub fn options(&self, port: u16, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(&self.dir)
            .port(port)
            .username("postgres")
            .database(database)
    }

    /// Waits until the standby has a database that the primary has, with all that was written to it.
    pub async fn replayed(&self, database: &str) {
        let mut conn =
            PgConnection::connect_with(&self.options(self.primary, "postgres")).await.unwrap();
        let sql = "SELECT pg_current_wal_flush_lsn()::text";
        let written: String = sqlx::query_scalar(sql).fetch_one(&mut conn).await.unwrap();
        conn.close().await.unwrap();
        let end = Instant::now() + Duration::from_mins(1);
        loop {
            let options = self.options(self.standby, database);
            if let Ok(mut conn) = PgConnection::connect_with(&options).await {
                let sql = "SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn";
                if sqlx::query_scalar(sql).bind(&written).fetch_one(&mut conn).await.unwrap() {
                    return;
                }
            }
            assert!(Instant::now() < end, "the standby does not follow");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn start() -> Self {
        let dir = tempfile::Builder::new().prefix("orderscope-pair-").tempdir().unwrap().keep();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
        let owner = rustix::process::geteuid().is_root().then(server_user);
        if let Some((uid, gid)) = owner {
            std::os::unix::fs::chown(&dir, Some(uid), Some(gid)).unwrap();
        }
        let bin = binaries(18);
        let command = |program: &Path| {
            let mut command = Command::new(program);
            if let Some((uid, gid)) = owner {
                command.uid(uid).gid(gid);
            }
            command.current_dir(&dir).env_remove("DATABASE_URL");
            command
        };
        let run = |command: &mut Command| {
            let done = command.output().unwrap();
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        };
        run(command(Path::new("sh")).args(["-c", CERTIFICATES]));
        let data = dir.join("primary");
        run(command(&bin.join("initdb"))
            .args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N", "-D"])
            .arg(&data));
        let hba = data.join("pg_hba.conf");
        let trusting = fs::read_to_string(&hba).unwrap();
        fs::write(&hba, format!("{RULES}{trusting}")).unwrap();
        // A server that never ran is a backup of itself.
        run(command(Path::new("cp")).args(["-a", "primary", "standby"]));
        let ports = [free_port(), free_port()];
        let follow = format!(
            "primary_conninfo = 'host={} port={} user=postgres'\n",
            dir.display(),
            ports[0]
        );
        let settings = dir.join("standby/postgresql.auto.conf");
        fs::write(settings, follow).unwrap();
        fs::write(dir.join("standby/standby.signal"), "").unwrap();
        let keepers = ["primary", "standby"].map(|name| {
            let port = ports[usize::from(name == "standby")].to_string();
            let script = r#"
                "$1"/postgres -D "$2" -k "$3" -p "$4" -c listen_addresses=127.0.0.1 -c fsync=off \
                  -c max_connections=100 -c wal_keep_size=256MB -c ssl=on -c ssl_ca_file="$3"/ca.crt \
                  -c ssl_cert_file="$3"/server.crt -c ssl_key_file="$3"/server.key -c timezone=UTC \
                  -c hot_standby_feedback=on >"$3"/"$4".log 2>&1 </dev/null &
                server=$!
                cat >/dev/null
                kill -QUIT $server; wait $server; rm -rf "$2"
                rmdir "$3"/primary "$3"/standby 2>/dev/null
                [ -d "$3"/primary ] || [ -d "$3"/standby ] || rm -rf "$3"
            "#;
            command(Path::new("sh"))
                .args(["-c", script, "sh"])
                .args([&bin, &dir.join(name), &dir])
                .arg(port)
                .stdin(Stdio::piped())
                .process_group(0)
                .spawn()
                .unwrap()
        });
        let pair = Self { dir, primary: ports[0], standby: ports[1], _keepers: keepers };
        for port in ports {
            let (options, log) =
                (pair.options(port, "postgres"), pair.file(&format!("{port}.log")));
            // Tests call this inside a runtime, which must not be blocked by another one.
            std::thread::spawn(move || block_on(answering(&options, &log))).join().unwrap();
        }
        pair
    }
}

/// Waits until a server takes sessions, which a standby does some time after its start.
async fn answering(options: &PgConnectOptions, log: &str) {
    let end = Instant::now() + Duration::from_mins(1);
    while let Err(error) = PgConnection::connect_with(options).await {
        let log = fs::read_to_string(log).unwrap_or_default();
        assert!(Instant::now() < end, "a server of the pair did not start: {error}\n{log}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Who must show what when coming by TCP. Everybody else is trusted.
const RULES: &str = "hostssl all certified 127.0.0.1/32 cert\n\
                     host all certified 127.0.0.1/32 reject\n\
                     host all guarded 127.0.0.1/32 scram-sha-256\n";

/// An authority, a server named localhost, a client named certified, and an authority that signed nothing.
const CERTIFICATES: &str = r#"
    set -e
    key="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
    for ca in ca other-ca; do
        openssl req -x509 $key -keyout $ca.key -out $ca.crt -days 3650 -subj /CN=$ca \
            -addext basicConstraints=critical,CA:TRUE
    done
    sign() {
        openssl req $key -keyout $1.key -out $1.csr -subj /CN=$2
        printf '%s\n' "$3" >$1.ext
        openssl x509 -req -in $1.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out $1.crt -days 3650 -extfile $1.ext
        chmod 600 $1.key
    }
    sign server localhost subjectAltName=DNS:localhost
    sign client certified extendedKeyUsage=clientAuth
"#;

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

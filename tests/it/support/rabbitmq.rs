//! A private RabbitMQ for all tests of a run, with a virtual host for each. A test that has it exclusively
//! can kill and restart it.
//!
//! Like the private PostgreSQL it is the child of a small shell that stops it, and its port mapper, when its
//! standard input closes.

use std::{
    collections::BTreeMap,
    io::Write,
    net::TcpListener,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures::StreamExt;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind,
    options::{BasicConsumeOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::FieldTable,
};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::postgres::server_user;

/// Virtual hosts created at start; every test takes one.
const VIRTUAL_HOSTS: usize = 96;
/// The user of all tests, `relay`, has the password `secret` (salted SHA-256, as the broker stores it).
const PASSWORD_HASH: &str = "AQIDBDB9kM21iEUzN1lZ+6VReCsdNqS0sERdAQTcY6Xs3PMz";

static USE: RwLock<()> = RwLock::const_new(());

/// The broker, for as long as the test needs it.
pub struct Broker {
    server: &'static Server,
    virtual_host: String,
    _shared: Option<RwLockReadGuard<'static, ()>>,
    exclusive: Option<RwLockWriteGuard<'static, ()>>,
}

struct Server {
    port: u16,
    epmd: u16,
    keeper: Mutex<Child>,
}

/// A broker that answers nothing; it goes on when this is dropped.
pub struct Frozen<'a>(&'a Broker);

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        self.0.command("thaw");
    }
}

/// A virtual host for one test.
pub async fn broker() -> Broker {
    let shared = USE.read().await;
    Broker { server: server().await, virtual_host: next(), _shared: Some(shared), exclusive: None }
}

/// The same without other tests on the broker, so that it may be killed.
pub async fn exclusive() -> Broker {
    let guard = USE.write().await;
    Broker { server: server().await, virtual_host: next(), _shared: None, exclusive: Some(guard) }
}

fn next() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    assert!(number < VIRTUAL_HOSTS, "more tests than virtual hosts");
    format!("t{number}")
}

async fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    let server = SERVER.get_or_init(Server::start);
    server.wait().await;
    server
}

impl Broker {
    /// The URL with the tests' user and password.
    pub fn url(&self) -> String {
        self.server.url("relay:secret", &self.virtual_host)
    }

    /// The URL with another login.
    pub fn url_as(&self, login: &str) -> String {
        self.server.url(login, &self.virtual_host)
    }

    /// `127.0.0.1:PORT/VIRTUALHOST`
    pub fn place(&self) -> String {
        format!("127.0.0.1:{}/{}", self.server.port, self.virtual_host)
    }

    /// Kills the broker as a power failure would, without waiting.
    pub fn kill(&self) {
        self.command("kill");
    }

    /// Freezes the broker until the guard goes: it answers nothing and keeps its connections.
    pub fn freeze(&self) -> Frozen<'_> {
        self.command("freeze");
        Frozen(self)
    }

    /// Restarts the broker with what it has on disk, and waits until it answers.
    pub async fn start(&self) {
        self.command("start");
        self.server.wait().await;
    }

    /// Raises or clears the memory alarm, during which the broker accepts no messages.
    pub fn alarm(&self, on: bool) {
        assert!(self.exclusive.is_some(), "others use this broker");
        let Server { port, epmd, .. } = self.server;
        let limit: &[&str] = if on { &["0.000001"] } else { &["absolute", "2GB"] };
        let done = Command::new(program().with_file_name("rabbitmqctl"))
            .env_clear()
            .env("HOME", std::env::temp_dir())
            .env("PATH", std::env::var("PATH").unwrap_or_default())
            .env("LANG", "C.UTF-8")
            .env("ERL_EPMD_PORT", epmd.to_string())
            .args(["--erlang-cookie", &format!("tests{port}")])
            .args(["--node", &format!("orderscope{port}@localhost")])
            .arg("set_vm_memory_high_watermark")
            .args(limit)
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    fn command(&self, word: &str) {
        assert!(self.exclusive.is_some(), "others use this broker");
        let mut keeper = self.server.keeper.lock().unwrap();
        writeln!(keeper.stdin.as_mut().unwrap(), "{word}").unwrap();
    }

    pub async fn channel(&self) -> (Connection, Channel) {
        let connection =
            Connection::connect(&self.url(), ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        (connection, channel)
    }

    /// Declares exchanges as MassTransit does, with one durable queue bound to all of them.
    pub async fn bind(&self, queue: &str, exchanges: &[&str]) {
        let (connection, channel) = self.channel().await;
        let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        channel.queue_declare(queue.into(), durable, FieldTable::default()).await.unwrap();
        for exchange in exchanges {
            let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
            let none = FieldTable::default();
            let name = (*exchange).into();
            let fanout = ExchangeKind::Fanout;
            channel.exchange_declare(name, fanout, options, none.clone()).await.unwrap();
            let options = QueueBindOptions::default();
            let (queue, name) = (queue.into(), (*exchange).into());
            channel.queue_bind(queue, name, "".into(), options, none).await.unwrap();
        }
        connection.close(200, "".into()).await.unwrap();
    }

    pub async fn depth(&self, queue: &str) -> u32 {
        let (connection, channel) = self.channel().await;
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let found =
            channel.queue_declare(queue.into(), options, FieldTable::default()).await.unwrap();
        connection.close(200, "".into()).await.unwrap();
        found.message_count()
    }

    /// Waits until this many messages are ready in these queues together: messages that a reader returns by closing
    /// its connection are ready a moment later, when the broker has noticed.
    pub async fn rests(&self, queues: &[&str], number: u32) {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let mut ready = 0;
            for queue in queues {
                ready += self.depth(queue).await;
            }
            if ready == number {
                return;
            }
            assert!(Instant::now() < end, "{ready} messages in {queues:?}, not {number}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Takes all messages from a queue, in order. Confirmed messages are in it by then.
    pub async fn take(&self, queue: &str) -> Vec<Taken> {
        let depth = self.depth(queue).await as usize;
        let (connection, channel) = self.channel().await;
        let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
        let consumer = channel
            .basic_consume(queue.into(), "tests".into(), options, FieldTable::default())
            .await
            .unwrap();
        let taken = consumer.take(depth).map(|delivery| {
            let delivery = delivery.unwrap();
            Taken {
                exchange: delivery.exchange.as_str().to_owned(),
                routing_key: delivery.routing_key.as_str().to_owned(),
                properties: delivery.properties,
                body: String::from_utf8(delivery.data).unwrap(),
            }
        });
        let taken = tokio::time::timeout(Duration::from_secs(60), taken.collect()).await.unwrap();
        connection.close(200, "".into()).await.unwrap();
        taken
    }
}

/// A message taken from a queue.
#[derive(Debug, Clone)]
pub struct Taken {
    pub exchange: String,
    pub routing_key: String,
    pub properties: BasicProperties,
    pub body: String,
}

impl Taken {
    pub fn id(&self) -> String {
        self.properties.message_id().as_ref().unwrap().as_str().to_owned()
    }
}

impl Server {
    fn url(&self, login: &str, virtual_host: &str) -> String {
        format!("amqp://{login}@127.0.0.1:{}/{virtual_host}", self.port)
    }

    async fn wait(&self) {
        let end = Instant::now() + Duration::from_mins(2);
        loop {
            let url = self.url("relay:secret", "t0");
            match Connection::connect(&url, ConnectionProperties::default()).await {
                Ok(connection) => {
                    connection.close(200, "".into()).await.unwrap();
                    return;
                }
                Err(error) => {
                    assert!(Instant::now() < end, "the private RabbitMQ did not start: {error}");
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn start() -> Self {
        let program = program();
        let dir = tempfile::Builder::new().prefix("orderscope-test-mq-").tempdir().unwrap();
        let root = dir.path().to_owned();
        let [port, dist, epmd] = free_ports();
        std::fs::write(root.join("definitions.json"), definitions()).unwrap();
        let config = format!(
            "listeners.tcp.1 = 127.0.0.1:{port}\nload_definitions = {}\nloopback_users = none\n\
             disk_free_limit.absolute = 10MB\nvm_memory_high_watermark.absolute = 2GB\n",
            root.join("definitions.json").display()
        );
        std::fs::write(root.join("rabbitmq.conf"), config).unwrap();
        std::fs::write(root.join("plugins"), "[].\n").unwrap();
        std::fs::write(root.join("env.conf"), "").unwrap();
        // The broker refuses a cookie that others can read.
        std::fs::write(root.join(".erlang.cookie"), format!("tests{port}")).unwrap();
        let owner = rustix::process::geteuid().is_root().then(server_user);
        own(&root, owner);
        let mut environment: BTreeMap<&str, String> = BTreeMap::new();
        let path = |name: &str| root.join(name).display().to_string();
        environment.insert("HOME", path(""));
        environment.insert("PATH", std::env::var("PATH").unwrap_or_default() + ":/usr/sbin");
        environment.insert("LANG", "C.UTF-8".to_owned());
        environment.insert("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned());
        environment.insert("ERL_EPMD_PORT", epmd.to_string());
        environment.insert("RABBITMQ_NODENAME", format!("orderscope{port}@localhost"));
        environment.insert("RABBITMQ_DIST_PORT", dist.to_string());
        environment.insert("RABBITMQ_CONF_ENV_FILE", path("env.conf"));
        environment.insert("RABBITMQ_CONFIG_FILE", path("rabbitmq.conf"));
        environment.insert("RABBITMQ_ENABLED_PLUGINS_FILE", path("plugins"));
        environment.insert("RABBITMQ_MNESIA_BASE", path("data"));
        environment.insert("RABBITMQ_LOG_BASE", path("log"));
        environment.insert("RABBITMQ_PID_FILE", path("pid"));
        let script = r#"
            epmd -port "$ERL_EPMD_PORT" -address 127.0.0.1 >/dev/null 2>&1 </dev/null &
            epmd=$!
            start() { setsid "$1" >>"$2"/out 2>&1 </dev/null & server=$!; }
            start "$1" "$2"
            while read -r word; do
                case $word in
                    kill) kill -s KILL -- -$server; wait $server ;;
                    start) start "$1" "$2" ;;
                    freeze) kill -s STOP -- -$server ;;
                    thaw) kill -s CONT -- -$server ;;
                esac
            done
            kill -s KILL -- -$server; wait $server; kill $epmd; wait $epmd; rm -rf "$2"
        "#;
        let mut command = Command::new("sh");
        if let Some((uid, gid)) = owner {
            command.uid(uid).gid(gid);
        }
        let keeper = command
            .env_clear()
            .envs(environment)
            .current_dir(&root)
            .args(["-c", script, "sh"])
            .args([&program, &root])
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        // The shell removes it.
        let _ = dir.keep();
        Self { port, epmd, keeper: Mutex::new(keeper) }
    }
}

/// Debian's wrapper in `PATH` requires the system's own user and directories.
fn program() -> PathBuf {
    let known = [
        "/usr/lib/rabbitmq/bin/rabbitmq-server",
        "/opt/homebrew/sbin/rabbitmq-server",
        "/usr/local/sbin/rabbitmq-server",
    ];
    let found = known.iter().map(PathBuf::from).find(|path| path.exists());
    found.expect("the tests need RabbitMQ: install rabbitmq-server (tests/run.sh does)")
}

fn free_ports() -> [u16; 3] {
    let held = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    held.map(|listener| listener.local_addr().unwrap().port())
}

fn own(root: &Path, owner: Option<(u32, u32)>) {
    use std::os::unix::fs::{PermissionsExt, chown};
    let cookie = root.join(".erlang.cookie");
    std::fs::set_permissions(&cookie, std::fs::Permissions::from_mode(0o400)).unwrap();
    let Some((uid, gid)) = owner else { return };
    chown(root, Some(uid), Some(gid)).unwrap();
    for entry in std::fs::read_dir(root).unwrap() {
        chown(entry.unwrap().path(), Some(uid), Some(gid)).unwrap();
    }
}

fn definitions() -> String {
    let names = (0..VIRTUAL_HOSTS).map(|number| format!("t{number}"));
    let hosts: Vec<_> = names.clone().map(|name| serde_json::json!({ "name": name })).collect();
    let permissions: Vec<_> = names
        .map(|name| {
            serde_json::json!({
                "user": "relay", "vhost": name, "configure": ".*", "write": ".*", "read": ".*",
            })
        })
        .collect();
    serde_json::json!({
        "users": [{
            "name": "relay", "password_hash": PASSWORD_HASH,
            "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": "", "limits": {},
        }],
        "vhosts": hosts,
        "permissions": permissions,
    })
    .to_string()
}

//! Placing and completing orders, compared with `pgbench` running the same statements on the same server.

use std::{
    path::PathBuf,
    process::Command as Process,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Instant,
};

use chrono::Utc;
use futures::future::try_join_all;
use orderscope::{
    db::{
        Db, Limits, migrate,
        settings::{Projection, set_projection},
    },
    demo,
    domain::{
        decide::{Address, Command, NewLine},
        id::{BookId, BuyerId, LineId, OrderId},
    },
    embedded::{self, Lease},
    ops::{
        operation::{Context, Operation, PlanRequest, Writer, execute},
        operator::Operator,
        policy::Policy,
    },
    session,
};
use sqlx::{
    AssertSqlSafe, Connection, Executor, FromRow, PgConnection, postgres::PgConnectOptions,
};
use uuid::Uuid;

/// Demo orders in the database before the measurement.
const ORDERS: u64 = 20_000;
const CLIENTS: [i64; 3] = [1, 4, 16];
/// Runs of each side, alternating; the median counts.
const ROUNDS: usize = 3;
/// Commands per run, divided evenly among the clients.
const COMMANDS: i64 = 800;
/// Sessions of a writer: `db::Db::writing`.
const SESSIONS_OF_WRITER: i64 = 2;
const DATABASE: &str = "orderscope_bench_commands";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Create,
    Complete,
}

/// A scratch database on a private server.
struct Scratch {
    lease: Lease,
    options: PgConnectOptions,
    conn: PgConnection,
    buyer: BuyerId,
    /// Numbers that no order has yet. An order's id is computed from its number.
    next: AtomicI64,
}

/// The values that a command wrote, for `pgbench` to write again.
#[derive(FromRow)]
struct Texts {
    at: String,
    template: String,
    buyer: String,
    document: String,
    activity: String,
    properties: String,
    message_type: String,
    body: String,
    source: String,
    address: String,
    event: String,
    headers: String,
    dotnet: String,
    before: String,
    after: String,
}

const TEXTS: &str = "
    SELECT o.created_at::text AS at, o.id::text AS template, o.buyer_id::text AS buyer,
           s.data::text AS document, m.headers AS activity, m.properties, m.message_type, m.body,
           m.source_address AS source, m.destination_address AS address, e.data::text AS event,
           e.headers::text AS headers, e.mt_dotnet_type AS dotnet, coalesce(b.value, '{}') AS before,
           a.value AS after
    FROM orders o
    JOIN mt_doc_ordersummaryview s ON s.id = o.id
    JOIN mt_events e ON e.stream_id = o.id AND e.version = $2
    JOIN outbox_message m ON m.sent_time = e.timestamp
    JOIN orderscope.audit r ON r.operation = (e.headers ->> 'operation')::uuid
    JOIN orderscope.audit_values a ON a.number = r.number AND a.part = 'after'
    LEFT JOIN orderscope.audit_values b ON b.number = r.number AND b.part = 'before'
    WHERE o.id = $1";

/// Statements that copy a placed order, one copy per number.
const COPIES: [&str; 5] = [
    "INSERT INTO orders (id, status, note, buyer_id, is_deleted, created_at, last_modified_at)
     SELECT md5(n::text)::uuid, status, note, buyer_id, is_deleted, created_at, last_modified_at
     FROM orders, generate_series($2, $3) n WHERE id = $1",
    "INSERT INTO order_items (id, quantity, price, book_id, order_id)
     SELECT gen_random_uuid(), quantity, price, book_id, md5(n::text)::uuid
     FROM order_items, generate_series($2, $3) n WHERE order_id = $1",
    "INSERT INTO mt_streams (id, type, version, timestamp, created, tenant_id, is_archived)
     SELECT md5(n::text)::uuid, type, version, timestamp, created, tenant_id, is_archived
     FROM mt_streams, generate_series($2, $3) n WHERE id = $1",
    "INSERT INTO mt_events (seq_id, id, stream_id, version, data, type, timestamp, tenant_id, mt_dotnet_type,
         correlation_id, causation_id, headers, is_archived)
     SELECT nextval('mt_events_sequence'), gen_random_uuid(), md5(n::text)::uuid, version,
            replace(data::text, $1::text, md5(n::text)::uuid::text)::jsonb, type, timestamp, tenant_id,
            mt_dotnet_type, correlation_id, causation_id, headers, is_archived
     FROM mt_events, generate_series($2, $3) n WHERE stream_id = $1",
    "INSERT INTO mt_doc_ordersummaryview (id, data, mt_last_modified, mt_dotnet_type, mt_version)
     SELECT md5(n::text)::uuid, replace(data::text, $1::text, md5(n::text)::uuid::text)::jsonb,
            mt_last_modified, mt_dotnet_type, mt_version
     FROM mt_doc_ordersummaryview, generate_series($2, $3) n WHERE id = $1",
];

pub async fn run() {
    let mut scratch = Scratch::make().await;
    println!("| commands | clients | ours/s | pgbench/s | ratio |");
    println!("|---|---|---|---|---|");
    for kind in [Kind::Create, Kind::Complete] {
        let placed = scratch.place().await;
        let texts = match kind {
            Kind::Create => scratch.texts(placed, 1).await,
            Kind::Complete => {
                let writer = scratch.writer().await;
                run_one(&writer, Command::CompleteOrder { id: placed }).await;
                writer.close().await;
                scratch.texts(placed, 2).await
            }
        };
        for clients in CLIENTS {
            let (mut ours, mut theirs) = (vec![], vec![]);
            for _ in 0..ROUNDS {
                let from = scratch.numbers(kind).await;
                ours.push(scratch.ours(kind, clients, from).await);
                let from = scratch.numbers(kind).await;
                theirs.push(scratch.pgbench(kind, clients, from, &texts));
            }
            let (ours, theirs) = (middle(ours), middle(theirs));
            let name = if kind == Kind::Create { "create order" } else { "complete order" };
            println!("| {name} | {clients} | {ours:.0} | {theirs:.0} | {:.2} |", ours / theirs);
        }
    }
    scratch.remove().await;
}

impl Scratch {
    async fn make() -> Self {
        let mut config = embedded::Config::from_env();
        config.home = config.home.join("bench");
        let lease = embedded::join(&config, &|step| eprintln!("{step}")).await.unwrap();
        let mut admin = session::connect(&lease.options().into()).await.unwrap();
        drop_database(&mut admin).await;
        admin.execute(AssertSqlSafe(format!("CREATE DATABASE {DATABASE}"))).await.unwrap();
        admin.close().await.unwrap();
        let options = lease.options().clone().database(DATABASE);
        let mut conn = session::connect(&(&options).into()).await.unwrap();
        migrate::migrate(&mut conn).await.unwrap();
        let wanted =
            demo::Options { orders: ORDERS, ..demo::Options::until(Utc::now().date_naive()) };
        demo::load(&mut conn, wanted, true, |_| ()).await.unwrap();
        // The setting of the document, which is more work than the demo's.
        set_projection(&mut conn, Projection::Inline).await.unwrap();
        let chains = "INSERT INTO orderscope.audit_chains (chain, operator, host, program)
                      SELECT md5('chain ' || n)::uuid, 'bench', 'bench', 'pgbench'
                      FROM generate_series(0, 8) n";
        conn.execute(chains).await.unwrap();
        let buyer = BuyerId(Uuid::now_v7());
        let scratch = Self { lease, options, conn, buyer, next: AtomicI64::new(1) };
        let writer = scratch.writer().await;
        let address = Address { city: Some("Huế".to_owned()), ..Address::default() };
        let name = "Lê Thị".to_owned();
        run_one(&writer, Command::CreateBuyer { id: buyer, name, address }).await;
        writer.close().await;
        scratch
    }

    async fn remove(self) {
        self.conn.close().await.unwrap();
        let mut admin = session::connect(&self.lease.options().into()).await.unwrap();
        drop_database(&mut admin).await;
        admin.close().await.unwrap();
        self.lease.leave().await.unwrap();
    }

    async fn writer(&self) -> Writer {
        let operator = Operator {
            name: "bench".to_owned(),
            host: "bench".to_owned(),
            role: "bench".to_owned(),
        };
        let db = Db::new(&self.options, &Limits::default());
        let writer = Writer::open(&db, operator, Policy::default()).await.unwrap();
        db.close().await;
        writer
    }

    fn creation(&self) -> Command {
        let line = |quantity, price: &str| NewLine {
            id: LineId(Uuid::now_v7()),
            book: BookId(Uuid::now_v7()),
            quantity,
            price: price.parse().unwrap(),
        };
        Command::CreateOrder {
            id: OrderId(Uuid::now_v7()),
            buyer: self.buyer,
            note: Some("leave at the door".to_owned()),
            lines: vec![line(2, "14.20"), line(1, "33.00")],
        }
    }

    /// An order.
    async fn place(&self) -> OrderId {
        let command = self.creation();
        let id = command.order().unwrap();
        let writer = self.writer().await;
        run_one(&writer, command).await;
        writer.close().await;
        id
    }

    async fn texts(&mut self, id: OrderId, version: i64) -> Texts {
        let texts = sqlx::query_as(TEXTS).bind(id).bind(version);
        texts.fetch_one(&mut self.conn).await.unwrap()
    }

    /// The first of so many numbers as a run needs; there are New orders of them if it is to complete them.
    async fn numbers(&mut self, kind: Kind) -> i64 {
        let from = self.next.fetch_add(COMMANDS, Ordering::Relaxed);
        if kind == Kind::Complete {
            let placed = self.place().await;
            for copy in COPIES {
                let copy = sqlx::query(copy).bind(placed).bind(from).bind(from + COMMANDS - 1);
                copy.execute(&mut self.conn).await.unwrap();
            }
        }
        // One run must not slow down the next.
        self.conn.execute("VACUUM ANALYZE").await.unwrap();
        self.conn.execute("CHECKPOINT").await.unwrap();
        from
    }

    /// Commands a second through the executor.
    async fn ours(&mut self, kind: Kind, clients: i64, from: i64) -> f64 {
        let ids: Vec<OrderId> =
            sqlx::query_scalar("SELECT md5(n::text)::uuid FROM generate_series($1, $2) n")
                .bind(from)
                .bind(from + COMMANDS - 1)
                .fetch_all(&mut self.conn)
                .await
                .unwrap();
        let mut writers = vec![];
        for _ in 0..(clients + SESSIONS_OF_WRITER - 1) / SESSIONS_OF_WRITER {
            writers.push(self.writer().await);
        }
        let each = usize::try_from(COMMANDS / clients).unwrap();
        let commands = |client: usize| -> Vec<Command> {
            let mine = &ids[client * each..(client + 1) * each];
            let command = |id: &OrderId| match kind {
                Kind::Create => self.creation(),
                Kind::Complete => Command::CompleteOrder { id: *id },
            };
            mine.iter().map(command).collect()
        };
        let clients: Vec<(Writer, Vec<Command>)> = (0..usize::try_from(clients).unwrap())
            .map(|client| (writers[client / 2].clone(), commands(client)))
            .collect();
        // Sessions are opened before the clock starts, as in pgbench.
        try_join_all(clients.iter().map(|(writer, _)| {
            let writer = writer.clone();
            let command = self.creation();
            tokio::spawn(async move { run_one(&writer, command).await })
        }))
        .await
        .unwrap();
        let began = Instant::now();
        try_join_all(clients.into_iter().map(|(writer, commands)| {
            tokio::spawn(async move {
                for command in commands {
                    run_one(&writer, command).await;
                }
            })
        }))
        .await
        .unwrap();
        let took = began.elapsed();
        for writer in writers {
            writer.close().await;
        }
        COMMANDS as f64 / took.as_secs_f64()
    }

    /// Commands a second as reported by `pgbench`.
    fn pgbench(&self, kind: Kind, clients: i64, from: i64, texts: &Texts) -> f64 {
        let script = match kind {
            Kind::Create => "create.sql",
            Kind::Complete => "complete.sql",
        };
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/targets/pgbench/");
        let each = COMMANDS / clients;
        let socket = self.options.get_socket().unwrap();
        let mut pgbench = Process::new(program());
        pgbench
            .args(["-M", "prepared", "-n", "-f", &format!("{folder}{script}")])
            .args(["-c", &clients.to_string(), "-j", &clients.min(2).to_string()])
            .args(["-t", &each.to_string()])
            .args(["-D", &format!("base={}", from - 1), "-D", &format!("each={each}"), "-D", "k=0"])
            .env("PGHOST", socket)
            .env("PGPORT", self.options.get_port().to_string())
            .env("PGUSER", self.options.get_username())
            .env("PGDATABASE", DATABASE)
            // The settings of our sessions.
            .env(
                "PGOPTIONS",
                "-c search_path=pg_catalog,public,pg_temp -c TimeZone=UTC -c jit=off",
            );
        for (name, text) in texts.named() {
            pgbench.args(["-D", &format!("{name}={text}")]);
        }
        let output = pgbench.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}\n{complaint}");
        let done = format!("{COMMANDS}/{COMMANDS}");
        assert!(said.contains(&done), "not all transactions were done\n{said}\n{complaint}");
        let tps = said.lines().find_map(|line| line.strip_prefix("tps = ")).unwrap();
        tps.split_whitespace().next().unwrap().parse().unwrap()
    }
}

impl Texts {
    fn named(&self) -> [(&'static str, &str); 15] {
        [
            ("at", &self.at),
            ("template", &self.template),
            ("buyer", &self.buyer),
            ("document", &self.document),
            ("activity", &self.activity),
            ("properties", &self.properties),
            ("message_type", &self.message_type),
            ("body", &self.body),
            ("source", &self.source),
            ("address", &self.address),
            ("event", &self.event),
            ("headers", &self.headers),
            ("dotnet", &self.dotnet),
            ("before", &self.before),
            ("after", &self.after),
        ]
    }
}

async fn run_one(writer: &Writer, command: Command) {
    let request = PlanRequest {
        id: Uuid::now_v7(),
        operation: Operation::Order(command),
        reason: Some("bench".to_owned()),
        expect: None,
    };
    let ctx = Context::new(writer, Err("there is no broker here"), Arc::new(Utc::now));
    execute(&ctx, &request).await.unwrap();
}

async fn drop_database(admin: &mut PgConnection) {
    let drop = format!("DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)");
    admin.execute(AssertSqlSafe(drop)).await.unwrap();
}

/// Debian's newest `pgbench`, else the one in `PATH`.
fn program() -> PathBuf {
    let mut folders: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path().join("bin"))
        .collect();
    folders.sort();
    folders.reverse();
    folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let mut programs = folders.into_iter().map(|folder| folder.join("pgbench"));
    programs
        .find(|program| program.is_file())
        .expect("no pgbench here; Debian has it in package postgresql-contrib")
}

fn middle(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

//! A database to write to, a writer on it, and ways to look at all of it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chrono::{DateTime, SubsecRound, Utc};
use orderscope::{
    db::{Db, Limits, migrate::migrate},
    domain::{
        compare::Agreement,
        decide::{Address, Command, NewLine},
        id::{BookId, BuyerId, LineId, OrderId, Version},
    },
    ops::{
        analysis::OrderAnalysis,
        history::history,
        operation::{
            self, Confirmation, Context, Operation, Outcome, Plan, PlanError, PlanRequest,
            Progress, Writer,
        },
        operator::Operator,
        policy::Policy,
    },
};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, postgres::PgConnectOptions};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::{
    fixture::{self, Schema},
    postgres::{Server, managed, pg15, pg18},
};

const CONSOLE: [&str; 5] = [
    include_str!("../../../migrations/console/0001_database.sql"),
    include_str!("../../../migrations/console/0002_audit.sql"),
    include_str!("../../../migrations/console/0003_commands.sql"),
    include_str!("../../../migrations/console/0004_kept_messages.sql"),
    include_str!("../../../migrations/console/0008_held_outboxes.sql"),
];

/// The moment at which everything in these tests happens, unless they say another.
pub fn now() -> DateTime<Utc> {
    "2026-11-22T19:00:00.123456Z".parse().unwrap()
}

/// A database with someone who may write to it.
pub struct World {
    pub options: PgConnectOptions,
    pub writer: Writer,
}

impl World {
    /// Ours, empty, PostgreSQL 18.
    pub async fn managed() -> Self {
        Self::open(managed().await).await
    }

    /// Ours, empty, on the oldest supported server.
    pub async fn oldest() -> Self {
        let options = pg15().empty().await;
        let mut conn = PgConnection::connect_with(&options).await.unwrap();
        migrate(&mut conn).await.unwrap();
        Self::open(options).await
    }

    /// The service's, as it left it after a stage, and attached; `publisher` as SQL.
    pub async fn service(schema: Schema, stage: &str, publisher: &str) -> Self {
        Self::open(attached(pg18(), schema, stage, publisher).await).await
    }

    pub async fn open(options: PgConnectOptions) -> Self {
        Self { writer: writer(&options, "mai").await.unwrap(), options }
    }

    pub async fn conn(&self) -> PgConnection {
        PgConnection::connect_with(&self.options).await.unwrap()
    }

    /// Runs a command without a plan.
    pub async fn run(&self, command: Command) -> Result<Outcome, PlanError> {
        execute(&self.writer, &request(command), now()).await
    }

    /// Plans a command.
    pub async fn plan(&self, command: Command) -> Result<Plan, PlanError> {
        plan(&self.writer, request(command), now(), &CancellationToken::new()).await
    }

    /// A buyer that is there.
    pub async fn buyer(&self) -> BuyerId {
        let id = BuyerId(Uuid::now_v7());
        let command = Command::CreateBuyer {
            id,
            name: "Le Thi".to_owned(),
            address: Address { city: Some("Hue".to_owned()), ..Address::default() },
        };
        self.run(command).await.unwrap();
        id
    }

    /// A new order of that buyer.
    pub async fn order(&self, buyer: BuyerId) -> OrderId {
        let command = create(buyer);
        let id = command.order().unwrap();
        self.run(command).await.unwrap();
        id
    }

    pub async fn known(&self, id: OrderId) -> OrderAnalysis {
        let mut conn = self.conn().await;
        let layout = self.writer.layout();
        let found = history(&mut conn, layout, id).await.unwrap().expect("the order is known");
        OrderAnalysis::new(found, layout.projects_inline())
    }

    /// Row, events and, where it is written with them, document say the same, and versions are contiguous.
    pub async fn agrees(&self, id: OrderId, version: i64) -> OrderAnalysis {
        let known = self.known(id).await;
        assert!(!known.comparison.is_drift(), "{:?}", known.comparison);
        assert_eq!(known.comparison.row, Agreement::Match, "{id}");
        assert_eq!(known.timeline.latest().uncertain, None);
        assert_eq!(known.timeline.last_version(), Version(version));
        let row = known.history.row.as_ref().unwrap();
        let folded = known.timeline.latest().order().unwrap();
        // The service's bodies have a digit more than a column holds.
        let created = folded.created_at.map(|at| at.trunc_subsecs(6));
        assert_eq!(
            (folded.status, &folded.note, &folded.total, created),
            (row.status, &row.note, &row.total, row.created_at)
        );
        let mut lines = folded.lines.clone();
        lines.sort_by_key(|line| line.id);
        assert_eq!(lines, row.lines);
        if self.writer.layout().projects_inline() {
            assert_eq!(known.comparison.summary, Agreement::Match);
            assert_eq!(known.summary.as_ref().unwrap().status, Some(folded.status));
            assert_eq!(known.summary.as_ref().unwrap().total, Some(folded.total));
        }
        let own = known.history.stream.as_ref();
        if let Some(stream) = own {
            let last = known.timeline.steps().iter().filter(|s| s.event.stream.unwrap().0 == id.0);
            assert_eq!(stream.version, last.map(|step| step.event.version.0).max());
        }
        known
    }

    /// Every row of every table and every sequence, but what `except` names.
    pub async fn dump(&self, except: &[&str]) -> BTreeMap<String, Vec<String>> {
        dump(&mut self.conn().await, except).await
    }

    pub async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&mut self.conn().await).await.unwrap()
    }

    pub async fn value(&self, sql: &'static str, id: Uuid) -> Value {
        let mut conn = self.conn().await;
        sqlx::query_scalar(sql).bind(id).fetch_one(&mut conn).await.unwrap()
    }
}

/// Operations of a writer at a moment, without a broker.
fn context(writer: &Writer, now: DateTime<Utc>) -> Context<'_> {
    Context::new(writer, Err("there is no broker here"), Arc::new(move || now))
}

/// Runs a request that nobody planned.
pub async fn execute(
    writer: &Writer,
    request: &PlanRequest,
    now: DateTime<Utc>,
) -> Result<Outcome, PlanError> {
    operation::execute(&context(writer, now), request).await
}

pub async fn plan(
    writer: &Writer,
    request: PlanRequest,
    now: DateTime<Utc>,
    stop: &CancellationToken,
) -> Result<Plan, PlanError> {
    operation::plan(&context(writer, now), request, stop).await
}

/// Runs a plan as it wants to be confirmed.
pub async fn run(writer: &Writer, plan: &Plan, now: DateTime<Utc>) -> Result<Outcome, PlanError> {
    let confirmation = Confirmation::Typed(&plan.confirmation.phrase);
    let (progress, stop) = (watch::Sender::new(Progress::default()), CancellationToken::new());
    operation::run(&context(writer, now), plan, confirmation, &progress, &stop).await
}

/// Someone who may write to that database.
pub async fn writer(options: &PgConnectOptions, name: &str) -> Result<Writer, PlanError> {
    // A machine that runs many tests at once is slow: no limit is to decide what they find out.
    let long = Duration::from_mins(1);
    let limits = Limits {
        statement: long,
        planning: long,
        connect: long,
        acquire: long,
        ..Limits::default()
    };
    limited(options, name, &limits).await
}

pub async fn limited(
    options: &PgConnectOptions,
    name: &str,
    limits: &Limits,
) -> Result<Writer, PlanError> {
    let operator =
        Operator { name: name.to_owned(), host: "ws-1".to_owned(), role: "postgres".to_owned() };
    Writer::open(&Db::new(options, limits), operator, policy()).await
}

/// What forbids nothing.
pub fn policy() -> Policy {
    Policy::default()
}

/// A database of the service with our schema beside it.
pub async fn attached(
    server: &Server,
    schema: Schema,
    stage: &str,
    publisher: &str,
) -> PgConnectOptions {
    let options = fixture::own(server, schema, stage).await;
    let mut conn = PgConnection::connect_with(&options).await.unwrap();
    if schema == Schema::Document {
        let sequence = "CREATE SEQUENCE public.mt_events_sequence;
            SELECT setval('public.mt_events_sequence', (SELECT max(seq_id) FROM public.mt_events))";
        conn.execute(sequence).await.unwrap();
    }
    conn.execute("CREATE SCHEMA orderscope").await.unwrap();
    for step in CONSOLE {
        conn.execute(step).await.unwrap();
    }
    let record = format!(
        "INSERT INTO orderscope.database (kind, created_by, publisher) VALUES ('attached', 'test', {publisher})"
    );
    conn.execute(AssertSqlSafe(record)).await.unwrap();
    options
}

pub fn request(command: Command) -> PlanRequest {
    PlanRequest {
        id: Uuid::now_v7(),
        operation: Operation::Order(command),
        reason: Some("CB-91".to_owned()),
        expect: None,
    }
}

/// An order of two lines.
pub fn create(buyer: BuyerId) -> Command {
    let line = |quantity, price: &str| NewLine {
        id: LineId(Uuid::now_v7()),
        book: BookId(Uuid::now_v7()),
        quantity,
        price: price.parse().unwrap(),
    };
    Command::CreateOrder {
        id: OrderId(Uuid::now_v7()),
        buyer,
        note: Some("leave at the door".to_owned()),
        lines: vec![line(2, "14.20"), line(1, "33.00")],
    }
}

pub fn cancel(id: OrderId) -> Command {
    Command::CancelOrder { id, reason: "customer asked".to_owned() }
}

pub async fn dump(conn: &mut PgConnection, except: &[&str]) -> BTreeMap<String, Vec<String>> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT format('%I.%I', relnamespace::regnamespace, relname) FROM pg_class
         WHERE relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname IN ('public', 'orderscope'))
           AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY 1",
    )
    .fetch_all(&mut *conn)
    .await
    .unwrap();
    let sequences: Vec<String> = sqlx::query_scalar(
        "SELECT format('%I.%I', schemaname, sequencename) FROM pg_sequences ORDER BY 1",
    )
    .fetch_all(&mut *conn)
    .await
    .unwrap();
    assert!(tables.len() > 10 && sequences.len() >= 3, "{tables:?} {sequences:?}");
    let kept = |name: &String| !except.contains(&name.as_str());
    // In one statement: it is asked often.
    let rows = tables.into_iter().filter(kept).map(|table| {
        format!(
            "SELECT '{table}' AS place, array(SELECT to_jsonb(t)::text FROM {table} t ORDER BY 1)"
        )
    });
    let states = sequences.into_iter().filter(kept).map(|sequence| {
        format!("SELECT '{sequence}', array(SELECT last_value || ' ' || is_called FROM {sequence})")
    });
    let all = rows.chain(states).collect::<Vec<_>>().join(" UNION ALL ");
    let all: Vec<(String, Vec<String>)> =
        sqlx::query_as(AssertSqlSafe(all)).fetch_all(conn).await.unwrap();
    all.into_iter().collect()
}

//! A kind of bulk operation for tests: it counts, in a table of its own, how often each item was done.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use orderscope::{
    db::{
        Layout,
        operations::{self, Cursor, Page},
        write::{Need, Tx},
    },
    domain::batch::{Outcome, StopRule},
    ops::operation::{
        Check, Context, Effect, Operation, PlanError, PlanRequest, Progress, Writer,
        batch::{self, Batch, BatchKind, BatchRequest, Committed, Ran, Record, Work},
    },
};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Executor, PgConnection};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::commands::world::{World, now};

/// Counts marks. `bad` says what is wrong with one.
#[derive(Debug, Clone, Copy)]
pub struct Marks {
    pub failures: u64,
}

pub const MARKS: Marks = Marks { failures: 0 };

impl BatchKind for Marks {
    fn name(&self) -> &'static str {
        "CountMarks"
    }

    fn parameters(&self) -> Value {
        json!({})
    }

    fn targets(&self) -> Vec<String> {
        vec!["marks".to_owned()]
    }

    fn needs(&self) -> Vec<Need> {
        vec![]
    }

    fn allowed(&self, _: DateTime<Utc>) -> Result<(), PlanError> {
        Ok(())
    }

    fn notes(&self, _: &Layout) -> Vec<Check> {
        vec![]
    }

    fn effects(&self, items: u64) -> Vec<Effect> {
        vec![Effect::told("marks", format!("{items} rows"))]
    }

    fn stop_rule(&self) -> StopRule {
        StopRule { failures: self.failures }
    }

    fn page<'a>(
        &'a self,
        conn: &'a mut PgConnection,
        _: &'a Layout,
        after: Option<&'a Cursor>,
        limit: u64,
        into: Option<(Uuid, u64)>,
    ) -> Work<'a, Page> {
        Box::pin(async move {
            let after: i64 = after.map_or(0, |cursor| cursor.tie.parse().unwrap());
            let sql = "SELECT id FROM marks WHERE id > $1 ORDER BY id LIMIT $2";
            let ids: Vec<i64> = sqlx::query_scalar(sql)
                .bind(after)
                .bind(i64::try_from(limit).unwrap())
                .fetch_all(&mut *conn)
                .await?;
            if let Some((operation, base)) = into {
                let keys: Vec<_> = ids.iter().map(|id| json!({ "mark": id })).collect();
                operations::add_items(conn, operation, base, &keys).await?;
            }
            let next = ids.last().map(|id| Cursor { at: String::new(), tie: id.to_string() });
            Ok(Page { rows: ids.len() as u64, next })
        })
    }

    fn first<'a>(
        &'a self,
        conn: &'a mut PgConnection,
        _: &'a Layout,
        limit: u64,
    ) -> Work<'a, Vec<Value>> {
        Box::pin(async move {
            let sql = "SELECT jsonb_build_object('mark', id) FROM marks ORDER BY id LIMIT $1";
            let limit = i64::try_from(limit).unwrap();
            Ok(sqlx::query_scalar(sql).bind(limit).fetch_all(conn).await?)
        })
    }

    fn run<'a>(&'a self, tx: &'a mut Tx<'_>, batch: &'a Batch<'a>) -> Work<'a, Ran> {
        Box::pin(async move {
            let mut ran = Ran { evidence: json!({ "marks": batch.items.len() }), ..Ran::default() };
            for item in batch.items {
                let id = item.key["mark"].as_i64().unwrap();
                let find = "SELECT coalesce(bad, '') FROM marks WHERE id = $1 FOR UPDATE";
                let found: Option<String> =
                    sqlx::query_scalar(find).bind(id).fetch_optional(tx.conn()).await?;
                let outcome = match found.as_deref() {
                    None => Outcome::Skipped("it is gone".to_owned()),
                    Some("slow") if !batch.dry => {
                        // Fine for a few items, too long for many.
                        tx.conn().execute("SELECT pg_sleep(0.02)").await?;
                        let count = "UPDATE marks SET done = done + 1 WHERE id = $1";
                        sqlx::query(count).bind(id).execute(tx.conn()).await?;
                        ran.rows += 1;
                        Outcome::Done
                    }
                    Some("fails") => Outcome::Failed("it fails".to_owned()),
                    // Takes one transaction more.
                    Some("large") if !batch.dry => {
                        if !ran.outcomes.is_empty() {
                            break;
                        }
                        let small = "UPDATE marks SET bad = NULL WHERE id = $1";
                        sqlx::query(small).bind(id).execute(tx.conn()).await?;
                        ran.rows += 1;
                        break;
                    }
                    Some(_) => {
                        let count = "UPDATE marks SET done = done + 1 WHERE id = $1";
                        sqlx::query(count).bind(id).execute(tx.conn()).await?;
                        ran.rows += 1;
                        Outcome::Done
                    }
                };
                ran.outcomes.push(outcome);
            }
            Ok(ran)
        })
    }

    fn verify<'a>(
        &'a self,
        conn: &'a mut PgConnection,
        _: &'a Layout,
        committed: &'a Committed<'a>,
    ) -> Work<'a, Option<String>> {
        Box::pin(async move {
            let ids: Vec<i64> =
                committed.items.iter().filter_map(|item| item.key["mark"].as_i64()).collect();
            let wrong = "SELECT min(id) FROM marks WHERE id = ANY($1) AND bad = 'unverified'";
            let wrong: Option<i64> = sqlx::query_scalar(wrong).bind(ids).fetch_one(conn).await?;
            Ok(wrong.map(|id| format!("mark {id} is wrong")))
        })
    }

    fn arrived<'a>(
        &'a self,
        conn: &'a mut PgConnection,
        _: &'a Layout,
        operation: Uuid,
    ) -> Work<'a, Option<u64>> {
        Box::pin(async move {
            let sql = "SELECT count(*) FROM marks m WHERE NOT EXISTS (SELECT FROM orderscope.operation_items i
                       WHERE i.operation = $1 AND i.key = jsonb_build_object('mark', m.id))";
            let rows: i64 = sqlx::query_scalar(sql).bind(operation).fetch_one(conn).await?;
            Ok(Some(rows.unsigned_abs()))
        })
    }
}

const NO_BROKER: Result<&orderscope::ops::operation::BrokerAccess, &str> = Err("no broker");

/// By the clock on the wall: rates and waits are real.
pub fn context(writer: &Writer) -> Context<'_> {
    Context::new(writer, NO_BROKER, Arc::new(Utc::now))
}

/// The same at the moment at which tests of commands happen.
pub fn at_now(writer: &Writer) -> Context<'_> {
    Context::new(writer, NO_BROKER, Arc::new(now))
}

pub fn approving(number: i64) -> PlanRequest {
    PlanRequest::new(Operation::Approve(number), Some("seen".to_owned()))
}

pub fn pausing(number: i64) -> PlanRequest {
    PlanRequest::new(Operation::Pause(number), None)
}

pub fn cancelling(number: i64, reason: &str) -> PlanRequest {
    PlanRequest::new(Operation::Cancel(number), Some(reason.to_owned()))
}

/// A database of ours with so many marks.
pub async fn world(rows: i64) -> World {
    let world = World::managed().await;
    marks(&world, rows).await;
    world
}

/// Makes so many marks.
pub async fn marks(world: &World, rows: i64) {
    let text = format!(
        "CREATE TABLE marks (id bigint PRIMARY KEY, done integer NOT NULL DEFAULT 0, bad text);
         INSERT INTO marks SELECT i FROM generate_series(1, {rows}) i"
    );
    sql(world, &text).await;
}

pub async fn sql(world: &World, text: &str) {
    world.conn().await.execute(AssertSqlSafe(text.to_owned())).await.unwrap();
}

pub fn request(id: Uuid) -> BatchRequest<'static> {
    BatchRequest { id, reason: Some("INC-7"), rate: None }
}

/// Plans and freezes.
pub async fn begun(writer: &Writer, kind: &dyn BatchKind, rate: Option<u32>) -> Record {
    let (context, stop) = (context(writer), CancellationToken::new());
    let rate = rate.and_then(std::num::NonZeroU32::new);
    let request = BatchRequest { rate, ..request(Uuid::now_v7()) };
    let plan = batch::plan(&context, kind, &request, &stop).await.unwrap();
    let (progress, _seen) = watch::channel(Progress::default());
    batch::start(&context, kind, &request, &plan.selected, &progress, &stop).await.unwrap().record
}

/// Runs until it stands.
pub async fn driven(
    writer: &Writer,
    kind: &dyn BatchKind,
    record: &Record,
) -> Result<Record, PlanError> {
    let (progress, _seen) = watch::channel(Progress::default());
    batch::run(&context(writer), kind, record.id, &progress, &CancellationToken::new()).await
}

/// A runner in the background, what it tells, and what stops it.
pub struct Background {
    pub task: tokio::task::JoinHandle<Result<Record, PlanError>>,
    pub progress: watch::Receiver<Progress>,
    pub stop: CancellationToken,
}

pub fn background(writer: &Writer, record: &Record) -> Background {
    let (sender, progress) = watch::channel(Progress::default());
    let (writer, id, stop) = (writer.clone(), record.id, CancellationToken::new());
    let token = stop.clone();
    let task =
        tokio::spawn(
            async move { batch::run(&context(&writer), &MARKS, id, &sender, &token).await },
        );
    Background { task, progress, stop }
}

/// How often each mark was done, and how many of them.
pub async fn counted(world: &World) -> Vec<(i32, i64)> {
    let sql = "SELECT done, count(*) FROM marks GROUP BY 1 ORDER BY 1";
    sqlx::query_as(sql).fetch_all(&mut world.conn().await).await.unwrap()
}

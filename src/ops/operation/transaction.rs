//! Operations that are one transaction: done dry for a plan, for good for a run, again where that is safe, and finding
//! out what became of a commit whose answer was lost.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    check::{Check, Verdict},
    error::{Moved, PlanError},
    origin::Origin,
    outcome::{self, Outcome},
    plan::{Effect, ExpectedVersions, Listed, Plan, PlanRequest, Steps},
    value::Operation,
    writer::Writer,
};
use crate::{
    db::{
        self, audit,
        write::{LockedRow, Opening, Tx},
    },
    domain::id::Version,
    ops::audit::Entry,
};

/// How often the same is tried again after the server undid it or the connection broke before the commit.
const TRIES: u32 = 4;
/// How often, and how far apart, it is asked what became of a commit.
const ASKED: u32 = 10;
const BETWEEN: Duration = Duration::from_millis(300);

/// A request on its way.
#[derive(Debug, Clone, Copy)]
pub struct Task<'a> {
    pub writer: &'a Writer,
    pub request: &'a PlanRequest,
    /// The message it came by.
    pub origin: Option<&'a Origin>,
    /// What a plan relied on.
    pub expected: Option<&'a ExpectedVersions>,
    pub now: DateTime<Utc>,
    /// It will be rolled back: nothing is drawn from a sequence and nothing recorded.
    pub dry: bool,
}

/// What was written, or would be.
#[derive(Debug, Default)]
pub struct Work {
    pub checks: Vec<Check>,
    pub effects: Vec<Effect>,
    pub expected: ExpectedVersions,
    pub version: Option<Version>,
    pub told: String,
    pub reverse: Option<Operation>,
    pub audit: i64,
    /// Ids beside the operation's own by which audit finds it.
    pub targets: Vec<String>,
}

/// What became of a task.
#[derive(Debug)]
pub enum Performed {
    /// The same operation was done before.
    Repeated(Box<Outcome>),
    Written(Box<Work>),
}

/// What one kind of operation does in its transaction.
pub trait Transaction: Sync {
    /// What is read before the transaction begins.
    type EarlyReads: Send + Sync;

    /// The row that is held before anything is read.
    fn held(&self) -> Option<LockedRow>;

    /// Reads what may take too long to hold a lock meanwhile.
    fn ahead(
        &self,
        conn: &mut PgConnection,
        task: &Task<'_>,
    ) -> impl Future<Output = Result<Self::EarlyReads, db::Error>> + Send;

    /// Writes everything in the caller's transaction, the audit record included. After an error it has to be rolled
    /// back.
    fn perform(
        &self,
        tx: &mut Tx<'_>,
        task: &Task<'_>,
        ahead: &Self::EarlyReads,
    ) -> impl Future<Output = Result<Performed, PlanError>> + Send;

    /// Names whoever was faster, in a transaction of its own.
    fn blamed(
        &self,
        _tx: &mut Tx<'_>,
        _task: &Task<'_>,
        _ahead: &Self::EarlyReads,
        moved: Moved,
    ) -> impl Future<Output = Result<Moved, db::Error>> + Send {
        async { Ok(moved) }
    }
}

impl Work {
    /// A precondition.
    pub fn say(&mut self, verdict: Verdict, text: impl Into<String>) {
        self.checks.push(Check::new(verdict, text));
    }

    /// Whether a precondition forbids it.
    pub fn is_blocked(&self) -> bool {
        self.checks.iter().any(Check::forbids)
    }

    /// What is said of work that was committed.
    pub fn outcome(self, request: &PlanRequest) -> Outcome {
        Outcome {
            targets: self.all_targets(request),
            version: self.version,
            reverse: self.reverse,
            ..Outcome::new(request, Some(self.audit), self.told)
        }
    }

    /// By what audit finds it.
    fn all_targets(&self, request: &PlanRequest) -> Vec<String> {
        let mut targets = request.operation.targets();
        targets.extend(self.targets.iter().cloned());
        targets.dedup();
        targets
    }
}

impl Task<'_> {
    /// How its transaction begins.
    fn opening(&self, kind: &impl Transaction) -> Opening {
        Opening { hold: kind.held(), ..Opening::of(self.request.id) }
    }

    /// Writes the audit record of what was done. `more`: what the record keeps beside the rows before and after.
    pub async fn record(
        &self,
        tx: &mut Tx<'_>,
        work: &Work,
        more: Map<String, Value>,
    ) -> Result<i64, db::Error> {
        let before = by_table(&work.effects, |effect| effect.before.as_ref());
        let mut after = by_table(&work.effects, |effect| effect.after.as_ref());
        after.insert("told".to_owned(), json!(work.told));
        after.insert(outcome::CONTENT.to_owned(), json!(outcome::asked_for(self.request)));
        after.extend(more);
        let entry = Entry {
            id: self.request.id,
            at: self.now,
            intent: self.request.spec().name,
            targets: work.all_targets(self.request),
            reason: self.request.why(),
            before: &Value::Object(before),
            after: &Value::Object(after),
        };
        self.writer.chain.record(tx.conn(), &entry).await
    }

    /// The first answer, where the same operation is on record.
    pub async fn before(&self, tx: &mut Tx<'_>) -> Result<Option<Outcome>, PlanError> {
        match audit::by_operation(tx.conn(), self.request.id).await? {
            Some(recorded) => outcome::repeated(self.request, &recorded).map(Some),
            None => Ok(None),
        }
    }
}

/// The rows by table; several of one table as a list.
fn by_table(effects: &[Effect], side: fn(&Effect) -> Option<&Value>) -> Map<String, Value> {
    let mut rows = Map::new();
    for effect in effects {
        let Some(row) = side(effect) else { continue };
        match rows.get_mut(&*effect.place) {
            Some(Value::Array(list)) => list.push(row.clone()),
            Some(first) => *first = json!([first.clone(), row]),
            None => {
                rows.insert(effect.place.clone().into_owned(), row.clone());
            }
        }
    }
    rows
}

/// Plans a request: the real statements in a transaction that is rolled back. Holds locks no longer than a second and
/// draws no number from any sequence.
pub async fn plan(
    writer: &Writer,
    request: &PlanRequest,
    kind: &impl Transaction,
    now: DateTime<Utc>,
    stop: &CancellationToken,
) -> Result<Plan, PlanError> {
    let task = Task { writer, request, origin: None, expected: None, now, dry: true };
    let rehearsed = writer
        .db
        .ask(&writer.pool, "plan", stop, async |conn| match rehearse(conn, &task, kind).await {
            Err(PlanError::Database(error)) => Err(error),
            other => Ok(other),
        })
        .await??;
    let (work, statements) = rehearsed;
    let steps = Steps::OneTransaction(work.expected);
    let version = Some(Version(match &steps {
        Steps::OneTransaction(expected) => expected.version,
        _ => 0,
    }));
    Ok(Plan {
        checks: work.checks,
        effects: work.effects,
        listed: statements.into_iter().map(Listed::statement).collect(),
        reverse: work.reverse,
        cli_equivalent: request.cli_equivalent(version, &writer.policy, false),
        ..Plan::new(request, &writer.policy, now, steps)
    })
}

async fn rehearse(
    conn: &mut PgConnection,
    task: &Task<'_>,
    kind: &impl Transaction,
) -> Result<(Work, Vec<String>), PlanError> {
    let layout = &*task.writer.layout;
    let ahead = kind.ahead(conn, task).await?;
    let limit = task.writer.pool.planning_limit();
    let opening = Opening { within: Some(limit), ..task.opening(kind) };
    let mut tx = Tx::begin(conn, layout, &opening).await?;
    let performed = Box::pin(kind.perform(&mut tx, task, &ahead)).await;
    let statements = tx.said().to_vec();
    tx.rollback().await;
    match performed.map_err(|error| timed(error, limit))? {
        Performed::Written(work) => Ok((*work, statements)),
        // A dry run asks no audit record.
        Performed::Repeated(done) => Err(PlanError::Reused { id: done.id, was: done.told }),
    }
}

/// The server does not tell the length of the time that was over.
fn timed(error: PlanError, limit: Duration) -> PlanError {
    match error {
        PlanError::Database(error) => PlanError::Database(error.within(limit)),
        other => other,
    }
}

/// How one attempt ended.
enum Attempt {
    Ended(Box<Result<Outcome, PlanError>>),
    /// The server was told to commit and did not answer.
    Unanswered(db::Error),
}

impl Attempt {
    fn failed(error: impl Into<PlanError>) -> Self {
        Self::Ended(Box::new(Err(error.into())))
    }
}

/// Runs a request until it is done, refused, or cannot be done.
pub async fn run(
    writer: &Writer,
    request: &PlanRequest,
    kind: &impl Transaction,
    expected: Option<&ExpectedVersions>,
    now: DateTime<Utc>,
) -> Result<Outcome, PlanError> {
    let task = Task { writer, request, origin: None, expected, now, dry: false };
    let mut tries = 0;
    loop {
        tries += 1;
        match attempt(&task, kind).await {
            Attempt::Ended(ended) => match *ended {
                Err(PlanError::Database(error)) if error.is_safe_again() && tries < TRIES => {}
                ended => return ended,
            },
            Attempt::Unanswered(why) => return resolve(&task, why).await,
        }
    }
}

async fn attempt(task: &Task<'_>, kind: &impl Transaction) -> Attempt {
    let writer = task.writer;
    let mut session = match writer.pool.session("command").await {
        Ok(session) => session,
        Err(error) => return Attempt::failed(error),
    };
    let ended = in_transaction(&mut session, task, kind).await;
    let over = match &ended {
        Attempt::Unanswered(_) => true,
        Attempt::Ended(ended) => {
            matches!(&**ended, Err(PlanError::Database(error)) if error.ends_session())
        }
    };
    if !over {
        session.finish();
    }
    ended
}

async fn in_transaction(
    conn: &mut PgConnection,
    task: &Task<'_>,
    kind: &impl Transaction,
) -> Attempt {
    let layout = &*task.writer.layout;
    let ahead = match kind.ahead(conn, task).await {
        Ok(ahead) => ahead,
        Err(error) => return Attempt::failed(error),
    };
    let mut tx = match Tx::begin(conn, layout, &task.opening(kind)).await {
        Ok(tx) => tx,
        Err(error) => return Attempt::failed(error),
    };
    match Box::pin(kind.perform(&mut tx, task, &ahead)).await {
        Ok(Performed::Written(work)) => match tx.commit().await {
            Ok(()) => Attempt::Ended(Box::new(Ok(work.outcome(task.request)))),
            Err(error) if error.ends_session() => Attempt::Unanswered(error),
            // An answer of the server is one: it did not commit.
            Err(error) => Attempt::failed(error),
        },
        Ok(Performed::Repeated(done)) => {
            tx.rollback().await;
            Attempt::Ended(Box::new(Ok(*done)))
        }
        Err(error) => {
            tx.rollback().await;
            Attempt::failed(named(conn, task, kind, &ahead, error).await)
        }
    }
}

/// Names whoever was faster, where the server only said that somebody was.
async fn named<K: Transaction>(
    conn: &mut PgConnection,
    task: &Task<'_>,
    kind: &K,
    ahead: &K::EarlyReads,
    error: PlanError,
) -> PlanError {
    let PlanError::Conflict(moved) = error else { return error };
    let layout = &*task.writer.layout;
    let Ok(mut tx) = Tx::begin(conn, layout, &Opening::of(task.request.id)).await else {
        return PlanError::Conflict(moved);
    };
    let blamed = kind.blamed(&mut tx, task, ahead, moved.clone()).await;
    tx.rollback().await;
    PlanError::Conflict(blamed.unwrap_or(moved))
}

/// Looks for the operation's record. Never runs it again: the transaction that was lost may still be open, and
/// beginning one of the same operation waits for its end.
async fn resolve(task: &Task<'_>, why: db::Error) -> Result<Outcome, PlanError> {
    let mut last = why.to_string();
    for asked in 0..ASKED {
        if asked > 0 {
            tokio::time::sleep(BETWEEN).await;
        }
        match look_up(task).await {
            Ok(Some(done)) => return Ok(Outcome { repeated: false, ..done }),
            Ok(None) => return Err(PlanError::Database(why)),
            Err(PlanError::Database(error)) => last = error.to_string(),
            Err(error) => return Err(error),
        }
    }
    Err(PlanError::Unresolved { id: task.request.id, why: last })
}

async fn look_up(task: &Task<'_>) -> Result<Option<Outcome>, PlanError> {
    let mut session = task.writer.pool.session("command").await?;
    let opening = Opening::of(task.request.id);
    let mut tx = Tx::begin(&mut session, &task.writer.layout, &opening).await?;
    let found = task.before(&mut tx).await;
    tx.rollback().await;
    let found = found?;
    session.finish();
    Ok(found)
}

/// What became of an operation that has an id: the first answer, where it is on record.
pub async fn recorded(
    writer: &Writer,
    request: &PlanRequest,
    stop: &CancellationToken,
) -> Result<Option<Outcome>, PlanError> {
    let id: Uuid = request.id;
    match crate::ops::audit::by_operation(&writer.db, id, stop).await? {
        Some(recorded) => outcome::repeated(request, &recorded).map(Some),
        None => Ok(None),
    }
}

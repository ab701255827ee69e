//! Doing it: dry for a plan, for good for a run, again where that is safe, and finding out what became of a
//! commit whose answer was lost.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;

use super::{
    Done, Error, Plan, Relied, Request, Writer,
    kind::{Ahead, Performed, Task, Work},
};
use crate::db::{
    self, audit,
    write::{Opening, Tx},
};

/// How often the same is tried again after the server undid it or the connection broke before the commit.
const TRIES: u32 = 4;
/// How often, and how far apart, it is asked what became of a commit.
const ASKED: u32 = 10;
const BETWEEN: Duration = Duration::from_millis(300);

/// See [`super::plan`].
pub async fn plan(
    writer: &Writer,
    request: Request,
    now: DateTime<Utc>,
    stop: &CancellationToken,
) -> Result<Plan, Error> {
    let task = Task { writer, request: &request, relied: None, now, dry: true };
    task.allowed()?;
    let rehearsed = writer
        .db
        .ask(&writer.pool, "plan", stop, async |conn| match rehearse(conn, &task).await {
            Err(Error::Database(error)) => Err(error),
            other => Ok(other),
        })
        .await??;
    let Rehearsed { work, ahead, statements } = rehearsed;
    Ok(task.plan(work, &ahead, statements))
}

/// What a dry run found out.
struct Rehearsed {
    work: Work,
    ahead: Ahead,
    statements: Vec<String>,
}

async fn rehearse(conn: &mut PgConnection, task: &Task<'_>) -> Result<Rehearsed, Error> {
    let layout = &*task.writer.layout;
    let ahead = task.ahead(conn).await?;
    let limit = task.writer.pool.planning_limit();
    let opening = Opening { within: Some(limit), ..task.opening() };
    let mut tx = Tx::begin(conn, layout, &opening).await?;
    let performed = Box::pin(task.perform(&mut tx, &ahead)).await;
    let statements = tx.said().to_vec();
    tx.rollback().await;
    match performed.map_err(|error| timed(error, limit))? {
        Performed::Written(work) => Ok(Rehearsed { work, ahead, statements }),
        // A dry run asks no audit record.
        Performed::Repeated(done) => Err(Error::Reused { id: done.id, was: done.told }),
    }
}

/// The server does not tell the length of the time that was over.
fn timed(error: Error, limit: Duration) -> Error {
    match error {
        Error::Database(error) => Error::Database(error.within(limit)),
        other => other,
    }
}

/// How one attempt ended.
enum Attempt {
    Ended(Result<Done, Error>),
    /// The server was told to commit and did not answer.
    Unanswered(db::Error),
}

/// Runs a request until it is done, refused, or cannot be done.
pub async fn drive(
    writer: &Writer,
    request: &Request,
    relied: Option<&Relied>,
    now: DateTime<Utc>,
) -> Result<Done, Error> {
    let task = Task { writer, request, relied, now, dry: false };
    task.allowed()?;
    let mut tries = 0;
    loop {
        tries += 1;
        match attempt(&task).await {
            Attempt::Ended(Err(Error::Database(error)))
                if error.is_safe_again() && tries < TRIES => {}
            Attempt::Ended(ended) => return ended,
            Attempt::Unanswered(why) => return resolve(&task, why).await,
        }
    }
}

async fn attempt(task: &Task<'_>) -> Attempt {
    let writer = task.writer;
    let mut session = match writer.pool.session("command").await {
        Ok(session) => session,
        Err(error) => return Attempt::Ended(Err(error.into())),
    };
    let ended = in_transaction(&mut session, task).await;
    let over = match &ended {
        Attempt::Unanswered(_) => true,
        Attempt::Ended(Err(Error::Database(error))) => error.ends_session(),
        Attempt::Ended(_) => false,
    };
    if !over {
        session.finish();
    }
    ended
}

async fn in_transaction(conn: &mut PgConnection, task: &Task<'_>) -> Attempt {
    let layout = &*task.writer.layout;
    let ahead = match task.ahead(conn).await {
        Ok(ahead) => ahead,
        Err(error) => return Attempt::Ended(Err(error.into())),
    };
    let mut tx = match Tx::begin(conn, layout, &task.opening()).await {
        Ok(tx) => tx,
        Err(error) => return Attempt::Ended(Err(error.into())),
    };
    match Box::pin(task.perform(&mut tx, &ahead)).await {
        Ok(Performed::Written(work)) => match tx.commit().await {
            Ok(()) => Attempt::Ended(Ok(work.done(task.request))),
            Err(error) if error.ends_session() => Attempt::Unanswered(error),
            // An answer of the server is one: it did not commit.
            Err(error) => Attempt::Ended(Err(error.into())),
        },
        Ok(Performed::Repeated(done)) => {
            tx.rollback().await;
            Attempt::Ended(Ok(done))
        }
        Err(error) => {
            tx.rollback().await;
            Attempt::Ended(Err(named(conn, task, &ahead, error).await))
        }
    }
}

/// Names whoever was faster, where the server only said that somebody was.
async fn named(conn: &mut PgConnection, task: &Task<'_>, ahead: &Ahead, error: Error) -> Error {
    let Error::Conflict(moved) = error else { return error };
    let layout = &*task.writer.layout;
    let Ok(mut tx) = Tx::begin(conn, layout, &Opening::of(task.request.id)).await else {
        return Error::Conflict(moved);
    };
    let blamed = task.blamed(&mut tx, ahead, moved.clone()).await;
    tx.rollback().await;
    Error::Conflict(blamed.unwrap_or(moved))
}

/// Looks for the operation's record. Never runs it again: the transaction that was lost may still be open, and
/// beginning one of the same operation waits for its end.
pub async fn resolve(task: &Task<'_>, why: db::Error) -> Result<Done, Error> {
    let mut last = why.to_string();
    for asked in 0..ASKED {
        if asked > 0 {
            tokio::time::sleep(BETWEEN).await;
        }
        match look_up(task).await {
            Ok(Some(done)) => return Ok(Done { repeated: false, ..done }),
            Ok(None) => return Err(Error::Database(why)),
            Err(Error::Database(error)) => last = error.to_string(),
            Err(error) => return Err(error),
        }
    }
    Err(Error::Unresolved { id: task.request.id, why: last })
}

async fn look_up(task: &Task<'_>) -> Result<Option<Done>, Error> {
    let mut session = task.writer.pool.session("command").await?;
    let opening = Opening::of(task.request.id);
    let mut tx = Tx::begin(&mut session, &task.writer.layout, &opening).await?;
    let found = audit::by_operation(tx.conn(), task.request.id).await;
    tx.rollback().await;
    let done = match found? {
        Some(recorded) => Some(task.repeated(&recorded)?),
        None => None,
    };
    session.finish();
    Ok(done)
}

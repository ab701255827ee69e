//! Cancelling a query in the server: dropping an sqlx future leaves the statement running there.

use std::{sync::OnceLock, time::Duration};

use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;

use super::{Db, Error, Pool, address::Backend};

/// How long a cancelled statement may take to end before its session is given up.
const GRACE: Duration = Duration::from_secs(1);

/// A cancel that arrives between two statements, or between parsing and execution, has no effect and no answer: it is
/// repeated at this interval while the work goes on.
const AGAIN: Duration = Duration::from_millis(50);

impl Db {
    /// Runs a query on a read-only session named `orderscope/<who>`, until it is answered or `stop`
    /// fires. See [`cancellable`].
    pub async fn read<T>(
        &self,
        who: &str,
        stop: &CancellationToken,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        cancellable(&self.read, &self.control, who, stop, work).await
    }

    /// The same on a session of `pool`, which may be one that writes.
    pub async fn ask<T>(
        &self,
        pool: &Pool,
        who: &str,
        stop: &CancellationToken,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        cancellable(pool, &self.control, who, stop, work).await
    }
}

/// Runs `work` on a session of its own until it ends or `stop` fires.
///
/// A cancel names a server process, not a statement, and may land late; the session is closed after
/// one so that it can never hit whoever would use the session next.
pub async fn cancellable<T>(
    pool: &Pool,
    control: &Pool,
    who: &str,
    stop: &CancellationToken,
    work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut session = tokio::select! {
        biased;
        () = stop.cancelled() => return Err(Error::Cancelled),
        session = pool.session(who) => session?,
    };
    // Empty as long as there is nothing to stop, or no way to.
    let backend = OnceLock::new();
    let (answer, stopped) = {
        let told = |own| {
            let _ = backend.set(own);
        };
        let mut work = std::pin::pin!(session.run(who, told, work));
        tokio::select! {
            answer = &mut work => (answer, false),
            () = tokio::time::sleep(pool.answer_limit()) => {
                (Err(Error::Stalled(pool.answer_limit())), false)
            }
            () = stop.cancelled() => {
                // Reached or not: the session is closed below, and the statement timeout holds.
                let insist = async {
                    while let Some(backend) = backend.get() {
                        drop(Box::pin(cancel(control, *backend)).await);
                        tokio::time::sleep(AGAIN).await;
                    }
                };
                let late = async {
                    tokio::select! {
                        biased;
                        answer = work => answer,
                        // No way to tell the server: the session is closed, which a pooler passes on.
                        () = insist => Err(Error::Cancelled),
                    }
                };
                let late = tokio::time::timeout(GRACE, late).await;
                (late.unwrap_or(Err(Error::Cancelled)), true)
            }
        }
    };
    if stopped {
        return answer.map_err(|_| Error::Cancelled);
    }
    if !answer.as_ref().is_err_and(Error::ends_session) {
        session.finish();
    }
    answer.map_err(|error| error.within(pool.statement_limit()))
}

/// The control session may be with another of several servers, where the number is somebody else's.
async fn cancel(control: &Pool, backend: Backend) -> Result<(), Error> {
    let mut session = control.session("cancel").await?;
    let same = "SELECT pg_cancel_backend($1)
        WHERE (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint = $2";
    sqlx::query(same).bind(backend.pid).bind(backend.started).execute(&mut *session).await?;
    session.finish();
    Ok(())
}

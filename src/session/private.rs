//! What is done to the private server as operations: removing it with everything in it, moving it to a newer
//! PostgreSQL.

use std::{path::PathBuf, sync::OnceLock};

use futures::future::BoxFuture;
use serde_json::json;
use sqlx::{Connection, PgConnection};

use super::exit::{self, ExitCode};
use crate::{
    domain::text::thousands,
    embedded::{self, Config, Progress, State},
    ops::{
        audit::LocalLog,
        operation::{Check, Done, Effect, Ending, Failed, Found, Recorder, Verdict, Work},
    },
};

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    Reset,
    Upgrade,
}

/// Something to do to the private server.
#[derive(Debug)]
pub struct PrivateWork {
    pub task: Task,
    pub config: Config,
    pub report: fn(Progress),
    /// Where a reset is recorded: the audit log goes with the database.
    pub log: PathBuf,
}

impl Work for PrivateWork {
    fn look(&self) -> BoxFuture<'_, Result<Found, Failed>> {
        Box::pin(async { self.found().await.map_err(failed) })
    }

    fn run<'a>(&'a self, record: &'a Recorder<'a>) -> BoxFuture<'a, Result<Done, Failed>> {
        Box::pin(async {
            match self.task {
                Task::Reset => self.reset(record).await,
                Task::Upgrade => self.upgrade(record).await.map_err(failed),
            }
        })
    }
}

impl PrivateWork {
    async fn found(&self) -> Result<Found, embedded::Error> {
        let status = embedded::status(&self.config).await?;
        let mut found = Found::default();
        let mut say = |verdict, text: &str| found.checks.push(Check::new(verdict, text));
        let home = status.home.display();
        if self.task == Task::Reset && !status.home.is_dir() {
            say(Verdict::Ok, "there was nothing to remove");
            found.nothing = true;
            return Ok(found);
        }
        if status.in_use == Some(true) {
            return Err(embedded::Error::InUse);
        }
        match (self.task, status.major) {
            (Task::Reset, _) => {
                say(Verdict::Ok, "no console uses it");
                let told = format!("everything in {home} is removed, its audit log too");
                found.effects.push(Effect::told("private database", told));
            }
            (Task::Upgrade, Some(major)) if status.state != State::Absent => {
                say(Verdict::Ok, "no console uses it");
                say(
                    Verdict::Ok,
                    "every row is copied and compared; the old one is removed only after the new one has started",
                );
                let told = format!("from PostgreSQL {major} to the newest found");
                found.effects.push(Effect::told("private database", told));
            }
            (Task::Upgrade, _) => return Err(embedded::Error::Absent { path: status.home }),
        }
        Ok(found)
    }

    async fn reset(&self, record: &Recorder<'_>) -> Result<Done, Failed> {
        // Before anything is removed.
        let line = record.line(&json!({ "home": self.config.home }));
        LocalLog::new(self.log.clone()).append(&line).map_err(|why| Failed {
            message: format!("nothing was removed: {why}"),
            ending: Ending::Refused,
        })?;
        let reset = embedded::reset(&self.config, false, &self.report).await.map_err(failed)?;
        let told = if reset.existed { "removed" } else { "there was nothing to remove" };
        let more = vec![format!("recorded in {}", self.log.display())];
        Ok(Done { told: told.to_owned(), more, audit: None })
    }

    async fn upgrade(&self, record: &Recorder<'_>) -> Result<Done, embedded::Error> {
        let steps = Recorded { record, audit: OnceLock::new() };
        let upgraded = embedded::upgrade(&self.config, &steps, &self.report).await?;
        let embedded::Upgraded { from, to, tables, rows, roles } = &upgraded;
        let told = if from == to {
            format!("it is PostgreSQL {from} already; nothing newer was found")
        } else {
            let rows = i64::try_from(*rows).unwrap_or(i64::MAX);
            let rows = thousands(rows);
            format!("moved from PostgreSQL {from} to {to}: {tables} tables, {rows} rows")
        };
        let more = (!roles.is_empty())
            .then(|| format!("roles are not copied; make these again: {}", roles.join(", ")));
        Ok(Done { told, more: more.into_iter().collect(), audit: steps.audit.get().copied() })
    }
}

/// An upgrade with our schema, recorded in the new database before it replaces the old one.
struct Recorded<'a> {
    record: &'a Recorder<'a>,
    audit: OnceLock<i64>,
}

impl embedded::Steps for Recorded<'_> {
    fn prepare<'a>(&'a self, conn: &'a mut PgConnection) -> embedded::Prepared<'a> {
        Box::pin(async move { super::migrate(conn).await.map(drop).map_err(Into::into) })
    }

    fn seal<'a>(&'a self, conn: &'a mut PgConnection) -> embedded::Prepared<'a> {
        Box::pin(async move {
            let mut tx = conn.begin().await?;
            let after = json!({ "told": "moved to this PostgreSQL" });
            let number = self.record.record(&mut tx, &after).await?;
            tx.commit().await?;
            // Called once.
            let _ = self.audit.set(number);
            Ok(())
        })
    }
}

fn failed(error: embedded::Error) -> Failed {
    let ending = match error.exit_code() {
        exit::NOTHING => Ending::Nothing,
        exit::REFUSED => Ending::Refused,
        _ => Ending::Passing,
    };
    Failed { message: error.to_string(), ending }
}

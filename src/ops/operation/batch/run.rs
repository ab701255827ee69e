//! Running an operation: one batch after the other, each in its own transaction, until its list is done, someone
//! asks for a pause, or it stops by itself.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::{Connection, PgConnection};
use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    Batch, BatchKind, Context, PlanError, Position, Record, Steered, Which, Writer, found, kind_of,
    name_of, permitted, position, record, recorded, refused, runner, targets, verify::verify,
};
use crate::{
    db::{
        self, Session, operations,
        write::{Opening, Tx},
    },
    domain::batch::{Counts, Limiter, Pace, Size, State, Step, Wanted, offered},
    ops::delivery::Hindrance,
    ops::operation::{Moved, PlanRequest, Progress},
};

/// How often, and how far apart, a lost session is opened again.
const TRIES: u32 = 20;
const BETWEEN: Duration = Duration::from_millis(300);
/// How often the same batch is tried: when others' work undid it, and when the session was lost in it.
const AGAIN: u32 = 4;
/// Batches that are read at once for the hash over all of them.
const PAGE: i64 = 1_000;

/// Runs an operation, or goes on with it, until it is done, paused, stopped or cancelled; tells how it stands then.
/// `stop` pauses it after the batch under way.
///
/// # Errors
/// When it cannot be run now; or when the connection was lost for good: it then goes on where it stopped, when
/// somebody runs it.
pub async fn run(
    ctx: &Context<'_>,
    kind: &dyn BatchKind,
    operation: Uuid,
    progress: &watch::Sender<Progress>,
    stop: &CancellationToken,
) -> Result<Record, PlanError> {
    let ran = go_on(ctx, kind, operation, None, progress, stop).await?;
    Ok(ran.0)
}

/// Goes on with an operation, if it still stands where the plan saw it; recorded with the change of its state.
///
/// # Errors
/// As [`run`], and when it moved since it was planned.
pub async fn resume(
    ctx: &Context<'_>,
    request: &PlanRequest,
    (number, position): (i64, Position),
    progress: &watch::Sender<Progress>,
    stop: &CancellationToken,
) -> Result<Steered, PlanError> {
    let asked = ctx
        .writer()?
        .db
        .read("operation", stop, async |conn| Ok(found(conn, Which::Number(number)).await));
    let record = asked.await??;
    let kind = kind_of(&record)?;
    let resumed = Some((request, position));
    let (record, audit) = go_on(ctx, &*kind, record.id, resumed, progress, stop).await?;
    Ok(Steered { record, audit, asked: None })
}

/// A request to go on, and where the operation stood when that was planned.
type Resumed<'a> = (&'a PlanRequest, Position);

/// Runs it; with the number of the record that it was resumed.
async fn go_on(
    ctx: &Context<'_>,
    kind: &dyn BatchKind,
    operation: Uuid,
    resumed: Option<Resumed<'_>>,
    progress: &watch::Sender<Progress>,
    stop: &CancellationToken,
) -> Result<(Record, Option<i64>), PlanError> {
    let writer = ctx.writer()?;
    permitted(writer, kind.name())?;
    kind.allowed(ctx.now())?;
    let mut session = writer.pool.session("operation").await?;
    let Record { number, .. } = found(&mut session, Which::Id(operation)).await?;
    if !operations::try_lock(&mut session, number).await? {
        let record = found(&mut session, Which::Id(operation)).await?;
        session.finish();
        return Err(PlanError::Busy { number, who: runner(&record) });
    }
    let (record, audit) = match take(writer, &mut session, operation, resumed).await {
        Ok(taken) => taken,
        Err(error) => {
            operations::unlock(&mut session, number).await?;
            session.finish();
            return Err(error);
        }
    };
    let (rate, size) = (record.rate, Size::default());
    let mut running = Running {
        writer,
        ctx,
        kind,
        session,
        size,
        limiter: Limiter::new(rate),
        pace: Pace::default(),
        record,
    };
    running.pace.add(ctx.now(), running.record.counts.all());
    let ended = running.drive(progress, stop).await;
    let Running { mut session, record, .. } = running;
    ended?;
    operations::unlock(&mut session, record.number).await?;
    let record = found(&mut session, Which::Id(record.id)).await?;
    session.finish();
    Ok((record, audit))
}

/// Records that this session, which has the lock, runs it.
async fn take(
    writer: &Writer,
    conn: &mut PgConnection,
    id: Uuid,
    resumed: Option<Resumed<'_>>,
) -> Result<(Record, Option<i64>), PlanError> {
    let record = found(conn, Which::Id(id)).await?;
    let Record { number, state, .. } = record;
    state.after(Step::Run).map_err(|why| refused(number, why))?;
    let mut tx = conn.begin().await?;
    let audit = match resumed {
        Some((_, planned)) if planned != position(&record) => {
            return Err(moved(&record, planned));
        }
        Some((request, _)) => {
            let after = json!({ "resumed": id, "operation": number, "left": record.left() });
            Some(recorded(writer, &mut tx, request, &record, &after).await?)
        }
        None => None,
    };
    operations::take(&mut tx, id, state, &name_of(writer)).await?;
    tx.commit().await?;
    Ok((found(conn, Which::Id(id)).await?, audit))
}

/// Somebody else ran it since it was planned.
fn moved(record: &Record, planned: Position) -> PlanError {
    let stood = |state: State, counts: Counts| format!("{state} after {} items", counts.all());
    let was = stood(planned.state, planned.counts);
    let what =
        format!("operation {}: {was} → {}", record.number, stood(record.state, record.counts));
    PlanError::Stale(Moved { what, who: record.runner.clone(), when: record.runner_since })
}

/// An operation that this session runs.
struct Running<'a> {
    writer: &'a Writer,
    ctx: &'a Context<'a>,
    kind: &'a dyn BatchKind,
    record: Record,
    session: Session,
    size: Size,
    limiter: Limiter,
    pace: Pace,
}

impl Running<'_> {
    fn now(&self) -> DateTime<Utc> {
        self.ctx.now()
    }

    async fn drive(
        &mut self,
        progress: &watch::Sender<Progress>,
        stop: &CancellationToken,
    ) -> Result<(), PlanError> {
        let (mut again, mut lost) = (0, 0);
        while self.record.state == State::Running {
            self.tell(progress, None);
            let done = if stop.is_cancelled() {
                self.stand(State::Paused, &format!("by {}", name_of(self.writer))).await
            } else {
                self.step(stop).await
            };
            let Err(error) = done else {
                (again, lost) = (0, 0);
                continue;
            };
            match &error {
                PlanError::Database(db::Error::TimedOut(_) | db::Error::Locked(_)) => {
                    match self.size.smaller() {
                        Some(size) => self.size = size,
                        None => self.halt(&error).await?,
                    }
                }
                PlanError::Database(db::Error::Again(_)) if again < AGAIN => again += 1,
                PlanError::Database(why) if is_lost(why) && lost < AGAIN => {
                    lost += 1;
                    // A server that ends a transaction because of its length ends the session with it.
                    self.size = self.size.smaller().unwrap_or(self.size);
                    self.tell(progress, Some(why.to_string()));
                    self.open_again(error).await?;
                }
                PlanError::Database(why) if is_lost(why) => return Err(error),
                _ => self.halt(&error).await?,
            }
        }
        self.tell(progress, None);
        Ok(())
    }

    fn tell(&self, progress: &watch::Sender<Progress>, hindered: Option<String>) {
        let Record { number, items, counts, .. } = self.record;
        progress.send_replace(Progress {
            done: counts.all(),
            of: items,
            hindered: hindered.into_iter().map(Hindrance::of_all).collect(),
            number: Some(number),
            estimate: self.pace.estimate(self.record.left()),
            ..Progress::default()
        });
    }

    /// What comes next: what another session asked for, a verification, the end, or a batch.
    async fn step(&mut self, stop: &CancellationToken) -> Result<(), PlanError> {
        match self.record.wanted {
            Some(Wanted::Cancel) => return self.end(State::Cancelled).await,
            Some(Wanted::Pause) => {
                return self.stand(State::Paused, "another session asked for it").await;
            }
            None => {}
        }
        if self.record.verified < self.record.batches {
            return self.verify().await;
        }
        if self.record.left() == 0 {
            return self.end(State::Done).await;
        }
        if let Ok(wait) = self.limiter.wait(self.now()).to_std()
            && !wait.is_zero()
        {
            tokio::select! {
                () = sleep(wait) => {}
                () = stop.cancelled() => return Ok(()),
            }
        }
        self.batch().await
    }

    /// Looks at the batches that were committed, then at the stop rule.
    async fn verify(&mut self) -> Result<(), PlanError> {
        let layout = &self.writer.layout;
        let wrong = verify(&mut self.session, layout, self.kind, &self.record).await?;
        if let Some(why) = wrong {
            return self.stand(State::Stopped, &format!("a verification failed: {why}")).await;
        }
        let (id, batches) = (self.record.id, self.record.batches);
        operations::verified(&mut self.session, id, batches).await?;
        self.record.verified = batches;
        let Counts { failed, .. } = self.record.counts;
        match self.kind.stop_rule().broken(failed, self.record.accepted) {
            Some(why) if self.record.left() > 0 => self.stand(State::Stopped, &why).await,
            _ => Ok(()),
        }
    }

    /// Does the next batch and commits it.
    async fn batch(&mut self) -> Result<(), PlanError> {
        let began = self.now();
        let (writer, layout) = (self.writer, &self.writer.layout);
        let Record { id, items, counts, batches, .. } = self.record;
        let most = self.size.items().min(self.limiter.most());
        let given = offered(counts.all(), items, most);
        let items = operations::pending(&mut self.session, id, counts.all(), given).await?;
        let Some(first) = items.first().map(|item| item.ordinal) else {
            return Err(broken("its list lacks the next item"));
        };
        let within = Some(writer.pool.statement_limit());
        let opening = Opening { within, ..Opening::of(id) };
        let mut tx = Tx::begin(&mut self.session, layout, &opening).await?;
        let batch = Batch { operation: id, items: &items, rows: self.size.rows(), dry: false };
        let done = async {
            let ran = self.kind.run(&mut tx, &batch).await?;
            tx.in_time()?;
            let new = Counts::of(&ran.outcomes);
            if new.all() > items.len() as u64 || new.all() == 0 && ran.rows == 0 {
                return Err(broken("a batch made no progress"));
            }
            let conn = tx.conn();
            operations::settle(conn, id, &items, &ran.outcomes).await?;
            let by = (writer.operator.name.as_str(), writer.operator.host.as_str());
            operations::add_batch(conn, id, batches + 1, first, new, &ran.evidence, by).await?;
            let wanted = operations::advance(conn, id, counts.all(), new).await?;
            Ok((new, wanted))
        }
        .await;
        let (new, wanted) = match done {
            Ok(done) => done,
            Err(error) => {
                tx.rollback().await;
                return Err(error);
            }
        };
        tx.commit().await?;
        let record = &mut self.record;
        record.counts.done += new.done;
        record.counts.skipped += new.skipped;
        record.counts.failed += new.failed;
        record.batches += 1;
        record.wanted = wanted;
        let (ended, position) = (self.now(), self.record.counts.all());
        let took = (ended - began).to_std().unwrap_or_default();
        self.size = self.size.after(took, writer.pool.statement_limit());
        self.limiter.count(new.all(), began);
        self.pace.add(ended, position);
        Ok(())
    }

    /// Leaves it as it is, to be gone on with.
    async fn stand(&mut self, next: State, told: &str) -> Result<(), PlanError> {
        let states = (State::Running, next);
        operations::set_state(&mut self.session, self.record.id, states, Some(told), None).await?;
        self.record.state = next;
        Ok(())
    }

    /// Stops because of an error that will not pass by itself.
    async fn halt(&mut self, error: &PlanError) -> Result<(), PlanError> {
        if matches!(error, PlanError::Database(db::Error::Conflict(_))) {
            // Somebody else moved it: it is not ours to change any more.
            return Err(error.clone());
        }
        self.stand(State::Stopped, &error.to_string()).await
    }

    /// Records the end, with what became of it.
    async fn end(&mut self, next: State) -> Result<(), PlanError> {
        let number = self.record.number;
        let targets = targets(self.kind.targets(), number);
        let became = became(&mut self.session, &self.record, next).await?;
        let mut tx = self.session.begin().await?;
        let entry = (crate::ops::fresh_id(), self.kind.name());
        let writer = self.writer;
        let audit = record(&mut tx, writer, entry, targets, None, &became).await?;
        let states = (State::Running, next);
        operations::set_state(&mut tx, self.record.id, states, None, Some(audit)).await?;
        tx.commit().await?;
        self.record.state = next;
        Ok(())
    }

    /// A session for one that was lost, once the server has noticed that nobody is at the other end of the old one.
    /// What was committed is read from the database.
    async fn open_again(&mut self, mut error: PlanError) -> Result<(), PlanError> {
        let Record { id, number, runner_since, .. } = self.record;
        for _ in 0..TRIES {
            sleep(BETWEEN).await;
            let opened = async {
                let mut session = self.writer.pool.session("operation").await?;
                if !operations::try_lock(&mut session, number).await? {
                    return Err(PlanError::Busy { number, who: runner(&self.record) });
                }
                let record = found(&mut session, Which::Id(id)).await?;
                Ok::<_, PlanError>((session, record))
            };
            match opened.await {
                Ok((session, record)) if record.runner_since == runner_since => {
                    (self.session, self.record) = (session, record);
                    return Ok(());
                }
                Ok(_) => return Err(broken("another session took it over")),
                Err(why) if matches!(why, PlanError::Busy { .. }) => error = why,
                Err(PlanError::Database(why)) if is_lost(&why) => error = why.into(),
                Err(why) => return Err(why),
            }
        }
        Err(error)
    }
}

const fn is_lost(error: &db::Error) -> bool {
    matches!(error, db::Error::Lost(_) | db::Error::Unreachable { .. } | db::Error::Busy(_))
}

fn broken(why: &str) -> PlanError {
    db::Error::Conflict(why.to_owned()).into()
}

/// What the audit entry at the end says: the counts, and a hash over the journal's rows, which nobody changes
/// afterwards without its being seen.
pub(super) async fn became(
    conn: &mut PgConnection,
    record: &Record,
    state: State,
) -> Result<Value, PlanError> {
    let (mut hash, mut after) = (Sha256::new(), 0);
    loop {
        let batches = operations::batches(conn, record.id, after, PAGE).await?;
        let Some(last) = batches.last().map(|batch| batch.batch) else { break };
        for one in batches {
            let line = json!([
                one.batch,
                one.first,
                one.last,
                one.done,
                one.skipped,
                one.failed,
                one.evidence
            ]);
            hash.update(format!("{line}\n").as_bytes());
        }
        after = last;
    }
    let digest = hash.finalize();
    let Counts { done, skipped, failed } = record.counts;
    Ok(json!({
        "ended": record.id,
        "operation": record.number,
        "became": state.name(),
        "done": done,
        "skipped": skipped,
        "failed": failed,
        "left": record.left(),
        "batches": record.batches,
        "sha256": super::purge::hex(&digest),
    }))
}

//! Commands that come as messages: the same executor behind MassTransit's inbox, so that a message delivered
//! twice, or twice at the same time, has its effects once.
//!
//! Passes are counted as MassTransit counts them: one for consuming, one for every message sent, one for
//! finding nothing more to send, one for cleaning up. Sending is the caller's, who records and counts it with
//! [`db::relay::record_consumer_outbox`].

use chrono::{DateTime, SubsecRound, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::operation::{
    Operation, Origin, Outcome, Performed, PlanError, PlanRequest, Task, Writer,
    command::{self, EarlyReads},
};
use crate::{
    db::{
        self,
        write::{Inbox, Opening, Tx},
    },
    domain::{
        decide::Command,
        derived::{Derived, of_message},
        id::{ConsumerId, MessageId},
    },
};

/// How often a pass is tried again after the server undid it or the connection broke.
const TRIES: u32 = 4;

/// What became of a message.
#[derive(Debug, Clone, PartialEq)]
pub enum Received {
    /// Its command was run now. What it produced waits in the outbox unless `delivered` says that there is
    /// nothing to send.
    Handled { done: Box<Outcome>, delivered: bool },
    /// It was consumed before, but not all it produced is recorded as sent: send that, and record it with
    /// [`db::relay::record_consumer_outbox`].
    Waiting { last_sequence: i64 },
    /// Everything was done before.
    Duplicate,
}

/// A message with a command for one of our consumers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub origin: Origin,
    pub command: Command,
    pub reason: Option<String>,
}

/// Handles a message. A refusal leaves its inbox row unconsumed, as a consumer that throws does: the caller
/// moves the message to the error queue.
pub async fn receive(
    writer: &Writer,
    delivery: &Delivery,
    now: DateTime<Utc>,
) -> Result<Received, PlanError> {
    let operation = Operation::Order(delivery.command.clone());
    writer.permits(operation.spec())?;
    let Origin { message, consumer, .. } = delivery.origin;
    let request = PlanRequest {
        id: of_message(message.0, consumer.0),
        operation,
        reason: delivery.reason.clone(),
        expect: None,
    };
    let task = Task {
        writer,
        request: &request,
        origin: Some(&delivery.origin),
        expected: None,
        now,
        dry: false,
    };
    let passes = Passes { writer, message, consumer, now };
    passes.make(Pass::First).await?;
    match passes.make(Pass::Consume(&task, &delivery.command)).await? {
        // Nothing produced: MassTransit finds that out in a pass of its own and cleans up in the next.
        Ended::Done(done) => {
            let delivered = passes.settle().await?.is_none();
            Ok(Received::Handled { done, delivered })
        }
        Ended::Delivered => {
            passes.make(Pass::Seen).await?;
            Ok(Received::Duplicate)
        }
        _ => Ok(match passes.settle().await? {
            Some(last_sequence) => Received::Waiting { last_sequence },
            None => Received::Duplicate,
        }),
    }
}

/// The passes over one message, each a transaction of its own. Each looks first what is done, so each may be
/// made again.
#[derive(Debug, Clone, Copy)]
struct Passes<'a> {
    writer: &'a Writer,
    message: MessageId,
    consumer: ConsumerId,
    now: DateTime<Utc>,
}

#[derive(Debug, Clone, Copy)]
enum Pass<'a> {
    /// Makes the row of a message that was never seen.
    First,
    /// Runs the command unless it was run.
    Consume(&'a Task<'a>, &'a Command),
    /// Marks the message as delivered if nothing it produced is left to send.
    Settle,
    /// Removes what was sent.
    CleanUp,
    /// Finds everything done; counted too.
    Seen,
}

/// What a pass came to.
#[derive(Debug)]
enum Ended {
    Nothing,
    Done(Box<Outcome>),
    /// The newest message that is left to send.
    Left(i64),
    Settled,
    Delivered,
}

impl Passes<'_> {
    /// Settles and cleans up. What is left to send, if anything.
    async fn settle(&self) -> Result<Option<i64>, PlanError> {
        match self.make(Pass::Settle).await? {
            Ended::Left(last_sequence) => Ok(Some(last_sequence)),
            Ended::Settled => {
                self.make(Pass::CleanUp).await?;
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    /// Makes a pass, again where that is safe. A commit without an answer is as if the message had not been
    /// acknowledged: the row tells what was done.
    async fn make(&self, pass: Pass<'_>) -> Result<Ended, PlanError> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.once(pass).await {
                Err(PlanError::Database(error)) if error.is_safe_again() && tries < TRIES => {}
                ended => return ended,
            }
        }
    }

    async fn once(&self, pass: Pass<'_>) -> Result<Ended, PlanError> {
        let mut session = self.writer.pool.session("consumer").await?;
        let ended = self.in_transaction(&mut session, pass).await;
        if !matches!(&ended, Err(PlanError::Database(error)) if error.ends_session()) {
            session.finish();
        }
        ended
    }

    async fn in_transaction(
        &self,
        conn: &mut PgConnection,
        pass: Pass<'_>,
    ) -> Result<Ended, PlanError> {
        let ahead = match pass {
            Pass::Consume(_, command) => EarlyReads::read(conn, self.writer, command).await?,
            _ => EarlyReads::default(),
        };
        let operation = of_message(self.message.0, self.consumer.0);
        let mut tx = Tx::begin(conn, &self.writer.layout, &Opening::of(operation)).await?;
        match self.work(&mut tx, pass, &ahead).await {
            Ok(ended) => {
                tx.commit().await?;
                Ok(ended)
            }
            Err(error) => {
                tx.rollback().await;
                Err(error)
            }
        }
    }

    async fn work(
        &self,
        tx: &mut Tx<'_>,
        pass: Pass<'_>,
        ahead: &EarlyReads,
    ) -> Result<Ended, PlanError> {
        let (message, consumer, at) = (self.message, self.consumer, self.now.trunc_subsecs(6));
        // What `lock_id` gets: an id whose clock is the pass's.
        let lock = Derived::new(Uuid::new_v4(), at).new_id("lock");
        if matches!(pass, Pass::First) {
            tx.add_inbox(message, consumer, lock, at).await?;
            return Ok(Ended::Nothing);
        }
        let inbox = tx.hold_inbox(message, consumer).await?.ok_or_else(|| {
            // Someone purged it between two passes: the next delivery starts again.
            PlanError::Database(db::Error::Conflict("the inbox row was removed".to_owned()))
        })?;
        let count = inbox.receive_count + 1;
        let next = match pass {
            Pass::First => return Ok(Ended::Nothing),
            Pass::Consume(..) if inbox.delivered.is_some() => return Ok(Ended::Delivered),
            Pass::Consume(..) if inbox.consumed.is_some() => return Ok(Ended::Nothing),
            Pass::Consume(task, command) => {
                let inbox = Inbox { receive_count: count, consumed: Some(at), ..inbox };
                // Before the command: the event's number is to be the last thing drawn.
                tx.pass_inbox(message, consumer, lock, &inbox).await?;
                if let Some(held) = command::held(command) {
                    tx.hold(held).await?;
                }
                return Ok(Ended::Done(
                    match Box::pin(command::perform(tx, task, command, ahead, None)).await? {
                        Performed::Repeated(done) => done,
                        Performed::Written(work) => Box::new(work.outcome(task.request)),
                    },
                ));
            }
            Pass::Settle if inbox.delivered.is_some() => return Ok(Ended::Delivered),
            Pass::Settle => match tx.produced(message, consumer).await? {
                Some(newest) if inbox.last_sequence_number < Some(newest) => {
                    return Ok(Ended::Left(newest));
                }
                _ => Inbox { receive_count: count, delivered: Some(at), ..inbox },
            },
            Pass::CleanUp => {
                tx.remove_produced(message, consumer).await?;
                Inbox { receive_count: count, ..inbox }
            }
            Pass::Seen => Inbox { receive_count: count, ..inbox },
        };
        tx.pass_inbox(message, consumer, lock, &next).await?;
        Ok(if matches!(pass, Pass::Settle) { Ended::Settled } else { Ended::Nothing })
    }
}

//! Commands that come as messages: the same executor behind MassTransit's inbox, so that a message delivered
//! twice, or twice at the same time, has its effects once.
//!
//! Passes are counted as MassTransit counts them: one for consuming, one for every message sent, one for
//! finding nothing more to send, one for cleaning up.

use chrono::{DateTime, SubsecRound, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    command::{self, Ahead, Origin, Performed, Task},
    plan::{Done, Error, Intent, Request, Writer, is_safe_again},
};
use crate::{
    db::{
        self,
        write::{Inbox, Tx},
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
    Handled { done: Done, delivered: bool },
    /// It was consumed before, but not all it produced is recorded as sent: send that, then [`sent`].
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
) -> Result<Received, Error> {
    command::allowed(writer, &delivery.command)?;
    let Origin { message, consumer, .. } = delivery.origin;
    let request = Request {
        id: of_message(message.0, consumer.0),
        intent: Intent::Command(delivery.command.clone()),
        reason: delivery.reason.clone(),
        expect: None,
    };
    let task = Task {
        writer,
        request: &request,
        origin: Some(&delivery.origin),
        relied: None,
        now,
        dry: false,
    };
    let passes = Passes { writer, message, consumer, now };
    again(async || passes.first().await).await?;
    let handled = again(async || passes.consume(&task).await).await?;
    match handled {
        Consumed::Before(inbox) => passes.answer(&inbox).await,
        Consumed::Now(done) => {
            // Nothing produced: MassTransit finds that out in a pass of its own and cleans up in the next.
            let delivered = again(async || passes.nothing_left().await).await?;
            Ok(Received::Handled { done, delivered })
        }
    }
}

/// Records that everything a consumed message produced, up to that number, has been sent: the cursor, then
/// that nothing more is left, then the removal of what was sent.
pub async fn sent(
    writer: &Writer,
    message: MessageId,
    consumer: ConsumerId,
    last_sequence: i64,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let passes = Passes { writer, message, consumer, now };
    again(async || passes.advance(last_sequence).await).await?;
    again(async || passes.nothing_left().await).await?;
    Ok(())
}

/// The passes over one message.
#[derive(Debug, Clone, Copy)]
struct Passes<'a> {
    writer: &'a Writer,
    message: MessageId,
    consumer: ConsumerId,
    now: DateTime<Utc>,
}

enum Consumed {
    Now(Done),
    Before(Inbox),
}

impl Passes<'_> {
    /// What `lock_id` gets: an id whose clock is the pass's.
    fn lock(&self) -> Uuid {
        Derived::new(Uuid::new_v4(), self.at()).new_id("lock")
    }

    fn at(&self) -> DateTime<Utc> {
        self.now.trunc_subsecs(6)
    }

    fn operation(&self) -> Uuid {
        of_message(self.message.0, self.consumer.0)
    }

    /// Makes the row of a message that was never seen, in a transaction of its own.
    async fn first(&self) -> Result<(), Error> {
        self.in_transaction(async |tx| {
            tx.add_inbox(self.message, self.consumer, self.lock(), self.at()).await?;
            Ok(())
        })
        .await
    }

    /// Runs the command unless it was run.
    async fn consume(&self, task: &Task<'_>) -> Result<Consumed, Error> {
        let mut session = self.writer.pool.session("consumer").await?;
        let ahead = Ahead::read(&mut session, self.writer, task.command()).await?;
        session.finish();
        self.in_transaction(async |tx| {
            let inbox = self.held(tx).await?;
            if inbox.consumed.is_some() {
                return Ok(Consumed::Before(inbox));
            }
            let inbox = Inbox {
                receive_count: inbox.receive_count + 1,
                consumed: Some(self.at()),
                ..inbox
            };
            // Before the command: the event's number is to be the last thing drawn.
            tx.pass_inbox(self.message, self.consumer, self.lock(), &inbox).await?;
            Ok(Consumed::Now(match command::perform(tx, task, &ahead).await? {
                Performed::Repeated(done) => done,
                Performed::Written(work) => command::done(task.request, *work),
            }))
        })
        .await
    }

    /// What a message that was consumed before is told.
    async fn answer(&self, inbox: &Inbox) -> Result<Received, Error> {
        if inbox.delivered.is_none() && !again(async || self.nothing_left().await).await? {
            let produced = again(async || {
                self.in_transaction(async |tx| Ok(tx.produced(self.message, self.consumer).await?))
                    .await
            })
            .await?;
            return Ok(Received::Waiting { last_sequence: produced.unwrap_or_default() });
        }
        if inbox.delivered.is_some() {
            // A pass that finds everything done is counted too.
            again(async || {
                self.in_transaction(async |tx| {
                    let inbox = self.held(tx).await?;
                    let inbox = Inbox { receive_count: inbox.receive_count + 1, ..inbox };
                    tx.pass_inbox(self.message, self.consumer, self.lock(), &inbox).await?;
                    Ok(())
                })
                .await
            })
            .await?;
        }
        Ok(Received::Duplicate)
    }

    /// Moves the cursor past what was sent.
    async fn advance(&self, last_sequence: i64) -> Result<(), Error> {
        self.in_transaction(async |tx| {
            let inbox = self.held(tx).await?;
            if inbox.delivered.is_some() || inbox.last_sequence_number >= Some(last_sequence) {
                return Ok(());
            }
            let inbox = Inbox {
                receive_count: inbox.receive_count + 1,
                last_sequence_number: Some(last_sequence),
                ..inbox
            };
            tx.pass_inbox(self.message, self.consumer, self.lock(), &inbox).await?;
            Ok(())
        })
        .await
    }

    /// Marks the message as delivered if nothing it produced is left to send, and cleans up in the next pass.
    /// Whether it is delivered.
    async fn nothing_left(&self) -> Result<bool, Error> {
        let delivered = self
            .in_transaction(async |tx| {
                let inbox = self.held(tx).await?;
                if inbox.delivered.is_some() {
                    return Ok(None);
                }
                let produced = tx.produced(self.message, self.consumer).await?;
                if produced > inbox.last_sequence_number {
                    return Ok(Some(false));
                }
                let inbox = Inbox {
                    receive_count: inbox.receive_count + 1,
                    delivered: Some(self.at()),
                    ..inbox
                };
                tx.pass_inbox(self.message, self.consumer, self.lock(), &inbox).await?;
                Ok(Some(true))
            })
            .await?;
        if delivered == Some(true) {
            self.in_transaction(async |tx| {
                let inbox = self.held(tx).await?;
                tx.remove_produced(self.message, self.consumer).await?;
                let inbox = Inbox { receive_count: inbox.receive_count + 1, ..inbox };
                tx.pass_inbox(self.message, self.consumer, self.lock(), &inbox).await?;
                Ok(())
            })
            .await?;
        }
        Ok(delivered != Some(false))
    }

    async fn held(&self, tx: &mut Tx<'_>) -> Result<Inbox, Error> {
        let inbox = tx.hold_inbox(self.message, self.consumer).await?;
        inbox.ok_or_else(|| {
            // Someone purged it between two passes: the next delivery begins anew.
            Error::Database(db::Error::Again("the inbox row was removed".to_owned()))
        })
    }

    /// One pass. A commit without an answer is as if the message had not been acknowledged: it comes again, and
    /// the row tells what was done.
    async fn in_transaction<T>(
        &self,
        work: impl AsyncFnOnce(&mut Tx<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut session = self.writer.pool.session("consumer").await?;
        let ended = one(&mut session, self, work).await;
        if !matches!(ended, Err(Error::Database(db::Error::Lost(_)))) {
            session.finish();
        }
        ended
    }
}

async fn one<T>(
    conn: &mut PgConnection,
    passes: &Passes<'_>,
    work: impl AsyncFnOnce(&mut Tx<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut tx = Tx::begin(conn, &passes.writer.layout, passes.operation()).await?;
    match work(&mut tx).await {
        Ok(answer) => {
            tx.commit().await?;
            Ok(answer)
        }
        Err(error) => {
            tx.rollback().await;
            Err(error)
        }
    }
}

/// Every pass looks first what is done, so each may be tried again.
async fn again<T>(work: impl AsyncFn() -> Result<T, Error>) -> Result<T, Error> {
    let mut tries = 0;
    loop {
        tries += 1;
        match work().await {
            Err(Error::Database(error)) if is_safe_again(&error) && tries < TRIES => {}
            ended => return ended,
        }
    }
}

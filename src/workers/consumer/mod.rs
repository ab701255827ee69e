//! The command consumer: takes commands that come as messages, runs each once behind the inbox, sends what it
//! produced, and only then acknowledges it.
//!
//! A refusal ends in `<queue>_error`. What may pass by itself puts the message back: others' work at the same time for
//! a number of attempts, after which the message is given up too; a server that is away for as long as it takes. One
//! message at a time; several consumers may share the queue.

mod attempts;
mod produced;

use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::{
    attempts::{Attempts, hopeless, passing, passing_unsent},
    produced::{Produced, Unsent},
};
use super::Clock;
use crate::{
    db::{self, Limits, relay::OutboxTables},
    domain::{
        diagnosis::Thresholds,
        id::{ConsumerId, MessageId},
        inbound::{Commands, FailedCommand, Inbound, Kind, Unreadable, skipped},
    },
    ops::{
        inbox::{Delivery, Received, receive},
        operation::{Origin, PlanError, Writer},
    },
    relay::{self, Backoff, Broker, Endpoint, UnsettledMessage},
};

const CONNECT: Duration = Duration::from_secs(5);

/// When to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// When the queue is empty, or at the first trouble that is not of one message.
    Empty,
    /// When told.
    Told,
}

/// How a consumer works.
#[derive(Debug, Clone)]
pub struct Settings {
    pub broker: Broker,
    pub commands: Commands,
    pub limits: Limits,
    /// So many messages at most are handed out and not acknowledged.
    pub prefetch: u16,
    /// The first and the longest wait before what failed is tried again.
    pub retry: (Duration, Duration),
    /// How often a message is tried that fails for what may pass, before it is given up.
    pub attempts: u32,
    /// Whether copies of what was sent stay in schema `orderscope`.
    pub copies: bool,
    /// The largest message that the broker takes, in bytes.
    pub largest: i64,
}

impl Settings {
    /// With the usual waits in between, two minutes of trying.
    pub const ATTEMPTS: u32 = 9;

    /// The usual settings.
    #[must_use]
    pub fn new(broker: Broker, commands: Commands) -> Self {
        let retry = (Duration::from_secs(1), Duration::from_secs(30));
        Self {
            broker,
            commands,
            limits: Limits::default(),
            prefetch: 16,
            retry,
            attempts: Self::ATTEMPTS,
            copies: true,
            largest: Thresholds::default().largest,
        }
    }
}

/// Figures since it started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Commands that were run.
    pub handled: u64,
    /// Messages that had been handled before.
    pub duplicates: u64,
    /// Moved to the error queue: refused, or no command.
    pub refused: u64,
    /// Moved to the skipped queue: of a type that nobody here takes.
    pub skipped: u64,
    /// Put back to be tried again.
    pub again: u64,
    /// What it is waiting for, if it cannot work: told to people.
    pub trouble: Option<String>,
}

/// Why a consumer ended before it was told to, or what it waits for.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Database(#[from] db::Error),
    #[error(transparent)]
    Broker(#[from] relay::Error),
    /// Nothing can be written now; the message is back in its queue.
    #[error("a message is back in its queue: {0}")]
    Later(PlanError),
    /// It may pass by itself; the message is back in its queue.
    #[error("a message is back in its queue after {tried} of {most} attempts: {why}")]
    Again { tried: u32, most: u32, why: String },
}

/// What becomes of a message.
enum Ended {
    Handled,
    Duplicate,
    /// No consumer here takes it.
    Foreign,
    Refused {
        exception: &'static str,
        text: String,
        kind: Option<Kind>,
        retries: u32,
    },
    Later(Error),
}

impl Ended {
    const fn refused(exception: &'static str, text: String, kind: Option<Kind>) -> Self {
        Self::Refused { exception, text, kind, retries: 0 }
    }
}

struct Worker<'a> {
    settings: &'a Settings,
    writer: &'a Writer,
    clock: Clock,
    stop: CancellationToken,
    until: Until,
    endpoint: Option<Endpoint>,
    produced: Produced<'a>,
    attempts: Attempts,
    stats: watch::Sender<Stats>,
}

/// Consumes until `until`, or until `stop` fires; the message under way is then finished. Servers that are gone
/// are tried again for ever, unless it is to end at an empty queue. `stats` always has the newest figures.
///
/// # Errors
/// Until the queue is empty: the first trouble. Until told: none but tables that it cannot work with.
pub async fn run(
    settings: &Settings,
    writer: &Writer,
    until: Until,
    clock: Clock,
    stop: CancellationToken,
    stats: watch::Sender<Stats>,
) -> Result<Stats, Error> {
    let tables = OutboxTables::of(writer.layout())?;
    let produced = Produced::new(settings, writer, tables, clock.clone());
    let attempts = Attempts::default();
    let mut worker =
        Worker { settings, writer, clock, stop, until, endpoint: None, produced, attempts, stats };
    let ended = worker.rounds().await;
    if let Some(endpoint) = worker.endpoint.take() {
        endpoint.close().await;
    }
    worker.produced.close().await;
    let stats = worker.stats.borrow().clone();
    ended.map(|()| stats)
}

impl Worker<'_> {
    async fn rounds(&mut self) -> Result<(), Error> {
        let (first, longest) = self.settings.retry;
        let mut backoff = Backoff::new(first, longest);
        while !self.stop.is_cancelled() {
            match self.round().await {
                Ok(true) => {
                    backoff.reset();
                    self.stats.send_if_modified(|stats| stats.trouble.take().is_some());
                }
                Ok(false) => return Ok(()),
                Err(error)
                    if self.until == Until::Empty && !matches!(error, Error::Again { .. }) =>
                {
                    return Err(error);
                }
                Err(error) => {
                    tracing::warn!(%error, "the command consumer cannot work");
                    let told = error.to_string();
                    self.stats.send_modify(|stats| stats.trouble = Some(told));
                    let wait = match error {
                        // By its own attempts, whatever else succeeds in between.
                        Error::Again { tried, .. } => attempts::wait(self.settings.retry, tried),
                        _ => backoff.wait(),
                    };
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        () = self.stop.cancelled() => {}
                    }
                }
            }
        }
        Ok(())
    }

    /// One message; whether there was one.
    async fn round(&mut self) -> Result<bool, Error> {
        let mut endpoint = match self.endpoint.take().filter(Endpoint::is_open) {
            Some(endpoint) => endpoint,
            None => self.open().await?,
        };
        let next = tokio::select! {
            biased;
            () = self.stop.cancelled() => Ok(None),
            next = endpoint.next() => next,
        };
        let Some(handed) = next? else {
            self.endpoint = Some(endpoint);
            return Ok(false);
        };
        let commands = &self.settings.commands;
        let read = commands.read(&handed.raw.body, &handed.raw.headers);
        let of = read.as_ref().ok().map(|read| (read.message, commands.consumer(read.kind).id()));
        let ended = match read {
            Ok(inbound) => self.handle(&endpoint, inbound).await,
            Err(Unreadable::Foreign(_)) => Ended::Foreign,
            Err(error) => Ended::refused("Orderscope.Malformed", error.to_string(), None),
        };
        let settled = self.settle(&endpoint, handed, ended).await;
        // Given up too: whoever replays it wants it tried again.
        if let (Some((message, consumer)), Ok(())) = (of, &settled) {
            self.attempts.forget(message, consumer);
        }
        // Where it is no longer open, everything unsettled is back in the queue: the next round opens another.
        self.endpoint = Some(endpoint);
        settled.map(|()| true)
    }

    async fn open(&self) -> Result<Endpoint, Error> {
        let Settings { broker, commands, prefetch, .. } = self.settings;
        let types = [Kind::Complete, Kind::Cancel].map(|kind| commands.exchange(kind));
        let prefetch = (self.until == Until::Told).then_some((*prefetch).max(1));
        Ok(Endpoint::open(broker, &commands.queue, &types, prefetch, CONNECT).await?)
    }

    async fn handle(&mut self, endpoint: &Endpoint, inbound: Inbound) -> Ended {
        let Inbound { kind, message, command, reason, conversation, initiator, traceparent } =
            inbound;
        let consumer = self.settings.commands.consumer(kind).id();
        let queue = endpoint.address().to_owned();
        let origin = Origin { message, consumer, queue, conversation, initiator, traceparent };
        let delivery = Delivery { origin, command, reason: Some(reason) };
        let now = (self.clock)();
        let received = match receive(self.writer, &delivery, now).await {
            Ok(received) => received,
            Err(error) => {
                if let Some(name) = hopeless(&error) {
                    return Ended::refused(name, error.to_string(), Some(kind));
                }
                let Some(name) = passing(&error) else {
                    return Ended::Later(match error {
                        PlanError::Database(error) => Error::Database(error),
                        other => Error::Later(other),
                    });
                };
                return self.failed(name, &error.to_string(), (message, consumer, kind));
            }
        };
        let (ended, waits) = match received {
            Received::Handled { delivered, .. } => (Ended::Handled, !delivered),
            Received::Waiting { .. } => (Ended::Duplicate, true),
            Received::Duplicate => (Ended::Duplicate, false),
        };
        let sent =
            if waits { self.produced.send(message, consumer, &self.stop).await } else { Ok(()) };
        let unsent =
            |why: &str| format!("the command is done, but what it produced cannot be sent: {why}");
        match sent {
            Ok(()) => ended,
            Err(Unsent::Poison(why)) => {
                Ended::refused("Orderscope.Undeliverable", unsent(&why), Some(kind))
            }
            Err(Unsent::Later(error)) => match passing_unsent(&error) {
                Some(name) => {
                    self.failed(name, &unsent(&error.to_string()), (message, consumer, kind))
                }
                None => Ended::Later(error),
            },
        }
    }

    /// One more attempt at a message failed: it is tried again, or given up.
    fn failed(
        &mut self,
        exception: &'static str,
        why: &str,
        (message, consumer, kind): (MessageId, ConsumerId, Kind),
    ) -> Ended {
        let (tried, most) =
            (self.attempts.failed(message, consumer), self.settings.attempts.max(1));
        if tried < most {
            return Ended::Later(Error::Again { tried, most, why: why.to_owned() });
        }
        let text = format!("given up after {tried} attempts: {why}");
        Ended::Refused { exception, text, kind: Some(kind), retries: tried - 1 }
    }

    /// Leaves a message where it belongs now.
    async fn settle(
        &self,
        endpoint: &Endpoint,
        handed: UnsettledMessage,
        ended: Ended,
    ) -> Result<(), Error> {
        let machine = &self.writer.operator().host;
        let left = match &ended {
            Ended::Handled | Ended::Duplicate => Ok(()),
            Ended::Foreign => {
                endpoint.copy_to(&handed, "_skipped", &skipped(machine)).await.map_err(Into::into)
            }
            Ended::Refused { exception, text, kind, retries } => {
                let failed = FailedCommand {
                    exception,
                    text: text.clone(),
                    consumer: kind.map(|kind| self.settings.commands.consumer(kind)),
                    input: endpoint.address(),
                    machine,
                    at: (self.clock)(),
                    retries: *retries,
                };
                let headers = failed.headers();
                endpoint.copy_to(&handed, "_error", &headers).await.map_err(Into::into)
            }
            Ended::Later(error) => Err(error.clone()),
        };
        if let Err(error) = left {
            self.stats.send_modify(|stats| stats.again += 1);
            // Where that fails, the connection is gone, and with it the message is back.
            let _ = endpoint.requeue(handed).await;
            return Err(error);
        }
        endpoint.ack(handed).await?;
        self.stats.send_modify(|stats| match ended {
            Ended::Handled => stats.handled += 1,
            Ended::Duplicate => stats.duplicates += 1,
            Ended::Foreign => stats.skipped += 1,
            Ended::Refused { .. } | Ended::Later(_) => stats.refused += 1,
        });
        Ok(())
    }
}

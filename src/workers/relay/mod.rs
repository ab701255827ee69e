//! The relay: delivers pending bus outboxes to RabbitMQ, in order inside each, with publisher confirms, safe
//! beside MassTransit's own delivery and beside other relays.
//!
//! What it shares with them is the lock on the parent row (taken with SKIP LOCKED) and the cursor; the selection is
//! its own. At least once: a message may go out twice only if the relay dies between sending it and noting the
//! broker's confirm in its send log, or the broker dies before it could confirm. Those are counted and named.

mod backoff;
mod consumer_outbox;
mod pass;
mod send_log;
mod worker;
mod write_ahead;

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::future::BoxFuture;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use backoff::{DeliveryBackoff, Failure};
pub use consumer_outbox::inbound;
pub use send_log::SendLog;

use self::worker::RelayWorker;
use super::Clock;
pub use crate::ops::delivery::{BlockedOutbox, Doubt, Error, Scope, Stats, Warning};
use crate::{
    db::{
        Limits,
        relay::{ConsumerOutbox, Most},
    },
    domain::{
        consumer::Consumer,
        diagnosis::{Inbound, Thresholds},
        id::OutboxId,
        outbox::OutboxKey,
    },
    ops::delivery::Delivery,
    relay::{Broker, Management},
    servers::Servers,
};

/// When to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// After one pass.
    Once,
    /// When nothing is pending but what is held.
    Empty,
    /// When told.
    Told,
}

/// What happens to a message that was routed to no queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NobodyListens {
    /// It counts as delivered, as with MassTransit.
    Deliver,
    /// Its outbox is held until a queue is bound.
    Hold,
}

/// How a relay works.
#[derive(Debug, Clone)]
pub struct Settings {
    pub database: Servers,
    pub limits: Limits,
    pub broker: Broker,
    pub scope: Scope,
    /// Also in a database of a service, beside its own delivery. Else the relay ends where it finds one, also
    /// in the middle of its work.
    pub beside_service: bool,
    /// How long delivered rows stay in a database of our own; `None` removes them in the transaction that
    /// delivers them, as MassTransit does. In a database of a service they always go: kept rows would stop its
    /// own clean-up.
    pub keep: Option<Duration>,
    /// How long copies of them stay in schema `orderscope` where the rows themselves may not.
    pub copies: Option<Duration>,
    /// Whose queues tell whether the message of a half-done consumer may come again.
    pub consumers: Vec<Consumer>,
    /// Tells of messages that are handed out and not acknowledged, which the queues themselves do not.
    pub management: Option<Management>,
    pub nobody_listens: NobodyListens,
    pub most: Most,
    /// So many messages at most, of all workers together, are sent and not noted as confirmed, or noted and about to
    /// be sent: what a receiver may get twice if the relay is killed.
    pub unconfirmed: usize,
    /// The longest a transaction stays open, waiting for the broker included.
    pub budget: Duration,
    /// How long to wait when nothing is pending.
    pub poll: Duration,
    /// The first and the longest wait before a failing outbox, or a lost server, is tried again.
    pub retry: (Duration, Duration),
    /// Passes at the same time: while one commits, another publishes.
    pub workers: usize,
    /// Where what was confirmed is noted until it is committed.
    pub send_log: Option<PathBuf>,
    /// Nobody asked for it: it works beside a console. It leaves a database alone in which trouble is planted to
    /// practise on, and calls its sessions so that planting need not wait for its end.
    pub in_background: bool,
}

impl Settings {
    /// The usual settings: removes delivered rows, two lanes, two seconds at most.
    #[must_use]
    pub fn new(database: impl Into<Servers>, broker: Broker) -> Self {
        Self {
            database: database.into(),
            limits: Limits::default(),
            broker,
            scope: Scope::All,
            beside_service: false,
            keep: None,
            copies: None,
            consumers: vec![],
            management: None,
            nobody_listens: NobodyListens::Deliver,
            most: Most {
                outboxes: 500,
                messages: 1_000,
                bytes: 8 << 20,
                message_bytes: Thresholds::default().largest,
            },
            unconfirmed: 100,
            budget: Duration::from_secs(2),
            poll: Duration::from_secs(1),
            retry: (Duration::from_secs(1), Duration::from_secs(300)),
            workers: 2,
            send_log: None,
            in_background: false,
        }
    }
}

impl Settings {
    /// A worker's share of what may be unconfirmed.
    fn window(&self) -> usize {
        (self.unconfirmed / self.workers.max(1)).max(2)
    }
}

impl Delivery for Settings {
    fn inbound(&self, consumer: ConsumerOutbox) -> BoxFuture<'_, Result<Inbound, Error>> {
        Box::pin(inbound(self, consumer))
    }

    fn deliver(
        &self,
        scope: Scope,
        clock: Clock,
        stop: CancellationToken,
        stats: watch::Sender<Stats>,
    ) -> BoxFuture<'_, Result<Stats, Error>> {
        let settings = Self { scope, beside_service: true, ..self.clone() };
        Box::pin(run(settings, Until::Empty, clock, stop, stats))
    }
}

/// What all lanes share.
struct Shared {
    settings: Settings,
    clock: Clock,
    stop: CancellationToken,
    backoff: Mutex<DeliveryBackoff>,
    send_log: Mutex<SendLog>,
    /// Outboxes with messages whose confirm is still to come, whichever lane sent them.
    late: Mutex<BTreeSet<OutboxKey>>,
    /// Queues in which a look counts as a delivery, as far as that was seen.
    counting: Mutex<BTreeSet<String>>,
    /// A pass has ended: what it had locked is free.
    freed: Notify,
    stats: watch::Sender<Stats>,
}

/// The ids of the bus outboxes among these.
fn bus_ids(outboxes: &[OutboxKey]) -> Vec<Uuid> {
    let bus = outboxes.iter().filter_map(|outbox| match outbox {
        OutboxKey::Bus(OutboxId(id)) => Some(*id),
        OutboxKey::Consumer { .. } => None,
    });
    bus.collect()
}

impl Shared {
    fn backoff<T>(&self, work: impl FnOnce(&mut DeliveryBackoff) -> T) -> T {
        work(&mut self.backoff.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn send_log<T>(&self, work: impl FnOnce(&mut SendLog) -> T) -> T {
        work(&mut self.send_log.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn late<T>(&self, work: impl FnOnce(&mut BTreeSet<OutboxKey>) -> T) -> T {
        work(&mut self.late.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn counting<T>(&self, work: impl FnOnce(&mut BTreeSet<String>) -> T) -> T {
        work(&mut self.counting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits, unless told to end; whether it waited.
    async fn wait(&self, time: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(time) => true,
            () = self.stop.cancelled() => false,
        }
    }
}

/// Delivers until `until`, or until `stop` fires; the pass under way is then finished. Servers that are
/// gone are tried again for ever; a login that is refused, or a right that is missing, ends it at once
/// unless it is to run until told. `stats` always has the newest figures.
pub async fn run(
    settings: Settings,
    until: Until,
    clock: Clock,
    stop: CancellationToken,
    stats: watch::Sender<Stats>,
) -> Result<Stats, Error> {
    let send_log = match &settings.send_log {
        Some(path) => SendLog::open(path).map_err(|error| Error::SendLog {
            place: path.display().to_string(),
            why: error.to_string(),
        })?,
        None => SendLog::in_memory(),
    };
    let workers = if until == Until::Once { 1 } else { settings.workers.max(1) };
    let backoff = Mutex::new(DeliveryBackoff::new(settings.retry));
    let shared = Arc::new(Shared {
        settings,
        clock,
        // Workers also end each other: one that fails for good stops all.
        stop: stop.child_token(),
        backoff,
        send_log: Mutex::new(send_log),
        late: Mutex::default(),
        counting: Mutex::default(),
        freed: Notify::new(),
        stats,
    });
    let running = (0..workers).map(|number| {
        let shared = Arc::clone(&shared);
        async move {
            let ended = RelayWorker::new(&shared, number).run(until).await;
            if ended.is_err() {
                shared.stop.cancel();
            }
            ended
        }
    });
    let ended = futures::future::join_all(running).await;
    let stats = shared.stats.borrow().clone();
    ended.into_iter().find_map(Result::err).map_or(Ok(stats), Err)
}

/// The error of a send log that cannot be written.
fn send_log_error(shared: &Shared, error: &std::io::Error) -> Error {
    let place = shared.settings.send_log.as_ref();
    let place = place.map_or_else(String::new, |path| path.display().to_string());
    Error::SendLog { place, why: error.to_string() }
}

//! The relay: delivers pending bus outboxes to RabbitMQ, in order inside each, with publisher confirms, safe
//! beside MassTransit's own delivery and beside other relays.
//!
//! What it shares with them is the lock on the parent row (taken with SKIP LOCKED) and the cursor; the
//! selection is its own. At least once: a message may go out twice only if the relay dies between sending it and
//! noting the broker's confirm in its journal, or the broker dies before it could confirm. Those are counted and named.

mod backoff;
mod consumer_outbox;
mod journal;
mod pass;
mod send_log;
mod worker;

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
pub use journal::Journal;

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

/// What becomes of a message that no queue wanted.
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
    /// The longest a transaction stays open, waiting for the broker included.
    pub budget: Duration,
    /// How long to wait when nothing is pending.
    pub poll: Duration,
    /// The first and the longest wait before a failing outbox, or a lost server, is tried again.
    pub retry: (Duration, Duration),
    /// Passes at the same time: while one commits, another publishes.
    pub lanes: usize,
    /// Where what was confirmed is noted until it is committed.
    pub journal: Option<PathBuf>,
    /// Nobody asked for it: it works beside a console. It leaves a database alone in which trouble is planted to
    /// practise on, and calls its sessions so that planting need not wait for its end.
    pub unasked: bool,
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
            budget: Duration::from_secs(2),
            poll: Duration::from_secs(1),
            retry: (Duration::from_secs(1), Duration::from_secs(300)),
            lanes: 2,
            journal: None,
            unasked: false,
        }
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
    held: Mutex<DeliveryBackoff>,
    journal: Mutex<Journal>,
    /// Outboxes with messages whose confirm is still to come, whichever lane sent them.
    late: Mutex<BTreeSet<Uuid>>,
    /// Queues in which a look counts as a delivery, as far as that was seen.
    counting: Mutex<BTreeSet<String>>,
    /// A pass has ended: what it had locked is free.
    freed: Notify,
    stats: watch::Sender<Stats>,
}

impl Shared {
    fn held<T>(&self, work: impl FnOnce(&mut DeliveryBackoff) -> T) -> T {
        work(&mut self.held.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn journal<T>(&self, work: impl FnOnce(&mut Journal) -> T) -> T {
        work(&mut self.journal.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn late<T>(&self, work: impl FnOnce(&mut BTreeSet<Uuid>) -> T) -> T {
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
    let journal = match &settings.journal {
        Some(path) => Journal::open(path).map_err(|error| Error::Journal {
            place: path.display().to_string(),
            why: error.to_string(),
        })?,
        None => Journal::in_memory(),
    };
    let lanes = if until == Until::Once { 1 } else { settings.lanes.max(1) };
    let held = Mutex::new(DeliveryBackoff::new(settings.retry));
    let shared = Arc::new(Shared {
        settings,
        clock,
        // Lanes also end each other: one that cannot go on takes the others with it.
        stop: stop.child_token(),
        held,
        journal: Mutex::new(journal),
        late: Mutex::default(),
        counting: Mutex::default(),
        freed: Notify::new(),
        stats,
    });
    let running = (0..lanes).map(|number| {
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

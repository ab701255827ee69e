//! Training: puts a database with demo data into a kind of trouble on purpose, and takes it out again.
//!
//! Planting only adds rows and records their ids; healing removes exactly those. So the troubles that the demo data has
//! anyway stay as they were, and a scenario never has to be undone by guessing.

mod error_queue;
mod rows;

use std::collections::BTreeSet;

use sqlx::{Connection, PgConnection};

use super::{load::Error, tables::message::QUEUES};
use crate::{
    db::{demo, scenario as db},
    domain::id::MessageId,
    ops::error_queue::{Broker, training},
};

/// A kind of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scenario {
    /// Nobody delivers any more.
    OutboxStall,
    /// The head of the line cannot be delivered, and the rest waits behind it.
    Poison,
    /// The worker tries, the broker is away.
    BrokerDown,
    /// Messages come a second time, many of them.
    Duplicates,
    /// Consumers stopped between their work and their messages; one repeats without end.
    HalfDone,
    /// Faults in a consumer's error queue.
    ErrorQueue,
}

impl Scenario {
    pub const ALL: [Self; 6] = [
        Self::OutboxStall,
        Self::Poison,
        Self::BrokerDown,
        Self::Duplicates,
        Self::HalfDone,
        Self::ErrorQueue,
    ];

    /// As the command line calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OutboxStall => "outbox-stall",
            Self::Poison => "poison",
            Self::BrokerDown => "broker-down",
            Self::Duplicates => "duplicates",
            Self::HalfDone => "half-done",
            Self::ErrorQueue => "error-queue",
        }
    }

    /// What is the matter then, in a sentence.
    pub const fn what(self) -> &'static str {
        match self {
            Self::OutboxStall => {
                "the delivery worker is gone: outboxes pile up and no pass was ever committed on them"
            }
            Self::Poison => {
                "the oldest outbox has headers that are no JSON: every pass over it fails, and behind a MassTransit worker \
                 the rest would wait"
            }
            Self::BrokerDown => {
                "the broker does not answer: the worker tries the oldest outbox again and again, and the backlog \
                 grows as fast as orders come"
            }
            Self::Duplicates => {
                "messages of the last hour were delivered twice and more; the inbox caught them"
            }
            Self::HalfDone => {
                "consumers finished their work but not their messages; one has a message without a destination and \
                 repeats without end"
            }
            Self::ErrorQueue => {
                "commands lie in the error queues of their consumers: some are done, some wait, some nobody can tell, \
                 some came twice"
            }
        }
    }
}

/// What planting did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Planted {
    Now {
        outboxes: usize,
        messages: usize,
        received: usize,
        /// Messages in error queues.
        faults: usize,
    },
    /// It was planted before; nothing was changed.
    Already,
}

/// Why nothing was planted or healed. The database is as it was before.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error(transparent)]
    Load(#[from] Error),
    #[error(
        "there is no demo data in this database, and trouble is planted only where nothing else is: \
         `orderscope demo load` makes some"
    )]
    NoDemo,
    #[error(
        "scenario {0} is planted already: `orderscope demo heal` takes it out, then plant this one"
    )]
    Another(String),
    #[error(
        "a relay is delivering this database's outboxes and would send what is planted: stop it first"
    )]
    RelayAtWork,
    #[error(
        "scenario error-queue lives in queues of a broker, and none is named: set relay.broker in the configuration, \
         ORDERSCOPE_AMQP_URL or --amqp-url; the other scenarios need only the database"
    )]
    NeedsBroker,
    #[error(transparent)]
    Broker(#[from] training::Error),
    #[error(
        "not all of it was planted ({0}), and it could not be taken out again: `orderscope demo heal` does"
    )]
    HalfPlanted(training::Error),
    #[error(
        "another session holds rows of the scenario and kept us waiting: end what it does (a drain, an open plan) \
         and try again"
    )]
    InUse,
}

impl From<sqlx::Error> for Refused {
    fn from(error: sqlx::Error) -> Self {
        match error.into() {
            crate::db::Error::Locked(_) => Self::InUse,
            other => Self::Load(Error::Planting(other)),
        }
    }
}

/// Puts the database into trouble, in one transaction. What goes into a broker's queues is put on record by it, and
/// published after it: whatever happens in between, healing knows what to look for.
pub async fn plant(
    conn: &mut PgConnection,
    scenario: Scenario,
    broker: Option<&Broker>,
) -> Result<Planted, Refused> {
    let broker = match (scenario, broker) {
        (Scenario::ErrorQueue, None) => return Err(Refused::NeedsBroker),
        (Scenario::ErrorQueue, broker) => broker,
        _ => None,
    };
    ours(conn).await?;
    if let Some(broker) = broker
        && db::planted(conn).await?.is_none()
    {
        training::prepare(broker, &QUEUES).await?;
    }
    let mut tx = conn.begin().await?;
    db::prepare(&mut tx).await?;
    match db::planted(&mut tx).await? {
        Some(record) if record.name == scenario.name() => return Ok(Planted::Already),
        Some(record) => return Err(Refused::Another(record.name)),
        None => {}
    }
    if db::relays(&mut tx).await? > 0 {
        return Err(Refused::RelayAtWork);
    }
    let setting = db::setting(&mut tx, rows::ORDERS).await?;
    let rows = rows::of(scenario, &setting);
    db::plant(&mut tx, scenario.name(), &rows.outboxes, &rows.received, &rows.messages).await?;
    let ids: Vec<_> = rows.faults.iter().map(|fault| fault.message.0).collect();
    db::record_faults(&mut tx, &ids).await?;
    tx.commit().await?;
    if let Some(broker) = broker
        && let Err(error) = training::plant(broker, &rows.faults).await
    {
        // As before, or it stays on record for the next attempt to heal.
        let healed = heal(conn, Some(broker)).await;
        return Err(match healed {
            Ok(_) => error.into(),
            Err(_) => Refused::HalfPlanted(error),
        });
    }
    Ok(Planted::Now {
        outboxes: rows.outboxes.len(),
        messages: rows.messages.len(),
        received: rows.received.len(),
        faults: rows.faults.len(),
    })
}

/// What healing did: the scenario that was planted and how much of it was still there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Healed {
    pub name: String,
    pub rows: u64,
    /// Messages that were taken out of queues.
    pub messages: u64,
    /// Messages that had been put there.
    pub planted: usize,
}

/// Takes the database out of the trouble it was put into; none if it was in none. Queues first: what is on record is
/// forgotten only when it is gone.
pub async fn heal(
    conn: &mut PgConnection,
    broker: Option<&Broker>,
) -> Result<Option<Healed>, Refused> {
    ours(conn).await?;
    let planted: BTreeSet<_> = db::faults(conn).await?.into_iter().map(MessageId).collect();
    let mut messages = 0;
    if !planted.is_empty() {
        let broker = broker.ok_or(Refused::NeedsBroker)?;
        messages = training::remove(broker, &QUEUES, &planted).await?;
    }
    let mut tx = conn.begin().await?;
    db::prepare(&mut tx).await?;
    let Some(record) = db::planted(&mut tx).await? else { return Ok(None) };
    let rows = db::heal(&mut tx).await?;
    tx.commit().await?;
    Ok(Some(Healed { name: record.name, rows, messages, planted: planted.len() }))
}

/// That the database is one of Orderscope's own, with demo data in it.
async fn ours(conn: &mut PgConnection) -> Result<(), Refused> {
    super::load::managed(conn).await?;
    demo::record(conn).await?.map(drop).ok_or(Refused::NoDemo)
}

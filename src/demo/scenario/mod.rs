//! Training scenarios: plants trouble in a database with demo data, and removes it again.
//!
//! Planting only adds rows and records their ids; healing removes exactly these rows. The trouble that the demo
//! data has anyway is not touched, and healing never has to guess.

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

/// The process id in every planted `NewId`: other than the demo data's, so that no two ids are the same.
const PROCESS: u16 = 9311;

/// A kind of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scenario {
    /// No worker delivers any more.
    OutboxStall,
    /// The oldest outbox cannot be delivered, and the others wait behind it.
    Poison,
    /// The worker tries, but the broker is down.
    BrokerDown,
    /// Many messages are delivered more than once.
    Duplicates,
    /// Consumers stopped between their work and their messages; one repeats endlessly.
    HalfDone,
    /// Failed messages in consumers' error queues.
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

    /// Its name on the command line.
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

    /// What is wrong, in a sentence.
    pub const fn what(self) -> &'static str {
        match self {
            Self::OutboxStall => {
                "no delivery worker runs: outboxes pile up, and no pass was ever committed on them"
            }
            Self::Poison => {
                "the oldest outbox has headers that are not JSON: every pass over it fails, and with a MassTransit worker \
                 all others wait behind it"
            }
            Self::BrokerDown => {
                "the broker does not answer: the worker retries the oldest outbox again and again, and the backlog \
                 grows with every order"
            }
            Self::Duplicates => {
                "messages of the last hour were delivered twice or more; the inbox filtered the duplicates"
            }
            Self::HalfDone => {
                "consumers finished their work but did not send their messages; one has a message without a destination \
                 and repeats endlessly"
            }
            Self::ErrorQueue => {
                "commands are in the error queues of their consumers: some are done, some still to do, some unknown, \
                 some duplicates"
            }
        }
    }
}

/// The result of planting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Planted {
    Now {
        outboxes: usize,
        messages: usize,
        received: usize,
        /// Messages in error queues.
        faults: usize,
    },
    /// It was planted already; nothing changed.
    Already,
}

/// Why nothing was planted or healed. The database is unchanged.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error(transparent)]
    Load(#[from] Error),
    #[error(
        "this database has no demo data, and trouble is planted only in demo data: \
         `orderscope demo load` creates it"
    )]
    NoDemo,
    #[error(
        "scenario {0} is already planted: run `orderscope demo heal` first, then plant this one"
    )]
    Another(String),
    #[error(
        "a relay delivers from this database and would send the planted messages: stop it first"
    )]
    RelayAtWork,
    #[error(
        "scenario error-queue needs a broker, and none is configured: set relay.broker in the configuration, \
         ORDERSCOPE_AMQP_URL or --amqp-url; the other scenarios need only the database"
    )]
    NeedsBroker,
    #[error(transparent)]
    Broker(#[from] training::Error),
    #[error(
        "only part of it was planted ({0}), and it could not be removed: run `orderscope demo heal`"
    )]
    HalfPlanted(training::Error),
    #[error(
        "another session has locked rows of the scenario: finish its work (a drain, an open plan) \
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

/// Plants a scenario in one transaction. Messages for a broker's queues are recorded in it and published
/// after it, so that healing knows what to look for whatever happens in between.
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
    check_demo(conn).await?;
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
        // Healed at once, or it stays on record for the next attempt to heal.
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

/// The result of healing: the scenario that was planted, and how much of it was still there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Healed {
    pub name: String,
    pub rows: u64,
    /// Messages removed from queues.
    pub messages: u64,
    /// Messages that planting had put there.
    pub planted: usize,
}

/// Removes a planted scenario; none if none was planted. Queues come first: the record is deleted only after
/// the messages are gone.
pub async fn heal(
    conn: &mut PgConnection,
    broker: Option<&Broker>,
) -> Result<Option<Healed>, Refused> {
    check_demo(conn).await?;
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

/// Refuses databases that are not managed or have no demo data.
async fn check_demo(conn: &mut PgConnection) -> Result<(), Refused> {
    super::load::check_managed(conn).await?;
    demo::record(conn).await?.map(drop).ok_or(Refused::NoDemo)
}

//! Training scenarios: plants trouble in a database with demo data, and removes it again.
//!
//! Planting only adds rows and records their ids; healing removes exactly these rows. The trouble that the demo
//! data has anyway is not touched, and healing never has to guess.

mod error_queue;
mod rows;

use std::{collections::BTreeSet, fmt};

use sqlx::PgConnection;

use super::{load::Error, tables::message::QUEUES};
use crate::{
    db::{demo, scenario as db},
    domain::{id::MessageId, text::counted},
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

/// What was planted. Messages for a broker's queues are on record and have yet to be published.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Planted {
    pub outboxes: usize,
    pub messages: usize,
    pub received: usize,
    /// For error queues.
    pub faults: Vec<training::Planting>,
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
        "planted outboxes hold {} of others, and what others made is never removed: let the relay deliver \
         them, or `orderscope messages quarantine` takes them out with a copy; then heal again", counted(*.0, "message")
    )]
    Others(i64),
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

/// Whether a scenario can be planted; false if it is planted already. Changes nothing.
///
/// # Errors
/// Why it cannot.
pub async fn may_plant(
    conn: &mut PgConnection,
    scenario: Scenario,
    broker: Option<&Broker>,
) -> Result<bool, Refused> {
    if scenario == Scenario::ErrorQueue && broker.is_none() {
        return Err(Refused::NeedsBroker);
    }
    check_demo(conn).await?;
    match db::planted(conn).await? {
        Some(record) if record.name == scenario.name() => return Ok(false),
        Some(record) => return Err(Refused::Another(record.name)),
        None => {}
    }
    if db::relays(conn).await? > 0 {
        return Err(Refused::RelayAtWork);
    }
    Ok(true)
}

/// Plants a scenario in the caller's transaction; nothing where it is planted already. Messages for a broker's queues
/// are recorded in it and published after it ([`publish`]), so that healing knows what to look for whatever happens in
/// between.
///
/// # Errors
/// Why not; the transaction has to be rolled back.
pub async fn plant(
    tx: &mut PgConnection,
    scenario: Scenario,
    broker: Option<&Broker>,
) -> Result<Option<Planted>, Refused> {
    check_demo(tx).await?;
    db::prepare(tx).await?;
    if !may_plant(tx, scenario, broker).await? {
        return Ok(None);
    }
    if let (Scenario::ErrorQueue, Some(broker)) = (scenario, broker) {
        training::prepare(broker, &QUEUES).await?;
    }
    let setting = db::setting(tx, rows::ORDERS).await?;
    let rows = rows::of(scenario, &setting);
    db::plant(tx, scenario.name(), &rows.outboxes, &rows.received, &rows.messages).await?;
    let ids: Vec<_> = rows.faults.iter().map(|fault| fault.message.0).collect();
    db::record_faults(tx, &ids).await?;
    Ok(Some(Planted {
        outboxes: rows.outboxes.len(),
        messages: rows.messages.len(),
        received: rows.received.len(),
        faults: rows.faults,
    }))
}

/// Publishes what was planted for a broker's queues, once its record is committed.
///
/// # Errors
/// When not all of it could be published: it has to be healed.
pub async fn publish(planted: &Planted, broker: Option<&Broker>) -> Result<(), training::Error> {
    match broker {
        Some(broker) if !planted.faults.is_empty() => {
            training::plant(broker, &planted.faults).await
        }
        _ => Ok(()),
    }
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

impl fmt::Display for Healed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, rows, messages, planted } = self;
        match planted {
            0 => write!(f, "{name}: healed, {rows} rows of it removed"),
            _ => write!(
                f,
                "{name}: healed, {messages} of its {planted} messages taken out of the queues, {rows} rows removed"
            ),
        }
    }
}

/// What is planted and can be healed; none if nothing is planted. Changes nothing.
///
/// # Errors
/// Why it cannot be healed.
pub async fn may_heal(
    conn: &mut PgConnection,
    broker: Option<&Broker>,
) -> Result<Option<String>, Refused> {
    check_demo(conn).await?;
    let Some(record) = db::planted(conn).await? else { return Ok(None) };
    if broker.is_none() && !db::faults(conn).await?.is_empty() {
        return Err(Refused::NeedsBroker);
    }
    match db::others(conn).await? {
        0 => Ok(Some(record.name)),
        others => Err(Refused::Others(others)),
    }
}

/// Removes a planted scenario in the caller's transaction; none if none was planted. Only what was planted is removed.
/// Queues come first: the record is deleted only after the messages are gone.
///
/// # Errors
/// Why not; the transaction has to be rolled back.
pub async fn heal(
    tx: &mut PgConnection,
    broker: Option<&Broker>,
) -> Result<Option<Healed>, Refused> {
    check_demo(tx).await?;
    db::prepare(tx).await?;
    let Some(name) = may_heal(tx, broker).await? else { return Ok(None) };
    let rows = db::heal(tx).await?;
    let planted: BTreeSet<_> = rows.faults.into_iter().map(MessageId).collect();
    let mut messages = 0;
    if let (Some(broker), false) = (broker, planted.is_empty()) {
        messages = training::remove(broker, &QUEUES, &planted).await?;
    }
    Ok(Some(Healed { name, rows: rows.gone, messages, planted: planted.len() }))
}

/// Refuses databases that are not managed or have no demo data.
async fn check_demo(conn: &mut PgConnection) -> Result<(), Refused> {
    super::load::check_managed(conn).await?;
    demo::record(conn).await?.map(drop).ok_or(Refused::NoDemo)
}

//! What the broker adds to the diagnosis: whether it answers, and whether the message that a half-done consumer
//! worked on still lies in a queue. Asked beside the database, never in its way.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::{Instant, timeout_at};

use super::inbound::{Search, Unnamed};
use crate::{
    domain::{
        address::Address,
        diagnosis::{HalfDone, Inbound, Reached, WrongExchange},
        id::{ConsumerId, MessageId},
    },
    ops::error_queue::Source,
    relay::{self, Limits, QueueInspector},
};

/// All questions together take no longer than this.
pub const WITHIN: Duration = Duration::from_secs(4);

/// So much of a queue is looked at; in a longer one a message may be, or may not.
const LOOKED: Limits = Limits { messages: 500, bytes: 16 << 20, wait: Duration::from_secs(2) };

/// What the broker told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BrokerReport {
    pub reached: Reached,
    /// Where the messages of half-done consumers are, as far as that is sure.
    pub inbound: BTreeMap<(MessageId, ConsumerId), Inbound>,
    /// Exchanges that cannot take the messages that go to them.
    pub wrong_exchanges: Vec<WrongExchange>,
    /// What could not be looked at, and why.
    pub notes: Vec<String>,
}

/// What the broker is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    pub halves: Vec<HalfDone>,
    /// Where the next messages of old outboxes go.
    pub destinations: Vec<String>,
    /// Rows older than this are judged.
    pub held: TimeDelta,
    pub now: DateTime<Utc>,
}

impl BrokerReport {
    fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}

/// Asks the broker: only whether it answers, and, where rows are old enough to be judged, for their messages and
/// exchanges. Looking into a queue needs the management interface here: this is asked again and again.
pub async fn ask(source: &Source, question: &Question) -> BrokerReport {
    let Question { halves, destinations, held, now } = question;
    let mut told = BrokerReport::default();
    let end = Instant::now() + WITHIN;
    let inspector = match QueueInspector::connect(&source.broker, "diagnosis", LOOKED.wait).await {
        Ok(inspector) => inspector,
        Err(error @ (relay::Error::Login { .. } | relay::Error::Refused { .. })) => {
            return BrokerReport { reached: Reached::Refused(error.to_string()), ..told };
        }
        Err(error) => {
            return BrokerReport { reached: Reached::Unreachable(error.to_string()), ..told };
        }
    };
    told.reached = Reached::Answers;
    let old: Vec<_> = halves.iter().filter(|row| *now - row.consumed >= *held).collect();
    if !old.is_empty()
        && timeout_at(end, search(source, &inspector, &old, &mut told)).await.is_err()
    {
        told.note(format!("the broker's queues were not searched within {} s", WITHIN.as_secs()));
    }
    let old = old.iter().flat_map(|row| &row.destinations).chain(destinations);
    if timeout_at(end, exchanges(source, old, &mut told)).await.is_err() {
        told.note(format!("the broker's exchanges were not listed within {} s", WITHIN.as_secs()));
    }
    // What a look took and did not give back in time goes back with the connection.
    inspector.close().await;
    told
}

async fn search(
    source: &Source,
    inspector: &QueueInspector,
    halves: &[&HalfDone],
    told: &mut BrokerReport,
) {
    let management = source.scope.management.as_ref();
    let mut search =
        Search::begin(inspector, &source.broker, management, Unnamed::Leave, LOOKED).await;
    told.notes.extend_from_slice(search.notes());
    if !search.is_possible() {
        return;
    }
    for row in halves {
        let Some(name) = source.scope.consumers.iter().find(|one| one.is(row.consumer)) else {
            told.note(format!(
                "the queue of consumer {} is not known: name it in messages.consumers",
                row.consumer.short()
            ));
            continue;
        };
        let inbound = search.find(row.message, name).await;
        told.inbound.insert((row.message, row.consumer), inbound);
        for note in search.notes() {
            told.note(note.clone());
        }
    }
}

/// Which of these addresses name an exchange that is there with another type. Only the management interface tells that
/// without declaring anything.
async fn exchanges<'a>(
    source: &Source,
    destinations: impl Iterator<Item = &'a String>,
    told: &mut BrokerReport,
) {
    let Some(management) = &source.scope.management else { return };
    let read: BTreeMap<_, _> =
        destinations.filter_map(|to| Some((to, Address::parse(to).ok()?))).collect();
    if read.is_empty() {
        return;
    }
    match management.exchanges(&source.broker, LOOKED.wait).await {
        Ok(listed) => {
            let wrong = read.into_iter().filter_map(|(to, address)| {
                let there = listed.iter().find(|one| one.name == address.exchange)?;
                (there.kind != address.kind.to_string()).then(|| WrongExchange {
                    destination: to.clone(),
                    exchange: address.exchange,
                    is: there.kind.clone(),
                    asked: address.kind,
                })
            });
            told.wrong_exchanges = wrong.collect();
        }
        Err(error) => told.note(format!("exchanges were not looked at: {error}")),
    }
}

//! What the broker adds to the diagnosis: whether it answers, and whether the message that a half-done consumer
//! worked on still lies in a queue. Asked beside the database, never in its way.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::{Instant, timeout_at};

use crate::{
    domain::{
        diagnosis::{HalfDone, Inbound, Reached},
        fault::Fault,
        id::{ConsumerId, MessageId},
    },
    ops::faults::Source,
    relay::{self, Aside, Kept, Limits, Look},
};

/// All questions together take no longer than this.
pub const WITHIN: Duration = Duration::from_secs(4);

/// So much of a queue is looked at; in a longer one a message may be, or may not.
const LOOKED: Limits = Limits { messages: 500, bytes: 16 << 20, wait: Duration::from_secs(2) };

/// What the broker told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Told {
    pub reached: Reached,
    /// Where the messages of half-done consumers are, as far as that is sure.
    pub inbound: BTreeMap<(MessageId, ConsumerId), Inbound>,
    /// What could not be looked at, and why.
    pub notes: Vec<String>,
}

impl Told {
    fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}

/// What a queue holds.
enum Held {
    /// All of it was seen.
    All(BTreeSet<MessageId>),
    /// These at least.
    Some(BTreeSet<MessageId>),
}

/// Asks the broker: only whether it answers, and, where the rows are old enough to be judged, for their messages.
/// Looking into a queue needs the management interface, which alone tells what consumers hold and which queues
/// count a look as a delivery.
pub async fn ask(
    source: &Source,
    halves: &[HalfDone],
    held: TimeDelta,
    now: DateTime<Utc>,
) -> Told {
    let mut told = Told::default();
    let end = Instant::now() + WITHIN;
    let aside = match Aside::connect(&source.broker, "diagnosis", LOOKED.wait).await {
        Ok(aside) => aside,
        Err(error @ (relay::Error::Login { .. } | relay::Error::Refused { .. })) => {
            return Told { reached: Reached::Refused(error.to_string()), ..told };
        }
        Err(error) => return Told { reached: Reached::Unreachable(error.to_string()), ..told },
    };
    told.reached = Reached::Answers;
    let old: Vec<_> = halves.iter().filter(|row| now - row.consumed >= held).collect();
    if !old.is_empty() && timeout_at(end, search(source, &aside, &old, &mut told)).await.is_err() {
        told.note(format!("the broker's queues were not searched within {} s", WITHIN.as_secs()));
    }
    // What a look took and did not give back in time goes back with the connection.
    aside.close().await;
    told
}

async fn search(source: &Source, aside: &Aside, halves: &[&HalfDone], told: &mut Told) {
    let Some(management) = &source.scope.management else {
        told.note(
            "whether the messages of half-done consumers still lie in a queue: set errors.management".to_owned(),
        );
        return;
    };
    let kept = match management.queues(&source.broker, LOOKED.wait).await {
        Ok(kept) => kept,
        Err(error) => return told.note(error.to_string()),
    };
    let mut seen: BTreeMap<String, Held> = BTreeMap::new();
    for row in halves {
        let Some(name) = source.scope.consumers.iter().find(|one| one.is(row.consumer)) else {
            told.note(format!(
                "the queue of consumer {} is not known: name it in messages.consumers",
                row.consumer.short()
            ));
            continue;
        };
        // In this order: what fails meanwhile goes from the first to the second.
        let mut inbound = Inbound::Gone;
        for queue in [name.queue.clone(), format!("{}_error", name.queue)] {
            if !seen.contains_key(&queue) {
                let held = match held(aside, &queue, &kept).await {
                    Ok(held) => held,
                    Err(why) => {
                        told.note(format!("{queue}: {why}"));
                        Held::Some(BTreeSet::new())
                    }
                };
                seen.insert(queue.clone(), held);
            }
            match seen.get(&queue) {
                Some(Held::All(ids) | Held::Some(ids)) if ids.contains(&row.message) => {
                    inbound = Inbound::Waits;
                    break;
                }
                Some(Held::All(_)) => {}
                Some(Held::Some(_)) | None => inbound = Inbound::Unknown,
            }
        }
        told.inbound.insert((row.message, row.consumer), inbound);
    }
}

/// What a queue holds, or why that cannot be told.
async fn held(aside: &Aside, queue: &str, kept: &[Kept]) -> Result<Held, String> {
    let told = |error: relay::Error| error.to_string();
    let Some(standing) = aside.standing(queue).await.map_err(told)? else {
        return Ok(Held::All(BTreeSet::new()));
    };
    let Some(kept) = kept.iter().find(|kept| kept.name == queue) else {
        return Err("the management interface does not know it yet".to_owned());
    };
    match kept.unsettled {
        None => return Err("the management interface does not tell what consumers hold".to_owned()),
        Some(0) => {}
        Some(count) => return Err(format!("consumers hold {count} of its messages")),
    }
    match standing.ready {
        0 => return Ok(Held::All(BTreeSet::new())),
        _ if standing.consumers > 0 => return Err("its consumers are at work on it".to_owned()),
        _ if kept.quorum => {
            return Err("not looked into: a look counts as a delivery there".to_owned());
        }
        _ => {}
    }
    let Look { messages, cut, .. } = aside.look(queue, &LOOKED).await.map_err(told)?;
    let ids: Vec<_> = messages.iter().map(|raw| Fault::read(raw).message).collect();
    // One without an id could be any message.
    let whole = !cut && ids.iter().all(Option::is_some);
    let ids = ids.into_iter().flatten().collect();
    Ok(if whole { Held::All(ids) } else { Held::Some(ids) })
}

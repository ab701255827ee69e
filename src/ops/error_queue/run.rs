//! Replaying and discarding, one message after the other. The order of steps is what keeps messages from
//! being lost: published and confirmed, or a copy kept for good, and only then removed from the error queue.
//! Killed in between, a message is in both places, never in none.

use std::{collections::BTreeMap, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{Chosen, Error, ErrorAction, FaultCopy, Keep, pick::Choice};
use crate::{
    domain::{
        fault::{Fault, Judgement, Key},
        text,
    },
    relay::{Broker, Confirmed, Limits, Management, QueueInspector, TakenMessage, Walk},
};

/// How many seconds counts of the management interface may trail.
const TRAILING: u32 = 7;

/// What to do, to what, and how fast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    pub action: ErrorAction,
    pub choice: Choice,
    /// Between two messages.
    pub pause: Duration,
    pub limits: Limits,
    /// Tells whether others hold messages of a queue; without it that is not known.
    pub management: Option<Management>,
}

/// What became of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    pub done: Vec<Key>,
    /// Meant, but left where it is, and why; what was refused beforehand included.
    pub left: Vec<(Key, String)>,
    /// Chosen, but no longer in its queue, and nobody holds messages of it.
    pub gone: Vec<Key>,
    /// Why it ended before everything was tried.
    pub stopped: Option<String>,
}

/// Who is asked about a message just before it is taken.
pub trait Judge {
    /// What is thought of it now.
    fn judge(&mut self, fault: &Fault) -> impl Future<Output = Judgement> + Send;
}

impl<F: FnMut(&Fault) -> Judgement + Send> Judge for F {
    async fn judge(&mut self, fault: &Fault) -> Judgement {
        self(fault)
    }
}

/// How one message ended.
enum Step {
    Done,
    Left(String),
    Stop(String),
}

/// Does it, queue by queue, and stops at the first message that the broker returns, at the first error and
/// when told to. `judge` is asked again about every message just before: one whose verdict changed is left.
///
/// # Errors
/// When the broker cannot be reached at all.
pub async fn run<K: Keep>(
    broker: &Broker,
    work: &Work,
    keep: &mut K,
    mut judge: impl Judge,
    stop: &CancellationToken,
) -> Result<Outcome, Error> {
    let mut outcome = Outcome { left: work.choice.left.clone(), ..Outcome::default() };
    let inspector = QueueInspector::connect(broker, "errors", work.limits.wait).await?;
    let mut open = by_queue(&work.choice.chosen);
    for (queue, chosen) in &mut open {
        outcome.stopped = homes(&inspector, work.action, chosen).await;
        if outcome.stopped.is_some() {
            break;
        }
        let walk = match inspector.walk(queue).await {
            Ok(Some(walk)) => walk,
            Ok(None) => continue,
            Err(error) => {
                outcome.stopped = Some(error.to_string());
                break;
            }
        };
        outcome.stopped = through(&walk, work, chosen, &mut outcome, keep, &mut judge, stop).await;
        // What was looked at and not taken goes back to its place; the broker does it if this fails.
        let _ = walk.close().await;
        if outcome.stopped.is_some() {
            break;
        }
        let missing: Vec<Key> = chosen.drain(..).map(|chosen| chosen.key.clone()).collect();
        if !missing.is_empty() {
            match held(broker, work, queue).await {
                None => outcome.gone.extend(missing),
                Some(why) => outcome.left.extend(missing.into_iter().map(|key| (key, why.clone()))),
            }
        }
    }
    if let Some(why) = &outcome.stopped {
        let rest = open.iter().flat_map(|(_, chosen)| chosen);
        let left = rest.map(|chosen| (chosen.key.clone(), format!("not tried: {why}")));
        outcome.left.extend(left.collect::<Vec<_>>());
    }
    inspector.close().await;
    Ok(outcome)
}

/// Why a message that was not met in its queue may still be there; nothing where it cannot be. Counts of the management
/// interface trail by some seconds: what was given back just now is waited for.
async fn held(broker: &Broker, work: &Work, queue: &str) -> Option<String> {
    let unknown = format!("not met in {queue}: held by another consumer, or gone");
    let Some(management) = &work.management else {
        return Some(format!("{unknown}; errors.management would tell"));
    };
    let mut held = None;
    for again in (0..TRAILING).rev() {
        let queues = match management.queues(broker, work.limits.wait).await {
            Ok(queues) => queues,
            Err(error) => return Some(format!("{unknown}; {error}")),
        };
        held = queues.into_iter().find(|one| one.name == queue).map(|one| one.unsettled);
        match held {
            None | Some(Some(0)) => return None,
            Some(_) if again > 0 => tokio::time::sleep(Duration::from_secs(1)).await,
            Some(_) => {}
        }
    }
    Some(match held.flatten() {
        Some(number) => format!(
            "held by another consumer: {} of {queue} not acknowledged",
            text::counted(i64::try_from(number).unwrap_or(i64::MAX), "message")
        ),
        None => unknown,
    })
}

fn by_queue(chosen: &[Chosen]) -> Vec<(String, Vec<&Chosen>)> {
    let mut order: Vec<(String, Vec<&Chosen>)> = vec![];
    let mut places = BTreeMap::new();
    for chosen in chosen {
        let place = *places.entry(&chosen.queue).or_insert_with(|| {
            order.push((chosen.queue.clone(), vec![]));
            order.len() - 1
        });
        order[place].1.push(chosen);
    }
    order
}

/// Why a replay cannot begin: a queue to send to that is not there.
async fn homes(
    inspector: &QueueInspector,
    action: ErrorAction,
    chosen: &[&Chosen],
) -> Option<String> {
    if action == ErrorAction::Discard {
        return None;
    }
    let homes: std::collections::BTreeSet<_> =
        chosen.iter().filter_map(|chosen| chosen.home.as_deref()).collect();
    for home in homes {
        match inspector.exists(home).await {
            Ok(true) => {}
            Ok(false) => {
                return Some(format!(
                    "there is no queue {home}; start the service that consumes it"
                ));
            }
            Err(error) => return Some(error.to_string()),
        }
    }
    None
}

/// Walks one queue until everything chosen was met. Yields why it ended early.
async fn through<K: Keep>(
    walk: &Walk,
    work: &Work,
    chosen: &mut Vec<&Chosen>,
    outcome: &mut Outcome,
    keep: &mut K,
    judge: &mut impl Judge,
    stop: &CancellationToken,
) -> Option<String> {
    // They were all among the first when they were chosen, and what comes later comes behind them.
    for _ in 0..work.limits.messages {
        if chosen.is_empty() {
            return None;
        }
        if stop.is_cancelled() {
            return Some("stopped by the operator".to_owned());
        }
        let taken = match walk.next().await {
            Ok(Some(taken)) => taken,
            Ok(None) => return None,
            Err(error) => return Some(error.to_string()),
        };
        let fault = Fault::read(&taken.raw);
        let Some(place) = chosen.iter().position(|chosen| chosen.key == fault.key) else {
            continue;
        };
        let meant = chosen[place];
        let judgement = judge.judge(&fault).await;
        let step = if judgement.verdict == meant.verdict {
            one(walk, taken, work.action, meant, judgement, keep).await
        } else {
            Step::Left(format!("it was {}, now it is {}", meant.verdict, judgement.verdict))
        };
        match step {
            Step::Done => outcome.done.push(meant.key.clone()),
            Step::Left(why) => outcome.left.push((meant.key.clone(), why)),
            Step::Stop(why) => return Some(why),
        }
        chosen.remove(place);
        if !chosen.is_empty() && !work.pause.is_zero() {
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(work.pause) => {}
            }
        }
    }
    None
}

async fn one<K: Keep>(
    walk: &Walk,
    taken: TakenMessage,
    action: ErrorAction,
    meant: &Chosen,
    judgement: Judgement,
    keep: &mut K,
) -> Step {
    if action == ErrorAction::Discard {
        let copy = FaultCopy {
            key: meant.key.clone(),
            queue: meant.queue.clone(),
            home: meant.home.clone(),
            message: meant.message,
            judgement,
            properties: taken.properties(),
            headers: taken.raw.headers.clone(),
            body: taken.raw.body.clone(),
        };
        if let Err(why) = keep.keep(&copy).await {
            return Step::Stop(format!("no copy could be kept, so nothing is taken: {why}"));
        }
    } else {
        let Some(home) = &meant.home else {
            return Step::Left("the queue it came from is not known".to_owned());
        };
        match walk.send_home(&taken, home).await {
            Ok(Confirmed::Routed) => {}
            Ok(Confirmed::Returned) => {
                return Step::Stop(format!("the broker returned it: there is no queue {home}"));
            }
            Err(error) => return Step::Stop(error.to_string()),
        }
    }
    match walk.settle(taken).await {
        Ok(()) => Step::Done,
        Err(error) if action == ErrorAction::Replay => Step::Stop(format!(
            "message {} is in its queue again, but perhaps also still in {}: {error}",
            meant.key, meant.queue
        )),
        Err(error) => Step::Stop(error.to_string()),
    }
}

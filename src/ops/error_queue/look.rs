//! Looking into the queues and judging what lies there.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;

use super::{Error, Scope};
use crate::{
    db::{self, Db, Layout, Table, handled},
    domain::{
        coverage::NotLookedAt,
        fault::{Consumers, Fault, Fingerprint, InboxCoverage, InboxRow, Judgement, judge},
        id::MessageId,
    },
    relay::{Broker, QueueInspector},
};

/// A message with its verdict.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundFault {
    pub fault: Fault,
    pub headers: Map<String, Value>,
    pub fingerprint: Fingerprint,
    pub judgement: Judgement,
}

/// A queue that was looked into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueReport {
    pub queue: String,
    /// None: there is no such queue (nothing failed yet), or it could not be read.
    pub depth: Option<u32>,
    pub seen: usize,
    /// Not everything in it was seen.
    pub cut: bool,
    pub quorum: bool,
    /// Why it could not be read.
    pub trouble: Option<String>,
}

/// What lies in the queues, from the head of the first on.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing {
    pub looked: Vec<QueueReport>,
    pub found: Vec<FoundFault>,
    /// What is not part of the answer but belongs to it.
    pub notes: Vec<String>,
    /// What was not looked at.
    pub coverage: Vec<NotLookedAt>,
}

/// What the database knows of messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Knowledge {
    pub rows: Vec<InboxRow>,
    pub consumers: Consumers,
    pub reach: InboxCoverage,
}

impl Listing {
    /// Everything that is not part of the answer but belongs to it, a line each.
    #[must_use]
    pub fn told(&self) -> Vec<String> {
        self.notes.iter().cloned().chain(self.coverage.iter().map(ToString::to_string)).collect()
    }

    /// Whether everything that lies in the queues was seen.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.looked.iter().all(|looked| looked.trouble.is_none() && !looked.cut)
    }
}

/// Looks into all queues and judges every message by the inbox.
///
/// # Errors
/// When no queue is named or the broker cannot be reached. A queue that cannot be read and an inbox that
/// cannot be read are told in the listing.
pub async fn list(
    broker: &Broker,
    db: &Db,
    layout: &Layout,
    scope: &Scope,
    now: DateTime<Utc>,
    stop: &CancellationToken,
) -> Result<Listing, Error> {
    let (mut looked, mut raws, mut notes) = (vec![], vec![], vec![]);
    let mut coverage = layout.not_looked_at(&[Table::InboxStates]);
    let (queues, quorums) = named(broker, scope, &mut coverage).await;
    if queues.is_empty() {
        return Err(Error::NoQueue);
    }
    let inspector = QueueInspector::connect(broker, "errors", scope.limits.wait).await?;
    for queue in queues {
        if stop.is_cancelled() {
            let trouble = Some("stopped before it was looked at".to_owned());
            looked.push(QueueReport {
                queue,
                depth: None,
                seen: 0,
                cut: false,
                quorum: false,
                trouble,
            });
            continue;
        }
        let trouble = match inspector.look(&queue, &scope.limits).await {
            Ok(look) => {
                let quorum = look.quorum || quorums.contains(&queue);
                if quorum {
                    notes.push(format!(
                        "{queue} is a quorum queue: looking counts as a delivery there; mind its \
                         delivery limit"
                    ));
                }
                if look.cut {
                    let seen = look.messages.len();
                    let why = format!("only the first {seen} messages of {queue} were looked at");
                    coverage.push(NotLookedAt::unknown(&queue, why));
                }
                looked.push(QueueReport {
                    queue: queue.clone(),
                    depth: look.depth,
                    seen: look.messages.len(),
                    cut: look.cut,
                    quorum,
                    trouble: None,
                });
                raws.extend(look.messages);
                None
            }
            Err(error) => Some(error.to_string()),
        };
        if let Some(trouble) = trouble {
            coverage.push(NotLookedAt::unknown(
                &queue,
                format!("{queue} could not be read: {trouble}"),
            ));
            let trouble = Some(trouble);
            looked.push(QueueReport {
                queue,
                depth: None,
                seen: 0,
                cut: false,
                quorum: false,
                trouble,
            });
        }
    }
    inspector.close().await;
    let faults: Vec<_> = raws.iter().map(Fault::read).collect();
    let asked = db
        .read("errors", stop, async |conn| knowledge(conn, layout, &faults, scope, now).await)
        .await;
    let known = asked.unwrap_or_else(|error| {
        coverage.push(NotLookedAt::unknown(
            "the inbox",
            format!("the inbox could not be read: {error}"),
        ));
        Knowledge::unread(scope)
    });
    let found = faults.into_iter().zip(raws).map(|(fault, raw)| {
        let judgement = known.judge(&fault, now);
        let fingerprint = Fingerprint::of(&fault);
        FoundFault { fault, headers: raw.headers, fingerprint, judgement }
    });
    Ok(Listing { looked, found: found.collect(), notes, coverage })
}

/// The queues to look into, and which of them are known to be quorum queues. Without names in the
/// configuration or the arguments, the management interface tells them.
async fn named(
    broker: &Broker,
    scope: &Scope,
    coverage: &mut Vec<NotLookedAt>,
) -> (Vec<String>, BTreeSet<String>) {
    let mut queues = scope.queues();
    let mut quorums = BTreeSet::new();
    let Some(management) = &scope.management else { return (queues, quorums) };
    match management.error_queues(broker, scope.limits.wait).await {
        Ok(listed) => {
            quorums.extend(listed.iter().filter(|queue| queue.quorum).map(|q| q.name.clone()));
            if scope.queues.is_empty() {
                queues.extend(listed.into_iter().map(|queue| queue.name));
            }
        }
        Err(error) => {
            let why = format!("{error}; only configured queues are looked at");
            coverage.push(NotLookedAt::unknown("other queues", why));
        }
    }
    let mut seen = BTreeSet::new();
    queues.retain(|queue| seen.insert(queue.clone()));
    (queues, quorums)
}

/// Asks the inbox about messages.
///
/// # Errors
/// When it does not answer.
pub async fn knowledge(
    conn: &mut PgConnection,
    layout: &Layout,
    faults: &[Fault],
    scope: &Scope,
    now: DateTime<Utc>,
) -> Result<Knowledge, db::Error> {
    if !layout.reads(Table::InboxStates) {
        return Ok(Knowledge::unread(scope));
    }
    let ids: BTreeSet<MessageId> = faults.iter().filter_map(|fault| fault.message).collect();
    let ids: Vec<_> = ids.into_iter().collect();
    let rows = handled::of_messages(conn, layout, &ids).await?;
    let mut consumers = Consumers { configured: scope.consumers.clone(), ..Consumers::default() };
    consumers.learn(faults);
    consumers.seen = handled::consumers(conn, layout).await?.into_iter().collect();
    consumers.seen.extend(rows.iter().map(|row| row.consumer));
    let reach = match scope.window {
        Some(window) => Some(now - window),
        None => handled::oldest_delivered(conn, layout).await?,
    };
    Ok(Knowledge {
        rows,
        consumers,
        reach: reach.map_or(InboxCoverage::Unknown, InboxCoverage::Since),
    })
}

impl Knowledge {
    /// Nothing could be asked.
    #[must_use]
    pub fn unread(scope: &Scope) -> Self {
        let consumers = Consumers { configured: scope.consumers.clone(), ..Consumers::default() };
        Self { rows: vec![], consumers, reach: InboxCoverage::Unread }
    }

    /// Judges one message.
    #[must_use]
    pub fn judge(&self, fault: &Fault, now: DateTime<Utc>) -> Judgement {
        judge(fault, &self.rows, &self.consumers, self.reach, now)
    }
}

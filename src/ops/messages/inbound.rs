//! Where the message is that a consumer worked on: in its queue, delayed for another attempt, in its error queue, or in
//! none of them. Who delivers for half-done consumers and who judges them ask here.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    domain::{consumer::Consumer, diagnosis::Inbound, fault::Fault, id::MessageId},
    relay::{self, Broker, Limits, Management, QueueContents, QueueInspector, QueuedMessage},
};

/// What is done where no management interface is named, which alone tells what consumers hold and which queues count
/// a look as a delivery (a quorum queue drops a message that was delivered too often).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unnamed {
    /// No queue is looked into: for whoever looks again and again.
    Leave,
    /// Queues that nobody consumes from are looked into, but for these, which were seen to count. For whoever looks
    /// seldom and has to decide. What such a queue does not show, some other client may hold for a moment. Calling
    /// it gone then costs nothing: what is delivered for a consumer is delivered under its lock and recorded with
    /// it, so that its message finds everything sent when it does come again.
    Look(BTreeSet<String>),
}

/// A search through the queues of consumers; each queue is looked into once.
#[derive(Debug)]
pub struct Search<'a> {
    inspector: &'a QueueInspector,
    limits: Limits,
    known: Known,
    seen: BTreeMap<String, QueueContent>,
    delaying: BTreeMap<String, bool>,
    counting: BTreeSet<String>,
    notes: Vec<String>,
    failed: Option<relay::Error>,
}

#[derive(Debug)]
enum Known {
    /// The management interface told of these.
    Queues(Vec<QueuedMessage>),
    /// Not even that: nothing may be looked into.
    Nothing,
    /// Only what the queues tell themselves.
    Blind,
}

/// What a queue holds.
#[derive(Debug)]
enum QueueContent {
    /// All of it was seen.
    All(BTreeSet<MessageId>),
    /// These at least.
    Some(BTreeSet<MessageId>),
}

/// Why it cannot be told what a queue holds.
enum Unclear {
    Broker(relay::Error),
    Why(String),
}

impl From<relay::Error> for Unclear {
    fn from(error: relay::Error) -> Self {
        Self::Broker(error)
    }
}

impl<'a> Search<'a> {
    /// Asks the management interface, where one is named, and only it: one that does not answer leaves everything
    /// unknown, as it was named for what cannot be told without.
    pub async fn begin(
        inspector: &'a QueueInspector,
        broker: &Broker,
        management: Option<&Management>,
        unnamed: Unnamed,
        limits: Limits,
    ) -> Self {
        let (mut notes, mut failed, mut counting) = (vec![], None, BTreeSet::new());
        let known = match (management, unnamed) {
            (Some(management), _) => match management.queues(broker, limits.wait).await {
                Ok(kept) => Known::Queues(kept),
                Err(error) => {
                    notes.push(error.to_string());
                    failed = Some(error);
                    Known::Nothing
                }
            },
            (None, Unnamed::Leave) => {
                notes.push(
                    "whether the messages of half-done consumers still lie in a queue: set errors.management"
                        .to_owned(),
                );
                Known::Nothing
            }
            (None, Unnamed::Look(seen)) => {
                counting = seen;
                Known::Blind
            }
        };
        let (seen, delaying) = (BTreeMap::new(), BTreeMap::new());
        Self { inspector, limits, known, seen, delaying, counting, notes, failed }
    }

    /// Whether any queue may be looked into.
    #[must_use]
    pub const fn is_possible(&self) -> bool {
        !matches!(self.known, Known::Nothing)
    }

    /// Where a message is that a consumer worked on.
    pub async fn find(&mut self, message: MessageId, consumer: &Consumer) -> Inbound {
        let mut inbound = Inbound::Gone;
        let delay = format!("{}_delay", consumer.queue);
        // In this order: what fails meanwhile goes from one to the next.
        for queue in [&consumer.queue, &delay, &format!("{}_error", consumer.queue)] {
            match self.holds(queue, message).await {
                Inbound::Gone => {}
                Inbound::Waits => return Inbound::Waits,
                Inbound::Unknown => inbound = Inbound::Unknown,
            }
        }
        if inbound == Inbound::Gone && self.delays(delay).await {
            return Inbound::Unknown;
        }
        inbound
    }

    /// Whether a message may wait in MassTransit's exchange for delayed redelivery: the plugin behind it keeps it where
    /// nobody can look.
    async fn delays(&mut self, exchange: String) -> bool {
        if let Some(known) = self.delaying.get(&exchange) {
            return *known;
        }
        let (found, why) = match self.inspector.has_exchange(&exchange).await {
            Ok(false) => (false, None),
            Ok(true) => {
                let why = "an exchange that delays redelivery; nobody can look into it";
                (true, Some(why.to_owned()))
            }
            Err(error) => {
                let why = error.to_string();
                self.failed.get_or_insert(error);
                (true, Some(why))
            }
        };
        if let Some(why) = why {
            self.note(format!("{exchange}: {why}"));
        }
        self.delaying.insert(exchange, found);
        found
    }

    /// Whether a message waits in a queue.
    pub async fn holds(&mut self, queue: &str, message: MessageId) -> Inbound {
        if !self.seen.contains_key(queue) {
            let held = match self.look(queue).await {
                Ok(held) => held,
                Err(unclear) => {
                    let why = match unclear {
                        Unclear::Why(why) => why,
                        Unclear::Broker(error) => {
                            let why = error.to_string();
                            self.failed.get_or_insert(error);
                            why
                        }
                    };
                    self.note(format!("{queue}: {why}"));
                    QueueContent::Some(BTreeSet::new())
                }
            };
            self.seen.insert(queue.to_owned(), held);
        }
        match self.seen.get(queue) {
            Some(QueueContent::All(ids) | QueueContent::Some(ids)) if ids.contains(&message) => {
                Inbound::Waits
            }
            Some(QueueContent::All(_)) => Inbound::Gone,
            Some(QueueContent::Some(_)) | None => Inbound::Unknown,
        }
    }

    /// What could not be looked at, and why.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What the broker refused first, if anything.
    #[must_use]
    pub const fn failed(&self) -> Option<&relay::Error> {
        self.failed.as_ref()
    }

    /// Queues that were seen to count looks as deliveries.
    #[must_use]
    pub const fn counting(&self) -> &BTreeSet<String> {
        &self.counting
    }

    /// Adds a note, once.
    pub fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    async fn look(&mut self, queue: &str) -> Result<QueueContent, Unclear> {
        const COUNTS: &str = "not looked into: a look counts as a delivery there";
        let why = |why: &str| Unclear::Why(why.to_owned());
        if matches!(self.known, Known::Nothing) {
            return Err(why("nothing tells what its consumers hold"));
        }
        let Some(status) = self.inspector.status(queue).await? else {
            return Ok(QueueContent::All(BTreeSet::new()));
        };
        let mut quorum = self.counting.contains(queue);
        if let Known::Queues(kept) = &self.known {
            let Some(kept) = kept.iter().find(|kept| kept.name == queue) else {
                return Err(why("the management interface does not know it yet"));
            };
            match kept.unsettled {
                None => {
                    return Err(why("the management interface does not tell what consumers hold"));
                }
                Some(0) => {}
                Some(count) => {
                    return Err(Unclear::Why(format!("consumers hold {count} of its messages")));
                }
            }
            quorum = kept.quorum;
        } else if status.consumers > 0 {
            // What they were handed and have not acknowledged is in none of the lists that a client sees.
            return Err(why("only errors.management can tell what its consumers hold"));
        }
        match status.ready {
            0 => return Ok(QueueContent::All(BTreeSet::new())),
            _ if status.consumers > 0 => return Err(why("its consumers are at work on it")),
            _ if quorum => return Err(why(COUNTS)),
            _ => {}
        }
        let QueueContents { messages, cut, quorum, .. } =
            self.inspector.look(queue, &self.limits).await?;
        if quorum {
            self.counting.insert(queue.to_owned());
        }
        let ids: Vec<_> = messages.iter().map(|raw| Fault::read(raw).message).collect();
        // One without an id could be any message.
        let whole = !cut && ids.iter().all(Option::is_some);
        let ids = ids.into_iter().flatten().collect();
        Ok(if whole { QueueContent::All(ids) } else { QueueContent::Some(ids) })
    }
}

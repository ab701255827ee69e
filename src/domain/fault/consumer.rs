//! Who consumes what: MassTransit stores only a hash of a consumer, so names are hashed and compared.

use std::{collections::BTreeSet, fmt, str::FromStr};

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::Fault;
use crate::domain::{id::ConsumerId, md5::md5};

/// A consumer on a queue, by full type names: `Namespace.Consumer:Namespace.Message:queue`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConsumerName {
    pub consumer: String,
    pub message: String,
    pub queue: String,
}

/// Why text is no consumer's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is written Consumer:Message:queue, with full type names, such as \
         BookWorm.Ordering.PlaceOrderHandler:BookWorm.Contracts.PlaceOrder:place-order"
)]
pub struct InvalidConsumer;

impl FromStr for ConsumerName {
    type Err = InvalidConsumer;

    fn from_str(text: &str) -> Result<Self, InvalidConsumer> {
        let mut parts = text.trim().splitn(3, ':').map(str::trim);
        let mut next = || parts.next().filter(|part| !part.is_empty()).map(str::to_owned);
        match (next(), next(), next()) {
            (Some(consumer), Some(message), Some(queue)) => Ok(Self { consumer, message, queue }),
            _ => Err(InvalidConsumer),
        }
    }
}

impl fmt::Display for ConsumerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.consumer, self.message, self.queue)
    }
}

impl ConsumerName {
    /// `inbox_state.consumer_id`: the MD5 of the name as a little-endian GUID.
    #[must_use]
    pub fn id(&self) -> ConsumerId {
        ConsumerId(Uuid::from_bytes_le(md5(self.to_string().as_bytes())))
    }

    /// The same where the service runs in FIPS mode: the beginning of a SHA-256.
    #[must_use]
    pub fn fips_id(&self) -> ConsumerId {
        let digest = Sha256::digest(self.to_string().as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        ConsumerId(Uuid::from_bytes_le(bytes))
    }

    /// Whether that row is this consumer's.
    #[must_use]
    pub fn is(&self, id: ConsumerId) -> bool {
        self.id() == id || self.fips_id() == id
    }
}

/// What is known of the consumers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Consumers {
    /// By configuration: for a queue and a message type named here, these are all.
    pub configured: Vec<ConsumerName>,
    /// Consumer types that fault headers named.
    pub learnt: BTreeSet<String>,
    /// Consumers that the inbox has rows of.
    pub seen: BTreeSet<ConsumerId>,
}

impl Consumers {
    /// Takes the consumer types from the headers of messages.
    pub fn learn<'a>(&mut self, faults: impl IntoIterator<Item = &'a Fault>) {
        self.learnt.extend(faults.into_iter().filter_map(|fault| fault.consumer.clone()));
    }

    /// The configured consumers of a message on its queue.
    pub(super) fn named(&self, home: &str, types: &[String]) -> Vec<ConsumerName> {
        let fits = |name: &&ConsumerName| name.queue == home && types.contains(&name.message);
        self.configured.iter().filter(fits).cloned().collect()
    }

    /// Names a consumer of this message might have; only a row with the hash of one proves it.
    pub(super) fn candidates(
        &self,
        fault: &Fault,
        home: &str,
        types: &[String],
    ) -> Vec<ConsumerName> {
        let mut out = vec![];
        for message in types {
            let short = message.rsplit(['.', '+']).next().unwrap_or_default();
            let mut guesses: BTreeSet<String> = self.learnt.clone();
            for end in ["Handler", "Consumer"] {
                guesses.insert(format!("{short}{end}"));
                if let Some(assembly) = &fault.host.assembly {
                    guesses.insert(format!("{assembly}.{short}{end}"));
                }
            }
            let (message, queue) = (message.clone(), home.to_owned());
            out.extend(guesses.into_iter().map(|consumer| ConsumerName {
                consumer,
                message: message.clone(),
                queue: queue.clone(),
            }));
        }
        out
    }
}

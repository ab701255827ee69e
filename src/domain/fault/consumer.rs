//! Who consumes what: MassTransit stores only a hash of a consumer, so names are hashed and compared.

use std::collections::BTreeSet;

use super::Fault;
use crate::domain::{consumer::Consumer, id::ConsumerId};

/// What is known of the consumers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Consumers {
    /// By configuration: for a queue and a message type named here, these are all.
    pub configured: Vec<Consumer>,
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
    pub(super) fn named(&self, home: &str, types: &[String]) -> Vec<Consumer> {
        let fits = |name: &&Consumer| name.queue == home && types.contains(&name.message);
        self.configured.iter().filter(fits).cloned().collect()
    }

    /// Names a consumer of this message might have; only a row with the hash of one proves it.
    pub(super) fn candidates(&self, fault: &Fault, home: &str, types: &[String]) -> Vec<Consumer> {
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
            out.extend(guesses.into_iter().map(|handler| Consumer {
                handler,
                message: message.clone(),
                queue: queue.clone(),
            }));
        }
        out
    }
}

//! Builds the chain, one causal path after the other, from cause to effect.

mod cause;

use std::collections::HashMap;

use uuid::Uuid;

pub use cause::LEEWAY;

use super::{
    CausalPath, Chain, Facts, Head, Hop, Node, NodeId, Proof, Received, Sent,
    correlation::{self, Correlation, Events, Trace},
};
use crate::domain::{
    contract, endless,
    event::RecordedEvent,
    id::{ConsumerId, MessageId, Version},
    outbox::{Delivery, Owner},
    timeline::{Step, Timeline},
};

/// The message ids that these events and messages may lead to in the inbox, newest first, without duplicates.
#[must_use]
pub fn inbox_ids(events: &[RecordedEvent], messages: &[Sent]) -> Vec<Uuid> {
    let mut out: Vec<Uuid> = vec![];
    for message in messages.iter().rev() {
        out.push(message.id.0);
        if let Owner::Consumer { message, .. } = message.owner {
            out.push(message.0);
        }
    }
    for event in events.iter().rev() {
        out.extend(correlation::named_ids(event).into_iter().map(|(_, id)| id));
    }
    let mut seen = std::collections::HashSet::new();
    out.retain(|id| seen.insert(*id));
    out
}

impl Chain {
    /// The chain of a history. Every event and every message is in it once; hops lead to nodes of this chain.
    #[must_use]
    pub fn new(timeline: &Timeline, facts: &Facts) -> Self {
        let steps = timeline.steps();
        let events = Events::new(steps);
        let correlations: Vec<Option<Correlation>> =
            facts.messages.iter().map(|message| events.correlate(steps, message)).collect();
        let mut of_step: HashMap<usize, Vec<usize>> = HashMap::new();
        for (message, correlation) in correlations.iter().enumerate() {
            if let Some(correlation) = correlation {
                of_step.entry(correlation.step).or_default().push(message);
            }
        }
        let mut builder = Builder::new(steps, facts, &correlations);
        for step in 0..steps.len() {
            builder.event(step, of_step.get(&step).map_or(&[], Vec::as_slice));
        }
        for (message, correlation) in facts.messages.iter().zip(&correlations) {
            if correlation.is_none() {
                builder.loose(message);
            }
        }
        builder.chain
    }
}

struct Builder<'a> {
    steps: &'a [Step],
    facts: &'a Facts,
    correlations: &'a [Option<Correlation>],
    inbox: HashMap<MessageId, Vec<&'a Received>>,
    rows: HashMap<(MessageId, ConsumerId), NodeId>,
    parents: HashMap<Owner, NodeId>,
    messages: HashMap<i64, NodeId>,
    ids: HashMap<Uuid, i64>,
    /// The newest event so far of each trace, and its first message.
    traces: HashMap<String, (Version, NodeId)>,
    chain: Chain,
}

impl<'a> Builder<'a> {
    fn new(steps: &'a [Step], facts: &'a Facts, correlations: &'a [Option<Correlation>]) -> Self {
        let mut inbox: HashMap<MessageId, Vec<&Received>> = HashMap::new();
        for row in &facts.received {
            inbox.entry(row.message).or_default().push(row);
        }
        Self {
            steps,
            facts,
            correlations,
            inbox,
            rows: HashMap::new(),
            parents: HashMap::new(),
            messages: HashMap::new(),
            ids: facts.messages.iter().map(|message| (message.id.0, message.sequence)).collect(),
            traces: HashMap::new(),
            chain: Chain::default(),
        }
    }

    fn add(&mut self, node: Node) -> NodeId {
        self.chain.nodes.push(node);
        NodeId(self.chain.nodes.len() - 1)
    }

    fn hop(&mut self, from: NodeId, to: NodeId, proof: Proof) {
        self.chain.hops.push(Hop { from, to, proof });
    }

    fn row(&mut self, row: &Received) -> NodeId {
        if let Some(id) = self.rows.get(&(row.message, row.consumer)) {
            return *id;
        }
        let id = self.add(Node::Inbox(row.clone()));
        self.rows.insert((row.message, row.consumer), id);
        id
    }

    fn event(&mut self, index: usize, messages: &[usize]) {
        let (Some(step), first) = (self.steps.get(index), self.chain.hops.len()) else { return };
        let event = self.add(Node::Event {
            version: step.version,
            seq: step.event.seq,
            id: step.event.id,
            title: step.meaning.title().to_owned(),
            at: step.event.at,
        });
        let sent: Vec<(&Sent, &Proof)> = messages
            .iter()
            .filter_map(|at| {
                Some((self.facts.messages.get(*at)?, &self.correlations.get(*at)?.as_ref()?.proof))
            })
            .collect();
        let (cause, proof) = self.cause(step, &sent);
        if let Some(Node::Inbox(_)) = self.chain.nodes.get(cause.0)
            && let Some((before, proof)) = self.answered(step, &sent)
        {
            self.hop(before, cause, proof);
        }
        self.hop(cause, event, proof);
        for (message, proof) in &sent {
            self.message(message, Some((event, (*proof).clone())));
        }
        if sent.is_empty()
            && let Some(kind) = step.meaning.kind()
        {
            let contract = contract::short(kind.contract()).to_owned();
            let proof = match &self.facts.unsearched.messages {
                Some(why) => Proof::Unknown(why.clone()),
                None => Proof::Absent(format!(
                    "no row of outbox_message names this order with {contract}: delivered or purged, \
                     no table tells which"
                )),
            };
            let missing = self.add(Node::MissingMessage { contract });
            self.hop(event, missing, proof);
        }
        let told = sent.first().and_then(|(message, _)| self.messages.get(&message.sequence));
        if let (Some(node), Some(trace)) = (told, Trace::of(&step.event)) {
            self.traces.insert(trace.trace, (step.version, *node));
        }
        self.chain.paths.push(CausalPath {
            version: Some(step.version),
            messages: sent.iter().map(|(message, _)| message.sequence).collect(),
            hops: first..self.chain.hops.len(),
        });
    }

    fn loose(&mut self, message: &Sent) {
        let first = self.chain.hops.len();
        self.message(message, None);
        self.chain.paths.push(CausalPath {
            version: None,
            messages: vec![message.sequence],
            hops: first..self.chain.hops.len(),
        });
    }

    fn message(&mut self, message: &Sent, event: Option<(NodeId, Proof)>) {
        let node = self.add(Node::Message {
            sequence: message.sequence,
            id: message.id,
            contract: contract::short(&message.kind).to_owned(),
            at: message.published,
        });
        self.messages.insert(message.sequence, node);
        if let Some((event, proof)) = event {
            self.hop(event, node, proof);
        }
        if message.delivery == Delivery::Orphan {
            let missing = self.add(Node::MissingParent);
            let why = "no row of outbox_state or inbox_state owns it: nothing will ever send it";
            self.hop(node, missing, Proof::Absent(why.to_owned()));
            return;
        }
        let parent = match self.parents.get(&message.owner) {
            Some(parent) => *parent,
            None => {
                let parent = self.add(Node::Parent(message.owner));
                self.parents.insert(message.owner, parent);
                parent
            }
        };
        let proof = if message.delivery == Delivery::Unknown {
            Proof::Unknown("the rows of owners cannot all be looked at".to_owned())
        } else {
            owned(message.owner)
        };
        self.hop(node, parent, proof);
        let broker = self.add(Node::Broker {
            delivery: message.delivery,
            published: message.published,
            delivered: message.delivered,
            exchange: message.destination.clone(),
            behind: self.facts.head.as_ref().and_then(|head| behind(message, head)),
        });
        self.hop(parent, broker, sending(message));
        let rows = self.inbox.get(&message.id).cloned().unwrap_or_default();
        for row in &rows {
            let consumer = self.row(row);
            let columns = "inbox_state.message_id = outbox_message.message_id";
            self.hop(broker, consumer, Proof::proven(columns, message.id));
        }
        if rows.is_empty() {
            let why = self.facts.unsearched.inbox.clone().unwrap_or_else(|| {
                "no inbox row here has its id; other services keep theirs in databases of their own".to_owned()
            });
            let elsewhere = self.add(Node::Elsewhere);
            self.hop(broker, elsewhere, Proof::Unknown(why));
        }
    }
}

fn owned(owner: Owner) -> Proof {
    match owner {
        Owner::Bus(id) => Proof::proven("outbox_message.outbox_id = outbox_state.outbox_id", id),
        Owner::Consumer { message, .. } => Proof::proven(
            "outbox_message.inbox_message_id, inbox_consumer_id = inbox_state.message_id, consumer_id",
            message,
        ),
        Owner::Nobody => Proof::Absent("it has no owner: nothing will ever send it".to_owned()),
    }
}

/// Whether it was delivered, by its parent row.
fn sending(message: &Sent) -> Proof {
    let of_bus = matches!(message.owner, Owner::Bus(_));
    match (message.delivery, message.delivered) {
        (Delivery::Delivered, Some(at)) => {
            let columns = if of_bus {
                "outbox_state.delivered is set"
            } else {
                "inbox_state.delivered is set"
            };
            Proof::proven(columns, endless::utc(at, "%Y-%m-%d %H:%M:%S%.3fZ"))
        }
        (Delivery::Delivered, None) => {
            let columns = if of_bus {
                "outbox_state.last_sequence_number has passed it"
            } else {
                "inbox_state.last_sequence_number has passed it"
            };
            Proof::proven(columns, message.sequence)
        }
        (Delivery::Unknown, _) => {
            Proof::Unknown("the rows that tell it cannot all be looked at".to_owned())
        }
        (Delivery::Pending | Delivery::Orphan, _) => {
            let why = "not recorded as delivered; after a crash it may have been sent all the same";
            Proof::Absent(why.to_owned())
        }
    }
}

/// The sequence number up to which messages were delivered, where this one is behind it.
fn behind(message: &Sent, head: &Head) -> Option<i64> {
    let Owner::Bus(outbox) = message.owner else { return None };
    let before = if outbox == head.outbox {
        head.sequence.is_some_and(|first| first < message.sequence)
    } else {
        message.opened.is_some_and(|opened| head.opened <= opened)
    };
    head.sequence.filter(|_| before && message.delivery == Delivery::Pending)
}

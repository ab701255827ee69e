//! What led to an event: a command that was consumed here, an earlier message, or something that no row records.

use chrono::TimeDelta;

use super::{
    super::{Match, Node, NodeId, Proof, Received, Sent, correlation},
    Builder,
};
use crate::domain::{
    chain::correlation::Trace,
    id::{ConsumerId, MessageId},
    outbox::Owner,
    timeline::Step,
};

/// A command counts as the cause of an event that was stored while it was handled, with this tolerance: inbox rows and
/// events are stamped by different clocks.
pub const LEEWAY: TimeDelta = TimeDelta::milliseconds(100);

impl<'a> Builder<'a> {
    /// What led to an event.
    pub(super) fn cause(&mut self, step: &Step, sent: &[(&Sent, &Proof)]) -> (NodeId, Proof) {
        for (column, id) in correlation::named_ids(&step.event) {
            if let Some(row) = self.inbox.get(&MessageId(id)).and_then(|rows| rows.first().copied())
            {
                let columns = match column {
                    "mt_events.causation_id" => "mt_events.causation_id = inbox_state.message_id",
                    "mt_events.correlation_id" => {
                        "mt_events.correlation_id = inbox_state.message_id"
                    }
                    _ => "an id in mt_events.headers = inbox_state.message_id",
                };
                return (self.row(row), Proof::proven(columns, id));
            }
            let before = self.ids.get(&id).and_then(|sequence| self.messages.get(sequence));
            if let Some(before) = before {
                return (
                    *before,
                    Proof::proven("an id in mt_events = outbox_message.message_id", id),
                );
            }
        }
        for (message, correlation) in sent {
            if let Owner::Consumer { message: inbound, consumer } = message.owner
                && let Some(row) = self.received(inbound, consumer)
            {
                return (self.row(row), through_outbox(row, correlation));
            }
        }
        if sent.iter().any(|(message, _)| matches!(message.owner, Owner::Bus(_))) {
            let why = "its message lies in a bus outbox, where what is published outside of consumers goes: \
                       a request or a job, no command by message";
            return (self.add(Node::Caller), Proof::Inferred(why.to_owned()));
        }
        self.around(step)
    }

    fn received(&self, message: MessageId, consumer: ConsumerId) -> Option<&'a Received> {
        self.inbox.get(&message)?.iter().find(|row| row.consumer == consumer).copied()
    }

    /// The command that was being handled when the event was stored, where no column names its cause.
    fn around(&mut self, step: &Step) -> (NodeId, Proof) {
        if step.meaning.kind().is_none() || step.frozen {
            let why = "nothing in its metadata names a message, and a time alone ties no such event to a command";
            return (self.add(Node::Caller), Proof::Unknown(why.to_owned()));
        }
        let unsearched = &self.facts.unsearched;
        let then: Vec<&Received> = self
            .facts
            .received
            .iter()
            .filter(|row| {
                let within =
                    |consumed| row.received - LEEWAY <= step.when && step.when <= consumed + LEEWAY;
                row.consumed.is_some_and(within)
                    && !self.rows.contains_key(&(row.message, row.consumer))
            })
            .collect();
        match (then.as_slice(), unsearched.inbox.as_ref().or(unsearched.commands.as_ref())) {
            ([row], _) => {
                let why = "the only command that was handled here when it was stored; no column ties them";
                (self.row(row), Proof::Inferred(why.to_owned()))
            }
            ([], Some(why)) => (self.add(Node::Caller), Proof::Unknown(why.clone())),
            ([], None) => {
                let why = "no inbox row is tied to it by id, nor by time among those done within seconds of it: it came by HTTP, or the row was removed after its window";
                (self.add(Node::Caller), Proof::Absent(why.to_owned()))
            }
            (several, _) => {
                let why = format!(
                    "{} commands were handled here when it was stored; which one is not recorded",
                    several.len()
                );
                (self.add(Node::Caller), Proof::Unknown(why))
            }
        }
    }

    /// The earlier message that the command behind an event answers.
    pub(super) fn answered(
        &self,
        step: &Step,
        sent: &[(&Sent, &Proof)],
    ) -> Option<(NodeId, Proof)> {
        for (message, _) in sent {
            let earlier = |other: &&Sent| other.sequence < message.sequence;
            let known = self.facts.messages.iter().rev().filter(earlier);
            let found: Vec<(&Sent, NodeId)> = known
                .filter_map(|other| Some((other, *self.messages.get(&other.sequence)?)))
                .collect();
            let initiator = message.initiator.filter(|id| !id.is_nil());
            let begun = found
                .iter()
                .find(|(other, _)| initiator.is_some() && other.correlation == initiator);
            if let (Some((_, node)), Some(id)) = (begun, initiator) {
                let columns = "outbox_message.initiator_id = outbox_message.correlation_id";
                return Some((*node, Proof::proven(columns, id)));
            }
            let talk = message.conversation.filter(|id| !id.is_nil());
            let same = found.iter().find(|(other, _)| talk.is_some() && other.conversation == talk);
            if let Some((other, node)) = same {
                let why = format!(
                    "message {} has the conversation of message {}; who answered is not recorded",
                    message.sequence, other.sequence
                );
                return Some((*node, Proof::Inferred(why)));
            }
        }
        let trace = Trace::of(&step.event)?.trace;
        let (version, node) = self.traces.get(&trace)?;
        let why =
            format!("v{} has the trace of v{version}; who answered is not recorded", step.version);
        Some((*node, Proof::Inferred(why)))
    }
}

/// A command, its consumer's outbox, and the event whose message lies there.
fn through_outbox(row: &Received, correlation: &Proof) -> Proof {
    let columns =
        "outbox_message.inbox_message_id, inbox_consumer_id = inbox_state.message_id, consumer_id";
    match correlation {
        Proof::Proven(matches) => {
            let own = Match { columns, value: row.message.to_string() };
            Proof::Proven(std::iter::once(own).chain(matches.iter().cloned()).collect())
        }
        other => Proof::Inferred(format!(
            "the message taken for this event's was published by its consumer ({columns}); {}",
            other.why()
        )),
    }
}

//! Integration messages and commands as MassTransit stores them: bus outboxes, and inbox rows with the
//! messages that a consumed command produced.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    copy::{Chunk, Table, TableWriter},
    event::EventMetadata,
    json::push_money,
};
use crate::{
    demo::{
        moment::{HOUR, MILLI, Moment, SECOND},
        order::Fate,
        plan::Plan,
        random::{Random, Subject},
        step::{Counts, Event, PlacedOrder, Step},
        trouble::Kind,
    },
    domain::{
        consumer::Consumer,
        envelope::{self, CONTENT_TYPE, Envelope},
        event::EventKind,
    },
};

/// The service's process id, part of every `NewId`.
const PROCESS: u16 = 7394;
/// The queues of the service's two consumers.
pub const QUEUES: [&str; 2] = ["basket-checkout-complete", "basket-checkout-failed"];
/// The ids of the consumers of these queues: MD5 hashes of their names.
pub const COMPLETING: Uuid = Uuid::from_u128(0xe2f7_c838_07b9_51f1_e07e_cae2_7e7c_dc6e);
pub const DELETING: Uuid = Uuid::from_u128(0xdeb4_619c_3d34_3097_4508_494e_afea_8364);

/// Their names in the service's code.
pub fn consumers() -> [Consumer; 2] {
    let of = |command: &str, queue: &str| Consumer {
        handler: format!("BookWorm.Ordering.IntegrationEvents.EventHandlers.{command}Handler"),
        message: format!("BookWorm.Contracts.{command}"),
        queue: queue.to_owned(),
    };
    [of("DeleteBasketCompleteCommand", QUEUES[0]), of("DeleteBasketFailedCommand", QUEUES[1])]
}

pub const BUS: &str =
    "rabbitmq://rabbitmq/ordering_BookWormOrdering_bus_heqyyy8quwxmak5obdxwttgt8a?temporary=true";
pub const QUEUE: &str = "rabbitmq://rabbitmq/basket-checkout-complete";
/// The prefix of the broker's addresses.
pub const BROKER: &str = "rabbitmq://rabbitmq/";
/// An address that MassTransit cannot parse: every attempt fails.
const NOWHERE: &str = "rabbitmq://rabbitmq/bad exchange?type=nonsense";

/// A message about an order.
struct Message<'a> {
    number: u64,
    contract: &'a str,
    id: Uuid,
    conversation: Uuid,
    sent: Moment,
    source: &'a str,
    /// The bus outbox, or the command that caused the message.
    outbox: Option<Uuid>,
    command: Option<Uuid>,
    destination: Option<String>,
}

/// Publishes the integration message of an event, and writes the inbox row of the command that caused it, if any.
pub fn publish<S: FnMut(Chunk)>(
    tables: &mut TableWriter<S>,
    plan: &Plan,
    counts: &mut Counts,
    placed: &PlacedOrder,
    step: Step,
    metadata: &EventMetadata,
) {
    let kind = match step.event {
        Event::Placed => EventKind::Placed,
        Event::Completed => EventKind::Completed,
        Event::Cancelled => EventKind::Cancelled,
        Event::Unknown(_) | Event::Deleted => return,
    };
    let contract = kind.contract();
    counts.last_message += 1;
    let number = counts.last_message;
    let order = &placed.order;
    let by_message = matches!(order.fate, Fate::Completed { by_message: true, .. });
    let commanded = by_message && step.event == Event::Completed;
    let half = commanded && order.trouble == Some(Kind::HalfDelivered);
    let mut random = Random::new(metadata.seed, Subject::Message, number);
    let sent = metadata.occurred.plus(random.between(MILLI, 9 * MILLI));
    let serial = low(number);
    let command = commanded.then(|| step.at.plus(-20 * MILLI).new_id(PROCESS + 77, serial));
    let outbox = (!commanded).then(|| sent.plus(-5).new_id(PROCESS, serial));
    let delivered = sent.plus(random.between(40 * MILLI, 1200 * MILLI));
    let waits = half || (!commanded && step.at >= plan.stalled_at);
    if let Some(command) = command {
        counts.last_command += 1;
        if half || plan.command_kept(delivered) {
            let extra = u64::from(random.permille(12));
            inbox(
                tables,
                &Received {
                    row: counts.last_command,
                    id: command,
                    consumer: COMPLETING,
                    at: step.at.plus(-random.between(4 * MILLI, 60 * MILLI)),
                    // Three passes, one for the message, and one for every redelivery.
                    passes: if half { 1 } else { 4 + extra },
                    consumed: Some(metadata.occurred.plus(11 * MILLI)),
                    delivered: (!half).then_some(delivered),
                    cursor: (!half).then_some(number),
                },
            );
        }
    }
    if !waits && !plan.message_kept(delivered) {
        return;
    }
    if let Some(outbox) = outbox {
        // A failing head is retried about every two milliseconds: the last pass was just now.
        let tried = match (waits, order.trouble) {
            (true, Some(Kind::StalledHead)) => plan.end.plus(-3 * MILLI).new_id(PROCESS, 1),
            (true, _) => Uuid::nil(),
            (false, _) => delivered.plus(-15 * MILLI).new_id(PROCESS, serial),
        };
        tables.row(Table::OutboxStates, |row| {
            row.id(outbox).id(tried).at(Some(sent));
            if waits {
                row.null().null();
            } else {
                row.at(Some(delivered)).big(number);
            }
        });
    }
    let message = Message {
        number,
        contract,
        id: sent.new_id(PROCESS, serial),
        // One conversation from placing to completing: the payment service replies in the same one.
        conversation: order.created.new_id(PROCESS, low(order.index)),
        sent,
        source: if commanded { QUEUE } else { BUS },
        outbox,
        command,
        destination: match order.trouble {
            Some(Kind::StalledHead) => Some(NOWHERE.to_owned()),
            Some(Kind::NoDestination) => None,
            _ => Some(format!("{BROKER}{contract}")),
        },
    };
    write(tables, &message, placed, metadata, &mut random);
}

fn write<S: FnMut(Chunk)>(
    tables: &mut TableWriter<S>,
    message: &Message<'_>,
    placed: &PlacedOrder,
    metadata: &EventMetadata,
    random: &mut Random,
) {
    let mut total = String::new();
    push_money(&mut total, placed.order.total());
    let body = Envelope {
        contract: message.contract,
        order: placed.order.id,
        basket: Some(placed.buyer),
        name: Some(&placed.person.name),
        total: &total,
        message: message.id,
        event: metadata.occurred.v7(random),
        conversation: message.conversation,
        initiator: None,
        source: message.source,
        destination: message.destination.as_deref(),
        created: metadata.occurred.utc(),
        sent: message.sent.utc(),
        host: host(),
    }
    .body();
    tables.row(Table::OutboxMessages, |row| {
        row.big(message.number).at(Some(message.sent));
        row.optional(envelope::headers(Some(&metadata.traceparent())).as_deref());
        row.text(&envelope::properties(message.contract));
        row.optional_id(message.command).optional_id(message.command.map(|_| COMPLETING));
        row.optional_id(message.outbox).id(message.id);
        row.text(CONTENT_TYPE).text(&envelope::message_type(message.contract)).text(&body);
        row.id(message.conversation).text(message.source);
        row.optional(message.destination.as_deref());
    });
}

/// The host information in the service's envelopes (captured from MassTransit 8.5).
pub fn host() -> Value {
    json!({
        "machineName": "ordering",
        "processName": "BookWorm.Ordering",
        "processId": PROCESS,
        "assembly": "BookWorm.Ordering",
        "assemblyVersion": "1.0.0.0",
        "frameworkVersion": "10.0.12",
        "massTransitVersion": "8.5.12.0",
        "operatingSystemVersion": "Unix 6.18.44.669",
    })
}

/// A row of the inbox.
struct Received {
    row: u64,
    id: Uuid,
    consumer: Uuid,
    at: Moment,
    /// `receive_count`: the number of committed passes, not of deliveries.
    passes: u64,
    consumed: Option<Moment>,
    delivered: Option<Moment>,
    cursor: Option<u64>,
}

fn inbox<S: FnMut(Chunk)>(tables: &mut TableWriter<S>, received: &Received) {
    // The time inside the lock id is that of the last pass.
    let locked = received.delivered.or(received.consumed).unwrap_or(received.at);
    tables.row(Table::InboxStates, |row| {
        row.big(received.row).id(received.id).id(received.consumer);
        row.id(locked.plus(-2 * MILLI).new_id(PROCESS, low(received.row)));
        row.at(Some(received.at)).integer(received.passes);
        row.at(received.consumed).at(received.delivered);
        match received.cursor {
            Some(number) => row.big(number),
            None => row.null(),
        };
    });
}

/// The inbox row of the command that deleted an order; its handler publishes nothing.
pub fn deleting<S: FnMut(Chunk)>(
    tables: &mut TableWriter<S>,
    plan: &Plan,
    counts: &mut Counts,
    placed: &PlacedOrder,
    metadata: &EventMetadata,
) {
    counts.last_command += 1;
    let Some(at) = placed.order.deleted else { return };
    let delivered = metadata.at.plus(30 * MILLI);
    if plan.command_kept(delivered) {
        inbox(
            tables,
            &Received {
                row: counts.last_command,
                id: at.plus(-40 * MILLI).new_id(PROCESS + 77, low(counts.last_command)),
                consumer: DELETING,
                at: at.plus(-25 * MILLI),
                passes: 3,
                consumed: Some(metadata.at),
                delivered: Some(delivered),
                cursor: None,
            },
        );
    }
}

/// Two commands whose handler throws on every attempt.
pub fn failing<S: FnMut(Chunk)>(tables: &mut TableWriter<S>, plan: &Plan, counts: &mut Counts) {
    for hours in [26, 3] {
        counts.last_command += 1;
        let at = plan.end.plus(-hours * HOUR - 17 * SECOND);
        inbox(
            tables,
            &Received {
                row: counts.last_command,
                id: at.plus(-SECOND).new_id(PROCESS + 77, low(counts.last_command)),
                consumer: DELETING,
                at,
                passes: 0,
                consumed: None,
                delivered: None,
                cursor: None,
            },
        );
    }
}

/// The low sixteen bits.
fn low(number: u64) -> u16 {
    u16::try_from(number & 0xffff).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consumer_ids_are_the_hashes_of_their_names() {
        let ids = consumers().map(|consumer| consumer.id().0);
        assert_eq!(ids, [COMPLETING, DELETING]);
    }
}

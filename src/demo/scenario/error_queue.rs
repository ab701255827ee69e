//! The messages of scenario `error-queue`: about orders of the demo data, with the headers that MassTransit adds when a
//! consumer fails for good (captured from 8.5), and inbox rows that lead to each of the four verdicts.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::PROCESS;
use crate::{
    db::scenario::{OrderRow, Received, Setting},
    demo::{
        moment::{DAY, MILLI, MINUTE, Moment},
        tables::message::{BROKER, BUS, QUEUES, consumers, host},
    },
    domain::{consumer::Consumer, id::MessageId, outgoing::Header},
    ops::error_queue::training::Planting,
};

/// This long before the oldest row of the inbox.
const FORGOTTEN: i64 = 10 * DAY;

/// The verdict that a message is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    /// It failed once; its second delivery succeeded.
    Done,
    /// Its handler threw every time: received, never consumed.
    Waiting,
    /// It failed before the oldest inbox row.
    Unknown,
    /// The second of two deliveries at the same time.
    Doubled,
}

/// The number of each; each group has one exception.
const CASES: [(Case, i64); 4] =
    [(Case::Done, 4), (Case::Waiting, 7), (Case::Unknown, 3), (Case::Doubled, 5)];

/// The messages, and the inbox rows that belong to them.
pub fn of(setting: &Setting) -> (Vec<Planting>, Vec<Received>) {
    let (mut messages, mut rows) = (vec![], vec![]);
    let now = Moment(setting.now.timestamp_micros());
    let nobody =
        OrderRow { id: Uuid::nil(), buyer: Uuid::nil(), name: String::new(), total: 0.into() };
    let remembered = setting.remembered.map_or(now, |at| Moment(at.timestamp_micros()).min(now));
    let [complete, failing] = consumers();
    let mut serial: u16 = 0;
    for (case, count) in CASES {
        for number in 0..count {
            let consumer = if case == Case::Waiting { &failing } else { &complete };
            let until = if case == Case::Unknown { remembered.plus(-FORGOTTEN) } else { now };
            let at = until.plus(-(50 - 2 * number) * MINUTE);
            serial += 1;
            let [id, conversation, event] =
                [0, 1, 2].map(|part| at.new_id(PROCESS, 0x4000 + serial * 4 + part));
            // Messages that failed long ago are about the oldest orders.
            let orders = setting.orders.len();
            let place = usize::from(serial) % orders.max(1);
            let place =
                if case == Case::Unknown { orders.saturating_sub(place + 1) } else { place };
            let order = setting.orders.get(place).unwrap_or(&nobody);
            let failed = at.plus(61 * MILLI);
            messages.push(Planting {
                home: consumer.queue.clone(),
                message: MessageId(id),
                headers: headers(case, number, consumer, failed.utc()),
                body: body(consumer, order, (id, conversation, event), at),
            });
            let took = |millis: i64| at.utc() + TimeDelta::milliseconds(millis);
            let row = |passes, consumed, delivered| Received {
                message: id,
                consumer: consumer.id().0,
                lock: at.plus(70 * MILLI).new_id(PROCESS, 0x4000 + serial * 4 + 3),
                received: took(4),
                passes,
                consumed,
                delivered,
                cursor: None,
            };
            match case {
                Case::Done => rows.push(row(3, Some(took(900)), Some(took(930)))),
                Case::Waiting => rows.push(row(0, None, None)),
                Case::Unknown | Case::Doubled => {}
            }
        }
    }
    (messages, rows)
}

fn headers(
    case: Case,
    number: i64,
    consumer: &Consumer,
    failed: DateTime<Utc>,
) -> Vec<(String, Header)> {
    let (exception, text, at) = match case {
        Case::Waiting => (
            "System.InvalidOperationException",
            "basket service down",
            "BookWorm.Ordering.IntegrationEvents.EventHandlers.DeleteBasketFailedCommandHandler.Consume",
        ),
        Case::Done => (
            "Npgsql.NpgsqlException",
            "Exception while reading from stream",
            "Npgsql.Internal.NpgsqlReadBuffer.EnsureLong",
        ),
        Case::Unknown => (
            "System.TimeoutException",
            "The operation has timed out.",
            "BookWorm.Ordering.IntegrationEvents.EventHandlers.DeleteBasketCompleteCommandHandler.Consume",
        ),
        Case::Doubled if number % 2 == 0 => (
            "Npgsql.PostgresException",
            "23505: duplicate key value violates unique constraint \"ak_inbox_state_message_id_consumer_id\"\n\n\
             DETAIL: Detail redacted as it may contain sensitive data. Specify 'Include Error Detail' in the \
             connection string to include this information.",
            "Npgsql.Internal.NpgsqlConnector.ReadMessageLong",
        ),
        Case::Doubled => (
            "Npgsql.PostgresException",
            "40001: could not serialize access due to concurrent update",
            "Npgsql.Internal.NpgsqlConnector.ReadMessageLong",
        ),
    };
    // Seven decimals, as in .NET's round-trip format.
    let time = failed.format("%Y-%m-%dT%H:%M:%S%.6f0Z").to_string();
    let mut out = vec![
        ("MT-Reason", "fault".to_owned()),
        ("MT-Fault-ExceptionType", exception.to_owned()),
        ("MT-Fault-Message", text.to_owned()),
        ("MT-Fault-Timestamp", time),
        ("MT-Fault-InputAddress", format!("{BROKER}{}", consumer.queue)),
        (
            "MT-Fault-StackTrace",
            format!(
                "   at {at}()\n   at MassTransit.Middleware.OutboxMessagePipe`1.Send(OutboxConsumeContext`1 context)"
            ),
        ),
    ];
    // A message that fails in the inbox itself reaches no consumer.
    if case != Case::Doubled {
        out.push(("MT-Fault-ConsumerType", consumer.handler.clone()));
        out.push(("MT-Fault-MessageType", consumer.message.clone()));
    }
    let host = host();
    for (header, field) in [
        ("MT-Host-MachineName", "machineName"),
        ("MT-Host-ProcessName", "processName"),
        ("MT-Host-ProcessId", "processId"),
        ("MT-Host-Assembly", "assembly"),
        ("MT-Host-AssemblyVersion", "assemblyVersion"),
        ("MT-Host-MassTransitVersion", "massTransitVersion"),
        ("MT-Host-FrameworkVersion", "frameworkVersion"),
        ("MT-Host-OperatingSystemVersion", "operatingSystemVersion"),
    ] {
        let value = &host[field];
        out.push((header, value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
    }
    out.into_iter().map(|(name, text)| (name.to_owned(), Header::Text(text))).collect()
}

fn body(
    consumer: &Consumer,
    order: &OrderRow,
    (id, conversation, event): (Uuid, Uuid, Uuid),
    at: Moment,
) -> String {
    let mut time = String::new();
    at.push_json(&mut time);
    let total = order.total.to_string();
    let payload = if consumer.queue == QUEUES[1] {
        json!({
            "basketId": order.buyer, "email": null, "orderId": order.id, "totalMoney": total, "id": event,
            "creationDate": time,
        })
    } else {
        json!({ "orderId": order.id, "totalMoney": total, "id": event, "creationDate": time })
    };
    // MassTransit parts a type's namespace from its name.
    let (space, name) = consumer.message.rsplit_once('.').unwrap_or(("", &consumer.message));
    let envelope: Value = json!({
        "messageId": id,
        "requestId": null,
        "correlationId": null,
        "conversationId": conversation,
        "initiatorId": null,
        "sourceAddress": BUS,
        "destinationAddress": format!("{BROKER}{space}:{name}"),
        "responseAddress": null,
        "faultAddress": null,
        "messageType": [
            format!("urn:message:{space}:{name}"),
            format!("urn:message:{space}:IntegrationEvent"),
        ],
        "message": payload,
        "expirationTime": null,
        "sentTime": time,
        "headers": {},
        "host": host(),
    });
    format!("{envelope:#}")
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use serde_json::Map;

    use super::*;
    use crate::domain::{
        fault::{Consumers, Fault, InboxCoverage, InboxRow, Raw, Verdict, judge},
        id::ConsumerId,
    };

    fn setting() -> Setting {
        let order = |number: u128| OrderRow {
            id: Uuid::from_u128(number),
            buyer: Uuid::from_u128(7),
            name: "Ana".to_owned(),
            total: "12.50".parse().unwrap(),
        };
        let now = "2026-11-22T14:02:11Z".parse().unwrap();
        let remembered = Some(now - TimeDelta::days(31));
        Setting { now, head: None, remembered, weekly: 7, orders: (1..40).map(order).collect() }
    }

    #[test]
    fn every_verdict_occurs_as_often_as_planned() {
        let setting = setting();
        let (messages, rows) = of(&setting);
        assert_eq!((messages.clone(), rows.clone()), of(&setting), "no clock and no random seed");
        let ids: BTreeSet<_> = messages.iter().map(|message| message.message).collect();
        assert_eq!(ids.len(), messages.len());
        assert!(rows.iter().all(|row| ids.contains(&MessageId(row.message))));
        let rows: Vec<_> = rows
            .into_iter()
            .map(|row| InboxRow {
                message: MessageId(row.message),
                consumer: ConsumerId(row.consumer),
                received: row.received,
                consumed: row.consumed,
                delivered: row.delivered,
            })
            .collect();
        let consumers = Consumers {
            seen: consumers().map(|consumer| consumer.id()).into(),
            ..Consumers::default()
        };
        let mut count: BTreeMap<Verdict, i64> = BTreeMap::new();
        for message in &messages {
            let text = |value: &Header| match value {
                Header::Text(text) => Value::from(text.as_str()),
                Header::Number(number) => Value::from(*number),
            };
            let headers: Map<_, _> =
                message.headers.iter().map(|(name, value)| (name.clone(), text(value))).collect();
            let fault = Fault::read(&Raw {
                queue: format!("{}_error", message.home),
                headers,
                body: message.body.clone().into_bytes(),
                ..Raw::default()
            });
            assert_eq!(fault.message, Some(message.message));
            assert_eq!(fault.origin(), Ok(message.home.as_str()));
            assert!(fault.order.is_some() && fault.failed.is_some(), "{fault:?}");
            let reach = InboxCoverage::Since(setting.remembered.unwrap());
            let judged = judge(&fault, &rows, &consumers, reach, setting.now);
            *count.entry(judged.verdict).or_default() += 1;
        }
        let expected = [
            (Verdict::Done, 4),
            (Verdict::Waiting, 7),
            (Verdict::Unknown, 3),
            (Verdict::ProbableDuplicate, 5),
        ];
        assert_eq!(count, BTreeMap::from(expected));
    }
}

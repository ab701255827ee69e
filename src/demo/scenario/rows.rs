//! The rows of each scenario, derived from the present state of the database: as MassTransit leaves them in that
//! trouble (docs/messages.md describes the signs). No clock, no random seed: the same setting gives the same rows.

use chrono::TimeDelta;
use uuid::Uuid;

use super::{PROCESS, Scenario, error_queue};
use crate::{
    db::scenario::{Message, OrderRow, Outbox, Received, Setting},
    demo::{
        moment::{DAY, MILLI, MINUTE, Moment, SECOND},
        tables::message::{BROKER, BUS, COMPLETING, DELETING, QUEUE, host},
    },
    domain::{
        envelope::{self, Envelope},
        event::EventKind,
    },
    ops::error_queue::training::Planting,
};

/// The number of orders that planted messages are about, in turn.
pub const ORDERS: i64 = 500;
/// More than the usual limit of the backlog.
const STALLED: i64 = 1_200;
/// Messages behind a poison head; also the least while a broker is down.
const SOME: i64 = 60;
/// The most messages while a broker is down.
const MOST: i64 = 5_000;
/// Passes of a consumer that repeats because its message has no destination; a normal one needs a few.
const LOOPING: i32 = 2_300;

/// What to write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rows {
    pub outboxes: Vec<Outbox>,
    pub messages: Vec<Message>,
    pub received: Vec<Received>,
    /// Messages for the broker's queues.
    pub faults: Vec<Planting>,
}

/// The rows of a scenario.
pub fn of(scenario: Scenario, setting: &Setting) -> Rows {
    let now = Moment(setting.now.timestamp_micros());
    let head = setting.head.map_or(now, |head| Moment(head.timestamp_micros()));
    // Older than the oldest pending outbox; otherwise other trouble would hide it.
    let since = head.min(now.plus(-30 * MINUTE)).plus(-MINUTE);
    let mut builder = Builder { setting, now, rows: Rows::default(), serial: 0 };
    match scenario {
        Scenario::OutboxStall => builder.backlog(since, STALLED),
        Scenario::Poison => {
            builder.backlog(since, SOME);
            if let Some(first) = builder.rows.messages.first_mut() {
                first.headers = Some("{\"MT-Activity-Id\": \"00-".to_owned());
            }
        }
        Scenario::BrokerDown => {
            let down = now.0 - since.0;
            let rhythm = setting.weekly.saturating_mul(down / SECOND) / (7 * DAY / SECOND);
            builder.backlog(since, rhythm.clamp(SOME, MOST));
            // Every attempt changes the head's lock; the outboxes behind it were never tried.
            if let Some(first) = builder.rows.outboxes.first_mut() {
                first.lock = now.plus(-3 * SECOND).new_id(PROCESS, 0);
            }
        }
        Scenario::Duplicates => builder.duplicates(),
        Scenario::HalfDone => builder.half_done(),
        Scenario::ErrorQueue => {
            let (faults, received) = error_queue::of(setting);
            builder.rows = Rows { received, faults, ..Rows::default() };
        }
    }
    builder.rows
}

struct Builder<'a> {
    setting: &'a Setting,
    now: Moment,
    rows: Rows,
    serial: u16,
}

impl Builder<'_> {
    /// An id of that time, different from all others of the scenario.
    fn id(&mut self, at: Moment) -> Uuid {
        self.serial = self.serial.wrapping_add(1);
        at.new_id(PROCESS, self.serial)
    }

    /// Outboxes with one message each, evenly spread from `since` until now, none ever tried.
    fn backlog(&mut self, since: Moment, count: i64) {
        let every = (self.now.0 - since.0) / count.max(1);
        for number in 0..count {
            let at = since.plus(every * number);
            let outbox = self.id(at.plus(-5));
            let created = at.utc();
            self.rows.outboxes.push(Outbox { id: outbox, lock: Uuid::nil(), created });
            self.message(at, EventKind::Placed, Some(outbox), None);
        }
    }

    /// A message about the next order in turn.
    fn message(
        &mut self,
        at: Moment,
        kind: EventKind,
        outbox: Option<Uuid>,
        cause: Option<(Uuid, Uuid)>,
    ) {
        let nobody =
            OrderRow { id: Uuid::nil(), buyer: Uuid::nil(), name: String::new(), total: 0.into() };
        let turn = self.rows.messages.len() % self.setting.orders.len().max(1);
        let order = self.setting.orders.get(turn).cloned().unwrap_or(nobody);
        let [id, event, conversation] = [0, 1, 2].map(|_| self.id(at));
        let contract = kind.contract();
        let destination = format!("{BROKER}{contract}");
        let source = if cause.is_some() { QUEUE } else { BUS };
        let body = Envelope {
            contract,
            order: order.id,
            basket: Some(order.buyer),
            name: Some(&order.name),
            total: &order.total.to_string(),
            message: id,
            event,
            conversation,
            initiator: None,
            source,
            destination: Some(&destination),
            created: at.utc(),
            sent: at.utc(),
            host: host(),
        }
        .body();
        self.rows.messages.push(Message {
            id,
            outbox,
            cause,
            sent: at.utc(),
            headers: None,
            properties: envelope::properties(contract),
            kinds: envelope::message_type(contract),
            body,
            conversation,
            source: source.to_owned(),
            destination: Some(destination),
        });
    }

    /// Deliveries of the last 50 minutes; every second one was repeated, some more than once.
    fn duplicates(&mut self) {
        for number in 0_i32..60 {
            let at = self.now.plus(-50 * MINUTE + i64::from(number) * 45 * SECOND);
            let (message, lock) = (self.id(at.plus(-20 * MILLI)), self.id(at.plus(25 * MILLI)));
            let silent = number % 3 > 0;
            let again = if number % 2 == 0 { 1 + number % 4 / 2 } else { 0 };
            let took = |millis: i64| Some(at.utc() + TimeDelta::milliseconds(millis));
            self.rows.received.push(Received {
                message,
                consumer: if silent { DELETING } else { COMPLETING },
                lock,
                received: at.utc(),
                passes: if silent { 3 + again } else { 4 + again },
                consumed: took(11),
                delivered: took(27 + i64::from(number)),
                // Its message was delivered and purged.
                cursor: (!silent).then_some(1),
            });
        }
    }

    /// Commands whose work is committed but whose message is not recorded as delivered.
    fn half_done(&mut self) {
        for number in 0..9 {
            let at = self.now.plus(-(40 - number) * MINUTE);
            let (message, lock) = (self.id(at.plus(-20 * MILLI)), self.id(at));
            let consumed = Some(at.utc() + TimeDelta::milliseconds(14));
            let looping = number == 4;
            self.rows.received.push(Received {
                message,
                consumer: COMPLETING,
                lock,
                received: at.utc(),
                passes: if looping { LOOPING } else { 1 },
                consumed,
                delivered: None,
                cursor: None,
            });
            let cause = Some((message, COMPLETING));
            self.message(at.plus(12 * MILLI), EventKind::Completed, None, cause);
            if looping && let Some(last) = self.rows.messages.last_mut() {
                last.destination = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn setting() -> Setting {
        let now = "2026-11-22T14:02:11Z".parse().unwrap();
        let order = |number: u128| OrderRow {
            id: Uuid::from_u128(number),
            buyer: Uuid::from_u128(7),
            name: "Ana".to_owned(),
            total: "12.50".parse().unwrap(),
        };
        let head = Some(now - TimeDelta::hours(40));
        let orders = (1..20).map(order).collect();
        Setting { now, head, remembered: None, weekly: 700, orders }
    }

    #[test]
    fn every_row_has_ids_of_its_own_and_nothing_is_in_the_future() {
        for scenario in Scenario::ALL {
            let rows = of(scenario, &setting());
            assert_eq!(rows, of(scenario, &setting()));
            let ids: BTreeSet<_> = rows.outboxes.iter().map(|row| row.id).collect();
            assert_eq!(ids.len(), rows.outboxes.len());
            let ids: BTreeSet<_> = rows.messages.iter().map(|row| row.id).collect();
            assert_eq!(ids.len(), rows.messages.len());
            let ids: BTreeSet<_> = rows.received.iter().map(|row| row.message).collect();
            assert_eq!(ids.len(), rows.received.len());
            let now = setting().now;
            assert!(rows.outboxes.iter().all(|row| row.created <= now));
            assert!(rows.messages.iter().all(|row| row.sent <= now));
            assert!(rows.received.iter().all(|row| row.received <= now));
            assert_eq!(rows.faults.is_empty(), scenario != Scenario::ErrorQueue, "{scenario:?}");
            assert_ne!(rows, Rows::default(), "{scenario:?}");
        }
    }

    #[test]
    fn a_backlog_begins_before_the_oldest_pending_outbox() {
        let stalled = of(Scenario::OutboxStall, &setting());
        assert!(Some(stalled.outboxes[0].created) < setting().head);
        assert!(stalled.outboxes.iter().all(|row| row.lock.is_nil()));
        // The weekly rate over forty hours.
        let down = of(Scenario::BrokerDown, &setting());
        assert_eq!(down.messages.len(), 166);
        assert_eq!(down.outboxes.iter().filter(|row| !row.lock.is_nil()).count(), 1);
        let quiet = Setting { head: None, weekly: 0, orders: vec![], ..setting() };
        assert_eq!(of(Scenario::BrokerDown, &quiet).messages.len(), 60);
    }
}

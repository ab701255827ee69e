//! What is decided before the first row is written: the days, which orders get trouble, and the times at
//! which the outbox stalls and the projections stop.

use std::collections::BTreeMap;

use super::{
    Options,
    calendar::Calendar,
    moment::{DAY, HOUR, Moment},
    order::{Fate, Order},
    trouble::{self, Kind},
};

/// Delivered messages are kept this long, as in a managed database.
const MESSAGES_KEPT: i64 = 7 * DAY;
/// Inbox rows are kept this long.
const COMMANDS_KEPT: i64 = 30 * DAY;
/// Orders placed after the projections stopped.
const BEHIND: u64 = 3;

/// The plan of one load.
#[derive(Debug)]
pub struct Plan {
    pub options: Options,
    pub calendar: Calendar,
    pub start: Moment,
    /// Everything happens before this.
    pub end: Moment,
    /// No bus message published from here on was delivered.
    pub stalled_at: Moment,
    /// Event numbers are left out before the first event from here on.
    pub gap_below_at: Moment,
    /// The projections stopped here: nothing from here on is in a summary. Event numbers are left out, too.
    pub gap_above_at: Moment,
    planted: BTreeMap<u64, Kind>,
}

impl Plan {
    pub fn new(options: Options) -> Self {
        let calendar = Calendar::new(&options);
        let waiting = (options.orders / 500).clamp(12, 600);
        let head = options.orders - waiting;
        let mut planted =
            BTreeMap::from([(head, Kind::StalledHead), (head + 2, Kind::NoDestination)]);
        // The others are before the stall and far apart, so that each stands among normal orders.
        let apart = (options.orders / 200).clamp(1, 500);
        let last = head - 8;
        for (n, kind) in (0..).zip(Kind::SCATTERED) {
            planted.insert(last - n * apart, kind);
        }
        Self {
            start: calendar.start(),
            end: Moment::start_of(options.until),
            stalled_at: calendar.moment(head),
            gap_below_at: calendar.moment(options.orders - options.orders / 4),
            gap_above_at: calendar.moment(options.orders - BEHIND),
            options,
            calendar,
            planted,
        }
    }

    /// The order with this index, with its planted trouble, if any.
    pub fn order(&self, index: u64, created: Moment) -> Order {
        let mut order = Order::make(&self.options, index, created, self.start, self.end);
        if let Some(&kind) = self.planted.get(&index) {
            self.apply_trouble(&mut order, kind);
        }
        order
    }

    /// The planted trouble, by index of the order.
    pub fn planted(&self) -> impl Iterator<Item = (u64, Kind)> {
        self.planted.iter().map(|(&index, &kind)| (index, kind))
    }

    pub fn message_kept(&self, delivered: Moment) -> bool {
        delivered.0 >= self.end.0 - MESSAGES_KEPT
    }

    pub fn command_kept(&self, delivered: Moment) -> bool {
        delivered.0 >= self.end.0 - COMMANDS_KEPT
    }

    /// Changes an order as its trouble needs: most are completed, all before the projections stop.
    fn apply_trouble(&self, order: &mut Order, kind: Kind) {
        let left = self.gap_above_at.0 - order.created.0;
        let at = order.created.plus((20 * HOUR).min(left / 3));
        let by_message = kind == Kind::HalfDelivered;
        order.deleted = None;
        order.fate = Fate::Completed { at, by_message };
        match kind {
            Kind::Deleted => order.deleted = Some(at.plus((3 * DAY).min(left / 3))),
            Kind::CancelledAfterCompletion => {
                let at = at.plus((5 * HOUR).min(left / 3));
                order.fate = Fate::Cancelled { at, reason: "customer asked support" };
            }
            Kind::HostileNote => order.note = Some(trouble::hostile_note()),
            Kind::StalledHead | Kind::NoDestination => order.fate = Fate::Open,
            _ => {}
        }
        order.trouble = Some(kind);
    }
}

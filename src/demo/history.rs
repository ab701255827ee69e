//! Everything in the order in which it happened: walks through the days, lets every order's later events
//! wait until their moment, and numbers events and messages as they come. Memory holds what is waiting and
//! one id per buyer, whatever the number of orders.

use std::{cmp::Ordering, collections::BinaryHeap, rc::Rc};

use uuid::Uuid;

use super::{
    moment::{HOUR, MILLI, MINUTE, Moment},
    order::known_buyers,
    people,
    plan::Plan,
    random::{Random, Subject},
    step::{Counts, Event, Open, Step, steps},
    tables::{
        copy::{Piece, Tables},
        dead_letter,
        event::{self, EventMetadata},
        message, row,
    },
    trouble::Kind,
};

/// Event numbers burnt at each gap.
const BURNT: u64 = 3;
/// Writes everything into `sink`. `go_on` is told the number of orders after every day and ends the work by
/// answering false.
pub fn write(plan: &Plan, sink: impl FnMut(Piece), mut go_on: impl FnMut(u64) -> bool) -> Counts {
    let mut history = History {
        plan,
        tables: Tables::new(sink),
        buyers: Vec::new(),
        queue: BinaryHeap::new(),
        counts: Counts::default(),
        gone: 0,
    };
    for day in 0..plan.calendar.days() {
        let (first, moments) = plan.calendar.day(day);
        for (index, moment) in (first..).zip(moments) {
            history.advance(moment);
            history.place(index, moment);
        }
        if !go_on(history.counts.orders) {
            break;
        }
    }
    history.advance(plan.end);
    history.finish()
}

struct History<'a, S> {
    plan: &'a Plan,
    tables: Tables<S>,
    buyers: Vec<Uuid>,
    queue: BinaryHeap<Later>,
    counts: Counts,
    /// A burnt number that a dead letter names; 0 until it is burnt.
    gone: u64,
}

impl<S: FnMut(Piece)> History<'_, S> {
    /// Records what was waiting up to `moment`.
    fn advance(&mut self, moment: Moment) {
        while self.queue.peek().is_some_and(|later| later.step().at <= moment) {
            let Some(later) = self.queue.pop() else { break };
            self.record(later);
        }
    }

    fn place(&mut self, index: u64, created: Moment) {
        let order = self.plan.order(index, created);
        if known_buyers(&self.plan.options, index) > self.buyers.len() as u64 {
            self.join(created);
        }
        let buyer = usize::try_from(order.buyer).unwrap_or_default();
        let open = Open {
            buyer: self.buyers[buyer],
            person: people::person(self.plan.options.seed, order.buyer),
            steps: steps(&order),
            order,
        };
        row::order(&mut self.tables, &open);
        self.counts.orders += 1;
        self.counts.lines += open.order.lines.len() as u64;
        self.record(Later { open: Rc::new(open), next: 0 });
    }

    /// A buyer signs up, a little before the first order.
    fn join(&mut self, first_order: Moment) {
        let number = self.buyers.len() as u64;
        let mut random = Random::new(!self.plan.options.seed, Subject::Buyer, number);
        let id = first_order.plus(-random.between(MINUTE, 2 * HOUR)).v7(&mut random);
        self.buyers.push(id);
        self.counts.buyers += 1;
        row::buyer(&mut self.tables, id, &people::person(self.plan.options.seed, number));
    }

    fn record(&mut self, later: Later) {
        let step = later.step();
        let open = &*later.open;
        let stamp = EventMetadata::new(self.plan, &open.order, step);
        if step.event == Event::Deleted {
            message::deleting(&mut self.tables, self.plan, &mut self.counts, open, &stamp);
        } else {
            self.skip_numbers(step.at);
            self.counts.last_event += 1;
            self.counts.events += 1;
            let number = self.counts.last_event;
            event::event(&mut self.tables, open, step, &stamp, number);
            self.stream(open, step, &stamp);
            if shown(open, self.plan.gap_above_at) == Some(step.version) {
                row::summary(&mut self.tables, open, step, &stamp, number);
            }
            dead_letter::letters(&mut self.tables, open, step, &stamp, number);
            message::publish(&mut self.tables, self.plan, &mut self.counts, open, step, &stamp);
        }
        if later.next + 1 < later.open.steps.len() {
            self.queue.push(Later { next: later.next + 1, ..later });
        }
    }

    /// The stream row: with every event where each has its own stream, else with the last one.
    fn stream(&mut self, open: &Open, step: Step, stamp: &EventMetadata) {
        let events = open.steps.iter().filter(|step| step.event != Event::Deleted);
        if open.order.trouble == Some(Kind::ForeignStreams) {
            row::stream(&mut self.tables, open, stamp.own_stream, 1, stamp, stamp.at);
        } else if events.count() as u64 == step.version {
            let first = EventMetadata::new(self.plan, &open.order, open.steps[0]);
            row::stream(&mut self.tables, open, open.order.id, step.version, stamp, first.at);
        }
    }

    /// Burns the numbers of a gap when its moment has come.
    fn skip_numbers(&mut self, at: Moment) {
        if self.gone == 0 && at >= self.plan.gap_below_at {
            self.gone = self.counts.last_event + 2;
            self.counts.last_event += BURNT;
        }
        if self.counts.high_water == 0 && at >= self.plan.gap_above_at {
            self.counts.high_water = self.counts.last_event;
            self.counts.last_event += BURNT;
        }
    }

    fn finish(mut self) -> Counts {
        let checked = self.plan.end.plus(-700 * MILLI);
        row::progression(&mut self.tables, self.counts.high_water, checked);
        dead_letter::of_a_missing_event(&mut self.tables, self.plan, self.gone);
        message::failing(&mut self.tables, self.plan, &mut self.counts);
        self.tables.finish();
        self.counts
    }
}

/// The version that the summary shows: the last one that the projection knew, could apply, and reached.
fn shown(open: &Open, stopped: Moment) -> Option<u64> {
    let applied = |step: &&Step| match (step.event, open.order.trouble) {
        (Event::Unknown(_) | Event::Deleted, _)
        | (Event::Completed, Some(Kind::UnreadableTotal | Kind::SourcesDisagree))
        | (Event::Placed, Some(Kind::UnreadableItems)) => false,
        _ => step.at < stopped,
    };
    open.steps.iter().rfind(applied).map(|step| step.version)
}

/// An order's next step, the earliest first.
struct Later {
    open: Rc<Open>,
    next: usize,
}

impl Later {
    fn step(&self) -> Step {
        self.open.steps[self.next]
    }

    fn key(&self) -> (Moment, u64, usize) {
        (self.step().at, self.open.order.index, self.next)
    }
}

impl Ord for Later {
    fn cmp(&self, other: &Self) -> Ordering {
        // A heap gives its greatest: turned round, the earliest.
        other.key().cmp(&self.key())
    }
}

impl PartialOrd for Later {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Later {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Later {}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::demo::Options;

    const GOLDEN: &str = "a21f381a3606fcad8d56a03c316ef58fbe27e7d852ef9e31197c0816f3acdb34";

    /// Changing this changes everybody's demo data: on purpose only.
    #[test]
    fn the_rows_never_change() {
        let until = NaiveDate::from_ymd_opt(2026, 11, 22).unwrap();
        let plan = Plan::new(Options { orders: 150, seed: 4, years: 1, until });
        let mut hash = Sha256::new();
        let counts = write(&plan, |piece| hash.update(piece.bytes), |_| true);
        assert_eq!((counts.orders, counts.buyers), (150, 23));
        assert_eq!(format!("{:x}", hash.finalize()), GOLDEN);
    }

    #[test]
    fn work_ends_when_nobody_wants_it() {
        let until = NaiveDate::from_ymd_opt(2026, 11, 22).unwrap();
        let plan = Plan::new(Options { orders: 5000, seed: 4, years: 1, until });
        let counts = write(&plan, |_| (), |orders| orders < 1000);
        assert!((1000..1500).contains(&counts.orders), "{counts:?}");
    }
}

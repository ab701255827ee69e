//! Writes all rows in the order in which things happened: goes through the days, queues every order's later
//! steps until their time, and numbers events and messages as they occur. Memory use is the queue and one id
//! per buyer, however many orders there are.

use std::{cmp::Ordering, collections::BinaryHeap, rc::Rc};

use uuid::Uuid;

use super::{
    moment::{HOUR, MILLI, MINUTE, Moment},
    order::known_buyers,
    people,
    plan::Plan,
    random::{Random, Subject},
    step::{Counts, Event, PlacedOrder, Step, steps},
    tables::{
        copy::{Chunk, TableWriter},
        dead_letter,
        event::{self, EventMetadata},
        message, row,
    },
    trouble::Kind,
};

/// Event numbers left out at each gap.
const SKIPPED: u64 = 3;
/// Writes everything into `sink`. `keep_going` gets the number of orders after every day; if it returns false,
/// writing stops.
pub fn write(
    plan: &Plan,
    sink: impl FnMut(Chunk),
    mut keep_going: impl FnMut(u64) -> bool,
) -> Counts {
    let mut history = History {
        plan,
        tables: TableWriter::new(sink),
        buyers: Vec::new(),
        queue: BinaryHeap::new(),
        counts: Counts::default(),
        missing_event: 0,
    };
    for day in 0..plan.calendar.days() {
        let (first, moments) = plan.calendar.day(day);
        for (index, moment) in (first..).zip(moments) {
            history.advance(moment);
            history.place(index, moment);
        }
        if !keep_going(history.counts.orders) {
            break;
        }
    }
    history.advance(plan.end);
    history.finish()
}

struct History<'a, S> {
    plan: &'a Plan,
    tables: TableWriter<S>,
    buyers: Vec<Uuid>,
    queue: BinaryHeap<NextStep>,
    counts: Counts,
    /// The left-out number that a dead letter names; 0 before the gap.
    missing_event: u64,
}

impl<S: FnMut(Chunk)> History<'_, S> {
    /// Records all queued steps up to `moment`.
    fn advance(&mut self, moment: Moment) {
        while self.queue.peek().is_some_and(|next| next.step().at <= moment) {
            let Some(next) = self.queue.pop() else { break };
            self.record(next);
        }
    }

    fn place(&mut self, index: u64, created: Moment) {
        let order = self.plan.order(index, created);
        if known_buyers(&self.plan.options, index) > self.buyers.len() as u64 {
            self.add_buyer(created);
        }
        let buyer = usize::try_from(order.buyer).unwrap_or_default();
        let placed = PlacedOrder {
            buyer: self.buyers[buyer],
            person: people::person(self.plan.options.seed, order.buyer),
            steps: steps(&order),
            order,
        };
        row::order(&mut self.tables, &placed);
        self.counts.orders += 1;
        self.counts.lines += placed.order.lines.len() as u64;
        self.record(NextStep { placed: Rc::new(placed), index: 0 });
    }

    /// A buyer signs up, a little before the first order.
    fn add_buyer(&mut self, first_order: Moment) {
        let number = self.buyers.len() as u64;
        let mut random = Random::new(!self.plan.options.seed, Subject::Buyer, number);
        let id = first_order.plus(-random.between(MINUTE, 2 * HOUR)).v7(&mut random);
        self.buyers.push(id);
        self.counts.buyers += 1;
        row::buyer(&mut self.tables, id, &people::person(self.plan.options.seed, number));
    }

    fn record(&mut self, next: NextStep) {
        let step = next.step();
        let placed = &*next.placed;
        let metadata = EventMetadata::new(self.plan, &placed.order, step);
        if step.event == Event::Deleted {
            message::deleting(&mut self.tables, self.plan, &mut self.counts, placed, &metadata);
        } else {
            self.skip_numbers(step.at);
            self.counts.last_event += 1;
            self.counts.events += 1;
            let number = self.counts.last_event;
            event::event(&mut self.tables, placed, step, &metadata, number);
            self.stream(placed, step, &metadata);
            if projected_version(placed, self.plan.gap_above_at) == Some(step.version) {
                row::summary(&mut self.tables, placed, step, &metadata, number);
            }
            dead_letter::letters(&mut self.tables, placed, step, &metadata, number);
            message::publish(
                &mut self.tables,
                self.plan,
                &mut self.counts,
                placed,
                step,
                &metadata,
            );
        }
        if next.index + 1 < next.placed.steps.len() {
            self.queue.push(NextStep { index: next.index + 1, ..next });
        }
    }

    /// The stream row: for every event if each has its own stream, else once, with the last event.
    fn stream(&mut self, placed: &PlacedOrder, step: Step, metadata: &EventMetadata) {
        let events = placed.steps.iter().filter(|step| step.event != Event::Deleted);
        if placed.order.trouble == Some(Kind::ForeignStreams) {
            row::stream(&mut self.tables, placed, metadata.own_stream, 1, metadata, metadata.at);
        } else if events.count() as u64 == step.version {
            let first = EventMetadata::new(self.plan, &placed.order, placed.steps[0]);
            row::stream(
                &mut self.tables,
                placed,
                placed.order.id,
                step.version,
                metadata,
                first.at,
            );
        }
    }

    /// Leaves out the event numbers of a gap when its time has come.
    fn skip_numbers(&mut self, at: Moment) {
        if self.missing_event == 0 && at >= self.plan.gap_below_at {
            self.missing_event = self.counts.last_event + 2;
            self.counts.last_event += SKIPPED;
        }
        if self.counts.high_water == 0 && at >= self.plan.gap_above_at {
            self.counts.high_water = self.counts.last_event;
            self.counts.last_event += SKIPPED;
        }
    }

    fn finish(mut self) -> Counts {
        let checked = self.plan.end.plus(-700 * MILLI);
        row::progression(&mut self.tables, self.counts.high_water, checked);
        dead_letter::for_missing_event(&mut self.tables, self.plan, self.missing_event);
        message::failing(&mut self.tables, self.plan, &mut self.counts);
        self.tables.finish();
        self.counts
    }
}

/// The version in the summary document: the last one that the projection knows, can apply and has reached.
fn projected_version(placed: &PlacedOrder, stopped: Moment) -> Option<u64> {
    let applied = |step: &&Step| match (step.event, placed.order.trouble) {
        (Event::Unknown(_) | Event::Deleted, _)
        | (Event::Completed, Some(Kind::UnreadableTotal | Kind::SourcesDisagree))
        | (Event::Placed, Some(Kind::UnreadableItems)) => false,
        _ => step.at < stopped,
    };
    placed.steps.iter().rfind(applied).map(|step| step.version)
}

/// An order's next step, the earliest first.
struct NextStep {
    placed: Rc<PlacedOrder>,
    index: usize,
}

impl NextStep {
    fn step(&self) -> Step {
        self.placed.steps[self.index]
    }

    fn key(&self) -> (Moment, u64, usize) {
        (self.step().at, self.placed.order.index, self.index)
    }
}

impl Ord for NextStep {
    fn cmp(&self, other: &Self) -> Ordering {
        // The heap returns its greatest, so the order is reversed.
        other.key().cmp(&self.key())
    }
}

impl PartialOrd for NextStep {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for NextStep {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for NextStep {}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::demo::Options;

    const GOLDEN: &str = "a21f381a3606fcad8d56a03c316ef58fbe27e7d852ef9e31197c0816f3acdb34";

    /// Changing this hash changes everybody's demo data. Do it only on purpose.
    #[test]
    fn the_rows_never_change() {
        let until = NaiveDate::from_ymd_opt(2026, 11, 22).unwrap();
        let plan = Plan::new(Options { orders: 150, seed: 4, years: 1, until });
        let mut hash = Sha256::new();
        let counts = write(&plan, |chunk| hash.update(chunk.bytes), |_| true);
        assert_eq!((counts.orders, counts.buyers), (150, 23));
        assert_eq!(format!("{:x}", hash.finalize()), GOLDEN);
    }

    #[test]
    fn writing_stops_when_told_to() {
        let until = NaiveDate::from_ymd_opt(2026, 11, 22).unwrap();
        let plan = Plan::new(Options { orders: 5000, seed: 4, years: 1, until });
        let counts = write(&plan, |_| (), |orders| orders < 1000);
        assert!((1000..1500).contains(&counts.orders), "{counts:?}");
    }
}

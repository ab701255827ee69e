//! One order of the demo data: what was bought, and how the order ended.

use uuid::Uuid;

use super::{
    Options, catalogue,
    moment::{DAY, MINUTE, Moment, SECOND},
    notes,
    random::{Random, Subject},
    trouble::Kind,
};

/// Weights of one to six lines: three on average.
const LINES: [u64; 6] = [180, 240, 240, 160, 110, 70];
/// Weights of one to five copies.
const COPIES: [u64; 5] = [820, 120, 35, 15, 10];
/// Minutes from placing to completing.
const UNTIL_COMPLETED: [(u64, u64); 8] = [
    (0, 40),
    (50, 180),
    (250, 660),
    (500, 1200),
    (750, 2160),
    (900, 3840),
    (980, 7200),
    (1000, 14_400),
];
/// Minutes from placing to cancelling.
const UNTIL_CANCELLED: [(u64, u64); 5] = [(0, 1), (250, 40), (500, 180), (750, 420), (1000, 2160)];
const REASONS: [&str; 8] = [
    "changed my mind",
    "ordered twice by mistake",
    "found it in the library",
    "delivery takes too long",
    "wrong address",
    "payment was declined",
    "out of stock",
    "customer asked support",
];

/// A line of an order.
#[derive(Debug, Clone)]
pub struct Line {
    pub id: Uuid,
    pub book: usize,
    pub quantity: u64,
    pub cents: u64,
}

/// How an order ended, if it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Open,
    /// `by_message`: the payment service's command came through the broker, so the inbox has it.
    Completed {
        at: Moment,
        by_message: bool,
    },
    Cancelled {
        at: Moment,
        reason: &'static str,
    },
}

/// An order as it will be.
#[derive(Debug, Clone)]
pub struct Order {
    /// Its place among all orders, by `created`.
    pub index: u64,
    pub id: Uuid,
    /// Number of the buyer.
    pub buyer: u64,
    pub created: Moment,
    pub note: Option<String>,
    pub lines: Vec<Line>,
    pub fate: Fate,
    /// When it was deleted; there is no event for that.
    pub deleted: Option<Moment>,
    pub trouble: Option<Kind>,
}

impl Order {
    /// The order with this index. `start` is the first day's, `end` the last moment of the data.
    pub fn make(
        options: &Options,
        index: u64,
        created: Moment,
        start: Moment,
        end: Moment,
    ) -> Self {
        let mut random = Random::new(options.seed, Subject::Order, index);
        let id = created.v7(&mut random);
        let days = u64::try_from((created.0 - start.0) / DAY).unwrap_or_default();
        let mut lines: Vec<Line> = Vec::with_capacity(LINES.len());
        for _ in 0..=random.weighted(&LINES) {
            let mut book = catalogue::choose(&mut random, days / 91);
            while lines.iter().any(|line| line.book == book) {
                book = catalogue::choose(&mut random, days / 91);
            }
            lines.push(Line {
                id: created.v7(&mut random),
                book,
                quantity: random.weighted(&COPIES) as u64 + 1,
                cents: catalogue::price(book, days / 365),
            });
        }
        let note = notes::note(&mut random);
        let buyer = buyer(options, index, &mut random);
        let fate = fate(&mut random, created, end);
        let deleted = delete(&mut random, created, &fate, end);
        Self { index, id, buyer, created, note, lines, fate, deleted, trouble: None }
    }

    /// The total in hundredths.
    pub fn total(&self) -> u64 {
        self.lines.iter().map(|line| line.quantity * line.cents).sum()
    }

    /// The row's `last_modified_at`.
    pub fn modified(&self) -> Option<Moment> {
        self.deleted.or(self.fate.at())
    }
}

impl Fate {
    /// When the order ended.
    pub fn at(&self) -> Option<Moment> {
        match *self {
            Self::Open => None,
            Self::Completed { at, .. } | Self::Cancelled { at, .. } => Some(at),
        }
    }
}

/// The total number of buyers.
pub fn buyers(options: &Options) -> u64 {
    (options.orders * 400 / 2555).max(10)
}

/// The number of buyers who have placed an order by the time of this one, which counts. The newest of them places
/// this one if it is their first.
pub fn known_buyers(options: &Options, index: u64) -> u64 {
    (index * buyers(options) / options.orders) + 1
}

/// Who places the order: a new buyer; sometimes one of twenty bulk buyers; otherwise a recent buyer,
/// or a loyal one, the longest-standing ones most often.
fn buyer(options: &Options, index: u64, random: &mut Random) -> u64 {
    let known = known_buyers(options, index);
    if index == 0 || known > known_buyers(options, index - 1) {
        return known - 1;
    }
    match random.below(1000) {
        0..7 => {
            let weights: Vec<u64> = (1..=known.min(20)).map(|rank| 5040 / rank).collect();
            random.weighted(&weights) as u64
        }
        7..560 => {
            // One in three orders again.
            let behind = random.skewed(known.min(40_000));
            (known - 1 - behind) / 3 * 3
        }
        _ => (random.skewed(known) / 2 * 2 + 1).min(known - 1),
    }
}

fn fate(random: &mut Random, created: Moment, end: Moment) -> Fate {
    let cancelled = random.permille(93);
    let by_message = random.permille(600);
    let minutes = random.quantile(if cancelled { &UNTIL_CANCELLED } else { &UNTIL_COMPLETED });
    let reason = *random.pick(&REASONS);
    let seconds = random.between(0, 59 * SECOND + 999_999);
    // A few stay open for good, and many of the last weeks are still open.
    let age = (end.0 - created.0) / DAY;
    let waiting = u64::try_from((45 - age).max(0).pow(2) * 330 / 2025).unwrap_or_default();
    let open = random.permille(8 + waiting);
    let at = created.plus(i64::try_from(minutes).unwrap_or_default() * MINUTE + seconds);
    if open || at.plus(MINUTE) >= end {
        Fate::Open
    } else if cancelled {
        Fate::Cancelled { at, reason }
    } else {
        Fate::Completed { at, by_message }
    }
}

fn delete(random: &mut Random, created: Moment, fate: &Fate, end: Moment) -> Option<Moment> {
    let chosen = random.permille(4);
    let later = random.between(2 * DAY, 40 * DAY);
    let at = fate.at().unwrap_or(created).plus(later);
    (chosen && at < end).then_some(at)
}

//! When orders are placed: growth over the years, a yearly, weekly and daily rhythm, and some special days.

use chrono::{Datelike, Days, Months, NaiveDate, Weekday};

use super::{
    Options,
    moment::{DAY, HOUR, Moment},
    random::{Random, Subject},
};

/// Growth per day in parts per million: a factor of four in seven years.
const GROWTH: u64 = 543;
/// Permille of an average day, from January.
const MONTHS: [u64; 12] = [940, 900, 980, 1010, 970, 930, 900, 980, 1060, 1050, 1220, 1390];
/// Permille of an average day, from Monday.
const WEEKDAYS: [u64; 7] = [1060, 1050, 1020, 1010, 1040, 960, 860];
/// Weights of the hours of a day in UTC. The buyers live seven to nine hours ahead: they order before noon
/// and after dinner, on a weekend all day.
const HOURS: [u64; 24] =
    [34, 46, 58, 66, 64, 52, 46, 44, 45, 47, 50, 56, 70, 84, 82, 66, 44, 26, 14, 8, 6, 7, 12, 22];
const WEEKEND_HOURS: [u64; 24] =
    [24, 38, 54, 62, 64, 62, 58, 56, 55, 54, 53, 54, 60, 66, 64, 54, 40, 28, 16, 9, 6, 6, 9, 15];

/// The number of orders on each day, and the time of every order.
#[derive(Debug)]
pub struct Calendar {
    seed: u64,
    first: NaiveDate,
    /// Orders placed before each day; the last entry is the total.
    before: Vec<u64>,
}

impl Calendar {
    /// Spreads the orders over the days from `until - years` to the day before `until`.
    pub fn new(options: &Options) -> Self {
        let first =
            options.until.checked_sub_months(Months::new(12 * options.years)).unwrap_or_default();
        let mut growing: u64 = 1 << 24;
        let mut sum: u128 = 0;
        let mut sums = vec![0];
        for (n, day) in first.iter_days().take_while(|&day| day < options.until).enumerate() {
            let noise = 900 + Random::new(options.seed, Subject::Day, n as u64).below(200);
            let weight = (growing >> 12) * WEEKDAYS[day.weekday() as usize] * month(day) / 1000;
            sum += u128::from(weight * noise * special_day(day) / 1000);
            sums.push(sum);
            growing += growing * GROWTH / 1_000_000;
        }
        let total = sum.max(1);
        let share = |part: &u128| u64::try_from(part * u128::from(options.orders) / total);
        let before = sums.iter().map(share).map(Result::unwrap_or_default).collect();
        Self { seed: options.seed, first, before }
    }

    /// Midnight at the start of the first day.
    pub fn start(&self) -> Moment {
        Moment::start_of(self.first)
    }

    /// The number of days.
    pub fn days(&self) -> usize {
        self.before.len() - 1
    }

    /// The times of the orders of the `n`th day, ascending, and the index of the first one.
    pub fn day(&self, n: usize) -> (u64, Vec<Moment>) {
        let date = self.first.checked_add_days(Days::new(n as u64)).unwrap_or_default();
        let midnight = Moment::start_of(date);
        let weekend = matches!(date.weekday(), Weekday::Sat | Weekday::Sun);
        let hours = if weekend { &WEEKEND_HOURS } else { &HOURS };
        let mut random = Random::new(self.seed, Subject::Times, n as u64);
        let orders = self.before[n]..self.before[n + 1];
        let mut moments: Vec<Moment> = orders
            .map(|_| {
                let hour = i64::try_from(random.weighted(hours)).unwrap_or_default();
                midnight.plus(hour * HOUR + random.between(0, HOUR - 1))
            })
            .collect();
        moments.sort_unstable();
        (self.before[n], moments)
    }

    /// When the order with this index (from 0) was placed.
    pub fn moment(&self, order: u64) -> Moment {
        let day = self.before.partition_point(|&before| before <= order).saturating_sub(1);
        let (first, moments) = self.day(day.min(self.days() - 1));
        let at = usize::try_from(order - first).unwrap_or_default();
        moments.get(at).copied().unwrap_or_else(|| self.start().plus(DAY))
    }
}

fn month(day: NaiveDate) -> u64 {
    MONTHS[day.month0() as usize]
}

/// Permille of what the day would have otherwise: Vietnam's book day, the sales of double dates, and holidays.
fn special_day(day: NaiveDate) -> u64 {
    match (day.month(), day.day()) {
        (4, 21) => 1800,
        (11, 11) => 2100,
        (12, 12) => 1700,
        (9, 2) | (12, 25) => 600,
        _ => 1000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calendar(orders: u64, years: u32) -> Calendar {
        let until = NaiveDate::from_ymd_opt(2026, 11, 22).unwrap();
        Calendar::new(&Options { orders, seed: 3, years, until })
    }

    #[test]
    fn every_order_has_one_time_and_times_ascend() {
        for (orders, years) in [(100, 7), (5000, 1), (20_000, 2)] {
            let calendar = calendar(orders, years);
            let mut index = 0;
            let mut last = calendar.start();
            for day in 0..calendar.days() {
                let (first, moments) = calendar.day(day);
                assert_eq!(first, index);
                let midnight = calendar.start().plus(DAY * i64::try_from(day).unwrap());
                for moment in moments {
                    assert!(moment >= last.max(midnight) && moment < midnight.plus(DAY));
                    if index % 97 == 0 {
                        assert_eq!(calendar.moment(index), moment);
                    }
                    last = moment;
                    index += 1;
                }
            }
            assert_eq!(index, orders);
        }
    }

    #[test]
    fn there_is_growth_and_a_rhythm() {
        let calendar = calendar(70_000, 7);
        let count =
            |days: std::ops::Range<usize>| calendar.before[days.end] - calendar.before[days.start];
        let days = calendar.days();
        let (early, late) = (count(0..365), count(days - 365..days));
        assert!(late > 3 * early && late < 5 * early, "{early} {late}");
        let night: usize = (0..days)
            .map(|day| {
                calendar.day(day).1.iter().filter(|m| m.0.rem_euclid(DAY) / HOUR == 20).count()
            })
            .sum();
        assert!(night > 200 && night < 700, "{night} orders between 20 and 21 h UTC");
    }
}

//! The list of planted trouble: what it is, on which order, and how to find it.

use crate::domain::id::OrderId;

use super::{Invalid, Options, plan::Plan};

/// Something that is wrong in the demo data on purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Short and stable: `foreign-streams`.
    pub name: &'static str,
    /// What is wrong, in a sentence.
    pub what: &'static str,
    /// The order it is about; none if it is about many.
    pub order: Option<OrderId>,
    /// What to type into the search, or where to look instead.
    pub look: String,
}

/// All trouble planted in the demo data of these options.
pub fn troubles(options: &Options) -> Result<Vec<Trouble>, Invalid> {
    options.check()?;
    let plan = Plan::new(*options);
    let mut list: Vec<Trouble> = plan
        .planted()
        .map(|(index, kind)| {
            let (name, what) = kind.text();
            let order = OrderId(plan.order(index, plan.calendar.moment(index)).id);
            let digits = order.0.simple().to_string();
            Trouble { name, what, order: Some(order), look: digits[24..].to_owned() }
        })
        .collect();
    list.reverse();
    list.extend(
        [
            ("backlog", "messages are pending behind the head of the outbox", "has:undelivered"),
            (
                "letter-gone",
                "a dead letter whose event does not exist: it can only be discarded",
                "dead letters of OrderSummaryView",
            ),
            (
                "gap-below",
                "three event numbers are missing, far behind the projections",
                "the largest missing number below HighWaterMark",
            ),
            (
                "gap-above",
                "three event numbers are missing after HighWaterMark: it does not advance, the newest orders are not projected",
                "the numbers after HighWaterMark",
            ),
            (
                "failing-consumer",
                "two commands whose handler always throws: received but never consumed",
                "inbox rows without consumed",
            ),
        ]
        .map(|(name, what, look)| Trouble { name, what, order: None, look: look.to_owned() }),
    );
    Ok(list)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use chrono::NaiveDate;

    use super::*;
    use crate::demo::trouble::Kind;

    #[test]
    fn every_trouble_has_its_own_order_and_name() {
        for orders in [100, 777, 20_000, 2_555_000] {
            let until = NaiveDate::from_ymd_opt(2026, 11, 22).unwrap();
            let list = troubles(&Options { orders, seed: 5, years: 3, until }).unwrap();
            let names: BTreeSet<_> = list.iter().map(|trouble| trouble.name).collect();
            assert_eq!(names.len(), list.len());
            assert_eq!(list.len(), Kind::SCATTERED.len() + 2 + 5);
            let orders: BTreeSet<_> = list.iter().filter_map(|trouble| trouble.order).collect();
            assert_eq!(orders.len(), Kind::SCATTERED.len() + 2);
        }
        let none = Options { orders: 5, ..Options::until(NaiveDate::MIN) };
        assert_eq!(troubles(&none), Err(Invalid::Orders(5)));
    }
}

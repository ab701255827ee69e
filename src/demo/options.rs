//! The options of demo data.

use chrono::NaiveDate;

/// The arguments of `demo load`. The same options give the same rows, byte for byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    pub orders: u64,
    pub seed: u64,
    /// How many years back the first order is.
    pub years: u32,
    /// The data ends at the start of this day (UTC).
    pub until: NaiveDate,
}

/// Why options are invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    #[error("--orders {0} is out of range: choose 100 to 20000000")]
    Orders(u64),
    #[error("--years {0} is out of range: choose 1 to 20")]
    Years(u32),
    #[error("--until {0} is out of range: choose a day from 2000-01-01 to 2199-12-31")]
    Until(NaiveDate),
    #[error("--seed {0} is out of range: choose 0 to 9223372036854775807")]
    Seed(u64),
}

impl Options {
    /// 20,000 orders in the two years before `until`, which the caller takes from its clock.
    pub fn until(until: NaiveDate) -> Self {
        Self { orders: 20_000, seed: 1, years: 2, until }
    }

    /// That they can be used.
    ///
    /// # Errors
    /// When one is out of range.
    pub fn check(&self) -> Result<(), Invalid> {
        use chrono::Datelike;
        if !(100..=20_000_000).contains(&self.orders) {
            return Err(Invalid::Orders(self.orders));
        }
        if !(1..=20).contains(&self.years) {
            return Err(Invalid::Years(self.years));
        }
        if !(2000..2200).contains(&self.until.year()) {
            return Err(Invalid::Until(self.until));
        }
        // The record of a load is a bigint.
        i64::try_from(self.seed).map(drop).map_err(|_| Invalid::Seed(self.seed))
    }
}

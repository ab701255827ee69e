//! Sums of money: exact, or none.

use rust_decimal::Decimal;

use super::order::Line;

/// The sum of quantity times price, at the finest price's scale (`96.40` stays `96.40`), or `None`
/// when it has more digits than a decimal of the service (or of ours) can hold.
#[must_use]
pub fn total(lines: &[Line]) -> Option<Decimal> {
    let scale = lines.iter().map(|line| line.price.scale()).max().unwrap_or(0);
    let mut sum: i128 = 0;
    for line in lines {
        let finer = 10_i128.checked_pow(scale - line.price.scale())?;
        let price = line.price.mantissa().checked_mul(finer)?;
        sum = sum.checked_add(price.checked_mul(i128::from(line.quantity))?)?;
    }
    Decimal::try_from_i128_with_scale(sum, scale).ok()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::id::{BookId, LineId};

    fn line(quantity: i64, price: &str) -> Line {
        let price = price.parse().unwrap();
        Line { id: LineId(Uuid::nil()), book: BookId(Uuid::nil()), quantity, price }
    }

    #[test]
    fn scale_is_kept_and_nothing_is_rounded() {
        let sum = |lines: &[Line]| total(lines).map(|sum| sum.to_string());
        assert_eq!(sum(&[line(2, "14.20"), line(1, "33.00")]).as_deref(), Some("61.40"));
        assert_eq!(sum(&[line(3, "0.001"), line(1, "5")]).as_deref(), Some("5.003"));
        assert_eq!(sum(&[]).as_deref(), Some("0"));
        let most = "7.9228162514264337593543950335";
        assert_eq!(sum(&[line(1, most)]).as_deref(), Some(most));
        assert_eq!(sum(&[line(2, most)]), None);
        assert_eq!(sum(&[line(i64::MAX, "79228162514264337593543950335")]), None);
        assert_eq!(sum(&[line(1, "79228162514264337593543950335"), line(1, "0.1")]), None);
    }
}

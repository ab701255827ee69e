//! Numbers in a value: money and counts.

use std::ops::Range;

use rust_decimal::Decimal;

use super::{
    SearchError, Span,
    range::{Bounds, Piece, bounds},
    token::Value,
};

const MOST_DIGITS: u32 = 28;

/// `total:` and its ranges. Both ends of a span count, so `>100` begins just above 100: one step
/// in the last of the 28 digits a price can have.
pub(super) fn money(value: &Value) -> Result<Span<Decimal>, SearchError> {
    span(value, amount, |amount| step(amount, 1), |amount| step(amount, -1))
}

/// `items:` and its ranges.
pub(super) fn count(value: &Value) -> Result<Span<i64>, SearchError> {
    span(value, whole, |count| count.saturating_add(1), |count| count.saturating_sub(1))
}

fn span<T: PartialOrd + Copy>(
    value: &Value,
    read: fn(&str) -> Result<T, &'static str>,
    above: fn(T) -> T,
    below: fn(T) -> T,
) -> Result<Span<T>, SearchError> {
    let number = |piece: Piece<'_>| read(piece.text).map_err(|hint| wrong(value, &piece, hint));
    let (from, to) = match bounds(value)? {
        Bounds::Exactly(piece) => {
            let number = number(piece)?;
            (Some(number), Some(number))
        }
        Bounds::Over(piece) => (Some(above(number(piece)?)), None),
        Bounds::AtLeast(piece) => (Some(number(piece)?), None),
        Bounds::Under(piece) => (None, Some(below(number(piece)?))),
        Bounds::AtMost(piece) => (None, Some(number(piece)?)),
        Bounds::Between(from, to) => (from.map(number).transpose()?, to.map(number).transpose()?),
    };
    if from.zip(to).is_some_and(|(from, to)| from > to) {
        return Err(SearchError::new(value.at.clone(), "the range ends below its beginning")
            .hint("swap its ends"));
    }
    Ok(Span { from, to })
}

fn wrong(value: &Value, piece: &Piece<'_>, hint: &str) -> SearchError {
    let at: Range<usize> = value.place(piece.at.clone());
    SearchError::new(at, format!("{:?} is not a number", piece.text)).hint(hint)
}

fn amount(text: &str) -> Result<Decimal, &'static str> {
    let hint = "write it like 61.40, without separators or currency";
    let text = text.trim();
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err(hint);
    }
    Decimal::from_str_exact(text).map_err(|_| hint)
}

fn whole(text: &str) -> Result<i64, &'static str> {
    text.trim().parse().map_err(|_| "write a whole number")
}

/// The nearest number above or below that a decimal can hold.
fn step(number: Decimal, by: i128) -> Decimal {
    let mut fine = number;
    fine.rescale(MOST_DIGITS);
    Decimal::try_from_i128_with_scale(fine.mantissa() + by, fine.scale()).unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        Value { text: text.to_owned(), at: 6..6 + text.len(), quoted: false }
    }

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn a_strict_comparison_leaves_the_number_out_and_nothing_else() {
        let over = money(&value(">100")).unwrap();
        assert!(over.from.unwrap() > decimal("100"));
        assert!(over.from.unwrap() < decimal("100.000000000000001"));
        let under = money(&value("<100")).unwrap();
        assert!(under.to.unwrap() < decimal("100"));
        assert!(under.to.unwrap() > decimal("99.999999999999999"));
        assert_eq!(count(&value(">3")).unwrap(), Span { from: Some(4), to: None });
        assert_eq!(count(&value("<3")).unwrap(), Span { from: None, to: Some(2) });
    }

    #[test]
    fn ranges_and_exact_values() {
        let exact = Some(decimal("61.40"));
        assert_eq!(money(&value("61.40")), Ok(Span { from: exact, to: exact }));
        assert_eq!(money(&value("61.40..")), Ok(Span { from: exact, to: None }));
        assert_eq!(money(&value("<=61.40")), Ok(Span { from: None, to: exact }));
        assert_eq!(count(&value("3..5")), Ok(Span { from: Some(3), to: Some(5) }));
    }

    #[test]
    fn what_is_no_number_is_marked() {
        assert_eq!(money(&value("10..1,000")).unwrap_err().at, 10..15);
        assert_eq!(money(&value("1e5")).unwrap_err().at, 6..9);
        assert!(money(&value("1_000")).is_err());
        assert!(money(&value("20..10")).unwrap_err().what.contains("below"));
        assert!(count(&value("2.5")).is_err());
        assert!(money(&value(&"9".repeat(40))).is_err());
    }
}

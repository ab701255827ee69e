//! Cells of files that spreadsheets open.

use std::borrow::Cow;

use super::text::clean;

/// A text as a cell: clean, and with an apostrophe before what a spreadsheet would run as a
/// formula (`=`, `+`, `-`, `@`, their full-width forms, tab, carriage return).
#[must_use]
pub fn csv_cell(text: &str) -> Cow<'_, str> {
    let runs = text.starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠']);
    let cleaned = clean(text);
    if runs { Cow::Owned(format!("'{cleaned}")) } else { cleaned }
}

/// A number as a cell: as it is, sign included. What turns out to be no number is treated as text.
#[must_use]
pub fn csv_number(number: &str) -> Cow<'_, str> {
    let digits = number.strip_prefix(['-', '+']).unwrap_or(number);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if all_digits(whole) && all_digits(fraction) { Cow::Borrowed(number) } else { csv_cell(number) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn formulas_are_disarmed() {
        for text in ["=1+1", "+1", "-5", "@SUM(A1)", "\t=1", "\r=1", "＝1"] {
            assert!(csv_cell(text).starts_with('\''), "{text:?}");
        }
        assert_eq!(csv_cell("a\nb"), "a⏎b");
        assert_eq!(csv_cell("Le Thi"), "Le Thi");
        assert_eq!(csv_cell("O'Brien - x"), "O'Brien - x");
    }

    #[test]
    fn numbers_stay_numbers() {
        for text in ["-5", "61.40", "+3", "-0.1"] {
            assert_eq!(csv_number(text), text);
        }
        for text in ["-5+cmd", "-", "-1.", "=2", "--1"] {
            assert!(csv_number(text).starts_with('\''), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_cell_begins_a_formula(text in any::<String>()) {
            let formula = ['=', '+', '-', '@', '\t', '\r'];
            prop_assert!(!csv_cell(&text).starts_with(formula));
            let number = csv_number(&text);
            let is_number = number.parse::<f64>().is_ok();
            prop_assert!(is_number || !number.starts_with(formula));
        }
    }
}

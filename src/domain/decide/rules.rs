//! The rules for single inputs, for commands and for forms while someone types. Lengths are in
//! characters, as PostgreSQL counts them.

use rust_decimal::Decimal;

use super::{Input, NewLine, Refusal};

/// `buyers.name`.
pub const MOST_NAME: usize = 20;
/// `buyers.address_street`, `_city`, `_province`.
pub const MOST_ADDRESS: usize = 50;
/// `orders.note`.
pub const MOST_NOTE: usize = 500;
/// Of a cancellation. The column is JSON and has no limit; this is ours, the note's.
pub const MOST_REASON: usize = 500;
/// `order_items.quantity` is an `integer`.
pub const MOST_QUANTITY: i64 = i32::MAX as i64;

/// A buyer has a name.
pub fn name(name: &str) -> Result<(), Refusal> {
    needed(Input::Name, name)?;
    text(Input::Name, name, MOST_NAME)
}

/// A street, city or province may be anything that fits.
pub fn address_part(input: Input, part: &str) -> Result<(), Refusal> {
    text(input, part, MOST_ADDRESS)
}

/// A note may be anything that fits.
pub fn note(note: &str) -> Result<(), Refusal> {
    text(Input::Note, note, MOST_NOTE)
}

/// A cancellation has a reason.
pub fn reason(reason: &str) -> Result<(), Refusal> {
    needed(Input::Reason, reason)?;
    text(Input::Reason, reason, MOST_REASON)
}

/// The quantity of one line (the number of the line is for the message).
pub fn quantity(line: usize, quantity: i64) -> Result<(), Refusal> {
    if quantity <= 0 {
        return Err(Refusal::QuantityNotPositive { line, quantity });
    }
    if quantity > MOST_QUANTITY {
        return Err(Refusal::QuantityTooLarge { line, quantity, most: MOST_QUANTITY });
    }
    Ok(())
}

/// The price of one line.
pub fn price(line: usize, price: Decimal) -> Result<(), Refusal> {
    if price < Decimal::ZERO { Err(Refusal::PriceNegative { line }) } else { Ok(()) }
}

/// All lines of an order.
pub fn lines(lines: &[NewLine]) -> Result<(), Refusal> {
    if lines.is_empty() {
        return Err(Refusal::NoLines);
    }
    let mut ids = std::collections::HashSet::new();
    for (place, line) in lines.iter().enumerate() {
        quantity(place, line.quantity)?;
        price(place, line.price)?;
        if !ids.insert(line.id) {
            return Err(Refusal::LineTwice(line.id));
        }
    }
    Ok(())
}

fn needed(input: Input, text: &str) -> Result<(), Refusal> {
    if text.trim().is_empty() { Err(Refusal::Empty(input)) } else { Ok(()) }
}

fn text(input: Input, text: &str, most: usize) -> Result<(), Refusal> {
    let length = text.chars().count();
    if length > most {
        return Err(Refusal::TooLong { input, length, most });
    }
    if text.contains('\0') { Err(Refusal::Unstorable(input)) } else { Ok(()) }
}

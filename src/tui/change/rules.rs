//! What is typed, measured by the domain's rules; each problem stands with the field it is about.

use rust_decimal::Decimal;
use uuid::Uuid;

use crate::{
    domain::{
        decide::{Address, Input, NewLine, Refusal, rules},
        id::{BookId, BuyerId, LineId},
        money,
        order::Line,
        typed,
    },
    tui::ui::form::{Form, Place, Problem},
};

type Wrong = Vec<Problem>;

/// Columns of a line.
const BOOK: usize = 0;
const QUANTITY: usize = 1;
const PRICE: usize = 2;

fn told(result: Result<(), Refusal>, place: Place, wrong: &mut Wrong) {
    if let Err(refusal) = result {
        wrong.push(Problem { place, text: refusal.to_string(), rule: refusal.rule() });
    }
}

fn form_of(place: Place, text: &str, rule: &'static str) -> Problem {
    Problem { place, text: text.to_owned(), rule }
}

/// The reason of a cancellation.
pub(super) fn reason(form: &Form, wrong: &mut Wrong) -> String {
    let text = form.text("reason").trim();
    told(rules::reason(text), Place::Field("reason"), wrong);
    text.to_owned()
}

/// A reason that only the audit keeps: not needed, but not endless.
pub(super) fn for_audit(form: &Form, wrong: &mut Wrong) {
    let text = form.text("reason").trim();
    if !text.is_empty() {
        told(rules::reason(text), Place::Field("reason"), wrong);
    }
}

/// The name of a new buyer.
pub(super) fn name(form: &Form, wrong: &mut Wrong) -> String {
    let text = form.text("name").trim();
    told(rules::name(text), Place::Field("name"), wrong);
    text.to_owned()
}

/// An address.
pub(super) fn address(form: &Form, wrong: &mut Wrong) -> Address {
    let address = typed(form);
    let parts = [
        ("street", Input::Street, &address.street),
        ("city", Input::City, &address.city),
        ("province", Input::Province, &address.province),
    ];
    for (name, input, part) in parts {
        let part = part.as_deref().unwrap_or_default();
        told(rules::address_part(input, part), Place::Field(name), wrong);
    }
    address
}

/// The note of a new order.
pub(super) fn note(form: &Form, wrong: &mut Wrong) -> Option<String> {
    let note = part(form.text("note"));
    told(rules::note(note.as_deref().unwrap_or_default()), Place::Field("note"), wrong);
    note
}

/// The buyer of a new order.
pub(super) fn buyer(form: &Form, wrong: &mut Wrong) -> Option<BuyerId> {
    let id = form.picked("buyer").and_then(|choice| choice.value.parse().ok()).map(BuyerId);
    if id.is_none() {
        let text = "pick a buyer: type a part of the name, then Enter";
        wrong.push(form_of(Place::Field("buyer"), text, "buyer-exists"));
    }
    id
}

/// The lines of a new order, and their sum in words.
pub(super) fn lines(form: &Form, wrong: &mut Wrong) -> (Vec<NewLine>, String) {
    let before = wrong.len();
    let rows = form.rows("lines");
    let mut lines = vec![];
    for (row, cells) in &rows {
        let cell = |column: usize| cells.get(column).map_or("", |text| text.trim());
        let place = |column| Place::Cell("lines", *row, column);
        let book = Uuid::try_parse(typed::plain(cell(BOOK)).trim()).ok();
        if book.is_none() {
            wrong.push(form_of(place(BOOK), "a book is named by its whole id (a UUID)", "book-id"));
        }
        let quantity = cell(QUANTITY).parse::<i64>().ok();
        match quantity {
            Some(quantity) => told(rules::quantity(*row, quantity), place(QUANTITY), wrong),
            None => wrong.push(form_of(
                place(QUANTITY),
                "the quantity is a whole number",
                "quantity-number",
            )),
        }
        let price = Decimal::from_str_exact(cell(PRICE)).ok();
        match price {
            Some(price) => told(rules::price(*row, price), place(PRICE), wrong),
            None => wrong.push(form_of(
                place(PRICE),
                "the price is a number with a point, such as 14.20",
                "price-number",
            )),
        }
        if let (Some(book), Some(quantity), Some(price)) = (book, quantity, price) {
            lines.push(NewLine { id: LineId(Uuid::nil()), book: BookId(book), quantity, price });
        }
    }
    if rows.is_empty() {
        told(Err(Refusal::NoLines), Place::Field("lines"), wrong);
    }
    let whole = lines.len() == rows.len() && wrong.len() == before;
    (lines.clone(), total(&lines, whole, wrong))
}

/// The sum of the lines that can be read; `so far` while some cannot.
fn total(lines: &[NewLine], whole: bool, wrong: &mut Wrong) -> String {
    let summed: Vec<_> = lines
        .iter()
        .map(|line| Line {
            id: line.id,
            book: line.book,
            quantity: line.quantity,
            price: line.price,
        })
        .collect();
    let Some(total) = money::total(&summed) else {
        told(Err(Refusal::TotalTooLarge), Place::Field("lines"), wrong);
        return "too large".to_owned();
    };
    let lines = if lines.len() == 1 { "line" } else { "lines" };
    let more = if whole { "" } else { " so far" };
    format!("{total} in {} {lines}{more}", summed.len())
}

/// What an address of empty texts means: nothing known.
pub(super) fn part(text: &str) -> Option<String> {
    Some(text.trim()).filter(|text| !text.is_empty()).map(ToOwned::to_owned)
}

/// The address typed.
pub(super) fn typed(form: &Form) -> Address {
    Address {
        street: part(form.text("street")),
        city: part(form.text("city")),
        province: part(form.text("province")),
    }
}

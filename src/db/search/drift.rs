//! Whether an order's summary document says something else than its rows: one comparison for the mark in the list and
//! for finding orders by it.

use crate::db::{Layout, Table};

/// The comparison as SQL, of the document `s.data` with order `o` and `total`, the sum of its lines. Null where it
/// cannot be made: a total that is not known. The
/// status may be written by name or by number, the total as a number or as text, keys in Pascal or camel case.
pub(super) fn drift(layout: &Layout, total: &str) -> String {
    // With lines that may be hidden, the total compares with nothing.
    if !layout.knows(Table::OrderItems) {
        return "NULL::boolean".to_owned();
    }
    let status = "lower(btrim(coalesce(s.data ->> 'Status', s.data ->> 'status')))";
    let stated = "coalesce(s.data ->> 'TotalPrice', s.data ->> 'totalPrice')";
    // Longer ones are no amounts, and would fail or take long as numbers.
    let number = r"'^\s*[-+]?[0-9]{1,30}([.][0-9]{1,30})?([eE][-+]?[0-9]{1,2})?\s*$'";
    format!(
        "(({status} = ANY(CASE o.status WHEN 0 THEN ARRAY['new', '0'] \
           WHEN 1 THEN ARRAY['cancelled', 'canceled', '1'] WHEN 2 THEN ARRAY['completed', '2'] \
           ELSE ARRAY[o.status::text] END)) IS NOT TRUE \
         OR coalesce(CASE WHEN {stated} ~ {number} THEN {stated}::numeric END, 'NaN') <> {total})"
    )
}

//! How a column is read whose type is not the document's: by its value, row by row.
//!
//! A value without counterpart reads as null (a status as one that is unknown): it spoils its own row and no other.

use super::names::Column;
use crate::domain::order::Status;

/// How a column is read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cast {
    /// As it is.
    None,
    /// By this expression.
    By(String),
    /// Its type says nothing that could be read.
    Impossible,
}

const WHOLE: [&str; 3] = ["smallint", "integer", "bigint"];
const NUMBER: [&str; 4] = ["numeric", "money", "real", "double precision"];
const TEXT: [&str; 5] = ["text", "character varying", "character", "name", "citext"];

/// How a column of that name and type (as `format_type` prints it) is read as what the document has.
pub(super) fn cast(column: &Column, name: &str, kind: &str) -> Cast {
    let is = |kinds: &[&str]| kinds.contains(&kind);
    let text = format!("\"{name}\"::text");
    let number = format!("\"{name}\"::numeric");
    match column.kind {
        // Any whole number is compared and read as it is.
        "smallint" if is(&WHOLE) => Cast::None,
        "smallint" => Cast::By(status(&text)),
        "integer" | "bigint" if kind == column.kind => Cast::None,
        "integer" | "bigint" if is(&WHOLE) || is(&NUMBER) => {
            let (least, most) = if column.kind == "bigint" {
                (i64::MIN, i64::MAX)
            } else {
                (i32::MIN.into(), i32::MAX.into())
            };
            Cast::By(format!(
                "CASE WHEN {number} BETWEEN {least} AND {most} THEN {number}::{} END",
                column.kind
            ))
        }
        "numeric" if kind == "numeric" => Cast::None,
        "numeric" if is(&WHOLE) || is(&NUMBER) => Cast::By(number),
        "numeric" if is(&TEXT) => Cast::By(format!(
            "CASE WHEN {text} ~ '^[-+]?[0-9]{{1,30}}([.][0-9]{{1,30}})?$' THEN {text}::numeric END"
        )),
        "timestamptz" => match kind {
            "timestamp with time zone" => Cast::None,
            "timestamp without time zone" | "date" => {
                Cast::By(format!("\"{name}\"::timestamp AT TIME ZONE 'UTC'"))
            }
            _ => Cast::Impossible,
        },
        "uuid" if kind == "uuid" => Cast::None,
        // Streams may be named by text, which is an id in the stores of orders.
        "uuid" if is(&TEXT) => Cast::By(format!(
            "CASE WHEN {text} ~* '^[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}$' THEN {text}::uuid END"
        )),
        "boolean" if kind == "boolean" => Cast::None,
        "boolean" if is(&WHOLE) => Cast::By(format!("\"{name}\" <> 0")),
        "jsonb" if kind == "jsonb" => Cast::None,
        "jsonb" if kind == "json" => Cast::By(format!("\"{name}\"::jsonb")),
        "bytea" if kind == "bytea" => Cast::None,
        "text" if is(&TEXT) => Cast::None,
        "text" => Cast::By(text),
        _ => Cast::Impossible,
    }
}

/// A status that is written as text or as an enum of the database, as its number.
fn status(text: &str) -> String {
    let names = [Status::New, Status::Cancelled, Status::Completed];
    let known = names.map(|status| {
        let number = status.number();
        format!(
            "WHEN '{}' THEN {number} WHEN '{number}' THEN {number}",
            status.to_string().to_lowercase()
        )
    });
    format!(
        "CASE lower(btrim({text})) {} WHEN 'canceled' THEN {} ELSE {} END",
        known.join(" "),
        Status::Cancelled.number(),
        Status::UNREADABLE.number()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(wanted: &'static str, kind: &str) -> Cast {
        cast(&Column { name: "x", kind: wanted, needed: true }, "X", kind)
    }

    #[test]
    fn what_is_as_documented_is_read_as_it_is() {
        for (wanted, kind) in [
            ("smallint", "integer"),
            ("bigint", "bigint"),
            ("timestamptz", "timestamp with time zone"),
            ("text", "character varying"),
            ("jsonb", "jsonb"),
        ] {
            assert_eq!(read(wanted, kind), Cast::None, "{wanted} {kind}");
        }
    }

    #[test]
    fn other_types_are_read_by_value_or_told() {
        assert_eq!(
            read("timestamptz", "timestamp without time zone"),
            Cast::By("\"X\"::timestamp AT TIME ZONE 'UTC'".to_owned())
        );
        assert_eq!(
            read("integer", "bigint"),
            Cast::By(
                "CASE WHEN \"X\"::numeric BETWEEN -2147483648 AND 2147483647 THEN \"X\"::numeric::integer END"
                    .to_owned()
            )
        );
        // Marten's `mt_version` is an id where documents are guarded by one: it counts nothing.
        assert_eq!(read("bigint", "uuid"), Cast::Impossible);
        assert_eq!(read("uuid", "bytea"), Cast::Impossible);
    }
}

//! Small pieces of SQL text that several subjects share.

/// A time that chrono can hold: PostgreSQL's years go further, and a row with `infinity` must not end the
/// program.
pub(super) fn moment(column: &str) -> String {
    format!(
        "CASE WHEN {column} IS NOT NULL THEN least(greatest({column}, \
         '0001-01-01 00:00:00+00'::timestamptz), '9999-12-31 00:00:00+00'::timestamptz) END"
    )
}

//! The fields of the query language: one table that parser, completion, help and docs read.

/// A field of the query language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    Id,
    Buyer,
    Book,
    Corr,
    Note,
    City,
    Province,
    Status,
    Tenant,
    Placed,
    Modified,
    Age,
    Total,
    Items,
    Has,
}

/// The description of a field in help and docs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldHelp {
    pub field: Field,
    pub name: &'static str,
    /// Another name for the same.
    pub alias: Option<&'static str>,
    /// What it looks for, in one line.
    pub help: &'static str,
    pub example: &'static str,
}

/// Every field, in the order in which help shows them.
pub const FIELDS: &[FieldHelp] = &[
    row(Field::Id, "id", Some("order"), "the order's id, whole or its end", "id:8c41"),
    row(Field::Buyer, "buyer", None, "a buyer's id (whole or its end) or name", "buyer:4e10"),
    row(Field::Book, "book", None, "an order with that book in it", "book:91aa"),
    row(Field::Corr, "corr", None, "correlation or conversation id", "corr:d27f"),
    row(Field::Note, "note", None, "words in the note", "note:\"leave at the door\""),
    row(Field::City, "city", None, "part of the buyer's city", "city:lyon"),
    row(Field::Province, "province", None, "part of the buyer's province", "province:kyoto"),
    row(Field::Status, "status", None, "new, cancelled or completed", "status:new"),
    row(Field::Tenant, "tenant", None, "the tenant of its stream", "tenant:shop-a"),
    row(Field::Placed, "placed", None, "when it was placed", "placed:16:30..18:15"),
    row(Field::Modified, "modified", None, "when its row last changed", "modified:today"),
    row(Field::Age, "age", None, "how long ago it was placed", "age:>24h"),
    row(Field::Total, "total", None, "the sum of its lines", "total:>100"),
    row(Field::Items, "items", None, "how many lines it has", "items:3..5"),
    row(
        Field::Has,
        "has",
        Some("is"),
        "undelivered, letter, drift, deleted or note",
        "has:undelivered",
    ),
];

const fn row(
    field: Field,
    name: &'static str,
    alias: Option<&'static str>,
    help: &'static str,
    example: &'static str,
) -> FieldHelp {
    FieldHelp { field, name, alias, help, example }
}

impl Field {
    /// The field of that name, without regard to case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        FIELDS
            .iter()
            .find(|row| row.names().any(|known| known.eq_ignore_ascii_case(name)))
            .map(|row| row.field)
    }

    /// Its row of the table.
    #[must_use]
    pub fn row(self) -> &'static FieldHelp {
        FIELDS.iter().find(|row| row.field == self).unwrap_or(&FIELDS[0])
    }
}

impl FieldHelp {
    /// Its name and, if it has one, the other.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        std::iter::once(self.name).chain(self.alias)
    }
}

/// The known word most like `word`, if any is close.
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    known
        .map(|name| (if name.starts_with(&word) { 0 } else { distance(&word, name) }, name))
        .filter(|&(distance, name)| distance <= 2 && distance < name.len())
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, name)| name)
}

/// How many letters must be typed, dropped or changed to make one word the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut above: Vec<usize> = (0..=other.len()).collect();
    for (row, letter) in one.chars().enumerate() {
        let mut corner = row;
        above[0] = row + 1;
        for (column, &opposite) in other.iter().enumerate() {
            let changed = corner + usize::from(letter != opposite);
            corner = above[column + 1];
            above[column + 1] = changed.min(corner + 1).min(above[column] + 1);
        }
    }
    above[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_in_the_table_once_and_found_by_its_names() {
        for row in FIELDS {
            assert_eq!(row.field.row(), row);
            for name in row.names() {
                assert_eq!(Field::named(&name.to_uppercase()), Some(row.field));
            }
        }
        assert_eq!(Field::named("foo"), None);
    }

    #[test]
    fn the_nearest_word_is_one_slip_away() {
        let near = |word| nearest(word, FIELDS.iter().flat_map(FieldHelp::names));
        assert_eq!(near("statsu"), Some("status"));
        assert_eq!(near("plced"), Some("placed"));
        assert_eq!(near("prov"), Some("province"));
        assert_eq!(near("xylophone"), None);
    }
}

//! The books of the demo data. The database holds only their ids; titles, authors and prices are in
//! `assets/catalogue.tsv`; all are invented.

use std::sync::LazyLock;

use chrono::NaiveDate;
use uuid::Uuid;

use super::{
    moment::{MINUTE, Moment},
    random::{Random, Subject},
};
use crate::domain::id::BookId;

const LIST: &str = include_str!("../../assets/catalogue.tsv");
/// Ids depend only on the place in the list, not on a load's seed: a book has the same id in every database.
const SEED: u64 = 0x626f_6f6b_776f_726d;

/// A book for sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Book {
    pub id: BookId,
    pub title: &'static str,
    pub author: &'static str,
    /// The price in hundredths when the shop opened.
    pub cents: u64,
}

static BOOKS: LazyLock<Vec<Book>> = LazyLock::new(|| {
    let opened = NaiveDate::from_ymd_opt(2015, 1, 5).unwrap_or_default();
    let mut at = Moment::start_of(opened);
    let mut books = Vec::new();
    for (n, line) in LIST.lines().enumerate() {
        let mut columns = line.split('\t');
        let (Some(title), Some(author), Some(cents)) =
            (columns.next(), columns.next(), columns.next().and_then(|cents| cents.parse().ok()))
        else {
            continue;
        };
        let mut random = Random::new(SEED, Subject::Book, n as u64);
        at = at.plus(random.between(MINUTE, 40 * MINUTE));
        books.push(Book { id: BookId(at.v7(&mut random)), title, author, cents });
    }
    books
});

/// All books, in ascending order of their ids.
pub fn books() -> &'static [Book] {
    &BOOKS
}

/// The book with this id, if it is one of the demo data's.
pub fn book(id: BookId) -> Option<&'static Book> {
    let at = BOOKS.binary_search_by_key(&id, |book| book.id).ok()?;
    BOOKS.get(at)
}

/// Which book a buyer chooses: a few are bestsellers, most sell now and then, and every quarter other
/// books are popular.
pub(super) fn choose(random: &mut Random, quarter: u64) -> usize {
    let count = BOOKS.len() as u64;
    let reach = random.skewed(count) + 1;
    let rank = random.skewed(reach);
    let moved = if random.permille(300) { rank * 7 + quarter * 41 } else { rank };
    // A fixed permutation, so that the bestsellers are not the first lines of the list.
    usize::try_from((moved * 197 + 58) % count.max(1)).unwrap_or_default()
}

/// The id as the rows hold it.
pub(super) fn id(book: usize) -> Uuid {
    BOOKS[book].id.0
}

/// The price in hundredths after some years of three per cent.
pub(super) fn price(book: usize, years: u64) -> u64 {
    BOOKS[book].cents * (1000 + 30 * years) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_book_and_every_id_finds_it() {
        assert_eq!(books().len(), LIST.lines().count());
        assert!(books().len() > 300);
        for pair in books().windows(2) {
            assert!(pair[0].id < pair[1].id);
        }
        for each in books() {
            assert_eq!(book(each.id), Some(each));
            assert!(!each.author.is_empty() && each.cents >= 500);
        }
        assert_eq!(book(BookId(Uuid::nil())), None);
        // The permutation must reach every book: its factor shares no divisor with their number.
        let reached: std::collections::BTreeSet<usize> =
            (0..books().len()).map(|rank| (rank * 197 + 58) % books().len()).collect();
        assert_eq!(reached.len(), books().len());
    }
}

//! Searches that could tell what is masked: a text test beside an id answers with yes or no about one person.

use super::{Query, SearchError, Test};

impl Query {
    /// Whether it asks for words of people: names, notes, addresses.
    #[must_use]
    pub fn asks_for_words(&self) -> bool {
        self.terms.iter().any(|term| is_words(&term.test))
    }

    /// That it may be asked while personal data is masked.
    ///
    /// # Errors
    /// Where it tests words beside an id.
    pub fn guesses_nothing(&self) -> Result<(), SearchError> {
        let words = self.terms.iter().find(|term| is_words(&term.test));
        let with_id = self.terms.iter().any(|term| is_id(&term.test));
        match words {
            Some(term) if with_id => Err(SearchError::new(
                term.at.clone(),
                "while personal data is masked, words are not searched beside an id",
            )
            .hint("search by one of them, or reveal personal data in the console (R)")),
            _ => Ok(()),
        }
    }
}

const fn is_words(test: &Test) -> bool {
    matches!(
        test,
        Test::Text(_) | Test::BuyerName(_) | Test::Note(_) | Test::City(_) | Test::Province(_)
    )
}

/// A tail counts as an id here, although it may be a word as well.
const fn is_id(test: &Test) -> bool {
    matches!(
        test,
        Test::AnyId(_)
            | Test::AnyTail(_)
            | Test::Order(_)
            | Test::Buyer(_)
            | Test::Book(_)
            | Test::Correlation(_)
    )
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::super::parse;
    use crate::domain::zone::{Clock, Zone};

    #[test]
    fn words_are_not_searched_beside_an_id() {
        let clock = Clock { now: DateTime::UNIX_EPOCH, zone: Zone::UTC };
        let id = "019aab5c-2ba6-7b40-9d2a-5e0c4b1f8c41";
        let query = |text: &str| parse(text, &clock).unwrap();
        for words in ["buyer:\"L\"", "-buyer:\"L\"", "note:x", "city:Hue", "province:x", "Thi"] {
            for id in [format!("order:{id}"), "buyer:4e10".to_owned(), id.to_owned()] {
                let error = query(&format!("{words} {id}")).guesses_nothing().unwrap_err();
                assert!(error.to_string().contains("reveal personal data"), "{error}");
            }
            assert!(query(words).asks_for_words() && query(words).guesses_nothing().is_ok());
            assert!(query(&format!("{words} status:new")).guesses_nothing().is_ok());
        }
        for plain in [id, "status:new", "order:8c41 status:new", ""] {
            assert!(!query(plain).asks_for_words() && query(plain).guesses_nothing().is_ok());
        }
    }
}

//! A list of messages as a place, perhaps at one of them.

use crate::tui::route::{self, Route, escape, unescape};

/// What links to messages begin with.
pub(super) const WORD: &str = "messages";

/// A list of messages, perhaps at one of them by its sequence number.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    pub view: String,
    pub at: Option<i64>,
}

impl route::Place for Place {
    fn read(route: &Route) -> Option<Self> {
        let at = match route.rest() {
            Some(sequence) => Some(sequence.parse().ok()?),
            None => None,
        };
        Some(Self { view: unescape(route.query()), at })
    }

    fn route(&self) -> Route {
        let mut route = Route::new(WORD);
        if let Some(sequence) = self.at {
            route = route.at(sequence);
        }
        if self.view.is_empty() { route } else { route.with(escape(&self.view)) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tui::route::Place as _;

    proptest! {
        #[test]
        fn a_link_leads_back(at in proptest::option::of(1_i64..99), view in "[a-z-]*") {
            let place = Place { view, at };
            let (_, route) = Route::of_link(&place.route().link("prod")).unwrap();
            prop_assert_eq!(Place::read(&route), Some(place));
        }
    }
}

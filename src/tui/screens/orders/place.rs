//! The order search as a place: its query.

use crate::tui::route::{self, Route, escape, unescape};

/// What links to the search begin with.
pub(super) const WORD: &str = "orders";

/// The order search, with a query.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    pub query: String,
}

impl route::Place for Place {
    fn read(route: &Route) -> Option<Self> {
        if route.rest().is_some() {
            return None;
        }
        let query = route.query().strip_prefix("q=").map(unescape).unwrap_or_default();
        Some(Self { query })
    }

    fn route(&self) -> Route {
        let route = Route::new(WORD);
        if self.query.is_empty() { route } else { route.with(format!("q={}", escape(&self.query))) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tui::route::Place as _;

    proptest! {
        #[test]
        fn a_link_leads_back(query in ".*") {
            let place = Place { query };
            let link = place.route().link("local");
            let (_, route) = Route::of_link(&link).unwrap();
            prop_assert_eq!(Place::read(&route), Some(place));
        }
    }
}

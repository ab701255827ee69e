//! One order's history as a place: at a version, comparing two.

use uuid::Uuid;

use crate::{
    domain::id::{OrderId, Version},
    tui::route::{self, ORDER, Route},
};

/// One order's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub order: OrderId,
    /// The newest version where none is named.
    pub at: Option<Version>,
    /// Two versions that are compared.
    pub diff: Option<(Version, Version)>,
}

impl route::Place for Place {
    fn read(route: &Route) -> Option<Self> {
        let order = route.rest()?;
        let (id, at) = order.split_once('@').map_or((order, None), |(id, at)| (id, Some(at)));
        let version = |text: &str| text.parse().map(Version).ok();
        let diff = match route.query().strip_prefix("diff=").and_then(|diff| diff.split_once(':')) {
            Some((a, b)) => Some((version(a)?, version(b)?)),
            None => None,
        };
        let at = match at {
            Some(at) => Some(version(at)?),
            None => None,
        };
        Some(Self { order: OrderId(Uuid::parse_str(id).ok()?), at, diff })
    }

    fn route(&self) -> Route {
        let at = self.at.map_or_else(String::new, |version| format!("@{version}"));
        let route = Route::new(ORDER).at(format!("{}{at}", self.order));
        match self.diff {
            Some((a, b)) => route.with(format!("diff={a}:{b}")),
            None => route,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tui::route::Place as _;

    proptest! {
        #[test]
        fn a_link_leads_back(at in proptest::option::of(1_i64..99)) {
            let at = at.map(Version);
            let place = Place { order: OrderId(Uuid::max()), at, diff: at.zip(at) };
            let (_, route) = Route::of_link(&place.route().link("prod")).unwrap();
            prop_assert_eq!(Place::read(&route), Some(place));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = Place::read(&Route::of(&format!("order/{text}")));
        }
    }
}

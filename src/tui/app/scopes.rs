//! Every table of keys there is, and which of them are active together: for the documentation, and to find clashes.

use super::ACTIONS;
use crate::tui::{
    screens::Screens,
    ui::action::{Bindings, Info, Keys},
};

/// The row before which those that go to a screen are listed.
const AFTER_SCREENS: &str = "go.last";

/// A table of keys, and what it is active with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// When its keys mean something: `On Orders`.
    pub title: String,
    pub rows: Vec<Info>,
    /// Whether the keys of everywhere work as well.
    pub beside_global: bool,
}

/// Puts the rows that go to a screen among the global ones.
pub(super) fn with_screens(mut global: Vec<Info>, screens: &Screens, keys: &Keys) -> Vec<Info> {
    let at = global.iter().position(|info| info.name == AFTER_SCREENS).unwrap_or(0);
    global.splice(at..at, screens.specs().iter().map(|spec| spec.info(keys)));
    global
}

/// Every table, the global one first, as if all of it were possible now.
#[must_use]
pub fn scopes(screens: &Screens, keys: &Keys) -> Vec<Scope> {
    let global = with_screens(keys.listed(ACTIONS), screens, keys);
    let everywhere = Scope { title: "Everywhere".to_owned(), rows: global, beside_global: false };
    let own = screens.specs().into_iter().map(|spec| Scope {
        title: format!("On {}", spec.title),
        rows: screens.listed(spec.id, keys),
        beside_global: true,
    });
    std::iter::once(everywhere).chain(own).collect()
}

/// Every set of keys that is active together, with the keys in force.
#[must_use]
pub fn bindings(screens: &Screens, keys: &Keys) -> Vec<Bindings> {
    let scopes = scopes(screens, keys);
    let bound = |scope: &Scope| -> Bindings {
        scope.rows.iter().map(|info| (info.name, info.keys.clone())).collect()
    };
    let global = scopes.first().map(bound).unwrap_or_default();
    let together = |scope: &Scope| match scope.beside_global {
        true => [global.clone(), bound(scope)].concat(),
        false => bound(scope),
    };
    scopes.iter().map(together).collect()
}

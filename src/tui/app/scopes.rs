//! Every table of keys there is, and which of them are active together: for the documentation, and to find clashes.

use super::{ACTIONS, palette, text};
use crate::tui::{
    change, journal, operations,
    screens::Screens,
    ui::{
        action::{Bindings, Info, Keys, Reading},
        ask, field, form, menu, plan_card,
    },
};

/// The row before which those that go to a screen are listed.
const AFTER_SCREENS: &str = "go.last";

const EVERYWHERE: &str = "Everywhere";
const MENU: &str = "In the menu of operations";

/// A table of keys, and what it is active with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// When its keys mean something: `On Orders`.
    pub title: String,
    pub rows: Vec<Info>,
    pub reading: Reading,
    /// Whether the keys of everywhere work as well.
    pub beside_global: bool,
}

impl Scope {
    /// A table that is active alone, while something lies over the screen or is typed.
    fn over(title: &str, reading: Reading, rows: Vec<Info>) -> Self {
        Self { title: title.to_owned(), rows, reading, beside_global: false }
    }
}

/// The tables of what lies over a screen, and of text that is typed.
pub(super) fn over(keys: &Keys) -> Vec<Scope> {
    use Reading::{Single, Text, Word};
    vec![
        Scope::over("In the palette", Text, keys.listed(palette::ACTIONS)),
        Scope::over("In a text over the screen", Single, keys.listed(text::ACTIONS)),
        Scope::over("In the operations log", Single, keys.listed(journal::ACTIONS)),
        Scope::over("In the list of bulk operations", Single, keys.listed(operations::ACTIONS)),
        Scope::over("When a reason is asked for", Text, keys.listed(ask::ACTIONS)),
        Scope::over(MENU, Single, keys.listed(menu::ACTIONS)),
        Scope::over("In a form", Text, keys.listed(form::ACTIONS)),
        Scope::over("On a plan", Word, keys.listed(plan_card::ACTIONS)),
        Scope::over("While text is typed", Text, keys.listed(field::ACTIONS)),
    ]
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
    let everywhere = Scope::over(EVERYWHERE, Reading::Sequences, global);
    let own = screens.specs().into_iter().map(|spec| Scope {
        title: format!("On {}", spec.title),
        rows: screens.listed(spec.id, keys),
        reading: Reading::Sequences,
        beside_global: true,
    });
    let typed = screens.specs().into_iter().filter_map(|spec| {
        let rows = keys.listed(screens.typing(spec.id));
        let title = format!("While text is typed on {}", spec.title);
        (!rows.is_empty()).then(|| Scope::over(&title, Reading::Text, rows))
    });
    std::iter::once(everywhere).chain(own).chain(over(keys)).chain(typed).collect()
}

/// Every set of keys that is active together, with the keys in force.
#[must_use]
pub fn bindings(screens: &Screens, keys: &Keys) -> Vec<Bindings> {
    let scopes = scopes(screens, keys);
    let rows = |scope: &Scope| -> Vec<_> {
        scope.rows.iter().map(|info| (info.name, info.keys.clone())).collect()
    };
    let global = scopes.first().map(rows).unwrap_or_default();
    // With Ctrl these work whatever is open.
    let mut always = global.clone();
    always.retain(|(name, _)| ["suspend", "quit"].contains(name));
    for (_, keys) in &mut always {
        keys.retain(|key| key.starts_with("ctrl-"));
    }
    let together = |scope: &Scope| {
        let is_global = scope.title == EVERYWHERE;
        let with = match scope.beside_global {
            true => global.clone(),
            false if is_global => vec![],
            false => always.clone(),
        };
        // The letters of its lines are read beside the keys of the menu.
        let letters = (scope.title == MENU).then(|| ("a line of the menu", change::letters()));
        let rows = [with, rows(scope), letters.into_iter().collect()].concat();
        Bindings { reading: scope.reading, rows }
    };
    scopes.iter().map(together).collect()
}

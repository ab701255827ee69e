//! In which schemas the service's tables lie. A service may put its orders, its event store and its messages
//! into a schema each, called anything; the same database may hold tables of the same names for another service.

use std::collections::{BTreeMap, BTreeSet};

use super::Table;
use crate::servers::Schemas;

/// Tables that lie in one schema together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// Orders, their lines and buyers.
    Orders,
    /// Marten's tables.
    Events,
    /// MassTransit's outbox and inbox.
    Messages,
}

impl Group {
    /// All groups.
    pub const ALL: [Self; 3] = [Self::Orders, Self::Events, Self::Messages];

    /// The group's key below `schemas` in a context of the configuration.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Events => "events",
            Self::Messages => "messages",
        }
    }

    /// The name given for it.
    fn named(self, schemas: &Schemas) -> Option<&str> {
        match self {
            Self::Orders => schemas.orders.as_deref(),
            Self::Events => schemas.events.as_deref(),
            Self::Messages => schemas.messages.as_deref(),
        }
    }

    /// The table without which the group is of no use.
    const fn anchor(self) -> Table {
        match self {
            Self::Orders => Table::Orders,
            Self::Events => Table::Events,
            Self::Messages => Table::OutboxMessages,
        }
    }
}

impl Table {
    /// The group the table belongs to.
    pub const fn group(self) -> Group {
        match self {
            Self::Orders | Self::OrderItems | Self::Buyers => Group::Orders,
            Self::Events | Self::Streams | Self::Summaries | Self::Letters | Self::Progression => {
                Group::Events
            }
            Self::OutboxMessages | Self::OutboxStates | Self::InboxStates => Group::Messages,
        }
    }
}

/// A table that was found, as far as choosing a schema depends on it.
#[derive(Debug, Clone)]
pub(super) struct Seen<'a> {
    pub schema: &'a str,
    pub table: Table,
    /// It has every column that Orderscope cannot do without.
    pub complete: bool,
}

/// Tables of one group lie in several schemas, and nothing says which are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ambiguous {
    pub group: Group,
    pub schemas: Vec<String>,
}

/// The schema of each group that was found.
///
/// A name given by the context wins. Otherwise the schema with a complete main table (`orders`, `mt_events`,
/// `outbox_message`) is taken, then one that has the main table at all, then one with any table of the group.
/// Where two schemas are equally good, nothing is guessed.
pub(super) fn choose(
    seen: &[Seen<'_>],
    named: &Schemas,
) -> Result<BTreeMap<Group, String>, Ambiguous> {
    let mut chosen = BTreeMap::new();
    for group in Group::ALL {
        if let Some(name) = group.named(named) {
            chosen.insert(group, name.to_owned());
            continue;
        }
        let schemas = |wanted: &dyn Fn(&Seen<'_>) -> bool| -> BTreeSet<&str> {
            let of_group = seen.iter().filter(|seen| seen.table.group() == group);
            of_group.filter(|seen| wanted(seen)).map(|seen| seen.schema).collect()
        };
        let main = |seen: &Seen<'_>| seen.table == group.anchor();
        let ranks = [
            schemas(&|seen| main(seen) && seen.complete),
            schemas(&|seen| main(seen)),
            schemas(&|_| true),
        ];
        let Some(best) = ranks.into_iter().find(|schemas| !schemas.is_empty()) else { continue };
        let mut best = best.into_iter().map(str::to_owned);
        match (best.next(), best.next()) {
            (Some(only), None) => {
                chosen.insert(group, only);
            }
            (Some(first), Some(second)) => {
                let schemas = [first, second].into_iter().chain(best).collect();
                return Err(Ambiguous { group, schemas });
            }
            (None, _) => {}
        }
    }
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(schema: &str, table: Table, complete: bool) -> Seen<'_> {
        Seen { schema, table, complete }
    }

    #[test]
    fn each_group_is_found_in_a_schema_of_its_own() {
        let found = [
            seen("ordering", Table::Orders, true),
            seen("ordering", Table::Buyers, true),
            seen("events", Table::Events, true),
            seen("messaging", Table::OutboxMessages, true),
        ];
        let chosen = choose(&found, &Schemas::default()).unwrap();
        let names: Vec<_> = chosen.values().map(String::as_str).collect();
        assert_eq!(names, ["ordering", "events", "messaging"]);
    }

    #[test]
    fn a_table_of_the_same_name_that_is_something_else_is_no_candidate() {
        let found = [seen("sales", Table::Orders, false), seen("ordering", Table::Orders, true)];
        let chosen = choose(&found, &Schemas::default()).unwrap();
        assert_eq!(chosen[&Group::Orders], "ordering");
        assert!(!chosen.contains_key(&Group::Events), "not found is no schema");
    }

    #[test]
    fn two_stores_are_asked_about_unless_the_context_names_one() {
        let found = [seen("a", Table::Events, true), seen("b", Table::Events, true)];
        let asked = choose(&found, &Schemas::default()).unwrap_err();
        assert_eq!(
            asked,
            Ambiguous { group: Group::Events, schemas: vec!["a".into(), "b".into()] }
        );
        let named = Schemas { events: Some("b".to_owned()), ..Schemas::default() };
        assert_eq!(choose(&found, &named).unwrap()[&Group::Events], "b");
    }

    #[test]
    fn an_incomplete_main_table_is_better_than_none() {
        let found = [seen("a", Table::InboxStates, true), seen("b", Table::OutboxMessages, false)];
        let chosen = choose(&found, &Schemas::default()).unwrap();
        assert_eq!(chosen[&Group::Messages], "b", "so that the missing column can be told");
    }
}

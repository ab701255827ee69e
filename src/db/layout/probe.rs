//! Asking a database what it has.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use sqlx::{PgConnection, Row, postgres::PgRow};

use super::{
    Group, Index, Kind, Layout, Shape,
    cast::{Cast, cast},
    names::{Column, Table, folded, same},
    schemas::{self, Seen},
};
use crate::{
    db::{
        Error,
        settings::{self, Projection},
        sql::attempt,
    },
    servers::{Schemas, Servers},
};

/// Where a managed database has its tables.
const OWN: &str = "public";

#[derive(Deserialize)]
struct Found {
    schema: String,
    /// Whether names in the schema may be used.
    usage: bool,
    name: String,
    partitioned: bool,
    readable: bool,
    rows: Option<i64>,
    pages: i64,
    columns: Option<Vec<(String, String)>>,
    policed: bool,
    indexes: Option<Vec<Option<String>>>,
}

/// So often is asked again when something was dropped between finding it and looking at it.
const TRIES: usize = 20;

/// Asks, in one round trip; of a managed database its settings in another.
pub async fn probe(
    conn: &mut PgConnection,
    servers: &Servers,
    small_table_pages: i64,
) -> Result<Layout, Error> {
    let row = asked(conn).await?;
    let tables: String = row.try_get("tables")?;
    let found: Vec<Found> = serde_json::from_str(&tables)
        .map_err(|why| Error::row("pg_class", "relname", "the probe", &why.to_string()))?;
    let recorded: Option<String> = row.try_get("kind")?;
    let marten: bool = row.try_get("marten")?;
    // Orderscope's own tables are always there.
    let own = Schemas {
        orders: Some(OWN.to_owned()),
        events: Some(OWN.to_owned()),
        messages: Some(OWN.to_owned()),
    };
    let named = if recorded.as_deref() == Some("managed") { &own } else { &servers.schemas };
    let schemas = schemas::choose(&seen(&found), named).map_err(|asked| Error::Ambiguous {
        key: asked.group.key(),
        schemas: asked.schemas.join(", "),
        first: asked.schemas.into_iter().next().unwrap_or_default(),
    })?;
    let chosen = |found: &Found, known: Table| {
        schemas.get(&known.group()).is_some_and(|schema| *schema == found.schema)
    };
    let found: Vec<(Table, Found)> = found
        .into_iter()
        .filter_map(|found| Some((Table::of(&found.name)?, found)))
        .filter(|(known, found)| chosen(found, *known))
        .collect();
    let partitioned = found.iter().any(|(_, table)| table.partitioned);
    let kind = match recorded.as_deref() {
        Some("managed") if marten || partitioned => Kind::TakenOver,
        Some("managed") => Kind::Managed,
        _ => Kind::Attached,
    };
    let mut layout = Layout {
        server: row.try_get("server")?,
        role: row.try_get("role")?,
        kind,
        console: row.try_get("console")?,
        trigrams: row.try_get("trigrams")?,
        tables: BTreeMap::new(),
        indexes: BTreeSet::new(),
        inline: false,
        small_table_pages,
        sources: BTreeMap::new(),
        event_numbers: format!(
            "{}.mt_events_sequence",
            spelt(schemas.get(&Group::Events).map_or(OWN, String::as_str))
        ),
        schemas,
        tenant: servers.tenant.clone(),
    };
    for (known, table) in found {
        let indexes = table.indexes.clone().unwrap_or_default();
        let (shape, converted) = shape(known, table);
        for definition in indexes.iter().flatten() {
            // What is read through a conversion is not what its index has.
            let words = folded(definition);
            let mut words = words.split(|c: char| !c.is_ascii_alphanumeric());
            if !words.any(|word| converted.iter().any(|column| folded(column) == word)) {
                layout.indexes.extend(Index::served(known, definition));
            }
        }
        layout.tables.insert(known, shape);
    }
    layout.spell_sources();
    if layout.is_managed() {
        // A database from before the setting, or a login that may not read it: the default.
        let recorded = async |conn: &mut PgConnection| settings::read(conn, true).await;
        let recorded = match attempt(conn, recorded).await {
            Err(Error::NotPermitted(_)) => None,
            read => read?,
        };
        layout.inline = recorded.is_none_or(|known| known.projection == Projection::Inline);
    }
    Ok(layout)
}

/// The answer of the catalog. The server's functions look at what is there now, not when the statement began: they fail
/// on an index or a table that was dropped since.
async fn asked(conn: &mut PgConnection) -> Result<PgRow, Error> {
    let ask = async |conn: &mut PgConnection| {
        Ok(sqlx::raw_sql(include_str!("probe.sql")).fetch_one(conn).await?)
    };
    let mut answer = attempt(conn, ask).await;
    for _ in 1..TRIES {
        match answer {
            Err(Error::Server { ref code, .. }) if code == "XX000" => {
                answer = attempt(conn, ask).await;
            }
            Err(Error::MissingTable(_)) => answer = attempt(conn, ask).await,
            answered => return answered,
        }
    }
    answer
}

/// The planner pulls a subquery that only renames up into the query around it, so that indexes are
/// used as if it were not there. With the columns that are converted, by their own names.
fn shape(table: Table, found: Found) -> (Shape, Vec<String>) {
    let columns = found.columns.unwrap_or_default();
    let mut missing = Vec::new();
    let mut strange = Vec::new();
    let mut zoneless = Vec::new();
    let mut converted = Vec::new();
    let mut list = Vec::new();
    let mut plain = found.name == table.name();
    for column in table.columns() {
        let found = columns.iter().find(|(name, _)| same(column.name, name));
        let read = found.map(|(name, kind)| (name, kind, cast(column, name, kind)));
        match read {
            Some((name, _, Cast::None)) => {
                plain &= name == column.name;
                list.push(format!("\"{name}\" AS \"{}\"", column.name));
            }
            Some((name, kind, Cast::By(expression))) => {
                plain = false;
                list.push(format!("{expression} AS \"{}\"", column.name));
                if column.kind == "timestamptz" && kind.starts_with("timestamp") {
                    zoneless.push(column.name);
                }
                converted.push(name.clone());
            }
            Some((_, kind, Cast::Impossible)) => {
                plain = false;
                list.push(absent(column));
                missing.push((column.name, column.needed));
                strange.push((column.name, kind.clone()));
            }
            None => {
                plain = false;
                list.push(absent(column));
                missing.push((column.name, column.needed));
            }
        }
    }
    let relation = format!("{}.\"{}\"", spelt(&found.schema), found.name);
    let tenants = columns.iter().find(|(name, _)| {
        same("tenant_id", name)
            && matches!(table, Table::Events | Table::Streams | Table::Summaries)
    });
    let tenant = tenants.map(|(name, _)| name.clone());
    let shape = Shape {
        list: list.join(", "),
        relation,
        plain,
        tenant,
        usage: found.usage,
        partitioned: found.partitioned,
        readable: found.readable,
        policed: found.policed,
        rows: found.rows,
        pages: found.pages,
        missing,
        strange,
        zoneless,
        columns,
    };
    (shape, converted)
}

/// A schema's name as it is written in a statement.
pub(super) fn spelt(schema: &str) -> String {
    if schema == OWN {
        return schema.to_owned();
    }
    format!("\"{}\"", schema.replace('"', "\"\""))
}

/// What choosing schemas looks at.
fn seen(found: &[Found]) -> Vec<Seen<'_>> {
    let seen = |found: &'_ Found| {
        let table = Table::of(&found.name)?;
        let columns = found.columns.as_deref().unwrap_or_default();
        let has = |column: &Column| columns.iter().any(|(name, _)| same(column.name, name));
        let complete = table.columns().iter().all(|column| !column.needed || has(column));
        Some((table, complete))
    };
    let seen = found.iter().filter_map(|found| seen(found).map(|seen| (found, seen)));
    seen.map(|(found, (table, complete))| Seen { schema: &found.schema, table, complete }).collect()
}

fn absent(column: &Column) -> String {
    format!("NULL::{} AS \"{}\"", column.kind, column.name)
}

/// What to read instead of a table that is not there or may not be read: no rows, the right columns.
pub(super) fn empty(table: Table) -> String {
    let list: Vec<_> = table.columns().iter().map(absent).collect();
    format!("(SELECT {} WHERE false)", list.join(", "))
}

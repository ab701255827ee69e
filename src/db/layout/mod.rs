//! What a database has: whose it is, which tables, columns and indexes exist and how they are spelt.
//! Probed, never assumed.

mod cast;
mod index;
mod missing;
mod names;
mod probe;
mod schemas;

use std::collections::{BTreeMap, BTreeSet};

pub use index::Index;
pub use missing::Missing;
pub use names::Table;
pub(super) use probe::probe;
pub use schemas::Group;

/// Whose database it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Orderscope made the service's tables and may change them.
    Managed,
    /// The tables belong to a running service: look, do not touch.
    Attached,
    /// Recorded as managed, but Marten's functions or partitions have appeared: a service runs here now,
    /// so it is treated as attached.
    TakenOver,
}

/// What the probe found.
#[derive(Debug, Clone)]
pub struct Layout {
    server: i32,
    role: String,
    kind: Kind,
    console: bool,
    trigrams: bool,
    inline: bool,
    small_table_pages: i64,
    tables: BTreeMap<Table, Shape>,
    /// What to write after `FROM`, for every table there could be.
    sources: BTreeMap<Table, String>,
    indexes: BTreeSet<Index>,
    /// The schema of each group of tables that was found.
    schemas: BTreeMap<Group, String>,
    /// The sequence that numbers events, with its schema.
    event_numbers: String,
    /// The tenant that the context names: events of others are not read.
    tenant: Option<String>,
}

/// How one table looks.
#[derive(Debug, Clone)]
struct Shape {
    /// Its columns under the document's names, as a list to select.
    list: String,
    /// The relation's own name, quoted, with its schema.
    relation: String,
    partitioned: bool,
    /// Its name and all its columns are there and spelt as in the document.
    plain: bool,
    /// The column's own name that says the tenant of a row, where rows of one tenant can be told.
    tenant: Option<String>,
    /// Whether names in its schema may be used.
    usage: bool,
    readable: bool,
    /// Row level security hides rows of it from our role.
    policed: bool,
    /// The planner's estimate; none before the first `ANALYZE`.
    rows: Option<i64>,
    /// Size in pages, exact at the time of the probe.
    pages: i64,
    /// Columns that are not there; whether the program cannot do without.
    missing: Vec<(&'static str, bool)>,
    /// Those of them that are there with a type that cannot be read.
    strange: Vec<(&'static str, String)>,
    /// Times without a zone.
    zoneless: Vec<&'static str>,
    /// Name and type of every column there is.
    columns: Vec<(String, String)>,
}

impl Shape {
    /// The condition that keeps one tenant's rows.
    fn of_tenant(&self, tenant: Option<&str>) -> Option<String> {
        let (column, tenant) = self.tenant.as_ref().zip(tenant)?;
        Some(format!(" WHERE \"{column}\" = '{}'", tenant.replace('\'', "''")))
    }

    /// What to write after `FROM` so that it has the document's column names, and `more` columns.
    fn source(&self, tenant: Option<&str>, more: &str) -> String {
        match (self.of_tenant(tenant), self.plain) {
            (None, true) => self.relation.clone(),
            (only, _) => {
                let only = only.unwrap_or_default();
                format!("(SELECT {}{more} FROM {}{only})", self.list, self.relation)
            }
        }
    }
}

impl Layout {
    /// The same database with the events, streams and summaries of one tenant alone.
    #[must_use]
    pub fn of_tenant(&self, tenant: &str) -> Self {
        let mut narrowed = Self { tenant: Some(tenant.to_owned()), ..self.clone() };
        narrowed.spell_sources();
        narrowed
    }

    fn spell_sources(&mut self) {
        for table in Table::ALL {
            let source = match self.tables.get(&table) {
                Some(shape) if self.reads(table) => shape.source(self.tenant(), ""),
                _ => probe::empty(table),
            };
            self.sources.insert(table, source);
        }
    }

    /// Whether one stream id may be used by several tenants, and no tenant was named: streams are keyed by tenant
    /// then (Marten's conjoined tenancy).
    pub fn shares_ids(&self) -> bool {
        self.tenant.is_none() && self.has_tenants()
    }

    /// Whether the store keeps tenants apart.
    pub fn has_tenants(&self) -> bool {
        self.has(Index::StreamTenant)
    }

    /// Whose database it is.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether the service's tables are ours to change.
    pub const fn is_managed(&self) -> bool {
        matches!(self.kind, Kind::Managed)
    }

    /// Whether the transaction that writes an event writes the order's summary document too.
    pub const fn projects_inline(&self) -> bool {
        self.inline
    }

    /// Whether schema `orderscope` exists.
    pub const fn has_console_schema(&self) -> bool {
        self.console
    }

    /// The schema that a group of tables lies in; none where no table of it was found.
    pub fn schema(&self, group: Group) -> Option<&str> {
        self.schemas.get(&group).map(String::as_str)
    }

    /// The schemas, where any is not `public`: `ordering, events, messaging`.
    pub fn schemas(&self) -> Option<String> {
        let names: Vec<_> = self.schemas.values().map(String::as_str).collect();
        let mut distinct = names.clone();
        distinct.dedup();
        let usual = distinct.iter().all(|name| *name == "public");
        (!usual).then(|| if distinct.len() == 1 { distinct } else { names }.join(", "))
    }

    /// The tenant of the event store that alone is looked at; none where all are.
    pub fn tenant(&self) -> Option<&str> {
        self.tenant.as_deref()
    }

    /// The sequence that numbers events, as a statement names it.
    pub(super) fn event_numbers(&self) -> &str {
        &self.event_numbers
    }

    /// The role this session acts as.
    pub fn role(&self) -> &str {
        &self.role
    }

    /// The server's major version.
    pub const fn major_version(&self) -> i32 {
        self.server / 10_000
    }

    /// Whether `pg_trgm` is installed.
    pub const fn has_trigrams(&self) -> bool {
        self.trigrams
    }

    /// Whether the table exists, may be read and has every column that is needed.
    pub fn reads(&self, table: Table) -> bool {
        self.tables.get(&table).is_some_and(|shape| {
            shape.usage && shape.readable && !shape.missing.iter().any(|(_, needed)| *needed)
        })
    }

    /// Whether row level security may hide rows of the table from our role: what is not found may be there.
    pub fn may_hide_rows(&self, table: Table) -> bool {
        self.tables.get(&table).is_some_and(|shape| shape.policed)
    }

    /// Whether all rows of the table can be read: what is not found there is not there.
    pub fn knows(&self, table: Table) -> bool {
        self.reads(table) && !self.may_hide_rows(table)
    }

    /// Whether an optional column exists.
    pub fn has_column(&self, table: Table, column: &str) -> bool {
        self.tables
            .get(&table)
            .is_some_and(|shape| shape.columns.iter().any(|(name, _)| names::same(column, name)))
    }

    /// A column's type as PostgreSQL prints it (`bigint`).
    pub fn column_type(&self, table: Table, column: &str) -> Option<&str> {
        let shape = self.tables.get(&table)?;
        let found = shape.columns.iter().find(|(name, _)| names::same(column, name))?;
        Some(&found.1)
    }

    /// The type of `orders.status`, where it is no number.
    pub fn status_type(&self) -> Option<&str> {
        let kind = self.column_type(Table::Orders, "status")?;
        (!matches!(kind, "smallint" | "integer" | "bigint")).then_some(kind)
    }

    /// Whether an index makes this fast.
    pub fn has(&self, index: Index) -> bool {
        self.indexes.contains(&index)
    }

    /// Whether an index makes this fast, or the table was so small when probed that none is needed.
    pub fn has_or_small(&self, index: Index, table: Table) -> bool {
        self.has(index) || self.is_small(table)
    }

    /// Whether the whole table can be read within a few milliseconds.
    pub fn is_small(&self, table: Table) -> bool {
        self.tables.get(&table).is_some_and(|shape| shape.pages <= self.small_table_pages)
    }

    /// Whether the table is partitioned.
    pub fn is_partitioned(&self, table: Table) -> bool {
        self.tables.get(&table).is_some_and(|shape| shape.partitioned)
    }

    /// The planner's estimate of the number of rows, none before the first `ANALYZE`.
    pub fn estimated_rows(&self, table: Table) -> Option<i64> {
        self.tables.get(&table)?.rows
    }

    /// The same as [`Layout::from`] with the system column `xmax`; nothing where the table cannot be read.
    pub(super) fn with_lock(&self, table: Table) -> Option<String> {
        let shape = self.tables.get(&table).filter(|_| self.reads(table))?;
        Some(shape.source(self.tenant(), ", xmax"))
    }

    /// The relation's own name, spelt and quoted as the database has it, with its schema: what to write to.
    pub(super) fn relation(&self, table: Table) -> Option<&str> {
        self.tables.get(&table).map(|shape| shape.relation.as_str())
    }

    /// The relation, where its name and all its columns are those of the document and it can be read.
    pub(super) fn as_documented(&self, table: Table) -> Option<&str> {
        let whole = |shape: &&Shape| shape.plain && shape.of_tenant(self.tenant()).is_none();
        let shape = self.tables.get(&table).filter(whole)?;
        self.reads(table).then_some(shape.relation.as_str())
    }

    /// A column's own name, by the document's. Without quotes; it has only letters and underscores.
    pub(super) fn column(&self, table: Table, column: &str) -> Option<&str> {
        let shape = self.tables.get(&table)?;
        let found = shape.columns.iter().find(|(name, _)| names::same(column, name))?;
        Some(&found.0)
    }

    /// What to write after `FROM` to get the table with the document's column names; a relation without
    /// rows where the table is not there or may not be read.
    pub(super) fn from(&self, table: Table) -> &str {
        self.sources.get(&table).map_or("(SELECT WHERE false)", String::as_str)
    }
}

//! Copies the rows of one server's database into another's that has the same tables.

use futures::TryStreamExt;
use sqlx::{AssertSqlSafe, Executor, PgConnection};

use super::{Progress, Report};

/// A table, with its name as written in SQL.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
struct Table {
    name: String,
    /// The stored (not generated) columns, comma-separated.
    columns: String,
    /// `r` for a table, `p` for one whose rows are in its partitions.
    kind: String,
}

/// What was copied.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Copied {
    pub tables: usize,
    pub rows: u64,
}

/// Why the copy was abandoned.
#[derive(Debug, thiserror::Error)]
pub(super) enum CopyError {
    #[error("{0}")]
    Differs(String),
    #[error("{action}: {source}")]
    Statement { action: String, source: sqlx::Error },
}

fn during(action: impl Into<String>) -> impl FnOnce(sqlx::Error) -> CopyError {
    let action = action.into();
    move |source| CopyError::Statement { action, source }
}

const USER_SCHEMA: &str = "n.nspname NOT IN ('pg_catalog', 'information_schema')
    AND n.nspname NOT LIKE 'pg\\_toast%' AND n.nspname NOT LIKE 'pg\\_temp%'";

/// Copies every row of every table and the position of every sequence, and compares counts and contents.
///
/// Nothing is committed in `to` unless everything matches.
pub(super) async fn copy_all(
    from: &mut PgConnection,
    to: &mut PgConnection,
    report: Report<'_>,
) -> Result<Copied, CopyError> {
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";
    from.execute(begin).await.map_err(during("reading the old database"))?;
    to.execute("BEGIN").await.map_err(during("writing the new database"))?;
    // Foreign keys and triggers are off: the rows passed them before.
    let replica = "SET LOCAL session_replication_role = replica";
    to.execute(replica).await.map_err(during("writing the new database"))?;
    compare(from, to).await?;
    let tables = tables(from).await?;
    let mut carried = Copied { tables: tables.len(), rows: 0 };
    for (index, table) in tables.iter().enumerate() {
        let (number, tables) = (index + 1, tables.len());
        report(Progress::Copying { table: table.name.clone(), number, tables });
        carried.rows += copy_table(from, to, table).await?;
    }
    copy_sequences(from, to).await?;
    refresh(to).await?;
    to.execute("COMMIT").await.map_err(during("writing the new database"))?;
    from.execute("COMMIT").await.map_err(during("reading the old database"))?;
    to.execute("ANALYZE").await.map_err(during("gathering statistics"))?;
    Ok(carried)
}

/// Stops the upgrade if the old database has anything that the new one lacks.
async fn compare(from: &mut PgConnection, to: &mut PgConnection) -> Result<(), CopyError> {
    let (old, new) = (shape(from).await?, shape(to).await?);
    let missing: Vec<&str> =
        old.iter().filter(|object| !new.contains(object)).map(String::as_str).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let shown = missing.iter().take(5).copied().collect::<Vec<_>>().join(", ");
    let more = missing.len().saturating_sub(5);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Err(CopyError::Differs(format!(
        "Orderscope's migrations do not create {shown}{more}, which the old database has: save and \
         drop what you added to it yourself, then repeat `orderscope db upgrade`"
    )))
}

/// One line per object that stores or defines data.
async fn shape(conn: &mut PgConnection) -> Result<Vec<String>, CopyError> {
    let query = format!(
        "SELECT CASE c.relkind WHEN 'S' THEN 'sequence ' WHEN 'v' THEN 'view '
                     WHEN 'm' THEN 'materialized view ' WHEN 'f' THEN 'foreign table '
                     ELSE 'table ' END || format('%I.%I', n.nspname, c.relname)
           FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND {USER_SCHEMA}
         UNION ALL
         SELECT format('column %I.%I.%I', n.nspname, c.relname, a.attname)
           FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
           JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped AND {USER_SCHEMA}
         UNION ALL
         SELECT format('type %I.%I', n.nspname, t.typname)
           FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
          WHERE t.typtype IN ('d', 'e') AND {USER_SCHEMA}
         UNION ALL
         SELECT format('large object %s', oid) FROM pg_largeobject_metadata
         ORDER BY 1"
    );
    sqlx::query_scalar(AssertSqlSafe(query))
        .fetch_all(conn)
        .await
        .map_err(during("listing the objects of the databases"))
}

async fn tables(conn: &mut PgConnection) -> Result<Vec<Table>, CopyError> {
    let query = format!(
        "SELECT format('%I.%I', n.nspname, c.relname) AS name, c.relkind::text AS kind,
                coalesce((SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
                            FROM pg_attribute a
                           WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                             AND a.attgenerated = ''), '') AS columns
           FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND {USER_SCHEMA}
          ORDER BY c.oid"
    );
    sqlx::query_as(AssertSqlSafe(query))
        .fetch_all(conn)
        .await
        .map_err(during("listing the tables of the old database"))
}

/// Text, not binary: PostgreSQL guarantees it between versions.
async fn copy_table(
    from: &mut PgConnection,
    to: &mut PgConnection,
    table: &Table,
) -> Result<u64, CopyError> {
    let Table { name, columns, kind } = table;
    let copying = || during(format!("copying {name}"));
    // Rows that the migrations inserted are copied from the old database. What is empty is not emptied: triggers that
    // keep a log append-only refuse the statement, whatever it would remove.
    let filled = format!("SELECT EXISTS (SELECT FROM {name})");
    if sqlx::query_scalar(AssertSqlSafe(filled)).fetch_one(&mut *to).await.map_err(copying())? {
        let empty = AssertSqlSafe(format!("DELETE FROM {name}"));
        to.execute(empty).await.map_err(copying())?;
    }
    // Rows of children that are not partitions are copied with the children.
    let only = if kind == "r" { "ONLY " } else { "" };
    let mut rows = from
        .copy_out_raw(&format!("COPY (SELECT {columns} FROM {only}{name}) TO STDOUT"))
        .await
        .map_err(copying())?;
    let list = if columns.is_empty() { String::new() } else { format!("({columns})") };
    let mut sink =
        to.copy_in_raw(&format!("COPY {name} {list} FROM STDIN")).await.map_err(copying())?;
    while let Some(chunk) = rows.try_next().await.map_err(copying())? {
        sink.send(chunk).await.map_err(copying())?;
    }
    drop(rows);
    let written = sink.finish().await.map_err(copying())?;
    let (before, after) = (content(from, table).await?, content(to, table).await?);
    if before.0 != after.0 || u64::try_from(after.0) != Ok(written) {
        let (before, after) = (before.0, after.0);
        return Err(CopyError::Differs(format!("{name} had {before} rows and has {after}")));
    }
    if before != after {
        return Err(CopyError::Differs(format!("the rows of {name} are not what they were")));
    }
    Ok(written)
}

/// How many rows a table has, and a sum of hashes over what is in them, whatever their order.
async fn content(conn: &mut PgConnection, table: &Table) -> Result<(i64, String), CopyError> {
    let Table { name, columns, kind } = table;
    let only = if kind == "r" { "ONLY " } else { "" };
    let query = format!(
        "SELECT count(*), coalesce(sum(('x' || left(md5(ROW({columns})::text), 15))::bit(60)::bigint), 0)::text
         FROM {only}{name}"
    );
    let content = sqlx::query_as(AssertSqlSafe(query)).fetch_one(conn).await;
    content.map_err(during(format!("comparing {name}")))
}

async fn copy_sequences(from: &mut PgConnection, to: &mut PgConnection) -> Result<(), CopyError> {
    let failed = || during("setting the sequences");
    let query = format!(
        "SELECT format('%I.%I', n.nspname, c.relname)
           FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE c.relkind = 'S' AND {USER_SCHEMA}"
    );
    let names: Vec<String> =
        sqlx::query_scalar(AssertSqlSafe(query)).fetch_all(&mut *from).await.map_err(failed())?;
    for name in names {
        let query = AssertSqlSafe(format!("SELECT last_value, is_called FROM {name}"));
        let (last, called): (i64, bool) =
            sqlx::query_as(query).fetch_one(&mut *from).await.map_err(failed())?;
        let set = sqlx::query("SELECT setval($1::text::regclass, $2, $3)");
        let set = set.bind(&name).bind(last).bind(called);
        set.execute(&mut *to).await.map_err(failed())?;
    }
    Ok(())
}

/// In the order of creation, so that a view built on another is refreshed later.
async fn refresh(conn: &mut PgConnection) -> Result<(), CopyError> {
    let failed = || during("refreshing materialized views");
    let query = format!(
        "SELECT format('%I.%I', n.nspname, c.relname)
           FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE c.relkind = 'm' AND c.relispopulated AND {USER_SCHEMA} ORDER BY c.oid"
    );
    let views: Vec<String> =
        sqlx::query_scalar(AssertSqlSafe(query)).fetch_all(&mut *conn).await.map_err(failed())?;
    for view in views {
        let refresh = AssertSqlSafe(format!("REFRESH MATERIALIZED VIEW {view}"));
        conn.execute(refresh).await.map_err(failed())?;
    }
    Ok(())
}

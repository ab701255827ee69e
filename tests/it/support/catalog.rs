//! The objects of a database's schema `public`, one line each, to compare two databases.

use std::collections::BTreeSet;

use sqlx::PgConnection;

/// Columns with types, defaults, identity and collation; constraints; indexes; sequences; statistics.
/// Index lines are `index NAME DEFINITION`. Objects of extensions are left out.
pub async fn public(conn: &mut PgConnection) -> BTreeSet<String> {
    let lines: Vec<String> = sqlx::query_scalar(
        "WITH ours AS (
             SELECT c.oid, c.relname, c.relkind FROM pg_class c
             WHERE c.relnamespace = 'public'::regnamespace
               AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = c.oid AND deptype = 'e'))
         SELECT concat_ws(' ', 'column', relname, attnum, attname, format_type(atttypid, atttypmod),
                    CASE WHEN attnotnull THEN 'not null' END,
                    'identity ' || nullif(attidentity::text, ''), 'generated ' || nullif(attgenerated::text, ''),
                    'collation ' || nullif(nullif(attcollation, 0), 100)::regcollation::text,
                    'default ' || pg_get_expr(adbin, adrelid))
         FROM ours JOIN pg_attribute ON attrelid = ours.oid AND attnum > 0 AND NOT attisdropped
              LEFT JOIN pg_attrdef ON adrelid = ours.oid AND adnum = attnum
         WHERE relkind IN ('r', 'p')
         UNION ALL
         SELECT concat_ws(' ', 'constraint', conrelid::regclass::text, conname, contype::text,
                    pg_get_constraintdef(pg_constraint.oid), convalidated)
         FROM ours JOIN pg_constraint ON conrelid = ours.oid
         UNION ALL
         SELECT concat_ws(' ', 'index', c.relname, pg_get_indexdef(indexrelid),
                    CASE WHEN NOT indisvalid THEN 'invalid' END)
         FROM ours JOIN pg_index ON indrelid = ours.oid JOIN pg_class c ON c.oid = indexrelid
         UNION ALL
         SELECT concat_ws(' ', 'sequence', relname, 'owned by', coalesce(refobjid::regclass::text, 'nothing'))
         FROM ours LEFT JOIN pg_depend ON objid = ours.oid AND deptype IN ('a', 'i')
              AND refclassid = 'pg_class'::regclass AND classid = 'pg_class'::regclass
         WHERE relkind = 'S'
         UNION ALL
         SELECT 'statistics ' || stxname FROM pg_statistic_ext WHERE stxnamespace = 'public'::regnamespace",
    )
    .fetch_all(conn)
    .await
    .unwrap();
    lines.into_iter().collect()
}

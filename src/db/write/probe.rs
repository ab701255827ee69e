//! What a plan looks at around an order before anything is written: rights, the inbox, the outbox.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection, Postgres, QueryBuilder};

use crate::db::{Error, Layout, OfTable, Table, sql::moment};

/// A right that a write needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    Insert(Table),
    Update(Table),
    Delete(Table),
    /// Drawing event numbers.
    EventNumbers,
}

/// The rights that this login lacks, `INSERT on mt_events`.
pub async fn lacking(
    conn: &mut PgConnection,
    layout: &Layout,
    needs: &[Need],
) -> Result<Vec<String>, Error> {
    if needs.is_empty() {
        // The server could not tell the type of an empty array.
        return Ok(vec![]);
    }
    let mut sql = QueryBuilder::<Postgres>::new("SELECT ARRAY[");
    let mut held = sql.separated(", ");
    for need in needs {
        match need.right() {
            Some((table, right)) => {
                // No right is held on what is not there.
                let target = layout.relation(table);
                held.push("coalesce(has_table_privilege(").push_bind_unseparated(target);
                held.push_unseparated(", ").push_bind_unseparated(right);
                held.push_unseparated(")");
                // Rows are removed as a whole: there is no such right on a column.
                if right != "DELETE" {
                    held.push_unseparated(" OR has_any_column_privilege(");
                    held.push_bind_unseparated(target).push_unseparated(", ");
                    held.push_bind_unseparated(right).push_unseparated(")");
                }
                held.push_unseparated(", false)");
            }
            None => {
                held.push("coalesce(has_sequence_privilege(to_regclass(")
                    .push_bind_unseparated(layout.event_numbers())
                    .push_unseparated(")::oid, 'USAGE'), false)");
            }
        }
    }
    // Nothing may be needed, and an empty array has no type of its own.
    sql.push("]::boolean[]");
    let held: Vec<bool> = sql.build_query_scalar().fetch_one(conn).await?;
    let missing = needs.iter().zip(held).filter(|(_, held)| !held);
    Ok(missing.map(|(need, _)| need.told(layout)).collect())
}

impl Need {
    /// On which table, and its name in SQL.
    const fn right(self) -> Option<(Table, &'static str)> {
        match self {
            Self::Insert(table) => Some((table, "INSERT")),
            Self::Update(table) => Some((table, "UPDATE")),
            Self::Delete(table) => Some((table, "DELETE")),
            Self::EventNumbers => None,
        }
    }

    fn told(self, layout: &Layout) -> String {
        match self.right() {
            None => "USAGE on mt_events_sequence".to_owned(),
            Some((table, right)) if layout.relation(table).is_none() => {
                format!("{right} on {}, which is not there", table.name())
            }
            Some((table, right)) => format!("{right} on {}", table.name()),
        }
    }
}

/// What goes on beside an order.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Surroundings {
    /// Messages that are being handled or failed; the tables do not say for which order.
    pub commands: i64,
    /// When the oldest outbox that is not recorded as delivered was made.
    pub oldest_open: Option<DateTime<Utc>>,
    /// Where the newest message goes to.
    pub destination: Option<String>,
}

/// The most rows of the inbox that are counted.
const MOST_COMMANDS: i64 = 100;

/// Reads all of it.
pub async fn surroundings(conn: &mut PgConnection, layout: &Layout) -> Result<Surroundings, Error> {
    let mut sql = QueryBuilder::<Postgres>::new(format!(
        "SELECT (SELECT count(*) FROM (SELECT FROM {} i WHERE consumed IS NULL LIMIT {MOST_COMMANDS}) \
         waiting) AS commands, (SELECT {} FROM {} o WHERE delivered IS NULL ORDER BY created LIMIT 1) \
         AS oldest_open, (SELECT destination_address FROM {} m ORDER BY sequence_number DESC LIMIT 1) \
         AS destination",
        layout.from(Table::InboxStates),
        moment("created"),
        layout.from(Table::OutboxStates),
        layout.from(Table::OutboxMessages),
    ));
    Ok(sql.build_query_as().fetch_one(conn).await?)
}

/// Who last did something to it with this program, and when, as audit has it. What an operation is about comes
/// first among its targets: a new order has its buyer second, and leaves the buyer as they are.
pub async fn last_operator(
    conn: &mut PgConnection,
    target: &str,
) -> Result<Option<(String, DateTime<Utc>)>, Error> {
    let newest =
        "SELECT operator, at FROM orderscope.audit WHERE targets @> ARRAY[$1] AND targets[1] = $1
                  ORDER BY number DESC LIMIT 1";
    sqlx::query_as(newest).bind(target).fetch_optional(conn).await.of("orderscope.audit")
}

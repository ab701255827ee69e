//! What a plan looks at around an order before anything is written: rights, the inbox, the outbox.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection, Postgres, QueryBuilder};

use crate::db::{Error, Layout, Table, sql::moment};

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
    let mut missing = Vec::new();
    for need in needs {
        let (table, right) = match need {
            Need::Insert(table) => (table, "INSERT"),
            Need::Update(table) => (table, "UPDATE"),
            Need::Delete(table) => (table, "DELETE"),
            Need::EventNumbers => {
                let sql = "SELECT coalesce(has_sequence_privilege( \
                           to_regclass('public.mt_events_sequence')::oid, 'USAGE'), false)";
                if !sqlx::query_scalar::<_, bool>(sql).fetch_one(&mut *conn).await? {
                    missing.push("USAGE on mt_events_sequence".to_owned());
                }
                continue;
            }
        };
        let Some(target) = layout.relation(*table) else {
            missing.push(format!("{right} on {}, which is not there", table.name()));
            continue;
        };
        // There is no DELETE on columns.
        let asked = if right == "DELETE" {
            "SELECT has_table_privilege($1, $2)"
        } else {
            "SELECT has_table_privilege($1, $2) OR has_any_column_privilege($1, $2)"
        };
        let held: bool =
            sqlx::query_scalar(asked).bind(target).bind(right).fetch_one(&mut *conn).await?;
        if !held {
            missing.push(format!("{right} on {}", table.name()));
        }
    }
    Ok(missing)
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

/// Looks around.
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

/// Where the newest message goes to.
pub async fn newest_destination(
    conn: &mut PgConnection,
    layout: &Layout,
) -> Result<Option<String>, Error> {
    let mut sql = QueryBuilder::<Postgres>::new(format!(
        "SELECT destination_address FROM {} m ORDER BY sequence_number DESC LIMIT 1",
        layout.from(Table::OutboxMessages)
    ));
    let found: Option<Option<String>> = sql.build_query_scalar().fetch_optional(conn).await?;
    Ok(found.flatten())
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
    Ok(sqlx::query_as(newest).bind(target).fetch_optional(conn).await?)
}

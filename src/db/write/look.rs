//! Everything a command is decided on, read in one statement: one round trip, one snapshot.

use serde::de::DeserializeOwned;
use sqlx::{FromRow, Postgres, QueryBuilder, types::Json};
use uuid::Uuid;

use super::{Seen, Tx};
use crate::{
    db::{
        Error, Layout, Table,
        buyers::{self, BuyerRow},
        events::{self, EventRow},
        orders::{self, LineRow, OrderRow},
        streams::{self, Stream, StreamRow},
        summaries::{self, Position, SummaryDocument, SummaryRow},
    },
    domain::{
        event::RecordedEvent,
        id::{BuyerId, OrderId, SeqId},
        order::{Buyer, Order},
    },
};

/// What is looked for.
#[derive(Debug, Clone, Copy)]
pub struct Lookup<'a> {
    /// Where events, streams and summaries are read: all of them, or those of the order's tenant.
    pub layout: &'a Layout,
    /// Whether this operation is on record.
    pub operation: Option<Uuid>,
    /// An order: its rows, events and stream.
    pub order: Option<OrderId>,
    /// Only those of its events that were stored later.
    pub after: Option<SeqId>,
    /// So many of its events at most.
    pub most: i64,
    /// Its summary document too, and how far projecting has come.
    pub summary: bool,
    /// A buyer; else the order's.
    pub buyer: Option<BuyerId>,
    /// The newest events of the store.
    pub newest: bool,
    /// Where the newest message goes to.
    pub destination: bool,
}

/// What is there of it.
#[derive(Debug)]
pub struct OrderRows {
    pub recorded: bool,
    pub order: Option<(Order, Seen)>,
    pub events: Vec<RecordedEvent>,
    /// The order's own.
    pub stream: Option<Stream>,
    pub summary: Option<SummaryDocument>,
    pub position: Position,
    pub buyer: Option<(BuyerId, Buyer, Seen)>,
    /// The newest events of the store, the newest first.
    pub newest: Vec<RecordedEvent>,
    pub destination: Option<String>,
}

#[derive(FromRow)]
#[sqlx(default)]
#[derive(Default)]
struct Parts {
    recorded: bool,
    order_seen: One<Seen>,
    order_row: One<OrderRow>,
    lines: One<Vec<LineRow>>,
    events: One<Vec<EventRow>>,
    stream: One<StreamRow>,
    summary: One<SummaryRow>,
    buyer_seen: One<Seen>,
    buyer_row: One<BuyerRow>,
    newest: One<Vec<EventRow>>,
    destination: Option<String>,
}

type One<T> = Option<Json<T>>;

impl Tx<'_> {
    /// Reads all of it. Locked rows do not change any more; all others may.
    pub async fn look(&mut self, wanted: &Lookup<'_>) -> Result<OrderRows, Error> {
        self.in_time()?;
        let mut sql = QueryBuilder::<Postgres>::new("SELECT ");
        match wanted.operation {
            Some(id) => {
                sql.push("EXISTS (SELECT FROM orderscope.audit WHERE operation = ");
                sql.push_bind(id).push(")");
            }
            None => {
                sql.push("false");
            }
        }
        sql.push(" AS recorded");
        if let Some(id) = wanted.order {
            self.push_order(&mut sql, wanted, id)?;
        }
        self.push_buyer(&mut sql, wanted)?;
        if wanted.newest {
            many(&mut sql, "newest", |sql| events::push_newest(sql, wanted.layout));
        }
        if wanted.destination {
            let from = self.layout.from(Table::OutboxMessages);
            sql.push(format!(
                ", (SELECT destination_address FROM {from} m ORDER BY sequence_number DESC LIMIT 1) \
                 AS destination"
            ));
        }
        let parts = sql.build_query_as::<Parts>().fetch_one(&mut *self.conn).await;
        Ok(parts.map_err(|error| of_part(error.into()))?.found(wanted.layout))
    }

    fn push_order(
        &self,
        sql: &mut QueryBuilder<Postgres>,
        wanted: &Lookup<'_>,
        id: OrderId,
    ) -> Result<(), Error> {
        let layout = wanted.layout;
        self.push_seen(sql, Table::Orders, "order_seen", |sql| {
            sql.push_bind(id);
        })?;
        one(sql, "order_row", |sql| orders::push_by_id(sql, layout, id));
        many(sql, "lines", |sql| orders::push_lines(sql, layout, id));
        many(sql, "events", |sql| match wanted.after {
            None => events::push_of_order(sql, layout, id, None, wanted.most),
            Some(after) => events::push_since(sql, layout, id, after, wanted.most),
        });
        one(sql, "stream", |sql| streams::push_of_order(sql, layout, id));
        if wanted.summary {
            one(sql, "summary", |sql| summaries::push_of_order(sql, layout, id));
        }
        Ok(())
    }

    fn push_buyer(
        &self,
        sql: &mut QueryBuilder<Postgres>,
        wanted: &Lookup<'_>,
    ) -> Result<(), Error> {
        if wanted.buyer.is_none() && wanted.order.is_none() {
            return Ok(());
        }
        let orders = self.layout.from(Table::Orders);
        let who = |sql: &mut QueryBuilder<Postgres>| {
            if let Some(id) = wanted.buyer {
                sql.push_bind(id);
            } else {
                sql.push(format!("(SELECT o.buyer_id FROM {orders} o WHERE o.id = "));
                sql.push_bind(wanted.order).push(")");
            }
        };
        self.push_seen(sql, Table::Buyers, "buyer_seen", who)?;
        one(sql, "buyer_row", |sql| buyers::push_by_id(sql, self.layout, who));
        Ok(())
    }

    /// The row as it is, and its `xmin`.
    fn push_seen(
        &self,
        sql: &mut QueryBuilder<Postgres>,
        table: Table,
        part: &str,
        id: impl FnOnce(&mut QueryBuilder<Postgres>),
    ) -> Result<(), Error> {
        let (target, key) = (self.target(table)?, self.name(table, "id")?);
        one(sql, part, |sql| {
            sql.push(format!(
                "SELECT to_jsonb(t) AS row, t.xmin::text AS xmin FROM {target} t WHERE t.{key} = "
            ));
            id(sql);
        });
        Ok(())
    }
}

/// The row of a query as JSON; null where there is none.
fn one(
    sql: &mut QueryBuilder<Postgres>,
    part: &str,
    query: impl FnOnce(&mut QueryBuilder<Postgres>),
) {
    sql.push(", (SELECT row_to_json(x) FROM (");
    query(sql);
    sql.push(format!(") x) AS {part}"));
}

/// The rows of a query as JSON, in their order; null where there are none.
fn many(
    sql: &mut QueryBuilder<Postgres>,
    part: &str,
    query: impl FnOnce(&mut QueryBuilder<Postgres>),
) {
    sql.push(", (SELECT json_agg(x) FROM (");
    query(sql);
    sql.push(format!(") x) AS {part}"));
}

impl Parts {
    fn found(self, layout: &Layout) -> OrderRows {
        let order = match self.order_row.zip(self.order_seen) {
            Some((Json(row), Json(seen))) => Some((row.with(list(self.lines), layout), seen)),
            None => None,
        };
        let (summary, position) = self.summary.map(|Json(row)| row.parts()).unwrap_or_default();
        let buyer = self.buyer_row.zip(self.buyer_seen).map(|(Json(row), Json(seen))| {
            let (id, buyer) = row.parts();
            (id, buyer, seen)
        });
        OrderRows {
            recorded: self.recorded,
            order,
            events: list(self.events).into_iter().map(RecordedEvent::from).collect(),
            stream: self.stream.map(|Json(row)| Stream::from(row)),
            summary,
            position,
            buyer,
            newest: list(self.newest).into_iter().map(RecordedEvent::from).collect(),
            destination: self.destination,
        }
    }
}

/// Names the table that a part with an unreadable value comes from.
fn of_part(error: Error) -> Error {
    let Error::Inconsistent { table: None, column: Some(part), key, why } = error else {
        return error;
    };
    let table = match part.as_str() {
        "order_row" | "order_seen" => Table::Orders,
        "lines" => Table::OrderItems,
        "events" | "newest" => Table::Events,
        "stream" => Table::Streams,
        "summary" => Table::Summaries,
        "buyer_row" | "buyer_seen" => Table::Buyers,
        "destination" => Table::OutboxMessages,
        _ => return Error::Inconsistent { table: None, column: Some(part), key, why },
    };
    Error::Inconsistent { table: Some(table.name()), column: None, key, why }
}

fn list<T: DeserializeOwned>(part: One<Vec<T>>) -> Vec<T> {
    part.map(|Json(list)| list).unwrap_or_default()
}
